/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks and their one total order. A CPU may take a lock only when every lock it holds has a
 * smaller rank (two process locks: the smaller pid first). kernel/debug/lock_check.c asserts it,
 * the hooks of other kernels are empty. Interrupts are off in the kernel, so no lock is ever taken
 * by an interrupt that came while it was held on the same CPU.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "abi/atomic.h"
#include "kernel/arch/arch.h"

enum lock_rank {
    LOCK_RANK_NONE = 0,
    LOCK_RANK_PROCESSES, /* the list of all processes */
    LOCK_RANK_ENDPOINT,
    LOCK_RANK_PROCESS, /* at most two, ascending pid */
    LOCK_RANK_THREAD,  /* what outlives a thread, and who waits for its end */
    LOCK_RANK_PARK,    /* who waits at a word; at most two, the lower one first */
    LOCK_RANK_RING,
    LOCK_RANK_GRANT,
    LOCK_RANK_MEMORY_SPACE,  /* regions of one address space */
    LOCK_RANK_MEMORY_OBJECT, /* frames and mappings of one object */
    LOCK_RANK_RUN_QUEUE,
    LOCK_RANK_VSPACE,
    LOCK_RANK_SHOOTDOWN,
    LOCK_RANK_ACCOUNTS, /* the tree of accounts */
    LOCK_RANK_ACCOUNT,  /* at most two, the parent first */
    LOCK_RANK_CACHE,    /* kernel object caches */
    LOCK_RANK_FRAMES,
    LOCK_RANK_LOG,
};

struct spinlock {
    uint32_t held;
    uint32_t rank;  /* enum lock_rank */
    uint64_t order; /* among locks of one rank that may nest: the pid */
};

#define SPINLOCK_INIT(lock_rank)                                                                   \
    {                                                                                              \
        .held = 0, .rank = (lock_rank), .order = 0                                                 \
    }

void spinlock_init(struct spinlock *lock, enum lock_rank rank, uint64_t order);

/* Spins until the word of the lock is free and taken. */
COLD void spinlock_contend(void *lock);

/*
 * kernel/<variant>/lock_check_hooks.h: the order check, called with the CPU's interrupts off.
 *   lock_check_acquire    before a lock is taken
 *   lock_check_try        a lock was taken by spinlock_try, which cannot deadlock: recorded, its
 *                         order not checked
 *   lock_check_release    before it is given back
 *   lock_check_none_held  asserts that this CPU holds nothing: at every return to a user and at
 *                         idle
 */
#include "lock_check_hooks.h"

static inline bool spinlock_is_held(const struct spinlock *lock)
{
    return atomic_load_relaxed_u32(&lock->held) != 0;
}

/* Taken without contention a lock is one exchange, given back it is one store. */
static inline void spinlock_lock(struct spinlock *lock)
{
    arch_lock_point();
    lock_check_acquire(lock);
    if (UNLIKELY(atomic_exchange_u32(&lock->held, 1) != 0)) {
        arch_call_rarely(spinlock_contend, lock);
    }
}

static inline void spinlock_unlock(struct spinlock *lock)
{
    lock_check_release(lock);
    atomic_store_release_u32(&lock->held, 0);
}

/* Takes the lock if it is free; else false, without waiting, so that the order does not matter: for
 * those who hold a lock that comes after it and can do without, and for panic. */
static inline bool spinlock_try(struct spinlock *lock)
{
    if (UNLIKELY(atomic_exchange_u32(&lock->held, 1) != 0)) {
        return false;
    }
    lock_check_try(lock);
    return true;
}

#endif
