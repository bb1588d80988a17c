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
    REVOKE_WAITERS = 32, /* looked at in one step of a revocation, each may be answered */
    CURSOR_PLACE_BITS = 48,
};

void waitable_init(struct waitable *waitable, struct object *object, struct spinlock *lock,
                   void (*complete)(struct waitable *waitable, struct operation *operation))
{
    waitable->object = object;
    waitable->lock = lock;
    waitable->complete = complete;
    list_init(&waitable->waiters);
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

/* Looks at those who wait from place `*place` on, REVOKE_WAITERS at most; false: that was the last.
 * lock held. */
static bool waiters_revoke(struct waitable *waitable, uint64_t *place, struct revoke_step *step)
{
    struct list_node *next;
    uint64_t at = 0;
    uint64_t end = *place + REVOKE_WAITERS;

    for (struct list_node *node = list_first(&waitable->waiters); node != NULL; node = next) {
        struct operation *operation = CONTAINER_OF(node, struct operation, wait_node);

        next = list_next(&waitable->waiters, node);
        if (at == end) {
            *place = end;
            return true;
        }
        if (at >= *place && grant_is_below(operation->grant, step->above)) {
            wait_leave(operation);
            operation_complete(
                operation, TRANSPORT_REVOKED, 0,
                &(struct refusal){.reason = -TRANSPORT_REVOKED, .argument = ARGUMENT_CAP});
            object_unref(waitable->object); /* not the last: the revocation pins it */
            step->receipt.events++;
            end--;
        } else {
            at++;
        }
    }
    return false;
}

bool waitables_revoke(struct waitable *waitables, unsigned count, struct revoke_step *step)
{
    uint64_t mask = (UINT64_C(1) << CURSOR_PLACE_BITS) - 1;
    uint64_t which = step->cursor >> CURSOR_PLACE_BITS;
    uint64_t place = step->cursor & mask;
    struct waitable *waitable;
    bool left;

    ASSERT(which < count);
    waitable = &waitables[which];
    spinlock_lock(waitable->lock);
    left = waiters_revoke(waitable, &place, step);
    spinlock_unlock(waitable->lock);
    if (!left) {
        place = 0;
        which++;
    }
    ASSERT(place <= mask);
    step->cursor = which << CURSOR_PLACE_BITS | place;
    return which < count;
}
