/* SPDX-License-Identifier: MIT */
/* This kernel takes its locks unchecked. */
#ifndef LOCK_CHECK_HOOKS_H
#define LOCK_CHECK_HOOKS_H

static inline void lock_check_acquire(const struct spinlock *lock)
{
    (void)lock;
}

static inline void lock_check_try(const struct spinlock *lock)
{
    (void)lock;
}

static inline void lock_check_release(const struct spinlock *lock)
{
    (void)lock;
}

static inline void lock_check_none_held(void)
{
}

#endif
