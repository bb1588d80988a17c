/* SPDX-License-Identifier: MIT */
/* What the hunt sees of the scheduler. Theory in sched_look.c. */
#ifndef SIM_HUNT_SCHED_LOOK_H
#define SIM_HUNT_SCHED_LOOK_H

#include "kernel/sched/thread.h"
#include "sim/hunt/hunt.h"

/* A thread starts; it will never run again. */
void sched_look_started(const struct thread *thread);
void sched_look_ended(const void *thread);

/* Looks at one thread, unless a lock of its is held; `at_rest`: every CPU is idle. */
void sched_look_thread(const struct thread *thread, bool at_rest);

/* Looks at whose time the current thread of a CPU runs on, as an endpoint's lock is given back. */
void sched_look_loan(const struct thread *thread);

#endif
