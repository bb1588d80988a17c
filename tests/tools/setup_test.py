# SPDX-License-Identifier: MIT
"""The set-up script tells what it would install, and fails by name; nothing is installed here."""
import os
import subprocess
import tempfile
import unittest

SETUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "setup.sh")
PINS = """\
package have  dpkg            minimum 0.1
package old   dpkg            minimum 999:1
package lack  no-such-package minimum 1
package lack  dpkg            minimum 0.1
"""


class Setup(unittest.TestCase):
    def run_setup(self, *arguments, **environment):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
            pins.write(PINS)
            pins.flush()
            result = subprocess.run(
                ["sh", SETUP] + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
                env=dict({"PATH": "/usr/bin:/bin", "SETUP_PINS": pins.name}, **environment))
        return result.returncode, result.stdout

    def test_nothing_to_do(self):
        self.assertEqual(self.run_setup("--dry-run", "have"), (0, "setup: nothing to install\n"))

    def test_missing_package_is_named(self):
        self.assertEqual(self.run_setup("--dry-run", "lack"),
                         (0, "setup: would install: no-such-package \n"))

    def test_old_package_is_named(self):
        self.assertEqual(self.run_setup("--dry-run", "old"),
                         (0, "setup: would install: dpkg \n"))

    def test_groups_add_up(self):
        status, said = self.run_setup("--dry-run", "have", "lack")
        self.assertEqual(status, 0)
        self.assertIn("no-such-package", said)

    def test_unknown_group(self):
        status, said = self.run_setup("--dry-run", "nonsense")
        self.assertEqual(status, 1)
        self.assertIn("no group 'nonsense'", said)

    def test_no_group(self):
        status, said = self.run_setup()
        self.assertEqual(status, 1)
        self.assertIn("usage", said)

    def test_not_a_debian_system(self):
        with tempfile.TemporaryDirectory() as folder:
            for tool in ("sh", "awk", "sed", "dirname", "cut", "tr", "mktemp", "rm"):
                os.symlink("/usr/bin/" + tool, os.path.join(folder, tool))
            status, said = self.run_setup("lack", PATH=folder)
        self.assertEqual(status, 1)
        self.assertIn("not a Debian system", said)
        self.assertIn("no-such-package 1", said)


if __name__ == "__main__":
    unittest.main()
