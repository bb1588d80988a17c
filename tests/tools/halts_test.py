# SPDX-License-Identifier: MIT
"""tools/check_halts.py: a site that comes or goes without its page is found."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools"))
import check_halts  # noqa: E402

CODE = """/* panic("in a comment") */
NORETURN void panic(const char *format, ...);
void f(void)
{
    panic("one");
    kernel_boot_refused(reason);
}
"""


class Halts(unittest.TestCase):
    def tree(self, rows):
        root = tempfile.mkdtemp()
        self.addCleanup(lambda: __import__("shutil").rmtree(root))
        os.makedirs(os.path.join(root, "kernel"))
        os.makedirs(os.path.join(root, "docs"))
        with open(os.path.join(root, "kernel", "a.c"), "w") as file:
            file.write(CODE)
        with open(os.path.join(root, "docs", "halt-policy.md"), "w") as file:
            file.write(rows)
        return root

    def test_listed(self):
        self.assertEqual(list(check_halts.problems(self.tree("| `kernel/a.c` | 2 | bug | x |\n"))), [])

    def test_miscounted(self):
        self.assertEqual(len(list(check_halts.problems(self.tree("| `kernel/a.c` | 1 | bug | x |\n")))), 1)

    def test_missing_and_stale(self):
        rows = "| `kernel/gone.c` | 1 | bug | x |\n"
        self.assertEqual(len(list(check_halts.problems(self.tree(rows)))), 2)


if __name__ == "__main__":
    unittest.main()
