#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure which branches of core/ the tests and the fuzz targets take.

  coverage.py --out FOLDER --accepted FILE [--only dispatch|all] [--list] [--tests P...] [--fuzzers P...]

Two sets: `dispatch` is the dispatcher's fuzz target on its corpus, `all` is every host test and every
fuzz target on its corpus. A branch is a condition and one of its two sides; a condition that several
copies of an inline function have counts as taken if one of them took it. Conditions inside ASSERT()
are left out, by their place in the source, and counted apart: one side of each is a panic.

Per set and module (NAME.c with NAME.h) the share of branches taken is printed. It fails when
  - a module that the set is held to is below 95 %,
  - a branch of such a module was not taken and FILE does not list it with a reason,
  - FILE lists a branch that was taken or that is not there.
A line of FILE:  SET FILE FUNCTION SIDE `CONDITION`[#N]: REASON   (N: the Nth such one, from 2)
                 SET FILE FUNCTION uncalled: REASON
                 SET FILE FUNCTION check: REASON
                 SET MODULE floor N: REASON   (a module that does not reach 95 % yet, and must not fall below N)
A REASON that begins with "unreachable" leaves its branch out of the share: the set cannot take it.
An uncalled function is never called by the set (looked at), a check says which invariant is broken, so
that one side of each of its conditions is a finding. Both are left out of the shares and counted apart;
every x_check(), which returns a number as `unsigned`, is a check without being listed.
--list prints the lines for what was not taken.
"""
import argparse
import collections
import glob
import json
import os
import re
import subprocess
import sys

FLOOR = 95.0
DISPATCH_MODULES = ("cap_table", "cap_slot", "hold_edge", "grant", "ledger", "ring", "endpoint", "transfer")
EXPANSION = 1
LINE = re.compile(r"^(?:dispatch|all) \S+ \S+ (?:(?:true|false) `.*`(?:#\d+)?|uncalled|check|\d+): (\S.*)$")
GRACE_S = 300


def run(programs, folder, arguments):
    """Runs each program; its profiles lie in the folder."""
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(os.path.join(folder, "*.profraw")):
        os.remove(old)
    for program in programs:
        name = os.path.basename(program)
        environment = dict(os.environ, LLVM_PROFILE_FILE=os.path.join(folder, name + "-%p.profraw"))
        result = subprocess.run([program] + arguments(name), env=environment, timeout=GRACE_S,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        if result.returncode != 0:
            sys.stdout.buffer.write(result.stdout[-4000:])
            sys.exit("coverage: %s ended with %d" % (program, result.returncode))


def merged(folders, path):
    raw = [file for folder in folders for file in sorted(glob.glob(os.path.join(folder, "*.profraw")))]
    with open(path + ".list", "w", encoding="utf-8") as file:
        file.write("".join(name + "\n" for name in raw))
    subprocess.run(["llvm-profdata-14", "merge", "-sparse", "-f", path + ".list", "-o", path],
                   check=True)
    return path


def exported(programs, profile):
    objects = [word for program in programs[1:] for word in ("-object", program)]
    result = subprocess.run(["llvm-cov-14", "export", "-skip-expansions", "-instr-profile=" + profile,
                             programs[0]] + objects, check=True, stdout=subprocess.PIPE)
    return json.loads(result.stdout)["data"][0]["functions"]


class Source:
    """Text of a file by places, lines and columns counted from 1."""
    texts = {}

    @classmethod
    def text(cls, path, begin, end):
        if path not in cls.texts:
            with open(path, encoding="utf-8") as file:
                cls.texts[path] = file.read().split("\n")
        lines = cls.texts[path]
        if begin[0] == end[0]:
            return lines[begin[0] - 1][begin[1] - 1:end[1] - 1]
        middle = [lines[begin[0] - 1][begin[1] - 1:]] + lines[begin[0]:end[0] - 1] + \
            [lines[end[0] - 1][:end[1] - 1]]
        return " ".join(line.strip() for line in middle)


    @classmethod
    def call(cls, path, begin, end):
        """The text of a macro's use: its name, which is what [begin, end) holds, with its arguments."""
        text = cls.text(path, begin, end)
        if "(" in text:
            return text
        rest = cls.text(path, end, (min(end[0] + 12, len(cls.texts[path])), 1))
        if not rest.startswith("("):
            return text
        depth = 0
        for at, letter in enumerate(rest):
            depth += (letter == "(") - (letter == ")")
            if depth == 0:
                return text + rest[:at + 1]
        return text


def relative(path):
    return os.path.relpath(path) if os.path.isabs(path) else os.path.normpath(path)


def branches_of(function):
    """(file, place, text, in an assertion, true count, false count) of each condition."""
    files = [relative(name) for name in function["filenames"]]
    parent = {}
    for region in function["regions"]:
        if region[7] == EXPANSION:
            parent[region[6]] = region
    seen = collections.Counter()
    for branch in function["branches"]:
        begin, end, at = tuple(branch[0:2]), tuple(branch[2:4]), branch[6]
        asserted = False
        while at in parent:
            begin, end = tuple(parent[at][0:2]), tuple(parent[at][2:4])
            at = parent[at][5]
            word = Source.text(files[at], begin, end)
            asserted = asserted or word.startswith("ASSERT")
        path = files[at]
        if not path.startswith("core/"):
            continue
        place = (begin, end)
        seen[path, place] += 1
        yield path, place + (seen[path, place],), Source.call(path, begin, end), asserted, \
            branch[4], branch[5]


def taken(functions):
    """{(file, place): [function, text, asserted, true count, false count]}"""
    found = {}
    for function in functions:
        name = function["name"].split(":")[-1]
        for path, place, text, asserted, true, false in branches_of(function):
            entry = found.setdefault((path, place), [name, text, asserted, 0, 0])
            entry[3] += true
            entry[4] += false
    return found


def module_of(path):
    return os.path.splitext(os.path.basename(path))[0]


def checks_of_core():
    """The names of all x_check(): NAME_check that returns the number of what is broken."""
    names = set()
    for path in glob.glob("core/*.[ch]"):
        with open(path, encoding="utf-8") as file:
            names.update(re.findall(r"\bunsigned (\w+_check)\(", file.read()))
    return names


class Verdict:
    def __init__(self, accepted):
        self.accepted = accepted
        self.checks = checks_of_core()
        self.used = set()
        self.problems = []
        self.listing = []

    def missed(self, name, path, entries):
        """The names of the branches of one file that were not taken, as the list of accepted has them."""
        counts = collections.Counter()
        for place in sorted(entries):
            function, text, _, true, false = entries[place]
            counts[function, text] += 1
            number = counts[function, text]
            for side, count in (("true", true), ("false", false)):
                if count == 0:
                    yield place[0][0], "%s %s %s %s `%s`%s" % (
                        name, path, function, side, text, "#%d" % number if number > 1 else "")

    def left_out(self, name, path, function):
        """Whether a function's branches are not looked at, by its name or by the list."""
        if function in self.checks:
            return True
        for kind in ("uncalled", "check"):
            line = "%s %s %s %s" % (name, path, function, kind)
            if line in self.accepted:
                self.used.add(line)
                return True
        return False

    def floor(self, name, module):
        for text in self.accepted:
            if text.startswith("%s %s floor " % (name, module)):
                self.used.add(text)
                return float(text.split(" ")[3])
        return FLOOR

    def judge(self, name, found, modules):
        """Prints the table of one set."""
        by_module = collections.defaultdict(lambda: [0, 0, 0, 0, 0])
        by_file = collections.defaultdict(dict)
        for (path, place), entry in found.items():
            row = by_module[module_of(path)]
            if entry[2]:
                row[2] += 1
            elif self.left_out(name, path, entry[0]):
                row[3] += 1
                line = "%s %s %s uncalled" % (name, path, entry[0])
                if line in self.accepted and entry[3] + entry[4] > 0:
                    self.problems.append("listed as uncalled, but called: %s %s" % (path, entry[0]))
            else:
                by_file[path][place] = entry
                row[0] += (entry[3] > 0) + (entry[4] > 0)
                row[1] += 2
        for path in by_file:
            for _, text in self.missed(name, path, by_file[path]):
                if self.accepted.get(text, "").startswith("unreachable"):
                    by_module[module_of(path)][1] -= 1
                    by_module[module_of(path)][4] += 1
        total = [sum(row[i] for row in by_module.values()) for i in range(5)]
        print("branches of core/ taken by %s:" % name)
        for module, row in sorted(by_module.items()) + [("core/", total)]:
            if row[1] == 0 or (modules is not None and module not in modules):
                continue
            share = 100.0 * row[0] / row[1]
            print("  %-16s %5d of %5d  %6.2f %%  (left out: %d conditions in assertions, %d in "
                  "functions, %d unreachable sides)" %
                  (module, row[0], row[1], share, row[2], row[3], row[4]))
            floor = self.floor(name, module)
            if share < floor:
                self.problems.append("%s: %s has %.2f %% of its branches taken, below %.0f %%" %
                                     (name, module, share, floor))
        for path in sorted(by_file):
            if modules is not None and module_of(path) not in modules:
                continue
            for line, text in self.missed(name, path, by_file[path]):
                self.listing.append(text)
                if text in self.accepted:
                    self.used.add(text)
                else:
                    self.problems.append("not taken and not listed: %s:%d: %s" % (path, line, text))

    def finish(self, sets):
        for text in self.accepted:
            if text.split(" ", 1)[0] in sets and text not in self.used:
                self.problems.append("listed, but taken or not there: %s" % text)


def accepted_read(path):
    found = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                match = LINE.match(line)
                if match is None:
                    sys.exit("%s:%d: no line of this list" % (path, number))
                found[line[:match.start(1) - 2]] = match.group(1)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--accepted", required=True)
    parser.add_argument("--only", choices=("dispatch", "all"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--tests", nargs="*", default=[])
    parser.add_argument("--fuzzers", nargs="*", default=[])
    options = parser.parse_args()
    dispatch = [program for program in options.fuzzers if os.path.basename(program) == "dispatch"]
    others = [program for program in options.fuzzers if program not in dispatch]
    verdict = Verdict(accepted_read(options.accepted))
    sets = [options.only] if options.only else ["dispatch", "all"]
    raw = os.path.join(options.out, "raw")

    def corpus(name):
        folder = os.path.join("fuzz", "corpus", name)
        return ["-runs=0", "-rss_limit_mb=2048"] + ([folder] if os.path.isdir(folder) else [])

    run(dispatch, os.path.join(raw, "dispatch"), corpus)
    if "dispatch" in sets:
        profile = merged([os.path.join(raw, "dispatch")], os.path.join(options.out, "dispatch.profdata"))
        verdict.judge("dispatch", taken(exported(dispatch, profile)), DISPATCH_MODULES)
    if "all" in sets:
        run(others, os.path.join(raw, "fuzzers"), corpus)
        run(options.tests, os.path.join(raw, "tests"), lambda name: [])
        profile = merged([os.path.join(raw, folder) for folder in ("dispatch", "fuzzers", "tests")],
                         os.path.join(options.out, "all.profdata"))
        verdict.judge("all", taken(exported(dispatch + others + options.tests, profile)), None)
    verdict.finish(sets)
    if options.list:
        print("\n".join(verdict.listing))
    else:
        for problem in verdict.problems:
            print("coverage: " + problem)
    print("coverage: %d branches accepted as not taken, %d problems" %
          (len(verdict.used), len(verdict.problems)))
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
