#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Unpacks the packages of one root of tools/private_roots.txt into a folder, once.
#
#   tools/private_root.sh NAME DIR
#
# The list of the archive's addresses is the machine's own, with the suite replaced, so that none is
# stored here. Nothing outside of DIR and a temporary folder is written; no rights are needed. A package
# whose contents are not pinned is refused, with what was found.

set -eu
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
pins=${PRIVATE_ROOTS:-$here/private_roots.txt}
sources=${PRIVATE_ROOT_SOURCES:-/etc/apt/sources.list.d/debian.sources}

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
[ -r "$sources" ] || die "$sources is missing: this needs a Debian system with its package lists"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
: >"$work/status"
awk -v s="$suite" 'BEGIN { RS = ""; ORS = "\n\n" }
    NR == 1 { gsub(/Suites:[^\n]*/, "Suites: " s); print }' "$sources" >"$work/suite.sources"
in_suite() {
    apt-get -qq -o Dir::Etc::SourceList="$work/suite.sources" -o Dir::Etc::SourceParts=/dev/null \
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
    echo "$wanted" | awk -v p="$package" -v h="$found" '$3 == p && $4 == h { ok = 1 }
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
