/* SPDX-License-Identifier: MIT */
/*
 * The ledger against a model that knows single units: each unit of each line is an object with an
 * owner and a state, and every operation moves units. What the ledger says in sums must be what
 * the model counts, in random trees whose members die in any order.
 */
#include "tests/host/support.h"

#include "core/ledger.h"

#define UNITS   60u /* of each line at the root: small, so that refusals are frequent */
#define LEDGERS 12u
#define STEPS   30000u

enum unit_state { UNIT_AVAILABLE, UNIT_RESERVED, UNIT_USED };

struct unit {
    unsigned owner; /* index of the ledger it is charged to */
    enum unit_state state;
};

struct member {
    bool present; /* in the tree */
    bool open;
    unsigned parent; /* nearest open ancestor */
    uint64_t share;
};

static struct ledger ledger[LEDGERS];
static struct member member[LEDGERS];
static struct unit unit[LEDGER_LINES][UNITS];
static struct test_random random_source;

static unsigned below(unsigned bound)
{
    return (unsigned)test_random_below(&random_source, bound);
}

static uint64_t model_count(unsigned owner, unsigned line, enum unit_state state)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < UNITS; i++) {
        count += unit[line][i].owner == owner && unit[line][i].state == state;
    }
    return count;
}

/* Moves `amount` units from one place to another; the caller knows that there are so many. */
static void model_move(unsigned line, struct unit from, struct unit to, uint64_t amount)
{
    for (unsigned i = 0; i < UNITS && amount > 0; i++) {
        struct unit *one = &unit[line][i];

        if (one->owner == from.owner && one->state == from.state) {
            *one = to;
            amount--;
        }
    }
    assert_int_equal(amount, 0);
}

/* Units of the whole tree under `owner`. */
static uint64_t model_limit(unsigned owner, unsigned line)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < UNITS; i++) {
        unsigned at = unit[line][i].owner;

        while (at != owner && at != 0) {
            at = member[at].parent;
        }
        count += at == owner;
    }
    return count;
}

static void compare_one(unsigned index, bool deep)
{
    assert_int_equal(ledger_check(&ledger[index]), 0);
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        const struct ledger_line *entry = &ledger[index].line[line];

        if (!ledger_line_is_sum(line)) {
            assert_int_equal(entry->limit, member[index].share);
            continue;
        }
        assert_int_equal(entry->used, model_count(index, line, UNIT_USED));
        assert_int_equal(entry->reserved, model_count(index, line, UNIT_RESERVED));
        assert_int_equal(ledger_available(&ledger[index], line),
                         model_count(index, line, UNIT_AVAILABLE));
        if (deep) {
            assert_int_equal(entry->limit, model_limit(index, line));
        }
    }
}

static void compare(bool deep)
{
    struct ledger_census census;
    unsigned present = 0;

    for (unsigned i = 0; i < LEDGERS; i++) {
        if (member[i].present) {
            compare_one(i, deep);
            present++;
        }
    }
    assert_int_equal(ledger_census(&ledger[0], below(LEDGER_LINES), &census), 0);
    assert_int_equal(census.ledgers, present);
}

static void setup(uint64_t seed)
{
    struct ledger_amounts total;

    test_random_init(&random_source, seed);
    memset(member, 0, sizeof(member));
    memset(unit, 0, sizeof(unit));
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        total.amount[line] = ledger_line_is_sum(line) ? UNITS : 1000;
    }
    ledger_init_root(&ledger[0], &total);
    member[0] = (struct member){.present = true, .open = true, .share = 1000};
}

/* A random ledger that is in the tree, open if asked. */
static unsigned any(bool open)
{
    unsigned index;

    do {
        index = below(LEDGERS);
    } while (!member[index].present || (open && !member[index].open));
    return index;
}

/* Amounts of which some lines are 0 and few are much. */
static struct ledger_amounts amounts_any(unsigned most)
{
    struct ledger_amounts amounts;

    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        amounts.amount[line] = below(3) == 0 ? 0 : below(most);
    }
    return amounts;
}

static void step_donate(unsigned child)
{
    struct ledger_amounts amounts = amounts_any(8);
    unsigned parent = member[child].parent;
    struct ledger_refusal refusal = {.line = LEDGER_LINES};
    enum status status = ledger_donate(&ledger[child], &amounts, &refusal);

    for (unsigned line = 0; line < LEDGER_LINES && status != STATUS_OK; line++) {
        bool sum = ledger_line_is_sum(line);
        uint64_t most = sum ? model_count(parent, line, UNIT_AVAILABLE) : member[parent].share;

        if (amounts.amount[line] > most) {
            assert_int_equal(refusal.line, line);
            assert_int_equal(refusal.amount, amounts.amount[line]);
            return;
        }
    }
    assert_int_equal(status, STATUS_OK);
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        if (ledger_line_is_sum(line)) {
            model_move(line, (struct unit){parent, UNIT_AVAILABLE},
                       (struct unit){child, UNIT_AVAILABLE}, amounts.amount[line]);
        } else if (amounts.amount[line] > member[child].share) {
            member[child].share = amounts.amount[line];
        }
    }
}

static void step_birth(void)
{
    unsigned parent = any(true);

    for (unsigned i = 1; i < LEDGERS; i++) {
        if (!member[i].present) {
            ledger_init_child(&ledger[i], &ledger[parent]);
            member[i] = (struct member){.present = true, .open = true, .parent = parent};
            step_donate(i);
            return;
        }
    }
}

/* A closed ledger's units go to its parent as soon as they are free; then it may be over. */
static void settle(unsigned index)
{
    assert_null(ledger_settle(&ledger[index]));
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        if (ledger_line_is_sum(line)) {
            model_move(line, (struct unit){index, UNIT_AVAILABLE},
                       (struct unit){member[index].parent, UNIT_AVAILABLE},
                       model_count(index, line, UNIT_AVAILABLE));
        }
    }
    if (ledger_is_over(&ledger[index])) {
        ledger_detach(&ledger[index]);
        member[index].present = false;
    }
}

static void step_death(unsigned index)
{
    ledger_close(&ledger[index]);
    member[index].open = false;
    for (unsigned i = 1; i < LEDGERS; i++) {
        if (member[i].present && member[i].parent == index) {
            assert_true(ledger_close_step(&ledger[index]));
            member[i].parent = member[index].parent;
        }
    }
    assert_false(ledger_close_step(&ledger[index]));
    settle(index);
}

static void step_reserve(unsigned index, unsigned line)
{
    uint64_t amount = below(6);
    uint64_t available = model_count(index, line, UNIT_AVAILABLE);
    struct ledger_refusal refusal;
    enum status status = ledger_reserve(&ledger[index], line, amount, &refusal);

    if (!member[index].open) {
        assert_int_equal(status, STATUS_DEAD);
    } else if (amount > available) {
        assert_int_equal(status, STATUS_LIMIT);
        assert_int_equal(refusal.line, line);
        assert_int_equal(refusal.available, available);
        assert_int_equal(refusal.amount, amount);
        assert_int_equal(refusal.limit, available + model_count(index, line, UNIT_USED) +
                                            model_count(index, line, UNIT_RESERVED));
    } else {
        assert_int_equal(status, STATUS_OK);
        model_move(line, (struct unit){index, UNIT_AVAILABLE}, (struct unit){index, UNIT_RESERVED},
                   amount);
    }
}

/* Moves a part of what is in `from` on, by `act`. */
static void step_move(unsigned index, unsigned line, enum unit_state from, enum unit_state to,
                      void (*act)(struct ledger *, enum ledger_line_name, uint64_t))
{
    uint64_t amount = below((unsigned)model_count(index, line, from) + 1);

    act(&ledger[index], line, amount);
    model_move(line, (struct unit){index, from}, (struct unit){index, to}, amount);
    if (!member[index].open) {
        settle(index);
    }
}

static void step_use(unsigned index)
{
    unsigned line = below(LEDGER_CPU_PERMILLE);

    switch (below(5)) {
    case 0:
    case 1:
        step_reserve(index, line);
        break;
    case 2:
        step_move(index, line, UNIT_RESERVED, UNIT_USED, ledger_commit);
        break;
    case 3:
        step_move(index, line, UNIT_RESERVED, UNIT_AVAILABLE, ledger_unreserve);
        break;
    default:
        step_move(index, line, UNIT_USED, UNIT_AVAILABLE, ledger_release);
    }
}

static void step(void)
{
    unsigned index = any(true);

    switch (below(20)) {
    case 0:
    case 1:
        step_birth();
        break;
    case 2:
        if (index != 0) {
            step_donate(index);
        }
        break;
    case 3:
        if (index != 0) {
            step_death(index);
        }
        break;
    default:
        step_use(any(false));
    }
}

static void test_random_trees(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        setup(seed);
        for (unsigned i = 0; i < STEPS / 4; i++) {
            step();
            compare(i % 16 == 0);
        }
    }
}

/* Everybody dies in random order and gives up what it has: all is the root's again. */
static void test_end_of_all(void **state)
{
    (void)state;
    setup(77);
    for (unsigned i = 0; i < 5000; i++) {
        step();
    }
    for (unsigned i = 1; i < LEDGERS; i++) {
        if (member[i].present && member[i].open) {
            step_death(i);
            compare(true);
        }
    }
    for (unsigned i = 0; i < LEDGERS; i++) {
        for (unsigned line = 0; line < LEDGER_LINES && member[i].present; line++) {
            ledger_unreserve(&ledger[i], line, ledger[i].line[line].reserved);
            ledger_release(&ledger[i], line, ledger[i].line[line].used);
        }
        if (i != 0 && member[i].present) {
            assert_null(ledger_settle(&ledger[i]));
            assert_true(ledger_is_over(&ledger[i]));
            ledger_detach(&ledger[i]);
        }
    }
    for (unsigned line = 0; line < LEDGER_LINES; line++) {
        assert_int_equal(ledger[0].line[line].donated, 0);
        assert_int_equal(ledger_available(&ledger[0], line), ledger[0].line[line].limit);
    }
    assert_true(list_is_empty(&ledger[0].children));
}

/* A middle one that dies holds neither its child nor its parent back, and passes on what it still
 * had out when that comes home. */
static void test_death_in_the_middle(void **state)
{
    struct ledger_amounts ten = {{[LEDGER_FRAMES] = 10}};
    struct ledger_amounts four = {{[LEDGER_FRAMES] = 4}};

    (void)state;
    setup(1);
    ledger_init_child(&ledger[1], &ledger[0]);
    assert_int_equal(ledger_donate(&ledger[1], &ten, NULL), STATUS_OK);
    ledger_init_child(&ledger[2], &ledger[1]);
    assert_int_equal(ledger_donate(&ledger[2], &four, NULL), STATUS_OK);
    assert_int_equal(ledger_charge(&ledger[1], LEDGER_FRAMES, 3, NULL), STATUS_OK);
    assert_int_equal(ledger_charge(&ledger[2], LEDGER_FRAMES, 2, NULL), STATUS_OK);
    ledger_close(&ledger[1]);
    assert_int_equal(ledger_available(&ledger[0], LEDGER_FRAMES), UNITS - 7);
    assert_int_equal(ledger_census(&ledger[0], LEDGER_FRAMES, &(struct ledger_census){0}), 0);
    assert_true(ledger_close_step(&ledger[1]));
    assert_false(ledger_close_step(&ledger[1]));
    assert_ptr_equal(ledger[2].parent, &ledger[0]);
    assert_false(ledger_is_over(&ledger[1]));
    assert_int_equal(ledger_charge(&ledger[2], LEDGER_FRAMES, 2, NULL), STATUS_OK);
    assert_int_equal(ledger_donate(&ledger[2], &four, NULL), STATUS_OK); /* the root's now */
    ledger_release(&ledger[1], LEDGER_FRAMES, 3);
    assert_null(ledger_settle(&ledger[1]));
    assert_true(ledger_is_over(&ledger[1]));
    ledger_detach(&ledger[1]);
    assert_int_equal(ledger_available(&ledger[0], LEDGER_FRAMES), UNITS - 8);
    assert_int_equal(ledger_check(&ledger[0]), 0);
    assert_int_equal(ledger_check(&ledger[2]), 0);
}

/* Between the steps of a closing a release finds a closed parent, which settles next. */
static void test_settle_through_a_closing_parent(void **state)
{
    struct ledger_amounts four = {{[LEDGER_THREADS] = 4}};

    (void)state;
    setup(1);
    ledger_init_child(&ledger[1], &ledger[0]);
    assert_int_equal(ledger_donate(&ledger[1], &four, NULL), STATUS_OK);
    ledger_init_child(&ledger[2], &ledger[1]);
    assert_int_equal(ledger_donate(&ledger[2], &four, NULL), STATUS_OK);
    assert_int_equal(ledger_charge(&ledger[2], LEDGER_THREADS, 1, NULL), STATUS_OK);
    assert_int_equal(ledger_charge_most(&ledger[2], LEDGER_THREADS, 2), 2);
    assert_int_equal(ledger_charge_most(&ledger[2], LEDGER_THREADS, 2), 1); /* all there is */
    assert_int_equal(ledger[2].line[LEDGER_THREADS].used, 4);
    assert_int_equal(ledger[2].line[LEDGER_THREADS].peak, 4);
    ledger_close(&ledger[2]);
    assert_int_equal(ledger_charge_most(&ledger[2], LEDGER_THREADS, 0), 0);
    ledger_close(&ledger[1]);
    ledger_release(&ledger[2], LEDGER_THREADS, 4);
    assert_int_equal(ledger_charge_most(&ledger[2], LEDGER_THREADS, 4), 0); /* not any more */
    assert_ptr_equal(ledger_settle(&ledger[2]), &ledger[1]);
    assert_null(ledger_settle(&ledger[1]));
    assert_int_equal(ledger_available(&ledger[0], LEDGER_THREADS), UNITS);
    ledger_detach(&ledger[2]);
    assert_true(ledger_is_over(&ledger[1]));
}

/* An operation that takes several lines and gives all back when the nth is refused. */
static enum status take_all_or_nothing(struct ledger *from)
{
    unsigned line = 0;
    enum status status = STATUS_OK;

    while (line < LEDGER_CPU_PERMILLE && status == STATUS_OK) {
        status = ledger_reserve(from, line, line + 1, NULL);
        line += status == STATUS_OK;
    }
    for (unsigned i = 0; i < line; i++) {
        if (status == STATUS_OK) {
            ledger_commit(from, i, i + 1);
        } else {
            ledger_unreserve(from, i, i + 1);
        }
    }
    return status;
}

static void test_nth_refusal(void **state)
{
    (void)state;
    for (unsigned short_of = 0; short_of <= LEDGER_CPU_PERMILLE; short_of++) {
        struct ledger_amounts total = {{0}};
        struct ledger tiny;
        struct ledger before;

        for (unsigned line = 0; line < LEDGER_CPU_PERMILLE; line++) {
            total.amount[line] = line == short_of ? line : line + 1;
        }
        ledger_init_root(&tiny, &total);
        before = tiny;
        if (short_of == LEDGER_CPU_PERMILLE) {
            assert_int_equal(take_all_or_nothing(&tiny), STATUS_OK);
            assert_int_equal(take_all_or_nothing(&tiny), STATUS_LIMIT);
        } else {
            assert_int_equal(take_all_or_nothing(&tiny), STATUS_LIMIT);
            assert_memory_equal(tiny.line, before.line, sizeof(tiny.line));
        }
        assert_int_equal(ledger_check(&tiny), 0);
    }
}

/* Limits of 0, 1 and of all that a word holds. */
static void test_extreme_limits(void **state)
{
    struct ledger_amounts total = {{[LEDGER_SLOTS] = 1, [LEDGER_FRAMES] = UINT64_MAX}};
    struct ledger_refusal refusal;
    struct ledger root;

    (void)state;
    ledger_init_root(&root, &total);
    assert_int_equal(ledger_charge(&root, LEDGER_SLOTS, 1, &refusal), STATUS_OK);
    assert_int_equal(ledger_charge(&root, LEDGER_SLOTS, 1, &refusal), STATUS_LIMIT);
    assert_int_equal(refusal.limit, 1);
    assert_int_equal(ledger_charge(&root, LEDGER_THREADS, 1, &refusal), STATUS_LIMIT);
    assert_int_equal(refusal.line, LEDGER_THREADS);
    assert_int_equal(ledger_charge_most(&root, LEDGER_THREADS, 4), 0);
    assert_int_equal(ledger_charge(&root, LEDGER_THREADS, 0, &refusal), STATUS_OK);
    assert_int_equal(ledger_charge(&root, LEDGER_FRAMES, UINT64_MAX - 1, &refusal), STATUS_OK);
    assert_int_equal(ledger_charge(&root, LEDGER_FRAMES, 2, &refusal), STATUS_LIMIT);
    assert_int_equal(refusal.available, 1);
    assert_int_equal(ledger_charge(&root, LEDGER_FRAMES, UINT64_MAX, &refusal), STATUS_LIMIT);
    assert_int_equal(ledger_check(&root), 0);
    assert_string_equal(ledger_line_text(LEDGER_GRANT_NODES), "grantNodes");
}

/* Each invariant, broken by hand, is noticed by its number. */
static void test_check_notices(void **state)
{
    struct ledger_amounts ten = {{[LEDGER_FRAMES] = 10, [LEDGER_CPU_PERMILLE] = 500}};

    (void)state;
    setup(1);
    ledger_init_child(&ledger[1], &ledger[0]);
    assert_int_equal(ledger_donate(&ledger[1], &ten, NULL), STATUS_OK);
    ledger[1].line[LEDGER_FRAMES].used = 11;
    ledger[1].line[LEDGER_FRAMES].peak = 11;
    assert_int_equal(ledger_check(&ledger[1]), 1);
    ledger[1].line[LEDGER_FRAMES].used = 1;
    ledger[1].line[LEDGER_FRAMES].peak = 0;
    assert_int_equal(ledger_check(&ledger[1]), 1);
    ledger[1].line[LEDGER_FRAMES].peak = 1;
    assert_int_equal(ledger_check(&ledger[1]), 0);
    ledger[1].line[LEDGER_FRAMES].limit++;
    assert_int_equal(ledger_check(&ledger[0]), 2);
    ledger[1].line[LEDGER_FRAMES].limit--;
    ledger[1].line[LEDGER_CPU_PERMILLE].limit = 1001;
    assert_int_equal(ledger_check(&ledger[0]), 2);
    ledger[1].line[LEDGER_CPU_PERMILLE].limit = 500;
    ledger[1].parent = &ledger[2];
    assert_int_equal(ledger_check(&ledger[0]), 3);
    ledger[1].parent = &ledger[0];
    ledger[0].state = LEDGER_CLOSED;
    assert_int_equal(ledger_check(&ledger[0]), 4);
    ledger[0].state = LEDGER_OPEN;
    assert_int_equal(ledger_check(&ledger[0]), 0);
}

static void release_too_much(void *argument)
{
    (void)argument;
    ledger_release(&ledger[0], LEDGER_SLOTS, 1);
}

static void close_the_root(void *argument)
{
    (void)argument;
    ledger_close(&ledger[0]);
}

static void test_own_mistakes_assert(void **state)
{
    (void)state;
    setup(1);
    assert_true(test_asserts(release_too_much, NULL));
    assert_true(test_asserts(close_the_root, NULL));
}

static void test_a_ledger_out_of_the_tree_has_no_parent(void **state)
{
    struct ledger_amounts total = {.amount = {10, 10}};
    struct ledger root;
    struct ledger child;

    (void)state;
    ledger_init_root(&root, &total);
    ledger_init_child(&child, &root);
    ledger_close(&child);
    assert_false(ledger_close_step(&child));
    ledger_detach(&child);
    assert_null(child.parent);
    assert_true(list_is_empty(&root.children));
}

static void test_the_most_that_was_used_is_not_forgotten(void **state)
{
    struct ledger_amounts total = {.amount = {10, 10}};
    struct ledger root;

    (void)state;
    ledger_init_root(&root, &total);
    assert_int_equal(ledger_charge(&root, 0, 5, NULL), STATUS_OK);
    ledger_release(&root, 0, 5);
    assert_int_equal(ledger_charge(&root, 0, 2, NULL), STATUS_OK);
    assert_int_equal(root.line[0].peak, 5);
    assert_int_equal(ledger_charge_most(&root, 0, 1), 1);
    assert_int_equal(root.line[0].peak, 5);
    assert_int_equal(ledger_charge_most(&root, 0, 6), 6);
    assert_int_equal(root.line[0].peak, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_trees),
        cmocka_unit_test(test_end_of_all),
        cmocka_unit_test(test_death_in_the_middle),
        cmocka_unit_test(test_settle_through_a_closing_parent),
        cmocka_unit_test(test_nth_refusal),
        cmocka_unit_test(test_extreme_limits),
        cmocka_unit_test(test_check_notices),
        cmocka_unit_test(test_own_mistakes_assert),
        cmocka_unit_test(test_a_ledger_out_of_the_tree_has_no_parent),
        cmocka_unit_test(test_the_most_that_was_used_is_not_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
