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
 * that it was begun through ends it there, so nobody pins memory that was taken back from him. Time
 * limits run on the thread's home CPU, where the thread itself and its retirement run too: an
 * operation whose timer fires is not being reused meanwhile.
 *
 * Locks: the bucket, then the object's list, or the ring of who is woken, or the address space for
 * the comparison, or the run queue for the timer. What can fail: reading the word; no free
 * operation.
 */
#include "kernel/ipc/park.h"

#include "core/assert.h"
#include "kernel/ipc/operation_pool.h"
#include "kernel/ipc/straight.h"
#include "kernel/mem/user_access.h"
#include "kernel/object/object.h"
#include "kernel/sched/process.h"

struct bucket {
    struct spinlock lock;
    struct park_bucket waiters;
};

enum {
    PARK_WAKE_WORK = 1600, /* of cpu->effects: some 200 instructions */
    REVOKE_LOOKS = 12,     /* waits in one step of a revocation, up to 900 instructions each */
};

static struct bucket buckets[PARK_BUCKETS];
static uint64_t seed; /* fixed at boot */

void park_init(void)
{
    if (!arch_random_u64(&seed)) {
        seed = arch_cycles();
    }
    for (unsigned i = 0; i < PARK_BUCKETS; i++) {
        spinlock_init(&buckets[i].lock, LOCK_RANK_PARK, i);
        park_bucket_init(&buckets[i].waiters);
    }
}

static struct bucket *bucket_of(struct park_key key)
{
    return &buckets[park_bucket_of(key, seed)];
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

/* The operation is in no list any more; its object, whose reference is the caller's to give up.
 * Bucket lock held. */
static struct object *wait_leave(struct bucket *bucket, struct operation *operation)
{
    struct park_waits *waits = operation->park_waits;

    if (park_waits(&operation->park)) {
        park_remove(&bucket->waiters, &operation->park);
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

static void park_expired(struct timer *timer)
{
    struct operation *operation = CONTAINER_OF(timer, struct operation, timer);
    struct bucket *bucket = bucket_of(operation->park.key);
    struct object *object = NULL;
    bool waited;

    spinlock_lock(&bucket->lock);
    waited = park_waits(&operation->park);
    if (waited) {
        object = wait_leave(bucket, operation);
        operation_complete(operation, TRANSPORT_TIMEOUT, 0,
                           &(struct refusal){.reason = (uint16_t)-TRANSPORT_TIMEOUT});
    }
    spinlock_unlock(&bucket->lock);
    object_drop(object);
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
    struct bucket *bucket = bucket_of(word->key);
    struct operation *operation = operation_take(thread, OPERATION_PARK, wait->user_data);
    enum transport_error error = TRANSPORT_OK;

    spinlock_lock(&bucket->lock);
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
        park_add(&bucket->waiters, &operation->park, word->key);
    }
    spinlock_unlock(&bucket->lock);
    if (error != TRANSPORT_OK && operation != NULL) {
        operation_release(operation);
    }
    return error;
}

uint32_t park_wake(struct park_key key, uint32_t limit)
{
    struct bucket *bucket = bucket_of(key);
    struct object *object[LIMIT_UNPARK];
    struct park_waiter *waiter;
    uint32_t woken = 0;

    limit = limit < LIMIT_UNPARK ? limit : LIMIT_UNPARK;
    spinlock_lock(&bucket->lock);
    while (woken < limit && (waiter = park_take(&bucket->waiters, key)) != NULL) {
        struct operation *operation = CONTAINER_OF(waiter, struct operation, park);

        object[woken++] = wait_leave(bucket, operation);
        operation_complete(operation, 0, 0, NULL);
    }
    spinlock_unlock(&bucket->lock);
    for (uint32_t i = 0; i < woken; i++) {
        object_drop(object[i]);
    }
    arch_cpu_this()->effects += woken * PARK_WAKE_WORK;
    return woken;
}

/* park_begin and the wait of its thread in one: who wakes it finds it waiting. False: nothing
 * happened. */
static bool turn_wait(struct thread *thread, const struct park_turn *turn)
{
    struct bucket *bucket = bucket_of(turn->wait.key);
    struct operation *operation = NULL;
    uint32_t found;

    spinlock_lock(&bucket->lock);
    if (LIKELY((turn->wait.object != NULL ? word_read(thread, &turn->wait, &found)
                                          : user_word_read(turn->wait.key.address, &found)) &&
               found == turn->expected)) {
        spinlock_lock(&thread->ring_lock);
        /* Of the completions that it waits for, the UNPARK's is one more than there are. */
        if (LIKELY(wait_begin(thread))) {
            if (LIKELY(thread->wait_until - thread->ring.cq_tail > 1)) {
                operation = operation_pop(thread, OPERATION_PARK, false);
            }
            if (UNLIKELY(operation == NULL)) {
                thread->waiting = false;
                thread->entering = false;
            }
        }
        spinlock_unlock(&thread->ring_lock);
    }
    if (LIKELY(operation != NULL)) {
        ring_accept(&thread->ring, thread->ring.sq_head + 2);
        operation->user_data = turn->wait_data;
        operation->park_object = turn->wait.object;
        operation->park_waits = NULL; /* its edge was never delegated: no revocation looks for it */
        operation->timer.expired = NULL;
        park_add(&bucket->waiters, &operation->park, turn->wait.key);
    }
    spinlock_unlock(&bucket->lock);
    return operation != NULL;
}

/* Wakes one at turn->wake for the current thread, which waits: 1, or 0 if nobody waits there. *next
 * is who runs now, or NULL. */
static int32_t turn_wake(struct cpu *cpu, struct thread *thread, const struct park_turn *turn,
                         struct thread **next)
{
    struct bucket *bucket = bucket_of(turn->wake);
    struct object *object = NULL;
    struct park_waiter *waiter;

    *next = NULL;
    spinlock_lock(&bucket->lock);
    waiter = park_take(&bucket->waiters, turn->wake);
    if (LIKELY(waiter != NULL)) {
        struct operation *operation = CONTAINER_OF(waiter, struct operation, park);
        struct thread *peer = operation->owner;

        if (LIKELY(operation->park_waits == NULL && operation->grant == NULL &&
                   operation->timer.expired == NULL)) {
            object = operation->park_object;
            spinlock_lock(&peer->ring_lock);
            ring_post_result(&peer->ring, operation->user_data, 0, 0);
            operation_push(peer, operation, OPERATION_PARK);
            if (wait_end(cpu, peer, thread, false)) {
                *next = peer;
            }
            spinlock_unlock(&peer->ring_lock);
        } else {
            object = wait_leave(bucket, operation);
            operation_complete(operation, 0, 0, NULL);
        }
    }
    spinlock_unlock(&bucket->lock);
    object_drop(object);
    return waiter != NULL;
}

enum quick park_turn(struct cpu *cpu, struct thread *thread, const struct park_turn *turn,
                     struct thread **next)
{
    int32_t woken;

    /* The wait comes first: it alone can turn out not to be usual. Nobody can tell, because the
     * words differ and the thread does nothing in between. */
    if (!turn_wait(thread, turn)) {
        return QUICK_NONE;
    }
    woken = turn_wake(cpu, thread, turn, next);
    spinlock_lock(&thread->ring_lock);
    ring_post_result(&thread->ring, turn->wake_data, woken, 0);
    if (UNLIKELY(thread->waiting && (int32_t)(thread->ring.cq_tail - thread->wait_until) >= 0)) {
        thread->waiting = false; /* its own wake-up came meanwhile */
        sched_thread_ready(thread);
    }
    spinlock_unlock(&thread->ring_lock);
    return *next != NULL ? QUICK_SWITCH : QUICK_WAIT;
}

bool park_cancel(struct operation *operation, bool completes)
{
    struct bucket *bucket = bucket_of(operation->park.key);
    struct object *object = NULL;
    bool waited;

    spinlock_lock(&bucket->lock);
    waited = park_waits(&operation->park);
    if (waited) {
        object = wait_leave(bucket, operation);
        operation_end(operation, completes);
    }
    spinlock_unlock(&bucket->lock);
    object_drop(object);
    return waited;
}

/* The first of the list that the sweep has not seen: where it waits, and its turn. 0: none. */
static uint64_t waits_front(struct park_waits *waits, uint64_t *until, struct park_key *key)
{
    struct list_node *node;
    uint64_t turn = 0;

    spinlock_lock(&waits->lock);
    if (*until == 0) {
        *until = waits->last_turn; /* who comes later comes through an edge that is alive */
    }
    node = list_first(&waits->operations);
    if (node != NULL) {
        const struct operation *operation = CONTAINER_OF(node, struct operation, wait_node);

        turn = operation->wait_turn <= *until ? operation->wait_turn : 0;
        *key = operation->park.key;
    }
    spinlock_unlock(&waits->lock);
    return turn;
}

/* The operation of this turn if it is in front still; it goes behind the others if its edge is
 * alive. NULL then. Its bucket's lock is held, so it stays. */
static struct operation *waits_dead(struct park_waits *waits, uint64_t turn)
{
    struct operation *dead = NULL;
    struct list_node *node;

    spinlock_lock(&waits->lock);
    node = list_first(&waits->operations);
    if (node != NULL && CONTAINER_OF(node, struct operation, wait_node)->wait_turn == turn) {
        struct operation *operation = CONTAINER_OF(node, struct operation, wait_node);
        uint64_t never = 0; /* an epoch at which nothing was found alive */

        if (grant_is_alive(operation->grant, &never)) {
            list_remove(node);
            operation->wait_turn = ++waits->last_turn;
            list_push_back(&waits->operations, node);
        } else {
            dead = operation;
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
        struct bucket *bucket;
        struct park_key key;
        uint64_t turn = waits_front(waits, until, &key);

        if (turn == 0) {
            return false;
        }
        bucket = bucket_of(key);
        spinlock_lock(&bucket->lock);
        dead = waits_dead(waits, turn);
        if (dead != NULL) {
            object = wait_leave(bucket, dead);
            operation_complete(dead, TRANSPORT_REVOKED, 0,
                               &(struct refusal){.reason = (uint16_t)-TRANSPORT_REVOKED,
                                                 .argument = ARGUMENT_CAP});
            step->receipt.events++;
        }
        spinlock_unlock(&bucket->lock);
        object_drop(object);
    }
    return true;
}
