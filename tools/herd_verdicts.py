#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What herd7 says of the litmus programs of the explorer.

  herd_verdicts.py [--herd COMMAND] [--check]

Runs `COMMAND -model rc11.cat` (herdtools7 7.58; not in Debian 12) on each sim/explore/litmus/*.litmus
and writes the outcomes it finds to sim/explore/litmus/verdicts.txt, or with --check compares them.
The explorer's test needs the file alone.
"""
import argparse
import glob
import os
import shlex
import subprocess
import sys

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sim", "explore",
                      "litmus")


def outcomes(herd, path):
    output = subprocess.run(herd + ["-model", "rc11.cat", path], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.splitlines()
    start = next(i for i, line in enumerate(output) if line.startswith("States "))
    count = int(output[start].split()[1])
    return sorted(line.strip() for line in output[start + 1:start + 1 + count])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--herd", default="herd7")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    lines = []
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.litmus"))):
        found = outcomes(shlex.split(options.herd), path)
        lines.append("%s %d" % (os.path.splitext(os.path.basename(path))[0], len(found)))
        lines += ["  " + outcome for outcome in found]
    text = "\n".join(lines) + "\n"
    target = os.path.join(FOLDER, "verdicts.txt")
    if options.check:
        with open(target) as file:
            return 0 if file.read() == text else 1
    with open(target, "w") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
