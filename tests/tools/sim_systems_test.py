# SPDX-License-Identifier: MIT
"""The simulator: many seeds succeed, one seed repeats itself, a run that fails is told."""
import os
import subprocess
import sys
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import suite  # noqa: E402

SIM = os.path.join(suite.ROOT, "out", "host", "sim", "sim")


class Simulator(unittest.TestCase):
    def sim(self, *arguments):
        result = subprocess.run([SIM] + list(arguments), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return result.returncode, result.stdout

    def test_many_seeds(self):
        for cpus in ("1", "2", "4", "8"):
            status, said = self.sim("--cpus", cpus, "--seed", "1", "--runs", "40")
            self.assertEqual((status, said), (0, "40 runs, 0 failed\n"))

    def test_a_seed_repeats_itself(self):
        first = self.sim("--cpus", "4", "--seed", "292", "--show")
        self.assertIn("init ended by itself with code 0", first[1])
        self.assertEqual(self.sim("--cpus", "4", "--seed", "292", "--show"), first)
        self.assertNotEqual(self.sim("--cpus", "4", "--seed", "293", "--show"), first)

    def test_a_failed_run_is_told(self):
        status, said = self.sim("--cpus", "2", "--seed", "7", "--steps", "1000")
        self.assertEqual(status, 1)
        self.assertIn("seed 7", said)
        self.assertTrue(said.endswith("1 runs, 1 failed\n"), said)


if __name__ == "__main__":
    unittest.main()
