/* SPDX-License-Identifier: MIT */
/*
 * Waiting at a word.
 *
 * A PARK that waits is an operation in the bucket of its word. It ends by being taken out under the
 * bucket's lock: by UNPARK, by its time limit, by CANCEL, or by its thread's retirement. Whoever
 * comes second finds it out and does nothing.
 *
 * The word is compared under the bucket's lock (core/park.c has the reason). Reading it may find no
 * page; then nothing was done yet.
 *
 * Lifetime: while it waits, an operation at a shared word holds a reference of the memory object,
 * so that no other object gets its name, and is in the object's list too: a revocation of the edge
 * that it was begun through ends it there, so nobody pins memory that was taken back from him.
 * (That of a hand-on is in no list: its edge was never delegated, and nobody can revoke it.) Time
 * limits run on the thread's home CPU, where the thread itself and its retirement run too: an
 * operation whose timer fires is not being reused meanwhile.
 *
 * A hand-on, UNPARK of one word and PARK at another in one submission, is one step under the locks
 * of both buckets (park_turn.h).
 *
 * Locks: the bucket, then the object's list, or the ring of who is woken, or the address space for
 * the comparison, or the run queue for the timer. What can fail: reading the word; no free
 * operation.
 */
#include "kernel/ipc/park.h"

#include "kernel/ipc/operation.h"
#include "kernel/mem/user_access.h"
#include "kernel/object/object.h"
#include "kernel/sched/process.h"

enum {
    PARK_WAKE_WORK = 1600, /* of cpu->effects: some 200 instructions */
    REVOKE_LOOKS = 12,     /* waits in one step of a revocation, up to 900 instructions each */
};

struct park_place park_places[PARK_BUCKETS];
uint64_t park_seed;

void park_init(void)
{
    if (!arch_random_u64(&park_seed)) {
        park_seed = arch_cycles();
    }
    for (unsigned i = 0; i < PARK_BUCKETS; i++) {
        spinlock_init(&park_places[i].lock, LOCK_RANK_PARK, i);
        park_bucket_init(&park_places[i].waiters, park_seed);
    }
}

/* Reads the word; false: it cannot be read. The bucket is locked. */
static bool word_read(struct thread *thread, const struct park_word *word, uint32_t *found)
{
    struct user_range range;

    if (word->object != NULL) {
        *found = word->shared == NULL ? 0 : atomic_load_relaxed_u32(word->shared);
        return word->shared != NULL;
    }
    return user_range_make(word->key.address, sizeof(*found), &range) &&
           user_copy_in(&thread->process->vspace, found, range) == STATUS_OK;
}

void park_waits_init(struct park_waits *waits)
{
    spinlock_init(&waits->lock, LOCK_RANK_MEMORY_OBJECT, 0);
    list_init(&waits->operations);
    waits->last_turn = 0;
}

/* The operation is in the list of its object from now on. Bucket lock held. */
static void waits_join(struct operation *operation, struct park_waits *waits)
{
    operation->park_waits = waits;
    if (waits != NULL) {
        spinlock_lock(&waits->lock);
        operation->wait_turn = ++waits->last_turn;
        list_push_back(&waits->operations, &operation->wait_node);
        spinlock_unlock(&waits->lock);
    }
}

struct object *park_leave(struct park_place *place, struct operation *operation)
{
    struct park_waits *waits = operation->park_waits;

    if (park_waits(&operation->park)) {
        park_remove(&place->waiters, &operation->park);
    }
    if (waits != NULL) {
        spinlock_lock(&waits->lock);
        list_remove(&operation->wait_node);
        spinlock_unlock(&waits->lock);
    }
    timer_stop(operation->owner->task.cpu, &operation->timer);
    return operation->park_object;
}

/* The references of an operation that was taken out of its bucket. No lock is held. */
static void object_drop(struct object *object)
{
    if (object != NULL) {
        object_unref(object);
    }
}

/* Takes the operation out of its place, which is locked from now on: its object, whose reference is
 * the caller's, in *object. NULL: it ended before; nothing is locked. */
static struct park_place *wait_take(struct operation *operation, struct object **object)
{
    struct park_place *place = park_place_of(operation->park.key);

    spinlock_lock(&place->lock);
    if (!park_waits(&operation->park)) {
        spinlock_unlock(&place->lock);
        return NULL;
    }
    *object = park_leave(place, operation);
    return place;
}

/* The operation that wait_take took has ended. */
static void wait_taken(struct park_place *place, struct object *object)
{
    spinlock_unlock(&place->lock);
    object_drop(object);
}

static void park_expired(struct timer *timer)
{
    struct operation *operation = CONTAINER_OF(timer, struct operation, timer);
    struct object *object;
    struct park_place *place = wait_take(operation, &object);

    if (place != NULL) {
        operation_complete(operation, TRANSPORT_TIMEOUT, 0,
                           &(struct refusal){.reason = (uint16_t)-TRANSPORT_TIMEOUT});
        wait_taken(place, object);
    }
}

/* Arms the time limit, if there is one. */
static void limit_arm(struct operation *operation, uint64_t timeout_ns)
{
    uint64_t now_ns;

    operation->timer.expired = NULL;
    if (timeout_ns != TIMEOUT_NONE) {
        now_ns = arch_clock_ns();
        operation->timer.expired = park_expired;
        timer_start(operation->owner->task.cpu, &operation->timer,
                    timeout_ns > TIMEOUT_NONE - now_ns ? TIMEOUT_NONE - 1 : now_ns + timeout_ns);
    }
}

enum transport_error park_begin(struct thread *thread, const struct park_word *word,
                                const struct park_wait *wait, uint32_t *found)
{
    struct park_place *place = park_place_of(word->key);
    struct operation *operation = operation_take(thread, OPERATION_PARK, wait->user_data);
    enum transport_error error = TRANSPORT_OK;

    spinlock_lock(&place->lock);
    if (!word_read(thread, word, found)) {
        error = TRANSPORT_BAD_BUFFER;
    } else if (*found != wait->expected) {
        error = TRANSPORT_CHANGED;
    } else if (operation == NULL) {
        error = TRANSPORT_LIMIT;
    } else {
        limit_arm(operation, wait->timeout_ns);
        operation->park_object = word->object;
        if (word->object != NULL) {
            object_ref(word->object);
        }
        operation_set_grant(operation, word->grant);
        waits_join(operation, word->waits);
        park_add(&place->waiters, &operation->park, word->key);
    }
    spinlock_unlock(&place->lock);
    if (error != TRANSPORT_OK && operation != NULL) {
        operation_release(operation);
    }
    return error;
}

uint32_t park_wake(struct park_key key, uint32_t limit)
{
    struct park_place *place = park_place_of(key);
    struct object *object[LIMIT_UNPARK];
    struct park_waiter *waiter;
    uint32_t woken = 0;

    limit = limit < LIMIT_UNPARK ? limit : LIMIT_UNPARK;
    spinlock_lock(&place->lock);
    while (woken < limit && (waiter = park_take(&place->waiters, key)) != NULL) {
        struct operation *operation = CONTAINER_OF(waiter, struct operation, park);

        object[woken++] = park_leave(place, operation);
        operation_complete(operation, 0, 0, NULL);
    }
    spinlock_unlock(&place->lock);
    for (uint32_t i = 0; i < woken; i++) {
        object_drop(object[i]);
    }
    arch_cpu_this()->effects += woken * PARK_WAKE_WORK;
    return woken;
}

bool park_cancel(struct operation *operation, bool completes)
{
    struct object *object;
    struct park_place *place = wait_take(operation, &object);

    if (place == NULL) {
        return false;
    }
    operation_end(operation, completes);
    wait_taken(place, object);
    return true;
}

/* Who is in front; NULL: nobody. Its lock is held. */
static struct operation *waits_first(struct park_waits *waits)
{
    struct list_node *node = list_first(&waits->operations);

    return node == NULL ? NULL : CONTAINER_OF(node, struct operation, wait_node);
}

/* The first of the list that the sweep has not seen: where it waits, and its turn. 0: none. */
static uint64_t waits_front(struct park_waits *waits, uint64_t *until, struct park_key *key)
{
    const struct operation *first;
    uint64_t turn = 0;

    spinlock_lock(&waits->lock);
    if (*until == 0) {
        *until = waits->last_turn; /* who comes later comes through an edge that is alive */
    }
    first = waits_first(waits);
    if (first != NULL) {
        turn = first->wait_turn <= *until ? first->wait_turn : 0;
        *key = first->park.key;
    }
    spinlock_unlock(&waits->lock);
    return turn;
}

/* The operation of this turn if it is in front still; it goes behind the others if its edge is
 * alive. NULL then. Its bucket's lock is held, so it stays. */
static struct operation *waits_dead(struct park_waits *waits, uint64_t turn)
{
    struct operation *dead = NULL;
    struct operation *first;

    spinlock_lock(&waits->lock);
    first = waits_first(waits);
    if (first != NULL && first->wait_turn == turn) {
        uint64_t never = 0; /* an epoch at which nothing was found alive */

        if (grant_is_alive(first->grant, &never)) {
            list_remove(&first->wait_node);
            first->wait_turn = ++waits->last_turn;
            list_push_back(&waits->operations, &first->wait_node);
        } else {
            dead = first;
        }
    }
    spinlock_unlock(&waits->lock);
    return dead;
}

bool park_waits_revoke(struct park_waits *waits, uint64_t *until, struct revoke_step *step)
{
    for (unsigned i = 0; i < REVOKE_LOOKS; i++) {
        struct object *object = NULL;
        struct operation *dead;
        struct park_place *place;
        struct park_key key;
        uint64_t turn = waits_front(waits, until, &key);

        if (turn == 0) {
            return false;
        }
        place = park_place_of(key);
        spinlock_lock(&place->lock);
        dead = waits_dead(waits, turn);
        if (dead != NULL) {
            object = park_leave(place, dead);
            operation_complete(dead, TRANSPORT_REVOKED, 0,
                               &(struct refusal){.reason = (uint16_t)-TRANSPORT_REVOKED,
                                                 .argument = ARGUMENT_CAP});
            step->receipt.events++;
        }
        spinlock_unlock(&place->lock);
        object_drop(object);
    }
    return true;
}
