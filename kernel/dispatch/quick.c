/* SPDX-License-Identifier: MIT */
/*
 * The short way.
 *
 * An entry takes it only when everything about it is as usual; what that is, each opcode's function
 * says. Whatever differs leaves the entry where it is, untouched, and the long way (submission.c)
 * looks at it afresh and finds the words for a refusal. So the short way does what the long one
 * would, in the same order and under the same locks.
 *
 * Each word of an entry is read once from shared memory, into a register; nothing is copied.
 *
 * A CALL's edge is looked up here, once: an endpoint's goes on to kernel/ipc/handoff.c, with the
 * process's lock; a quick method of another object is answered; what is no edge is refused, as the
 * long way would.
 *
 * CALLs of quick methods are also taken many at a time (quick_drain): opcode CALL without flags,
 * transfers and answer id, an edge that is held, alive and complete, a method that its object's
 * type calls quick, both buffers in the arena with room for any answer.
 *
 * Locks of quick_drain: the process's, for the edges, and inside it the ring's, for the
 * completions; both for the whole batch, which is at most 32 entries of a hundred instructions.
 * Objects are not pinned: nothing is done to them.
 */
#include "kernel/dispatch/quick.h"

#include "kernel/dispatch/quick_call.h"
#include "kernel/dispatch/quick_park.h"
#include "kernel/dispatch/quick_table.h"
#include "kernel/ipc/handoff.h"
#include "kernel/ipc/handoff_promise.h"

/* Where the first word says how many transfers there are. */
#define RETURN_TRANSFERS UINT32_C(0xff000000)

/* Writes the completion of `entry` to `place`. */
static ALWAYS_INLINE void completion_write(struct cqe *place, const uint8_t *entry, int32_t result,
                                           struct refusal refusal)
{
    place->user_data = quick_word(entry, offsetof(struct sqe, user_data));
    place->result = result;
    place->flags = 0;
    place->refusal = refusal;
}

/* Answers the shared `entry` and writes its completion to `place`, unless it is not usual. */
static inline bool quick_call(struct thread *thread, const uint8_t *entry, struct cqe *place)
{
    struct cap_id cap = {quick_word(entry, offsetof(struct sqe, cap))};
    const struct hold_edge *edge;
    uint64_t *answer;

    if (UNLIKELY(cap_table_lookup(&thread->process->table, cap, &edge) != TRANSPORT_OK) ||
        !quick_call_read(thread, entry, edge, &answer)) {
        return false;
    }
    *answer = QUICK_ANSWER;
    completion_write(place, entry, QUICK_ANSWER_BYTES, (struct refusal){0});
    return true;
}

/* Accepts the entry and posts its completion. The process's lock is held, and given back. */
static ALWAYS_INLINE enum quick entry_finish(struct thread *thread, const uint8_t *entry,
                                             int32_t result, struct refusal refusal)
{
    struct ring *ring = &thread->ring;
    uint32_t tail;

    spinlock_lock(&thread->ring_lock);
    tail = ring->cq_tail;
    completion_write(ring_post_place(ring, tail), entry, result, refusal);
    ring_accept(ring, ring->sq_head + 1);
    ring_posted(ring, tail + 1);
    spinlock_unlock(&thread->ring_lock);
    spinlock_unlock(&thread->process->lock);
    return QUICK_DONE;
}

/* A CALL of an object of the kernel, answered here if its method is quick. The process's lock is
 * held, for the edge, and given back. */
static NOINLINE enum quick call_object(struct thread *thread, const uint8_t *entry,
                                       const struct hold_edge *edge)
{
    uint64_t *answer;

    if (!quick_call_read(thread, entry, edge, &answer)) {
        spinlock_unlock(&thread->process->lock);
        return QUICK_NONE;
    }
    *answer = QUICK_ANSWER;
    return entry_finish(thread, entry, QUICK_ANSWER_BYTES, (struct refusal){0});
}

/* A CALL through an id that is no edge, or an edge that is revoked, which is refused as by
 * edge_pin; or through an edge that was delegated. The process's lock is held, and given back. */
static NOINLINE enum quick call_unusual(struct thread *thread, const uint8_t *entry,
                                        struct cap_id cap)
{
    const struct hold_edge *edge;
    enum transport_error error = cap_table_lookup(&thread->process->table, cap, &edge);

    if (error == TRANSPORT_OK) {
        return call_object(thread, entry, edge);
    }
    if (!quick_call_is_refusable(entry)) {
        spinlock_unlock(&thread->process->lock);
        return QUICK_NONE;
    }
    return entry_finish(
        thread, entry, error,
        (struct refusal){.reason = (uint16_t)-error, .argument = ARGUMENT_CAP, .amount = cap.raw});
}

/* A CALL: finds its edge, which says whose it is. Endpoints have no quick methods. */
static NOINLINE enum quick call_submission(struct cpu *cpu, struct thread *thread,
                                           const uint8_t *entry, uint32_t left,
                                           struct thread **next)
{
    struct cap_id cap = {quick_word(entry, offsetof(struct sqe, cap))};
    struct process *process = thread->process;
    const struct cap_slot *slot;

    spinlock_lock(&process->lock);
    slot = cap_table_slot(&process->table, cap);
    if (UNLIKELY(!cap_slot_is_plain(slot, cap))) {
        return call_unusual(thread, entry, cap);
    }
    if (((const struct object *)slot->edge.object)->type->quick == 0) {
        return handoff_call(cpu, thread, entry, &slot->edge, left, next);
    }
    return call_object(thread, entry, &slot->edge);
}

enum quick quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                            struct thread **next)
{
    const uint8_t *entry = ring_peek(&thread->ring, thread->ring.sq_head);

    /* Which way to look: whoever goes it reads the word once more, and believes that alone. */
    uint64_t first = quick_word(entry, 0);
    unsigned opcode = first & UINT8_MAX;

    if ((first & UINT16_MAX) == OPCODE_CALL) { /* without flags */
        return quick_word(entry, offsetof(struct sqe, result_bytes)) <= UINT32_MAX
                   ? call_submission(cpu, thread, entry, left, next)
                   : handoff_promise(cpu, thread, left, next); /* keeps its answer */
    }
    if (((uint32_t)first & (UINT8_MAX | RETURN_TRANSFERS)) == OPCODE_RETURN_RECV) {
        return handoff_return(cpu, thread, left, next);
    }
    switch (opcode) {
    case OPCODE_RETURN_RECV:
        return handoff_answer(cpu, thread, left, next);
    case OPCODE_DUP:
        return first == OPCODE_DUP ? quick_duplicate(thread, entry) : QUICK_NONE;
    case OPCODE_RELEASE:
        return first == OPCODE_RELEASE ? quick_release(thread, entry) : QUICK_NONE;
    case OPCODE_CALL:
    case OPCODE_FINISH:
        return handoff_promise(cpu, thread, left, next);
    case OPCODE_UNPARK: /* mostly with the PARK behind it */
        return left == 2 && next != NULL ? quick_wake_and_wait(cpu, thread, next) : QUICK_NONE;
    default:
        return QUICK_NONE;
    }
}

unsigned quick_drain(struct thread *thread, unsigned limit)
{
    struct ring *ring = &thread->ring;
    uint32_t left = ring_acceptable(ring);
    uint32_t head = ring->sq_head;
    unsigned done = 0;

    limit = left < limit ? left : limit;
    spinlock_lock(&thread->process->lock);
    spinlock_lock(&thread->ring_lock);
    while (done < limit && quick_call(thread, ring_peek(ring, head + done),
                                      ring_post_place(ring, ring->cq_tail + done))) {
        done++;
    }
    if (done != 0) {
        ring_accept(ring, head + done);
        ring_posted(ring, ring->cq_tail + done);
    }
    spinlock_unlock(&thread->ring_lock);
    spinlock_unlock(&thread->process->lock);
    return done;
}
