# SPDX-License-Identifier: MIT
"""tools/check_claims.py: a claim without evidence, or whose evidence is gone, is found."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools"))
import check_claims  # noqa: E402

GOOD = """# Claims

### A.1 A stale id never resolves

- tested: `make test-host`, `tests/host/a_test.c:stale_ids_do_not_resolve`,
  over thousands of steps
- not covered: the rest
"""


class Claims(unittest.TestCase):
    def found(self, old="", new="", page=GOOD):
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root)
        os.makedirs(os.path.join(root, "tests", "host"))
        os.makedirs(os.path.join(root, "mk"))
        for path, text in (("Makefile", "include mk/a.mk\n"), ("mk/a.mk", "test-host prove: x\n"),
                           ("tests/host/a_test.c", "static void stale_ids_do_not_resolve(void)\n"),
                           ("CLAIMS.md", page.replace(old, new) if old else page)):
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return list(check_claims.problems(root))

    def test_good(self):
        self.assertEqual(self.found(), [])

    def test_file_gone(self):
        self.assertEqual(len(self.found("a_test.c", "b_test.c")), 2)

    def test_test_renamed(self):
        self.assertEqual(self.found(":stale_ids", ":old_ids"),
                         ["A.1: tests/host/a_test.c does not say old_ids_do_not_resolve"])

    def test_command_gone(self):
        self.assertEqual(self.found("make test-host", "make test-hosts"),
                         ["A.1: there is no `make test-hosts`"])

    def test_no_command(self):
        self.assertEqual(self.found("`make test-host`, ", ""), ["A.1: tested by no command"])

    def test_wrong_folder(self):
        self.assertEqual(self.found("- tested", "- proved"), ["A.1: proved by no file of verify/"])

    def test_unknown_way(self):
        self.assertEqual(self.found("- tested", "- hoped"), ["A.1: `hoped` is no way of knowing"])

    def test_believed_needs_no_file(self):
        self.assertEqual(self.found("- not", "- believed: by reading\n- not"), [])

    def test_nothing_known(self):
        self.assertIn("A.2: known in no way",
                      self.found(page=GOOD + "\n### A.2 More\n\n- not covered: all\n"))

    def test_limits_unsaid(self):
        self.assertEqual(self.found("- not covered: the rest\n", ""),
                         ["A.1: does not say what is not covered"])

    def test_number_twice(self):
        self.assertIn("A.1 stands twice", self.found(page=GOOD + GOOD))

    def test_empty(self):
        self.assertEqual(self.found(page="# Claims\n"), ["CLAIMS.md has no claim"])


if __name__ == "__main__":
    unittest.main()
