#!/bin/sh
# Installs what `make test` needs besides Go and Node and what is missing: the server programs of PostgreSQL and Redis,
# PgBouncer, a C compiler for the race detector, libfaketime, promtool of Prometheus, and Chromium (or the browser in
# CHROMIUM). It also installs the programs in its arguments. With NO_INSTALL=1 it only prints the command and fails.
#
# Some systems (Debian, Ubuntu) start a newly installed server as a service on its usual port. The tests do not use it:
# they start and stop their own servers on other ports.
set -eu
cd "$(dirname "$0")/.."

# tests/servers/find.go knows where servers are outside of PATH.
missing=$(CGO_ENABLED=0 go run ./tests/servers/cmd/with-servers -missing)
if [ "$(uname -s)" != Darwin ]; then # on macOS the race detector needs no C compiler
    compiler=$(go env CC)
    command -v "${compiler%% *}" >/dev/null || missing="$missing cc"
    command -v faketime >/dev/null || missing="$missing faketime" # moves PostgreSQL's clock
fi
command -v promtool >/dev/null || missing="$missing prometheus" # tests the alerts
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing="$missing chromium"
for program in "$@"; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
missing=$(echo $missing) # on one line

# name_in MANAGER THING: the names of its packages.
name_in() {
    case "$1/$2" in
        apt-get/redis) echo redis-server ;;
        apt-get/cc) echo gcc libc6-dev ;;
        dnf/postgresql) echo postgresql-server ;;
        dnf/redis) if dnf -q list redis >/dev/null 2>&1; then echo redis; else echo valkey; fi ;;
        dnf/cc) echo gcc glibc-devel ;;
        apk/cc) echo gcc musl-dev ;;
        */cc) echo gcc ;;
        dnf/prometheus) echo golang-github-prometheus ;;
        dnf/faketime | apk/faketime | pacman/faketime) echo libfaketime ;;
        *) echo "$2" ;;
    esac
}

manager=
for m in apt-get dnf apk pacman brew; do
    if command -v "$m" >/dev/null; then
        manager=$m
        break
    fi
done
if [ -z "$manager" ]; then
    echo "The tests need: $missing. Please install them: there is no apt-get, dnf, apk, pacman or brew here." >&2
    exit 1
fi

packages=
for thing in $missing; do
    packages="$packages $(name_in "$manager" "$thing")"
done

sudo=
if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
    sudo="sudo "
fi
case $manager in
    apt-get)
        install="apt-get install -y --no-install-recommends$packages"
        command="${sudo}apt-get update && ${sudo}env DEBIAN_FRONTEND=noninteractive $install"
        ;;
    dnf) command="${sudo}dnf install -y$packages" ;;
    apk) command="${sudo}apk add$packages" ;;
    pacman) command="${sudo}pacman -S --needed --noconfirm$packages" ;;
    brew) command="brew install$packages" ;;
esac

echo "The tests need: $missing. To install:" >&2
echo "    $command" >&2
if [ "${NO_INSTALL:-}" = 1 ]; then
    echo "NO_INSTALL=1 is set: please run this command, then \`make test\` again." >&2
    exit 1
fi
if [ -n "$sudo" ] && ! command -v sudo >/dev/null; then
    echo "There is no sudo here: please run this command as root, then \`make test\` again." >&2
    exit 1
fi
sh -c "$command" </dev/null

left=$(CGO_ENABLED=0 go run ./tests/servers/cmd/with-servers -missing)
if [ -n "$left" ]; then
    echo "Still missing after the installation:" $left >&2
    exit 1
fi
