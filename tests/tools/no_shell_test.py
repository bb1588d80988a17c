# SPDX-License-Identifier: MIT
"""Tools start other programs with argument vectors, never through a shell."""
import glob
import os
import re
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SHELLS = {
    ".py": r"\bshell\s*=(?!\s*False)|\bos\.(system|popen|spawn\w*)\b|\bgetstatusoutput\b|\bgetoutput\b",
    ".c": r"\b(system|popen|wordexp)\s*\(|/bin/sh\b",
}


def found(kind, text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return [match.group() for match in re.finditer(SHELLS[kind], text)]


class NoShell(unittest.TestCase):
    def test_tools(self):
        count = 0
        for kind in SHELLS:
            for path in glob.glob(os.path.join(ROOT, "tools", "**", "*" + kind), recursive=True) + \
                    glob.glob(os.path.join(ROOT, "capnp", "capnpc-c", "*" + kind)):
                with open(path, encoding="utf-8") as file:
                    self.assertEqual(found(kind, file.read()), [], os.path.relpath(path, ROOT))
                count += 1
        self.assertGreater(count, 30)

    def test_would_be_seen(self):
        for text in ("subprocess.run(x, shell=True)", "os.system(x)", "os.popen(x)",
                     "subprocess.getoutput(x)"):
            self.assertTrue(found(".py", text), text)
        for text in ("system(x);", "popen (x, y);", 'execl("/bin/sh", x)'):
            self.assertTrue(found(".c", text), text)
        self.assertFalse(found(".py", "subprocess.run([x], shell=False)"))
        self.assertFalse(found(".c", "manifest_system(x); /* system() */ file_system(y);"))


if __name__ == "__main__":
    unittest.main()
