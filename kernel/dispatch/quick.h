/* SPDX-License-Identifier: MIT */
/*
 * The short way for the commonest submission: a CALL that needs nothing but its edge. It does what
 * submission_call would, or nothing at all; then the submission goes the long way, which also finds
 * the words for every refusal.
 *
 * A kernel object answers here when its type has a `quick` function and that takes the method: one
 * that reads no parameters, changes nothing and answers with an empty structure. It runs under the
 * lock of the caller's table, so the edge is neither copied nor pinned.
 */
#ifndef KERNEL_DISPATCH_QUICK_H
#define KERNEL_DISPATCH_QUICK_H

#include "kernel/sched/process.h"

enum {
    QUICK_ANSWER_BYTES = 8,
};

/* Cap'n Proto's pointer to a structure without data and pointers, as the root of a message
 * (encoding: "Structs", a zero-sized struct has offset -1). */
#define QUICK_ANSWER UINT64_C(0x00000000fffffffc)

/* Answers `call` with an empty structure in the caller's arena and posts its completion; false: the
 * buffers are not both in the arena, or there is no room. */
static inline bool quick_answer(struct thread *thread, const struct sqe *call)
{
    uint32_t message;
    uint32_t result;
    uint32_t contiguous;
    uint8_t *target;

    if (call->result_bytes < LIMIT_ANSWER_ROOM || call->message_bytes > LIMIT_CALL_BYTES ||
        !thread_arena_offset(thread, call->message, call->message_bytes, &message) ||
        !thread_arena_offset(thread, call->result, call->result_bytes, &result)) {
        return false;
    }
    target = thread_arena(thread, result, &contiguous);
    if (contiguous < QUICK_ANSWER_BYTES) {
        return false;
    }
    memcpy(target, &(uint64_t){QUICK_ANSWER}, QUICK_ANSWER_BYTES);
    thread_post(thread, &(struct cqe){.user_data = call->user_data, .result = QUICK_ANSWER_BYTES});
    return true;
}

/* True: `call`, which passed the wire check, is done. No lock is held. */
static inline bool quick_call(struct thread *thread, const struct sqe *call)
{
    struct process *process = thread->process;
    const struct hold_edge *edge;
    bool done = false;

    if (call->transfers != 0 || call->answer != 0) {
        return false;
    }
    spinlock_lock(&process->lock);
    if (LIKELY(cap_table_lookup(&process->table, call->cap, &edge) == TRANSPORT_OK) &&
        edge->interface_id == call->interface_id && edge->facet == CAP_FACET_ALL) {
        struct object *object = edge->object;

        done = object->type->quick != NULL && object->type->quick(call->method) &&
               quick_answer(thread, call);
    }
    spinlock_unlock(&process->lock);
    return done;
}

#endif
