#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot under GDB, with the symbols of the kernel and of every program.

  debug.py --kernel ELF --module FILE --programs FOLDER [--manifest JSON] [--smp N]
           [--script FILE]

The machine waits at its first instruction until GDB says go. What the guest prints goes to
out/debug.log. With --script GDB runs that file unattended; then what GDB and the guest printed is
shown, and the status is GDB's: a script that fails, or asks for `quit 1`, fails the command.

Inside GDB (tools/gdb_capos.py): `capos-program NAME` chooses whose symbols a user address means;
each stop in a program chooses by itself.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import qemu

LOG = os.path.join("out", "debug.log")
HELPERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gdb_capos.py")
SCRIPT_TIMEOUT_S = 120


def gdb_arguments(kernel, socket, programs, manifest, script):
    setup = ["-ex", "set pagination off", "-ex", "set confirm off",
             "-ex", "python CAPOS_PROGRAMS, CAPOS_MANIFEST = %r, %r" % (programs, manifest),
             "-x", HELPERS,
             "-ex", "target remote " + socket]
    if script:
        return ["gdb", "-batch", "-nx", "-q"] + setup + ["-x", script, kernel]
    return ["gdb", "-q"] + setup + [kernel]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--module", required=True)
    parser.add_argument("--programs", required=True, help="folder of programs with symbols")
    parser.add_argument("--manifest", help="tells which program a process runs")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--cmdline", default="")
    parser.add_argument("--script")
    options = parser.parse_args()
    for path in (options.kernel, options.module) + ((options.script,) if options.script else ()):
        if not os.path.exists(path):
            sys.exit("debug: there is no %s" % path)
    if not shutil.which("gdb"):
        sys.exit("debug: gdb is not installed; `make doctor` tells what is missing")
    folder = tempfile.mkdtemp(prefix="capos-gdb-")
    socket = os.path.join(folder, "gdb")
    machine = qemu.Machine(
        kernel=options.kernel, module=options.module, cmdline=options.cmdline, smp=options.smp,
        extra=["-S", "-chardev", "socket,id=gdb,server=on,wait=off,path=" + socket,
               "-gdb", "chardev:gdb"])
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    with open(LOG, "wb") as log:
        # In a group of its own, so that Ctrl-C in GDB does not end the machine.
        guest = subprocess.Popen(machine.arguments(), stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, start_new_session=True)
    try:
        gdb = subprocess.Popen(
            gdb_arguments(options.kernel, socket, options.programs, options.manifest,
                          options.script),
            stdin=subprocess.DEVNULL if options.script else None)
        limit = threading.Timer(SCRIPT_TIMEOUT_S, gdb.kill)
        if options.script:
            limit.start()
        else:
            print("The guest prints into %s; follow it with: tail -f %s" % (LOG, LOG), flush=True)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = gdb.wait()
        limit.cancel()
    finally:
        guest.kill()
        guest.wait()
        shutil.rmtree(folder)
    if options.script:
        print("---- the guest printed ----")
        with open(LOG, errors="replace") as log:
            sys.stdout.write(log.read().replace("\r", ""))
    return 0 if status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
