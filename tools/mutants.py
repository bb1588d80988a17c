# SPDX-License-Identifier: MIT
"""Where the sources refuse, and how a source is written with every refusal's mutant in it.

A refusal is a condition that leads to an error. They are found in the text each time, so that a new
one joins by itself:

  if (CONDITION) { ... return ERROR; }      also `error = ERROR`, and an else that refuses
  if (error == TRANSPORT_OK) { ... }        what is done only when nothing was refused
  return CONDITION ? ERROR : value;         also as what is assigned
  return CONDITION;                         of a function that returns bool
  fits = CONDITION && CONDITION;            what a later line decides by
  return QUICK_NONE; return lone_leave();   a short way that leaves it to the long one refuses too

A mutant takes one away. Its KIND is
  never    the whole condition counts as false
  without  so does one operand of it
  granted  the condition, or one operand, counts as true
What the condition calls is still called: its effects stay, its answer is lost.

Each mutant is a question to mutant_is(NUMBER), put behind the condition: it is asked only when the
answer changes something, so what was never asked was never reached.
"""
import glob
import hashlib
import os
import re

import suite

# What decides about authority and about user memory: every refusal in it must be seen by a test.
SOURCES = ("core/*.c", "core/*.h", "kernel/dispatch/*.c", "kernel/dispatch/*.h", "kernel/ipc/*.h",
           "kernel/mem/user_access.c")
NUMBERS = 1 << 20

ERROR = (r"(?:TRANSPORT_(?!OK\b)\w+|STATUS_(?!OK\b)\w+|\w*ERROR_(?!NONE\b)\w+|MANIFEST_NO_INDEX|CAPN_(?!OK\b)"
         r"[A-Z_]+|RING_TAKE_(?!ENTRY\b)\w+|DRAIN_CORRUPT|QUICK_NONE|NO_FRAME|EXCEPTION_REASON_\w+|"
         r"UINT(?:32|64)_MAX|"
         r"ANSWER_TARGET_(?:BROKEN|UNKNOWN|NO_PATH)|ENDPOINT_SESSION_(?!OK\b)\w+|ENDPOINT_DELIVERS_(?:NOTHING|"
         r"CLOSED)|NULL|false|\w*(?<!_)refuse\w*\s*\([^;]*\)|(?:quick|alone|lone)_leave\([^;]*\))")
REFUSAL = re.compile(
    r"\breturn\s+(?:\(\w+[^()]*\))?(?:%s|error|status|broken)\s*;|"
    r"\breturn\s+[^;]*\b\w*refuse\w*\s*\(|"
    r"\b(?:\*?\w+(?:(?:->|\.)\w+)*)\s=\s(?!NULL|false|UINT)%s\s*;" % (ERROR, ERROR))
LEAF_ERROR = re.compile(r"\(*%s\)*\Z" % ERROR)
RETURNED = re.compile(r"\breturn\s+([^;]+);")
ASSIGNED = re.compile(r"[;{}]\s*(bool\s+)?\*?\w+(?:(?:->|\.)\w+)*\s=\s([^;]+);")
SAYS_NO = re.compile(r"\w*refuse\w*\(")  # false by itself: it counts as false already
GOES_ON = re.compile(r"== (?:TRANSPORT|STATUS|ELF|MANIFEST|BOOT|ACPI|CAPN)_OK\b")
FUNCTION = re.compile(r"^((?:[A-Za-z_][^;{}()=]*?)\b)([a-z_0-9]+)\([^;{}]*\)\n\{", re.M)
WRAPPER = re.compile(r"(?:LIKELY|UNLIKELY)?\(")
# What stands before and behind what a mutant of this kind changes.
QUESTIONS = {"never": ("((", ") && !mutant_is(NUMBER))"), "granted": ("((", ") || mutant_is(NUMBER))"),
             "skip": ("if (!mutant_is(NUMBER)) { ", " }")}  # tools/mutant_steps.py
CHOOSER = os.path.join("core", "mutant_chosen.c")
HEADER = """/* SPDX-License-Identifier: MIT */
/* Which mutant is alive (MUTANT), and which were asked for (MUTANT_SEEN, a file). */
#ifndef MUTANT_H
#define MUTANT_H
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wint-in-bool-context"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wtype-limits"
extern unsigned mutant_chosen;
extern unsigned char *mutant_seen;
__attribute__((unused)) static inline _Bool mutant_is(unsigned number)
{
    if (__builtin_expect(mutant_seen != (unsigned char *)0, 0)) {
        mutant_seen[number] = 1;
    }
    return __builtin_expect(mutant_chosen == number, 0);
}
#endif
"""
CHOICE = """/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mutant.h"

unsigned mutant_chosen;
unsigned char *mutant_seen;

__attribute__((constructor)) static void mutant_choose(void)
{
    const char *number = getenv("MUTANT");
    const char *path = getenv("MUTANT_SEEN");
    int file = path == NULL ? -1 : open(path, O_RDWR);

    if (number != NULL) {
        mutant_chosen = (unsigned)strtoul(number, NULL, 10);
    }
    if (file >= 0) {
        void *seen = mmap(NULL, %d, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

        mutant_seen = seen == MAP_FAILED ? NULL : seen;
    }
}
""" % NUMBERS


def blank(text):
    """The source with comments and directives blanked out and no text in literals, offsets kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|'
                         r'^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)

    def cover(match):
        return re.sub(r"[^\n]", "_" if match.group(0)[0] in "\"'" else " ", match.group(0))

    return pattern.sub(cover, text)


def matching(text, start):
    """Offset behind the bracket that closes the one at `start`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    depth, opening, closing = 0, text[start], pairs[text[start]]
    for position in range(start, len(text)):
        if text[position] == opening:
            depth += 1
        elif text[position] == closing:
            depth -= 1
            if depth == 0:
                return position + 1
    raise ValueError("unbalanced %s at %d" % (opening, start))


def trimmed(text, start, end):
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def top_level(text, start, end, operators):
    """Offsets of the operators of text[start:end] outside all brackets."""
    found, depth, position = [], 0, start
    while position < end:
        if text[position] in "([{":
            depth += 1
        elif text[position] in ")]}":
            depth -= 1
        elif depth == 0:
            for operator in operators:
                if text.startswith(operator, position):
                    found.append((position, operator))
                    position += len(operator) - 1
                    break
        position += 1
    return found


def split(text, start, end):
    """(operator, operands) of an expression: "?", "||", "&&", "!" or "" for a leaf."""
    start, end = trimmed(text, start, end)
    found = top_level(text, start, end, ("||", "&&", "?", ":"))
    signs = {operator for _, operator in found}
    if "?" in signs:
        question = next(at for at, operator in found if operator == "?")
        depth = 0
        for at, operator in found:
            depth += (operator == "?") - (operator == ":")
            if operator == ":" and depth == 0:
                return "?", [(start, question), (question + 1, at), (at + 1, end)]
        return "", []
    for operator in ("||", "&&"):
        if operator in signs:
            cuts = [at for at, sign in found if sign == operator]
            begins = [start] + [at + 2 for at in cuts]
            return operator, [trimmed(text, begin, stop) for begin, stop in zip(begins, cuts + [end])]
    match = WRAPPER.match(text, start)
    if match and matching(text, match.end() - 1) == end:
        return split(text, match.end(), end - 1)
    if text[start:start + 1] == "!" and text[start + 1:start + 2] != "=" and \
            not top_level(text, start, end, ("==", "!=", "<", ">", " & ", " | ", " + ")):
        return "!", [(start + 1, end)]
    return "", []


def weaker(text, start, end, refuses):
    """(kind, start, end) of the operands without which the condition refuses less. `refuses`: it
    refuses by being true; else by being false."""
    operator, parts = split(text, start, end)
    if operator == "!":
        yield from weaker(text, *parts[0], not refuses)
    elif operator in ("||", "&&"):
        own = (operator == "||") == refuses
        for part in parts:
            if own:
                yield ("without" if refuses else "granted",) + part
            yield from weaker(text, *part, refuses)


class Mutant:
    def __init__(self, path, function, kind, condition, span, line):
        self.path, self.function, self.kind, self.span, self.line = path, function, kind, span, line
        self.condition = " ".join(condition.split())
        self.occurrence = 1
        self.number = 0

    def name(self):
        again = " (%d)" % self.occurrence if self.occurrence > 1 else ""
        return "%s %s %s %s%s" % (self.path, self.function, self.kind, self.condition, again)


def invariant_functions(text, functions):
    """Functions of x_check(): those themselves and what only they call. What they find is our own
    mistake, no refusal."""
    ends = [begin for begin, _, _ in functions[1:]] + [len(text)]
    bodies = {name: text[begin:end] for (begin, _, name), end in zip(functions, ends)}
    checkers = {name for name, body in bodies.items()
                if name.endswith(("_check", "_census")) and re.match(r"(MUST_USE )?(static )?(inline )?unsigned\b", body)}
    grew = True
    while grew:
        grew = False
        for name, body in bodies.items():
            callers = {other for other, code in bodies.items()
                       if other != name and re.search(r"\b%s\b" % name, code)}
            if name not in checkers and body.startswith("static") and callers and callers <= checkers:
                checkers.add(name)
                grew = True
    return checkers


def shallow(text, start, end):
    """The statements of a block without those of blocks inside it."""
    out, position = [], start
    while position < end:
        if text[position] == "{":
            position = matching(text, position)
            continue
        out.append(text[position])
        position += 1
    return "".join(out)


class Finder:
    def __init__(self, path, source):
        self.path, self.source, self.text = path, source, blank(source)
        self.functions = [(match.start(), match.group(1), match.group(2))
                          for match in FUNCTION.finditer(self.text)]
        self.checkers = invariant_functions(self.text, self.functions)
        self.found = {}

    def inside(self, position):
        before = [entry for entry in self.functions if entry[0] <= position]
        return before[-1] if before else (0, "", "?")

    def add(self, kind, start, end):
        start, end = trimmed(self.text, start, end)
        function = self.inside(start)[2]
        if kind != "granted" and SAYS_NO.match(self.text, start):
            return
        if function not in self.checkers and self.text[start:end] not in ("true", "false"):
            self.found.setdefault((start, end, "granted" if kind == "granted" else "never"),
                                  Mutant(self.path, function, kind, self.source[start:end],
                                         (start, end), self.source.count("\n", 0, start) + 1))

    def condition(self, start, end, refuses):
        self.add("never" if refuses else "granted", start, end)
        for kind, begin, stop in weaker(self.text, start, end, refuses):
            self.add(kind, begin, stop)

    def ternary(self, start, end):
        operator, parts = split(self.text, start, end)
        if operator != "?":
            return False
        first, second = (self.text[slice(*trimmed(self.text, *part))] for part in parts[1:])
        bad = [bool(LEAF_ERROR.match(value)) for value in (first, second)]
        if bad == [True, False]:
            self.condition(*parts[0], True)
        elif bad == [False, True]:
            self.condition(*parts[0], False)
        self.ternary(*parts[1])
        self.ternary(*parts[2])
        return True

    def boolean(self, start, end, returns):
        """Nobody says which answer of a predicate is the refusal: each is taken away."""
        operator, _ = split(self.text, start, end)
        compares = top_level(self.text, start, end, ("==", "!=", "<=", ">=", " < ", " > "))
        if operator not in ("||", "&&") and not (returns and (operator == "!" or compares)):
            return
        self.condition(start, end, False)
        self.condition(start, end, True)

    def find(self):
        text = self.text
        for match in re.finditer(r"\bif \(", text):
            opening = match.end() - 1
            closing = matching(text, opening)
            if text[closing:closing + 2] != " {":
                continue
            block_end = matching(text, closing + 1)
            if REFUSAL.search(shallow(text, closing + 2, block_end - 1)):
                self.condition(opening + 1, closing - 1, True)
            elif text[block_end:block_end + 7] == " else {":
                other_end = matching(text, block_end + 6)
                if REFUSAL.search(shallow(text, block_end + 7, other_end - 1)):
                    self.condition(opening + 1, closing - 1, False)
            if GOES_ON.search(text, opening + 1, closing - 1):
                self.condition(opening + 1, closing - 1, False)
        for match in RETURNED.finditer(text):
            if not self.ternary(*match.span(1)):
                is_bool = re.search(r"\bbool\b", self.inside(match.start())[1])
                if is_bool or "&&" in match.group(1):
                    self.boolean(*match.span(1), bool(is_bool))
        position = 0
        while (match := ASSIGNED.search(text, position)) is not None:
            position = match.end() - 1
            if not self.ternary(*match.span(2)) and "{" not in match.group(2):
                self.boolean(*match.span(2), match.group(1) is not None)
        return self.named()

    def named(self):
        names = {}
        for key in sorted(self.found, key=lambda key: (key[0], -key[1], key[2])):
            mutant = self.found[key]
            names[mutant.name()] = mutant.occurrence = names.get(mutant.name(), 0) + 1
        return sorted(self.found.values(), key=lambda mutant: (mutant.span[0], -mutant.span[1]))


def find(path, source):
    """The mutants of one source."""
    return Finder(path, source).find()


def number_all(mutants):
    """A number for each, which a change elsewhere does not change."""
    taken = set()
    for mutant in sorted(mutants, key=Mutant.name):
        number = int(hashlib.sha256(mutant.name().encode()).hexdigest(), 16) % NUMBERS
        while number == 0 or number in taken:
            number = (number + 1) % NUMBERS
        taken.add(number)
        mutant.number = number


def all_mutants():
    mutants = []
    for pattern in SOURCES:
        for path in sorted(glob.glob(os.path.join(suite.ROOT, pattern))):
            with open(path) as file:
                mutants += find(os.path.relpath(path, suite.ROOT), file.read())
    number_all(mutants)
    return mutants


def instrument(source, mutants):
    """The source with every mutant's question in it. Spans nest, the outer ones open first."""
    opens, closes = {}, {}
    for mutant in sorted(mutants, key=lambda mutant: (mutant.span[0], -mutant.span[1],
                                                      mutant.kind != "skip", mutant.kind)):
        before, behind = QUESTIONS.get(mutant.kind, QUESTIONS["never"])
        opens.setdefault(mutant.span[0], []).append(before.replace("NUMBER", str(mutant.number)))
        closes.setdefault(mutant.span[1], []).insert(0, behind.replace("NUMBER", str(mutant.number)))
    out = []
    for position, character in enumerate(source):
        out += closes.get(position, []) + opens.get(position, [])
        out.append(character)
    return '#include "mutant.h"\n#line 1\n' + "".join(out)
