/* SPDX-License-Identifier: MIT */
/* The descriptors that a child inherits. Theory in inherit.c. */
#ifndef KERNEL_OBJECT_INHERIT_H
#define KERNEL_OBJECT_INHERIT_H

#include "kernel/object/spawn.h"

/* Whether every descriptor of `caller` may be passed on; else *refused is the first slot that may
 * not. No lock is held. */
MUST_USE bool descriptors_may_be_inherited(struct process *caller, uint32_t *refused);

/* A few descriptors of the spawn's caller into the child; *done: there are no more, or none are to
 * be inherited. STATUS_NO_ACCESS, STATUS_LIMIT, STATUS_NO_MEMORY: the spawn fails. */
enum status descriptors_inherit_step(struct spawn *spawn, bool *done) MUST_USE;

#endif
