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
 * so none can aim at a bucket. In a bucket the first of each key is in a binary digital search
 * tree: the node at depth d stands where the first d digits of its key lead. The digits are those
 * of the mixed key that the bucket leaves over, the highest first, then those of the space; both
 * together tell the whole key, as the address is what the mixing began with. So the bound does not
 * hang on luck: a search goes down PARK_DEPTH digits at most, whatever the keys are, and with keys
 * that nobody chose as many as the number of keys there has. Any number may wait at one word: they
 * are a ring behind the first, first in, first out.
 *
 * Any leaf below a node may take its place in the tree: it has the same digits up to there.
 *
 * No wake-up is lost: the caller compares the word and calls park_add under the lock of the key's
 * bucket, and calls park_take under the same lock. Whoever changed the word before it unparks
 * either comes first, and the comparison sees the change, or comes second, and finds the waiter.
 *
 * Invariants (park_check):
 *  1. Each first's ring is well linked.
 *  2. Every waiter in it has a key that falls there; those behind a first have its key, and a
 *     search for the key of a first leads to it.
 *  3. `first` is set for those in the bucket's tree, and for them alone.
 *
 * Locks: the caller's, one for each bucket. Nothing can fail.
 */
#include "core/park.h"

enum {
    CHECK_WAITERS_MAX = 1 << 24, /* more than there are: the check ends on a broken ring */
};

static struct park_waiter *waiter_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct park_waiter, node);
}

void park_bucket_init(struct park_bucket *bucket, uint64_t seed)
{
    bucket->root = NULL;
    bucket->seed = seed;
}

struct park_waiter **park_search(struct park_bucket *bucket, struct park_key key)
{
    uint64_t digits = park_mix(key, bucket->seed) << (64 - PARK_MIX_SHIFT);
    struct park_waiter **link = &bucket->root;

    for (unsigned depth = 0; *link != NULL && !park_key_equal((*link)->key, key); depth++) {
        if (UNLIKELY(depth == PARK_MIX_SHIFT)) {
            digits = key.space;
        }
        ASSERT(depth < PARK_DEPTH);
        link = &(*link)->child[digits >> 63];
        digits <<= 1;
    }
    return link;
}

/* Takes a leaf out below `node`, which is none itself. */
static struct park_waiter *leaf_take(struct park_waiter *node)
{
    struct park_waiter **link = &node->child[node->child[0] != NULL ? 0 : 1];
    struct park_waiter *leaf = *link;

    ASSERT(leaf != NULL);
    for (unsigned depth = 1; leaf->child[0] != NULL || leaf->child[1] != NULL; depth++) {
        ASSERT(depth < PARK_DEPTH);
        link = &leaf->child[leaf->child[0] != NULL ? 0 : 1];
        leaf = *link;
    }
    *link = NULL;
    return leaf;
}

void park_succeed(struct park_waiter **link)
{
    struct park_waiter *first = *link;
    struct park_waiter *next = waiter_of(first->node.next);

    if (next == first) {
        next = leaf_take(first);
    }
    next->first = true;
    next->child[0] = first->child[0];
    next->child[1] = first->child[1];
    *link = next;
}

/* Invariants 1 to 3 of one first and those behind it. */
static unsigned first_check(struct park_waiter *first)
{
    struct list_node *node = &first->node;

    if (!first->first) {
        return 3;
    }
    for (unsigned count = 0; count < CHECK_WAITERS_MAX; count++) {
        if (node->next == NULL || node->next->previous != node) {
            return 1;
        }
        node = node->next;
        if (node == &first->node) {
            return 0;
        }
        if (!park_key_equal(waiter_of(node)->key, first->key)) {
            return 2;
        }
        if (waiter_of(node)->first) {
            return 3;
        }
    }
    return 1;
}

unsigned park_check(struct park_bucket *bucket, unsigned index)
{
    /* Firsts to be looked at: of each depth on the way down one sibling at most, and two last. */
    struct park_waiter *next[PARK_DEPTH + 2];
    unsigned left = 0;

    ASSERT(index < PARK_BUCKETS);
    if (bucket->root != NULL) {
        next[left++] = bucket->root;
    }
    while (left > 0) {
        struct park_waiter *first = next[--left];
        unsigned broken = first_check(first);

        if (broken != 0) {
            return broken;
        }
        if (park_bucket_of(first->key, bucket->seed) != index ||
            *park_link(bucket, first->key) != first) {
            return 2;
        }
        for (unsigned side = 0; side < 2; side++) {
            if (first->child[side] != NULL) {
                next[left++] = first->child[side];
            }
        }
    }
    return 0;
}
