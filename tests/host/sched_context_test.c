/* SPDX-License-Identifier: MIT */
/*
 * Budgets against a ledger of their own, and loans against a model: threads that call, return, die
 * and are cancelled at random, one of them running at a time. Whatever happens, the time that was
 * charged is the time that passed, and no context was charged more than it was given and owes.
 */
#include "tests/host/support.h"

#include "core/sched_context.h"

enum {
    THREADS = 12,
    STEPS = 60000,
};

static struct sched_context contexts[THREADS];
static struct sched_share shares[THREADS];

static void test_budget_and_period(void **state)
{
    struct sched_context context;

    (void)state;
    sched_context_init(&context, 30, 100, 1000);
    assert_int_equal(sched_context_left(&context), 30);
    assert_int_equal(sched_context_renew_at(&context), 1100);
    sched_context_charge(&context, 10);
    sched_context_renew(&context, 1099);
    assert_int_equal(sched_context_left(&context), 20);
    sched_context_charge(&context, 25);
    assert_int_equal(sched_context_left(&context), 0);
    assert_int_equal(context.debt_ns, 5);
    sched_context_renew(&context, 1100);
    assert_int_equal(sched_context_left(&context), 25);
    assert_int_equal(sched_context_renew_at(&context), 1200);
    /* What is left does not add up over periods, however many pass. */
    sched_context_renew(&context, 1950);
    assert_int_equal(sched_context_left(&context), 30);
    assert_int_equal(sched_context_renew_at(&context), 2000);
    assert_int_equal(sched_context_check(&context), 0);
}

/* Other terms make no time: what was left stays left at most, and a debt stays owed. */
static void test_other_terms(void **state)
{
    struct sched_context context;

    (void)state;
    sched_context_init(&context, 30, 100, 0);
    sched_context_charge(&context, 20);
    sched_context_change(&context, 60, 200, 50);
    assert_int_equal(sched_context_left(&context), 10);
    assert_int_equal(sched_context_renew_at(&context), 100);
    sched_context_change(&context, 5, 200, 50);
    assert_int_equal(sched_context_left(&context), 5);
    sched_context_charge(&context, 12);
    sched_context_change(&context, 50, 100, 60);
    assert_int_equal(sched_context_left(&context), 0);
    assert_int_equal(context.debt_ns, 7);
    sched_context_renew(&context, 100);
    assert_int_equal(sched_context_left(&context), 43);
    assert_int_equal(context.used_ns, 32);
    /* Without a limit nothing is owed; with one again the first budget is full. */
    sched_context_charge(&context, 50);
    assert_int_equal(context.debt_ns, 7);
    assert_ptr_equal(sched_limited(&context), &context);
    sched_context_change(&context, 0, 0, 110);
    assert_int_equal(context.debt_ns, 0);
    assert_true(sched_context_left(&context) == SCHED_UNLIMITED);
    assert_null(sched_limited(&context));
    sched_context_change(&context, 40, 80, 1000);
    assert_int_equal(sched_context_left(&context), 40);
    assert_int_equal(sched_context_renew_at(&context), 1080);
    assert_int_equal(context.used_ns, 82);
    assert_int_equal(sched_context_check(&context), 0);
}

static void test_debt_takes_several_periods(void **state)
{
    struct sched_context context;

    (void)state;
    sched_context_init(&context, 10, 100, 0);
    sched_context_charge(&context, 45);
    assert_int_equal(context.debt_ns, 35);
    sched_context_renew(&context, 100);
    assert_int_equal(sched_context_left(&context), 0);
    assert_int_equal(context.debt_ns, 25);
    /* Two periods missed and the third begun: two budgets and a half are owed. */
    sched_context_renew(&context, 450);
    assert_int_equal(sched_context_left(&context), 5);
    assert_int_equal(context.debt_ns, 0);
    assert_int_equal(sched_context_check(&context), 0);
}

static void test_unlimited(void **state)
{
    struct sched_context context;

    (void)state;
    sched_context_init(&context, 0, 0, 5);
    sched_context_charge(&context, 1000);
    assert_int_equal(context.debt_ns, 0);
    sched_context_renew(&context, 5000);
    assert_true(sched_context_left(&context) == SCHED_UNLIMITED);
    assert_true(sched_context_renew_at(&context) == SCHED_UNLIMITED);
    assert_int_equal(context.used_ns, 1000);
    assert_int_equal(sched_context_check(&context), 0);
}

/* What a program may ask for is what a context takes, to the last nanosecond. */
static void test_longest_budget(void **state)
{
    struct sched_context context;

    (void)state;
    assert_true(sched_budget_is_valid(SCHED_PERIOD_MAX_NS, SCHED_PERIOD_MAX_NS));
    sched_context_init(&context, SCHED_PERIOD_MAX_NS, SCHED_PERIOD_MAX_NS, 1000);
    assert_true(sched_context_left(&context) == SCHED_PERIOD_MAX_NS);
    sched_context_charge(&context, 500);
    sched_context_change(&context, SCHED_PERIOD_MAX_NS, SCHED_PERIOD_MAX_NS, 2000);
    sched_context_renew(&context, SCHED_PERIOD_MAX_NS + 1000);
    assert_true(sched_context_left(&context) == SCHED_PERIOD_MAX_NS);
    assert_int_equal(sched_context_check(&context), 0);
}

static void shares_make(struct test_random *random)
{
    memset(shares, 0, sizeof(shares));
    for (unsigned i = 0; i < THREADS; i++) {
        uint64_t period = 1 + test_random_below(random, 500);
        uint64_t budget = test_random_one_in(random, 3) ? 0 : 1 + test_random_below(random, period);

        sched_context_init(&contexts[i], budget, period, 0);
        shares[i] = (struct sched_share){.own = &contexts[i],
                                         .priority = (unsigned)test_random_below(random, 32)};
    }
}

/* The model's own walk: by index, without the code under test. */
static const struct sched_context *payer_by_hand(const struct sched_share *share,
                                                 unsigned *priority)
{
    *priority = share->priority;
    while (share->lender != NULL) {
        share = share->lender;
        *priority = share->priority > *priority ? share->priority : *priority;
    }
    return share->own;
}

static void random_event(struct test_random *random, struct sched_share *share)
{
    struct sched_share *other = &shares[test_random_below(random, THREADS)];

    switch (test_random_below(random, 6)) {
    case 0: /* it returns, is cancelled, or its lender becomes ready */
        if (share->lender != NULL) {
            sched_loan_end(share->lender);
        }
        break;
    case 1: /* it dies */
        sched_share_leave(share);
        assert_null(share->lender);
        assert_null(share->borrower);
        break;
    default: /* it calls */
        if (other != share) {
            bool may = other->lender == NULL && other->borrower == NULL && share->borrower == NULL;
            bool lent = sched_lend(share, other);

            assert_true(may || !lent);
            assert_true(!lent || sched_payer(other) == sched_payer(share));
        }
        break;
    }
}

static void test_no_time_from_nothing(void **state)
{
    struct test_random random;
    uint64_t now = 0;
    uint64_t ran = 0;

    (void)state;
    test_random_init(&random, 0x7135);
    shares_make(&random);
    for (unsigned step = 0; step < STEPS; step++) {
        struct sched_share *share = &shares[test_random_below(&random, THREADS)];
        struct sched_context *payer = sched_payer(share);
        uint64_t slice = test_random_below(&random, 60);
        uint64_t used = 0;
        unsigned priority;

        assert_ptr_equal(payer, payer_by_hand(share, &priority));
        assert_int_equal(sched_share_priority(share), priority);
        sched_context_renew(payer, now);
        if (share->borrower == NULL && sched_context_left(payer) != 0) {
            sched_context_charge(payer, slice);
            now += slice;
            ran += slice;
        } else {
            now += test_random_below(&random, 40);
        }
        random_event(&random, share);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(sched_context_check(&contexts[i]), 0);
            assert_int_equal(sched_share_check(&shares[i]), 0);
            used += contexts[i].used_ns;
        }
        assert_int_equal(used, ran);
    }
    /* In any whole number of periods no more than their budgets was run, but for one late charge.
     */
    for (unsigned i = 0; i < THREADS; i++) {
        const struct sched_context *context = &contexts[i];

        if (context->budget_ns != 0) {
            uint64_t periods = now / context->period_ns + 1;

            assert_true(context->used_ns <= periods * context->budget_ns + 60);
        }
    }
}

static void test_chains(void **state)
{
    (void)state;
    memset(shares, 0, sizeof(shares));
    for (unsigned i = 0; i < THREADS; i++) {
        sched_context_init(&contexts[i], 0, 0, 0);
        shares[i] = (struct sched_share){.own = &contexts[i], .priority = i == 0 ? 9 : 3};
    }
    for (unsigned i = 0; i < SCHED_LOANS_MAX; i++) {
        assert_false(sched_lends(&shares[i]) || sched_borrows(&shares[i + 1]));
        assert_true(sched_lend(&shares[i], &shares[i + 1]));
        assert_true(sched_lends(&shares[i]) && sched_borrows(&shares[i + 1]));
    }
    assert_false(sched_lend(&shares[SCHED_LOANS_MAX], &shares[SCHED_LOANS_MAX + 1]));
    assert_ptr_equal(sched_payer(&shares[SCHED_LOANS_MAX]), &contexts[0]);
    assert_int_equal(sched_share_priority(&shares[SCHED_LOANS_MAX]), 9);
    assert_false(sched_lend(&shares[SCHED_LOANS_MAX], &shares[0])); /* no ring of loans */
    sched_share_leave(&shares[2]);                                  /* one in the middle dies */
    assert_ptr_equal(sched_payer(&shares[1]), &contexts[0]);
    assert_ptr_equal(sched_payer(&shares[SCHED_LOANS_MAX]), &contexts[3]);
    assert_int_equal(sched_share_priority(&shares[SCHED_LOANS_MAX]), 3);
    sched_loan_end(&shares[0]);
    assert_ptr_equal(sched_payer(&shares[1]), &contexts[1]);
    sched_loan_end(&shares[0]); /* nothing is lent: nothing happens */
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(sched_share_check(&shares[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_and_period),
        cmocka_unit_test(test_other_terms),
        cmocka_unit_test(test_debt_takes_several_periods),
        cmocka_unit_test(test_unlimited),
        cmocka_unit_test(test_longest_budget),
        cmocka_unit_test(test_no_time_from_nothing),
        cmocka_unit_test(test_chains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
