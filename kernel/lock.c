/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks: one word, taken by an exchange and given back by a store.
 *
 * The word is not a queue. A fair lock hands itself to the CPU that waited longest; on virtual
 * processors that CPU may not be running, and then all others wait for the host's scheduler. The
 * sections are short (kernel/mem and kernel/ipc bound each), so being overtaken costs little. A
 * waiter reads and does not write until the word is free, which leaves the line to its holder.
 *
 * Ordering: the exchange acquires and the store releases, so that whoever holds the lock sees all
 * that earlier holders did. Nothing here is a full barrier; kernel/mem/shootdown.c, which needs
 * one, has its own.
 */
#include "kernel/lock.h"

#include "core/assert.h"

void spinlock_init(struct spinlock *lock, enum lock_rank rank, uint64_t order)
{
    ASSERT(rank > LOCK_RANK_NONE && rank <= LOCK_RANK_LOG);
    lock->held = 0;
    lock->rank = rank;
    lock->order = order;
}

void spinlock_contend(void *contended)
{
    struct spinlock *lock = contended;

    do {
        while (atomic_load_relaxed_u32(&lock->held) != 0) {
            arch_spin_hint();
        }
    } while (atomic_exchange_u32(&lock->held, 1) != 0);
}
