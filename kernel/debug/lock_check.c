/* SPDX-License-Identifier: MIT */
/*
 * The lock order, asserted at every lock that a debug kernel takes. Each CPU keeps the locks it
 * holds in the order of taking; only that CPU reads or writes its list, with interrupts off.
 *
 * 1. Ranks never fall along the list, and rise except among locks of equal rank; those are in
 *    ascending `order` (two processes: the smaller pid first).
 * 2. No lock is on the list twice.
 * 3. At most two process locks are on it.
 *
 * A lock that spinlock_try took may break 1: it could not deadlock, because it did not wait.
 * Such locks are left out when the next order is checked.
 */
#include "kernel/cpu.h"

#include "core/assert.h"
#include "kernel/work_check.h"

enum {
    PROCESS_LOCKS_MAX = 2,
};

/* Marks an entry that spinlock_try made: locks are aligned, so the lowest bit is free. */
#define ENTRY_TRIED ((uintptr_t)1)

static const struct spinlock *entry_lock(const struct spinlock *entry)
{
    return (const struct spinlock *)((uintptr_t)entry & ~ENTRY_TRIED);
}

static bool entry_is_tried(const struct spinlock *entry)
{
    return ((uintptr_t)entry & ENTRY_TRIED) != 0;
}

void lock_check_acquire(const struct spinlock *lock)
{
    struct cpu *cpu = arch_cpu_this();
    unsigned process_locks = 0;

    ASSERT(lock->rank != LOCK_RANK_NONE); /* initialized */
    for (unsigned i = 0; i < cpu->locks_held; i++) {
        const struct spinlock *held = entry_lock(cpu->lock_held[i]);

        ASSERT(held != lock);
        if (!entry_is_tried(cpu->lock_held[i])) {
            ASSERT(held->rank < lock->rank ||
                   (held->rank == lock->rank && held->order < lock->order));
        }
        process_locks += held->rank == LOCK_RANK_PROCESS ? 1u : 0u;
    }
    ASSERT(lock->rank != LOCK_RANK_PROCESS || process_locks < PROCESS_LOCKS_MAX);
    ASSERT(cpu->locks_held < CPU_LOCKS_HELD_MAX);
    cpu->lock_held[cpu->locks_held++] = lock;
    work_lock(cpu);
}

/* A panic may come while the list is full; then the lock goes unrecorded. */
void lock_check_try(const struct spinlock *lock)
{
    struct cpu *cpu = arch_cpu_this();

    if (cpu->locks_held < CPU_LOCKS_HELD_MAX) {
        cpu->lock_held[cpu->locks_held++] =
            (const struct spinlock *)((uintptr_t)lock | ENTRY_TRIED);
    }
}

void lock_check_release(const struct spinlock *lock)
{
    struct cpu *cpu = arch_cpu_this();
    unsigned i = cpu->locks_held;

    ASSERT(spinlock_is_held(lock));
    while (i > 0 && entry_lock(cpu->lock_held[i - 1]) != lock) {
        i--;
    }
    if (i == 0) {
        ASSERT(cpu->locks_held == CPU_LOCKS_HELD_MAX); /* else it was not this CPU's to release */
        return;
    }
    cpu->locks_held--;
    for (; i <= cpu->locks_held; i++) {
        cpu->lock_held[i - 1] = cpu->lock_held[i];
    }
}

void lock_check_none_held(void)
{
    ASSERT(arch_cpu_this()->locks_held == 0);
}
