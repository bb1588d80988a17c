#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare the pages of docs/abi/ with the opcodes, the errors, and what the tests say they cover.

  check_opcodes.py [--list] [ROOT]
  check_opcodes.py --table FILE

Each opcode of abi/ring.h has a page, and each page's "## Errors" table names errors of
abi/errors.def. Every pair of opcode and error needs a test that names it in a comment:

  covers: DUP/STALE_CAP, RELEASE/STALE_CAP

in tests/host/*.c, or in a program of tests/programs/ that a scene of tests/scenes/ starts. "ANY" stands
for every opcode. A pair without a test fails, and so does a marker for a pair that no page has.
Opcodes that the kernel has no handler for yet (kernel/dispatch/submission.c) need no tests. --list
prints each pair with the files that cover it. --table writes the pairs as a table in C, for the fuzz
target of the dispatcher (fuzz/dispatch/pages.h).
"""
import json
import os
import re
import sys

PAGES = os.path.join("docs", "abi")
OPCODE = re.compile(r"^\s*OPCODE_([A-Z_]+) = (\d+),", re.M)
ERROR = re.compile(r"^TRANSPORT_ERROR\(([A-Z_]+),", re.M)
ROW = re.compile(r"^\| `([A-Z_]+)` \|", re.M)
HANDLER = re.compile(r"^\s*\[OPCODE_([A-Z_]+)\] = ", re.M)
MARKER = re.compile(r"covers: ([^\n]*)")
PAIR = re.compile(r"^(\w+)/([A-Z_]+)$")
SYSTEM_CALLS = ("cap_enter", "exit")


def text_of(root, *path):
    with open(os.path.join(root, *path), encoding="utf-8") as file:
        return file.read()


def pages(root):
    """ {opcode: errors of its page, in their order} """
    found = {}
    for name in sorted(os.listdir(os.path.join(root, PAGES))):
        stem, extension = os.path.splitext(name)
        if extension == ".md" and stem != "README":
            section = text_of(root, PAGES, name).split("\n## Errors\n", 1)
            table = section[1].split("\n## ", 1)[0] if len(section) == 2 else ""
            found[stem] = list(dict.fromkeys(ROW.findall(table)))
    return found


def binaries_of_scenes(root):
    """ Names of the programs that some scene starts. """
    names = set()
    folder = os.path.join(root, "tests", "scenes")
    for name in os.listdir(folder):
        scene = json.loads(text_of(folder, name))
        manifest = scene.get("manifest", {})
        if isinstance(manifest, str):
            manifest = json.loads(text_of(root, manifest))
        names.update(binary["name"] for binary in manifest.get("binaries", []))
        names.update(scene.get("programs", []))
    return names


def markers(root):
    """ (path, opcode, error) of every marker in a test that runs. """
    started = binaries_of_scenes(root)
    for top in (os.path.join("tests", "host"), os.path.join("tests", "programs")):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                path = os.path.relpath(os.path.join(folder, name), root)
                if not name.endswith((".c", ".h")):
                    continue
                program = path.split(os.sep)[2].split(".")[0]
                if top.endswith("programs") and program != "support" and program not in started:
                    continue
                for line in MARKER.findall(text_of(root, path)):
                    for word in line.replace("*/", " ").replace(",", " ").split():
                        pair = PAIR.match(word)
                        if pair is None:
                            raise SystemExit("%s: 'covers:' is followed by '%s', not OPCODE/ERROR" %
                                             (path, word))
                        yield path, pair.group(1), pair.group(2)


def problems(root, listing=None):
    opcodes = {name for name, _ in OPCODE.findall(text_of(root, "abi", "ring.h"))}
    errors = set(ERROR.findall(text_of(root, "abi", "errors.def")))
    handled = set(HANDLER.findall(text_of(root, "kernel", "dispatch", "submission.c")))
    documented = pages(root)
    covered = {}
    for path, opcode, error in markers(root):
        names = documented if opcode == "ANY" else [opcode]
        if not any(error in documented.get(name, []) for name in names):
            yield "%s covers %s/%s, which no page of %s has" % (path, opcode, error, PAGES)
        for name in names:
            covered.setdefault((name, error), []).append(path)
    for name in sorted(opcodes - set(documented)):
        yield "opcode %s has no page in %s" % (name, PAGES)
    for name in sorted(set(documented) - opcodes - set(SYSTEM_CALLS)):
        yield "%s/%s.md is the page of no opcode" % (PAGES, name)
    for name, listed in documented.items():
        if not listed:
            yield "%s/%s.md has no table of errors" % (PAGES, name)
        for error in listed:
            if error not in errors:
                yield "%s/%s.md names %s, which abi/errors.def has not" % (PAGES, name, error)
            files = covered.get((name, error), [])
            if listing is not None:
                listing.append((name, error, files))
            if not files and (name in handled or name in SYSTEM_CALLS or name == "FORWARD"):
                yield ("%s/%s.md documents %s: no test says 'covers: %s/%s'" %
                       (PAGES, name, error, name, error))


def table_write(root, path):
    names = [name for name, _ in OPCODE.findall(text_of(root, "abi", "ring.h"))]
    documented = pages(root)
    rows = ["    [OPCODE_%s] = %s,\n" %
            (name, " | ".join("UINT64_C(1) << -TRANSPORT_%s" % error for error in documented[name]))
            for name in names]
    with open(path, "w", encoding="utf-8") as file:
        file.write("/* Generated from docs/abi by tools/check_opcodes.py. */\n"
                   "#include \"fuzz/dispatch/pages.h\"\n\n"
                   "const uint64_t page_errors[OPCODE_COUNT] = {\n%s};\n" % "".join(rows))


def main():
    if sys.argv[1:2] == ["--table"]:
        table_write(".", sys.argv[2])
        return 0
    arguments = [argument for argument in sys.argv[1:] if argument != "--list"]
    listing = []
    wrong = list(problems(arguments[0] if arguments else ".", listing))
    if "--list" in sys.argv:
        for name, error, files in listing:
            print("%-12s %-16s %s" % (name, error, ", ".join(sorted(set(files)))))
    for line in wrong:
        print("opcodes: " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
