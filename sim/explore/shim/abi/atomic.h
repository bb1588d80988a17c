/* SPDX-License-Identifier: MIT */
/* The atomics of abi/atomic.h as the explorer's: what its build finds under that name. */
#ifndef ABI_ATOMIC_H
#define ABI_ATOMIC_H

#include "sim/explore/explore.h"

#define EXPLORE_LOAD(name, type, order)                                                            \
    static inline type name(const type *word)                                                      \
    {                                                                                              \
        return (type)explore_load(word, sizeof(type), order);                                      \
    }
#define EXPLORE_STORE(name, type, order)                                                           \
    static inline void name(type *word, type value)                                                \
    {                                                                                              \
        explore_store(word, sizeof(type), value, order);                                           \
    }

EXPLORE_LOAD(atomic_load_relaxed_u32, uint32_t, EXPLORE_RELAXED)
EXPLORE_LOAD(atomic_load_acquire_u32, uint32_t, EXPLORE_ACQUIRE)
EXPLORE_LOAD(atomic_load_relaxed_u64, uint64_t, EXPLORE_RELAXED)
EXPLORE_LOAD(atomic_load_acquire_u64, uint64_t, EXPLORE_ACQUIRE)
EXPLORE_STORE(atomic_store_relaxed_u32, uint32_t, EXPLORE_RELAXED)
EXPLORE_STORE(atomic_store_release_u32, uint32_t, EXPLORE_RELEASE)
EXPLORE_STORE(atomic_store_relaxed_u64, uint64_t, EXPLORE_RELAXED)
EXPLORE_STORE(atomic_store_release_u64, uint64_t, EXPLORE_RELEASE)

/* Words of shared entries are plain memory to their writer, so reading them is no step. */
static inline uint64_t atomic_load_relaxed_word(const void *word)
{
    typedef uint64_t MAY_ALIAS any_word;

    explore_touch_at(word, false);
    return *(const any_word *)word;
}

static inline void atomic_store_relaxed_word(void *word, uint64_t value)
{
    typedef uint64_t MAY_ALIAS any_word;

    explore_touch_at(word, true);
    *(any_word *)word = value;
}

static inline uint64_t explore_replace(uint64_t old, uint64_t operand)
{
    (void)old;
    return operand;
}

static inline uint64_t explore_add(uint64_t old, uint64_t operand)
{
    return old + operand;
}

static inline uint64_t explore_or(uint64_t old, uint64_t operand)
{
    return old | operand;
}

static inline uint64_t explore_and(uint64_t old, uint64_t operand)
{
    return old & operand;
}

static inline enum explore_order explore_unless(enum explore_weak weak)
{
    return explore_weak == weak ? EXPLORE_RELAXED : EXPLORE_ACQ_REL;
}

static inline uint32_t atomic_exchange_u32(uint32_t *word, uint32_t value)
{
    return (uint32_t)explore_change(word, sizeof(*word), value, explore_replace,
                                    explore_unless(EXPLORE_WEAK_EXCHANGE));
}

static inline uint64_t atomic_exchange_u64(uint64_t *word, uint64_t value)
{
    return explore_change(word, sizeof(*word), value, explore_replace,
                          explore_unless(EXPLORE_WEAK_EXCHANGE));
}

static inline uint64_t atomic_add_u64(uint64_t *word, uint64_t amount)
{
    return explore_change(word, sizeof(*word), amount, explore_add, EXPLORE_ACQ_REL) + amount;
}

static inline uint64_t atomic_or_u64(uint64_t *word, uint64_t bits)
{
    return explore_change(word, sizeof(*word), bits, explore_or, explore_unless(EXPLORE_WEAK_OR));
}

static inline uint64_t atomic_and_u64(uint64_t *word, uint64_t bits)
{
    return explore_change(word, sizeof(*word), bits, explore_and, EXPLORE_ACQ_REL);
}

static inline void atomic_fence(void)
{
    explore_fence();
}

#endif
