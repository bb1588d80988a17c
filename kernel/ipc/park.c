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
 * so that no other object gets its name. Time limits run on the thread's home CPU, where the thread
 * itself and its retirement run too: an operation whose timer fires is not being reused meanwhile.
 *
 * Locks: the bucket, then the ring of who is woken, or the address space for the comparison, or the
 * run queue for the timer. What can fail: reading the word; no free operation.
 */
#include "kernel/ipc/park.h"

#include "core/assert.h"
#include "kernel/mem/user_access.h"
#include "kernel/object/object.h"
#include "kernel/sched/process.h"

struct bucket {
    struct spinlock lock;
    struct park_bucket waiters;
};

enum {
    PARK_WAKE_WORK = 1600, /* of cpu->effects: some 200 instructions */
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
        park_remove(&bucket->waiters, &operation->park);
        object = operation->park_object;
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

        object[woken++] = operation->park_object;
        timer_stop(operation->owner->task.cpu, &operation->timer);
        operation_complete(operation, 0, 0, NULL);
    }
    spinlock_unlock(&bucket->lock);
    for (uint32_t i = 0; i < woken; i++) {
        object_drop(object[i]);
    }
    arch_cpu_this()->effects += woken * PARK_WAKE_WORK;
    return woken;
}

bool park_cancel(struct operation *operation, bool completes)
{
    struct bucket *bucket = bucket_of(operation->park.key);
    struct object *object = NULL;
    bool waited;

    spinlock_lock(&bucket->lock);
    waited = park_waits(&operation->park);
    if (waited) {
        park_remove(&bucket->waiters, &operation->park);
        object = operation->park_object;
        timer_stop(operation->owner->task.cpu, &operation->timer);
        operation_end(operation, completes);
    }
    spinlock_unlock(&bucket->lock);
    object_drop(object);
    return waited;
}
