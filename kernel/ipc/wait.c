/* SPDX-License-Identifier: MIT */
/*
 * Waiting for an object.
 *
 * A call that waits is an operation in the list of a waitable. It ends by being taken out under the
 * waitable's lock: because it happened, because its time is over, by CANCEL, by its thread's
 * retirement or by a revocation of the edge it came through. Whoever comes second finds it out of
 * the list and does nothing.
 *
 *   waitable_add --> in the list --waitable_complete, wait_expired, wait_cancel,
 *                                  waitables_revoke--> completed or released
 *
 * Invariants:
 *  1. An operation in the list has waits_at set and holds a reference of its object, so whoever has
 *     read waits_at under the owner's ring lock may take one more: the operation gives its own back
 *     after its completion only.
 *  2. Its timer is armed only while it is in the list.
 *  3. wait_turn grows along the list, and last_turn is at least the last one's.
 *
 * Time limits expire on the owner's home CPU, where the owner itself and its retirement run too: an
 * operation whose timer fires is not being used anew meanwhile.
 *
 * Locks: the waitable's, then the owner's ring, or the run queue for the timer. What can fail:
 * nothing.
 */
#include "kernel/ipc/wait.h"

#include "core/assert.h"
#include "kernel/dispatch/call.h"
#include "schema/generated/exception.capnp.h"

enum {
    /* In one step of a revocation: a look is up to 180 instructions, an end about 600. */
    REVOKE_LOOKS = 32,
    REVOKE_ENDS = 8,
    CURSOR_TURN_BITS = 48,
};

void waitable_init(struct waitable *waitable, struct object *object, struct spinlock *lock,
                   void (*complete)(struct waitable *waitable, struct operation *operation))
{
    waitable->object = object;
    waitable->lock = lock;
    waitable->complete = complete;
    list_init(&waitable->waiters);
    waitable->last_turn = 0;
}

/* Where the operation waits, its object referenced; NULL: it has ended. */
static struct waitable *waitable_pin(struct operation *operation)
{
    struct thread *owner = operation->owner;
    struct waitable *waitable;

    spinlock_lock(&owner->ring_lock);
    waitable = operation->waits_at;
    if (waitable != NULL) {
        object_ref(waitable->object);
    }
    spinlock_unlock(&owner->ring_lock);
    return waitable;
}

/* Takes the operation out of the list; it is the caller's to end. lock held. */
static void wait_leave(struct operation *operation)
{
    list_remove(&operation->wait_node);
    timer_stop(operation->owner->task.cpu, &operation->timer);
}

static void wait_expired(struct timer *timer)
{
    struct operation *operation = CONTAINER_OF(timer, struct operation, timer);
    struct waitable *waitable = waitable_pin(operation);
    struct deferred_answer answer = {.cap = {.object = NULL}};
    bool waited;

    if (waitable == NULL) {
        return;
    }
    spinlock_lock(waitable->lock);
    waited = list_node_is_linked(&operation->wait_node);
    if (waited) {
        wait_leave(operation);
        deferred_refuse(&answer, operation,
                        (struct capn_refuse_reason){.reason = EXCEPTION_REASON_TIMED_OUT,
                                                    .argument_name = "timeoutNs"});
        deferred_complete(operation, &answer);
    }
    spinlock_unlock(waitable->lock);
    if (waited) {
        object_unref(waitable->object);
    }
    object_unref(waitable->object);
}

void waitable_add(struct waitable *waitable, struct operation *operation, uint64_t timeout_ns)
{
    ASSERT(spinlock_is_held(waitable->lock));
    if (timeout_ns != TIMEOUT_NONE) {
        uint64_t now_ns = arch_clock_ns();

        operation->timer.expired = wait_expired;
        timer_start(operation->owner->task.cpu, &operation->timer,
                    timeout_ns > TIMEOUT_NONE - now_ns ? TIMEOUT_NONE - 1 : now_ns + timeout_ns);
    }
    object_ref(waitable->object);
    operation->waits_at = waitable;
    operation->wait_turn = ++waitable->last_turn;
    list_push_back(&waitable->waiters, &operation->wait_node);
}

bool waitable_complete(struct waitable *waitable, unsigned limit)
{
    ASSERT(spinlock_is_held(waitable->lock));
    for (unsigned i = 0; i < limit && !list_is_empty(&waitable->waiters); i++) {
        struct operation *operation =
            CONTAINER_OF(list_first(&waitable->waiters), struct operation, wait_node);

        wait_leave(operation);
        waitable->complete(waitable, operation);
        object_unref(waitable->object); /* not the last: the caller has one */
    }
    return !list_is_empty(&waitable->waiters);
}

bool wait_cancel(struct operation *operation, bool completes)
{
    struct waitable *waitable = waitable_pin(operation);
    bool waited;

    if (waitable == NULL) {
        return false;
    }
    spinlock_lock(waitable->lock);
    waited = list_node_is_linked(&operation->wait_node);
    if (waited) {
        wait_leave(operation);
        operation_end(operation, completes);
    }
    spinlock_unlock(waitable->lock);
    if (waited) {
        object_unref(waitable->object);
    }
    object_unref(waitable->object);
    return waited;
}

/* Looks at those who waited when the sweep began, a bounded number; false: that was the last. Who
 * stays goes behind the others, with a new turn, so the next step finds in front whom it has not
 * seen. Another revocation that sweeps here may have sent some behind too: it asked them the same.
 * lock held. */
static bool waiters_revoke(struct waitable *waitable, uint64_t until, struct revoke_step *step)
{
    unsigned ended = 0;

    for (unsigned looked = 0; !list_is_empty(&waitable->waiters); looked++) {
        struct operation *operation =
            CONTAINER_OF(list_first(&waitable->waiters), struct operation, wait_node);
        uint64_t never = 0; /* an epoch at which nothing was found alive */

        if (operation->wait_turn > until) {
            return false;
        }
        if (looked == REVOKE_LOOKS || ended == REVOKE_ENDS) {
            return true;
        }
        if (grant_is_alive(operation->grant, &never)) {
            list_remove(&operation->wait_node);
            operation->wait_turn = ++waitable->last_turn;
            list_push_back(&waitable->waiters, &operation->wait_node);
        } else {
            wait_leave(operation);
            operation_complete(
                operation, TRANSPORT_REVOKED, 0,
                &(struct refusal){.reason = -TRANSPORT_REVOKED, .argument = ARGUMENT_CAP});
            object_unref(waitable->object); /* not the last: the revocation pins it */
            step->receipt.events++;
            ended++;
        }
    }
    return false;
}

bool waitables_revoke(struct waitable *waitables, unsigned count, struct revoke_step *step)
{
    uint64_t mask = (UINT64_C(1) << CURSOR_TURN_BITS) - 1;
    uint64_t which = step->cursor >> CURSOR_TURN_BITS;
    uint64_t until = step->cursor & mask;
    struct waitable *waitable;
    bool left;

    ASSERT(which < count);
    waitable = &waitables[which];
    spinlock_lock(waitable->lock);
    if (until == 0) {
        until = waitable->last_turn; /* who comes later comes through an edge that is alive */
    }
    ASSERT(until <= mask);
    left = waiters_revoke(waitable, until, step);
    spinlock_unlock(waitable->lock);
    if (!left) {
        until = 0;
        which++;
    }
    step->cursor = which << CURSOR_TURN_BITS | until;
    return which < count;
}
