/* SPDX-License-Identifier: MIT */
/*
 * The one shim for atomics in abi/ and core/. The kernel and the runtime take this file; the
 * explorer and the sequential provers put another file of this name first in their include path.
 */
#ifndef ABI_ATOMIC_H
#define ABI_ATOMIC_H

#include "abi/compiler.h"

static inline uint32_t atomic_load_relaxed_u32(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint32_t atomic_load_acquire_u32(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void atomic_store_relaxed_u32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void atomic_store_release_u32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint32_t atomic_exchange_u32(uint32_t *word, uint32_t value)
{
    return __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL);
}

static inline uint64_t atomic_load_relaxed_u64(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* A word of memory that is a structure for whoever wrote it. */
static inline uint64_t atomic_load_relaxed_word(const void *word)
{
    typedef uint64_t MAY_ALIAS any_word;

    return __atomic_load_n((const any_word *)word, __ATOMIC_RELAXED);
}

static inline void atomic_store_relaxed_word(void *word, uint64_t value)
{
    typedef uint64_t MAY_ALIAS any_word;

    __atomic_store_n((any_word *)word, value, __ATOMIC_RELAXED);
}

static inline void atomic_store_relaxed_u64(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline uint64_t atomic_load_acquire_u64(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void atomic_store_release_u64(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t atomic_add_u64(uint64_t *word, uint64_t amount)
{
    return __atomic_add_fetch(word, amount, __ATOMIC_ACQ_REL);
}

static inline uint64_t atomic_or_u64(uint64_t *word, uint64_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_ACQ_REL);
}

static inline uint64_t atomic_and_u64(uint64_t *word, uint64_t bits)
{
    return __atomic_fetch_and(word, bits, __ATOMIC_ACQ_REL);
}

static inline uint64_t atomic_exchange_u64(uint64_t *word, uint64_t value)
{
    return __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL);
}

/* A full barrier: what this thread stored before it is visible before what it loads after it. */
static inline void atomic_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
