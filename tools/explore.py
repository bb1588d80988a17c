#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the explorer, and hold its chapter of docs/verification.md against what it did.

  explore.py [--result FILE] [--bench] PROGRAM

The executions of each protocol are the same in every run, so its row of the chapter's table must
name them. --bench: prints the row of the whole instead, without judging anything.
"""
import argparse
import re
import sys

import run_host_tests
import suite

PAGE = "docs/verification.md"
DONE = re.compile(r"^(\S.*?) +(\d+) executions, (all|a part)", re.M)
TABLE = re.compile(r"^\| protocol \|.*\n\|-.*\n((?:\|.*\n)+)", re.M)


def told(page):
    """{protocol: what its row says of executions}, a protocol by its text before a colon."""
    rows = TABLE.search(page)
    cells = [row.strip("|").split("|") for row in (rows.group(1).splitlines() if rows else [])]
    return {row[0].strip(): row[-1].strip() for row in cells}


def is_of(row, name):
    return row == name or row.startswith((name + ":", name + " that"))


def differences(output, page):
    """What the table does not say, or says of what was not explored."""
    rows = told(page)
    done = DONE.findall(output)
    found = []
    for name, count, extent in done:
        says = "{:,}, {}".format(int(count), extent)
        of = [rows[row] for row in rows if is_of(row, name)]
        if of != [says]:
            found.append("%s: %s; %s says %s" % (name, says, PAGE, " and ".join(of) or "nothing"))
    return found + ["%s: not explored" % row for row in rows
                    if not any(is_of(row, name) for name, _, _ in done)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--bench", action="store_true")
    parser.add_argument("program")
    options = parser.parse_args()
    output, status, (passed, failed), seconds = run_host_tests.run(options.program)
    if options.bench:
        print("bench explore_executions %d executions" % sum(
            int(count) for _, count, _ in DONE.findall(output)))
        return status
    with open(suite.ROOT + "/" + PAGE) as file:
        wrong = differences(output, file.read())
    if failed or status:
        print(output)
    else:
        print("\n".join(match.group() for match in DONE.finditer(output)))
    for line in wrong:
        print("  FAIL  " + line)
    print("explorer: %.1f s" % seconds)
    suite.finish("explorer", passed + (not wrong), failed + bool(wrong), options.result)
    return 1 if failed or status or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
