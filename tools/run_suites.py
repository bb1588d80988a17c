#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the suites of `make test`, one after the other, and add up what they counted.

  run_suites.py [--make MAKE] [--page README.md] TARGET...

Each suite is a make target. One that counts its tests leaves them in the file that RESULT names;
one that does not is one test, passed when its command succeeds. The last line is
`N passed, N failed`. The page's second block ```text shows how a run ends; that it does is a test too.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import check_readme
import suite

FOLDER = os.path.join("out", "test")


def counts(path, status):
    """(passed, failed) of a suite that ended with `status`."""
    try:
        with open(path) as file:
            result = json.load(file)
        passed, failed = int(result["passed"]), int(result["failed"])
    except (OSError, ValueError, KeyError):
        return (1, 0) if status == 0 else (0, 1)
    # A suite that failed without a failed test broke down on the way.
    return passed, failed if status == 0 or failed else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--make", default="make")
    parser.add_argument("--page")
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    os.makedirs(FOLDER, exist_ok=True)
    passed = failed = 0
    rows = []
    for target in options.targets:
        path = os.path.join(FOLDER, target + ".json")
        if os.path.exists(path):
            os.remove(path)
        print("== %s" % target, flush=True)
        started, used = time.monotonic(), suite.children_seconds()
        status = subprocess.call([options.make, "--no-print-directory", target, "RESULT=" + path,
                                  "SETUP=no"], stdin=subprocess.DEVNULL,
                                 env=suite.make_environment())
        good, bad = counts(path, status)
        passed, failed = passed + good, failed + bad
        rows.append((target, good, bad, time.monotonic() - started,
                     suite.children_seconds() - used))
    print("==")
    lines = ["  %-22s %5d passed %3d failed %6.1f s (%.1f s of processors)" % row for row in rows]
    print("\n".join(lines))
    if options.page:
        with open(options.page) as file:
            wrong = check_readme.block_problems(file.read(), 1, "test",
                                                lines + ["0 passed, 0 failed"])
        passed, failed = passed + (not wrong), failed + bool(wrong)
        for problem in wrong:
            print("%s: %s" % (options.page, problem))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
