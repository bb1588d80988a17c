/* SPDX-License-Identifier: MIT */
/* Release kernels take locks unchecked; kernel/debug/lock_check.c is the other half. */
#include "kernel/lock.h"

void lock_check_acquire(const struct spinlock *lock)
{
    (void)lock;
}

void lock_check_try(const struct spinlock *lock)
{
    (void)lock;
}

void lock_check_release(const struct spinlock *lock)
{
    (void)lock;
}

void lock_check_none_held(void)
{
}
