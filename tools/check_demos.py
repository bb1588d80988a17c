#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that the demonstrations print what their pages show.

  check_demos.py [--result FILE] [--out FOLDER]

Every folder of demos/ that holds a program has a README.md. It names its system as `make run` or
`make run SYSTEM=NAME` and has one block ```text. Each system is booted once, and each line of a block
must be printed; the order may differ, for the CPUs print as they come.
"""
import argparse
import os
import re
import sys

import qemu
import scene
import suite

RUN = re.compile(r"`make run(?: SYSTEM=([a-z0-9_-]+))?`")
BLOCK = re.compile(r"^```text\n(.*?)^```", re.M | re.S)
TIMEOUT_S = 60
CPUS = 4


def page_read(text):
    """(system, lines) of a page, or what is wrong with it as a text."""
    run = RUN.search(text)
    blocks = BLOCK.findall(text)
    if run is None:
        return "does not say how it is run (`make run` or `make run SYSTEM=NAME`)"
    if len(blocks) != 1:
        return "has %d blocks ```text, one is wanted" % len(blocks)
    lines = [line.rstrip() for line in blocks[0].splitlines() if line.strip()]
    if not lines:
        return "shows nothing"
    return run.group(1) or "default", lines


def missing_lines(shown, printed):
    """The lines of `shown` that `printed` lacks, one for one, in any order."""
    left = list(printed)
    missing = []
    for line in shown:
        if line in left:
            left.remove(line)
        else:
            missing.append(line)
    return missing


def demos(folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and any(file.endswith(".c") for file in os.listdir(path)):
            yield name, os.path.join(path, "README.md")


def boot(out, system):
    machine = qemu.Machine("pvh", kernel=os.path.join(out, "kernel", "debug", "kernel.elf"),
                           module=os.path.join(out, "systems", system + ".bin"), smp=CPUS)
    outcome = qemu.run(machine, TIMEOUT_S)
    return outcome.success, scene.output_lines(outcome.output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--out", default="out")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    passed = failed = 0
    booted = {}
    for name, path in demos("demos"):
        problems = []
        if os.path.exists(path):
            with open(path) as file:
                page = page_read(file.read())
        else:
            page = "is not there"
        if isinstance(page, str):
            problems.append(page)
        else:
            system, lines = page
            if system not in booted:
                booted[system] = boot(options.out, system)
            success, printed = booted[system]
            if not success:
                problems.append("system %s failed:\n%s" % (system, "\n".join(printed)))
            problems += ["shows what is not printed: %s" % line
                         for line in missing_lines(lines, printed)]
        for problem in problems:
            print("%s %s" % (path, problem))
        failed += bool(problems)
        passed += not problems
    suite.finish("demonstrations", passed, failed, options.result)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
