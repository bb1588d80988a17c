/* SPDX-License-Identifier: MIT */
/*
 * Offences.
 *
 * A submission that fails the wire check says something about its author and nothing about the
 * state of the system: a library of another version, memory overwritten, or somebody who tries. All
 * three deserve the same: each is refused with its reason, the first ones cost no more than a valid
 * submission, and from then on each one ends the offender's turn, so that whoever waits for the CPU
 * has it in between. The log gets a number once a second, not a line for each.
 *
 * Windows are counted from the first offence in them. An offender that keeps within its allowance
 * in each window is never throttled; one that does not is throttled until its window is over.
 *
 * Invariants:
 *  1. in_window <= total, and unreported <= total.
 *  2. total is 0 exactly when in_window is.
 *  3. The log limit's own.
 */
#include "core/offence.h"

#include "core/assert.h"
#include "core/string.h"

void offence_init(struct offence_meter *meter)
{
    memset(meter, 0, sizeof(*meter));
    log_limit_init(&meter->log, OFFENCE_REPORT_WINDOW_NS, 1);
}

struct offence_verdict offence_note(struct offence_meter *meter, uint64_t now_ns)
{
    struct offence_verdict verdict = {.report = 0};
    uint64_t suppressed;

    if (meter->in_window == 0 || now_ns - meter->window_start_ns >= OFFENCE_WINDOW_NS) {
        meter->window_start_ns = now_ns;
        meter->in_window = 0;
    }
    if (meter->in_window < UINT32_MAX) {
        meter->in_window++;
    }
    meter->total++;
    meter->unreported++;
    verdict.throttled = meter->in_window > OFFENCE_FREE;
    if (log_limit_admit(&meter->log, now_ns, &suppressed)) {
        verdict.report = meter->unreported;
        ASSERT(suppressed + 1 == verdict.report);
        meter->unreported = 0;
    }
    return verdict;
}

unsigned offence_check(const struct offence_meter *meter)
{
    if (meter->in_window > meter->total || meter->unreported > meter->total) {
        return 1;
    }
    if ((meter->total == 0) != (meter->in_window == 0)) {
        return 2;
    }
    return log_limit_check(&meter->log) == 0 ? 0 : 3;
}
