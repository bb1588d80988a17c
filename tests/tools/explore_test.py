# SPDX-License-Identifier: MIT
"""tools/explore.py: the chapter's table names each protocol and what was explored of it."""
import os
import sys
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import explore  # noqa: E402

OUTPUT = """litmus: 25 programs, 1946 executions, outcomes as herd7's
alone                   70288 executions, all
alone, handed on         8676 executions, all
a hostile program        5184 executions, a part
"""
PAGE = """text
| protocol | threads | executions |
|---|---|---|
| alone: who reads | 3 | 70,288, all |
| alone, handed on: what then | 2 | 8,676, all |
| a hostile program that stores | 2 | 5,184, a part |

| other | table |
"""


class Explore(unittest.TestCase):
    def test_a_page_that_is_true(self):
        self.assertEqual(explore.differences(OUTPUT, PAGE), [])

    def test_what_is_not_true_is_found(self):
        for old, new, text in (("8,676, all", "8,677, all", "alone, handed on: 8,676, all"),
                               ("a part", "all", "a hostile program: 5,184, a part"),
                               ("| alone: ", "| lone: ", "alone: 70,288, all")):
            found = explore.differences(OUTPUT, PAGE.replace(old, new))
            self.assertTrue(found and found[0].startswith(text), (old, found))

    def test_a_row_that_nothing_explored_is_found(self):
        self.assertEqual(explore.differences(OUTPUT.replace("alone, handed", "x, handed"), PAGE)[1:],
                         ["alone, handed on: what then: not explored"])

    def test_a_page_without_the_table(self):
        self.assertEqual(len(explore.differences(OUTPUT, "text\n")), 3)


if __name__ == "__main__":
    unittest.main()
