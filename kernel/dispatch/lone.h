/* SPDX-License-Identifier: MIT */
/* The shortest way: one submission, alone in its ring. Theory in lone.c. */
#ifndef KERNEL_DISPATCH_LONE_H
#define KERNEL_DISPATCH_LONE_H

#include "kernel/dispatch/dispatch.h"
#include "kernel/dispatch/quick.h"
#include "kernel/irq_probe.h"
#include "kernel/sched/process.h"

/*
 * lone_enter of one opcode; `entry` is the shared entry, whose first word was read, with the opcode
 * and, for the last two (quick_table.c), nothing else in it.
 */
int64_t lone_call(const uint8_t *entry, struct thread *thread);
int64_t lone_duplicate(const uint8_t *entry, struct thread *thread);
int64_t lone_release(const uint8_t *entry, struct thread *thread);

/* Everything else about the same system call: by the ways that ask nothing of the ring. */
static inline int64_t lone_leave(void)
{
    return dispatch_enter(1, TIMEOUT_NONE, arch_cpu_this());
}

/* The same of any one submission, which may answer a link of a chain. */
static inline int64_t lone_pass(struct thread *thread)
{
    return UNLIKELY(atomic_load_relaxed_u32(&thread->links) != 0)
               ? dispatch_link(arch_cpu_this(), thread)
               : lone_leave();
}

/* cap_enter(1, TIMEOUT_NONE) of the current thread, whose ring is alone (ring_is_alone). No lock is
 * held. */
static inline int64_t lone_enter(struct thread *thread)
{
    const uint8_t *entry = ring_peek(&thread->ring, thread->ring.sq_head);
    uint64_t first = quick_word(entry, 0);

    if (LIKELY((first & UINT16_MAX) == OPCODE_CALL)) { /* without flags */
        return lone_call(entry, thread);
    }
    if (first == OPCODE_DUP) {
        return lone_duplicate(entry, thread);
    }
    return first == OPCODE_RELEASE ? lone_release(entry, thread) : lone_pass(thread);
}

/* Writes the completion of the entry, which was accepted as `index`. `numbers` are result and flags
 * as the completion has them. */
static ALWAYS_INLINE struct cqe *lone_write(struct thread *thread, uint32_t index,
                                            uint64_t user_data, uint64_t numbers)
{
    struct cqe *place = ring_post_place(&thread->ring, index);

    place->user_data = user_data;
    __builtin_memcpy((uint8_t *)place + offsetof(struct cqe, result), &numbers, sizeof(numbers));
    return place;
}

/* Shows it, and ends the system call: the thread, of `process`, waits for one completion, and this
 * is the one there is. */
static ALWAYS_INLINE int64_t lone_show(const struct process *process, struct thread *thread)
{
    ring_post_alone(&thread->ring);
    if (UNLIKELY(sched_should_yield(arch_cpu_this()) || process_is_dying(process))) {
        return lone_leave();
    }
    irq_probe_end();
    return 1;
}

#endif
