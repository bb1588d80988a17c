# SPDX-License-Identifier: MIT
"""The format check sees a missing licence line, marks, trailing blanks and unformatted C."""
import os
import shutil
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))

import check_format  # noqa: E402

GOOD = "/* SPDX-License-Identifier: MIT */\nint one(void);\n"


class Format(unittest.TestCase):
    def problems(self, path, text):
        with tempfile.TemporaryDirectory() as root:
            shutil.copy(os.path.join(ROOT, ".clang-format"), root)
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full))
            with open(full, "w") as file:
                file.write(text)
            return "\n".join(check_format.check(root))

    def test_good(self):
        self.assertEqual(self.problems("core/a.h", GOOD), "")

    def test_licence(self):
        self.assertIn("core/a.h:1: does not start", self.problems("core/a.h", "int one(void);\n"))
        self.assertIn("tools/a.py:1:", self.problems("tools/a.py", "print()\n"))

    def test_script_may_begin_with_its_interpreter(self):
        text = "#!/bin/sh\n# SPDX-License-Identifier: MIT\n"
        self.assertEqual(self.problems("tools/a.sh", text), "")

    def test_marks(self):
        for mark in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"):
            text = GOOD + "/* %s: later */\n" % mark
            self.assertIn("core/a.h:3: a mark", self.problems("core/a.h", text))
        self.assertEqual(self.problems("core/a.h", GOOD + "/* XXXL */\n"), "")

    def test_blanks_and_last_newline(self):
        self.assertIn("core/a.h:2: blanks", self.problems("core/a.h", GOOD.replace(";", "; ")))
        self.assertIn("no newline", self.problems("core/a.h", GOOD.rstrip("\n")))

    def test_unformatted(self):
        self.assertIn("clang-formatted", self.problems("core/a.h", GOOD.replace("int one", "int  one")))

    def test_generated_code_is_left_alone(self):
        self.assertEqual(self.problems("schema/generated/a.h", "int  one(void);\n"), "")


if __name__ == "__main__":
    unittest.main()
