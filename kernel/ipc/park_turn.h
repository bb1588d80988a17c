/* SPDX-License-Identifier: MIT */
/*
 * The step of two threads that hand work to and fro: one is woken at one word, the current thread
 * waits at another. For kernel/dispatch/quick_park.c and kernel/ipc/park.c alone; theory there.
 *
 * Both buckets are locked throughout, the lower one first: to everybody else it is one moment.
 */
#ifndef KERNEL_IPC_PARK_TURN_H
#define KERNEL_IPC_PARK_TURN_H

#include "kernel/dispatch/quick.h"
#include "kernel/ipc/operation_pool.h"
#include "kernel/ipc/park.h"
#include "kernel/ipc/straight.h"
#include "kernel/mem/user_access.h"

/* One thread wakes another and waits itself. */
struct park_turn {
    struct park_key wake;
    uint64_t wake_data; /* user_data of the UNPARK */
    struct park_key wait;
    struct object *wait_object; /* the caller sees to it that it stays; NULL: private memory */
    const uint32_t *shared;     /* the word there */
    uint64_t wait_data;         /* of the PARK */
    uint32_t expected;
};

/* Ends the wait of `waiter`, taken out of `bucket`, for the current thread, which is about to wait:
 * its object, whose reference is the caller's. *next is who runs now, or NULL. */
static ALWAYS_INLINE struct object *turn_wake(struct cpu *cpu, struct thread *thread,
                                              struct park_place *place, struct park_waiter *waiter,
                                              struct thread **next)
{
    struct operation *operation = CONTAINER_OF(waiter, struct operation, park);
    struct thread *peer = operation->owner;
    struct object *object = operation->park_object;

    if (UNLIKELY(operation->park_waits != NULL || operation->grant != NULL ||
                 operation->timer.expired != NULL)) {
        park_leave(place, operation);
        operation_complete(operation, 0, 0, NULL);
        return object;
    }
    spinlock_lock(&peer->ring_lock);
    ring_post_result(&peer->ring, operation->user_data, 0, 0);
    operation_put(peer, operation, OPERATION_PARK);
    if (LIKELY(wait_end(cpu, peer, thread, false))) {
        *next = peer;
    }
    spinlock_unlock(&peer->ring_lock);
    return object;
}

/* The current thread waits at turn->wait, after `woken` were woken: whether it waits for its
 * completions too. The operation's reference of the object is the caller's to take. */
static ALWAYS_INLINE bool turn_wait(struct thread *thread, struct park_place *place,
                                    const struct park_turn *turn, int32_t woken)
{
    struct operation *operation;
    bool waits;

    spinlock_lock(&thread->ring_lock);
    operation = operation_pop(thread, OPERATION_PARK, false);
    ring_post_result(&thread->ring, turn->wake_data, woken, 0);
    waits = wait_begin(thread);
    spinlock_unlock(&thread->ring_lock);
    ASSERT(operation != NULL);
    operation->user_data = turn->wait_data;
    operation->park_object = turn->wait_object;
    operation->park_waits = NULL; /* its edge was never delegated: no revocation looks for it */
    operation->timer.expired = NULL;
    park_add(&place->waiters, &operation->park, turn->wait);
    return waits;
}

/*
 * Carries out the next two submissions of the current thread: wakes the one that waits longest at
 * turn->wake, and waits at turn->wait, with a direct switch if both can be (quick_submission).
 * *over is an object whose reference the caller gives up once no lock is held, or NULL. NONE: the
 * word has another value or cannot be read, or no operation is left; nothing happened. The
 * process's lock may be held.
 */
static ALWAYS_INLINE enum quick park_turn(struct cpu *cpu, struct thread *thread,
                                          const struct park_turn *turn, struct thread **next,
                                          struct object **over)
{
    struct park_place *wake = park_place_of(turn->wake);
    struct park_place *wait = park_place_of(turn->wait);
    struct park_place *first = wake < wait ? wake : wait;
    struct park_place *second = wake < wait ? wait : wake;
    enum quick quick = QUICK_NONE;
    uint32_t found = 0;

    *next = NULL;
    *over = NULL;
    spinlock_lock(&first->lock);
    if (LIKELY(second != first)) {
        spinlock_lock(&second->lock);
    }
    if (turn->shared != NULL) {
        found = atomic_load_relaxed_u32(turn->shared);
    }
    if (LIKELY((turn->shared != NULL || user_word_read(turn->wait.address, &found)) &&
               found == turn->expected &&
               thread->operations_free != NULL)) { /* nobody else takes one */
        struct park_waiter *waiter = park_take(&wake->waiters, turn->wake);

        ring_accept(&thread->ring, thread->ring.sq_head + 2);
        if (LIKELY(waiter != NULL)) {
            *over = turn_wake(cpu, thread, wake, waiter, next);
        }
        quick = QUICK_DONE;
        if (LIKELY(turn_wait(thread, wait, turn, waiter != NULL))) {
            quick = LIKELY(*next != NULL) ? QUICK_SWITCH : QUICK_WAIT;
        } else if (*next != NULL) {
            sched_switch_forgo(cpu, *next); /* nobody may go to it as well */
            *next = NULL;
        }
        if (LIKELY(*over == turn->wait_object)) {
            *over = NULL; /* the reference of the wait that ended is that of the new one */
        } else if (turn->wait_object != NULL) {
            object_ref(turn->wait_object);
        }
    }
    if (LIKELY(second != first)) {
        spinlock_unlock(&second->lock);
    }
    spinlock_unlock(&first->lock);
    return quick;
}

#endif
