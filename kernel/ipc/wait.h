/* SPDX-License-Identifier: MIT */
/*
 * Calls that wait for something to happen to an object: the end of a process or of a thread. The
 * theory is in wait.c.
 */
#ifndef KERNEL_IPC_WAIT_H
#define KERNEL_IPC_WAIT_H

#include "core/list.h"
#include "kernel/ipc/operation.h"
#include "kernel/object/object.h"

/* One thing that can be waited for. A part of `object`. */
struct waitable {
    struct object *object; /* every operation that waits holds a reference */
    struct spinlock *lock; /* the object's; of a rank below LOCK_RANK_PARK */
    struct list waiters;   /* lock: struct operation.wait_node */
    uint64_t last_turn;    /* lock: of those who wait or waited, from 1 */
    /* Completes one operation with its answer. lock held; any CPU. */
    void (*complete)(struct waitable *waitable, struct operation *operation);
};

void waitable_init(struct waitable *waitable, struct object *object, struct spinlock *lock,
                   void (*complete)(struct waitable *waitable, struct operation *operation));

/*
 * `operation`, an OPERATION_WAIT of a thread of this CPU, waits from now on, until `timeout_ns`
 * have passed (TIMEOUT_NONE: without limit): then it ends with the exception timedOut. lock held.
 */
void waitable_add(struct waitable *waitable, struct operation *operation, uint64_t timeout_ns);

/* It has happened: completes at most `limit` of those who wait; true: some are left. lock held, and
 * the caller has a reference of the object. */
bool waitable_complete(struct waitable *waitable, unsigned limit);

/* Takes a waiting operation back, with or without a CANCELLED completion (operation_end). False: it
 * ended before. */
MUST_USE bool wait_cancel(struct operation *operation, bool completes);

/* object_type.revoke of an object with these waitables, under one lock: ends waits that were asked
 * for through a revoked edge. */
MUST_USE bool waitables_revoke(struct waitable *waitables, unsigned count,
                               struct revoke_step *step);

#endif
