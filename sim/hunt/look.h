/* SPDX-License-Identifier: MIT */
/* What observe.c asks of look.c and faults.c. */
#ifndef SIM_HUNT_LOOK_H
#define SIM_HUNT_LOOK_H

#include "kernel/sched/process.h"
#include "kernel/sched/thread.h"
#include "sim/model.h"

/* ---- look.c: nothing else runs meanwhile, no lock of the kernel's is taken ---- */

uint64_t look_thread_name(const struct thread *thread);
/* The name of what has this address; it was made. */
uint64_t look_object_name(const void *object);
/* An object was made at this address; something at this address was freed. */
void look_made(const struct object *object, const struct object_type *type);
void look_gone(const void *object);
/* The lock was just given back by `actor`: looks at what it guards. */
void look_under(const struct spinlock *lock, const struct model_actor *actor);
/* An edge as the model has it, under the id `cap`. */
struct model_edge look_edge(struct cap_id cap, const struct hold_edge *held);
/* Looks at everything whose lock is free. `idle`: no CPU is in the middle of anything. */
void look_sweep(bool idle);

/* ---- faults.c ---- */

/* Sends delayed interrupts whose time has come, or all of them; whether there was one. */
bool late_interrupts(bool all);

#endif
