/* SPDX-License-Identifier: MIT */
/*
 * Time as a resource: a context holds a budget for each period, a share says on whose context a
 * thread runs. Pure; no lock and no clock. Theory in sched_context.c.
 */
#ifndef CORE_SCHED_CONTEXT_H
#define CORE_SCHED_CONTEXT_H

#include "abi/atomic.h"
#include "core/assert.h"

enum {
    SCHED_LOANS_MAX = 8, /* loans in a row: the longest walk to who pays */
};

#define SCHED_UNLIMITED     UINT64_MAX
#define SCHED_PERIOD_MAX_NS (UINT64_C(1) << 62)
#define SCHED_BUDGET_MIN_NS 100000 /* the clock's work for each period is a small part of it */

/* A budget. Zeroed: unlimited. */
struct sched_context {
    uint64_t budget_ns; /* for each period; 0: as much as there is */
    uint64_t period_ns; /* at least budget_ns */
    uint64_t left_ns;   /* of this period */
    uint64_t debt_ns;   /* run beyond the budget, and still to be paid */
    uint64_t until_ns;  /* end of this period */
    uint64_t used_ns;   /* charged since the beginning */
    uint64_t given_ns;  /* budgets given since the beginning, what expired unused taken off */
};

/* Whether a program may ask for this: no budget, or one between the bounds and within its period.
 */
static inline bool sched_budget_is_valid(uint64_t budget_ns, uint64_t period_ns)
{
    return budget_ns == 0 || (budget_ns >= SCHED_BUDGET_MIN_NS && budget_ns <= period_ns &&
                              period_ns <= SCHED_PERIOD_MAX_NS);
}

/* A budget of `budget_ns` in each `period_ns` from now on, the first one full. budget_ns 0: without
 * limit; else budget_ns is at most period_ns, and that at most SCHED_PERIOD_MAX_NS. */
void sched_context_init(struct sched_context *context, uint64_t budget_ns, uint64_t period_ns,
                        uint64_t now_ns);

/* Another budget and period from now on, for a context that keeps what it owes and has no more left
 * than it had: changing terms makes no time. A period that runs goes on to its end. */
void sched_context_change(struct sched_context *context, uint64_t budget_ns, uint64_t period_ns,
                          uint64_t now_ns);

/* Begins the period that `now_ns` lies in, if it is not the one that runs: what was left expires,
 * the new budget pays the debt first. */
void sched_context_renew(struct sched_context *context, uint64_t now_ns);

/* Charges `ran_ns`. What is more than there is becomes debt. */
void sched_context_charge(struct sched_context *context, uint64_t ran_ns);

/* `context` if it has a budget, else NULL. */
static inline struct sched_context *sched_limited(struct sched_context *context)
{
    return context->budget_ns != 0 ? context : NULL;
}

/* How long may be run now: 0 until sched_context_renew_at. SCHED_UNLIMITED: without limit. */
MUST_USE uint64_t sched_context_left(const struct sched_context *context);

/* When time comes again; SCHED_UNLIMITED: it never runs out. A debt of several budgets takes
 * several periods: ask again then. */
MUST_USE uint64_t sched_context_renew_at(const struct sched_context *context);

/* 0, or the number of the first broken invariant of sched_context.c. */
MUST_USE unsigned sched_context_check(const struct sched_context *context);

/* A thread's part in lending. Zeroed but for `own` and `priority`: it runs on its own context. Who
 * does not hold the lock over its loans may ask whether there is one (sched_borrows, sched_lends)
 * and of a share without a loan what it runs at, but follows no pointer. */
struct sched_share {
    struct sched_context *own;
    unsigned priority;            /* its own */
    struct sched_share *lender;   /* whose time and priority it runs on; NULL: its own */
    struct sched_share *borrower; /* to whom it lends what it runs on; NULL: nobody */
};

/* Whether it runs on a loan, and whether it lends, when there is no lock over its loans. */
static inline bool sched_borrows(const struct sched_share *share)
{
    return atomic_load_relaxed_word(&share->lender) != 0;
}

static inline bool sched_lends(const struct sched_share *share)
{
    return atomic_load_relaxed_word(&share->borrower) != 0;
}

/* What a share without a loan runs at, when there is no lock over its loans. */
static inline unsigned sched_own_priority(const struct sched_share *share)
{
    return atomic_load_relaxed_u32(&share->priority);
}

/* Loans from the head of the chain to `share`. */
MUST_USE unsigned sched_loans_before(const struct sched_share *share);

/*
 * `lender` lends what it runs on to `borrower`, which it waits for. False: SCHED_LOANS_MAX loans
 * lead to `lender` already, or `borrower` runs on borrowed time, or lends itself, or `lender` lends
 * already: nothing changed.
 */
MUST_USE static inline bool sched_lend(struct sched_share *lender, struct sched_share *borrower)
{
    if (UNLIKELY(borrower->lender != NULL || borrower->borrower != NULL ||
                 lender->borrower != NULL || borrower == lender ||
                 (lender->lender != NULL && sched_loans_before(lender) >= SCHED_LOANS_MAX))) {
        return false;
    }
    atomic_store_relaxed_word(&lender->borrower, (uintptr_t)borrower);
    atomic_store_relaxed_word(&borrower->lender, (uintptr_t)lender);
    return true;
}

/* Ends what `lender` has lent, if it has: at RETURN, at a cancellation, or because it became ready
 * in another way. Whoever runs on it through further loans runs on what the borrower has. */
static inline void sched_loan_end(struct sched_share *lender)
{
    struct sched_share *borrower = lender->borrower;

    if (borrower != NULL) {
        ASSERT(borrower->lender == lender);
        atomic_store_relaxed_word(&borrower->lender, 0);
        atomic_store_relaxed_word(&lender->borrower, 0);
    }
}

/* The thread ends: so do the loans on both sides of it. */
void sched_share_leave(struct sched_share *share);

/* Whose time `share` uses when it runs. */
MUST_USE struct sched_context *sched_payer(const struct sched_share *share);

/* The priority that `share` runs at: the greatest along its loans. */
MUST_USE static inline unsigned sched_share_priority(const struct sched_share *share)
{
    const struct sched_share *lender = share->lender;
    unsigned greatest = share->priority;

    for (; lender != NULL; lender = lender->lender) {
        greatest = lender->priority > greatest ? lender->priority : greatest;
    }
    return greatest;
}

/* 0, or the number of the first broken invariant, of one share. */
MUST_USE unsigned sched_share_check(const struct sched_share *share);

#endif
