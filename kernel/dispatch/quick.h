/* SPDX-License-Identifier: MIT */
/*
 * The short way for the simplest submissions: CALLs of methods that read nothing, change nothing
 * and answer with an empty structure (object_type.quick).
 */
#ifndef KERNEL_DISPATCH_QUICK_H
#define KERNEL_DISPATCH_QUICK_H

#include "kernel/sched/process.h"

/* Carries out submissions of the current thread from the first on, at most `limit`, until one needs
 * the long way; how many. No lock is held. */
unsigned quick_drain(struct thread *thread, unsigned limit);

#endif
