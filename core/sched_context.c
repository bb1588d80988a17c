/* SPDX-License-Identifier: MIT */
/*
 * Scheduling contexts and loans.
 *
 * Purpose: to say how long a thread may run, and on whose time. A context holds a budget for each
 * period. Running is charged to one context. No CPU time is made from nothing: what was charged
 * never exceeds what was given plus the debt that the next budgets pay.
 *
 *   left > 0 --charge--> left = 0 (and perhaps a debt) --renew, at the end of the period--> left >
 * 0
 *
 * A charge comes after the running, so it can be more than was left (a timer that was late, a
 * stretch of the kernel that cannot be cut). The difference is the debt; renewing pays it before
 * anything may run. What is left when a period ends expires: a budget is a limit, not an account
 * that grows, else a thread could save up and then starve the others.
 *
 * Periods lie end to end from the first one on. Renewing late begins the period that the moment
 * lies in, with one budget, however many were missed; but missed periods' budgets do pay the debt.
 *
 * Loans. When a thread waits for another one (a call), it may lend what it runs on: the borrower
 * runs on the lender's payer and at the greater priority. A borrower that calls on lends the same
 * further. So loans form chains, each with one head (who pays) and one tail (who may run):
 *
 *   client --lends--> server --lends--> server's server       payer: the client's context
 *
 * A thread runs on one loan at a time, lends to one, and only a thread at a tail runs; a loan ends
 * at its lender's side. Ending it in the middle leaves two chains: the second one's head pays with
 * its own context. A loan is worth what its payer has left: whoever would run on it when that is
 * nothing ends it, and runs at its own cost. The walk to the head is bounded by SCHED_LOANS_MAX.
 *
 * Invariants of a context (sched_context_check), for a limited one:
 *  1. left_ns <= budget_ns <= period_ns.
 *  2. left_ns is 0 while there is a debt.
 *  3. given_ns + debt_ns == used_ns + left_ns.
 * Of a share (sched_share_check):
 *  4. A lender's borrower has it as its lender, and the other way round.
 *  5. The chain through it has at most SCHED_LOANS_MAX loans, and no end meets its beginning.
 *
 * Locks: the caller's, one over all shares of a chain. Who has it not may ask whether there is a
 * loan at all; a chain it does not walk, because loans of it may end at any moment.
 *
 * What can fail: lending, which then does not happen.
 */
#include "core/sched_context.h"

#include "core/assert.h"

void sched_context_init(struct sched_context *context, uint64_t budget_ns, uint64_t period_ns,
                        uint64_t now_ns)
{
    ASSERT(budget_ns == 0 || (budget_ns <= period_ns && period_ns <= SCHED_PERIOD_MAX_NS));
    *context = (struct sched_context){.budget_ns = budget_ns,
                                      .period_ns = period_ns,
                                      .left_ns = budget_ns,
                                      .until_ns = now_ns + period_ns,
                                      .given_ns = budget_ns};
}

void sched_context_change(struct sched_context *context, uint64_t budget_ns, uint64_t period_ns,
                          uint64_t now_ns)
{
    struct sched_context before = *context;

    sched_context_init(context, budget_ns, period_ns, now_ns);
    context->used_ns = before.used_ns;
    if (budget_ns != 0 && before.budget_ns != 0) {
        context->until_ns = before.until_ns;
        context->debt_ns = before.debt_ns;
        context->left_ns = before.left_ns < budget_ns ? before.left_ns : budget_ns;
    }
    context->given_ns = context->used_ns + context->left_ns - context->debt_ns;
    ASSERT(sched_context_check(context) == 0);
}

/* One budget comes: the debt first. */
static void budget_give(struct sched_context *context, uint64_t budget_ns)
{
    uint64_t paid = budget_ns < context->debt_ns ? budget_ns : context->debt_ns;

    ASSERT(context->left_ns == 0);
    context->debt_ns -= paid;
    context->left_ns = budget_ns - paid;
    context->given_ns += budget_ns;
}

/* What is left expires. */
static void rest_expire(struct sched_context *context)
{
    ASSERT(context->given_ns >= context->left_ns);
    context->given_ns -= context->left_ns;
    context->left_ns = 0;
}

void sched_context_renew(struct sched_context *context, uint64_t now_ns)
{
    uint64_t missed;
    uint64_t needed;

    if (context->budget_ns == 0 || now_ns < context->until_ns) {
        return;
    }
    missed = (now_ns - context->until_ns) / context->period_ns; /* wholly, before this one */
    context->until_ns += (missed + 1) * context->period_ns;
    rest_expire(context);
    needed = context->debt_ns / context->budget_ns; /* budgets that the debt takes whole */
    missed = missed < needed ? missed : needed;
    context->debt_ns -= missed * context->budget_ns;
    context->given_ns += missed * context->budget_ns;
    budget_give(context, context->budget_ns);
}

void sched_context_charge(struct sched_context *context, uint64_t ran_ns)
{
    uint64_t from_left;

    context->used_ns += ran_ns;
    if (context->budget_ns == 0) {
        return;
    }
    from_left = ran_ns < context->left_ns ? ran_ns : context->left_ns;
    context->left_ns -= from_left;
    context->debt_ns += ran_ns - from_left;
}

uint64_t sched_context_left(const struct sched_context *context)
{
    return context->budget_ns == 0 ? SCHED_UNLIMITED : context->left_ns;
}

uint64_t sched_context_renew_at(const struct sched_context *context)
{
    return context->budget_ns == 0 ? SCHED_UNLIMITED : context->until_ns;
}

unsigned sched_context_check(const struct sched_context *context)
{
    if (context->budget_ns == 0) {
        return 0;
    }
    if (context->left_ns > context->budget_ns || context->budget_ns > context->period_ns) {
        return 1;
    }
    if (context->debt_ns != 0 && context->left_ns != 0) {
        return 2;
    }
    return context->given_ns + context->debt_ns == context->used_ns + context->left_ns ? 0 : 3;
}

unsigned sched_loans_before(const struct sched_share *share)
{
    unsigned loans = 0;

    for (; share->lender != NULL; share = share->lender) {
        loans++;
        ASSERT(loans <= SCHED_LOANS_MAX);
    }
    return loans;
}

void sched_share_leave(struct sched_share *share)
{
    sched_loan_end(share);
    if (share->lender != NULL) {
        sched_loan_end(share->lender);
    }
    ASSERT(share->lender == NULL && share->borrower == NULL);
}

struct sched_context *sched_payer(const struct sched_share *share)
{
    unsigned loans = 0;

    for (; share->lender != NULL; share = share->lender) {
        loans++;
        ASSERT(loans <= SCHED_LOANS_MAX);
    }
    return share->own;
}

unsigned sched_share_check(const struct sched_share *share)
{
    unsigned loans = 0;

    if ((share->lender != NULL && share->lender->borrower != share) ||
        (share->borrower != NULL && share->borrower->lender != share)) {
        return 4;
    }
    for (; share->lender != NULL; share = share->lender) {
        if (++loans > SCHED_LOANS_MAX) {
            return 5;
        }
    }
    return 0;
}
