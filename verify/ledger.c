/* SPDX-License-Identifier: MIT */
/*
 * Ledgers that give and take back: nothing comes to be, nothing is lost, also when one dies between
 * two others.
 *
 * Any tree of four ledgers that the invariants allow: one above, one in the middle, which may have
 * ended, and none, one or two below it. One operation with any amounts. Proved of each: it does all
 * or nothing, by the rule its header gives; the lines hold again; and the law: what all of them may
 * use themselves together is what it was. So after each step of a death in the middle, until it is
 * over and out of the tree.
 *
 * bound: four ledgers, 3 deep, a sum and a share; amounts below 2^16
 * cbmc: core/ledger.c
 * options: -I verify/small --unwind 6
 * prove: prove_donate prove_close prove_step prove_settle prove_detach
 * quick: prove_settle prove_detach
 * twin: prove_donate | core/ledger.c
 *     | child->line[i].limit += amounts->amount[i];
 *     | child->line[i].limit = amounts->amount[i];
 * twin: prove_donate | core/ledger.c
 *     | return amount <= (sum ? line_available(parent) : parent->limit);
 *     | return amount <= (sum ? line_own(parent) : parent->limit);
 * twin: prove_close | core/ledger.c
 *     | parent->donated -= amount;
 *     | ;
 * twin: prove_close | core/ledger.c
 *     | line_give_back(&parent->line[i], &ledger->line[i], line_available(&ledger->line[i]));
 *     | ;
 * twin: prove_step | core/ledger.c
 *     | line->limit -= child->line[i].limit;
 *     | ;
 * twin: prove_step | core/ledger.c
 *     | line->donated -= child->line[i].limit;
 *     | ;
 * twin: prove_settle | core/ledger.c
 *     | return parent->state == LEDGER_CLOSED ? parent : NULL;
 *     | return NULL;
 * twin: prove_detach | core/ledger.c
 *     | ledger->line[i].used != 0 || ledger->line[i].reserved != 0 ||
 *     | ledger->line[i].reserved != 0 ||
 */
#include "verify/prover.h"

#include "core/ledger.h"

void prove_donate(void);
void prove_close(void);
void prove_step(void);
void prove_settle(void);
void prove_detach(void);

static struct ledger above, middle, first, second;
static struct ledger *const all[] = {&above, &middle, &first, &second};
static unsigned below_count; /* of `first` and `second`, how many are there */

/* All of them, before the operation. */
static struct ledger before[ARRAY_COUNT(all)];

static struct ledger_line any_line(void)
{
    return (struct ledger_line){nondet_u16(), nondet_u16(), nondet_u16(), nondet_u16(),
                                nondet_u16()};
}

static bool line_is_sound(const struct ledger_line *line)
{
    return line->used + line->reserved + line->donated <= line->limit && line->used <= line->peak;
}

/* What `ledger` gave to those below it in the tree as it is now. */
static bool gift_matches(const struct ledger *ledger, unsigned line)
{
    uint64_t given = 0;

    for (unsigned i = 1; i < 2 + below_count; i++) {
        uint64_t limit = all[i]->line[line].limit;

        if (all[i]->parent == ledger) {
            if (!ledger_line_is_sum(line) && limit > ledger->line[line].limit) {
                return false;
            }
            given += ledger_line_is_sum(line) ? limit : 0;
        }
    }
    return ledger->line[line].donated == given;
}

static bool lines_hold(void)
{
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        for (unsigned i = 0; i < 2 + below_count; i++) {
            if (!line_is_sound(&all[i]->line[line]) || !gift_matches(all[i], line)) {
                return false;
            }
        }
    }
    return true;
}

/* What all may use themselves, in one line. */
static uint64_t owned(unsigned line)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 2 + below_count; i++) {
        sum += all[i]->line[line].limit - all[i]->line[line].donated;
    }
    return sum;
}

static void law_assert(void)
{
    __CPROVER_assert(lines_hold(), "the lines hold");
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        __CPROVER_assert(!ledger_line_is_sum(line) || owned(line) == above.line[line].limit,
                         "the law");
        __CPROVER_assert(above.line[line].limit == before[0].line[line].limit,
                         "what there is in all");
        for (unsigned i = 0; i < ARRAY_COUNT(all); i++) {
            __CPROVER_assert(all[i]->line[line].used == before[i].line[line].used &&
                                 all[i]->line[line].reserved == before[i].line[line].reserved &&
                                 all[i]->line[line].peak == before[i].line[line].peak,
                             "what is in use stays charged where it was");
        }
    }
}

static bool line_is_as_before(unsigned i, unsigned line)
{
    return all[i]->line[line].limit == before[i].line[line].limit &&
           all[i]->line[line].donated == before[i].line[line].donated;
}

static void nothing_changed_assert(void)
{
    for (unsigned i = 0; i < ARRAY_COUNT(all); i++) {
        __CPROVER_assert(all[i]->state == before[i].state && all[i]->parent == before[i].parent,
                         "nothing changed");
        for (unsigned line = 0; line < LEDGER_LINES; line++) {
            __CPROVER_assert(line_is_as_before(i, line), "no amount changed");
        }
    }
}

static enum ledger_state any_state(void)
{
    return nondet_bool() ? LEDGER_OPEN : LEDGER_CLOSED;
}

static void any_tree(void)
{
    below_count = nondet_u8();
    __CPROVER_assume(below_count <= 2);
    for (unsigned i = 0; i < ARRAY_COUNT(all); i++) {
        *all[i] = (struct ledger){.state = i == 0 ? LEDGER_OPEN : any_state()};
        list_init(&all[i]->children);
        for (unsigned line = 0; line < LEDGER_LINES; line++) {
            all[i]->line[line] = any_line();
        }
    }
    middle.parent = &above;
    list_push_back(&above.children, &middle.sibling_node);
    if (below_count > 0) {
        first.parent = &middle;
        list_push_back(&middle.children, &first.sibling_node);
    }
    if (below_count > 1) {
        second.parent = &middle;
        list_push_back(&middle.children, &second.sibling_node);
    }
    __CPROVER_assume(lines_hold());
    for (unsigned i = 0; i < ARRAY_COUNT(all); i++) {
        before[i] = *all[i];
    }
}

static struct ledger_amounts any_amounts(void)
{
    struct ledger_amounts amounts;

    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        amounts.amount[line] = nondet_u16();
    }
    return amounts;
}

static uint64_t available(const struct ledger *ledger, unsigned line)
{
    return ledger->line[line].limit - ledger->line[line].donated - ledger->line[line].used -
           ledger->line[line].reserved;
}

/* Refused for its reason alone, and then nothing has changed; the law holds either way. */
static bool done_as(enum status status, enum status wanted)
{
    __CPROVER_assert(status == wanted, "its reason");
    law_assert();
    if (status != STATUS_OK) {
        nothing_changed_assert();
    }
    return status == STATUS_OK;
}

/* ---- proofs ---------------------------------------------------------------------------------- */

void prove_donate(void)
{
    struct ledger_amounts amounts = any_amounts();
    struct ledger_refusal refusal = {0};
    bool dead;
    bool enough = true;

    any_tree();
    __CPROVER_assume(below_count > 0);
    dead = first.state != LEDGER_OPEN || middle.state != LEDGER_OPEN;
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        enough =
            enough && amounts.amount[line] <= (ledger_line_is_sum(line) ? available(&middle, line)
                                                                        : middle.line[line].limit);
    }
    if (!done_as(ledger_donate(&first, &amounts, &refusal), dead     ? STATUS_DEAD
                                                            : enough ? STATUS_OK
                                                                     : STATUS_LIMIT)) {
        return;
    }
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        uint64_t had = before[2].line[line].limit;
        uint64_t amount = amounts.amount[line];

        __CPROVER_assert(first.line[line].limit == (ledger_line_is_sum(line) ? had + amount
                                                    : had > amount           ? had
                                                                             : amount),
                         "it is the child's");
    }
}

/* The one in the middle dies: what it has to spare goes up at once. */
void prove_close(void)
{
    any_tree();
    __CPROVER_assume(middle.state == LEDGER_OPEN);
    ledger_close(&middle);
    law_assert();
    __CPROVER_assert(middle.state == LEDGER_CLOSED, "it takes nothing new");
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        __CPROVER_assert(!ledger_line_is_sum(line) || available(&middle, line) == 0,
                         "it keeps nothing back");
    }
}

/* One child of the dead one goes up, with what it was given. */
void prove_step(void)
{
    any_tree();
    __CPROVER_assume(middle.state == LEDGER_CLOSED);
    if (!ledger_close_step(&middle)) {
        __CPROVER_assert(below_count == 0, "only when none is left");
        nothing_changed_assert();
        return;
    }
    __CPROVER_assert(first.parent == &above, "the first goes up");
    __CPROVER_assert(below_count < 2 || second.parent == &middle, "and no other");
    __CPROVER_assert(list_first(&middle.children) ==
                             (below_count < 2 ? NULL : &second.sibling_node) &&
                         list_first(&above.children) == &middle.sibling_node &&
                         list_last(&above.children) == &first.sibling_node,
                     "in the lists too");
    law_assert();
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        __CPROVER_assert(
            line_is_as_before(2, line) && line_is_as_before(3, line) &&
                line_is_as_before(0, line) &&
                (!ledger_line_is_sum(line) || owned(line) == before[0].line[line].limit),
            "with what it was given");
    }
}

/* A dead one gives what was released to its parent, which may be dead as well. */
void prove_settle(void)
{
    struct ledger *next;

    any_tree();
    __CPROVER_assume(below_count > 0 && first.state == LEDGER_CLOSED);
    next = ledger_settle(&first);
    law_assert();
    __CPROVER_assert(next == (middle.state == LEDGER_CLOSED ? &middle : NULL), "who comes next");
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        __CPROVER_assert(!ledger_line_is_sum(line) || available(&first, line) == 0,
                         "it keeps nothing back");
    }
}

/* One that is over leaves the tree, and takes nothing with it. */
void prove_detach(void)
{
    bool over = true;

    any_tree();
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        const struct ledger_line *at = &middle.line[line];

        over = over && at->used == 0 && at->reserved == 0 &&
               (!ledger_line_is_sum(line) || at->limit == 0);
    }
    over = over && middle.state == LEDGER_CLOSED && below_count == 0;
    __CPROVER_assert(ledger_is_over(&middle) == over, "over, and only then");
    if (over) {
        ledger_detach(&middle);
        __CPROVER_assert(list_is_empty(&above.children) && middle.parent == NULL,
                         "out of the tree");
        for (unsigned line = 0; line < LEDGER_LINES; line++) {
            __CPROVER_assert(!ledger_line_is_sum(line) || above.line[line].donated == 0,
                             "the one above has all");
        }
    }
}
