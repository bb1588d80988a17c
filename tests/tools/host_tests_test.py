# SPDX-License-Identifier: MIT
"""The host test runner counts cases from cmocka's words and never calls a crash a pass."""
import os
import sys
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import run_host_tests  # noqa: E402

ALL_GOOD = """[==========] Running 7 test(s).
[ RUN      ] a
[       OK ] a
[==========] 7 test(s) run.
[  PASSED  ] 7 test(s).
"""
ONE_BAD = """[==========] Running 3 test(s).
[==========] 3 test(s) run.
[  PASSED  ] 2 test(s).
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] b

 1 FAILED TEST(S)
"""


class Count(unittest.TestCase):
    def test_all_good(self):
        self.assertEqual(run_host_tests.count(ALL_GOOD, 0), (7, 0))

    def test_two_groups(self):
        self.assertEqual(run_host_tests.count(ALL_GOOD + ALL_GOOD, 0), (14, 0))

    def test_one_bad(self):
        self.assertEqual(run_host_tests.count(ONE_BAD, 1), (2, 1))

    def test_crash_in_the_middle(self):
        self.assertEqual(run_host_tests.count("[==========] Running 3 test(s).\n", -11), (0, 1))

    def test_crash_after_the_count(self):
        self.assertEqual(run_host_tests.count(ALL_GOOD, -6), (7, 1))

    def test_other_programs_count_by_status(self):
        self.assertEqual(run_host_tests.count("fine\n", 0), (1, 0))
        self.assertEqual(run_host_tests.count("bad\n", 2), (0, 1))

    def test_program_that_is_not_there(self):
        self.assertEqual(run_host_tests.run("./no-such-program")[2], (0, 1))


if __name__ == "__main__":
    unittest.main()
