/* SPDX-License-Identifier: MIT */
/* The short way of UNPARK and PARK in one submission. Theory in quick_park.c. */
#ifndef KERNEL_DISPATCH_QUICK_PARK_H
#define KERNEL_DISPATCH_QUICK_PARK_H

#include "kernel/dispatch/quick.h"

/* Carries out the two submissions that are left, an UNPARK and a PARK, if they are that, both are
 * usual, and the thread is about to wait for completions without a time limit; `next` is not NULL.
 * As quick_submission. */
MUST_USE enum quick quick_wake_and_wait(struct cpu *cpu, struct thread *thread,
                                        struct thread **next);

#endif
