#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Unpacks the packages of one root of tools/pins.txt into a folder, once.
#
#   tools/private_root.sh NAME DIR
#
# The archive is the one that this machine's apt knows, so that no address is stored here. Nothing
# outside of DIR and a temporary folder is written; no rights are needed. A package whose contents are
# not pinned is refused, with what was found; one pinned as `signed` may be any that the archive signed.

set -eu
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
pins=${PRIVATE_ROOTS:-$here/pins.txt}

say() { echo "private_root: $*" >&2; }
die() { say "$*"; exit 1; }

[ $# -eq 2 ] || die "usage: tools/private_root.sh NAME DIR"
name=$1
dir=$2
suite=$(awk -v n="$name" '$1 == "root" && $2 == n { print $3 }' "$pins")
[ -n "$suite" ] || die "$pins has no root '$name'"
stamp=$dir/.unpacked
wanted=$(awk -v n="$name" '$1 == "deb" && $2 == n { print }' "$pins")
[ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0
command -v apt-get >/dev/null || die "this is not a Debian system: '$name' cannot be fetched"
archive=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' \
    'Created-By: Packages' | awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" { print $1; exit }')
[ -n "$archive" ] || die "apt on this machine knows no Debian archive (apt-get update?)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" \
    >"$work/suite.list"
in_suite() {
    apt-get -qq -o Dir::Etc::SourceList="$work/suite.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status" \
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
say "fetching '$name' from $suite"
in_suite update >"$work/log" 2>&1 || { cat "$work/log" >&2; die "cannot read the list of $suite"; }

rm -rf "$dir.new"
mkdir -p "$dir.new"
for package in $(echo "$wanted" | awk '{ print $3 }' | sort -u); do
    rm -f "$work"/debs/*
    (cd "$work/debs" && in_suite download "$package") >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; die "cannot fetch $package from $suite"; }
    deb=$(echo "$work"/debs/*.deb)
    found=$(sha256sum "$deb" | cut -d' ' -f1)
    echo "$wanted" | awk -v p="$package" -v h="$found" '$3 == p && ($4 == h || $4 == "signed") { ok = 1 }
        END { exit !ok }' || {
        version=$(dpkg-deb -f "$deb" Version)
        say "$package of $suite is not one that $pins accepts. The archive has moved on; after"
        say "looking at what changed, add the line"
        say "    deb  $name $package $found $version"
        exit 1
    }
    dpkg-deb -x "$deb" "$dir.new"
done
echo "$wanted" >"$dir.new/.unpacked"
rm -rf "$dir"
mv "$dir.new" "$dir"
