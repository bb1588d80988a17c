# SPDX-License-Identifier: MIT
"""The README check: what it takes for a command, a path, a line that was printed."""
import os
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import check_readme  # noqa: E402

TEXT = """# x

```sh
make run
make test
```

`make debug GDB_SCRIPT=file` and `docs/a.md`, `core/`, `out/capos.iso`, `cap_enter`.

```text
[0.12] boot
...
[0.34] client: 3 calls
```
"""


class Readme(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(check_readme.commands(TEXT), {"run", "test", "debug"})

    def test_every_command_is_named(self):
        self.assertEqual(check_readme.unnamed_commands(TEXT, {"run", "test", "debug"}), [])
        self.assertEqual(check_readme.unnamed_commands(TEXT, {"run", "tes"}), ["does not tell of `make tes`"])

    def test_paths(self):
        self.assertEqual(check_readme.paths(TEXT), {"docs/a.md", "core/"})

    def page(self, name, text, known=("run",), names=()):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            for there in (path, os.path.join(os.path.dirname(path), "beside.h")):
                with open(there, "w") as file:
                    file.write(text)
            before = os.getcwd()
            os.chdir(folder)
            try:
                return check_readme.page_problems(name, set(known), set(names))
            finally:
                os.chdir(before)

    def test_pages(self):
        self.assertEqual(self.page("docs/a.md", "`make run`, `beside.h`, `docs/a.md`, `far.h`, "
                                                "`systems/NAME.json`", names=["far.h"]), [])
        self.assertEqual(self.page("docs/a.md", "`make walk`, `far.h`"),
                         ["docs/a.md: `make walk` is no command", "docs/a.md: there is no far.h"])

    def test_names_of_another_project(self):
        table = "| there | here |\n|---|---|\n| `make theirs` | `make %s` |\n"
        self.assertEqual(self.page("docs/targets.md", table % "run"), [])
        self.assertEqual(self.page("docs/targets.md", table % "ours"),
                         ["docs/targets.md: `make ours` is no command"])

    def test_programs(self):
        table = "| program | what | scenes |\n|---|---|---|\n| `a`, `b` | `c` | `d`, `bench/scenes/` |\n"
        self.assertEqual(check_readme.table_problems(table, {"a", "b"}, {"d"}), [])
        self.assertEqual(check_readme.table_problems(table, {"a", "c"}, {"e"}),
                         ["docs/programs.md: does not tell of the program c",
                          "docs/programs.md: there is no scene d"])

    def test_summary(self):
        self.assertEqual(check_readme.summary_lines("# x\n\na\nb\n\n## y\n"), 2)

    def test_block(self):
        self.assertEqual(check_readme.shown_block(TEXT),
                         ["[0.12] boot", "...", "[0.34] client: 3 calls"])
        self.assertIsNone(check_readme.shown_block("no block"))

    def test_numbers_and_order_may_differ(self):
        shown = check_readme.shown_block(TEXT)
        self.assertEqual(check_readme.missing_lines(shown, ["[9.9] client: 4 calls", "[1] boot"]), [])

    def test_words_may_not(self):
        shown = check_readme.shown_block(TEXT)
        self.assertEqual(check_readme.missing_lines(shown, ["[0.1] boot", "[0.2] client: 3 cats"]),
                         ["[0.34] client: 3 calls"])

    def test_each_line_counts_once(self):
        self.assertEqual(check_readme.missing_lines(["a", "a"], ["a"]), ["a"])

    def test_surplus(self):
        self.assertEqual(check_readme.surplus_lines(["a"], ["a", "b"]), ["b"])
        self.assertEqual(check_readme.surplus_lines(["a", "..."], ["a", "b"]), [])


if __name__ == "__main__":
    unittest.main()
