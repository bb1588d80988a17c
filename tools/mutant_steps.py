# SPDX-License-Identifier: MIT
"""Steps: what core/ and kernel/dispatch/ do that refuses nothing, and how a source is written
without it.

tools/mutants.py takes refusals away. This takes the rest of what a function does, one piece at a
time, and each mutant again is a question in the same compiled source. Its KIND is
  skip     a statement that assigns, counts or calls is not done
  never    the condition of an `if`, a loop or a choice counts as false
  without  so does one operand of it
  granted  the condition, or one operand, counts as true

Left out are declarations, `break` and `continue`, loops that would never end, assertions, the
functions of x_check(), and the only assignment of a local that has no other value and the call that
ends a function with a value: without them the compiler may take any.
"""
import glob
import os
import re

import mutants
import suite
from mutants import matching, top_level, trimmed

# Those asked about when nobody says which, and those when they are named.
CORE = ("core/*.c", "core/*.h")
NAMED = ("kernel/dispatch/*.c", "kernel/dispatch/*.h")
# Printing, which decides nothing.
LEFT_OUT = ("core/format.c",)

STATEMENT = re.compile(r"(?<=[;{}])\s*|(?<=:)\n\s*")
KEYWORD = re.compile(r"(?:return|if|else|for|while|do|switch|case|default|break|continue|ASSERT(?:_AGAIN)?|va_\w+)\b")
DECLARATION = re.compile(r"(?:(?:const|static|struct|enum|unsigned|_Static_assert)\b|\w+ \**\w+\s*(?:=|;|\[))")
DOES = re.compile(r"[^=!<>]=[^=]|\+\+|--|(?:\(void\))?[\w>.\[\]-]+\(")
SILENT = re.compile(r"\bASSERT(?:_AGAIN)?\(")
CONSTANT = re.compile(r"\b(?:static )?const struct \{(?:.|\n)*?\n    \};|\bstatic const[^;=]*=[^;]*;|\benum \{[^}]*\}")


class StepFinder(mutants.Finder):
    def __init__(self, path, source):
        super().__init__(path, source)
        starts = [self.text.index("\n{", begin) + 1 for begin, _, _ in self.functions]
        self.bodies = [(start, matching(self.text, start)) for start in starts]
        self.silent = [(match.start(), matching(self.text, match.end() - 1))
                       for match in SILENT.finditer(self.text)]
        self.silent += [match.span() for match in CONSTANT.finditer(self.text)]

    def add(self, kind, start, end):
        inside = any(begin < start < stop for begin, stop in self.bodies)
        if inside and not any(begin <= start < stop for begin, stop in self.silent):
            super().add(kind, start, end)

    def both(self, start, end):
        self.condition(start, end, True)
        self.condition(start, end, False)

    def loop(self, start, end):
        """Not always true: that hangs, or runs into nothing."""
        start, end = trimmed(self.text, start, end)
        self.both(start, end)
        self.found.pop((start, end, "granted"), None)

    def conditions(self):
        text = self.text
        for match in re.finditer(r"\b(if|while|for) \(", text):
            opening = match.end() - 1
            closing = matching(text, opening) - 1
            if match.group(1) == "if":
                self.both(opening + 1, closing)
            elif match.group(1) == "while":
                self.loop(opening + 1, closing)
            else:
                signs = [at for at, _ in top_level(text, opening + 1, closing, (";",))]
                if text[signs[0] + 1:signs[1]].strip():
                    self.loop(signs[0] + 1, signs[1])

    def choices(self):
        for match in re.finditer(r"\s\? ", self.text):
            if any(begin < match.start() < stop for begin, stop in self.bodies):
                self.both(self.choice_begin(match.start()), match.start())

    def choice_begin(self, position):
        """Where the condition of the ?: begins whose question mark is here."""
        text, depth = self.text, 0
        while True:
            position -= 1
            character = text[position]
            if character in ")]":
                depth += 1
            elif character in "([":
                depth -= 1
            ends = character in ";{},?:" or text.endswith("return ", 0, position + 1) or \
                (character == "=" and text[position - 1] not in "=!<>" and text[position + 1] != "=")
            if depth < 0 or (depth == 0 and ends):
                return position + 1

    def expression_end(self, position):
        """Behind the expression that begins here: at the comma, bracket or semicolon that ends it."""
        depth = 0
        while True:
            character = self.text[position]
            if character in "([{":
                depth += 1
            elif character in ")]}":
                depth -= 1
            if depth < 0 or (depth == 0 and character in ",;"):
                return position
            position += 1

    def statements(self):
        text = self.text
        for begin, stop in self.bodies:
            for match in STATEMENT.finditer(text, begin, stop - 1):
                start = match.end()
                if text[start] in "{};" or KEYWORD.match(text, start) or \
                        DECLARATION.match(text, start) or self.brackets_open(begin, start):
                    continue
                end = self.expression_end(start)
                statement = text[start:end]
                if text[end] == ";" and DOES.search(statement) and \
                        not self.is_only_value(statement, begin, stop) and \
                        not self.never_returns(end, stop):
                    self.skip(start, end + 1)

    def never_returns(self, end, stop):
        """The statement that ends here is the last of a function with a value."""
        return not self.text[end + 1:stop - 1].strip() and "void" not in self.inside(end)[1]

    def brackets_open(self, begin, position):
        return self.text.count("(", begin, position) != self.text.count(")", begin, position)

    def is_only_value(self, statement, begin, stop):
        match = re.match(r"(\w+) = ", statement)
        if match is None:
            return False
        body, name = self.text[begin:stop], match.group(1)
        bare = re.search(r"\b\w[\w ]* \*?%s;" % name, re.sub(r"\b(?:return|else) ", "", body))
        return bare is not None and len(re.findall(r"(?<![.\w>])%s = " % name, body)) == 1

    def skip(self, start, end):
        function = self.inside(start)[2]
        if function not in self.checkers and \
                not any(begin <= start < stop for begin, stop in self.silent):
            self.found[(start, end, "skip")] = mutants.Mutant(
                self.path, function, "skip", self.source[start:end], (start, end),
                self.source.count("\n", 0, start) + 1)

    def find(self):
        super().find()
        refusals = set(self.found)
        self.conditions()
        self.choices()
        self.statements()
        self.found = {key: step for key, step in self.found.items() if key not in refusals}
        return self.named()


def find(path, source):
    """The steps of one source."""
    return StepFinder(path, source).find()


def steps_of(patterns):
    steps = []
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(suite.ROOT, pattern))):
            name = os.path.relpath(path, suite.ROOT)
            if name not in LEFT_OUT:
                with open(path) as file:
                    steps += find(name, file.read())
    return steps


def all_steps():
    steps = steps_of(CORE + NAMED)
    mutants.number_all(steps)
    return steps


def is_of_core(step):
    return step.path.startswith("core/")
