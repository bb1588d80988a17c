/* SPDX-License-Identifier: MIT */
/* A CALL of a quick method, as all short ways look at it. Theory in quick.c. */
#ifndef KERNEL_DISPATCH_QUICK_CALL_H
#define KERNEL_DISPATCH_QUICK_CALL_H

#include "kernel/dispatch/quick.h"
#include "kernel/ipc/handoff.h"

/* Cap'n Proto's pointer to a structure without data and pointers, as the root of a message
 * (encoding, "Structs": the offset of a zero-sized one is -1). */
#define QUICK_ANSWER       UINT64_C(0x00000000fffffffc)
#define QUICK_ANSWER_BYTES 8

_Static_assert(LIMIT_CALL_BYTES < 0x8000, "HANDOFF_FIXED leaves the bits of message_bytes");

/* Whether a CALL through `edge` as `interface_id` is of one of `methods`, which its object's type
 * calls quick, or repeating. */
static ALWAYS_INLINE bool quick_method_is(const struct hold_edge *edge, uint64_t interface_id,
                                          unsigned method, uint64_t methods)
{
    return method < 64 && (methods >> method & 1) != 0 && edge->interface_id == interface_id &&
           edge->facet == CAP_FACET_ALL;
}

/* Reads the shared CALL `entry` of `edge`: whether it is usual and its method quick, and where its
 * answer goes. The process's lock is held. */
static ALWAYS_INLINE bool quick_call_read(const struct thread *thread, const uint8_t *entry,
                                          const struct hold_edge *edge, uint64_t **answer)
{
    uint64_t first = quick_word(entry, 0);
    uint64_t room = quick_word(entry, offsetof(struct sqe, result_bytes)); /* and the answer's id */
    unsigned method = first >> 16 & UINT8_MAX;
    uint32_t message;
    uint32_t result;

    if ((first & HANDOFF_FIXED) != OPCODE_CALL || first >> 32 > LIMIT_CALL_BYTES ||
        room < LIMIT_ANSWER_ROOM || room > LIMIT_ARENA_BYTES ||
        quick_word(entry, offsetof(struct sqe, spare)) != 0 ||
        !quick_method_is(edge, quick_word(entry, offsetof(struct sqe, interface_id)), method,
                         ((const struct object *)edge->object)->type->quick) ||
        !thread_arena_offset(thread, quick_word(entry, offsetof(struct sqe, message)), first >> 32,
                             &message) ||
        !thread_arena_offset(thread, quick_word(entry, offsetof(struct sqe, result)), room,
                             &result) ||
        result % QUICK_ANSWER_BYTES != 0) {
        return false;
    }
    *answer = (uint64_t *)(void *)(thread->arena_page[result / LIMIT_PAGE_BYTES] +
                                   result % LIMIT_PAGE_BYTES);
    return true;
}

/* Whether nothing but its capability can be wrong with a shared CALL, as far as the wire and the
 * answer it may keep go: that is then what it is refused for, before anything else. */
static ALWAYS_INLINE bool quick_call_is_refusable(const uint8_t *entry)
{
    return LIKELY((quick_word(entry, 0) & HANDOFF_FIXED & ~HANDOFF_PASSING) == OPCODE_CALL &&
                  quick_word(entry, offsetof(struct sqe, result_bytes)) <= LIMIT_ARENA_BYTES &&
                  quick_word(entry, offsetof(struct sqe, spare)) == 0);
}

#endif
