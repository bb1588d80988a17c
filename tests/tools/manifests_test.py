# SPDX-License-Identifier: MIT
"""Drift between systems/*.cue and *.json is seen without CUE, and only the pinned CUE is used."""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import check_manifests  # noqa: E402
import suite  # noqa: E402

SYSTEMS = os.path.join(suite.ROOT, "systems")
GO = next((go for go in ("/usr/local/go/bin/go", shutil.which("go") or "")
           if go and os.access(go, os.X_OK)), None)


class Drift(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="manifests-test-")
        self.addCleanup(shutil.rmtree, self.root)
        self.folder = os.path.join(self.root, "systems")
        shutil.copytree(SYSTEMS, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def append(self, name, text):
        with open(self.path(name), "a", encoding="utf-8") as file:
            file.write(text)

    def edit(self, name, change):
        with open(self.path(name), encoding="utf-8") as file:
            system = json.load(file)
        change(system)
        with open(self.path(name), "w", encoding="utf-8") as file:
            json.dump(system, file)

    def problems(self):
        return check_manifests.problems(self.folder)

    def test_the_tree_is_current(self):
        self.assertEqual(self.problems(), [])
        self.assertIn("default", check_manifests.names(self.folder))

    def test_layout_does_not_matter(self):
        self.edit("default.json", lambda system: None)
        self.assertEqual(self.problems(), [])

    def test_changed_source(self):
        self.append("default.cue", "// a remark\n")
        self.assertEqual(self.problems(), ["default.cue changed since default.json was made from "
                                           "it: run make manifests"])

    def test_changed_definitions_concern_every_system(self):
        self.append("schema.cue", "// a remark\n")
        self.assertEqual(len(self.problems()), len(check_manifests.names(self.folder)))

    def test_edited_by_hand(self):
        self.edit("default.json", lambda system: system["kernel"].update(logLevel=3))
        self.assertEqual(self.problems(), ["default.json was edited by hand: edit default.cue and "
                                           "run make manifests"])

    def test_missing_parts(self):
        os.remove(self.path("default.json"))
        self.assertIn("default.cue has no default.json", self.problems()[0])
        with open(self.path("default.json"), "w", encoding="utf-8") as file:
            file.write("{}")
        self.assertIn("does not say what it was made from", self.problems()[0])
        with open(self.path("default.json"), "w", encoding="utf-8") as file:
            file.write("{")
        self.assertIn("is no JSON", self.problems()[0])
        os.remove(self.path("default.cue"))
        self.assertEqual(self.problems(), ["default.json has no source default.cue"])

    def test_as_a_command(self):
        tool = os.path.join(TOOLS, "check_manifests.py")
        good = subprocess.run([sys.executable, tool, "--root", self.root], stdout=subprocess.PIPE,
                              text=True)
        self.assertEqual(good.returncode, 0)
        self.append("default.cue", "\n")
        bad = subprocess.run([sys.executable, tool, "--root", self.root], stdout=subprocess.PIPE,
                             text=True)
        self.assertEqual(bad.returncode, 1)
        self.assertIn("systems/default.cue changed", bad.stdout)


class Pinned(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="manifests-test-")
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copytree(SYSTEMS, os.path.join(self.root, "systems"))
        os.makedirs(os.path.join(self.root, "tools"))
        shutil.copy(os.path.join(TOOLS, "pins.txt"), os.path.join(self.root, "tools"))

    def make(self, *arguments, **environment):
        return subprocess.run([sys.executable, os.path.join(TOOLS, "make_manifests.py"), "--root",
                               self.root, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              env=dict(os.environ, **environment))

    def test_another_path_is_refused(self):
        result = self.make(CUE="/usr/bin/cue")
        self.assertEqual(result.returncode, 1)
        self.assertIn("CUE=/usr/bin/cue is refused", result.stdout)

    @unittest.skipUnless(GO, "no Go here")
    def test_another_program_is_refused(self):
        fake = os.path.join(self.root, "out", "tools", "cue")
        os.makedirs(os.path.dirname(fake))
        with open(fake, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho 'cue version v0.16.0'\n")
        os.chmod(fake, os.stat(fake).st_mode | stat.S_IXUSR)
        result = self.make()
        self.assertEqual(result.returncode, 1)
        self.assertIn("is not cuelang.org/go/cmd/cue", result.stdout)

    @unittest.skipUnless(os.path.exists(os.path.join(suite.ROOT, "out", "tools", "cue")),
                         "CUE is not built here")
    def test_another_version_is_refused(self):
        folder = os.path.join(self.root, "out", "tools")
        os.makedirs(folder)
        os.symlink(os.path.join(suite.ROOT, "out", "tools", "cue"), os.path.join(folder, "cue"))
        good = self.make("--check")
        self.assertEqual(good.returncode, 0, good.stdout)
        pins = os.path.join(self.root, "tools", "pins.txt")
        with open(pins, encoding="utf-8") as file:
            text = file.read()
        with open(pins, "w", encoding="utf-8") as file:
            file.write(text.replace("cue v0.16.0", "cue v0.15.0"))
        bad = self.make("--check")
        self.assertEqual(bad.returncode, 1)
        self.assertIn("pinned is v0.15.0", bad.stdout)

    @unittest.skipUnless(os.path.exists(os.path.join(suite.ROOT, "out", "tools", "cue")),
                         "CUE is not built here")
    def test_a_misspelt_field_is_refused(self):
        folder = os.path.join(self.root, "out", "tools")
        os.makedirs(folder)
        os.symlink(os.path.join(suite.ROOT, "out", "tools", "cue"), os.path.join(folder, "cue"))
        path = os.path.join(self.root, "systems", "default.cue")
        with open(path, "a", encoding="utf-8") as file:
            file.write('system: init: bnary: "x"\n')
        before = open(os.path.join(self.root, "systems", "default.json"), encoding="utf-8").read()
        result = self.make("default")
        self.assertEqual(result.returncode, 1)
        self.assertIn("bnary", result.stdout)
        after = open(os.path.join(self.root, "systems", "default.json"), encoding="utf-8").read()
        self.assertEqual(after, before)


if __name__ == "__main__":
    unittest.main()
