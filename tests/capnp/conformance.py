#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random messages through our code and through the reference, in both directions.

  conformance.py --ours PROGRAM --oracle PROGRAM [--count N] [--seed S] [--result FILE]

Ours is tests/capnp/conformance_main.c over generated accessors; the reference is `capnp convert`,
and tests/capnp/oracle.cc over its library for what that refuses, which is capabilities. Canonical and
packed forms must be the same bytes, plain binary and text the same values. What the messages held
is counted, and something that none of them held fails the run.
"""
import argparse
import os
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import suite  # noqa: E402

SCHEMA = os.path.join("tests", "capnp", "features.capnp")
IMPORTS = os.path.join("capnp", "capnpc-c")
TEXT_BATCH = 25


class Run:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.passed = self.failed = 0

    def program(self, arguments, data=b""):
        """Standard output of a program that succeeds and says nothing on standard error."""
        result = subprocess.run(arguments, input=data, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=ROOT,
                                env=dict(os.environ, PWD=ROOT))
        # After an error in the text the reference goes on with half a message and code 0.
        if result.returncode != 0 or result.stderr:
            raise RuntimeError("%s: code %d\n%s" % (" ".join(arguments), result.returncode,
                                                    result.stderr.decode(errors="replace")[:2000]))
        return result.stdout

    def ours(self, *arguments, data=b""):
        return self.program([self.options.ours] + list(arguments), data)

    def reference(self, conversion, data):
        return self.program(["capnp", "convert", conversion, "-I" + IMPORTS, SCHEMA, "Features"],
                            data)

    def oracle(self, data, root="Features"):
        """The values as the reference's library reads them. Its own text would not do: it writes
        the least float and minus zero so that it reads something else."""
        return self.program([self.options.oracle, SCHEMA, IMPORTS, root], data)

    def file(self, group, kind):
        with open(os.path.join(self.folder, "%s.%s" % (group, kind)), "rb") as file:
            return file.read()

    def expect(self, what, left, right):
        if left == right:
            self.passed += 1
            return
        self.failed += 1
        at = next((i for i, (a, b) in enumerate(zip(left, right)) if a != b),
                  min(len(left), len(right)))
        print("  FAIL  %s: %d and %d bytes, first difference at %d\n    %r\n    %r" % (
            what, len(left), len(right), at, left[max(0, at - 60):at + 60],
            right[max(0, at - 60):at + 60]))

    def write(self, group):
        self.ours("write", group, str(self.options.seed), str(self.options.count), self.folder)

    def text_convert(self, target, text):
        """Text is read in batches: the reference keeps all of its input as one syntax tree."""
        lines = text.splitlines(keepends=True)
        return b"".join(self.reference("text:" + target, b"".join(lines[i:i + TEXT_BATCH]))
                        for i in range(0, len(lines), TEXT_BATCH))

    def group_text(self):
        self.write("text")
        binary, packed = self.file("text", "binary"), self.file("text", "packed")
        canonical, text = self.file("text", "canonical"), self.file("text", "text")
        # Ours to the reference.
        self.expect("text: our binary, canonical there", self.reference("binary:canonical", binary),
                    canonical)
        self.expect("text: our packed, canonical there", self.reference("packed:canonical", packed),
                    canonical)
        self.expect("text: our values, canonical there", self.text_convert("canonical", text),
                    canonical)
        self.expect("text: our binary, values there", self.oracle(binary), text)
        # The reference's to us.
        theirs = self.text_convert("binary", text)
        self.expect("text: their binary, values here", self.ours("read", "binary", "text",
                                                                 data=theirs), text)
        self.expect("text: their binary, canonical here", self.ours("canonical", data=theirs),
                    canonical)
        self.expect("text: their packed, packed here", self.text_convert("packed", text),
                    self.ours("pack", data=theirs))
        self.expect("text: their packed, values here",
                    self.ours("read", "packed", "text", data=self.reference("binary:packed",
                                                                            binary)), text)

    def group_upgraded(self):
        self.write("upgraded")
        binary, text = self.file("upgraded", "binary"), self.file("upgraded", "text")
        self.expect("upgraded: canonical", self.reference("binary:canonical", binary),
                    self.file("upgraded", "canonical"))
        self.expect("upgraded: values", self.oracle(binary), text)

    def group_any(self):
        self.write("any")
        binary, text = self.file("any", "binary"), self.file("any", "text")
        self.expect("any: canonical", self.reference("binary:canonical", binary),
                    self.file("any", "canonical"))
        self.expect("any: our packed", self.reference("packed:canonical", self.file("any",
                                                                                    "packed")),
                    self.file("any", "canonical"))
        copied = self.reference("binary:binary", binary)
        self.expect("any: their copy, values here", self.ours("read", "binary", "any", data=copied),
                    text)
        self.expect("any: their copy, packed here", self.ours("pack", data=copied),
                    self.reference("binary:packed", binary))

    def group_capability(self):
        self.write("capability")
        self.expect("capability: values", self.oracle(self.file("capability", "binary")),
                    self.file("capability", "text"))

    def group_call(self):
        """What a call of a generic interface carries. The tool cannot name a method's structs, so that
        the library is the oracle here; the interface's own struct is in the group `text`."""
        for group, root in (("parameters", "Reader.each.params"), ("results", "Reader.get.results")):
            self.write(group)
            self.expect(group + ": values", self.oracle(self.file(group, "binary"), root),
                        self.file(group, "text"))

    def counts(self):
        total = {}
        if not os.path.exists(os.path.join(self.folder, "counts")):
            self.failed += 1
            print("  FAIL  no counts: nothing was written")
            return
        with open(os.path.join(self.folder, "counts")) as file:
            for line in file:
                count, name = line.rstrip("\n").split("\t")
                total[name] = total.get(name, 0) + int(count)
        for name, count in total.items():
            print("  %9d  %s" % (count, name))
            if count:
                self.passed += 1
            else:
                self.failed += 1
                print("  FAIL  never met: %s" % name)

    def all(self):
        for group in (self.group_text, self.group_upgraded, self.group_any, self.group_capability,
                      self.group_call):
            try:
                group()
            except RuntimeError as error:
                self.failed += 1
                print("  FAIL  %s" % error)
        self.counts()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True)
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--result")
    options = parser.parse_args()
    options.ours, options.oracle = os.path.abspath(options.ours), os.path.abspath(options.oracle)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(options, folder)
        run.all()
        suite.finish("Cap'n Proto conformance, %d values in each of 6 groups" % options.count,
                     run.passed, run.failed, options.result)
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
