/* SPDX-License-Identifier: MIT */
/*
 * From a failing run to a small one. Acts are left out by halves, quarters and so on as long as
 * what is left still fails in some of a few interleavings (the acts that stay are the same, because
 * each is drawn from its own name; when they happen is not). Every trial is a run of its own.
 */
#include <string.h>

#include "sim/hunt/hunt.h"

enum {
    SCHEDULES = 4, /* interleavings tried for each candidate */
};

static struct hunt_act left[HUNT_ACTS];
static uint32_t left_count;

/* Whether the run of `left` without [first, first + count) fails. */
static bool fails_without(struct hunt_options *options, uint32_t first, uint32_t count,
                          unsigned *runs)
{
    for (unsigned i = 0; i < SCHEDULES; i++) {
        struct hunt_options trial = *options;

        trial.schedule = i == 0 ? options->schedule : options->schedule + i * 7919;
        memcpy(hunt_report->keep, left, first * sizeof(left[0]));
        memcpy(hunt_report->keep + first, left + first + count,
               (left_count - first - count) * sizeof(left[0]));
        hunt_report->keep_count = left_count - count;
        ++*runs;
        hunt_run(&trial);
        if (hunt_failed()) {
            *options = trial;
            return true;
        }
    }
    return false;
}

/* What the failing run did is what is left. */
static void take_over(void)
{
    left_count = hunt_report->act_count;
    memcpy(left, hunt_report->act, left_count * sizeof(left[0]));
}

void hunt_shrink(struct hunt_options *options, unsigned runs_max)
{
    unsigned runs = 0;

    if (options->schedule == 0) {
        options->schedule = options->seed;
    }
    if (options->cpus == 0) {
        options->cpus = hunt_cpus(options);
    }
    take_over();
    options->keep = true;
    for (uint32_t size = (left_count + 1) / 2; size > 0 && runs < runs_max; size /= 2) {
        uint32_t first = 0;

        while (first < left_count && runs < runs_max) {
            uint32_t count = size < left_count - first ? size : left_count - first;

            if (fails_without(options, first, count, &runs)) {
                take_over();
            } else {
                first += count;
            }
        }
    }
    memcpy(hunt_report->keep, left, left_count * sizeof(left[0]));
    hunt_report->keep_count = left_count;
    hunt_run(options);
}
