# SPDX-License-Identifier: MIT
"""tools/check_opcodes.py: a pair without a test, a marker without a pair, a page without an opcode."""
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools"))
import check_opcodes  # noqa: E402

FILES = {
    "abi/ring.h": "enum opcode {\n    OPCODE_NOP = 0,\n    OPCODE_DUP = 6,\n};\n",
    "abi/errors.def": 'TRANSPORT_ERROR(BAD_FIELD, -2, "x")\nTRANSPORT_ERROR(BAD_CAP, -3, "x")\n',
    "kernel/dispatch/submission.c": "    [OPCODE_NOP] = nop,\n    [OPCODE_DUP] = dup,\n",
    "docs/abi/NOP.md": "# NOP\n\n## Errors\n\n| error |\n|---|\n| `BAD_FIELD` | x |\n",
    "docs/abi/DUP.md": "# DUP\n\n## Errors\n\n| `BAD_FIELD` | x |\n| `BAD_CAP` | x |\n\n## Notes\n",
    "docs/abi/README.md": "| `NOTHING` | x |\n",
    "tests/host/a_test.c": "/* covers: ANY/BAD_FIELD */\n",
    "tests/programs/caps.c": "/*\n * covers: DUP/BAD_CAP\n */\n",
    "tests/programs/idle.c": "/* covers: NOP/BAD_CAP */\n",
    "tests/scenes/caps.json": json.dumps({"manifest": {"binaries": [{"name": "caps"}]}}),
}


class Opcodes(unittest.TestCase):
    def problems(self, **changes):
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root)
        for path, text in {**FILES, **changes.pop("files", {})}.items():
            if text is not None:
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w") as file:
                    file.write(text)
        return list(check_opcodes.problems(root))

    def test_complete(self):
        """ The marker of a program that no scene starts is not even looked at. """
        self.assertEqual(self.problems(), [])

    def test_pair_without_test(self):
        found = self.problems(files={"tests/programs/caps.c": "/* nothing */\n"})
        self.assertEqual(found, ["docs/abi/DUP.md documents BAD_CAP: no test says 'covers: DUP/BAD_CAP'"])

    def test_program_without_scene(self):
        found = self.problems(files={"tests/scenes/caps.json": "{}"})
        self.assertEqual(len(found), 1)

    def test_marker_without_pair(self):
        found = self.problems(files={"tests/host/b_test.c": "/* covers: NOP/BAD_CAP */\n"})
        self.assertEqual(found, ["tests/host/b_test.c covers NOP/BAD_CAP, which no page of docs/abi has"])

    def test_malformed_marker(self):
        with self.assertRaises(SystemExit):
            self.problems(files={"tests/host/b_test.c": "/* covers: everything */\n"})

    def test_pages(self):
        self.assertEqual(len(self.problems(files={"docs/abi/DUP.md": None})), 2)
        self.assertEqual(len(self.problems(files={"docs/abi/GONE.md": FILES["docs/abi/NOP.md"]})), 1)
        wrong = FILES["docs/abi/NOP.md"] + "| `NO_SUCH` | x |\n"
        self.assertEqual(len(self.problems(files={"docs/abi/NOP.md": wrong})), 2)
        self.assertEqual(len(self.problems(files={"docs/abi/NOP.md": "# NOP\n"})), 1)

    def test_no_handler_yet(self):
        found = self.problems(files={"tests/programs/caps.c": "/* nothing */\n",
                                     "kernel/dispatch/submission.c": "    [OPCODE_NOP] = nop,\n"})
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
