/* SPDX-License-Identifier: MIT */
/* What the measuring programs of the host share: the clock, and what to do when something that must
 * work does not. Exactly one file of a program includes it. */
#ifndef BENCH_HOST_BENCH_H
#define BENCH_HOST_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/assert.h"

void assert_failed(const char *expression, const char *file, unsigned line)
{
    fprintf(stderr, "%s:%u: %s\n", file, line, expression);
    abort();
}

static double now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void check(bool good)
{
    if (!good) {
        abort();
    }
}

#endif
