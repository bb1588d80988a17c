#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Take each refusal of the checked sources away, one at a time, and see whether a test notices.

  mutate.py [--only TEXT] [--list] [--score FILE] [--result FILE]       all, or those named so
  mutate.py --sample N [--result FILE]                                  N of them, by the tree
  mutate.py --steps [--only TEXT] [--list]        what refuses nothing, instead: of core/, or named so

tools/mutants.py says what a mutant is. All mutants of a source are compiled into it at once, in a
copy of the tree, so the tests are built once; the environment's MUTANT chooses one at run time.

First every test runs without a mutant and notes which ones it reaches; only these tests are asked
about a mutant, the last killer first. The first failure, crash or hang kills it. What no test
reaches survives unasked. A survivor must stand in tests/mutants/equivalent.txt with its reason: one
line `FILE FUNCTION KIND CONDITION # reason`; a line there that fits no survivor is an error too.

A whole run writes tests/mutants/killed.txt (for each mutant, the test that sees it) and
tests/mutants/score.txt. A sample takes the mutants that are in neither list, which are new, and N
others, of each source in turn, chosen by the digest of all sources.

--steps asks about the steps of tools/mutant_steps.py. Those that may go stand in
tests/mutants/steps.txt, a line as in equivalent.txt, and are not asked; nothing else is written.
"""
import argparse
import concurrent.futures
import filecmp
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import mutant_steps
import mutants
import suite

FOLDER = os.path.join("tests", "mutants")
EQUIVALENT = os.path.join(FOLDER, "equivalent.txt")
KILLED = os.path.join(FOLDER, "killed.txt")
SCORE = os.path.join(FOLDER, "score.txt")
STEPS = os.path.join(FOLDER, "steps.txt")
TREE = os.path.join("out", "mutants")
TESTS = os.path.join("out", "host", "tests")
# The simulator is two tests more: what needs two CPUs at a bad moment, or memory that is used up; and
# what the short ways do that the long ones do not.
HUNT = "out/sim/hunt"
SIM = {"sim": (HUNT, "--seed", "1", "--steps", "400", "--runs", "140"),
       "twin": (HUNT, "--twin", "--seed", "1", "--steps", "40", "--runs", "60")}
# Processor time of a test under a mutant, over that without: beyond it hangs.
LIMIT_S = 3
LIMIT_FACTOR = 4
IDLE_S = 20
MEMORY_BYTES = 4 << 30
RUNNING = re.compile(rb"^\[ RUN      \] (\w+)", re.M)
SEED = re.compile(rb"^seed (\d+)", re.M)
FAILED = re.compile(rb"^\[  FAILED  \] (\w+)", re.M)


# ---- the tree ------------------------------------------------------------------------------------

def write(path, text):
    """Writes only what differs, so that make builds only that."""
    if os.path.exists(path):
        with open(path) as file:
            if file.read() == text:
                return
    with open(path, "w") as file:
        file.write(text)


def copy(source, target):
    """Makes `target` what `source` is. A new file keeps its time, so that what is built of it stays
    built; a changed one is of now."""
    if os.path.islink(source):
        if not os.path.lexists(target):
            os.symlink(os.readlink(source), target)
    elif not os.path.exists(target):
        shutil.copy2(source, target)
    elif not filecmp.cmp(source, target, shallow=False):
        shutil.copyfile(source, target)


def mirror(tree, instrumented):
    """The sources of this tree in `tree`, but for the instrumented ones; what is gone goes there."""
    for folder, folders, files in os.walk(suite.ROOT):
        relative = os.path.relpath(folder, suite.ROOT)
        if relative == ".":
            folders[:] = [name for name in folders if name not in ("out", ".git")]
        folders[:] = [name for name in folders if name != "__pycache__"]
        target = os.path.normpath(os.path.join(tree, relative))
        os.makedirs(target, exist_ok=True)
        for name in files:
            path = os.path.normpath(os.path.join(relative, name))
            if path not in instrumented:
                copy(os.path.join(folder, name), os.path.join(target, name))
        for name in os.listdir(target):
            path = os.path.normpath(os.path.join(relative, name))
            gone = not os.path.lexists(os.path.join(suite.ROOT, path)) and path not in instrumented
            if gone and path not in ("out", ".git"):
                path = os.path.join(tree, path)
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) \
                    else os.remove(path)


def tree_make(name, mutated, targets):
    """A copy of the tree with the instrumented sources, `targets` built. Returns its folder."""
    tree = os.path.join(suite.ROOT, TREE, name)
    sources = {mutant.path for mutant in mutated}
    fresh = not os.path.exists(os.path.join(tree, "out", "host"))
    mirror(tree, sources | {mutants.CHOOSER, "mutant.h"})
    for path in sources:
        with open(os.path.join(suite.ROOT, path)) as file:
            source = file.read()
        write(os.path.join(tree, path),
              mutants.instrument(source, [mutant for mutant in mutated if mutant.path == path]))
    write(os.path.join(tree, "mutant.h"), mutants.HEADER)
    write(os.path.join(tree, mutants.CHOOSER), mutants.CHOICE)
    if fresh:  # what is built already and meets no mutant need not be built again
        for name in ("host", "host-user", "sim"):
            built = os.path.join(suite.ROOT, "out", name)
            if os.path.exists(built):
                shutil.copytree(built, os.path.join(tree, "out", name), symlinks=True)
    # With the name of this folder, so that what is copied counts as built in the same way.
    command = ["make", "-s", "SETUP=no", "CURDIR=" + suite.ROOT, "-j%d" % os.cpu_count()] + targets
    result = subprocess.run(command, cwd=tree, env=suite.make_environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        sys.exit("mutate: the instrumented tree does not build:\n" +
                 result.stdout.decode(errors="replace")[-4000:])
    return tree


# ---- running a test ------------------------------------------------------------------------------

def group_kill(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Test:
    """A test program. `reached`: the numbers of the mutants that it meets; `seconds`: its time."""

    def __init__(self, tree, name):
        self.tree, self.name = tree, name
        self.reached, self.seconds = set(), 1.0  # of a processor

    def run(self, limit_s, **environment):
        """(whether it passed, the case that failed, its output)"""
        def limits():
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        with tempfile.TemporaryFile() as out:
            command = SIM.get(self.name) or [os.path.join(TESTS, self.name)]
            process = subprocess.Popen(command, cwd=self.tree, stdout=out,
                                       stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                       env=dict(os.environ, CMOCKA_TEST_ABORT="1", **environment),
                                       preexec_fn=limits)
            watchdog = threading.Timer(limit_s * 4 + IDLE_S, group_kill, [process.pid])
            watchdog.start()
            _, status, usage = os.wait4(process.pid, 0)
            watchdog.cancel()
            process.returncode = status
            group_kill(process.pid)
            out.seek(0)
            text = out.read(1 << 20)
        cases = FAILED.findall(text) or RUNNING.findall(text)[-1:] or SEED.findall(text)
        self.used = usage.ru_utime + usage.ru_stime
        return status == 0, cases[0].decode() if cases else "main", text.decode(errors="replace")

    def learn(self):
        """Runs it without a mutant: what it reaches and how long it takes."""
        with tempfile.NamedTemporaryFile() as seen:
            seen.truncate(mutants.NUMBERS)
            passed, case, text = self.run(600, MUTANT_SEEN=seen.name)
            self.seconds = self.used
            if not passed:
                sys.exit("mutate: %s fails in %s without any mutant:\n%s" %
                         (self.name, case, text[-2000:]))
            data = seen.read()
        at = data.find(1)
        while at >= 0:
            self.reached.add(at)
            at = data.find(1, at + 1)

    def kills(self, mutant):
        """The case that fails with the mutant alive; None: all pass."""
        passed, case, _ = self.run(int(LIMIT_S + LIMIT_FACTOR * self.seconds),
                                   MUTANT=str(mutant.number))
        return None if passed else case


def tests_learn(tree, names, jobs):
    tests = [Test(tree, name) for name in names]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(Test.learn, tests))
    return tests


def judge(mutant, tests, killer):
    """"TEST.CASE" of the test that kills the mutant; None: it survives."""
    stem = os.path.splitext(os.path.basename(mutant.path))[0]
    near = [test for test in tests if mutant.number in test.reached]
    near.sort(key=lambda test: (test.name != killer,
                                test.seconds / (4 if test.name == stem + "_test" else 1)))
    for test in near:
        case = test.kills(mutant)
        if case is not None:
            return "%s.%s" % (test.name, case)
    return None


# ---- the lists -----------------------------------------------------------------------------------

def lines_of(path):
    path = os.path.join(suite.ROOT, path)
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def equivalents(path=EQUIVALENT):
    """{name: reason}"""
    reasons = {}
    for line in lines_of(path):
        name, _, reason = line.partition(" # ")
        if not reason:
            sys.exit("mutate: %s: a line without a reason: %s" % (path, line))
        reasons[name.strip()] = reason
    return reasons


def killers():
    """{name: "TEST.CASE"}"""
    return dict(reversed(line.split(" ", 1)) for line in lines_of(KILLED))


def score_lines(everything, killed, same):
    """The score by file."""
    rows, total = [], [0, 0, 0, 0]
    for path in sorted({mutant.path for mutant in everything}):
        names = [mutant.name() for mutant in everything if mutant.path == path]
        row = [len(names), sum(name in killed for name in names), sum(name in same for name in names)]
        row.append(row[0] - row[1] - row[2])
        total = [one + other for one, other in zip(total, row)]
        rows.append("%-32s %5d %5d %5d %5d" % (path, *row))
    head = "# %-30s %5s %5s %5s %5s" % ("file", "all", "dead", "same", "alive")
    return [head] + rows + ["%-32s %5d %5d %5d %5d" % ("all", *total)]


def lists_write(everything, killed, same):
    with open(os.path.join(suite.ROOT, KILLED), "w") as file:
        file.write("# SPDX-License-Identifier: MIT\n"
                   "# Written by tools/mutate.py: TEST.CASE that sees the loss, and the mutant.\n")
        for mutant in everything:
            if mutant.name() in killed:
                file.write("%s %s\n" % (killed[mutant.name()], mutant.name()))
    with open(os.path.join(suite.ROOT, SCORE), "w") as file:
        file.write("# SPDX-License-Identifier: MIT\n"
                   "# Written by tools/mutate.py: mutants, killed by a test, the same as the "
                   "original, survivors.\n")
        file.write("\n".join(score_lines(everything, killed, same)) + "\n")


def sampled(everything, count, known):
    """The new ones, and `count` others: of each source in turn, by the digest of all of them."""
    digest = hashlib.sha256()
    for mutant in everything:
        digest.update(mutant.name().encode())
    tree = digest.digest()

    def place(text):
        return hashlib.sha256(tree + text.encode()).digest()

    new = [mutant for mutant in everything if mutant.name() not in known]
    by_path = {}
    for mutant in everything:
        if mutant.name() in known and not mutant.path.endswith(".h"):
            by_path.setdefault(mutant.path, []).append(mutant)
    queues = [sorted(own, key=lambda mutant: place(mutant.name())) for _, own in
              sorted(by_path.items(), key=lambda item: place(item[0]))]
    chosen = []
    while queues and len(chosen) < count:
        chosen += [queue.pop() for queue in queues][:count - len(chosen)]
        queues = [queue for queue in queues if queue]
    return new + chosen


def tests_of(tree):
    return sorted(name[:-2] for name in os.listdir(os.path.join(tree, "tests", "host"))
                  if name.endswith("_test.c"))


# ---- the run -------------------------------------------------------------------------------------

def say(text):
    print("  %6.1f s of processors: %s" % (suite.children_seconds(), text), flush=True)


def say_survivor(mutant, known):
    print("  SURVIVES  %s:%d  %s" % (mutant.path, mutant.line, mutant.name()))
    if mutant.name() in known:
        print("            %s saw it once" % known[mutant.name()])
    else:
        print("            no test sees that this is gone: write one")
    sys.stdout.flush()


def judge_all(chosen, tests, known, same, jobs):
    """({name: killer}, survivors); those listed as equivalent are no survivors."""
    killed, survivors = {}, []
    last = {name: killer.split(".")[0] for name, killer in known.items()}

    def one(mutant):
        return judge(mutant, tests, last.get(mutant.name()))

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mutant, killer in zip(chosen, pool.map(one, chosen)):
            if killer is not None:
                killed[mutant.name()] = killer
            elif mutant.name() not in same:
                survivors.append(mutant)
                say_survivor(mutant, known)
    return killed, survivors


def targets_of(chosen, known, everything_too):
    """What to build: all tests, or those that killed the chosen mutants before."""
    everything = ["host-tests", HUNT]
    if everything_too or any(mutant.name() not in known for mutant in chosen):
        return everything
    names = {known[mutant.name()].split(".")[0] for mutant in chosen}
    present = {name for name in names if name in SIM or
               os.path.exists(os.path.join(suite.ROOT, "tests", "host", name + ".c"))}
    if present != names:
        return everything
    return sorted({HUNT if name in SIM else os.path.join(TESTS, name) for name in names})


def steps_named(everything, only):
    """Those named so; without a name those of core/."""
    return [step for step in everything
            if (only in step.name() if only else mutant_steps.is_of_core(step))]


def steps_beside(everything, named):
    """All of their folders, which are built together."""
    folders = {os.path.dirname(step.path) for step in named}
    return [step for step in everything if os.path.dirname(step.path) in folders]


def steps_judge(options):
    """Asks about every step of core/ that is not listed, or about those named so."""
    everything = mutant_steps.all_steps()
    names = {step.name() for step in everything}
    same = equivalents(STEPS)
    named = steps_named(everything, options.only)
    chosen = [step for step in named if step.name() not in same]
    if options.list:
        for step in chosen:
            print("%s:%d %s" % (step.path, step.line, step.name()))
        return 0
    tree = tree_make("steps", steps_beside(everything, named), ["host-tests", HUNT])
    say("%d steps; built" % len(chosen))
    tests = tests_learn(tree, tests_of(tree) + sorted(SIM), options.jobs)
    killed, survivors = judge_all(chosen, tests, {}, {}, options.jobs)
    say("judged")
    stale = sorted(set(same) - names)
    for name in stale:
        print("  STALE  %s: there is no such step: %s" % (STEPS, name))
    print("steps: %d of %d seen, %d listed, %d survive" %
          (len(killed), len(chosen), len(named) - len(chosen), len(survivors)))
    return 1 if survivors or stale else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--result")
    parser.add_argument("--score", help="leaves the score in this file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.steps:
        return steps_judge(options)
    everything = mutants.all_mutants()
    same, known = equivalents(), killers()
    chosen = [mutant for mutant in everything if options.only in mutant.name()]
    if options.list:
        for mutant in chosen:
            print("%s:%d %s" % (mutant.path, mutant.line, mutant.name()))
        print("%d mutants" % len(chosen))
        return 0
    if options.sample:
        chosen = sampled(chosen, options.sample, set(known) | set(same))
        chosen = [mutant for mutant in chosen if mutant.name() not in same]
    targets = targets_of(chosen, known, not options.sample)
    tree = tree_make("sample", chosen, targets) if options.sample else \
        tree_make("whole", everything, targets)
    names = [os.path.basename(target) for target in targets if target != HUNT]
    if "host-tests" in names:
        names = tests_of(tree)
    names += sorted(SIM) if HUNT in targets else []
    say("%d mutants; built" % len(chosen))
    tests = tests_learn(tree, names, options.jobs)
    say("%d tests run without one" % len(tests))
    killed, survivors = judge_all(chosen, tests, known, same, options.jobs)
    say("judged")
    whole = not options.sample and not options.only
    stale = sorted(set(same) - {mutant.name() for mutant in everything}) + \
        sorted(set(same) & set(killed))
    for name in stale:
        print("  STALE  %s: killed, or no mutant: %s" % (EQUIVALENT, name))
    if not options.sample:
        alive = {mutant.name() for mutant in survivors}
        known = {name: killer for name, killer in known.items() if name not in alive and name not in same}
        lists_write(everything, dict(known, **killed), same)
    if whole:
        print("\n".join(score_lines(everything, killed, same)))
    equal = sum(mutant.name() in same and mutant.name() not in killed for mutant in chosen)
    print("mutants: %d of %d killed, %d equivalent, %d survive" %
          (len(killed), len(chosen), equal, len(survivors)))
    if options.score:
        with open(options.score, "w") as file:
            json.dump({"mutants": len(chosen), "killed": len(killed), "equivalent": equal,
                       "survivors": [mutant.name() for mutant in survivors]}, file, indent=1)
    suite.finish("mutants", len(killed) + equal, len(survivors) + len(stale), options.result)
    return 1 if survivors or stale else 0


if __name__ == "__main__":
    sys.exit(main())
