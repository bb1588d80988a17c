/* SPDX-License-Identifier: MIT */
/*
 * What a CPU runs at, and whether somebody in its queue is more urgent. For kernel/sched alone.
 *
 * Who queues a task at another CPU asks what that CPU runs at, and tells it only of something more
 * urgent. So a CPU that goes on at less must look whether somebody was queued just before, who was
 * not urgent enough then: it writes what it runs at and reads the queue under the run lock, as the
 * other does with both in the opposite order. Whichever comes second sees what the first has
 * written. The lock's acquire and release are all that this needs; without it not even a fence
 * would do that came before the write.
 *
 * A CPU that goes on at more needs none of this: who read the lesser number tells it for nothing.
 *
 * Only the CPU itself writes what it runs at, so it may read that without the lock.
 */
#ifndef KERNEL_SCHED_URGENCY_H
#define KERNEL_SCHED_URGENCY_H

#include "abi/atomic.h"
#include "kernel/cpu.h"

/* Whether the CPU must be told of a task of this priority in its queue. run_lock held. */
static inline bool cpu_is_outranked(const struct cpu *cpu, unsigned priority)
{
    return cpu->idle || priority > atomic_load_relaxed_u32(&cpu->running_priority);
}

/* The CPU, which is this one, runs at `priority`: whether somebody in its queue is more urgent.
 * run_lock held. */
static inline bool cpu_runs_at(struct cpu *cpu, unsigned priority)
{
    unsigned highest = run_queue_highest(&cpu->run_queue);

    atomic_store_relaxed_u32(&cpu->running_priority, priority);
    return highest != RUN_PRIORITY_NONE && highest > priority;
}

/* The CPU, which is this one, goes on at `priority`; false: that is less than it ran at, and takes
 * the lock. */
static inline bool cpu_rises_to(struct cpu *cpu, unsigned priority)
{
    if (priority < cpu->running_priority) {
        return false;
    }
    atomic_store_relaxed_u32(&cpu->running_priority, priority);
    return true;
}

#endif
