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

#include "core/assert.h"
#include "kernel/dispatch/quick_park.h"
#include "kernel/dispatch/quick_table.h"
#include "kernel/ipc/handoff.h"
#include "kernel/ipc/handoff_promise.h"

/* Cap'n Proto's pointer to a structure without data and pointers, as the root of a message
 * (encoding, "Structs": the offset of a zero-sized one is -1). */
#define ANSWER       UINT64_C(0x00000000fffffffc)
#define ANSWER_BYTES 8

_Static_assert(LIMIT_CALL_BYTES < 0x8000, "HANDOFF_FIXED leaves the bits of message_bytes");

/* Whether `method` of the object behind `edge` is quick, and allowed as it is asked for. */
static ALWAYS_INLINE bool edge_is_quick(const struct hold_edge *edge, const uint8_t *entry,
                                        unsigned method)
{
    return edge->interface_id == quick_word(entry, offsetof(struct sqe, interface_id)) &&
           edge->facet == CAP_FACET_ALL && method < 64 &&
           (((const struct object *)edge->object)->type->quick >> method & 1) != 0;
}

/* Whether the buffers of a quick CALL are as usual; `*place` is where its answer goes. */
static ALWAYS_INLINE bool buffers_are_quick(const struct thread *thread, const uint8_t *entry,
                                            uint64_t first, uint64_t room, uint64_t **place)
{
    uint32_t message;
    uint32_t result;

    if (first >> 32 > LIMIT_CALL_BYTES || room < LIMIT_ANSWER_ROOM ||
        !thread_arena_offset(thread, quick_word(entry, offsetof(struct sqe, message)), first >> 32,
                             &message) ||
        !thread_arena_offset(thread, quick_word(entry, offsetof(struct sqe, result)), room,
                             &result) ||
        result % ANSWER_BYTES != 0) {
        return false;
    }
    *place = (uint64_t *)(void *)(thread->arena_page[result / LIMIT_PAGE_BYTES] +
                                  result % LIMIT_PAGE_BYTES);
    return true;
}

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
    uint64_t first = quick_word(entry, 0);
    uint64_t room = quick_word(entry, offsetof(struct sqe, result_bytes)); /* and the answer's id */
    struct cap_id cap = {quick_word(entry, offsetof(struct sqe, cap))};
    const struct hold_edge *edge;
    uint64_t *answer;

    if ((first & HANDOFF_FIXED) != OPCODE_CALL || room > LIMIT_ARENA_BYTES ||
        quick_word(entry, offsetof(struct sqe, spare)) != 0 ||
        !buffers_are_quick(thread, entry, first, room, &answer) ||
        UNLIKELY(cap_table_lookup(&thread->process->table, cap, &edge) != TRANSPORT_OK) ||
        !edge_is_quick(edge, entry, first >> 16 & UINT8_MAX)) {
        return false;
    }
    *answer = ANSWER;
    completion_write(place, entry, ANSWER_BYTES, (struct refusal){0});
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
    uint64_t first = quick_word(entry, 0);
    uint64_t room = quick_word(entry, offsetof(struct sqe, result_bytes));
    uint64_t *answer;

    if ((first & HANDOFF_FIXED) != OPCODE_CALL || room > LIMIT_ARENA_BYTES ||
        quick_word(entry, offsetof(struct sqe, spare)) != 0 ||
        !edge_is_quick(edge, entry, first >> 16 & UINT8_MAX) ||
        !buffers_are_quick(thread, entry, first, room, &answer)) {
        spinlock_unlock(&thread->process->lock);
        return QUICK_NONE;
    }
    *answer = ANSWER;
    return entry_finish(thread, entry, ANSWER_BYTES, (struct refusal){0});
}

/* A CALL through an id that is no edge, or an edge that is revoked, which is refused as by
 * edge_pin; or through an edge that was delegated. The process's lock is held, and given back. */
static NOINLINE enum quick call_unusual(struct thread *thread, const uint8_t *entry,
                                        struct cap_id cap)
{
    uint64_t first = quick_word(entry, 0);
    uint64_t room = quick_word(entry, offsetof(struct sqe, result_bytes));
    const struct hold_edge *edge;
    enum transport_error error;

    error = cap_table_lookup(&thread->process->table, cap, &edge);
    if (error == TRANSPORT_OK && ((const struct object *)edge->object)->type->quick != 0) {
        return call_object(thread, entry, edge);
    }
    if (error == TRANSPORT_OK || (first & HANDOFF_FIXED & ~HANDOFF_PASSING) != OPCODE_CALL ||
        room > LIMIT_ARENA_BYTES || quick_word(entry, offsetof(struct sqe, spare)) != 0) {
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
    slot = cap_table_resolve(&process->table, cap);
    if (UNLIKELY(slot == NULL || slot->edge.object == NULL || slot->edge.grant != NULL)) {
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
        return call_submission(cpu, thread, entry, left, next);
    }
    if (opcode == OPCODE_RETURN_RECV) {
        return handoff_return(cpu, thread, left, next);
    }
    switch (opcode) {
    case OPCODE_DUP:
        return quick_duplicate(thread, entry);
    case OPCODE_RELEASE:
        return quick_release(thread, entry);
    case OPCODE_CALL:
    case OPCODE_FINISH:
        return handoff_promise(cpu, thread);
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
