#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the packages that the named groups of tools/pins.txt need and this machine lacks.
#
#   tools/setup.sh [--dry-run] GROUP...      groups: build run iso debug test prove fresh
#   tools/setup.sh --list GROUP...           one line for each package that is missing or too old
#
# Says what it installs, asks nothing, works as root or through sudo, and fails with the package's
# name. When nothing changed since the last time it returns at once.

set -u
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
pins=${SETUP_PINS:-$here/pins.txt}
status_file=${SETUP_DPKG_STATUS:-/var/lib/dpkg/status}
stamps=${SETUP_STAMPS:-$here/../out/setup}
# dpkg wants the system folders in PATH, whatever the caller's is.
system_path=${SETUP_PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
lock_seconds=300
lock_pause=${SETUP_LOCK_PAUSE:-5}

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

dry_run=
list=
case ${1:-} in
--dry-run) dry_run=1; shift ;;
--list) list=1; shift ;;
esac
[ $# -gt 0 ] || die "usage: tools/setup.sh [--dry-run|--list] GROUP... (build run iso debug test prove fresh)"

# Every group named must exist; then the packages wanted, one "name version" a line.
for group in "$@"; do
    awk -v g="$group" '$1 == "package" && $2 == g { found = 1 } END { exit !found }' "$pins" ||
        die "tools/pins.txt has no group '$group'"
done

up_to_date() {
    for group in "$@"; do
        stamp=$stamps/$group
        [ -e "$stamp" ] && [ "$stamp" -nt "$status_file" ] && [ "$stamp" -nt "$pins" ] || return 1
    done
}
[ -z "$dry_run$list" ] && up_to_date "$@" && exit 0

wanted=$(awk -v groups=" $* " '$1 == "package" && index(groups, " " $2 " ") && !seen[$3, $5]++ { print $3, $5 }' "$pins")

if ! command -v dpkg-query >/dev/null; then
    say "this is not a Debian system, so nothing can be installed here. Needed are:"
    echo "$wanted" | sed 's/^/    /' >&2
    die "install them your own way, then run make with SETUP=no"
fi

# Packages of $wanted that are absent or older than their version.
missing() {
    # shellcheck disable=SC2046
    dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' \
        $(echo "$wanted" | cut -d' ' -f1) 2>/dev/null |
        awk '$2 == "installed" { print $1, $3 }' >"$work/installed"
    echo "$wanted" | while read -r name version; do
        have=$(awk -v n="$name" '$1 == n { print $2; exit }' "$work/installed")
        if [ -z "$have" ] || ! dpkg --compare-versions "$have" ge "$version"; then
            echo "$name"
        fi
    done
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
lacking=$(missing | tr '\n' ' ')

if [ -n "$list" ]; then
    echo "$wanted" | while read -r name version; do
        case " $lacking" in
        *" $name "*) printf '  %-8s %-20s version %s or later is needed\n' MISSING "$name" "$version" ;;
        esac
    done
    exit 0
fi
if [ -n "$dry_run" ]; then
    if [ -n "$lacking" ]; then
        say "would install: $lacking"
    else
        say "nothing to install"
    fi
    exit 0
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env "PATH=$system_path" DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo ${no_questions:-} env "PATH=$system_path" DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# apt-get, waiting for whoever holds its locks. Output is shown only when it fails.
apt() {
    waited=0
    while :; do
        as_root apt-get -qq -o "DPkg::Lock::Timeout=$lock_seconds" -o Dpkg::Use-Pty=0 "$@" \
            >"$work/log" 2>&1 </dev/null && return 0
        grep -Eq 'Could not get lock|Unable to lock|Unable to acquire' "$work/log" || return 1
        [ "$waited" -lt "$lock_seconds" ] || return 1
        [ "$waited" = 0 ] && say "another program holds the package database; waiting"
        sleep "$lock_pause"
        waited=$((waited + lock_pause + 1))
    done
}

if [ -n "$lacking" ]; then
    say "installing: $lacking"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "cannot install as an ordinary user without sudo; as root run: tools/setup.sh $*"
        [ -t 0 ] || no_questions=-n
    fi
    apt update || { say "the package lists could not be refreshed:"; tail -n 5 "$work/log" >&2; }
    # shellcheck disable=SC2086
    apt install -y --no-install-recommends $lacking || tail -n 15 "$work/log" >&2
    lacking=$(missing | tr '\n' ' ')
    [ -z "$lacking" ] || die "could not install: ${lacking% }"
fi

mkdir -p "$stamps" 2>/dev/null && for group in "$@"; do : >"$stamps/$group"; done
exit 0
