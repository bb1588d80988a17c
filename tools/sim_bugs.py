#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plant each bug of sim/bugs in a copy of the source and see whether the simulator finds it.

  sim_bugs.py [--result FILE] [--out OUT] [--operations N] [--seed FIRST] [BUG...]

A bug is a file: its story, then one change or more, each `--- FILE`, the text to be found there
once, `+++`, the text to stand there instead. The tree itself is never changed: the changed files lie
under out/sim/bugs/NAME and are compiled from there, with the sources that include a changed header.
The budget is a little less than that of
`make sim-smoke`, so that both of its hunts come to every seed. sim/bugs/hard has those that need more luck than that: named,
they are tried too (BUG=hard/NAME); else only whether their text is still in the source. A bug that is not found fails, and so does one whose text is
not in the source any more: it has to follow the source.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

import suite

BUGS = os.path.join("sim", "bugs")
VERDICT = re.compile(r"^!! (.*)", re.M)
SEED = re.compile(r"^seed (\d+) ", re.M)
RUNS = re.compile(r"^(\d+) runs, .*?; (\d+) operations", re.M)
SHRUNK = re.compile(r"^shrunk from (\d+) acts to (\d+)", re.M)


class Bug:
    def __init__(self, path):
        self.name = os.path.splitext(os.path.relpath(path, BUGS))[0]
        with open(path) as file:
            parts = re.split(r"^--- (.+)\n", file.read(), flags=re.M)
        self.story = parts[0].strip()
        self.changes = []
        for name, body in zip(parts[1::2], parts[2::2]):
            old, new = body.split("+++\n", 1)
            self.changes.append((name.strip(), old.rstrip("\n"), new.rstrip("\n")))
        if not self.story or not self.changes:
            raise ValueError("%s: a story and a change are needed" % path)

    def plant(self, folder):
        """Writes the changed copies; None, or what is wrong."""
        text = {}
        for name, old, new in self.changes:
            if name not in text:
                with open(name) as file:
                    text[name] = file.read()
            if text[name].count(old) != 1:
                return "%s: the text to change is there %d times" % (name, text[name].count(old))
            text[name] = text[name].replace(old, new)
        for name, content in text.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(content)
        return None


def sources(bug, sim):
    """What must be compiled again: the changed sources, and those that a changed header reaches."""
    changed = {name for name, _, _ in bug.changes}
    found = {name for name in changed if name.endswith(".c")}
    headers = {name for name in changed if name.endswith(".h")}
    if headers:
        for path in glob.glob(os.path.join(sim, "**", "*.d"), recursive=True):
            with open(path) as file:
                words = file.read().replace("\\\n", " ").split()
            if headers & set(words[1:]):
                found.add(words[1])
    return sorted(found)


def build(bug, sim, compiler, flags, link):
    """The hunt with the bug in it; (program, None) or (None, what went wrong)."""
    folder = os.path.join(sim, "bugs", bug.name)
    shutil.rmtree(folder, ignore_errors=True)  # of a bug that once lay in other files
    problem = bug.plant(folder)
    if problem:
        return None, problem
    objects = []
    for source in sources(bug, sim):
        copy = os.path.join(folder, source)
        target = os.path.join(folder, source[:-2] + ".o")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        command = [compiler, "-iquote", folder] + flags + ["-Wno-error", "-w", "-c", "-o", target,
                                                  copy if os.path.exists(copy) else source]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            return None, done.stdout
        objects.append(target)
    program = os.path.join(folder, "hunt")
    kept = [word for word in link["objects"]
            if os.path.join(folder, os.path.relpath(word, sim)) not in objects]
    command = [compiler] + flags + link["wrap"] + ["-o", program] + objects + kept + link["rest"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return (program, None) if done.returncode == 0 else (None, done.stdout)


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=300)


def hunt(program, options):
    """Status and output of the first that fails: the twins, which are soon over, and the hunt; both
    without a look at everything after each operation, which is sooner over, then with it. What fails
    with few looks must fail with all of them too, or it is none of sim-smoke's."""
    twins = ["--twin", "--steps", "40"]
    acts = ["--steps", "0"]
    kinds = ((twins, ["--runs", str(options.twins)]),
             (acts, ["--operations", str(options.operations), "--shrink-runs", "60"]))
    for words, budget in kinds:
        done = run([program, "--seed", str(options.seed), "--rarely"] + words + budget)
        seed = SEED.search(done.stdout)
        if done.returncode != 0 and (seed is None or run(
                [program, "--seed", seed.group(1), "--no-shrink"] + words).returncode != 0):
            return done.returncode, done.stdout
    for words, budget in kinds:
        done = run([program, "--seed", str(options.seed)] + words + budget)
        if done.returncode != 0:
            break
    return done.returncode, done.stdout


def trial(path, options, words):
    """(found, line to print) for one bug."""
    bug = Bug(path)
    started = time.monotonic()
    program, problem = build(bug, os.path.join(options.out, "sim"), *words)
    if problem:
        return False, "%-24s cannot be planted: %s" % (bug.name, problem.strip())
    try:
        status, output = hunt(program, options)
    except subprocess.TimeoutExpired:
        return False, "%-24s the hunt did not end" % bug.name
    verdict, runs, shrunk = VERDICT.search(output), RUNS.search(output), SHRUNK.search(output)
    seconds = time.monotonic() - started
    if status != 1 or not verdict:
        return False, "%-24s NOT FOUND in %s operations (%.1f s): %s" % (
            bug.name, runs.group(2) if runs else "?", seconds, bug.story)
    return True, "%-24s seed %s, %s: %s (%.1f s)" % (
        bug.name, runs.group(1), shrunk.group(2) + " acts" if shrunk else "a twin",
        verdict.group(1), seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--out", default="out")
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--flags", required=True, help="of the simulator's build")
    parser.add_argument("--wrap", required=True)
    parser.add_argument("--objects", required=True)
    parser.add_argument("--rest", required=True, help="archives and libraries")
    parser.add_argument("--operations", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--twins", type=int, default=60, help="runs of twins before that")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("bugs", nargs="*")
    options = parser.parse_args()
    os.chdir(suite.ROOT)
    paths = [os.path.join(BUGS, name + ".bug") for name in options.bugs]
    paths = paths or sorted(glob.glob(os.path.join(BUGS, "*.bug")))
    link = {"wrap": shlex.split(options.wrap), "objects": shlex.split(options.objects),
            "rest": shlex.split(options.rest)}
    words = (options.compiler, shlex.split(options.flags), link)
    found = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for good, line in pool.map(lambda path: trial(path, options, words), paths):
            found += good
            print(("  found   " if good else "  MISSED  ") + line, flush=True)
    hard = [] if options.bugs else sorted(glob.glob(os.path.join(BUGS, "hard", "*.bug")))
    for path in hard:
        bug = Bug(path)
        stale = bug.plant(os.path.join(options.out, "sim", "bugs", bug.name))
        found += stale is None
        if stale:
            print("  STALE   %s: %s" % (bug.name, stale), flush=True)
    tried = len(paths) + len(hard)
    suite.finish("planted bugs", found, tried - found, options.result)
    return 0 if found == tried else 1


if __name__ == "__main__":
    sys.exit(main())
