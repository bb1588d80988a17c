/* SPDX-License-Identifier: MIT */
/*
 * Faults told to an endpoint: the call that the kernel makes for a thread that faulted, and what
 * its answer does to the thread. Theory in fault_call.c.
 */
#ifndef KERNEL_IPC_FAULT_CALL_H
#define KERNEL_IPC_FAULT_CALL_H

#include "kernel/sched/process.h"
#include "schema/generated/fault.capnp.h"

enum {
    FAULT_ANSWER_BYTES = 256, /* room for an answer: more than a handler needs */
};

/* What a thread has for its faults, reserved with it: one frame. */
struct fault_desk {
    struct operation operation; /* the call; FREE or CALL; ring_lock as any */
    struct job job;             /* acts on the answer; on the home CPU */
    struct arch_fault fault;    /* home CPU */
    int32_t result;             /* ANSWERED: of the call, and its flags */
    uint32_t flags;
    bool ends_thread; /* home CPU: the thread was told to end because of `fault` */
    ALIGNED(8) uint8_t message[FAULT_MESSAGE_BYTES];
    ALIGNED(8) uint8_t answer[FAULT_ANSWER_BYTES];
};

/*
 * The edge through which faults are told, made of what a parent names: `from` itself if it is a
 * client's of the interface FaultHandler that may be copied; of an owner's with the right to mint,
 * the client's edge that it could mint, without badge and below the same delegation. *made has
 * references of its own. Errors, in this order: WRONG_INTERFACE, NO_METHOD, NOT_GRANTABLE,
 * TOO_LARGE (the endpoint's messages hold no fault). No lock is held.
 */
MUST_USE enum transport_error fault_edge_make(const struct hold_edge *from, struct hold_edge *made);

/* Gives a new thread what it needs to tell of faults. STATUS_LIMIT (frames), STATUS_NO_MEMORY.
 * fault_desk_destroy gives it back, if there is one. */
MUST_USE enum status fault_desk_create(struct thread *thread);
void fault_desk_destroy(struct thread *thread);

/* The current thread, which has a desk, faulted: it is stopped, its process's handler is told, and
 * the caller leaves the CPU. False: its process is dying. */
MUST_USE bool fault_call_send(struct thread *thread, const struct arch_fault *fault);

/* For operation_complete: the call of the thread's desk is over, with what another would post. What
 * is next is for the thread's home CPU. Its ring_lock is held. */
void fault_call_complete(struct thread *thread, const struct cqe *cqe);

#endif
