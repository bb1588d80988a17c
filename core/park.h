/* SPDX-License-Identifier: MIT */
/*
 * Who waits at which address: the queues behind PARK and UNPARK. Pure; locking is the caller's, by
 * bucket. Theory in park.c.
 */
#ifndef CORE_PARK_H
#define CORE_PARK_H

#include "core/list.h"

enum {
    PARK_BUCKETS = 256,
    PARK_MIX_SHIFT = 56,              /* leaves the eight bits of PARK_BUCKETS */
    PARK_DEPTH = PARK_MIX_SHIFT + 64, /* digits by which a search goes down, at most */
};

_Static_assert(PARK_BUCKETS == 1 << (64 - PARK_MIX_SHIFT), "the mixed bits are a bucket");

/* Where one waits: a space (an address space by its pid, or a memory object), and a word in it. */
struct park_key {
    uint64_t space;
    uint64_t address;
};

static inline bool park_key_equal(struct park_key a, struct park_key b)
{
    return a.address == b.address && a.space == b.space;
}

/* One that waits; a member of its operation. Zeroed: it does not wait. */
struct park_waiter {
    struct list_node node;        /* in the ring of those that wait at its key, the longest first */
    struct park_waiter *child[2]; /* first of its key: below it in the bucket's tree */
    struct park_key key;
    bool first;
};

/* Those who wait at the keys that fall here: a tree of the first of each. */
struct park_bucket {
    struct park_waiter *root; /* NULL: nobody waits */
    uint64_t seed;            /* fixed */
};

/* All of a key, mixed: of the keys of one space, each has another. */
MUST_USE static inline uint64_t park_mix(struct park_key key, uint64_t seed)
{
    /* Multiplying by a large odd number moves every bit upwards, folding brings them back. */
    uint64_t mixed = (key.space ^ seed) * UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 32 ^ key.address) * UINT64_C(0xd6e8feb86659fd93);
    return (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
}

/* A key's bucket, below PARK_BUCKETS. `seed` is the same for all keys, and no program's to know. */
MUST_USE static inline unsigned park_bucket_of(struct park_key key, uint64_t seed)
{
    return (unsigned)(park_mix(key, seed) >> PARK_MIX_SHIFT);
}

void park_bucket_init(struct park_bucket *bucket, uint64_t seed);

/* Whether `waiter` waits. */
static inline bool park_waits(const struct park_waiter *waiter)
{
    return list_node_is_linked(&waiter->node);
}

/* Where the first waiter at `key` is, which is not the root's, or would be. */
MUST_USE struct park_waiter **park_search(struct park_bucket *bucket, struct park_key key);

/* What points to the first waiter at `key`, or to NULL where it would be. `bucket` is the key's. */
MUST_USE static inline struct park_waiter **park_link(struct park_bucket *bucket,
                                                      struct park_key key)
{
    return LIKELY(bucket->root == NULL || park_key_equal(bucket->root->key, key))
               ? &bucket->root
               : park_search(bucket, key);
}

/* `waiter`, which does not wait, waits at `key` from now on. `bucket` is the key's. */
static inline void park_add(struct park_bucket *bucket, struct park_waiter *waiter,
                            struct park_key key)
{
    struct park_waiter **link = park_link(bucket, key);

    ASSERT(!park_waits(waiter));
    waiter->key = key;
    waiter->first = *link == NULL;
    if (LIKELY(waiter->first)) {
        waiter->node.next = &waiter->node;
        waiter->node.previous = &waiter->node;
        waiter->child[0] = NULL;
        waiter->child[1] = NULL;
        *link = waiter;
    } else {
        list_insert_before(&(*link)->node, &waiter->node);
    }
}

/* The first of its key, which is not alone there or has others below it, leaves `link`, which
 * points to it: to who waits next, or to who takes its place in the tree. It is in its ring still.
 */
void park_succeed(struct park_waiter **link);

/* Takes the first of its key out, which `link` points to. */
static inline void park_take_first(struct park_waiter **link)
{
    struct park_waiter *first = *link;

    ASSERT_AGAIN(first->first);
    if (LIKELY(first->node.next == &first->node && first->child[0] == NULL &&
               first->child[1] == NULL)) {
        *link = NULL;
    } else {
        park_succeed(link);
    }
    list_remove(&first->node);
    first->first = false;
}

/* `waiter`, which waits in `bucket`, does not any more. */
static inline void park_remove(struct park_bucket *bucket, struct park_waiter *waiter)
{
    ASSERT(park_waits(waiter));
    if (waiter->first) {
        struct park_waiter **link = park_link(bucket, waiter->key);

        ASSERT(*link == waiter);
        park_take_first(link);
    } else {
        list_remove(&waiter->node);
    }
}

/* The one that waits longest at `key`, taken out; NULL: nobody does. */
MUST_USE static inline struct park_waiter *park_take(struct park_bucket *bucket,
                                                     struct park_key key)
{
    struct park_waiter **link = park_link(bucket, key);
    struct park_waiter *first = *link;

    if (LIKELY(first != NULL)) {
        park_take_first(link);
    }
    return first;
}

/* 0, or the number of the first broken invariant of park.c; `index` is the bucket's. */
MUST_USE unsigned park_check(struct park_bucket *bucket, unsigned index);

#endif
