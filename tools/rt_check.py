#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check the linked programs: entry ABI, freestanding, nothing writable and executable.

  rt_check.py [--result FILE] --programs FOLDER

FOLDER holds programs with their symbols. Each must be a static ELF64 executable for x86-64 that
starts at _start, lies in the user half, asks for no interpreter and no dynamic linking, has no
segment that is writable and executable, wants no symbol, and enters the kernel only from the
runtime's own functions (names that begin with one of SYSCALL_PREFIXES).
"""
import argparse
import os
import re
import struct
import subprocess
import sys

import suite

EXECUTABLE, X86_64, CLASS_64, LITTLE = 2, 62, 2, 1
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
EXECUTE, WRITE = 1, 2
USER_END = 1 << 47
SYSCALL_PREFIXES = ("syscall", "rt_", "_start", "sys_")
FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
ENTERS = re.compile(r"\b(syscall|sysenter|int\s+\$0x[0-9a-f]+)\b")


def segments(data):
    start, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for index in range(count):
        kind, flags, _, address, _, _, memory, _ = struct.unpack_from(
            "<IIQQQQQQ", data, start + index * size)
        yield kind, flags, address, memory


def header_problems(data):
    if data[:4] != b"\x7fELF" or data[4] != CLASS_64 or data[5] != LITTLE:
        yield "is no little-endian ELF64"
        return
    kind, machine = struct.unpack_from("<HH", data, 16)
    if kind != EXECUTABLE or machine != X86_64:
        yield "is no executable for x86-64 (type %d, machine %d)" % (kind, machine)
    entry, = struct.unpack_from("<Q", data, 24)
    entered = False
    for kind, flags, address, memory in segments(data):
        if kind == PT_INTERP:
            yield "asks for an interpreter"
        if kind == PT_DYNAMIC:
            yield "asks for dynamic linking"
        if kind != PT_LOAD:
            continue
        if flags & WRITE and flags & EXECUTE:
            yield "has a segment at 0x%x that is writable and executable" % address
        if address + memory > USER_END:
            yield "has a segment at 0x%x beyond the user half" % address
        entered = entered or (flags & EXECUTE and address <= entry < address + memory)
    if not entered:
        yield "starts at 0x%x, outside its executable segments" % entry


def symbol_problems(path, entry):
    found = {}
    for line in subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.splitlines():
        fields = line.split()
        if fields[-2] == "U":
            yield "wants the symbol %s" % fields[-1]
        elif fields[-2] not in "wv":
            found[fields[-1]] = int(fields[0], 16)
    if found.get("_start") != entry:
        yield "does not start at _start"


def entry_problems(path):
    """Instructions that enter the kernel outside the runtime's functions."""
    name = "?"
    output = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE,
                            text=True, check=True).stdout
    for line in output.splitlines():
        match = FUNCTION.match(line)
        if match:
            name = match.group(1)
            continue
        if ENTERS.search(line.partition("\t")[2]) and not name.startswith(SYSCALL_PREFIXES):
            yield "enters the kernel in %s:%s" % (name, line.partition("\t")[2])


def program_problems(path, free_entry):
    with open(path, "rb") as file:
        data = file.read()
    found = list(header_problems(data))
    if not found:
        found += symbol_problems(path, struct.unpack_from("<Q", data, 24)[0])
        if not free_entry:
            found += entry_problems(path)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--programs", required=True)
    parser.add_argument("--hostile", action="append", default=[],
                        help="a program that may enter the kernel as it likes")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    passed = failed = 0
    for name in sorted(options.names):
        found = program_problems(os.path.join(options.programs, name), name in options.hostile)
        if found:
            failed += 1
        else:
            passed += 1
        for problem in found:
            print("  FAIL  %s %s" % (name, problem))
    suite.finish("runtime check", passed, failed, options.result)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
