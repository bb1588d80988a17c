# SPDX-License-Identifier: MIT
"""tools/prove_wp.py: which contracts it takes, and how it counts goals."""
import os
import stat
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import prove_wp  # noqa: E402
import suite  # noqa: E402

HEAD = """/* SPDX-License-Identifier: MIT */
/*
 * wp: src/part.c
 * inline: small
 * prove: one two
%s */
#include "src/part.c"
"""
TWIN = """ * twin: one | src/part.c
 *     | a | b
 *     | a
"""


class ProveWp(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        self.addCleanup(os.environ.__setitem__, "PATH", os.environ["PATH"])
        os.chdir(folder.name)
        os.makedirs("verify/wp")
        os.environ["PATH"] = folder.name + ":" + os.environ["PATH"]

    def contracts(self, twins):
        with open("verify/wp/h.c", "w") as file:
            file.write(HEAD % twins)
        return prove_wp.Contracts("h")

    def proves_when_asked(self, option, goals):
        """A Frama-C that proves so many with the option, and all of three without."""
        with open("frama-c", "w") as file:
            file.write("#!/bin/sh\ncase \"$*\" in *%s*) echo Proved goals: %s;;\n"
                       "*) echo Proved goals: 3 / 3;; esac\n" % (option, goals))
        os.chmod("frama-c", stat.S_IRWXU)

    def answer(self, text, status=0):
        with open("frama-c", "w") as file:
            file.write("#!/bin/sh\ncat <<'END'\n%s\nEND\nexit %d\n" % (text, status))
        os.chmod("frama-c", stat.S_IRWXU)
        return prove_wp.goals(self.contracts(TWIN), ["one"])[:3]

    def test_reads_contracts(self):
        contracts = self.contracts(TWIN)
        self.assertEqual((contracts.sources, contracts.inline, contracts.functions),
                         (["src/part.c"], ["small"], ["one", "two"]))
        self.assertEqual(contracts.twins, [["one", "src/part.c", "a | b", "a"]])

        self.assertEqual((contracts.model, contracts.solver), (["Typed"], []))

    def test_reads_what_is_seldom(self):
        contracts = self.contracts(" * model: Typed+ref\n * solver: patterns\n" + TWIN.replace("one", "one:result"))
        self.assertEqual((contracts.model, contracts.solver), (["Typed+ref"], ["patterns"]))
        self.assertEqual(contracts.twins, [["one:result", "src/part.c", "a | b", "a"]])

    def test_asks_for_what_is_named(self):
        self.proves_when_asked("-wp-prop=result", "1 / 2")
        contracts = self.contracts(TWIN)
        self.assertEqual(prove_wp.goals(contracts, ["one"])[:2], (3, 3))
        self.assertEqual(prove_wp.goals(contracts, ["one"], named="result")[:2], (1, 2))

    def test_splits_where_a_harness_wants_it(self):
        self.proves_when_asked("-wp-split", "5 / 5")
        self.assertEqual(prove_wp.goals(self.contracts(TWIN), ["one"])[:2], (3, 3))
        contracts = self.contracts(" * solver: patterns split\n" + TWIN)
        self.assertEqual(prove_wp.goals(contracts, ["one"])[:2], (5, 5))

    def test_headers_are_no_contracts(self):
        self.contracts(TWIN)
        with open("verify/wp/h.h", "w"):
            pass
        self.assertEqual(prove_wp.names(), ["h"])

    def test_refuses(self):
        for twins in ("", TWIN.replace("one", "three"), TWIN.replace("one", "three:one"),
                      " * solver: other\n" + TWIN, " * eager: one\n" + TWIN,
                      " * solver: patterns\n * eager: three\n" + TWIN, TWIN.replace(" *     | a\n", "")):
            with self.assertRaises(ValueError, msg=twins):
                self.contracts(twins)

    def test_counts_goals(self):
        self.assertEqual(self.answer("[wp] Proved goals:   12 / 12"), (12, 12, []))
        self.assertEqual(
            self.answer("[wp] [Z3 4.8.12] Goal typed_one_ensures : Timeout\nProved goals: 1 / 2"),
            (1, 2, ["typed_one_ensures"]))

    def test_asks_another_way_where_a_harness_wants_it(self):
        self.proves_when_asked("'-wp-prover eager '", "5 / 5")
        self.assertEqual(prove_wp.goals(self.contracts(TWIN), ["one"])[:2], (3, 3))
        contracts = self.contracts(" * solver: patterns\n * eager: one\n" + TWIN)
        self.assertEqual(prove_wp.goals(contracts, ["one"])[:2], (5, 5))
        self.assertEqual(prove_wp.goals(contracts, ["two"])[:2], (3, 3))
        self.assertEqual(prove_wp.parts(contracts), [["one"], ["two"]])

    def test_a_tool_that_breaks_down_has_proved_nothing(self):
        self.assertEqual(self.answer("[kernel] syntax error"), (0, 0, ["[kernel] syntax error"]))
        self.assertEqual(self.answer("Proved goals: 3 / 3", status=1)[:2], (0, 0))

    def test_a_twin_that_is_proved_is_not_noticed(self):
        os.makedirs("src")
        with open("src/part.c", "w") as file:
            file.write("int a | b;\n")
        for proved, noticed in ((0, False), (1, True), (2, False)):
            self.answer("Proved goals: %d / 2" % proved)
            self.assertEqual(prove_wp.refutation(self.contracts(TWIN), 0)[:2], (noticed, 2))
        with open("src/part.c", "w") as file:
            file.write("int b;\n")
        self.assertEqual(prove_wp.refutation(self.contracts(TWIN), 0)[:2], (False, 0))

    def test_every_function_is_in_one_part(self):
        contracts = self.contracts(TWIN)
        contracts.functions = ["f%d" % i for i in range(2 * prove_wp.PART + 1)]
        groups = prove_wp.parts(contracts)
        self.assertEqual(sum(groups, []), contracts.functions)
        self.assertEqual([len(group) for group in groups], [prove_wp.PART, prove_wp.PART, 1])

    def test_figures_of_a_file(self):
        self.assertEqual(prove_wp.row(self.contracts(TWIN), 12, [(1.2, 70), (2.4, 60)]),
                         "| `h` | 12 | 1 | 4 | 70 |")

    def test_contracts_of_the_tree(self):
        os.chdir(suite.ROOT)
        for name in prove_wp.names():
            contracts = prove_wp.Contracts(name)
            self.assertTrue(contracts.twins, name)
            for _, path, text, _ in contracts.twins:
                with open(path) as file:
                    self.assertEqual(file.read().count(text), 1, (name, path, text))


if __name__ == "__main__":
    unittest.main()
