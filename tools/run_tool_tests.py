#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tests of the tools, tests/tools/*_test.py, and count them.

  run_tool_tests.py [--result FILE] [NAME]...     NAME: a file's name without _test.py

A test that wants what `make test` does not install is left out, with its reason, and not counted.
"""
import argparse
import io
import os
import sys
import unittest

import suite


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    folder = os.path.join(suite.ROOT, "tests", "tools")
    os.chdir(suite.ROOT)
    sys.dont_write_bytecode = True
    loader = unittest.TestLoader()
    passed = failed = 0
    names = options.names or sorted(
        name[:-len("_test.py")] for name in os.listdir(folder) if name.endswith("_test.py"))
    for name in names:
        tests = loader.discover(folder, name + "_test.py", folder)
        said = io.StringIO()
        result = unittest.TextTestRunner(stream=said, verbosity=0).run(tests)
        bad = len(result.failures) + len(result.errors)
        if result.testsRun == 0:
            bad = 1
        good = max(0, result.testsRun - bad - len(result.skipped))
        passed, failed = passed + good, failed + bad
        print("  %s  %s: %d" % ("FAIL" if bad else "PASS", name, good), flush=True)
        for test, reason in result.skipped:
            print("        left out: %s: %s" % (test.id().split(".")[-1], reason), flush=True)
        if bad:
            sys.stdout.write(said.getvalue())
    suite.finish("tool tests", passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
