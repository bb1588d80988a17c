# SPDX-License-Identifier: MIT
"""The reproducibility check notices a build that knows where or when it was made."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import suite  # noqa: E402

STEADY = "all:\n\t@mkdir -p out/systems && echo same >out/systems/a.bin\n"
PATH = "all:\n\t@mkdir -p out/systems && pwd >out/systems/a.bin\n"
ZONE = "all:\n\t@mkdir -p out/systems && date +%Z >out/systems/a.bin\n"


class Reproducible(unittest.TestCase):
    def check(self, makefile):
        with tempfile.TemporaryDirectory() as root:
            with open(os.path.join(root, "Makefile"), "w") as file:
                file.write(makefile)
            subprocess.run(["make", "-s"], cwd=root, check=True, env=suite.make_environment())
            result = subprocess.run(
                [sys.executable, os.path.join(TOOLS, "reproducible_check.py"), "--root", root,
                 "all"], stdout=subprocess.PIPE, text=True)
        return result.returncode, result.stdout

    def test_steady_build(self):
        status, said = self.check(STEADY)
        self.assertEqual((status, said), (0, "reproducible build: 1 passed, 0 failed\n"))

    def test_path_in_the_output(self):
        status, said = self.check(PATH)
        self.assertEqual(status, 1)
        self.assertIn("systems/a.bin differs from byte", said)

    def test_time_zone_in_the_output(self):
        self.assertEqual(self.check(ZONE)[0], 1)


if __name__ == "__main__":
    unittest.main()
