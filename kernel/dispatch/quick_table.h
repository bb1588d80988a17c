/* SPDX-License-Identifier: MIT */
/* The short way of DUP and RELEASE, for kernel/dispatch/quick.c. Theory in quick_table.c. */
#ifndef KERNEL_DISPATCH_QUICK_TABLE_H
#define KERNEL_DISPATCH_QUICK_TABLE_H

#include "kernel/dispatch/quick.h"

/* Carries out the next submission of the current thread, the shared `entry`, as quick_submission
 * says. */
MUST_USE enum quick quick_duplicate(struct thread *thread, const uint8_t *entry);
MUST_USE enum quick quick_release(struct thread *thread, const uint8_t *entry);

#endif
