/* SPDX-License-Identifier: MIT */
/* This kernel checks the order in which locks are taken: lock_check.c. */
#ifndef LOCK_CHECK_HOOKS_H
#define LOCK_CHECK_HOOKS_H

void lock_check_acquire(const struct spinlock *lock);
void lock_check_try(const struct spinlock *lock);
void lock_check_release(const struct spinlock *lock);
void lock_check_none_held(void);

#endif
