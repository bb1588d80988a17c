/* SPDX-License-Identifier: MIT */
/* The short way of UNPARK and PARK in one submission. Theory in quick_park.c. */
#ifndef KERNEL_DISPATCH_QUICK_PARK_H
#define KERNEL_DISPATCH_QUICK_PARK_H

#include "kernel/dispatch/quick.h"

/* Carries out the two submissions that are left, the shared entries `wake`, an UNPARK, and `wait`,
 * if both are usual and the thread waits for the completions of both; `next` is not NULL. WAIT,
 * SWITCH or NONE, as quick_submission. */
MUST_USE enum quick quick_wake_and_wait(struct cpu *cpu, struct thread *thread, const uint8_t *wake,
                                        const uint8_t *wait, struct thread **next);

#endif
