#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Follows the README word for word on a machine that has nothing: a bare Debian root with git and
# make, the committed tree cloned into it, an empty environment.
#
#   tools/test_fresh.sh [COMMAND]...      default: the commands of the README's first sh block
#
# Package sources are read from this machine's apt at run time. Needs root and debootstrap; takes
# minutes; KEEP=1 leaves the root in place.

set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
say() { echo "fresh: $*" >&2; }
die() { say "$*"; exit 1; }

[ "$(id -u)" = 0 ] || die "only root can make another root: sudo make test-fresh"

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
root=$work/root
finish() {
    umount -l "$root/proc" "$root/dev" 2>/dev/null || :
    if [ -n "${KEEP:-}" ]; then
        say "the root is in $root"
    else
        rm -rf --one-file-system "$work"
    fi
}
trap finish EXIT

say "making a bare $suite root with git and make"
debootstrap --variant=minbase --include=git,make "$suite" "$root" "$mirror" >"$work/log" 2>&1 ||
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

mount -t proc proc "$root/proc"
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
chroot "$root" /usr/bin/env -i /bin/sh /root/follow || die "failed after $(($(date +%s) - started)) s"
say "passed after $(($(date +%s) - started)) s"
