#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold CLAIMS.md against the tree: what it names as evidence must be there, and be run by a command.

  check_claims.py [ROOT]

A claim is a heading `### P.1 ...` and the lines of its list. Each line begins with how it is known:

  - proved, modelled, fuzzed or tested: names a command (`make target`) and a file of the folder where
    such evidence lives, `path` or `path:name`; the name must be a word of the file
  - believed: the reason
  - not covered: what nobody looked at

Every claim has a line of the first two kinds and one `not covered`. A line may run over several.
"""
import os
import re
import sys

PAGE = "CLAIMS.md"
FOLDERS = {
    "proved": ("verify/",),
    "modelled": ("sim/",),
    "fuzzed": ("fuzz/",),
    "tested": ("tests/",),
    "believed": (),
    "not covered": (),
}
CLAIM = re.compile(r"^### (\S+) (.+)$")
LINE = re.compile(r"^- ([a-z ]+): (.+)$")
SPAN = re.compile(r"`([^`]+)`")
TARGET = re.compile(r"^([a-z][a-z0-9 -]*):", re.M)
PATH = re.compile(r"^[\w./-]+/[\w.-]+(:\w+)?$")


def targets(root):
    found = set()
    folder = os.path.join(root, "mk")
    for path in [os.path.join(root, "Makefile")] + [os.path.join(folder, name)
                                                    for name in sorted(os.listdir(folder))]:
        with open(path, encoding="utf-8") as file:
            for names in TARGET.findall(file.read()):
                found.update(names.split())
    return found


def claims(text):
    """(id, title, [(how, words)]) of each claim, in order."""
    found = []
    for line in text.split("\n"):
        claim = CLAIM.match(line)
        entry = LINE.match(line)
        if claim:
            found.append((claim.group(1), claim.group(2), []))
        elif entry and found:
            found[-1][2].append([entry.group(1), entry.group(2)])
        elif line.startswith("  ") and found and found[-1][2]:
            found[-1][2][-1][1] += " " + line.strip()
    return found


def line_problems(root, known, how, words):
    """What is wrong with the line of a claim."""
    if how not in FOLDERS:
        yield "`%s` is no way of knowing" % how
        return
    commands, paths = [], []
    for span in SPAN.findall(words):
        if span.startswith("make "):
            commands.append(span)
            if span.split()[1] not in known:
                yield "there is no `%s`" % span
        elif PATH.match(span):
            path, _, name = span.partition(":")
            if not os.path.exists(os.path.join(root, path)):
                yield "there is no %s" % path
                continue
            paths.append(path)
            if name and not named(os.path.join(root, path), name):
                yield "%s does not say %s" % (path, name)
    if FOLDERS[how]:
        if not commands:
            yield "%s by no command" % how
        if not any(path.startswith(FOLDERS[how]) for path in paths):
            yield "%s by no file of %s" % (how, " or ".join(FOLDERS[how]))


def named(path, name):
    with open(path, encoding="utf-8") as file:
        return re.search(r"\b%s\b" % re.escape(name), file.read()) is not None


def problems(root):
    with open(os.path.join(root, PAGE), encoding="utf-8") as file:
        found = claims(file.read())
    known = targets(root)
    seen = set()
    if not found:
        yield "%s has no claim" % PAGE
    for number, _, lines in found:
        if number in seen:
            yield "%s stands twice" % number
        seen.add(number)
        kinds = [how for how, _ in lines]
        if not any(how != "not covered" for how in kinds):
            yield "%s: known in no way" % number
        if "not covered" not in kinds:
            yield "%s: does not say what is not covered" % number
        for how, words in lines:
            for problem in line_problems(root, known, how, words):
                yield "%s: %s" % (number, problem)


def main():
    wrong = list(problems(sys.argv[1] if len(sys.argv) > 1 else "."))
    for line in wrong:
        print("claims: " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
