#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check how `make run` treats its user: with a terminal, without one, and when the guest fails; and
that what `make iso` writes boots.

  run_check.py [--result FILE] [--make MAKE] [--out OUT]
"""
import argparse
import json
import os
import pty
import select
import subprocess
import sys
import tempfile
import time

import suite

PATIENCE_S = 120
CONSOLE = {"name": "console", "source": "kernel:console", "interface": "Console", "facet": ["write"]}
QEMU_TOOL = os.path.join("tools", "qemu.py")


def init_only(name, binary):
    """A system whose one process is `binary` under the name `name`."""
    return {"schemaVersion": 1, "name": "run-check", "kernel": {}, "binaries": [{"name": binary}],
            "init": {"name": name, "binary": binary, "grants": [CONSOLE]}, "services": []}


class Bench:
    def __init__(self, options, folder):
        self.make, self.out, self.folder = options.make, options.out, folder

    def module(self, system):
        source, output = (os.path.join(self.folder, name) for name in ("system.json", "system.bin"))
        with open(source, "w") as file:
            json.dump(system, file)
        subprocess.run([os.path.join(self.out, "host", "bin", "mkmanifest"), "--output", output,
                        "--binaries", os.path.join(self.out, "user", "bin"), source], check=True)
        return output

    def qemu(self, module, *arguments):
        return [sys.executable, QEMU_TOOL, "--kernel",
                os.path.join(self.out, "kernel", "release", "kernel.elf"), "--module", module,
                "--smp", "2"] + list(arguments)

    def iso(self, boot):
        return [sys.executable, QEMU_TOOL, "--iso", os.path.join(self.out, "capos.iso"), "--boot", boot,
                "--smp", "2"]

    def run_command(self):
        return [self.make, "--no-print-directory", "run", "SETUP=no"]


def without_terminal(command, close=False):
    """(status, output) with standard input empty, or closed altogether."""
    def close_input():
        os.close(0)

    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env=suite.make_environment(),
                            preexec_fn=close_input if close else None, timeout=PATIENCE_S)
    return result.returncode, result.stdout.decode(errors="replace")


def in_terminal(command, wait_for=None, keys=b""):
    """(status, output) on a terminal of its own; types `keys` once `wait_for` was printed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, suite.make_environment())
    output, deadline, typed = b"", time.monotonic() + PATIENCE_S, False
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other side was closed
            break
        if not piece:
            break
        output += piece
        if wait_for and not typed and wait_for in output:
            os.write(terminal, keys)
            typed = True
    else:
        os.kill(child, 9)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, output.decode(errors="replace").replace("\r", "")


def check_closed_input(bench):
    status, output = without_terminal(bench.run_command(), close=True)
    return status == 0 and "init ended by itself with code 0" in output, output


def check_terminal(bench):
    status, output = in_terminal(bench.run_command())
    return (status == 0 and "Ctrl-A X quits" in output and
            "init ended by itself with code 0" in output), output


def check_quit(bench):
    command = bench.qemu(bench.module(init_only("spin", "spin")))
    status, output = in_terminal(command, b"CPUs online", b"\x01x")
    return status == 0 and "QEMU: Terminated" in output and output.endswith("quit\n"), output


def check_failing_init(bench):
    command = bench.qemu(bench.module(init_only("divide-by-zero", "hostile")))
    status, output = without_terminal(command)
    return status != 0 and "the guest reported failure" in output, output


def check_failing_init_in_terminal(bench):
    command = bench.qemu(bench.module(init_only("divide-by-zero", "hostile")))
    status, output = in_terminal(command)
    return status != 0 and "the guest reported failure" in output, output


def check_iso(bench, boot):
    status, output = without_terminal(bench.iso(boot))
    return status == 0 and "init ended by itself with code 0" in output, output


def check_endless_guest(bench):
    command = bench.qemu(bench.module(init_only("spin", "spin")), "--timeout", "3")
    status, output = without_terminal(command)
    return status != 0 and "timed out after 3 s" in output, output


CHECKS = [
    ("boots with standard input closed", check_closed_input),
    ("attaches a terminal and says how to quit", check_terminal),
    ("Ctrl-A X quits", check_quit),
    ("a failing init fails the command", check_failing_init),
    ("a failing init fails the command on a terminal too", check_failing_init_in_terminal),
    ("without a terminal an endless guest is ended", check_endless_guest),
    ("out/capos.iso boots under BIOS", lambda bench: check_iso(bench, "bios")),
    ("out/capos.iso boots under UEFI", lambda bench: check_iso(bench, "uefi")),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--make", default="make")
    parser.add_argument("--out", default="out")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, folder)
        for name, check in CHECKS:
            good, output = check(bench)
            if good:
                passed += 1
                print("  PASS  " + name, flush=True)
            else:
                failed += 1
                print("  FAIL  %s\n---- output ----\n%s---- end of output ----" % (name, output),
                      flush=True)
    suite.finish("make run", passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
