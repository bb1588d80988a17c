#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prove the contracts of verify/wp/ with Frama-C's WP and Z3, and see that their twins are not.

  prove_wp.py [--jobs N] [--quick] [--result FILE] [--page FILE] [NAME]...
                            NAME: a file of verify/wp/ without .c; N proofs and twins at a time;
                            --quick: no twins; --page: puts the figures into a table there

The proofs have no bound: WP turns a function and its contract into formulas for all values at once.
The first comment of a harness says what to do with it, as for tools/prove.py:

  wp: FILE...               the sources under proof, which the harness includes
  inline: FUNCTION,...      small functions that are taken as their text
  model: MODEL              WP's memory model, when it is not Typed
  solver: patterns          Z3 follows the patterns of quantifiers only, and looks for no models of
                            them: quicker, also with what is false, but not for recursive predicates;
                            split: each conjunct is a goal of its own
  prove: FUNCTION...        whose contracts are proved, and that nothing undefined happens in them
  eager: FUNCTION...        which another way of Z3 proves than that of `patterns`
  twin: FUNCTION | FILE | TEXT | OTHER
                            with OTHER for TEXT in a copy of FILE the contract is no longer proved;
                            FUNCTION:NAME asks for what its contract or text names so alone, with
                            as many steps as the proof has

A twin that is not proved is not refuted thereby, as it is with CBMC; but what is proved of it too
would prove nothing.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

import prove
import suite

FOLDER = os.path.join("verify", "wp")
PAGE_HEAD = "| contracts | goals | twins | s | MB |\n"
CONFIG = os.path.join("out", "verify", "why3.conf")
TIMEOUT_S = 1800
# A function is proved from the contracts of others, whoever proves those; a Frama-C makes the formulas
# of its functions one after another.
PART = 2
# For one goal, in steps of Z3, which are the same on any machine. Most of those that are true take half
# a million at most, the hardest 13 million; where one of those is to fail, its twin names it. A false
# one of other twins is given up at a million. The time only ends what hangs.
GOAL_STEPS = 20_000_000
TWIN_GOAL_STEPS = 1_000_000
GOAL_S = 300
# What Why3 would write of the Z3 that is there, but for the options. To the eager one an instance that
# follows from many others costs no more than another.
PATTERNS = os.path.join("out", "verify", "why3-patterns.conf")
PATTERNS_HEAD = """[main]
magic = 14
memlimit = 1000
"""
PATTERNS_PROVER = """
[prover]
name = "Z3"
version = "%(version)s"
alternative = "%(name)s"
driver = "z3_471"
shortcut = "%(name)s"
editor = ""
in_place = false
interactive = false
command = "%(z3)s -T:%%t %%f"
command_steps = "%(z3)s rlimit=%%S %%f"
"""
Z3 = ("z3 -smt2 -st sat.random_seed=42 nlsat.randomize=false smt.random_seed=42 smt.mbqi=false "
      "auto_config=false smt.arith.solver=2")
PROVERS = {"patterns": Z3, "eager": Z3 + " smt.qi.eager_threshold=100"}
GOALS = re.compile(r"Proved goals:\s+(\d+) / (\d+)")
FAILED = re.compile(r"Goal (\S+) : (?:Failed|Timeout|Unknown|Stepout)")


def names():
    return sorted(name[:-2] for name in os.listdir(FOLDER) if name.endswith(".c"))


class Contracts:
    def __init__(self, name):
        self.path = os.path.join(FOLDER, name + ".c")
        self.name, self.sources, self.inline, self.functions, self.twins = name, [], [], [], []
        self.model, self.solver, self.eager = ["Typed"], [], []
        with open(self.path) as file:
            comment = file.read().split("*/\n#", 1)[0]
        comment = comment.replace("\n *     | ", prove.BAR).replace("\n *     ", " ")
        for key, value in re.findall(r"^ \* (wp|inline|model|solver|prove|eager|twin): (.*)$", comment, re.M):
            if key == "twin":
                first, *rest = value.split(prove.BAR)
                self.twins.append([part.strip() for part in first.split(" | ") + rest])
            elif key == "model":
                self.model = value.split()
            else:
                {"wp": self.sources, "solver": self.solver, "inline": self.inline,
                 "prove": self.functions, "eager": self.eager}[key].extend(value.split())
        if not set(self.eager) <= set(self.functions) or self.eager and "patterns" not in self.solver:
            raise ValueError("%s: eager: is for what is proved with patterns" % self.path)
        if not set(self.solver) <= {"patterns", "split"}:
            raise ValueError("%s: an unknown solver: %s" % (self.path, self.solver))
        if not self.sources or not self.functions or not self.twins:
            raise ValueError("%s: wants wp:, prove: and twin: lines" % self.path)
        for twin in self.twins:
            if len(twin) != 4 or twin[0].partition(":")[0] not in self.functions:
                raise ValueError("%s: a twin has four parts, the first to prove: %s" %
                                 (self.path, twin))


def goals(contracts, functions, folder=".", steps=GOAL_STEPS, named=""):
    """(how many goals were proved, of how many, what was not, seconds and MB); `named`: of these."""
    config, prover = CONFIG, "z3"
    if "patterns" in contracts.solver:
        config, prover = PATTERNS, "eager" if set(functions) & set(contracts.eager) else "patterns"
    command = ["env", "WHY3CONFIG=" + config, "timeout", str(TIMEOUT_S), "frama-c",
               "-c11", "-machdep", "gcc_x86_64",
               # -iquote, because Frama-C puts -I. first.
               "-cpp-extra-args=-iquote verify/shim -iquote %s -iquote ." % folder,
               "-wp", "-wp-rte", "-wp-model", *contracts.model, "-wp-prover", prover,
               "-wp-timeout", str(GOAL_S), "-wp-steps", str(steps), "-wp-par", "1",
               "-wp-fct", ",".join(functions)]
    if named:
        command += ["-wp-prop=" + named]
    if "split" in contracts.solver:
        command += ["-wp-split"]
    if contracts.inline:
        command += ["-inline-calls", ",".join(contracts.inline)]
    status, _, output, taken = prove.run(command + [contracts.path])
    found = GOALS.search(output)
    if status != 0 or not found:
        return 0, 0, output.splitlines()[-5:], taken
    return int(found.group(1)), int(found.group(2)), FAILED.findall(output), taken


def configure():
    version = subprocess.run(["z3", "--version"], check=True, text=True, stdout=subprocess.PIPE)
    os.makedirs(os.path.dirname(CONFIG), exist_ok=True)
    with open(PATTERNS, "w") as file:
        file.write(PATTERNS_HEAD)
        for name, z3 in PROVERS.items():
            file.write(PATTERNS_PROVER % {"version": version.stdout.split()[2], "name": name,
                                          "z3": z3})
    subprocess.run(["why3", "config", "detect"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=dict(os.environ, WHY3CONFIG=CONFIG))


def parts(contracts):
    """The functions of a file in groups, which are proved side by side."""
    usual = [function for function in contracts.functions if function not in contracts.eager]
    return [[one] for one in contracts.eager] + [usual[i:i + PART] for i in range(0, len(usual), PART)]


def proof(contracts, functions):
    """(whether all is proved, of how many goals, what to say, seconds and MB)."""
    done, of, missing, taken = goals(contracts, functions)
    return of > 0 and done == of, of, "%s: %s: %d of %d goals proved%s" % (
        contracts.name, " ".join(functions), done, of,
        "".join("\n    " + line for line in missing)), taken


def refutation(contracts, number):
    """(whether the proof notices the twin, of how many goals, what to say, seconds and MB)."""
    function, path, text, other = contracts.twins[number]
    label = "%s: %s with `%s` for `%s`" % (contracts.name, function, other, text)
    folder = os.path.join("out", "verify", "wp-%s-twin%d" % (contracts.name, number))
    if not prove.twin_write(folder, contracts.sources, path, text, other):
        return False, 0, label + ": the text is not there once", (0, 0)
    function, _, named = function.partition(":")
    done, of, missing, taken = goals(contracts, [function], folder,
                                     GOAL_STEPS if named else TWIN_GOAL_STEPS, named)
    return ((done > 0 or bool(named)) and done < of, of,
            "%s: %d of %d goals, so it is noticed" % (label, done, of), taken)


def row(contracts, of, taken):
    """What the contracts of a file took: their proof and its twins."""
    seconds, memory = zip(*taken)
    return "| `%s` | %d | %d | %d | %d |" % (contracts.name, of, len(contracts.twins),
                                           round(sum(seconds)), max(memory))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    # Half of its time a Frama-C waits: for its provers, and for why3's server.
    parser.add_argument("--jobs", type=int, default=2 * os.cpu_count())
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--page")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    configure()
    passed = failed = 0
    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        work = []
        # From the last: those of the table take longest, and what is long is not begun at the end.
        for contracts in reversed([Contracts(name) for name in options.names or names()]):
            work.append((contracts,
                         [pool.submit(proof, contracts, functions)
                          for functions in parts(contracts)] +
                         [pool.submit(refutation, contracts, number)
                          for number in range(len(contracts.twins)) if not options.quick]))
        for contracts, jobs in reversed(work):
            for job in jobs:
                good, _, text, taken = job.result()
                passed, failed = passed + good, failed + (not good)
                print("  %s  %s (%.1f s, %d MB)" % (("PASS" if good else "FAIL", text) + taken),
                      flush=True)
            rows.append(row(contracts, sum(job.result()[1] for job in jobs[:len(parts(contracts))]),
                            [job.result()[3] for job in jobs]))
    if options.page:
        prove.page_write(options.page, PAGE_HEAD, rows)
    suite.finish("unbounded proofs" + (", without twins" if options.quick else ""), passed, failed, options.result)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
