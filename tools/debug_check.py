#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check `make debug` unattended: it shows frames of a program and of the kernel.

  debug_check.py [--result FILE] [--make MAKE]

Runs tests/gdb/frames.gdb on one and on four CPUs and compares with EXPECT; then a script that goes
wrong, which must fail the command.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import scene
import suite

SCRIPT = os.path.join("tests", "gdb", "frames.gdb")
# The first instruction of kernel_syscall may belong to a function that is inline in it.
EXPECT = [
    r"/^Breakpoint 1 at 0x[0-9a-f]+: file demos\/ipc_client\/ipc_client.c, line \d+/",
    r"/^#0  main \(.*\) at demos\/ipc_client\/ipc_client.c:\d+/",
    "process ipc-client, in the program",
    r"/^#0  kernel_syscall \(argument0=.*, cpu=.*, number=\d+.*\) at kernel\/\w+\/\w+\.[ch]:\d+/",
    r"/^#1  .* entry_syscall .* at kernel\/arch\/x86_64\/entry.S:\d+/",
    "process ipc-client, in the kernel",
    "---- the guest printed ----",
    "capOS, build",
]
WRONG = "print no_such_symbol_anywhere\n"


def run(make, script, cpus):
    result = subprocess.run([make, "--no-print-directory", "debug", "SETUP=no",
                             "GDB_SCRIPT=" + script, "DEBUG_SMP=%d" % cpus],
                            env=suite.make_environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode, result.stdout.decode(errors="replace")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--make", default="make")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    passed = failed = 0

    def judge(name, problem, text):
        nonlocal passed, failed
        if problem is None:
            passed += 1
            print("  PASS  " + name, flush=True)
            return
        failed += 1
        print("  FAIL  %s: %s\n---- output ----\n%s---- end of output ----" % (name, problem, text))

    for cpus in (1, 4):
        status, text = run(options.make, SCRIPT, cpus)
        unmet = scene.first_unmet(EXPECT, scene.output_lines(text.encode()))
        problem = None
        if unmet is not None:
            problem = "did not print: " + unmet
        elif status:
            problem = "ended with status %d" % status
        judge("frames of program and kernel on %d CPUs" % cpus, problem, text)
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as wrong:
        wrong.write(WRONG)
        wrong.flush()
        status, text = run(options.make, wrong.name, 1)
        judge("a script that goes wrong fails the command",
              None if status else "the command succeeded", text)
    suite.finish("debugging", passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
