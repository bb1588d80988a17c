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
    PARK_MIX_SHIFT = 56, /* leaves the eight bits of PARK_BUCKETS */
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
    struct list_node node; /* first of its key: in the bucket; else in the first one's `behind` */
    struct list behind;    /* first of its key: those that wait at it too, the longest first */
    struct park_key key;
    bool first;
};

struct park_bucket {
    struct list firsts; /* one for each key that falls here and is waited at */
};

/* A key's bucket, below PARK_BUCKETS. `seed` is the same for all keys, and no program's to know. */
MUST_USE static inline unsigned park_bucket_of(struct park_key key, uint64_t seed)
{
    /* Multiplying by a large odd number moves every bit upwards, folding brings them back. */
    uint64_t mixed = (key.space ^ seed) * UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 32 ^ key.address) * UINT64_C(0xd6e8feb86659fd93);
    mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (unsigned)(mixed >> PARK_MIX_SHIFT);
}

void park_bucket_init(struct park_bucket *bucket);

/* Whether `waiter` waits. */
static inline bool park_waits(const struct park_waiter *waiter)
{
    return list_node_is_linked(&waiter->node);
}

/* The first waiter at `key`; NULL: nobody waits there. */
MUST_USE static inline struct park_waiter *park_first(const struct park_bucket *bucket,
                                                      struct park_key key)
{
    const struct list_node *head = &bucket->firsts.head;
    struct list_node *node = head->next;

    for (; node != head; node = node->next) {
        struct park_waiter *first = CONTAINER_OF(node, struct park_waiter, node);

        if (LIKELY(park_key_equal(first->key, key))) {
            return first;
        }
    }
    return NULL;
}

/* `waiter`, which does not wait, waits at `key` from now on. `bucket` is the key's. */
static inline void park_add(struct park_bucket *bucket, struct park_waiter *waiter,
                            struct park_key key)
{
    struct park_waiter *first = park_first(bucket, key);

    ASSERT(!park_waits(waiter));
    waiter->key = key;
    waiter->first = first == NULL;
    list_init(&waiter->behind);
    list_push_back(first == NULL ? &bucket->firsts : &first->behind, &waiter->node);
}

/* The first of those behind `first`, of whom there is one at least, takes its place before it in
 * the bucket. */
void park_succeed(struct park_waiter *first);

/* `waiter`, which waits in `bucket`, does not any more. */
static inline void park_remove(struct park_bucket *bucket, struct park_waiter *waiter)
{
    ASSERT(park_waits(waiter));
    ASSERT(!list_is_empty(&bucket->firsts));
    if (waiter->first && UNLIKELY(!list_is_empty(&waiter->behind))) {
        park_succeed(waiter);
    }
    list_remove(&waiter->node);
    waiter->first = false;
}

/* The one that waits longest at `key`, taken out; NULL: nobody does. */
MUST_USE static inline struct park_waiter *park_take(struct park_bucket *bucket,
                                                     struct park_key key)
{
    struct park_waiter *first = park_first(bucket, key);

    if (LIKELY(first != NULL)) {
        park_remove(bucket, first);
    }
    return first;
}

/* 0, or the number of the first broken invariant of park.c; `index` is the bucket's. */
MUST_USE unsigned park_check(const struct park_bucket *bucket, unsigned index, uint64_t seed);

#endif
