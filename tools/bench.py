#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Collect the performance rows, print the table and write out/bench.json.

  bench.py [--result FILE] [--exact] [--make MAKE] [--output FILE] [--page FILE]

bench/rows.json names every row: name, unit, method, reach (must), aim (want), `more` when more is
better, `worst` when several scenes measure it and the worst counts, and `behind` when the reach is
not met yet: a bound near the value of now, which goes once the reach is met.

Values come from: what the image and the Cap'n Proto runtime weigh; what guests print in the scenes of
bench/scenes/*.json as lines `bench NAME VALUE UNIT` (release kernel, one instruction = one tick of a
deterministic clock unless the scene says otherwise); the same lines of the Cap'n Proto bench, which
runs here; and the time of building, measured in a copy of the tree. --exact leaves out what is measured
in seconds or as a ratio of times, because wall time on a shared machine means little. A row in
instructions, in bytes or as a ratio that misses its reach fails, and so does a value without a row or,
with --exact, an exact row without a value.

A program that defines tally_begin and tally_end runs with the plugin of bench/tally.c, which counts
the costly instructions between the two; the guest names each section in a line `tallied NAME
OPERATIONS`. None of NEVER may occur there: no allocation, no page walk, no write of cr0, but what a
row has in `may`.
"""
import argparse
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import qemu
import scene
import suite

ROWS = os.path.join("bench", "rows.json")
MUTANTS = os.path.join("tests", "mutants", "score.txt")
SCENES = os.path.join("bench", "scenes")
EXACT_UNITS = ("instructions", "bytes")
# Two programs timed in turn on the same machine: not exact, but what misses its reach is slower.
JUDGED_UNITS = EXACT_UNITS + ("ratio",)
NEVER = ("mov-cr0", "frame_alloc", "kmem_alloc", "arch_vspace_query", "arch_vspace_map")
PLUGIN = os.path.join("out", "host", "tally.so")
TALLIED = re.compile(r"^tallied (\S+) (\d+)$")
TABLE_HEAD = "| row | value | unit | reach | aim |"
TALLY_KINDS = ("syscall", "sysret", "swapgs", "mov-cr3", "wrmsr", "xsave", "xrstor", "locked")
TALLY_HEAD = "| row | " + " | ".join(TALLY_KINDS) + " |"
LINE = re.compile(r"\bbench:? (\S+) (-?\d+(?:\.\d+)?) (\S+)\s*$")
AT_REST = re.compile(r"kernel at rest (\d+) KiB")
FIRST_USER_LINE = re.compile(rb"^init: ", re.M)
BOOT_CPUS = 4
BOOT_RUNS = 20
PT_LOAD = 1
INCREMENTAL_SOURCE = os.path.join("core", "ring.c")


class Table:
    """Rows in the order of their file, values as they come in."""

    def __init__(self, definitions):
        self.rows = {}
        for row in definitions:
            if row["name"] in self.rows:
                raise ValueError("two rows are called %s" % row["name"])
            self.rows[row["name"]] = dict(row, value=None, tally=None)
        self.problems = []

    def put(self, name, value, unit):
        row = self.rows.get(name)
        if row is None:
            self.problems.append("%s has no row in %s" % (name, ROWS))
        elif row["unit"] != unit:
            self.problems.append("%s came in %s, its row is in %s" % (name, unit, row["unit"]))
        elif row.get("worst") and row["value"] is not None:
            row["value"] = min(row["value"], value) if row.get("more") else max(row["value"], value)
        elif row["value"] is not None and row["value"] != value:
            self.problems.append("%s came twice: %s and %s" % (name, row["value"], value))
        else:
            row["value"] = value

    def tally(self, name, operations, counts):
        """What one operation of the row is made of; `counts` of all of them."""
        if name not in self.rows:
            self.problems.append("%s is tallied and has no row in %s" % (name, ROWS))
            return
        self.rows[name]["tally"] = {kind: round(count / operations, 2)
                                    for kind, count in counts.items()
                                    if count * 200 >= operations}
        for kind in NEVER:
            if counts.get(kind) and kind not in self.rows[name].get("may", ()):
                self.problems.append("%s: %d times %s" % (name, counts[kind], kind))

    @staticmethod
    def met(row, bound):
        if row["value"] is None or row.get(bound) is None:
            return None
        if row.get("more"):
            return row["value"] >= row[bound]
        return row["value"] <= row[bound]

    def judge(self, exact):
        """(rows that are judged and good, what is wrong)."""
        good, bad = 0, list(self.problems)
        for row in self.rows.values():
            if row["unit"] not in JUDGED_UNITS:
                continue
            if row["value"] is None:
                if exact and row["unit"] in EXACT_UNITS:
                    bad.append("%s was not measured" % row["name"])
            elif row.get("behind") is not None:
                if self.met(row, "reach"):
                    bad.append("%s meets its reach: take `behind` out of its row" % row["name"])
                elif self.met(row, "behind"):
                    good += 1
                else:
                    bad.append("%s is %s %s, behind its reach, and was %s" % (
                        row["name"], row["value"], row["unit"], row["behind"]))
            elif self.met(row, "reach") is False:
                bad.append("%s is %s %s and must be %s %s" % (
                    row["name"], row["value"], row["unit"],
                    "at least" if row.get("more") else "at most", row["reach"]))
            else:
                good += 1
        return good, bad

    def measured(self):
        keys = ("name", "value", "unit", "method", "reach", "aim", "behind", "tally")
        return [{key: row.get(key) for key in keys} for row in self.rows.values()
                if row["value"] is not None]

    def text(self):
        lines = ["%-28s %14s %-13s %12s %12s  %s" % ("name", "value", "unit", "reach", "aim",
                                                    "verdict")]
        for row in self.rows.values():
            value = "not measured" if row["value"] is None else number(row["value"])
            verdict = {None: "", True: "aim" if self.met(row, "aim") else "reach",
                       False: "behind" if row.get("behind") is not None else
                              "MISSED" if row["unit"] in JUDGED_UNITS else "missed (wall time)"}[
                           self.met(row, "reach")]
            lines.append("%-28s %14s %-13s %12s %12s  %s" % (
                row["name"], value, row["unit"], number(row.get("reach")), number(row.get("aim")),
                verdict))
        for row in self.rows.values():
            if row["tally"] is not None:
                lines.append("  %-26s %s" % (row["name"], ", ".join(
                    "%s %g" % item for item in sorted(row["tally"].items())
                    if item[0] not in NEVER)))
        return "\n".join(line.rstrip() for line in lines)


    def page_rows(self, last=()):
        """The rows as docs/performance.md shows them. `last`: the table that was there, whose
        values stay where this run measured none."""
        old = {line.split("|")[1].strip(" `"): line.split("|")[2].strip()
               for line in last if line.startswith("| `")}
        lines = [TABLE_HEAD, "|---|---|---|---|---|"]
        for row in self.rows.values():
            numbers = [grouped(row.get(key)) for key in ("value", "reach", "aim")]
            if row["value"] is None:
                numbers[0] = old.get(row["name"], numbers[0])
            lines.append("| `%s` | %s | %s | %s | %s |" % (row["name"], numbers[0], row["unit"],
                                                          numbers[1], numbers[2]))
        return lines

    def page_tallies(self, last=()):
        """What one operation of each row is made of, in the same way."""
        old = {line.split("|")[1].strip(" `"): line for line in last if line.startswith("| `")}
        lines = [TALLY_HEAD, "|---" * (1 + len(TALLY_KINDS)) + "|"]
        for name, row in self.rows.items():
            if row["tally"] is not None:
                lines.append("| `%s` | %s |" % (name, " | ".join(
                    counted(row["tally"].get(kind)) for kind in TALLY_KINDS)))
            elif name in old:
                lines.append(old[name])
        return lines


def grouped(value):
    return "-" if value is None else "{:,}".format(value)


def counted(value):
    """A count of one operation as the page shows it; the few hundredths of the timer's are no
    part of it."""
    if value is None or value < 0.02:
        return "-"
    return "%g" % round(value, 1 if value >= 1 else 2)


def table_replaced(lines, head, table_of):
    """The lines with the table below `head` replaced by table_of(that table)."""
    start = lines.index(head)
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    return lines[:start] + table_of(lines[start:end]) + lines[end:]


def page_with(text, table):
    """The page with its two tables replaced: the figures, and the tallies if it has them."""
    lines = table_replaced(text.splitlines(), TABLE_HEAD, table.page_rows)
    if TALLY_HEAD in lines:
        lines = table_replaced(lines, TALLY_HEAD, table.page_tallies)
    return "\n".join(lines) + "\n"


def page_write(path, table):
    with open(path) as file:
        text = page_with(file.read(), table)
    with open(path, "w") as file:
        file.write(text)


def number(value):
    if value is None:
        return "-"
    return "%.2f" % value if isinstance(value, float) else str(value)


def parse_lines(lines):
    """[(name, value, unit)] of the guest's bench lines."""
    found = []
    for line in lines:
        match = LINE.search(line)
        if match:
            value = float(match.group(2)) if "." in match.group(2) else int(match.group(2))
            found.append((match.group(1), value, match.group(3)))
    return found


def image_bytes(path):
    """What a boot loader copies: text, read-only data and data, without what is zeroed."""
    with open(path, "rb") as file:
        data = file.read()
    start, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    total = 0
    for index in range(count):
        kind, _, _, _, _, length = struct.unpack_from("<IIQQQQ", data, start + index * size)
        total += length if kind == PT_LOAD else 0
    return total


def measure_image(table):
    kernel = os.path.join("out", "kernel", "release", "kernel.elf")
    if os.path.exists(kernel):
        table.put("kernel_image", image_bytes(kernel), "bytes")


def object_bytes(path):
    """Code and read-only data of an object file, as size(1) counts them."""
    listed = subprocess.run(["size", path], stdout=subprocess.PIPE, check=True, text=True).stdout
    return int(listed.splitlines()[1].split()[0])


def measure_capnp(table, make, exact):
    objects = glob.glob(os.path.join("out", "kernel", "release", "capnp", "runtime", "*.o"))
    if objects:
        table.put("capnp_text", sum(map(object_bytes, objects)), "bytes")
    if exact:
        return
    measure_program(table, make, "capnp-bench", "the Cap'n Proto bench")


def measure_program(table, make, target, what):
    """Rows that a program of the building machine prints."""
    result = subprocess.run([make, "--no-print-directory", "SETUP=no", target],
                            env=suite.make_environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = result.stdout.decode(errors="replace")
    if result.returncode:
        table.problems.append("%s failed:\n%s" % (what, output))
    for row in parse_lines(output.splitlines()):
        table.put(*row)


def measure_mutants(table):
    """What the last whole run of tools/mutate.py left: of the mutants that differ, those killed."""
    with open(MUTANTS) as file:
        name, count, killed, same, _ = file.read().splitlines()[-1].split()
    if name != "all":
        table.problems.append("%s does not end with the sum" % MUTANTS)
        return
    table.put("mutation_score", int(killed) / (int(count) - int(same)), "ratio")


def symbols(path):
    """{name: address} of the functions of an ELF file."""
    result = subprocess.run(["nm", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    lines = (line.split() for line in result.stdout.decode().splitlines())
    return {words[2]: int(words[0], 16) for words in lines if len(words) == 3 and words[1] in "tT"}


def tally_arguments(variant, builder, output):
    """What the emulator needs to tally this scene's program; nothing if it has no sections."""
    manifest = variant.get("manifest")
    names = [binary["name"] for binary in manifest["binaries"]] if isinstance(manifest, dict) else []
    for name in names:
        marks = symbols(os.path.join(builder.out, "user", "debug", name))
        if "tally_begin" in marks and os.path.exists(PLUGIN):
            kernel = symbols(os.path.join(builder.out, "kernel", variant["kernel"], "kernel.elf"))
            watches = "".join(",watch=%s:%#x" % (function, kernel[function])
                              for function in NEVER if function in kernel)
            return ["-plugin", "%s,begin=%#x,end=%#x,out=%s%s" % (
                PLUGIN, marks["tally_begin"], marks["tally_end"], output, watches)]
    return []


def parse_tally(text):
    """[counts] of each section, in order."""
    sections = []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "section":
            sections.append({})
        elif words[0] in ("class", "watch"):
            sections[-1][words[1]] = int(words[2])
    return sections


def measure_tally(table, lines, path):
    names = [match.groups() for match in map(TALLIED.match, lines) if match]
    with open(path) as file:
        sections = parse_tally(file.read())
    if len(names) != len(sections):
        table.problems.append("%d sections were tallied, %d named" % (len(sections), len(names)))
    for (name, operations), counts in zip(names, sections):
        table.tally(name, int(operations), counts)


def measure_guests(table, exact):
    names = sorted(os.listdir(SCENES)) if os.path.isdir(SCENES) else []
    builder = scene.Builder("out")
    for name in names:
        if not name.endswith(".json"):
            continue
        for variant in scene.scene_variants(os.path.join(SCENES, name),
                                            {"kernel": "release", "icount": True, "timeout_s": 120}):
            if exact and not variant["icount"]:
                continue
            with tempfile.TemporaryDirectory(prefix="capos-bench-") as folder:
                tally = os.path.join(folder, "tally")
                extra = tally_arguments(variant, builder, tally)
                problem, _, output = scene.run_scene(variant, builder, 1.0, extra)
                lines = scene.output_lines(output)
                if os.path.exists(tally):
                    measure_tally(table, lines, tally)
            if problem:
                table.problems.append("scene %s: %s\n%s" % (
                    variant["name"], problem, output.decode(errors="replace").replace("\r", "")))
            for row in parse_lines(lines):
                table.put(*row)


def measure_boot(table, exact):
    """The default system on four CPUs: what the kernel keeps, and how soon a program prints.

    The first line of a program comes after its first instruction, so that the time to it is an upper
    bound. Each measured run is ended there: then the emulator's processor time is of the same stretch.
    """
    kernel = os.path.join("out", "kernel", "release", "kernel.elf")
    module = os.path.join("out", "systems", "default.bin")
    if not (os.path.exists(kernel) and os.path.exists(module)):
        return
    machine = qemu.Machine(kernel=kernel, module=module, smp=BOOT_CPUS)
    outcome = qemu.run(machine)
    if not outcome.success or not FIRST_USER_LINE.search(outcome.output):
        table.problems.append("the default system did not boot: %s\n%s" % (
            outcome.reason, outcome.output.decode(errors="replace")))
        return
    match = AT_REST.search(outcome.output.decode(errors="replace"))
    if match:
        table.put("kernel_at_rest", int(match.group(1)) * 1024, "bytes")
    if exact:
        return
    seconds, work = [], []
    for _ in range(BOOT_RUNS):
        used = suite.children_seconds()
        outcome = qemu.run(machine, stop=FIRST_USER_LINE.search)
        seconds.append(outcome.seconds)
        work.append(suite.children_seconds() - used)
    table.put("boot_first_line", round(min(seconds), 3), "seconds")
    table.put("boot_first_line_work", round(min(work), 3), "seconds")


def timed_make(make, root):
    """(result, seconds by the clock, seconds of all processors)"""
    started, used = time.monotonic(), suite.children_seconds()
    result = subprocess.run([make, "--no-print-directory", "SETUP=no", "all"], cwd=root,
                            env=suite.make_environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result, round(time.monotonic() - started, 2), round(suite.children_seconds() - used, 2)


def measure_build(table, make):
    folder = tempfile.mkdtemp(prefix="capos-bench-")
    try:
        root = os.path.join(folder, "tree")
        shutil.copytree(suite.ROOT, root, symlinks=True,
                        ignore=shutil.ignore_patterns("out", ".git", "__pycache__"))
        for name in ("build_clean", "build_incremental"):
            result, seconds, used = timed_make(make, root)
            if result.returncode:
                table.problems.append("the build failed:\n" + result.stdout.decode(errors="replace"))
                return
            table.put(name, seconds, "seconds")
            table.put(name + "_work", used, "seconds")
            os.utime(os.path.join(root, INCREMENTAL_SOURCE))
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--page", help="the page whose table becomes this one")
    parser.add_argument("--measure-nothing", action="store_true", help="only rewrite the page")
    parser.add_argument("--make", default="make")
    parser.add_argument("--output", default=os.path.join("out", "bench.json"))
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    with open(ROWS) as file:
        table = Table(json.load(file))
    if options.measure_nothing:
        page_write(options.page, table)
        return 0
    measure_image(table)
    measure_capnp(table, options.make, options.exact)
    if not options.exact:
        measure_program(table, options.make, "grant-bench", "the revocation bench")
        measure_program(table, options.make, "uring-bench", "the lookup bench")
        measure_program(table, options.make, "sim-bench", "the simulator's speed")
        measure_program(table, options.make, "fuzz-bench", "the dispatcher's fuzz target")
        measure_program(table, options.make, "explore-bench", "the explorer")
        measure_mutants(table)
    if shutil.which(qemu.QEMU):
        measure_boot(table, options.exact)
        measure_guests(table, options.exact)
    else:
        table.problems.append("%s is not installed" % qemu.QEMU)
    if not options.exact:
        measure_build(table, options.make)
    with open(options.output, "w") as file:
        json.dump(table.measured(), file, indent=2)
        file.write("\n")
    print(table.text())
    if options.page:
        page_write(options.page, table)
    good, bad = table.judge(options.exact)
    for problem in bad:
        print("bench: " + problem)
    suite.finish("performance rows", good, len(bad), options.result)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
