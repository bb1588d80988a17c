#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check the text of the sources: format, licence line, forbidden marks, line width.

  check_format.py [--fix]

C files must be as clang-format-14 writes them with the tree's .clang-format (generated files are the
generator's business). Every source starts with its SPDX line. No file carries a mark that puts work
off: what is missing is written down in the documents, not in the code.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

import suite

CLANG_FORMAT = "clang-format-14"
TOPS = ("abi", "core", "capnp", "kernel", "schema", "user", "services", "demos", "sim", "systems",
        "tools", "tests", "fuzz", "verify", "bench", "mk", ".ci")
GENERATED = ("schema/generated/", "tests/capnp/golden/")
C_SUFFIXES = (".c", ".h", ".cc")
LICENSED = {".c": "/* SPDX-License-Identifier: MIT */", ".h": "/* SPDX-License-Identifier: MIT */",
            ".S": "/* SPDX-License-Identifier: MIT */", ".ld": "/* SPDX-License-Identifier: MIT */",
            ".def": "/* SPDX-License-Identifier: MIT */", ".py": "# SPDX-License-Identifier: MIT",
            ".sh": "# SPDX-License-Identifier: MIT", ".mk": "# SPDX-License-Identifier: MIT",
            ".capnp": "# SPDX-License-Identifier: MIT", ".cue": "// SPDX-License-Identifier: MIT",
            ".cc": "// SPDX-License-Identifier: MIT"}
# Written apart, so that this file does not carry them.
MARKS = re.compile(r"\b(%s)\b" % "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")))
BATCH = 40


def tree_files(root):
    for top in TOPS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                yield os.path.relpath(os.path.join(folder, name), root)


def text_problems(path, text):
    suffix = os.path.splitext(path)[1]
    lines = text.split("\n")
    if suffix in LICENSED and LICENSED[suffix] not in lines[:2]:
        yield "%s:1: does not start with %s" % (path, LICENSED[suffix])
    for number, line in enumerate(lines, 1):
        if suffix in LICENSED and MARKS.search(line):
            yield "%s:%d: a mark that puts work off: %s" % (path, number, line.strip())
        if suffix in LICENSED and line != line.rstrip():
            yield "%s:%d: blanks at the end of the line" % (path, number)
    if suffix in LICENSED and text and not text.endswith("\n"):
        yield "%s:%d: no newline at the end" % (path, len(lines))


def format_problems(root, paths, fix):
    def run(batch):
        arguments = ["-i"] if fix else ["--dry-run", "-Werror", "--ferror-limit=3"]
        return subprocess.run([CLANG_FORMAT] + arguments + batch, cwd=root, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)

    batches = [paths[start:start + BATCH] for start in range(0, len(paths), BATCH)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(run, batches):
            if result.returncode:
                yield result.stdout.rstrip()


def check(root, fix=False):
    """All problems of the tree at `root`."""
    found, c_files = [], []
    for path in tree_files(root):
        if path.startswith(GENERATED):
            continue
        if path.endswith(C_SUFFIXES):
            c_files.append(path)
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                found += text_problems(path, file.read())
        except UnicodeDecodeError:
            continue  # a corpus file
    return found + list(format_problems(root, c_files, fix))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=suite.ROOT)
    parser.add_argument("--fix", action="store_true")
    options = parser.parse_args()
    found = check(options.root, options.fix)
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
