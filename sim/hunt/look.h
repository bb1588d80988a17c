/* SPDX-License-Identifier: MIT */
/* What observe.c asks of look.c and faults.c. */
#ifndef SIM_HUNT_LOOK_H
#define SIM_HUNT_LOOK_H

#include "kernel/ipc/endpoint.h"
#include "kernel/ipc/park.h"
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

/* What is in a slot of a table. */
enum look_slot {
    LOOK_SLOT_FREE,
    LOOK_SLOT_HELD,
    LOOK_SLOT_MOVING, /* beside a call that waits; it does not resolve */
};
enum look_slot look_slot(const struct cap_slot *slot, uint32_t number);

/* One structure each: its own x_check() and the model. Its lock is free or just given back. */
void look_process(const struct model_actor *actor, struct process *process);
void look_endpoint(const struct model_actor *actor, const struct endpoint *endpoint);
void look_thread(struct thread *thread);
void look_cpu(struct cpu *cpu);
void look_parked(struct park_place *place);
/* Slots of its process's table that belong to the thread's operations, or may. */
uint32_t look_slots_reserved(struct thread *thread);
/* A structure's own check found `invariant` broken; 0: none. */
void look_broken(const char *what, uint64_t which, unsigned invariant);

/* What exists, by a number from 0, in no order; NULL: no more. */
struct process *look_known_process(uint32_t number);
struct endpoint *look_known_endpoint(uint32_t number);

/* ---- look_all.c ---- */

/* Looks at everything whose lock is free. `idle`: no CPU is in the middle of anything. */
void look_all(bool idle);
/* A CPU gives back the lock: it is held until its word is stored. */
void look_giving_back(const struct spinlock *lock);
void look_stored(const void *word);

/* ---- inside.c ---- */

/* A CPU goes into the frame allocator, or comes out; whether none is there. */
void inside_begin(void);
void inside_end(void);
bool inside_nobody(void);

/* ---- faults.c ---- */

/* Sends delayed interrupts whose time has come, or all of them; whether there was one. */
bool late_interrupts(bool all);

#endif
