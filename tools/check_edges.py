#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that each part of the tree uses only the parts below it, by include and by symbol.

  check_edges.py [--root TREE] [--objects OUT] [--nm NM]

LAYERS is the whole rule. An include is looked up as the compiler does: beside the file, then from
the root of the tree. A symbol is what an object wants and no object of its own or of an allowed
layer defines; the four memory functions are everybody's, because compilers call them by themselves.
Without --objects only includes are checked.
"""
import argparse
import glob
import os
import re
import subprocess
import sys

MEMORY = {"memcpy", "memmove", "memset", "memcmp"}
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "stdatomic.h", "limits.h",
                "stdalign.h", "stdnoreturn.h", "float.h", "cpuid.h"}
THREE = {"stdint.h", "stddef.h", "stdbool.h"}
HOSTED = None  # any system header, any symbol of the C library

SHARED = ("abi/", "capnp/runtime/", "schema/generated/", "core/")


class Layer:
    """A part of the tree.

    prefixes: the files that belong to it (the longest prefix wins); uses: prefixes it may include
    beside its own; system: the <headers> it may include; symbols: prefixes whose objects may define
    what it wants (default: uses); needs: further symbols that its embedder supplies.
    """

    def __init__(self, name, prefixes, uses, system, symbols=None, needs=()):
        self.name, self.prefixes, self.uses, self.system = name, prefixes, uses, system
        self.symbols = tuple(uses if symbols is None else symbols)
        self.needs = set(needs)


LAYERS = [
    Layer("abi", ("abi/",), (), FREESTANDING),
    Layer("capnp/runtime", ("capnp/runtime/",), (), THREE),
    Layer("schema/generated", ("schema/generated/",), ("capnp/runtime/",), THREE),
    Layer("core", ("core/",), ("abi/", "capnp/runtime/", "schema/generated/"), FREESTANDING,
          needs=("assert_failed",)),
    Layer("kernel", ("kernel/",), SHARED, FREESTANDING),
    Layer("kernel/arch/x86_64", ("kernel/arch/x86_64/",), SHARED + ("kernel/",), FREESTANDING),
    Layer("kernel/arch/host", ("kernel/arch/host/",), SHARED + ("kernel/",), HOSTED),
    Layer("user", ("user/",), SHARED, FREESTANDING, needs=("main",)),
    # The runtime's headers have inline functions of core and of the Cap'n Proto runtime in them.
    Layer("services", ("services/",), ("user/", "schema/generated/"), FREESTANDING,
          symbols=SHARED + ("user/",)),
    Layer("demos", ("demos/",), ("user/", "schema/generated/"), FREESTANDING,
          symbols=SHARED + ("user/",)),
    Layer("sim", ("sim/",), SHARED + ("kernel/",), HOSTED),
    Layer("capnp/capnpc-c", ("capnp/capnpc-c/",), ("capnp/runtime/", "schema/generated/"), HOSTED),
    Layer("tools", ("tools/",), SHARED + ("kernel/", "capnp/"), HOSTED),
    Layer("tests", ("tests/", "fuzz/", "verify/", "bench/"),
          SHARED + ("kernel/", "user/", "sim/", "capnp/", "tools/", "services/", "demos/", "fuzz/"),
          HOSTED),
]

# Another ISA's folder, whoever may use kernel/, is only for itself and for tests.
ISA_FOLDER = re.compile(r"^kernel/arch/[^/]+/")
ISA_OPEN_TO = ("tests", "sim")
# Found through the include path of what is built, an ISA or a kernel variant: header, sole user.
CHOSEN_HEADERS = {"arch_types.h": "kernel/arch/arch.h", "arch_inline.h": "kernel/arch/arch.h",
                  "arch_switch.h": "kernel/arch/arch.h",
                  "irq_probe_hooks.h": "kernel/irq_probe.h",
                  "lock_check_hooks.h": "kernel/lock.h",
                  "work_check_hooks.h": "kernel/work_check.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
SOURCE = (".c", ".h", ".S", ".def")

# The folders of objects to check and the layers each holds.
OBJECT_FOLDERS = {
    "kernel/release": ("capnp/runtime", "schema/generated", "core", "kernel", "kernel/arch/x86_64"),
    "kernel/measure": ("kernel", "kernel/arch/x86_64"),
    "kernel/debug": ("capnp/runtime", "schema/generated", "core", "kernel", "kernel/arch/x86_64"),
    "user": ("capnp/runtime", "schema/generated", "core", "user", "services", "demos"),
}
LIBRARY_FOLDERS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64")
LINKER_SCRIPTS = {"kernel/arch/x86_64": "kernel/arch/x86_64/kernel.ld",
                  "user": "user/rt/user.ld"}
# Written at link time by tools/kernel_symbols.py.
KERNEL_IMAGE_SYMBOLS = {"kernel_symbols", "kernel_symbol_count", "kernel_build_id"}


def layer_of(path):
    best = None
    for layer in LAYERS:
        for prefix in layer.prefixes:
            if path.startswith(prefix) and (best is None or len(prefix) > len(best[0])):
                best = (prefix, layer)
    return best[1] if best else None


def source_files(root):
    tops = sorted({layer_prefix.split("/")[0] for layer in LAYERS for layer_prefix in layer.prefixes})
    for top in tops:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith(SOURCE):
                    yield os.path.relpath(os.path.join(folder, name), root)


def resolve(root, path, name):
    """The tree's file that `#include "name"` in `path` means, or None."""
    for base in (os.path.dirname(path), ""):
        candidate = os.path.normpath(os.path.join(base, name))
        if os.path.exists(os.path.join(root, candidate)):
            return candidate
    return None


def include_problem(root, layer, path, kind, name):
    if kind == "<":
        if layer.system is HOSTED or name in layer.system:
            return None
        if layer.name == "tests" or path.startswith("tests/programs/"):
            return None
        return "%s may not include <%s>" % (layer.name, name)
    if name in CHOSEN_HEADERS:
        if path == CHOSEN_HEADERS[name] or ISA_FOLDER.match(path):
            return None
        return "%s is for %s alone" % (name, CHOSEN_HEADERS[name])
    target = resolve(root, path, name)
    if target is None:
        if layer.name == "tests":
            return None  # made while building
        return 'includes "%s", which is not in the tree' % name
    other = layer_of(target)
    if other is layer:
        return None
    isa = ISA_FOLDER.match(target)
    if isa and not path.startswith(isa.group(0)) and layer.name not in ISA_OPEN_TO:
        return "may not include %s: only kernel/arch/arch.h is the contract with an ISA" % target
    if any(target.startswith(prefix) for prefix in layer.uses):
        return None
    return "%s may not use %s (includes %s)" % (layer.name, other.name if other else "it", target)


def check_includes(root):
    found = []
    for path in source_files(root):
        layer = layer_of(path)
        if layer is None:
            continue
        with open(os.path.join(root, path), errors="replace") as file:
            text = COMMENT.sub(lambda comment: "\n" * comment.group(0).count("\n"), file.read())
        for match in INCLUDE.finditer(text):
            problem = include_problem(root, layer, path, match.group(1), match.group(2))
            if problem:
                line = text.count("\n", 0, match.start(2)) + 1
                found.append("%s:%d: %s" % (path, line, problem))
    return found


def object_files(folder):
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".o"):
                yield os.path.relpath(os.path.join(path, name), folder)


def symbols_read(nm, folder, objects):
    """{object: (defined, wanted)}; weak symbols need no definition."""
    result = {name: (set(), set()) for name in objects}
    for start in range(0, len(objects), 200):
        batch = objects[start:start + 200]
        output = subprocess.run([nm, "-A", "-P"] + batch, cwd=folder, check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        for line in output.splitlines():
            name, rest = line.split(": ", 1)
            fields = rest.split()
            if fields[1] == "U":
                result[name][1].add(fields[0])
            elif fields[1].isupper() or fields[1] in "u":
                result[name][0].add(fields[0])
    return result


def script_symbols(root, path):
    full = os.path.join(root, path)
    if not os.path.exists(full):
        return set()
    with open(full) as file:
        return set(re.findall(r"\b([A-Za-z_]\w*)\s*=(?!=)", file.read()))


def contract_symbols(root):
    """Every name that kernel/arch/arch.h mentions, or an ISA's arch_switch.h, whose inline functions
    reach them; None: there is no contract to compare with."""
    path = os.path.join(root, "kernel/arch/arch.h")
    if not os.path.exists(path):
        return None
    names = set()
    for header in [path] + glob.glob(os.path.join(root, "kernel/arch/*/arch_switch.h")):
        with open(header) as file:
            names.update(re.findall(r"\b[A-Za-z_]\w*\b", file.read()))
    return names


def check_symbols(root, out, nm):
    found = []
    library = library_names(nm)
    for variant, names in OBJECT_FOLDERS.items():
        folder = os.path.join(out, variant)
        objects = [name for name in object_files(folder)
                   if layer_of(name) and layer_of(name).name in names and source_exists(root, name)]
        if not objects:
            continue
        symbols = symbols_read(nm, folder, objects)
        found += name_problems(variant, objects, symbols, library)
        defined_by = {}
        for name in objects:
            for symbol in symbols[name][0]:
                defined_by.setdefault(symbol, name)
        scripts = {name: script_symbols(root, path) for name, path in LINKER_SCRIPTS.items()}
        contract = contract_symbols(root)
        for name in objects:
            layer = layer_of(name)
            known = MEMORY | layer.needs | scripts.get(layer.name, set())
            if layer.name.startswith("kernel"):
                known = known | KERNEL_IMAGE_SYMBOLS
            for symbol in sorted(symbols[name][1] - known):
                problem = symbol_problem(layer, symbol, defined_by.get(symbol), contract)
                if problem:
                    found.append("%s: %s" % (os.path.join(variant, name), problem))
    return found


def library_names(nm):
    """What the C library of this machine defines; empty when it cannot be found."""
    names = set()
    for library in ("libc.so.6", "libm.so.6"):
        for folder in LIBRARY_FOLDERS:
            path = os.path.join(folder, library)
            if os.path.exists(path):
                output = subprocess.run([nm, "-D", "--defined-only", "-P", path], check=True,
                                        stdout=subprocess.PIPE, text=True).stdout
                names.update(re.split(r"[@\s]", line, 1)[0] for line in output.splitlines())
                break
    return names


def name_problems(folder, objects, symbols, library):
    """Names of portable code that host programs would take for the C library's, or the reverse."""
    for name in objects:
        if layer_of(name).name in ("capnp/runtime", "schema/generated", "core", "kernel"):
            for symbol in sorted(symbols[name][0] & library):
                yield "%s: defines '%s', which is the C library's in host programs" % (
                    os.path.join(folder, name), symbol)


def source_exists(root, name):
    stem = name[:-len(".o")]
    return any(os.path.exists(os.path.join(root, stem + end)) for end in ("", ".c"))


def symbol_problem(layer, symbol, where, contract):
    if where is None:
        # The linker reports what nobody defines; below the kernel nothing else would notice.
        if layer.name in ("capnp/runtime", "schema/generated", "core"):
            return "%s wants '%s', which nothing below it defines" % (layer.name, symbol)
        return None
    other = layer_of(where)
    if other is layer:
        return None
    if layer.name == "kernel" and ISA_FOLDER.match(where):
        if contract is None or symbol in contract:
            return None
        return "wants '%s' of %s, which kernel/arch/arch.h does not declare" % (symbol, where)
    if any(where.startswith(prefix) for prefix in layer.symbols):
        return None
    return "%s may not use %s (wants '%s' of %s)" % (layer.name, other.name, symbol, where)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--objects", help="the folder of built objects (out)")
    parser.add_argument("--nm", default="nm")
    options = parser.parse_args()
    found = check_includes(options.root)
    if options.objects:
        found += check_symbols(options.root, options.objects, options.nm)
    for problem in found:
        print("edge: " + problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
