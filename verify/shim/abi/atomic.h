/* SPDX-License-Identifier: MIT */
/*
 * abi/atomic.h for provers that know one thread alone: each operation is what it says, and nothing
 * happens between two of them. What may happen between them is for the explorer and the simulator.
 */
#ifndef ABI_ATOMIC_H
#define ABI_ATOMIC_H

#include "abi/compiler.h"

static inline uint32_t atomic_load_relaxed_u32(const uint32_t *word)
{
    return *word;
}

static inline uint32_t atomic_load_acquire_u32(const uint32_t *word)
{
    return *word;
}

static inline void atomic_store_relaxed_u32(uint32_t *word, uint32_t value)
{
    *word = value;
}

static inline void atomic_store_release_u32(uint32_t *word, uint32_t value)
{
    *word = value;
}

static inline uint32_t atomic_exchange_u32(uint32_t *word, uint32_t value)
{
    uint32_t before = *word;

    *word = value;
    return before;
}

static inline uint64_t atomic_load_relaxed_u64(const uint64_t *word)
{
    return *word;
}

static inline uint64_t atomic_load_relaxed_word(const void *word)
{
    return *(const uint64_t *)word;
}

static inline void atomic_store_relaxed_word(void *word, uint64_t value)
{
    *(uint64_t *)word = value;
}

static inline void atomic_store_relaxed_u64(uint64_t *word, uint64_t value)
{
    *word = value;
}

static inline uint64_t atomic_load_acquire_u64(const uint64_t *word)
{
    return *word;
}

static inline void atomic_store_release_u64(uint64_t *word, uint64_t value)
{
    *word = value;
}

static inline uint64_t atomic_add_u64(uint64_t *word, uint64_t amount)
{
    return *word += amount;
}

static inline uint64_t atomic_or_u64(uint64_t *word, uint64_t bits)
{
    uint64_t before = *word;

    *word |= bits;
    return before;
}

static inline uint64_t atomic_and_u64(uint64_t *word, uint64_t bits)
{
    uint64_t before = *word;

    *word &= bits;
    return before;
}

static inline uint64_t atomic_exchange_u64(uint64_t *word, uint64_t value)
{
    uint64_t before = *word;

    *word = value;
    return before;
}

static inline void atomic_fence(void)
{
}

#endif
