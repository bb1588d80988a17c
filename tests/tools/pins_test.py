# SPDX-License-Identifier: MIT
"""The pin check refuses a changed boot file, an old and a foreign package, naming each."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import check_pins  # noqa: E402
import suite  # noqa: E402


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Pins(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.firmware = os.path.join(self.folder, "firmware.fd")
        with open(self.firmware, "wb") as file:
            file.write(b"firmware")

    def check(self, rows, *arguments):
        pins = os.path.join(self.folder, "pins.txt")
        with open(pins, "w") as file:
            file.write(rows)
        result = subprocess.run([sys.executable, os.path.join(TOOLS, "check_pins.py"), "--pins",
                                 pins] + list(arguments), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        with open(pins) as file:
            return result.returncode, result.stdout, file.read()

    def row(self, digest, version="1"):
        return "file firmware %s %s dpkg %s\n" % (self.firmware, digest, version)

    def test_matching_file_passes(self):
        self.assertEqual(self.check(self.row(sha256(b"firmware")))[:2], (0, ""))

    def test_changed_file_is_named_with_what_to_do(self):
        status, said, _ = self.check(self.row(sha256(b"other")))
        self.assertEqual(status, 1)
        for words in ("firmware", self.firmware, sha256(b"firmware"), sha256(b"other")[:12],
                      "make pins-update"):
            self.assertIn(words, said)

    def test_one_of_several_versions_is_enough(self):
        rows = self.row(sha256(b"other")) + self.row(sha256(b"firmware"), "2")
        self.assertEqual(self.check(rows)[0], 0)

    def test_absent_file_is_named(self):
        os.remove(self.firmware)
        status, said, _ = self.check(self.row(sha256(b"firmware")))
        self.assertEqual(status, 1)
        self.assertIn("absent", said)

    def test_tree_changes_with_content_and_name(self):
        tree = os.path.join(self.folder, "modules")
        os.mkdir(tree)

        def put(name, data):
            with open(os.path.join(tree, name), "wb") as file:
                file.write(data)

        boot = check_pins.Boot("tree", "modules", tree)
        put("a.mod", b"1")
        first = check_pins.boot_hash(boot)
        put("notes.txt", b"not part of it")
        self.assertEqual(check_pins.boot_hash(boot), first)
        put("a.mod", b"2")
        self.assertNotEqual(check_pins.boot_hash(boot), first)
        put("a.mod", b"1")
        put("b.mod", b"1")
        self.assertNotEqual(check_pins.boot_hash(boot), first)

    def test_packages(self):
        good = "package build dpkg minimum 0.1\n"
        self.assertEqual(self.check(good)[0], 0)
        status, said, _ = self.check("package build dpkg minimum 999:0\n")
        self.assertEqual(status, 1)
        self.assertIn("999:0 or later is needed", said)
        status, said, _ = self.check("package build dpkg major 0.1\n")
        self.assertEqual(status, 1)
        self.assertIn("built and tested with 0.x", said)
        status, said, _ = self.check("package build no-such-package minimum 1\n")
        self.assertEqual(status, 1)
        self.assertIn("no-such-package: is not installed", said)

    def test_other_groups_are_not_asked(self):
        rows = "package test no-such-package minimum 1\n"
        self.assertEqual(self.check(rows, "--group", "build")[0], 0)

    def test_update_adds_and_keeps(self):
        status, said, after = self.check(self.row(sha256(b"other")), "--update")
        self.assertEqual(status, 0)
        self.assertIn("added: file firmware", said)
        self.assertIn(sha256(b"other"), after)
        self.assertIn(sha256(b"firmware"), after)
        self.assertEqual(self.check(after)[0], 0)

    def test_doctor_lists_what_is_missing(self):
        status, said, _ = self.check("package run no-such-package minimum 7\n", "--doctor")
        self.assertEqual(status, 1)
        self.assertIn("MISSING", said)
        self.assertIn("no-such-package", said)
        self.assertIn("make run", said)

    def test_each_boot_file_comes_with_its_package(self):
        """The ISO is refused while one is absent, so `make iso` installs them all."""
        packages, boots = check_pins.pins_read(check_pins.PINS)
        installed = {package.name for package in packages if package.group == "iso"}
        for boot in boots:
            for row in boot.accepted:
                self.assertIn(row[1], installed)

    def test_broken_row_is_refused(self):
        status, said, _ = self.check("package build dpkg\n")
        self.assertEqual(status, 1)
        self.assertIn("pins.txt:1", said)


class Iso(unittest.TestCase):
    """A tree whose pins name another firmware, and whose kernel and system are already built."""
    BUILT = ("out/kernel/release/kernel.elf", "out/systems/default.bin")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.join(folder.name, "tree")
        for path in ("mk", "tools"):
            shutil.copytree(os.path.join(suite.ROOT, path), os.path.join(self.root, path))
        shutil.copy(os.path.join(suite.ROOT, "Makefile"), self.root)
        for path in self.BUILT:
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full))
            with open(full, "wb") as file:
                file.write(b"built")
        self.pins = os.path.join(self.root, "tools", "pins.txt")
        with open(self.pins) as file:
            lines = file.read().splitlines()
        rows = [line.split() for line in lines if line.startswith("file ovmf-code ")]
        with open(self.pins, "w") as file:
            file.write("\n".join(line for line in lines if not line.startswith("file ovmf-code ")))
            file.write("\nfile ovmf-code %s %s ovmf 1\n" % (rows[0][2], "0" * 64))
        self.iso = os.path.join(self.root, "out", "capos.iso")

    def refused(self, command):
        result = subprocess.run(command, cwd=self.root, env=suite.make_environment(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertIn("pins: ovmf-code: /usr/share/OVMF/", result.stdout)
        self.assertIn("accepts 000000000000", result.stdout)
        self.assertNotIn("grub-mkrescue", result.stdout)
        self.assertFalse(os.path.exists(self.iso))

    def test_mismatch_fails_before_the_iso_is_made(self):
        old = [word for path in self.BUILT for word in ("-o", path)]
        self.refused(["make", "SETUP=no", "iso-file"] + old)

    def test_the_tool_refuses_by_itself(self):
        self.refused([sys.executable, "tools/make_iso.py", "--kernel", self.BUILT[0], "--module",
                      self.BUILT[1], "--output", self.iso])


if __name__ == "__main__":
    unittest.main()
