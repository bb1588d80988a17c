#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that README.md tells the truth, and the other pages where a machine can tell.

  check_readme.py [--result FILE] [--make MAKE] [--without-run]

1. Every command `make NAME` in a page (README.md, ROADMAP.md, WORKPLAN.md, docs/, README.md of a
   folder) is one that `make help` lists. In docs/targets.md the first column is another project's.
2. Every path in it that ends in a slash or a known suffix is in the tree: from the root, or beside
   the page, or, when it is a bare name, the name of some file. NAME in it stands for any.
3. README.md says what capOS is in at most five lines.
4. README.md's first block ```text is what `make run` prints without a terminal. Numbers may differ,
   and so may the order (the CPUs print as they come); a line `...` stands for lines left out. The
   second is what `make test` ends with, which tools/run_suites.py compares.
5. README.md names every command that `make help` lists.
6. The table of docs/programs.md names every program of tests/programs/, and scenes that are there.
"""
import argparse
import glob
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
PAGES = ("README.md", "ROADMAP.md", "WORKPLAN.md", "docs/*.md", "*/README.md", "*/*/README.md")
FOREIGN_COLUMN = re.compile(r"^\|[^|]*\|", re.M)
TARGETS = os.path.join("docs", "targets.md")
PROGRAMS = os.path.join("docs", "programs.md")
PROGRAM_ROWS = re.compile(r"^\| (`[^|]*)\|[^|]*\|([^|]*)\|$", re.M)
QUOTED = re.compile(r"`([\w./-]+)`")
SUPPORT = "support"
SUMMARY_LINES = 5
NUMBER = re.compile(r"\b[0-9a-f]{16}\b|\d+(\.\d+)?")
ELLIPSIS = "..."


def commands(text):
    return {match.group(1) or match.group(2) for match in COMMAND.finditer(text)}


def paths(text):
    return {path for path in PATH.findall(text) if not path.startswith(MADE) and "NAME" not in path}


def summary_lines(text):
    """How many lines the first paragraph after the title has."""
    return len(text.split("\n\n")[1].splitlines())


def page_commands(path, text):
    if path == TARGETS:
        text = FOREIGN_COLUMN.sub("|", text)
    return commands(text)


def page_problems(path, known, names):
    """Commands that are none and paths that lead nowhere. `names`: of all files of the tree."""
    with open(path) as file:
        text = file.read()
    found = ["`make %s` is no command" % name for name in sorted(page_commands(path, text) - known)]
    found += ["there is no %s" % name for name in sorted(paths(text))
              if not (os.path.exists(name) or os.path.exists(os.path.join(os.path.dirname(path), name))
                      or name in names)]
    return [path + ": " + problem for problem in found]


def unnamed_commands(text, known):
    return ["does not tell of `make %s`" % name for name in sorted(known - commands(text))]


def tree_names():
    found = set()
    for folder, folders, files in os.walk("."):
        folders[:] = [name for name in folders if name != "out" and not name.startswith(".")]
        found.update(files)
    return found


def table_problems(text, programs, scenes):
    """Programs that no row of the table begins with, and scenes of its rows that are not there."""
    rows = PROGRAM_ROWS.findall(text)
    named = {name for first, _ in rows for name in QUOTED.findall(first)}
    shown = {name for _, last in rows for name in QUOTED.findall(last) if "/" not in name}
    return (["%s: does not tell of the program %s" % (PROGRAMS, name)
             for name in sorted(set(programs) - named)] +
            ["%s: there is no scene %s" % (PROGRAMS, name) for name in sorted(shown - set(scenes))])


def stems(*folder):
    return {os.path.splitext(name)[0] for name in os.listdir(os.path.join(*folder))}


def shown_block(text, index=0):
    """The lines of the block ```text of that index, None: there are not so many."""
    blocks = BLOCK.findall(text)
    return blocks[index].splitlines() if index < len(blocks) else None


def shape(line):
    return NUMBER.sub("#", " ".join(line.split()))


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


def block_problems(text, index, command, printed):
    """How the block of that index differs from what `make` with that command printed."""
    shown = shown_block(text, index)
    if shown is None:
        return ["there is no block ```text with the output of `make %s`" % command]
    return (["`make %s` does not print: %s" % (command, line)
             for line in missing_lines(shown, printed)] +
            ["README.md does not show: %s" % line for line in surplus_lines(shown, printed)])


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
    pages = sorted({path for pattern in PAGES for path in glob.glob(pattern)})
    names = tree_names()
    wrong = {path: page_problems(path, known, names) for path in pages}
    with open(PROGRAMS) as file:
        wrong[PROGRAMS] += table_problems(file.read(), stems("tests", "programs") - {SUPPORT},
                                          stems(scene.SCENES))
    passed = sum(1 for found in wrong.values() if not found)
    failed = len(wrong) - passed
    for problem in (problem for found in wrong.values() for problem in found):
        print(problem)
    problems = []
    if summary_lines(text) > SUMMARY_LINES:
        problems.append("says what capOS is in more than %d lines" % SUMMARY_LINES)
    problems += unnamed_commands(text, known)
    tests = 1
    if not options.without_run:
        tests += 1
        result = subprocess.run([options.make, "run", "SETUP=no"], env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        printed = scene.output_lines(result.stdout)
        if result.returncode:
            problems.append("`make run` failed:\n" + "\n".join(printed))
        problems += block_problems(text, 0, "run", printed)
    for problem in problems:
        print("README.md: " + problem)
    untrue = min(tests, len(problems))
    suite.finish("README", passed + tests - untrue, failed + untrue, options.result)
    return 1 if failed or untrue else 0


if __name__ == "__main__":
    sys.exit(main())
