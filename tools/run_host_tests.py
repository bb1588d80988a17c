#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run host test programs, several at once, and count their cases.

  run_host_tests.py [--result FILE] [--name SUITE] PROGRAM...

A cmocka program tells how many of its cases passed; any other counts as one case by its exit
status. One line for each program that passes; the whole output of each that fails.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

import suite

TIMEOUT_S = 300
RUN = re.compile(r"^\[==========\] (?:.*: )?(\d+) test\(s\) run\.", re.M)
PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)\.", re.M)
FAILED = re.compile(r"^\[  FAILED  \] (?:.*: )?(\d+) test\(s\), listed below:", re.M)


def count(output, status):
    """(passed, failed) of one program's output; a crash is one failure more."""
    passed = sum(map(int, PASSED.findall(output)))
    failed = sum(map(int, FAILED.findall(output)))
    if not PASSED.search(output) and not FAILED.search(output):
        return (1, 0) if status == 0 else (0, 1)
    ran = sum(map(int, RUN.findall(output)))
    if status != 0 and failed == 0:
        failed = max(1, ran - passed)
    return passed, failed


def run(program):
    started = time.monotonic()
    try:
        result = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
        status, output = result.returncode, result.stdout
    except subprocess.TimeoutExpired as late:
        status, output = -1, (late.stdout or b"") + b"\ntimed out after %d s\n" % TIMEOUT_S
    except OSError as problem:
        status, output = -1, str(problem).encode() + b"\n"
    text = output.decode("utf-8", errors="replace")
    return text, status, count(text, status), time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--name", default="host tests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--full-names", action="store_true", help="tell variants of a program apart")
    parser.add_argument("programs", nargs="*")
    options = parser.parse_args()
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for program, outcome in zip(options.programs, pool.map(run, options.programs)):
            text, status, (good, bad), seconds = outcome
            passed, failed = passed + good, failed + bad
            name = program if options.full_names else os.path.basename(program)
            if bad == 0 and status == 0:
                print("  PASS  %s: %d (%.1f s)" % (name, good, seconds), flush=True)
                continue
            print("  FAIL  %s: %d passed, %d failed, status %d" % (name, good, bad, status))
            print("---- output of %s ----" % name)
            sys.stdout.write(text)
            print("---- end of output of %s ----" % name, flush=True)
    suite.finish(options.name, passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
