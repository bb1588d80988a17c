# SPDX-License-Identifier: MIT
"""The check of the demonstrations' pages: what it reads from a page and takes for printed."""
import os
import sys
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import check_demos  # noqa: E402

PAGE = """# x

```json
{}
```

Run it with `make run%s`:

```text
a: 1

b: 2
```
"""


class Demos(unittest.TestCase):
    def test_page(self):
        self.assertEqual(check_demos.page_read(PAGE % ""), ("default", ["a: 1", "b: 2"]))
        self.assertEqual(check_demos.page_read(PAGE % " SYSTEM=spawn"),
                         ("spawn", ["a: 1", "b: 2"]))

    def test_bad_pages(self):
        self.assertIn("how it is run", check_demos.page_read("```text\na\n```\n"))
        self.assertIn("0 blocks", check_demos.page_read("`make run`"))
        self.assertIn("shows nothing", check_demos.page_read("`make run`\n```text\n\n```\n"))

    def test_missing(self):
        self.assertEqual(check_demos.missing_lines(["a", "b"], ["b", "x", "a"]), [])
        self.assertEqual(check_demos.missing_lines(["a", "a"], ["a"]), ["a"])
        self.assertEqual(check_demos.missing_lines(["call 1"], ["call 2"]), ["call 1"])


if __name__ == "__main__":
    unittest.main()
