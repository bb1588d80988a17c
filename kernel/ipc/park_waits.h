/* SPDX-License-Identifier: MIT */
/*
 * Those who wait at the words of one object, so that a revocation finds them: a part of the object.
 * Theory in park.c.
 */
#ifndef KERNEL_IPC_PARK_WAITS_H
#define KERNEL_IPC_PARK_WAITS_H

#include "core/list.h"
#include "kernel/lock.h"

struct revoke_step;

struct park_waits {
    struct spinlock lock; /* rank memory object; taken inside a bucket's */
    /* lock: */
    struct list operations; /* struct operation.wait_node, wait_turn growing */
    uint64_t last_turn;
};

void park_waits_init(struct park_waits *waits);

/*
 * One bounded step of object_type.revoke: ends waits that were begun through a dead edge. `*until`
 * is 0 at the first step. False: none is left. No lock is held; the object is pinned.
 */
MUST_USE bool park_waits_revoke(struct park_waits *waits, uint64_t *until,
                                struct revoke_step *step);

#endif
