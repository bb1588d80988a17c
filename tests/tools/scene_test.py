# SPDX-License-Identifier: MIT
"""The scene harness: what counts as met, what counts as failed, which files are refused."""
import json
import os
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


if __name__ == "__main__":
    unittest.main()
