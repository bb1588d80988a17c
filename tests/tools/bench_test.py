# SPDX-License-Identifier: MIT
"""The performance table: which values fail, and that none is lost."""
import json
import os
import sys
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import bench  # noqa: E402

ROWS = [
    {"name": "enter", "unit": "instructions", "method": "m", "reach": 200, "aim": 120},
    {"name": "calls", "unit": "instructions", "method": "m", "reach": 10, "aim": 20, "more": True},
    {"name": "owed", "unit": "instructions", "method": "m", "reach": 10, "aim": 5, "behind": 30},
    {"name": "encode", "unit": "ratio", "method": "m", "reach": 1.0, "aim": 0.5},
    {"name": "build", "unit": "seconds", "method": "m", "reach": 60, "aim": 30},
]


class Rows(unittest.TestCase):
    def judged(self, *values, exact=False):
        table = bench.Table(ROWS)
        for value in values:
            table.put(*value)
        return table.judge(exact)

    def test_within_reach(self):
        self.assertEqual(self.judged(("enter", 200, "instructions")), (1, []))

    def test_missed(self):
        good, bad = self.judged(("enter", 201, "instructions"))
        self.assertEqual(good, 0)
        self.assertIn("enter is 201 instructions and must be at most 200", bad[0])

    def test_more_is_better(self):
        self.assertEqual(self.judged(("calls", 10, "instructions")), (1, []))
        self.assertIn("at least 10", self.judged(("calls", 9, "instructions"))[1][0])

    def test_behind_its_reach(self):
        self.assertEqual(self.judged(("owed", 30, "instructions")), (1, []))
        self.assertIn("behind its reach, and was 30",
                      self.judged(("owed", 31, "instructions"))[1][0])
        self.assertIn("take `behind` out", self.judged(("owed", 10, "instructions"))[1][0])

    def test_wall_time_never_fails(self):
        self.assertEqual(self.judged(("build", 1000.0, "seconds")), (0, []))

    def test_ratio_fails_when_it_misses(self):
        self.assertEqual(self.judged(("encode", 1.0, "ratio")), (1, []))
        self.assertIn("at most 1.0", self.judged(("encode", 1.01, "ratio"))[1][0])

    def test_value_without_a_row(self):
        self.assertIn("no row", self.judged(("other", 1, "bytes"))[1][0])

    def test_other_unit(self):
        self.assertIn("its row is in", self.judged(("enter", 1, "bytes"))[1][0])

    def test_two_values(self):
        self.assertIn("twice", self.judged(("enter", 1, "instructions"),
                                           ("enter", 2, "instructions"))[1][0])

    def test_exact_wants_every_exact_row(self):
        bad = self.judged(("enter", 1, "instructions"), exact=True)[1]
        self.assertEqual(bad, ["calls was not measured", "owed was not measured"])

    def test_lines_of_programs(self):
        self.assertEqual(bench.parse_lines(["bench: walk 1.5 ratio", "bench speed 7 a/minute",
                                            "bench: it failed", "a bench of 3 ratio x"]),
                         [("walk", 1.5, "ratio"), ("speed", 7, "a/minute")])

    def test_tally(self):
        sections = bench.parse_tally("section 900\nclass locked 200\nclass swapgs 1\nsection 7\n"
                                     "class locked 3\nwatch frame_alloc 2\n")
        self.assertEqual(sections, [{"locked": 200, "swapgs": 1}, {"locked": 3, "frame_alloc": 2}])
        table = bench.Table(ROWS)
        table.tally("enter", 100, sections[0])
        self.assertEqual(table.rows["enter"]["tally"], {"locked": 2.0, "swapgs": 0.01})
        self.assertEqual(table.problems, [])
        table.tally("calls", 1, sections[1])
        self.assertEqual(table.problems, ["calls: 2 times frame_alloc"])
        table.tally("nobody", 1, {})
        self.assertIn("nobody is tallied", table.problems[1])

    def test_page(self):
        table = bench.Table(ROWS[:1])
        table.put("enter", 1234, "instructions")
        page = ("# x\n\n| row | value | unit | reach | aim |\n|---|---|---|---|---|\n| old |\n\n"
                "| tally | locked |\n|---|---|\n| `enter` | 7 |\n\nend\n")
        after = page.replace("| old |", "| `enter` | 1,234 | instructions | 200 | 120 |")
        self.assertEqual(bench.page_with(page, table), after)
        self.assertEqual(bench.page_with(after, bench.Table(ROWS[:1])), after)

    def test_page_of_tallies(self):
        table = bench.Table(ROWS)
        table.tally("enter", 100, {"locked": 2301, "swapgs": 31, "iret": 1, "wrmsr": 1})
        page = ("| row | value | unit | reach | aim |\n|---|---|---|---|---|\n\n%s\n|---|\n"
                "| `enter` | old |\n| `calls` | kept |\n| `gone` | 1 |\n\nend\n"
                % bench.TALLY_HEAD)
        shown = bench.page_with(page, table).splitlines()
        start = shown.index(bench.TALLY_HEAD)
        self.assertEqual(shown[start + 2:],
                         ["| `enter` | - | - | 0.31 | - | - | - | - | 23 |", "| `calls` | kept |",
                          "", "end"])

    def test_page_of_the_tree_has_every_row(self):
        """Values are those of the last `make bench`; names, units and bounds are today's."""
        with open(bench.ROWS) as file:
            rows = bench.Table(json.load(file)).page_rows()
        with open(os.path.join("docs", "performance.md")) as file:
            shown = [line for line in file.read().splitlines() if line.startswith("|")]

        def without_value(lines):
            return sorted(line.split("|")[1:2] + line.split("|")[3:] for line in lines)

        self.assertEqual(without_value(shown[:len(rows)]), without_value(rows),
                         "run make bench or make bench-page: docs/performance.md has other rows")

    def test_lines(self):
        lines = ["[0.1] bench enter 123 instructions", "bench wall 0.25 seconds", "benchmark x 1 y",
                 "bench enter many instructions"]
        self.assertEqual(bench.parse_lines(lines),
                         [("enter", 123, "instructions"), ("wall", 0.25, "seconds")])

    def test_table_of_the_tree(self):
        with open(os.path.join(TOOLS, "..", bench.ROWS)) as file:
            table = bench.Table(bench.json.load(file))
        for row in table.rows.values():
            self.assertTrue({"name", "unit", "method", "reach", "aim"} <= set(row), row["name"])
        self.assertIn("verdict", table.text())


if __name__ == "__main__":
    unittest.main()
