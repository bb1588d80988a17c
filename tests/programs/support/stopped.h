/* SPDX-License-Identifier: MIT */
/*
 * How long a thread did not run. The scenes that ask have a clock that counts instructions, so two
 * runs see the same.
 */
#ifndef TESTS_PROGRAMS_SUPPORT_STOPPED_H
#define TESTS_PROGRAMS_SUPPORT_STOPPED_H

#include "user/rt/rt.h"

/* Looks at the clock for `total_ns`; of that, the time in jumps of the clock, which are longer than
 * an interrupt or a job takes, in nanoseconds. */
uint64_t stopped_ns(const struct rt *rt, uint64_t total_ns);

#endif
