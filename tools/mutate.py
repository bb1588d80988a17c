#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Remove each refusal of the checked sources, one at a time, and see whether a test notices.

  mutate.py [--sample N] [--only TEXT] [--list] [--result FILE] [--score FILE]

A mutant is a branch that refuses (an `if` whose block returns an error) which is never taken, one
operand of its condition that counts as false, or one operand of a predicate's `return a && b` that
counts as true. They are found in the sources each time, so a new branch joins by itself.

All mutants of a source are compiled into it at once, each behind a question to mutant_is(N), in a
copy of the tree; the environment's MUTANT chooses one at run time. So the tests are built once. The
tests named after the mutant's file run first, all others after them; the first failure, crash or
timeout kills the mutant. A survivor must stand in tests/mutants/equivalent.txt with its reason: one
line `FILE FUNCTION KIND CONDITION # reason`; a line there that fits no survivor is an error too.

--sample N takes N mutants, evenly spread by the hash of their names, the same each time.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time

import suite

# What decides about authority and about user memory: every refusal in it must be seen by a test.
SOURCES = ("core/*.c", "kernel/dispatch/*.c", "kernel/mem/user_access.c")
EQUIVALENT = os.path.join("tests", "mutants", "equivalent.txt")
TREE = os.path.join("out", "mutants", "tree")
TIMEOUT_S = 60
MEMORY_BYTES = 4 << 30
REFUSAL = re.compile(
    r"return\s+(?:[^;]*\brefuse\w*\s*\(|[^;]*\b(?:TRANSPORT|STATUS|ELF|MANIFEST|MANIFEST_ERROR|LEDGER|"
    r"CAPN|BOOT|ACPI|EXCEPTION_REASON|RING_TAKE)_(?!OK\b|NONE\b|TAKE_ENTRY\b)[A-Z0-9_]+\s*;|false\s*;|NULL\s*;|"
    r"error\s*;|status\s*;)")
RETURN_AND = re.compile(r"\breturn\s+([^;]*&&[^;]*);")
FUNCTION = re.compile(r"^(?:[A-Za-z_][^;{}()=]*?)\b([a-z_0-9]+)\([^;{}]*\)\n\{", re.M)
HEADER = """
extern unsigned mutant_chosen;
__attribute__((weak)) unsigned mutant_chosen;
extern char *getenv(const char *);
extern unsigned long strtoul(const char *restrict, char **restrict, int);
__attribute__((constructor, unused)) static void mutant_choose(void)
{
    const char *text = getenv("MUTANT");
    if (text != 0) {
        mutant_chosen = (unsigned)strtoul(text, 0, 10);
    }
}
__attribute__((unused)) static inline _Bool mutant_is(unsigned number)
{
    return __builtin_expect(mutant_chosen == number, 0);
}
"""


def blank(text):
    """The source with comments, strings and characters blanked out, every offset kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def matching(text, start):
    """Offset behind the bracket that closes the one at `start`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    depth, opening, closing = 0, text[start], pairs[text[start]]
    for position in range(start, len(text)):
        if text[position] == opening:
            depth += 1
        elif text[position] == closing:
            depth -= 1
            if depth == 0:
                return position + 1
    raise ValueError("unbalanced %s at %d" % (opening, start))


def operands(text, start, end, operator):
    """(start, end) of the operands of a chain of `operator` that is the whole of text[start:end]."""
    parts, depth, begin, position = [], 0, start, start
    other = "&&" if operator == "||" else "||"
    while position < end:
        here = text[position]
        if here in "([{":
            depth += 1
        elif here in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(other, position) and operator == "&&":
            return []  # an && chain below an ||: no operand is the whole's
        elif depth == 0 and here == "?":
            return []
        elif depth == 0 and text.startswith(operator, position):
            parts.append((begin, position))
            position += 2
            begin = position
            continue
        position += 1
    parts.append((begin, end))
    return parts if len(parts) > 1 else []


class Mutant:
    def __init__(self, path, function, kind, text, span, value, line):
        self.path, self.function, self.kind, self.value, self.line = path, function, kind, value, line
        self.span = span
        self.condition = " ".join(text.split())
        self.number = 0

    def name(self):
        return "%s %s %s %s" % (self.path, self.function, self.kind, self.condition)


def trimmed(text, start, end):
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def invariant_functions(text, functions):
    """Functions of x_check(): those themselves and what only they call. What they find is our own
    mistake, no refusal."""
    ends = [begin for begin, _ in functions[1:]] + [len(text)]
    bodies = {name: text[begin:end] for (begin, name), end in zip(functions, ends)}
    checkers = {name for name, body in bodies.items()
                if name.endswith("_check") and re.match(r"(static )?unsigned\b", body)}
    grew = True
    while grew:
        grew = False
        for name, body in bodies.items():
            callers = {other for other, code in bodies.items()
                       if other != name and re.search(r"\b%s\b" % name, code)}
            if name not in checkers and body.startswith("static") and callers and callers <= checkers:
                checkers.add(name)
                grew = True
    return checkers


def find(path, source):
    """The mutants of one source."""
    text, found = blank(source), []
    functions = [(match.start(), match.group(1)) for match in FUNCTION.finditer(text)]
    checkers = invariant_functions(text, functions)

    def add(kind, start, end, value):
        start, end = trimmed(text, start, end)
        inside = [name for begin, name in functions if begin <= start]
        function = inside[-1] if inside else "?"
        if function in checkers:
            return
        found.append(Mutant(path, function, kind, source[start:end], (start, end), value,
                            source.count("\n", 0, start) + 1))

    for match in re.finditer(r"\bif \(", text):
        opening = match.end() - 1
        closing = matching(text, opening)
        rest = text[closing:closing + 2]
        if rest != " {":
            continue
        block = text[closing + 1:matching(text, closing + 1)]
        if not REFUSAL.search(block):
            continue
        add("never", opening + 1, closing - 1, "0")
        for start, end in operands(text, opening + 1, closing - 1, "||"):
            add("without", start, end, "0")
    for match in RETURN_AND.finditer(text):
        for start, end in operands(text, match.start(1), match.end(1), "&&"):
            add("granted", start, end, "1")
    return found


def instrument(source, mutants):
    """The source with every mutant's question in it. Spans nest: the inner ones are written first."""
    edits = []
    for mutant in mutants:
        start, end = mutant.span
        if mutant.value == "0":
            edits.append((start, end, "!mutant_is(%d) && (" % mutant.number, ")"))
        else:
            edits.append((start, end, "(mutant_is(%d) || (" % mutant.number, "))"))
    opens, closes = {}, {}
    for start, end, before, after in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        opens.setdefault(start, []).append("(" + before if not before.startswith("(") else before)
        closes.setdefault(end, []).insert(0, after + ")" if not before.startswith("(") else after)
    out = []
    for position, character in enumerate(source):
        out += closes.get(position, []) + opens.get(position, [])
        out.append(character)
    return "".join(out)


def tree_make(mutants):
    """A copy of the tree with the instrumented sources, its tests built. Returns its folder."""
    tree = os.path.join(suite.ROOT, TREE)
    kept = os.path.join(tree, "out")
    os.makedirs(tree, exist_ok=True)
    for name in os.listdir(tree):
        if name != "out":
            path = os.path.join(tree, name)
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
    for name in os.listdir(suite.ROOT):
        path = os.path.join(suite.ROOT, name)
        if name in ("out", ".git"):
            continue
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(tree, name), symlinks=True,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(path, os.path.join(tree, name))
    os.makedirs(kept, exist_ok=True)
    header = os.path.join(tree, "mutant.h")
    with open(header, "w") as file:
        file.write(HEADER)
    config = os.path.join(tree, "mk", "config.mk")
    with open(config) as file:
        text = file.read()
    with open(config, "w") as file:
        file.write(text.replace("-Werror", "-w"))
    by_path = {}
    for mutant in mutants:
        by_path.setdefault(mutant.path, []).append(mutant)
    for path, own in by_path.items():
        with open(os.path.join(suite.ROOT, path)) as file:
            source = file.read()
        with open(os.path.join(tree, path), "w") as file:
            file.write('#include "mutant.h"\n#line 1\n' + instrument(source, own))
    command = ["make", "-s", "SETUP=no", "-j%d" % os.cpu_count(), "host-tests"]
    result = subprocess.run(command, cwd=tree, env=suite.make_environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        sys.exit("mutate: the instrumented tree does not build:\n" +
                 result.stdout.decode(errors="replace")[-4000:])
    return tree


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_S, TIMEOUT_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def passes(program, number):
    """Whether the test program passes with mutant `number` alive (0: none)."""
    environment = dict(os.environ, MUTANT=str(number))
    try:
        return subprocess.run([program], cwd=os.path.join(suite.ROOT, TREE), env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=TIMEOUT_S,
                              preexec_fn=limits).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def tests_of(tree):
    """Test programs with the seconds each takes, and for each source those that name it."""
    folder = os.path.join(tree, "out", "host", "tests")
    programs = {}
    for name in sorted(os.listdir(folder)):
        program = os.path.join(folder, name)
        if not name.endswith("_test") or not os.access(program, os.X_OK):
            continue
        started = time.monotonic()
        if not passes(program, 0):
            sys.exit("mutate: %s fails without any mutant" % name)
        programs[name] = (program, time.monotonic() - started)
    return programs


def order(mutant, programs):
    """Test programs, the likeliest killers first."""
    stem = os.path.splitext(os.path.basename(mutant.path))[0]

    def rank(item):
        name, (_, seconds) = item
        with open(os.path.join(suite.ROOT, "tests", "host", name + ".c")) as file:
            text = file.read()
        near = name == stem + "_test"
        included = '"%s.h"' % os.path.splitext(mutant.path)[0] in text
        kernel = mutant.path.startswith("kernel/") and name.startswith("machine_")
        return (not near, not (included or kernel), seconds)

    return sorted(programs.items(), key=rank)


def judge(mutant, programs):
    """The name of the test that kills the mutant; None: it survives."""
    for name, (program, _) in order(mutant, programs):
        if not passes(program, mutant.number):
            return name
    return None


def equivalents():
    reasons = {}
    path = os.path.join(suite.ROOT, EQUIVALENT)
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                line = line.strip()
                if line and not line.startswith("#"):
                    name, _, reason = line.partition(" # ")
                    if not reason:
                        sys.exit("mutate: %s: a line without a reason: %s" % (EQUIVALENT, line))
                    reasons[name] = reason
    return reasons


def all_mutants(only):
    import glob
    mutants = []
    for pattern in SOURCES:
        for path in sorted(glob.glob(os.path.join(suite.ROOT, pattern))):
            relative = os.path.relpath(path, suite.ROOT)
            with open(path) as file:
                mutants += find(relative, file.read())
    for number, mutant in enumerate(mutants, 1):
        mutant.number = number
    return [mutant for mutant in mutants if only in mutant.name()], mutants


def sampled(mutants, count):
    keyed = sorted(mutants, key=lambda mutant: hashlib.sha256(mutant.name().encode()).digest())
    return sorted(keyed[:count], key=lambda mutant: mutant.number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--result")
    parser.add_argument("--score", help="leaves the score in this file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    chosen, everything = all_mutants(options.only)
    if options.list:
        for mutant in chosen:
            print("%s:%d %s" % (mutant.path, mutant.line, mutant.name()))
        print("%d mutants" % len(chosen))
        return 0
    if options.sample:
        chosen = sampled(chosen, options.sample)
    programs = tests_of(tree_make(everything))
    reasons, used, killed, survivors = equivalents(), set(), 0, []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for mutant, killer in zip(chosen, pool.map(lambda one: judge(one, programs), chosen)):
            if killer is not None:
                killed += 1
            elif mutant.name() in reasons:
                used.add(mutant.name())
            else:
                survivors.append(mutant)
                print("  SURVIVES  %s:%d  %s" % (mutant.path, mutant.line, mutant.name()), flush=True)
    stale = []
    if not options.sample and not options.only:
        stale = sorted(set(reasons) - used)
        for name in stale:
            print("  STALE  %s: no such survivor: %s" % (EQUIVALENT, name))
    print("mutants: %d of %d killed, %d equivalent, %d survive" %
          (killed, len(chosen), len(used), len(survivors)))
    if options.score:
        with open(options.score, "w") as file:
            json.dump({"mutants": len(chosen), "killed": killed, "equivalent": len(used),
                       "survivors": [mutant.name() for mutant in survivors]}, file, indent=1)
    suite.finish("mutants", killed + len(used), len(survivors) + len(stale), options.result)
    return 1 if survivors or stale else 0


if __name__ == "__main__":
    sys.exit(main())
