#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run fuzz targets for a bounded while, each on its corpus and a fixed seed.

  fuzz_smoke.py [--result FILE] [--runs N] [--seconds S] PROGRAM...
  fuzz_smoke.py --rate PROGRAM      prints the row of how fast it does its corpus; judges nothing

Every file of fuzz/corpus/NAME is an input; what the run finds goes to found/NAME beside the folder of
the program, and what breaks the target stays there as crash-*. One program is one test.
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import time

import suite

GRACE_S = 120
# An input of the dispatcher's has hundreds of features, and libFuzzer's count of which are rare takes as
# long as the input itself.
OPTIONS = {"dispatch": ["-entropic=0"]}
INPUT_MAX = 65536


def run(program, runs, seconds):
    name = os.path.basename(program)
    corpus = os.path.join("fuzz", "corpus", name)
    home = os.path.dirname(os.path.dirname(program))
    found = os.path.join(home, "found", name)
    shutil.rmtree(found, ignore_errors=True)
    os.makedirs(found)
    command = [program, "-seed=1", "-runs=%d" % runs, "-max_total_time=%d" % seconds,
               "-timeout=20", "-rss_limit_mb=1024", "-max_len=%d" % INPUT_MAX,
               "-artifact_prefix=%s/" % found] + OPTIONS.get(name, []) + [found]
    if os.path.isdir(corpus):
        command.append(corpus)
    started = time.monotonic()
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=seconds + GRACE_S)
        status, output = result.returncode, result.stdout
    except subprocess.TimeoutExpired as late:
        status, output = -1, (late.stdout or b"") + b"\ndid not end by itself\n"
    inputs = len(os.listdir(corpus)) if os.path.isdir(corpus) else 0
    return os.path.join(os.path.basename(home), name), status, output.decode("utf-8", errors="replace"), inputs, \
        time.monotonic() - started


def rate(program):
    """Inputs of the corpus in a second of a processor, the start of the program counted."""
    corpus = os.path.join("fuzz", "corpus", os.path.basename(program))
    files = [os.path.join(corpus, name) for name in sorted(os.listdir(corpus))]
    before = suite.children_seconds()
    subprocess.run([program] + files, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    return len(files) / (suite.children_seconds() - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--runs", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", metavar="PROGRAM")
    parser.add_argument("programs", nargs="*")
    options = parser.parse_args()
    if options.rate:
        print("bench fuzz_%s %.0f inputs/second" % (os.path.basename(options.rate), rate(options.rate)))
        return 0
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(run, program, options.runs, options.seconds)
                for program in options.programs]
        for job in jobs:
            name, status, output, inputs, seconds = job.result()
            if status == 0:
                passed += 1
                print("  PASS  %s (%d corpus inputs, %.1f s)" % (name, inputs, seconds), flush=True)
                continue
            failed += 1
            print("  FAIL  %s: status %d" % (name, status))
            print("---- output of %s ----" % name)
            sys.stdout.write(output)
            print("---- end of output of %s ----" % name, flush=True)
    suite.finish("fuzz targets", passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
