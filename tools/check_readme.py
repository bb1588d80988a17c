#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that README.md tells the truth.

  check_readme.py [--result FILE] [--make MAKE] [--without-run]

1. Every command `make NAME` in it is one that `make help` lists.
2. Every path in it that ends in a slash or a known suffix is in the tree.
3. Its block ```text is what `make run` prints without a terminal. Numbers may differ, and so may
   the order (the CPUs print as they come); a line `...` stands for lines left out.
"""
import argparse
import os
import re
import subprocess
import sys

import scene
import suite

COMMAND = re.compile(r"`make ([a-z-]+)[^`]*`|^make ([a-z-]+)$", re.M)
PATH = re.compile(r"`([\w./-]+(?:/|\.md|\.txt|\.json|\.h|\.sh))`")
BLOCK = re.compile(r"^```text\n(.*?)^```", re.M | re.S)
MADE = ("out/",)
NUMBER = re.compile(r"\b[0-9a-f]{16}\b|\d+(\.\d+)?")
ELLIPSIS = "..."


def commands(text):
    return {match.group(1) or match.group(2) for match in COMMAND.finditer(text)}


def paths(text):
    return {path for path in PATH.findall(text) if not path.startswith(MADE)}


def shown_block(text):
    match = BLOCK.search(text)
    return match.group(1).splitlines() if match else None


def shape(line):
    return NUMBER.sub("#", line.strip())


def missing_lines(shown, printed):
    """The lines of `shown` that `printed` lacks, one for one, numbers apart."""
    left = [shape(line) for line in printed]
    missing = []
    for line in shown:
        if not line.strip() or line.strip() == ELLIPSIS:
            continue
        if shape(line) in left:
            left.remove(shape(line))
        else:
            missing.append(line)
    return missing


def surplus_lines(shown, printed):
    """The lines of `printed` that a block without an ellipsis lacks."""
    if any(line.strip() == ELLIPSIS for line in shown):
        return []
    return missing_lines(printed, shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--make", default="make")
    parser.add_argument("--without-run", action="store_true")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    with open("README.md") as file:
        text = file.read()
    environment = suite.make_environment()
    known = subprocess.run([options.make, "help"], env=environment, stdout=subprocess.PIPE,
                           text=True, check=True).stdout
    known = set(re.findall(r"^  make ([a-z-]+)", known, re.M))
    problems = ["`make %s` is no command" % name for name in sorted(commands(text) - known)]
    problems += ["there is no %s" % path for path in sorted(paths(text))
                 if not os.path.exists(path)]
    tests = 2
    shown = shown_block(text)
    if not options.without_run:
        tests += 1
        if shown is None:
            problems.append("there is no block ```text with the output of `make run`")
        else:
            result = subprocess.run([options.make, "run", "SETUP=no"], env=environment,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
            printed = scene.output_lines(result.stdout)
            if result.returncode:
                problems.append("`make run` failed:\n" + "\n".join(printed))
            problems += ["`make run` does not print: %s" % line
                         for line in missing_lines(shown, printed)]
            problems += ["README.md does not show: %s" % line
                         for line in surplus_lines(shown, printed)]
    for problem in problems:
        print("README.md: " + problem)
    failed = min(tests, len(problems))
    suite.finish("README", tests - failed, failed, options.result)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
