/* SPDX-License-Identifier: MIT */
/* SchedulingParameters as calls ask for them. */
#ifndef KERNEL_OBJECT_SCHEDULING_H
#define KERNEL_OBJECT_SCHEDULING_H

#include "kernel/sched/task.h"
#include "schema/generated/scheduling.capnp.h"

struct capn_request;

/* How the message calls the fields; static strings. */
struct scheduling_names {
    const char *priority;
    const char *budget;
    const char *cpu_mask;
};

/* Refuses with the argument named; returns false. */
bool scheduling_refuse(struct capn_request *request, uint16_t reason, const char *name,
                       uint64_t limit, uint64_t amount);

/*
 * What a call asks for, within what its caller has: outOfRange (a budget that sched_budget_is_valid
 * refuses; a mask without a CPU of the machine), widerThanSource (a priority above the caller's).
 * False: the request is refused.
 */
bool scheduling_read(struct capn_request *request, struct scheduling_parameters_reader from,
                     const struct scheduling_names *names, struct scheduling *to) MUST_USE;

/* The same for a new thread, which has the caller's priority and all CPUs if nothing is `present`.
 * A caller on a budget is refused: with another thread, which has a budget of its own, it would
 * have more. */
bool scheduling_read_new(struct capn_request *request, bool present,
                         struct scheduling_parameters_reader from, struct scheduling *to) MUST_USE;

#endif
