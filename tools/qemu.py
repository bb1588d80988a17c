#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The only launcher of the emulator: what the machine is made of is decided here.

  qemu.py --kernel ELF --module FILE           boot directly (PVH entry)
  qemu.py --iso FILE --boot bios|uefi          boot through GRUB

A guest reports its end through the debug-exit port: 0x10 is success and makes QEMU end with 33, any
other value is failure. A terminal on standard input is attached to the guest (Ctrl-A X quits);
without one the guest gets no input and --timeout bounds the run. The emulator interprets (TCG)
unless --accel kvm is asked for.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

QEMU = "qemu-system-x86_64"
# `max` has every protection the kernel turns on (SMEP, SMAP, UMIP, NX); 57-bit addresses are left
# out because the kernel's page tables have four levels.
CPU = "max,-la57"
MACHINE = "q35"
MEMORY_MIB = 256
DEBUG_EXIT = "isa-debug-exit,iobase=0xf4,iosize=0x04"
STATUS_SUCCESS = 33  # (0x10 << 1) | 1
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
# One instruction is one nanosecond of virtual time: two runs execute the same instructions.
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01,clock=vm", "-seed", "42"]
ICOUNT_CPU = "max,-la57,-erms,-fsrm"
OUTPUT_LIMIT = 4 << 20
TIMEOUT_S = 60.0


class Machine:
    """One boot. `boot` is pvh (kernel, module, cmdline) or bios, uefi (iso)."""

    def __init__(self, boot="pvh", kernel=None, module=None, cmdline="", iso=None, smp=1,
                 memory_mib=MEMORY_MIB, cpu="", accel="tcg", icount=False, extra=()):
        self.boot, self.kernel, self.module, self.cmdline = boot, kernel, module, cmdline
        self.iso, self.smp, self.memory_mib, self.cpu = iso, smp, memory_mib, cpu
        self.accel, self.icount, self.extra = accel, icount, list(extra)

    def cpu_model(self):
        """`cpu` is a model, or only features to add or take: "-smep,+x"."""
        base = ICOUNT_CPU if self.icount else CPU
        if not self.cpu:
            return base
        return base + "," + self.cpu if self.cpu[0] in "+-" else self.cpu

    def arguments(self, variables=None, terminal=False):
        """The argument vector. `variables`: a private copy of the UEFI variable store."""
        result = [QEMU, "-accel", self.accel, "-machine", MACHINE, "-cpu", self.cpu_model(),
                  "-smp", str(self.smp), "-m", str(self.memory_mib), "-nodefaults", "-no-reboot",
                  "-display", "none", "-vga", "none", "-nic", "none", "-device", DEBUG_EXIT]
        if terminal:
            result += ["-serial", "mon:stdio"]
        else:
            result += ["-serial", "stdio", "-monitor", "none"]
        if self.icount:
            result += ICOUNT
        if self.boot == "pvh":
            result += ["-kernel", self.kernel, "-append", self.cmdline]
            if self.module:
                result += ["-initrd", self.module]
        else:
            result += ["-cdrom", self.iso]
        if self.boot == "uefi":
            result += ["-drive", "if=pflash,format=raw,readonly=on,file=" + OVMF_CODE,
                       "-drive", "if=pflash,format=raw,file=" + variables]
        return result + self.extra


class Outcome:
    """How a boot ended. `status` is QEMU's, None when the harness ended it."""

    def __init__(self, status, output, seconds, reason):
        self.status, self.output, self.seconds, self.reason = status, output, seconds, reason

    @property
    def success(self):
        return self.status == STATUS_SUCCESS


def describe_status(status):
    if status == STATUS_SUCCESS:
        return "success"
    if status == 0:
        return "the machine reset or powered off without a verdict"
    if status < 0:
        return "the emulator was ended by signal %d" % -status
    if status & 1 and status > 1:
        return "the guest reported failure (code 0x%x)" % (status >> 1)
    return "the emulator failed with status %d" % status


def run(machine, timeout_s=TIMEOUT_S, stop=None, echo=None):
    """Boots `machine` without input and collects its serial output (bytes).

    `stop(output)` is asked after each piece of output; true ends the run. `echo` gets each piece.
    """
    with tempfile.TemporaryDirectory(prefix="capos-qemu-") as folder:
        variables = None
        if machine.boot == "uefi":
            variables = os.path.join(folder, "variables.fd")
            shutil.copyfile(OVMF_VARIABLES, variables)
        started = time.monotonic()
        process = subprocess.Popen(machine.arguments(variables), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        reason = []

        def end(why):
            if not reason:
                reason.append(why)
            process.kill()

        timer = threading.Timer(timeout_s, end, ["timed out after %g s" % timeout_s])
        timer.start()
        output = bytearray()
        try:
            while True:
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    break
                output += piece
                if echo:
                    echo(piece)
                if len(output) > OUTPUT_LIMIT:
                    end("printed more than %d bytes" % OUTPUT_LIMIT)
                if stop and stop(bytes(output)):
                    end("stopped")
        finally:
            timer.cancel()
            if process.poll() is None and sys.exc_info()[0]:
                process.kill()
            process.stdout.close()
            status = process.wait()
        seconds = time.monotonic() - started
        if reason:
            return Outcome(None, bytes(output), seconds, reason[0])
        return Outcome(status, bytes(output), seconds, describe_status(status))


def run_in_terminal(machine):
    """Hands the terminal to the guest; QEMU's status."""
    with tempfile.TemporaryDirectory(prefix="capos-qemu-") as folder:
        variables = None
        if machine.boot == "uefi":
            variables = os.path.join(folder, "variables.fd")
            shutil.copyfile(OVMF_VARIABLES, variables)
        return subprocess.call(machine.arguments(variables, terminal=True))


def open_standard_files():
    """A closed standard descriptor would be taken by the next file opened; give it /dev/null."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main():
    open_standard_files()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel")
    parser.add_argument("--module")
    parser.add_argument("--iso")
    parser.add_argument("--boot", choices=("pvh", "bios", "uefi"), default="pvh")
    parser.add_argument("--cmdline", default="")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--memory", type=int, default=MEMORY_MIB, help="MiB")
    parser.add_argument("--cpu", default="")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds")
    parser.add_argument("--print", action="store_true", help="print the command and stop")
    options = parser.parse_args()
    machine = Machine(options.boot, options.kernel, options.module, options.cmdline, options.iso,
                      options.smp, options.memory, options.cpu, options.accel, options.icount)
    if options.print:
        print(" ".join(machine.arguments("VARIABLES", os.isatty(0))))
        return 0
    if not shutil.which(QEMU):
        sys.exit("%s is not installed; `make doctor` tells what is missing" % QEMU)
    if os.isatty(0) and os.isatty(1):
        print("capOS on %d CPUs. Ctrl-A X quits." % options.smp, flush=True)
        status = run_in_terminal(machine)
        if status == 0:
            print("\nquit")
            return 0
        reason = describe_status(status)
    else:
        def echo(piece):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

        outcome = run(machine, options.timeout, echo=echo)
        status, reason = outcome.status, outcome.reason
    if status == STATUS_SUCCESS:
        return 0
    print("qemu: %s" % reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
