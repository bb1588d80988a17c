# SPDX-License-Identifier: MIT
"""tools/prove.py: which harnesses it takes, and what counts as proved and as refuted."""
import os
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import prove  # noqa: E402
import suite  # noqa: E402

HEAD = """/* SPDX-License-Identifier: MIT */
/*
 * cbmc: part.c
 * bound: three bytes,
 *     four
 * prove: one two
%s */
#include "x.h"
"""
TWINS = """ * quick: two
 * twin: one | part.c
 *     | a < b
 *     | a <= b
 * twin: two | part.c | c | d
"""

# Stands in for the loader that starts CBMC: answers by the entry point, and in a twin's copy.
LOADER = """#!/bin/sh
case "$*" in
*out/verify/h-twin*) . ./in_twin ;;
*) . ./in_proof ;;
esac
"""
REFUTED = """echo '[one.1] line 3 inside: FAILURE'; exit 10\n"""
# With --stop-on-fail: the first failure alone.
FIRST = """printf 'Violated property:\n  file h.c function one line 3\n  %s\n'; exit 10\n"""
FIRST_REAL, FIRST_UNWOUND = FIRST % "inside", FIRST % "unwinding assertion loop 0"
BOTH = """case "$*" in *--stop-on-fail*) %s ;; *) %s ;; esac\n"""
UNWOUND = """echo '[one.1] line 3 unwinding assertion loop 0: FAILURE'; exit 10\n"""


class Prove(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        os.makedirs("verify")
        os.makedirs("root/usr/lib64")
        self.write("src/part.c", "int a < b; int c;\n")
        self.write("root/usr/lib64/ld-linux-x86-64.so.2", LOADER)
        os.chmod("root/usr/lib64/ld-linux-x86-64.so.2", 0o755)

    def write(self, path, text):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def harness(self, twins, quick=False):
        self.write("verify/h.c", HEAD.replace("part.c", "src/part.c") %
                   twins.replace("part.c", "src/part.c"))
        return prove.Harness("h", quick)

    def test_reads_a_harness(self):
        harness = self.harness(TWINS)
        self.assertEqual((harness.sources, harness.entries), (["src/part.c"], ["one", "two"]))
        self.assertEqual(harness.bound, "three bytes, four")
        self.assertEqual(harness.twins, [["one", "src/part.c", "a < b", "a <= b"],
                                         ["two", "src/part.c", "c", "d"]])

    def test_bars_of_c(self):
        twins = TWINS.replace("a < b\n", "a < b | c\n").replace("a <= b", "a <= b | c | d")
        self.assertEqual(self.harness(twins).twins[0],
                         ["one", "src/part.c", "a < b | c", "a <= b | c | d"])

    def test_quick(self):
        harness = self.harness(TWINS, quick=True)
        self.assertEqual((harness.entries, [twin[0] for twin in harness.twins]), (["two"], ["two"]))

    def test_refuses(self):
        for twins in ("", TWINS.replace("one", "three"), TWINS.replace("two | part", "one | part"),
                      TWINS.replace("quick: two", "quick: three"), TWINS.replace(" | d", "")):
            with self.assertRaises(ValueError, msg=twins):
                self.harness(twins)

    def test_proved(self):
        harness = self.harness(TWINS)
        self.write("in_proof", "exit 0\n")
        self.assertTrue(prove.prove("root", harness, "one")[0])
        for answer in (REFUTED, UNWOUND, "exit 6\n"):
            self.write("in_proof", answer)
            self.assertFalse(prove.prove("root", harness, "one")[0], answer)

    def test_refuted(self):
        harness = self.harness(TWINS)
        self.write("in_twin", FIRST_REAL)
        self.assertTrue(prove.refute("root", harness, 0)[0])
        # A bound that was too low comes first: all failures decide.
        self.write("in_twin", BOTH % (FIRST_UNWOUND.strip(), REFUTED.strip()))
        self.assertTrue(prove.refute("root", harness, 0)[0])
        with open("out/verify/h-twin0/src/part.c") as file:
            self.assertEqual(file.read(), "int a <= b; int c;\n")
        # Neither a proof, nor a bound that was too low, nor a tool that broke down, is a refutation.
        for answer in ("exit 0\n", BOTH % (FIRST_UNWOUND.strip(), UNWOUND.strip()), "exit 6\n"):
            self.write("in_twin", answer)
            self.assertFalse(prove.refute("root", harness, 0)[0], answer)

    def test_figures_go_into_their_table(self):
        figures = prove.Figures()
        figures.proofs, figures.twins, figures.seconds, figures.memory = 2, 3, 4.6, 70
        head = prove.PAGE_HEAD + "|---|---|---|---|---|---|\n"
        self.write("page.md", "before\n" + head + "| old |\n| older |\nafter\n")
        prove.page_write("page.md", prove.PAGE_HEAD, [figures.row(self.harness(TWINS))])
        with open("page.md") as file:
            self.assertEqual(file.read(), "before\n" + head +
                             "| `h` | three bytes, four | 2 | 3 | 5 | 70 |\nafter\n")

    def test_text_must_be_there_once(self):
        self.write("in_twin", FIRST_REAL)
        for source in ("int b < a;\n", "a < b; a < b;\n"):
            self.write("src/part.c", source)
            self.assertFalse(prove.refute("root", self.harness(TWINS), 0)[0], source)

    def test_harnesses_of_the_tree(self):
        os.chdir(suite.ROOT)
        for name in [name for name in os.listdir("verify") if name.endswith(".c")]:
            harness = prove.Harness(name[:-2])
            self.assertTrue(harness.twins, name)
            for _, path, text, _ in harness.twins:
                with open(path) as file:
                    self.assertEqual(file.read().count(text), 1, (name, path, text))


if __name__ == "__main__":
    unittest.main()
