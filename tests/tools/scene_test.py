# SPDX-License-Identifier: MIT
"""The scene harness: what counts as met, what counts as failed, which files are refused."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import qemu  # noqa: E402
import scene  # noqa: E402

LINES = ["boot", "client: hello 1", "server: hello 2", "done"]
SUCCESS = qemu.STATUS_SUCCESS
FAILURE = 35


def outcome(status, reason="ended"):
    return qemu.Outcome(status, b"", 0.1, reason)


def a_scene(**changes):
    return dict(scene.DEFAULTS, name="x", **changes)


class Expectations(unittest.TestCase):
    def unmet(self, *expect):
        return scene.first_unmet(list(expect), LINES)

    def test_literal_in_order(self):
        self.assertIsNone(self.unmet("boot", "server", "done"))
        self.assertEqual(self.unmet("server", "boot"), "boot")

    def test_a_line_serves_one_expectation(self):
        self.assertEqual(self.unmet("done", "done"), "done")
        self.assertEqual(self.unmet(["hello", "hello", "hello"]), "hello")

    def test_regex(self):
        self.assertIsNone(self.unmet(r"/hello \d$/"))
        self.assertEqual(self.unmet(r"/hello \d\d/"), r"/hello \d\d/")

    def test_any_order_inside_a_group(self):
        self.assertIsNone(self.unmet("boot", ["server", "client"], "done"))
        self.assertEqual(self.unmet(["done", "client"], "server"), "server")

    def test_text_is_no_pattern(self):
        self.assertEqual(self.unmet("h.llo"), "h.llo")

    def test_terminal_codes_and_carriage_returns(self):
        self.assertEqual(scene.output_lines(b"\x1b[2J\x1b[01;01Hone\r\n\r\ntwo\r\n"), ["one", "two"])


class Verdicts(unittest.TestCase):
    def judge(self, status, lines=LINES, reason="ended", **changes):
        return scene.judge(a_scene(**changes), lines, outcome(status, reason))

    def test_success(self):
        self.assertIsNone(self.judge(SUCCESS, expect=["done"]))

    def test_missing_line_fails_a_successful_guest(self):
        self.assertIn("did not print: more", self.judge(SUCCESS, expect=["more"]))

    def test_failing_guest_fails_though_all_was_printed(self):
        self.assertIn("expected success", self.judge(FAILURE, expect=["done"]))

    def test_triple_fault_is_no_success(self):
        self.assertIsNotNone(self.judge(0, expect=["done"]))
        self.assertIsNotNone(self.judge(0, exit="failure"))

    def test_timeout_fails_each_kind(self):
        for kind in ("success", "failure", "panic", "halt"):
            self.assertIsNotNone(self.judge(None, reason="timed out after 1 s", exit=kind))

    def test_failure(self):
        self.assertIsNone(self.judge(FAILURE, exit="failure"))
        self.assertIsNotNone(self.judge(SUCCESS, exit="failure"))

    def test_panic_needs_a_report(self):
        self.assertIsNone(self.judge(FAILURE, ["PANIC on CPU 0"], exit="panic"))
        self.assertIn("without a panic report", self.judge(FAILURE, ["bye"], exit="panic"))

    def test_halt(self):
        self.assertIsNone(self.judge(None, reason="stopped", exit="halt"))
        self.assertIsNotNone(self.judge(FAILURE, exit="halt"))

    def test_forbidden_line(self):
        self.assertIn("forbidden", self.judge(SUCCESS, forbid=["/hello 2/"]))

    def test_kernel_address(self):
        line = ["value ffffffff80101234"]
        self.assertIn("kernel address", self.judge(SUCCESS, line))
        self.assertIsNone(self.judge(SUCCESS, line, addresses=True))
        self.assertIsNone(self.judge(SUCCESS, ["mask ffffffffffffffffffff", "7fff80101234"]))
        self.assertIsNone(self.judge(FAILURE, ["panic", "rip 0xffffffff80101234"], exit="panic"))


class Files(unittest.TestCase):
    def variants(self, text, name="a"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name + ".json")
            with open(path, "w") as file:
                file.write(text if isinstance(text, str) else json.dumps(text))
            return scene.scene_variants(path)

    def refused(self, text, words):
        with self.assertRaises(scene.SceneError) as caught:
            self.variants(text)
        self.assertIn(words, str(caught.exception))

    def test_matrix(self):
        found = self.variants({"name": "a", "expect": ["x"],
                               "matrix": [{"smp": 1}, {"smp": 4, "boot": "uefi"}]})
        self.assertEqual([v["name"] for v in found], ["a[smp=1]", "a[smp=4,boot=uefi]"])
        self.assertEqual([v["smp"] for v in found], [1, 4])
        self.assertEqual(found[0]["expect"], ["x"])

    def test_refusals(self):
        self.refused({"name": "b"}, "'name' must be 'a'")
        self.refused({"name": "a", "expct": []}, "unknown key 'expct'")
        self.refused({"name": "a", "smp": "4"}, "wrong type")
        self.refused({"name": "a", "boot": "floppy"}, "not one of")
        self.refused({"name": "a", "expect": ["/(/"]}, "bad pattern")
        self.refused({"name": "a", "module": "two"}, "one module")
        self.refused({"name": "a", "matrix": [{"smp": 1}, {"smp": 1}]}, "alike")
        self.refused("{", "a.json")


class Machines(unittest.TestCase):
    def arguments(self, **changes):
        return qemu.Machine(kernel="K", **changes).arguments("V")

    def after(self, arguments, option):
        return arguments[arguments.index(option) + 1]

    def test_never_kvm_by_itself(self):
        self.assertEqual(self.after(self.arguments(), "-accel"), "tcg")

    def test_cpu(self):
        self.assertEqual(self.after(self.arguments(), "-cpu"), qemu.CPU)
        self.assertEqual(self.after(self.arguments(cpu="-smep"), "-cpu"), qemu.CPU + ",-smep")
        self.assertEqual(self.after(self.arguments(cpu="qemu64"), "-cpu"), "qemu64")

    def test_boots(self):
        direct = self.arguments(module="M", cmdline="a=1")
        self.assertEqual(self.after(direct, "-initrd"), "M")
        self.assertEqual(self.after(direct, "-append"), "a=1")
        self.assertNotIn("-initrd", self.arguments())
        firmware = qemu.Machine("uefi", iso="I").arguments("V")
        self.assertEqual(self.after(firmware, "-cdrom"), "I")
        self.assertTrue(any(part.endswith("file=V") for part in firmware))
        self.assertNotIn("-kernel", firmware)


class WholeRun(unittest.TestCase):
    """The harness with a stand-in for the emulator, which prints the guest's command line."""
    SCENES = {
        "good": {"expect": ["it says fine"], "cmdline": "fine"},
        "bad": {"expect": ["it says fine"], "cmdline": "sorry"},
        "pair": {"matrix": [{"cmdline": "fine"}, {"cmdline": "well"}]},
    }
    QEMU = ("#!/bin/sh\nwhile [ \"$1\" != -append ]; do shift; done\n"
            "echo first; echo \"it says $2\"; echo last\nexit %d\n" % SUCCESS)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        shutil.copytree(TOOLS, os.path.join(self.root, "tools"),
                        ignore=shutil.ignore_patterns("mkmanifest", "__pycache__"))
        for name, text in self.SCENES.items():
            self.write("tests/scenes/%s.json" % name,
                       json.dumps(dict({"name": name, "module": "none"}, **text)))
        self.write("out/kernel/debug/kernel.elf", "")
        self.write("bin/" + qemu.QEMU, self.QEMU)
        os.chmod(os.path.join(self.root, "bin", qemu.QEMU), 0o755)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)

    def run_scenes(self, *names):
        result = subprocess.run(
            [sys.executable, os.path.join(self.root, "tools", "scene.py")] + list(names),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": os.path.join(self.root, "bin") + ":/usr/bin:/bin"})
        return result.returncode, result.stdout

    def test_failing_output_is_shown_whole(self):
        status, said = self.run_scenes()
        self.assertEqual(status, 1)
        self.assertRegex(said, r"(?m)^  FAIL  bad \(.*did not print: it says fine ")
        self.assertIn("---- output of bad ----\nfirst\nit says sorry\nlast\n"
                      "---- end of output of bad ----\n", said)
        self.assertEqual(said.count("---- output of"), 1)
        self.assertRegex(said, r"(?m)^  PASS  good \(")
        self.assertRegex(said, r"(?m)^  PASS  pair\[cmdline=well\] \(")
        self.assertTrue(said.endswith("boot scenes: 3 passed, 1 failed\n"), said)

    def test_one_by_name(self):
        status, said = self.run_scenes("good")
        self.assertEqual((status, said.splitlines()[-1]), (0, "boot scenes: 1 passed, 0 failed"))
        self.assertEqual(self.run_scenes("pair")[1].splitlines()[-1],
                         "boot scenes: 2 passed, 0 failed")
        self.assertEqual(self.run_scenes("pair[cmdline=well]")[1].splitlines()[-1],
                         "boot scenes: 1 passed, 0 failed")

    def test_unknown_name(self):
        status, said = self.run_scenes("god")
        self.assertEqual(status, 1)
        self.assertIn("no scene 'god'; there are: bad good pair", said)

    def test_what_is_not_built_is_named(self):
        os.remove(os.path.join(self.root, "out/kernel/debug/kernel.elf"))
        status, said = self.run_scenes("good")
        self.assertEqual(status, 1)
        self.assertIn("kernel.elf is not built", said)


if __name__ == "__main__":
    unittest.main()
