#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Link the kernel so that it carries its own symbol table and an id of its contents.

The table's size moves what is linked after it, so the link is repeated: first without a table, then
with one of the right size, then with the addresses of that image. The id is a hash of what the
first image loads. The last image's addresses are compared with its table; a difference is an error,
never a wrong name in a panic report.
"""
import argparse
import hashlib
import os
import shlex
import struct
import subprocess
import sys

TEXT_TYPES = "tTwW"
ID_DIGITS = 16
ROUNDS_MAX = 6
PT_LOAD = 1
KERNEL_HALF = 1 << 63


def run(arguments):
    result = subprocess.run(arguments, stdout=subprocess.PIPE)
    if result.returncode:
        sys.exit(result.returncode)
    return result.stdout


def parse_nm(text):
    """Sorted (address, name) of every function, one name for an address: the least local-looking."""
    by_address = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 3 or fields[1] not in TEXT_TYPES or fields[2].startswith((".L", "$")):
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if address < KERNEL_HALF:
            continue  # ran before any report could be made; users' addresses must not get its names
        rank = (kind.islower(), len(name), name)
        if address not in by_address or rank < by_address[address][0]:
            by_address[address] = (rank, name)
    return [(address, by_address[address][1]) for address in sorted(by_address)]


def symbols_of(image):
    return parse_nm(run(["nm", image]).decode())


def loaded_bytes_hash(image):
    """Hash of all PT_LOAD contents with their addresses: what the machine will run."""
    with open(image, "rb") as file:
        data = file.read()
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    digest = hashlib.sha256()
    for index in range(count):
        kind, _, start, address, _, length, memory, _ = struct.unpack_from(
            "<IIQQQQQQ", data, offset + index * size)
        if kind == PT_LOAD:
            digest.update(struct.pack("<QQQ", address, length, memory))
            digest.update(data[start:start + length])
    return digest.hexdigest()[:ID_DIGITS]


def table_source(symbols, build_id):
    rows = "".join('    {0x%016xu, "%s"},\n' % (address, name) for address, name in symbols)
    return ('/* Written by tools/kernel_symbols.py. */\n#include "kernel/symbols.h"\n\n'
            'const struct kernel_symbol kernel_symbols[] = {\n%s};\n'
            'const size_t kernel_symbol_count = %d;\n'
            'const char kernel_build_id[] = "%s";\n' %
            (rows or '    {0, "none"},\n', len(symbols), build_id))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True)
    parser.add_argument("--script", required=True)
    parser.add_argument("--cc", required=True, help="compiler with its flags")
    parser.add_argument("--ld", required=True, help="linker with its flags")
    parser.add_argument("--objects", required=True, help="file that lists the objects")
    options = parser.parse_args()

    folder = os.path.dirname(options.output)
    source, table = os.path.join(folder, "symbols.c"), os.path.join(folder, "symbols.o")
    trial = options.output + ".trial"
    with open(options.objects) as file:
        objects = file.read().split()

    def link(symbols, build_id):
        with open(source, "w") as file:
            file.write(table_source(symbols, build_id))
        run(shlex.split(options.cc) + ["-c", "-o", table, source])
        run(shlex.split(options.ld) + ["-T", options.script, "-o", trial] + objects + [table])
        return symbols_of(trial)

    symbols = link([], "0" * ID_DIGITS)
    build_id = loaded_bytes_hash(trial)
    for _ in range(ROUNDS_MAX):
        found = link(symbols, build_id)
        if found == symbols:
            os.replace(trial, options.output)
            return
        symbols = found
    sys.exit("%s: the symbol table does not settle after %d links; does the script %s place text "
             "by the size of data?" % (options.output, ROUNDS_MAX, options.script))


if __name__ == "__main__":
    main()
