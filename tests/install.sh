#!/bin/sh
# Installs what `make test` needs besides Go and Node and is not there yet: the server programs of PostgreSQL and Redis, PgBouncer, a C compiler
# for the race detector, libfaketime, and Chromium (CHROMIUM names another one); and the programs that its arguments name. NO_INSTALL=1 prints the
# command and fails instead.
#
# Some systems (Debian, Ubuntu) start a freshly installed server as a service on its usual port. The tests do not mind and do not
# use it: they start servers of their own, on other ports, and stop them.
set -eu
cd "$(dirname "$0")/.."

# Where servers may hide outside of PATH is written down once, in tests/servers/find.go.
missing=$(CGO_ENABLED=0 go run ./tests/servers/cmd/with-servers -missing)
if [ "$(uname -s)" != Darwin ]; then # there the race detector does without
    compiler=$(go env CC)
    command -v "${compiler%% *}" >/dev/null || missing="$missing cc"
    command -v faketime >/dev/null || missing="$missing faketime" # moves PostgreSQL's clock
fi
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing="$missing chromium"
for program in "$@"; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
missing=$(echo $missing) # on one line

# name_in MANAGER THING: the packages that hold it.
name_in() {
    case "$1/$2" in
        apt-get/redis) echo redis-server ;;
        apt-get/cc) echo gcc libc6-dev ;;
        dnf/postgresql) echo postgresql-server ;;
        dnf/redis) if dnf -q list redis >/dev/null 2>&1; then echo redis; else echo valkey; fi ;;
        dnf/cc) echo gcc glibc-devel ;;
        apk/cc) echo gcc musl-dev ;;
        */cc) echo gcc ;;
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
    echo "The tests need: $missing. Found no package manager that I know (apt-get, dnf, apk, pacman, brew): please install them." >&2
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
    apt-get) command="${sudo}apt-get update && ${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends$packages" ;;
    dnf) command="${sudo}dnf install -y$packages" ;;
    apk) command="${sudo}apk add$packages" ;;
    pacman) command="${sudo}pacman -S --needed --noconfirm$packages" ;;
    brew) command="brew install$packages" ;;
esac

echo "The tests need: $missing. To install:" >&2
echo "    $command" >&2
if [ "${NO_INSTALL:-}" = 1 ]; then
    echo "NO_INSTALL=1 is set: please run it yourself, then \`make test\` again." >&2
    exit 1
fi
if [ -n "$sudo" ] && ! command -v sudo >/dev/null; then
    echo "There is no sudo here: please run it as root, then \`make test\` again." >&2
    exit 1
fi
sh -c "$command" </dev/null

left=$(CGO_ENABLED=0 go run ./tests/servers/cmd/with-servers -missing)
if [ -n "$left" ]; then
    echo "Still missing after the installation:" $left >&2
    exit 1
fi
