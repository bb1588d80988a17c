/* SPDX-License-Identifier: MIT */
/*
 * Parking.
 *
 * Purpose: threads that wait for a word of memory to change, found by the word's name. A waiter is
 * a member of an operation that was reserved with its thread's ring, so parking never allocates and
 * nobody can park more than he has operations.
 *
 *   out --park_add--> first of its key, or behind it --park_take, park_remove--> out
 *   behind --the first goes--> first
 *
 * Keys fall into PARK_BUCKETS buckets by a mixing function with a seed that programs do not know,
 * so none can aim at a bucket. A search walks the keys of one bucket, not the waiters: any number
 * may wait at one word. Within a key the order is first in, first out.
 *
 * No wake-up is lost: the caller compares the word and calls park_add under the lock of the key's
 * bucket, and calls park_take under the same lock. Whoever changed the word before it unparks
 * either comes first, and the comparison sees the change, or comes second, and finds the waiter.
 *
 * Invariants (park_check):
 *  1. A bucket's list and each list behind a first are well linked.
 *  2. Every waiter in it has a key that falls there; those behind a first have its key, and no two
 *     firsts have the same.
 *  3. `first` is set for those in the bucket's own list, and for them alone.
 *
 * Locks: the caller's, one for each bucket. Nothing can fail.
 */
#include "core/park.h"

enum {
    CHECK_WAITERS_MAX = 1 << 24, /* more than there are: the check ends on a broken list */
};

static struct park_waiter *waiter_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct park_waiter, node);
}

void park_bucket_init(struct park_bucket *bucket)
{
    list_init(&bucket->firsts);
}

void park_succeed(struct park_waiter *first)
{
    struct park_waiter *next = waiter_of(list_pop_front(&first->behind));

    ASSERT(!next->first && list_is_empty(&next->behind));
    list_append(&next->behind, &first->behind);
    list_insert_before(&first->node, &next->node);
    next->first = true;
}

/* Invariants 1 to 3 of one first and those behind it. */
static unsigned first_check(const struct park_waiter *first)
{
    struct list_node *node;
    size_t count;

    if (list_check(&first->behind, CHECK_WAITERS_MAX, &count) != 0) {
        return 1;
    }
    if (!first->first) {
        return 3;
    }
    for (node = list_first(&first->behind); node != NULL; node = list_next(&first->behind, node)) {
        const struct park_waiter *waiter = waiter_of(node);

        if (!park_key_equal(waiter->key, first->key)) {
            return 2;
        }
        if (waiter->first) {
            return 3;
        }
    }
    return 0;
}

unsigned park_check(const struct park_bucket *bucket, unsigned index, uint64_t seed)
{
    struct list_node *node;
    size_t count;

    ASSERT(index < PARK_BUCKETS);
    if (list_check(&bucket->firsts, CHECK_WAITERS_MAX, &count) != 0) {
        return 1;
    }
    for (node = list_first(&bucket->firsts); node != NULL;
         node = list_next(&bucket->firsts, node)) {
        const struct park_waiter *first = waiter_of(node);
        unsigned broken = first_check(first);

        if (broken != 0) {
            return broken;
        }
        if (park_bucket_of(first->key, seed) != index || park_first(bucket, first->key) != first) {
            return 2;
        }
    }
    return 0;
}
