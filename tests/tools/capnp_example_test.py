# SPDX-License-Identifier: MIT
"""The five-minute example of capnp/README.md, outside the tree: its commands, word for word, print
what it says they print."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class Example(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(ROOT, "capnp", "README.md")) as file:
            self.readme = file.read()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        shutil.copytree(os.path.join(ROOT, "capnp"), os.path.join(self.folder, "capnp"))

    def block(self, kind):
        found = re.findall(r"^```%s\n(.*?)^```" % kind, self.readme, re.M | re.S)
        self.assertEqual(len(found), 1, kind)
        return found[0]

    def run_commands(self, commands):
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
        return subprocess.run(["sh", "-e"], input=commands, cwd=self.folder, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_commands_and_output(self):
        result = self.run_commands(self.block("sh"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, self.block("text"))
        self.assertEqual(result.stderr, "")

    def test_with_warnings_sanitizers_and_the_other_compiler(self):
        commands = self.block("sh").replace("cc -O2", "clang-14 -O1 -g -Wall -Wextra -Wconversion"
                                            " -Wshadow -Werror -fsanitize=address,undefined"
                                            " -fno-sanitize-recover=all")
        result = self.run_commands(commands)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, self.block("text"))

    def test_nothing_of_the_tree_around_it_is_used(self):
        for folder, _, files in os.walk(os.path.join(self.folder, "capnp")):
            for name in files:
                if name.endswith((".c", ".h")):
                    with open(os.path.join(folder, name)) as file:
                        for include in re.findall(r'^#include "([^"]+)"', file.read(), re.M):
                            beside = os.path.exists(os.path.join(folder, include))
                            own = include.startswith("capnp/") or include == "station.capnp.h"
                            self.assertTrue(beside or own, "%s: %s" % (name, include))


if __name__ == "__main__":
    unittest.main()
