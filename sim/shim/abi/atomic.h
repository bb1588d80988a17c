/* SPDX-License-Identifier: MIT */
/*
 * The atomics of abi/atomic.h with a switch point before each: what the simulator's build finds
 * under that name. Virtual CPUs share one host thread, so the plain access is the atomic one;
 * orders weaker than sequential consistency are the explorer's (sim/explore).
 */
#ifndef ABI_ATOMIC_H
#define ABI_ATOMIC_H

#include "abi/compiler.h"

/* Another virtual CPU's turn, perhaps (sim/hunt/observe.c). */
void sim_atomic_point(void);

/* A word was stored; nobody else has run since. */
void sim_atomic_stored(const void *word);

#define SIM_LOAD(name, type)                                                                       \
    static inline type name(const type *word)                                                      \
    {                                                                                              \
        sim_atomic_point();                                                                        \
        return *(const volatile type *)word;                                                       \
    }
#define SIM_STORE(name, type)                                                                      \
    static inline void name(type *word, type value)                                                \
    {                                                                                              \
        sim_atomic_point();                                                                        \
        *(volatile type *)word = value;                                                            \
        sim_atomic_stored(word);                                                                   \
    }
/* A change of `*word` to `after`, an expression of `before` and `operand`. */
#define SIM_CHANGE(name, type, after)                                                              \
    static inline type name(type *word, type operand)                                              \
    {                                                                                              \
        type before;                                                                               \
                                                                                                   \
        sim_atomic_point();                                                                        \
        before = *word;                                                                            \
        *word = (after);                                                                           \
        return before;                                                                             \
    }

SIM_LOAD(atomic_load_relaxed_u32, uint32_t)
SIM_LOAD(atomic_load_acquire_u32, uint32_t)
SIM_LOAD(atomic_load_relaxed_u64, uint64_t)
SIM_LOAD(atomic_load_acquire_u64, uint64_t)
SIM_STORE(atomic_store_relaxed_u32, uint32_t)
SIM_STORE(atomic_store_release_u32, uint32_t)
SIM_STORE(atomic_store_relaxed_u64, uint64_t)
SIM_STORE(atomic_store_release_u64, uint64_t)

/* A word of memory that is a structure for whoever wrote it. */
static inline uint64_t atomic_load_relaxed_word(const void *word)
{
    typedef uint64_t MAY_ALIAS any_word;

    sim_atomic_point();
    return *(const volatile any_word *)word;
}

static inline void atomic_store_relaxed_word(void *word, uint64_t value)
{
    typedef uint64_t MAY_ALIAS any_word;

    sim_atomic_point();
    *(volatile any_word *)word = value;
    sim_atomic_stored(word);
}

/* Each gives the value before, as in abi/atomic.h. */
SIM_CHANGE(atomic_exchange_u32, uint32_t, operand)
SIM_CHANGE(atomic_exchange_u64, uint64_t, operand)
SIM_CHANGE(atomic_or_u64, uint64_t, (before) | (operand))
SIM_CHANGE(atomic_and_u64, uint64_t, (before) & (operand))

/* The new value, as in abi/atomic.h. */
static inline uint64_t atomic_add_u64(uint64_t *word, uint64_t amount)
{
    sim_atomic_point();
    *word += amount;
    return *word;
}

static inline void atomic_fence(void)
{
    sim_atomic_point();
}

#endif
