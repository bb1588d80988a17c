/* SPDX-License-Identifier: MIT */
/*
 * How often somebody submits what no submission may look like: counted, reported in the log at a
 * bounded rate, and beyond a free allowance answered by taking its turn away. Time comes from the
 * caller. No lock.
 */
#ifndef CORE_OFFENCE_H
#define CORE_OFFENCE_H

#include "core/log_limit.h"

enum {
    OFFENCE_FREE = 32,                     /* in one window: a mistaken batch is no attack */
    OFFENCE_WINDOW_NS = 100 * 1000 * 1000, /* a program that polls at 1 kHz stays below */
    OFFENCE_REPORT_WINDOW_NS = 1000 * 1000 * 1000, /* one line of the log in each */
};

struct offence_meter {
    uint64_t window_start_ns;
    uint32_t in_window; /* offences since window_start_ns */
    uint64_t total;
    uint64_t unreported; /* since the last report */
    struct log_limit log;
};

void offence_init(struct offence_meter *meter);

/* What follows from one offence. */
struct offence_verdict {
    bool throttled;  /* the offender gives way after it */
    uint64_t report; /* 0: log nothing; else: log that there were so many since the last report */
};
MUST_USE struct offence_verdict offence_note(struct offence_meter *meter, uint64_t now_ns);

/* 0, or the number of the first broken invariant of offence.c. */
MUST_USE unsigned offence_check(const struct offence_meter *meter);

#endif
