#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare the places where the kernel stops the machine with docs/halt-policy.md.

  check_halts.py [ROOT]

A site is a call of kernel_boot_refused or panic, or a jump to .Lboot_refused, in kernel/. The page lists
each file with how many sites it has; a site that comes or goes without the page fails.
"""
import os
import re
import sys

PAGE = os.path.join("docs", "halt-policy.md")
SITE = re.compile(r"(?<![\w\"])(kernel_boot_refused|panic)\(\s*[^v\s)]|j\w+\s+\.Lboot_refused")
DEFINITION = re.compile(r"^(NORETURN )?void (kernel_boot_refused|panic)\(", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
ROW = re.compile(r"^\| `([^`]+)` \| (\d+) \|", re.M)


def sites(root):
    found = {}
    for folder, _, files in os.walk(os.path.join(root, "kernel")):
        for name in files:
            if not name.endswith((".c", ".S")):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                text = COMMENT.sub("", file.read())
            count = len(SITE.findall(text)) - len(DEFINITION.findall(text))
            if count > 0:
                found[os.path.relpath(path, root)] = count
    return found


def problems(root):
    with open(os.path.join(root, PAGE), encoding="utf-8") as file:
        listed = {path: int(count) for path, count in ROW.findall(file.read())}
    found = sites(root)
    for path in sorted(set(found) | set(listed)):
        if found.get(path, 0) != listed.get(path, 0):
            yield "%s stops the machine at %d places, %s says %d" % (
                path, found.get(path, 0), PAGE, listed.get(path, 0))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    wrong = list(problems(root))
    for line in wrong:
        print("halts: " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
