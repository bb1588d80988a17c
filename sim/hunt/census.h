/* SPDX-License-Identifier: MIT */
/* The census of capabilities. Theory in census.c. */
#ifndef SIM_HUNT_CENSUS_H
#define SIM_HUNT_CENSUS_H

#include "kernel/sched/process.h"

/* Begins a census. */
void census_begin(void);

/* Counts what the process holds, in its table, on its way beside calls and in the plan of the spawn
 * that builds it; its lock is free. `space`: the lock of its address space is free too, and what it
 * has mapped counts. */
void census_process(const struct process *process, bool space);

/* Ends it: every object and every delegation must have the references that were counted. */
void census_end(void);

#endif
