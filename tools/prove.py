#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prove the harnesses of verify/, and refute their twins.

  prove.py [--result FILE] [--root DIR] [--jobs N] [--quick] [--page FILE] [NAME]...
                                                   NAME: a file of verify/ without .c
                                                   --page: puts the figures into a table there

A harness is a C file whose first comment says what to do with it:

  cbmc: FILE...             the sources under proof, from the root of the tree; one that the harness
                            includes itself, to reach what is static, is not compiled again
  options: OPTION...        for CBMC, beside those that all get (may be absent)
  bound: TEXT               how far the proof reaches, printed with it
  prove: FUNCTION...        each is an entry point, and must be proved
  quick: FUNCTION...        those of them that --quick is content with, and their twins: seconds each
                            (may be absent)
  twin: FUNCTION | FILE | TEXT | OTHER
                            in a copy of FILE, TEXT (there exactly once) becomes OTHER; then the
                            entry point FUNCTION must be refuted, and not by an unwinding bound

A line indented by four more goes on with the one before; of a twin, TEXT and OTHER may hold ` | ` if
each stands in a line of its own, behind a bar.

A proof without a twin proves nothing about itself, so that a harness with none is refused. CBMC comes
from a folder of its own (tools/private_root.sh).
"""
import argparse
import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import sys
import threading

import suite

TIMEOUT_S = 900
MEMORY_BYTES = 6 << 30  # of each CBMC; one that wants more is not proved
CHECKS = ["--bounds-check", "--pointer-check", "--pointer-overflow-check", "--signed-overflow-check",
          "--undefined-shift-check", "--div-by-zero-check", "--unwinding-assertions",
          "--drop-unused-functions"]
# CBMC knows the memory functions by their names in the library.
NAMES = ["-D__builtin_%s=%s" % (name, name) for name in ("memcpy", "memmove", "memset", "memcmp")]
PROVED, REFUTED = 0, 10
BAR = "\x1f"  # in the place of one that begins a line
PAGE_HEAD = "| harness | bound | proofs | twins | s | MB |\n"
KEY = re.compile(r"^ \* (cbmc|options|bound|prove|quick|twin): (.*)$")
FAILURE = re.compile(r"^\[.*\] (?:line \d+ )?(.*): FAILURE$", re.M)
VIOLATED = re.compile(r"^Violated property:\n  file .*\n  (.*)$", re.M)
UNWINDING = "unwinding assertion"


class Harness:
    def __init__(self, name, quick=False):
        self.name, self.path = name, os.path.join("verify", name + ".c")
        self.sources, self.options, self.entries, self.twins = [], [], [], []
        self.quick, self.bound = [], ""
        with open(self.path) as file:
            text = file.read()
        comment = text.split("*/\n#", 1)[0]
        # A line that is further in goes on with the one before.
        comment = comment.replace("\n *     | ", BAR).replace("\n *     ", " ")
        for line in comment.split("\n"):
            match = KEY.match(line)
            if not match:
                continue
            key, value = match.groups()
            value = value if key == "twin" else value.replace(BAR, " | ")
            if key == "twin":
                first, *rest = value.split(BAR)
                parts = [part.strip() for part in first.split(" | ") + rest]
                if len(parts) != 4:
                    raise ValueError("%s: a twin has four parts: %s" % (self.path, value))
                self.twins.append(parts)
            elif key == "bound":
                self.bound = value
            else:
                {"cbmc": self.sources, "options": self.options,
                 "prove": self.entries, "quick": self.quick}[key].extend(value.split())
        if not self.sources or not self.entries or not self.twins or not self.bound:
            raise ValueError("%s: wants cbmc:, bound:, prove: and twin: lines" % self.path)
        self.compiled = [name for name in self.sources if '#include "%s"' % name not in text]
        for twin in self.twins:
            if twin[0] not in self.entries:
                raise ValueError("%s: no entry point %s" % (self.path, twin[0]))
        for entry in self.entries:
            if entry not in [twin[0] for twin in self.twins]:
                raise ValueError("%s: %s has no twin" % (self.path, entry))
        if not set(self.quick) <= set(self.entries):
            raise ValueError("%s: a quick entry point is none of those to prove" % self.path)
        if quick:
            self.entries = self.quick
            self.twins = [twin for twin in self.twins if twin[0] in self.quick]


def cbmc(root):
    """How a program of the private root is started; what it starts itself is the machine's own."""
    return [os.path.join(root, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path",
            os.path.join(root, "usr/lib/x86_64-linux-gnu") + ":" + os.path.join(root, "usr/lib"),
            "--argv0", "cbmc", os.path.join(root, "usr/bin/cbmc")]


def run(command):
    """(exit status, what failed, output, (seconds of a processor, MB) that it took)."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    late = threading.Timer(TIMEOUT_S, process.kill)
    late.start()
    with process.stdout:
        output = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    late.cancel()
    return (process.returncode, FAILURE.findall(output), output or "ended by a signal\n",
            (usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024))


def tail(output, failures):
    lines = ["  failed: " + failure for failure in failures] or output.splitlines()[-5:]
    return "\n".join(lines)


def prove(root, harness, entry):
    command = cbmc(root) + CHECKS + NAMES + harness.options + ["-I", "."]
    status, failures, output, taken = run(command + ["--function", entry, harness.path] +
                                           harness.compiled)
    good = status == PROVED
    text = "proved" if good else "NOT PROVED (status %d)\n%s" % (status, tail(output, failures))
    return good, "%s: %s %s" % (harness.name, entry, text), taken


def twin_write(folder, sources, path, text, other):
    """Copies the folders of the sources, and puts `other` for `text`; False: it is not there once."""
    shutil.rmtree(folder, ignore_errors=True)
    for top in sorted({os.path.dirname(name) for name in sources + [path]}):
        shutil.copytree(top, os.path.join(folder, top),
                        ignore=lambda _, names: [n for n in names if not n.endswith((".c", ".h",
                                                                                     ".def"))],
                        dirs_exist_ok=True)
    with open(os.path.join(folder, path)) as file:
        source = file.read()
    if source.count(text) != 1:
        return False
    with open(os.path.join(folder, path), "w") as file:
        file.write(source.replace(text, other))
    return True


def refute(root, harness, number):
    entry, path, text, other = harness.twins[number]
    label = "%s: %s with `%s` for `%s`" % (harness.name, entry, other, text)
    folder = os.path.join("out", "verify", "%s-twin%d" % (harness.name, number))
    if not twin_write(folder, harness.sources, path, text, other):
        return False, "%s: FAILED, %s does not have it once" % (label, path), (0, 0)
    command = cbmc(root) + CHECKS + NAMES + harness.options + ["-I", folder, "-I", "."]
    sources = [os.path.join(folder, name) for name in harness.compiled]
    command += ["--function", entry, harness.path] + sources
    # The first failure is enough, and found several times faster than all of them; should it be a
    # loop that goes on, the others decide.
    status, failures, output, taken = run(command + ["--stop-on-fail"])
    failures = VIOLATED.findall(output)
    if status == REFUTED and failures and failures[0].startswith(UNWINDING):
        status, failures, output, taken = run(command)
    real = [failure for failure in failures if not failure.startswith(UNWINDING)]
    good = status == REFUTED and bool(real)
    text = "refuted" if good else "NOT REFUTED (status %d)\n%s" % (status, tail(output, failures))
    return good, "%s %s" % (label, text), taken


class Figures:
    """What a harness took: its proofs and its twins."""

    def __init__(self):
        self.proofs = self.twins = self.seconds = self.memory = 0

    def row(self, harness):
        return "| `%s` | %s | %d | %d | %d | %d |" % (
            harness.name, harness.bound, self.proofs, self.twins, round(self.seconds), self.memory)


def page_write(path, head, rows):
    """Puts the rows of the table behind its head, in the place of those that are there."""
    with open(path) as file:
        text = file.read()
    head += "|" + "---|" * (head.count("|") - 1) + "\n"
    before, after = text.split(head)
    while after.startswith("|"):
        after = after.split("\n", 1)[1]
    with open(path, "w") as file:
        file.write(before + head + "".join(row + "\n" for row in rows) + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--root", default=os.path.join("out", "roots", "cbmc"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--page")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(
        resource.RLIMIT_AS)[1]))
    names = options.names or sorted(name[:-2] for name in os.listdir("verify")
                                    if name.endswith(".c"))
    subprocess.run(["tools/private_root.sh", "cbmc", options.root], check=True)
    passed = failed = 0
    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        work = []
        for harness in [Harness(name, options.quick) for name in names]:
            work.append((harness,
                         [pool.submit(prove, options.root, harness, entry)
                          for entry in harness.entries] +
                         [pool.submit(refute, options.root, harness, number)
                          for number in range(len(harness.twins))]))
        for harness, jobs in work:
            figures = Figures()
            figures.proofs, figures.twins = len(harness.entries), len(harness.twins)
            if jobs:
                print("%s, bound: %s" % (harness.name, harness.bound))
            for job in jobs:
                good, text, (seconds, memory) = job.result()
                passed, failed = passed + good, failed + (not good)
                figures.seconds += seconds
                figures.memory = max(figures.memory, memory)
                print("  %s  %s (%.1f s, %d MB)" % ("PASS" if good else "FAIL", text, seconds,
                                                    memory), flush=True)
            rows.append(figures.row(harness))
    if options.page:
        page_write(options.page, PAGE_HEAD, rows)
    suite.finish("quick proofs" if options.quick else "proofs", passed, failed, options.result)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
