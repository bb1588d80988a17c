# SPDX-License-Identifier: MIT
"""The suite runner adds up and ends with the line that people and machines look for."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import run_suites  # noqa: E402


class Counts(unittest.TestCase):
    def counts(self, text, status):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            return run_suites.counts(file.name, status)

    def test_counted(self):
        self.assertEqual(self.counts('{"passed": 5, "failed": 0}', 0), (5, 0))
        self.assertEqual(self.counts('{"passed": 5, "failed": 2}', 2), (5, 2))

    def test_break_down_after_counting_is_a_failure(self):
        self.assertEqual(self.counts('{"passed": 5, "failed": 0}', 2), (5, 1))

    def test_uncounted_suite_is_one_test(self):
        self.assertEqual(run_suites.counts("/no/such/file", 0), (1, 0))
        self.assertEqual(run_suites.counts("/no/such/file", 1), (0, 1))

    def test_half_written_file_counts_by_status(self):
        self.assertEqual(self.counts('{"passed": ', 2), (0, 1))


class WholeRun(unittest.TestCase):
    def run_with(self, script, *targets, page=None):
        """Runs the suites with a stand-in for make whose body is `script`."""
        with tempfile.TemporaryDirectory() as folder:
            if page:
                path = os.path.join(folder, "page.md")
                with open(path, "w") as file:
                    file.write(page)
                targets = ("--page", path) + targets
            make = os.path.join(folder, "make")
            with open(make, "w") as file:
                file.write("#!/bin/sh\ntarget=$2 result=${3#RESULT=}\n" + script)
            os.chmod(make, 0o755)
            result = subprocess.run([sys.executable, os.path.join(TOOLS, "run_suites.py"), "--make",
                                     make] + list(targets), stdout=subprocess.PIPE, text=True)
        return result.returncode, result.stdout.splitlines()

    def test_last_line_and_status(self):
        script = 'echo "{\\"passed\\": 3, \\"failed\\": 0}" >"$result"\n'
        status, lines = self.run_with(script, "try-a", "try-b")
        self.assertEqual((status, lines[-1]), (0, "6 passed, 0 failed"))

    def test_a_failure_is_counted_and_told(self):
        status, lines = self.run_with('[ $target = try-a ]\n', "try-a", "try-b")
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))

    def test_page_shows_how_a_run_ends(self):
        page = "```text\nsomething else\n```\n\n```text\n%s\n```\n"
        good = page % ("...\n  try-a  7 passed 0 failed 0.3 s (0.1 s of processors)\n"
                       "9 passed, 0 failed")
        status, lines = self.run_with("", "try-a", "try-b", page=good)
        self.assertEqual((status, lines[-1]), (0, "3 passed, 0 failed"))
        status, lines = self.run_with("", "try-b", page=good)
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))
        self.assertIn("`make test` does not print:   try-a", lines[-2])
        status, lines = self.run_with("", "try-a", page="nothing")
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
