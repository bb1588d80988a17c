/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks and their one total order. A CPU may take a lock only when every lock it holds has a
 * smaller rank (two process locks: the smaller pid first). kernel/debug/lock_check.c asserts it,
 * kernel/release/lock_check.c does nothing. Interrupts are off in the kernel, so no lock is ever
 * taken by an interrupt that came while it was held on the same CPU.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "abi/compiler.h"

enum lock_rank {
    LOCK_RANK_NONE = 0,
    LOCK_RANK_PROCESSES, /* the list of all processes */
    LOCK_RANK_ENDPOINT,
    LOCK_RANK_PROCESS, /* at most two, ascending pid */
    LOCK_RANK_RING,
    LOCK_RANK_GRANT,
    LOCK_RANK_RUN_QUEUE,
    LOCK_RANK_VSPACE,
    LOCK_RANK_SHOOTDOWN,
    LOCK_RANK_CACHE, /* kernel object caches */
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
void spinlock_lock(struct spinlock *lock);
void spinlock_unlock(struct spinlock *lock);
bool spinlock_is_held(const struct spinlock *lock);

/* For panic: takes the lock if it is free, goes on if not. */
bool spinlock_try(struct spinlock *lock);

/* kernel/debug or kernel/release: the order check, called with the CPU's interrupts off. */
void lock_check_acquire(const struct spinlock *lock);
/* The lock was taken by spinlock_try, which cannot deadlock: recorded, its order not checked. */
void lock_check_try(const struct spinlock *lock);
void lock_check_release(const struct spinlock *lock);
/* Asserts that this CPU holds nothing: at every return to a user and at idle. */
void lock_check_none_held(void);

#endif
