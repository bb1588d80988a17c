/* SPDX-License-Identifier: MIT */
/* The shortest way: one submission, alone in its ring. Theory in lone.c. */
#ifndef KERNEL_DISPATCH_LONE_H
#define KERNEL_DISPATCH_LONE_H

#include "kernel/dispatch/dispatch.h"
#include "kernel/dispatch/quick.h"
#include "kernel/irq_probe.h"
#include "kernel/sched/process.h"

/* cap_enter(1, TIMEOUT_NONE) of the current thread, whose ring is alone (ring_is_alone). No lock is
 * held. */
int64_t lone_enter(struct cpu *cpu, struct thread *thread);

/* quick_table.c: lone_enter of these opcodes; `entry` is the shared entry. */
int64_t lone_duplicate(struct cpu *cpu, struct thread *thread, const uint8_t *entry);
int64_t lone_release(struct cpu *cpu, struct thread *thread, const uint8_t *entry);

/* Everything else about the same system call: by the ways that ask nothing of the ring. */
static inline int64_t lone_leave(struct cpu *cpu)
{
    return dispatch_enter(1, TIMEOUT_NONE, cpu);
}

static const struct cap_id lone_nothing[2] = {{0}, {0}};

/* Writes and shows the completion of the entry, which was accepted as `index`, and ends the system
 * call: the thread waits for one completion, and this is the one there is. `numbers` are result and
 * flags as the completion has them. */
static ALWAYS_INLINE int64_t lone_complete(struct cpu *cpu, struct thread *thread, uint32_t index,
                                           uint64_t user_data, uint64_t numbers,
                                           const struct cap_id words[2])
{
    struct cqe *place = ring_post_place(&thread->ring, index);

    place->user_data = user_data;
    __builtin_memcpy((uint8_t *)place + offsetof(struct cqe, result), &numbers, sizeof(numbers));
    place->cap[0] = words[0];
    place->cap[1] = words[1];
    ring_post_alone(&thread->ring, index);
    if (UNLIKELY(sched_should_yield(cpu) || process_is_dying(thread->process))) {
        return lone_leave(cpu);
    }
    irq_probe_end();
    return 1;
}

#endif
