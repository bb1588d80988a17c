# SPDX-License-Identifier: MIT
"""GDB's side of `make debug`: which program a user address belongs to.

Every program is linked at the same address, so only one program's symbols can be loaded at a time.
Each stop in the user half loads those of the process that runs; `capos-program NAME` chooses by
hand, for instance to set a breakpoint before the program runs. In conditions `$capos_process()` is
the running process's name: break main if $_streq($capos_process(), "client"). `capos-where` prints it.
"""
import json
import os

import gdb

USER_END = 1 << 47
chosen = {"path": None}


def program_file(name):
    """The symbols of process `name`: its binary of that name, or as the manifest calls it."""
    binary = CAPOS_BINARIES.get(name, name)  # noqa: F821, set by tools/debug.py
    path = os.path.join(CAPOS_PROGRAMS, binary)  # noqa: F821
    return path if os.path.exists(path) else None


def binaries_of(node, found):
    """{process name: binary} of a manifest in JSON, wherever in it they stand."""
    if isinstance(node, dict):
        if isinstance(node.get("name"), str) and isinstance(node.get("binary"), str):
            found[node["name"]] = os.path.basename(node["binary"])
        for child in node.values():
            binaries_of(child, found)
    elif isinstance(node, list):
        for child in node:
            binaries_of(child, found)
    return found


def choose(name, tell=False):
    path = program_file(name)
    if path is None:
        if tell:
            raise gdb.GdbError("no program with symbols belongs to '%s'" % name)
        return
    if path == chosen["path"]:
        return
    if chosen["path"]:
        gdb.execute("remove-symbol-file -a %d" % text_address(chosen["path"]), to_string=True)
    chosen["path"] = path
    gdb.execute("add-symbol-file %s" % path, to_string=True)
    if tell:
        print("user addresses now mean %s" % path)


def text_address(path):
    """Any address inside the program's text, from its section table."""
    for line in gdb.execute("info files", to_string=True).splitlines():
        if " is .text" in line and path in line:
            return int(line.split()[0], 16) + 1
    for objfile in gdb.objfiles():
        if objfile.filename and os.path.samefile(objfile.filename, path):
            symbol = objfile.lookup_global_symbol("_start")
            if symbol:
                return int(symbol.value().address)
    raise gdb.GdbError("cannot tell where %s lies" % path)


def process_name():
    """The name of the process that runs on the CPU that stopped; None in doubt."""
    try:
        bases = {int(gdb.parse_and_eval(register)) & (1 << 64) - 1
                 for register in ("$gs_base", "$k_gs_base")}
        cpus = gdb.parse_and_eval("cpus")
        for index in range(cpus.type.range()[1] + 1):
            cpu = cpus[index]
            if int(cpu) and int(cpu) in bases:
                current = cpu["current"]
                return current["process"]["name"].string() if int(current) else None
    except gdb.error:
        return None
    return None


class Program(gdb.Command):
    """capos-program NAME: user addresses mean the program of process NAME."""

    def __init__(self):
        super().__init__("capos-program", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        choose(argument.strip(), tell=True)


class Where(gdb.Command):
    """capos-where: the process that runs and whose code the CPU that stopped is in."""

    def __init__(self):
        super().__init__("capos-where", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        pc = int(gdb.parse_and_eval("(unsigned long)$pc"))
        print("process %s, in the %s" % (process_name() or "(none)",
                                         "program" if pc < USER_END else "kernel"))


class Process(gdb.Function):
    """$capos_process(): the name of the process that runs, "" when there is none."""

    def __init__(self):
        super().__init__("capos_process")

    def invoke(self):
        return process_name() or ""


def stopped(event):
    try:
        if int(gdb.parse_and_eval("(unsigned long)$pc")) < USER_END:
            name = process_name()
            if name:
                choose(name)
    except gdb.error:
        pass


CAPOS_BINARIES = {}
if CAPOS_MANIFEST:  # noqa: F821
    with open(CAPOS_MANIFEST) as manifest:  # noqa: F821
        CAPOS_BINARIES = binaries_of(json.load(manifest), {})
Program()
Where()
Process()
gdb.events.stop.connect(stopped)
