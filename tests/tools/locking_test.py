# SPDX-License-Identifier: MIT
"""docs/locking.md lists the ranks of kernel/lock.h, in their order."""
import os
import re
import unittest

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RANK = re.compile(r"LOCK_RANK_\w+")


def text(*path):
    with open(os.path.join(TREE, *path)) as file:
        return file.read()


class Locking(unittest.TestCase):
    def test_ranks(self):
        ranks = re.search(r"enum lock_rank \{(.*?)\};", text("kernel", "lock.h"), re.S).group(1)
        rows = re.findall(r"^\| (LOCK_RANK_\w+) \|", text("docs", "locking.md"), re.M)
        self.assertEqual(rows, [rank for rank in RANK.findall(ranks) if rank != "LOCK_RANK_NONE"])


if __name__ == "__main__":
    unittest.main()
