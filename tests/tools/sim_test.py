# SPDX-License-Identifier: MIT
"""The simulator: its model stands apart, its runs repeat, its planted bugs are well formed."""
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))

import sim_bugs  # noqa: E402

HUNT = os.path.join("out", "sim", "hunt")
LIBRARY = {"memcpy", "memset", "memmove", "memcmp", "strlen", "vsnprintf", "snprintf",
           "__stack_chk_fail"}


class Model(unittest.TestCase):
    def test_uses_nothing_of_the_kernel(self):
        wanted, defined = set(), set()
        with tempfile.TemporaryDirectory() as folder:
            for source in glob.glob(os.path.join(ROOT, "sim", "model*.c")):
                target = os.path.join(folder, os.path.basename(source) + ".o")
                subprocess.run(["gcc", "-std=gnu11", "-O2", "-iquote", ".", "-c", "-o", target,
                                source], cwd=ROOT, check=True)
                output = subprocess.run(["nm", "-P", target], check=True, stdout=subprocess.PIPE,
                                        text=True).stdout
                for line in output.splitlines():
                    name, kind = line.split()[:2]
                    (wanted if kind == "U" else defined).add(name)
        self.assertGreater(len(defined), 10)
        self.assertEqual(wanted - defined - LIBRARY, set())

    def test_includes_nothing_of_the_kernel(self):
        for path in glob.glob(os.path.join(ROOT, "sim", "model*")):
            with open(path) as file:
                for name in re.findall(r'#include "([^"]+)"', file.read()):
                    self.assertTrue(name.startswith(("abi/", "sim/model", "schema/generated/")),
                                    "%s includes %s" % (path, name))


class Replay(unittest.TestCase):
    def story(self, *arguments):
        output = subprocess.run([HUNT, "--story"] + list(arguments), cwd=ROOT, timeout=60,
                                stdout=subprocess.PIPE, text=True).stdout
        return output.rsplit("\n", 2)[0]  # the last line tells how long it took

    def test_same_seed_same_story(self):
        once = self.story("--seed", "11", "--steps", "300")
        self.assertIn("kernel takes", once)
        self.assertEqual(once, self.story("--seed", "11", "--steps", "300"))
        self.assertNotEqual(once, self.story("--seed", "12", "--steps", "300"))

    def test_acts_that_are_kept_are_the_same(self):
        acts = re.compile(r"p1\.1 +act (2|5): (.*)")
        for seed in map(str, range(11, 60)):  # one in which the program lives to see both acts
            told = self.story("--seed", seed, "--steps", "300")
            if len(acts.findall(told)) == 2:
                break
        some = self.story("--seed", seed, "--steps", "300", "--keep", "1.2,1.5")
        self.assertEqual(acts.findall(told), acts.findall(some))
        self.assertEqual(len(re.findall(r" act \d+:", some)), 2)


CHECK = re.compile(r"^(?:MUST_USE )?unsigned (\w+_check)\(", re.M)
# Checks that the hunt asks through another, and those that are of nothing that a machine has.
WITHIN = {"cap_table_check": "grant_check", "frames_check": "frame_bitmap_check",
          "kmem_check": "slab_check", "sched_thread_check": "sched_context_check sched_share_check",
          "processes_check": "key_tree_check", "offence_check": "log_limit_check"}
NOT_ASKED = {"boot_info_check": "what the boot reads: asserted there",
             "elf_image_check": "an image that was read: part of reading it",
             "host_check": "of the host, which asserts it at each switch"}


class Looks(unittest.TestCase):
    def source_of(self, check):
        for path in glob.glob(os.path.join(ROOT, "core", "*.c")) + \
                glob.glob(os.path.join(ROOT, "kernel", "**", "*.c"), recursive=True):
            with open(path) as file:
                text = file.read()
            if re.search(r"^unsigned %s\(" % check, text, re.M):
                return text
        self.fail("%s is nowhere" % check)

    def test_every_check_is_asked(self):
        names = set()
        for path in glob.glob(os.path.join(ROOT, "core", "*.h")) + \
                glob.glob(os.path.join(ROOT, "kernel", "**", "*.h"), recursive=True):
            with open(path) as file:
                names |= set(CHECK.findall(file.read()))
        self.assertGreater(len(names), 20)
        self.assertIn("cap_table_check", names)
        asked = set()
        for path in glob.glob(os.path.join(ROOT, "sim", "hunt", "*.c")):
            with open(path) as file:
                asked |= set(re.findall(r"\b(\w+_check)\(", file.read()))
        for outer, inner in WITHIN.items():
            source = self.source_of(outer)
            for name in inner.split():
                self.assertIn(name + "(", source)
                asked |= {name} if outer in asked else set()
        self.assertEqual(names - asked - set(NOT_ASKED), set())
        self.assertEqual(set(NOT_ASKED) - names, set())

    def test_a_look_changes_nothing(self):
        told = {}
        for often in (["--rarely"], [], ["--look", "1"]):
            output = subprocess.run([HUNT, "--story", "--seed", "10", "--steps", "120"] + often,
                                    cwd=ROOT, timeout=120, stdout=subprocess.PIPE, text=True).stdout
            story, last = output.rsplit("\n", 2)[:2]
            looks = int(re.search(r"(\d+) looks at everything", last).group(1))
            told[looks] = story
        few, some, many = sorted(told)
        self.assertLess(4 * few, some)
        self.assertLess(10 * some, many)
        self.assertEqual(told[few], told[some])
        self.assertEqual(told[few], told[many])


class Bugs(unittest.TestCase):
    def test_every_bug_has_a_story_and_its_place(self):
        os.chdir(ROOT)
        paths = glob.glob(os.path.join("sim", "bugs", "*.bug"))
        self.assertGreaterEqual(len(paths), 12)
        with tempfile.TemporaryDirectory() as folder:
            for path in paths + glob.glob(os.path.join("sim", "bugs", "hard", "*.bug")):
                bug = sim_bugs.Bug(path)
                self.assertIsNone(bug.plant(os.path.join(folder, bug.name)), path)


if __name__ == "__main__":
    unittest.main()
