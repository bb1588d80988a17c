#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Follows the README word for word on a machine that has nothing: a bare Debian root with git and
# make, the committed tree cloned into it, an empty environment.
#
#   tools/test_fresh.sh [COMMAND]...      default: the commands of the README's first sh block
#
# Package sources are read from this machine's apt at run time. Needs root and debootstrap; takes
# minutes; KEEP=1 leaves the root in place. Ended by a signal, it ends what it started and takes the
# root away as well; its mounts and the processes in the root are in namespaces of their own, which
# go even if it is killed.

set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
exec 3>&2 # for what a trap says while a command is redirected
say() { echo "fresh: $*" >&3; }
die() { say "$*"; exit 1; }

[ "$(id -u)" = 0 ] || die "only root can make another root: sudo make test-fresh"
[ -n "${FRESH_UNSHARED:-}" ] || FRESH_UNSHARED=yes exec unshare --mount bash "$0" "$@"

readme_commands() {
    awk '/^```/ { inside = !inside && $0 == "```sh"; if (seen && !inside) exit; next }
         inside { seen = 1; print }' "$here/README.md"
}
if [ $# -gt 0 ]; then
    commands=$(printf '%s\n' "$@")
else
    commands=$(readme_commands)
fi
[ -n "$commands" ] || die "README.md has no sh block"

suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' \
    'Created-By: Packages' | awk '$4 == "Debian" { print $1, $2, $3 }' | sort -u)
mirror=$(echo "$sources" | awk -v s="$suite" '$2 == s && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || die "apt on this machine knows no Debian source for $suite"

work=$(mktemp -d /var/tmp/capos-fresh.XXXXXX)
work=$(cd "$work" && pwd -P) # as the table of mounts names it
root=$work/root
child=
mounted() { awk -v under="$root/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts | sort -r; }
finish() {
    local left
    trap '' HUP INT TERM
    if [ -n "$child" ]; then
        { kill -KILL -- "-$child" "$child" || :; wait "$child" || :; } 2>/dev/null
    fi
    mounted | xargs -r umount -l || :
    if [ -n "${KEEP:-}" ]; then
        say "the root is in $root"
    elif ! left=$(mounted) || [ -n "$left" ]; then # what is mounted there is this machine's
        say "something is mounted in $root still, so it stays"
    else
        rm -rf --one-file-system "$work"
    fi
}
trap finish EXIT
for signal in HUP INT TERM; do
    trap "say 'ended by SIG$signal'; exit $((128 + $(kill -l $signal)))" "$signal"
done

# A command in a process group of its own, for which a signal is waited as well.
run() {
    local status=0
    setsid "$@" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

say "making a bare $suite root with git and make"
run debootstrap --variant=minbase --include=git,make "$suite" "$root" "$mirror" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; die "debootstrap failed"; }

# The same sources, proxy and name service as this machine has; none of it is written anywhere else.
echo "$sources" | awk '{ print "deb", $1, $2, $3 }' >"$root/etc/apt/sources.list"
apt-config dump Acquire | grep -i proxy >"$root/etc/apt/apt.conf.d/99proxy" || :
for scheme in http https; do
    variable=${scheme}_proxy
    [ -z "${!variable:-}" ] ||
        echo "Acquire::$scheme::Proxy \"${!variable}\";" >>"$root/etc/apt/apt.conf.d/99proxy"
done
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || :

mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"

git clone -q --no-hardlinks "$here" "$root/root/capOS"
cat >"$root/root/follow" <<'SCRIPT'
cd /root/capOS
while read -r line <&3; do
    echo "\$ $line"
    eval "$line" </dev/null 3<&- || { echo "fresh: '$line' failed"; exit 1; }
done 3</root/commands
SCRIPT
echo "$commands" >"$root/root/commands"

say "following the README with an empty environment"
started=$(date +%s)
run unshare --pid --fork --kill-child --mount-proc="$root/proc" \
    chroot "$root" /usr/bin/env -i /bin/sh /root/follow ||
    die "failed after $(($(date +%s) - started)) s"
say "passed after $(($(date +%s) - started)) s"
