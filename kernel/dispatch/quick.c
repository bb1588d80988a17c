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

/* Cap'n Proto's pointer to a structure without data and pointers, as the root of a message
 * (encoding, "Structs": the offset of a zero-sized one is -1). */
#define ANSWER       UINT64_C(0x00000000fffffffc)
#define ANSWER_BYTES 8

/* The first word of a usual entry: nothing but opcode, method and message_bytes, a multiple of 8
 * and at most LIMIT_CALL_BYTES, looked at in two steps. */
#define FIRST_FIXED UINT64_C(0xffff8007ff00ffff)
#define FIRST_USUAL ((uint64_t)OPCODE_CALL)

_Static_assert(LIMIT_CALL_BYTES < 0x8000, "FIRST_FIXED leaves the bits of message_bytes");

/* The word that `process` holds about an edge: whether it is whole, of this interface, and its
 * object's `method` quick. Process lock held. */
static inline bool edge_is_quick(struct process *process, struct cap_id id, uint64_t interface_id,
                                 unsigned method)
{
    const struct hold_edge *edge;

    return LIKELY(cap_table_lookup(&process->table, id, &edge) == TRANSPORT_OK) &&
           edge->interface_id == interface_id && edge->facet == CAP_FACET_ALL && method < 64 &&
           (((const struct object *)edge->object)->type->quick >> method & 1) != 0;
}

/* Answers the shared `entry` and writes its completion to `place`, unless it is not usual. */
static inline bool quick_call(struct thread *thread, const uint8_t *entry, struct cqe *place)
{
    uint64_t first = quick_word(entry, 0);
    uint64_t room = quick_word(entry, offsetof(struct sqe, result_bytes)); /* and the answer's id */
    struct cap_id cap = {quick_word(entry, offsetof(struct sqe, cap))};
    uint32_t message;
    uint32_t result;

    if ((first & FIRST_FIXED) != FIRST_USUAL || first >> 32 > LIMIT_CALL_BYTES ||
        room < LIMIT_ANSWER_ROOM || room > LIMIT_ARENA_BYTES ||
        quick_word(entry, offsetof(struct sqe, spare)) != 0 ||
        !thread_arena_offset(thread, quick_word(entry, offsetof(struct sqe, message)), first >> 32,
                             &message) ||
        !thread_arena_offset(thread, quick_word(entry, offsetof(struct sqe, result)), room,
                             &result) ||
        result % ANSWER_BYTES != 0 ||
        !edge_is_quick(thread->process, cap, quick_word(entry, offsetof(struct sqe, interface_id)),
                       first >> 16 & UINT8_MAX)) {
        return false;
    }
    *(uint64_t *)(void *)(thread->arena_page[result / LIMIT_PAGE_BYTES] +
                          result % LIMIT_PAGE_BYTES) = ANSWER;
    place->user_data = quick_word(entry, offsetof(struct sqe, user_data));
    place->result = ANSWER_BYTES;
    place->flags = 0;
    place->cap[0] = place->cap[1] = (struct cap_id){0};
    return true;
}

enum quick quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                            struct thread **next)
{
    const uint8_t *entry = ring_peek(&thread->ring, thread->ring.sq_head);

    /* Which way to look: whoever goes it reads the word once more, and believes that alone. */
    unsigned opcode = quick_word(entry, 0) & UINT8_MAX;

    if (opcode == OPCODE_CALL) {
        return handoff_call(cpu, thread, left, next);
    }
    if (opcode == OPCODE_RETURN_RECV) {
        return handoff_return(cpu, thread, left, next);
    }
    switch (opcode) {
    case OPCODE_DUP:
        return quick_duplicate(thread, entry);
    case OPCODE_RELEASE:
        return quick_release(thread, entry);
    case OPCODE_UNPARK: /* mostly with the PARK behind it */
        return left == 2 && next != NULL
                   ? quick_wake_and_wait(cpu, thread, entry,
                                         ring_peek(&thread->ring, thread->ring.sq_head + 1), next)
                   : QUICK_NONE;
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
