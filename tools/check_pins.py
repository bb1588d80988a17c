#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare this machine with tools/pins.txt: packages by version, boot files by hash.

  check_pins.py [--group GROUP]...    exit 1 and say which input differs (default: all but fresh)
  check_pins.py --doctor              one line for each input, present or not
  check_pins.py --update              add what this machine has to the file and tree rows
"""
import argparse
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PINS = os.path.join(HERE, "pins.txt")
TREE_SUFFIXES = (".mod", ".img", ".lst")
FILE_GROUP = "iso"
# Rows that other tools read (make_manifests.py, private_root.sh), and how many fields they have.
OTHER_ROWS = {"module": 5, "root": 3, "deb": 5}
DEFAULT_GROUPS = ("build", "run", "iso", "debug", "test")


class Package:
    def __init__(self, group, name, kind, version):
        self.group, self.name, self.kind, self.version = group, name, kind, version


class Boot:
    """A file or tree and all rows that name it."""

    def __init__(self, kind, name, path):
        self.kind, self.name, self.path, self.accepted = kind, name, path, []


def pins_read(path):
    packages, boots = [], {}
    with open(path) as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if not fields or fields[0].startswith("#"):
                continue
            if fields[0] == "package" and len(fields) == 5 and fields[3] in ("minimum", "major"):
                packages.append(Package(*fields[1:]))
            elif fields[0] in ("file", "tree") and len(fields) == 6:
                boot = boots.setdefault(fields[1], Boot(*fields[:3]))
                boot.accepted.append((fields[3], fields[4], fields[5]))
            elif len(fields) != OTHER_ROWS.get(fields[0]):
                sys.exit("%s:%d: neither a package, a file, a tree nor another row that is known"
                         % (path, number))
    return packages, list(boots.values())


def installed_versions(names):
    """{name: version} of the packages that are installed, as dpkg tells it."""
    try:
        result = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\n"] + names,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        return {}
    rows = (line.split() for line in result.stdout.splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def version_at_least(version, least):
    return subprocess.run(["dpkg", "--compare-versions", version, "ge", least]).returncode == 0


def version_major(version):
    return version.split(":")[-1].split(".")[0]


def package_problem(package, versions):
    version = versions.get(package.name)
    if version is None:
        return "is not installed (version %s or later is needed)" % package.version
    if not version_at_least(version, package.version):
        return "is version %s; %s or later is needed" % (version, package.version)
    if package.kind == "major" and version_major(version) != version_major(package.version):
        return "is version %s; the tree is built and tested with %s.x" % (
            version, version_major(package.version))
    return None


def file_hash(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def boot_hash(boot):
    """None when the input is absent."""
    if boot.kind == "file":
        return file_hash(boot.path) if os.path.isfile(boot.path) else None
    if not os.path.isdir(boot.path):
        return None
    digest = hashlib.sha256()
    for name in sorted(os.listdir(boot.path)):
        if name.endswith(TREE_SUFFIXES):
            digest.update(("%s  %s\n" % (file_hash(os.path.join(boot.path, name)), name)).encode())
    return digest.hexdigest()


def boot_problem(boot, versions):
    found = boot_hash(boot)
    if found is None:
        return "%s is absent (package %s)" % (boot.path, boot.accepted[-1][1])
    if any(found == accepted[0] for accepted in boot.accepted):
        return None
    package = boot.accepted[-1][1]
    return ("%s has sha256 %s (package %s %s); tools/pins.txt accepts %s. If your distribution "
            "updated the package, run `make pins-update`, read the difference and commit it; "
            "if not, reinstall the package." % (
                boot.path, found, package, versions.get(package, "not installed"),
                ", ".join("%s (%s)" % (row[0][:12], row[2]) for row in boot.accepted)))


def problems(packages, boots, groups):
    """[(name, what is wrong)] of the inputs of these groups."""
    names = [package.name for package in packages] + [boot.accepted[-1][1] for boot in boots]
    versions = installed_versions(sorted(set(names)))
    found = [(package.name, package_problem(package, versions))
             for package in packages if package.group in groups]
    if FILE_GROUP in groups:
        found += [(boot.name, boot_problem(boot, versions)) for boot in boots]
    return found, versions


def doctor(packages, boots):
    groups = DEFAULT_GROUPS + ("fresh",)
    found, versions = problems(packages, boots, groups)
    needed_by = {package.name: "make " + {"build": "all"}.get(package.group, package.group)
                 for package in packages}
    needed_by["fresh"] = "make test-fresh"
    found = list(dict.fromkeys(found))  # a package may be in several groups
    bad = 0
    for name, problem in found:
        if problem:
            bad += 1
        print("  %-8s %-20s %s" % ("MISSING" if problem else "ok", name,
                                   problem or versions.get(name, "hash accepted")) +
              ("   (needed by %s)" % needed_by.get(name, "make iso") if problem else ""))
    if bad:
        print("%d of %d inputs are missing or differ; each command installs what it needs, or say:\n"
              "  tools/setup.sh build run iso debug test prove fresh" % (bad, len(found)))
    else:
        print("all %d inputs are there" % len(found))
    return 1 if bad else 0


def update(path, boots):
    """Adds a row for each boot input whose present hash is not accepted."""
    versions = installed_versions(sorted({boot.accepted[-1][1] for boot in boots}))
    with open(path) as file:
        lines = file.read().splitlines()
    changed = False
    for boot in boots:
        found = boot_hash(boot)
        if found is None or any(found == accepted[0] for accepted in boot.accepted):
            continue
        package = boot.accepted[-1][1]
        row = "%s %s %s %s %s %s" % (boot.kind, boot.name, boot.path, found, package,
                                     versions.get(package, "unknown"))
        last = max(i for i, line in enumerate(lines)
                   if line.split()[:2] == [boot.kind, boot.name])
        lines.insert(last + 1, row)
        print("added: " + row)
        changed = True
    if not changed:
        print("tools/pins.txt already accepts what this machine has")
        return 0
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    print("Read the difference, drop rows nobody needs any longer, and commit it.")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pins", default=PINS)
    parser.add_argument("--group", action="append", choices=DEFAULT_GROUPS + ("fresh",))
    parser.add_argument("--doctor", action="store_true")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    packages, boots = pins_read(options.pins)
    if options.doctor:
        return doctor(packages, boots)
    if options.update:
        return update(options.pins, boots)
    found, _ = problems(packages, boots, options.group or DEFAULT_GROUPS)
    bad = [(name, problem) for name, problem in found if problem]
    for name, problem in bad:
        print("pins: %s: %s" % (name, problem), file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
