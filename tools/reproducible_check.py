#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the tree a second time elsewhere and compare every byte that would be shipped.

  reproducible_check.py [--result FILE] [--make MAKE] [--keep] TARGET...

The second build is clean, lies in a folder with another name and length, and has another umask,
locale and time zone. Compared are the kernels, the programs, the systems and the ISO of this tree's
out/; one file is one test. A build of this tree that is out of date shows here too.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import suite

SHIPPED = ("kernel/release/kernel.elf", "capos.iso")
SHIPPED_FOLDERS = ("user/bin", "systems")
LEFT_OUT = shutil.ignore_patterns("out", ".git", "__pycache__")


def shipped_files(out):
    found = [name for name in SHIPPED if os.path.exists(os.path.join(out, name))]
    for folder in SHIPPED_FOLDERS:
        path = os.path.join(out, folder)
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            found.append(os.path.join(folder, name))
    return found


def first_difference(left, right):
    """None: equal; else a sentence."""
    if not os.path.exists(right):
        return "is missing from the second build"
    with open(left, "rb") as one, open(right, "rb") as two:
        a, b = one.read(), two.read()
    if a == b:
        return None
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return "differs from byte %d on (%d and %d bytes in all)" % (at, len(a), len(b))


def build(make, root, targets):
    environment = dict(suite.make_environment(), LC_ALL="C.UTF-8", TZ="Pacific/Chatham")
    return subprocess.run([make, "--no-print-directory", "SETUP=no"] + targets, cwd=root,
                          env=environment, umask=0o077, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--make", default="make")
    parser.add_argument("--root", default=suite.ROOT)
    parser.add_argument("--keep", action="store_true", help="leave the second build in place")
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="capos-second-build-")
    passed = failed = 0
    try:
        root = os.path.join(folder, "a-tree-with-a-name-of-another-length")
        shutil.copytree(options.root, root, ignore=LEFT_OUT, symlinks=True)
        result = build(options.make, root, options.targets)
        if result.returncode:
            print("  FAIL  the second build failed:")
            sys.stdout.write(result.stdout.decode(errors="replace"))
            suite.finish("reproducible build", 0, 1, options.result)
            return 1
        here = os.path.join(options.root, "out")
        for name in shipped_files(here):
            problem = first_difference(os.path.join(here, name), os.path.join(root, "out", name))
            if problem:
                failed += 1
                print("  FAIL  %s %s" % (name, problem))
            else:
                passed += 1
    finally:
        if options.keep:
            print("the second build is in %s" % folder)
        else:
            shutil.rmtree(folder)
    suite.finish("reproducible build", passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
