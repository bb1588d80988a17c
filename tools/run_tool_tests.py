#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tests of the tools, tests/tools/*_test.py, several files at once, and count them.

  run_tool_tests.py [--result FILE] [NAME]...     NAME: a file's name without _test.py

A test that wants what `make test` does not install is left out, with its reason, and not counted.
"""
import argparse
import concurrent.futures
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

import suite

FOLDER = os.path.join(suite.ROOT, "tests", "tools")
ENDING = "_test.py"


def run_file(name):
    """(passed, failed) of one file in this process; prints as it goes."""
    sys.dont_write_bytecode = True
    tests = unittest.TestLoader().discover(FOLDER, name + ENDING, FOLDER)
    said = io.StringIO()
    result = unittest.TextTestRunner(stream=said, verbosity=0).run(tests)
    bad = len(result.failures) + len(result.errors)
    if result.testsRun == 0:
        bad = 1
    good = max(0, result.testsRun - bad - len(result.skipped))
    print("  %s  %s: %d" % ("FAIL" if bad else "PASS", name, good), flush=True)
    for test, reason in result.skipped:
        print("        left out: %s: %s" % (test.id().split(".")[-1], reason), flush=True)
    if bad:
        sys.stdout.write(said.getvalue())
    return good, bad


def run_apart(name):
    """(passed, failed, output) of one file in a process of its own."""
    with tempfile.NamedTemporaryFile("r") as file:
        process = subprocess.run([sys.executable, os.path.abspath(__file__), "--apart", file.name,
                                  name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        try:
            good, bad = json.load(file)
        except ValueError:
            good, bad = 0, 1
            process.stdout += "  FAIL  %s: ended with status %d\n" % (name, process.returncode)
    return good, bad, process.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--apart", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    if options.apart:
        with open(options.apart, "w") as file:
            json.dump(run_file(options.names[0]), file)
        return 0
    names = options.names or sorted(
        name[:-len(ENDING)] for name in os.listdir(FOLDER) if name.endswith(ENDING))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for good, bad, text in pool.map(run_apart, names):
            passed, failed = passed + good, failed + bad
            sys.stdout.write(text)
            sys.stdout.flush()
    suite.finish("tool tests", passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
