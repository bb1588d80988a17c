# SPDX-License-Identifier: MIT
"""The mutants: which refusals are found, how they are written, and that the lists fit the tree."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import mutant_steps  # noqa: E402
import mutants  # noqa: E402
import mutate  # noqa: E402

SOURCE = """
enum transport_error take(struct table *table, unsigned slot)
{
    if (slot >= 8 || /* one || more */ table->page == NULL) {
        return TRANSPORT_BAD_CAP;
    }
    if (LIKELY(!(slot > 1 && slot < 4)) || table->used) {
        error = TRANSPORT_LIMIT;
    }
    if (slot == 3) {
        slot = 4;
    }
    return slot == 5 ? TRANSPORT_OK : slot == 6 ? TRANSPORT_REVOKED : error;
}

static inline bool fits(unsigned slot)
{
    return slot < 8 && (slot & 1) == 0;
}

unsigned table_check(const struct table *table)
{
    if (table->used > 8) {
        return 1;
    }
    return 0;
}
"""


def kinds(source):
    return [(mutant.function, mutant.kind, mutant.condition)
            for mutant in mutants.find("x.c", source)]


class Mutants(unittest.TestCase):
    def test_refusals_are_found(self):
        self.assertEqual(kinds(SOURCE), [
            ("take", "never", "slot >= 8 || /* one || more */ table->page == NULL"),
            ("take", "without", "slot >= 8"),
            ("take", "without", "table->page == NULL"),
            ("take", "never", "LIKELY(!(slot > 1 && slot < 4)) || table->used"),
            ("take", "without", "LIKELY(!(slot > 1 && slot < 4))"),
            ("take", "granted", "slot > 1"),
            ("take", "granted", "slot < 4"),
            ("take", "without", "table->used"),
            ("take", "never", "slot == 6"),
            ("fits", "granted", "slot < 8 && (slot & 1) == 0"),
            ("fits", "never", "slot < 8 && (slot & 1) == 0"),
            ("fits", "granted", "slot < 8"),
            ("fits", "granted", "(slot & 1) == 0"),
        ])

    def test_numbers_stay(self):
        """A new refusal elsewhere gives no old one another number."""
        before = mutants.find("x.c", SOURCE)
        after = mutants.find("x.c", SOURCE.replace("slot = 4;", "return STATUS_LIMIT;"))
        mutants.number_all(before)
        mutants.number_all(after)
        self.assertEqual(len(after), len(before) + 1)
        numbers = {mutant.name(): mutant.number for mutant in after}
        for mutant in before:
            self.assertEqual(numbers[mutant.name()], mutant.number)

    def test_twins_have_names(self):
        twice = "bool f(int a)\n{\n    if (a) {\n        return false;\n    }\n" \
                "    if (a) {\n        return false;\n    }\n    return true;\n}\n"
        self.assertEqual([mutant.name() for mutant in mutants.find("x.c", twice)],
                         ["x.c f never a", "x.c f never a (2)"])

    def test_a_mutant_does_what_its_name_says(self):
        source = "#include <stdbool.h>\n#include <stdlib.h>\nstatic bool fits(int a, int b)\n{\n" \
                 "    if (a > 9 || b > 9) {\n        return false;\n    }\n" \
                 "    return a > 0 && b > 0;\n}\n"
        main = "int main(int count, char **text)\n{\n    (void)count;\n" \
               "    return fits(atoi(text[1]), atoi(text[2]));\n}\n"
        found = mutants.find("x.c", source)
        mutants.number_all(found)
        numbers = {"%s %s" % (mutant.kind, mutant.condition): str(mutant.number)
                   for mutant in found}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("x.c", mutants.instrument(source, found) + main),
                               ("mutant.h", mutants.HEADER), ("chosen.c", mutants.CHOICE)):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-iquote", ".",
                            "-o", "x", "x.c", "chosen.c"], cwd=folder, check=True)

            def fits(a, b, mutant="none"):
                environment = dict(os.environ, MUTANT=numbers.get(mutant, "0"))
                return subprocess.run([os.path.join(folder, "x"), str(a), str(b)],
                                      env=environment).returncode

            self.assertEqual([fits(1, 1), fits(10, 1), fits(1, 10), fits(0, 1)], [1, 0, 0, 0])
            self.assertEqual([fits(10, 1, "never a > 9 || b > 9"),
                              fits(1, 10, "never a > 9 || b > 9")], [1, 1])
            self.assertEqual([fits(10, 1, "without b > 9"), fits(1, 10, "without b > 9")], [0, 1])
            self.assertEqual([fits(0, 1, "granted a > 0"), fits(1, 0, "granted a > 0")], [1, 0])
            self.assertEqual(fits(1, 1, "never a > 0 && b > 0"), 0)

    def test_the_tree_has_mutants(self):
        everything = mutants.all_mutants()
        names = [mutant.name() for mutant in everything]
        self.assertEqual(len(names), len(set(names)))
        for function in ("cap_table_lookup never", "grant_walk never", "user_range_make never",
                         "sqe_wire_validation_error never", "hold_edge_permits never"):
            self.assertTrue(any(" %s " % function in name for name in names), function)


STEPS = """
static void table_add(struct table *table, unsigned slot)
{
    unsigned place = slot + 1;
    unsigned only;

    ASSERT(slot > 0 ? table->used < 8 : true);
    only = place * 2;
    if (table->page == NULL && slot != 3) {
        return;
    }
    table->slot[place] = slot < 4 ? slot : only;
    for (unsigned i = 0; i < place; i++) {
        table->used++;
        if (slot >= 8) {
            return TRANSPORT_LIMIT;
        }
    }
    switch (slot) {
    case 1:
        (void)table_free(table, slot);
        break;
    }
}
"""


class Steps(unittest.TestCase):
    def test_steps_are_found(self):
        """No refusal, declaration, assertion or endless loop, and not the only value of a local."""
        self.assertEqual([(step.kind, step.condition) for step in mutant_steps.find("x.c", STEPS)], [
            ("never", "table->page == NULL && slot != 3"),
            ("granted", "table->page == NULL && slot != 3"),
            ("granted", "table->page == NULL"),
            ("granted", "slot != 3"),
            ("skip", "table->slot[place] = slot < 4 ? slot : only;"),
            ("never", "slot < 4"),
            ("granted", "slot < 4"),
            ("never", "i < place"),
            ("skip", "table->used++;"),
            ("granted", "slot >= 8"),
            ("skip", "(void)table_free(table, slot);"),
        ])

    def test_a_step_is_left_out_where_it_stands(self):
        source = "static int sum(int a)\n{\n    int all = 1;\n\n    all += a > 2 ? a : 0;\n" \
                 "    all++;\n    return all;\n}\n"
        steps = mutant_steps.find("x.c", source)
        mutants.number_all(steps)
        text = mutants.instrument(source, steps)
        for step in steps:
            self.assertIn("mutant_is(%d)" % step.number, text)
        self.assertIn("{ all++; }\n    return all;", text)

    def test_who_names_nothing_asks_about_core(self):
        everything = mutant_steps.all_steps()
        named = mutate.steps_named(everything, "")
        self.assertEqual({step.path.split("/")[0] for step in named}, {"core"})
        dispatch = mutate.steps_named(everything, "kernel/dispatch/")
        self.assertEqual(len(named) + len(dispatch), len(everything))
        names = [step.name() for step in dispatch]
        self.assertIn("kernel/dispatch/table_ops.c refuse skip refusal->amount = amount;", names)
        self.assertEqual({step.path for step in mutate.steps_beside(everything, dispatch[:1])},
                         {step.path for step in dispatch})

    def test_what_may_go_exists_and_has_reasons(self):
        names = {step.name() for step in mutant_steps.all_steps()}
        for name, reason in mutate.equivalents(mutate.STEPS).items():
            self.assertIn(name, names, mutate.STEPS)
            self.assertGreater(len(reason), 20, name)


class Lists(unittest.TestCase):
    def test_equivalent_mutants_exist_and_have_reasons(self):
        names = {mutant.name() for mutant in mutants.all_mutants()}
        for name, reason in mutate.equivalents().items():
            self.assertIn(name, names, "tests/mutants/equivalent.txt")
            self.assertGreater(len(reason), 20, name)

    def test_nothing_is_both(self):
        self.assertEqual(set(mutate.equivalents()) & set(mutate.killers()), set())

    def test_the_score_is_that_of_the_lists(self):
        """And nobody survives."""
        lines = mutate.lines_of(mutate.SCORE)
        total = [int(word) for word in lines[-1].split()[1:]]
        self.assertEqual(total[0], total[1] + total[2])
        self.assertEqual(total[1:], [len(mutate.killers()), len(mutate.equivalents()), 0])
        self.assertEqual([sum(int(line.split()[column]) for line in lines[:-1])
                          for column in (1, 2, 3, 4)], total)

    def test_a_sample_has_what_is_new(self):
        everything = mutants.all_mutants()
        known = {mutant.name() for mutant in everything[1:]}
        chosen = mutate.sampled(everything, 12, known)
        self.assertEqual(len(chosen), 13)
        self.assertIs(chosen[0], everything[0])
        self.assertEqual(len({mutant.path for mutant in chosen[1:]}), 12)
        self.assertEqual(chosen, mutate.sampled(everything, 12, known))


if __name__ == "__main__":
    unittest.main()
