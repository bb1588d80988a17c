# SPDX-License-Identifier: MIT
"""The fuzz runner: a finding fails, a target that hangs fails, corpora are inputs and stay as they are."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")


class Fuzz(unittest.TestCase):
    def run_target(self, body):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "fuzz", "corpus", "target"))
            with open(os.path.join(folder, "fuzz", "corpus", "target", "seed"), "w") as file:
                file.write("seed")
            program = os.path.join(folder, "out", "fuzz-x", "bin", "target")
            os.makedirs(os.path.dirname(program))
            with open(program, "w") as file:
                file.write("#!/bin/sh\n" + body)
            os.chmod(program, 0o755)
            result = subprocess.run([sys.executable, os.path.join(TOOLS, "fuzz_smoke.py"),
                                     os.path.relpath(program, folder)],
                                    cwd=folder, stdout=subprocess.PIPE, text=True)
        return result.returncode, result.stdout

    def test_clean_run(self):
        status, said = self.run_target("exit 0\n")
        self.assertEqual(status, 0)
        self.assertIn("PASS  fuzz-x/target (1 corpus inputs", said)
        self.assertTrue(said.endswith("fuzz targets: 1 passed, 0 failed\n"))

    def test_finding(self):
        status, said = self.run_target("echo heap-overflow; exit 1\n")
        self.assertEqual(status, 1)
        self.assertIn("heap-overflow", said)
        self.assertTrue(said.endswith("fuzz targets: 0 passed, 1 failed\n"))

    def test_new_inputs_go_elsewhere(self):
        """The first folder on the command line is the one libFuzzer writes to."""
        status, said = self.run_target(
            'for a in "$@"; do case $a in -*) ;; *) echo $a; [ $a = out/fuzz-x/found/target ]; exit;; '
            "esac; done\n")
        self.assertEqual(status, 0, said)


if __name__ == "__main__":
    unittest.main()
