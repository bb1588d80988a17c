/* SPDX-License-Identifier: MIT */
/*
 * Explores every execution of a few threads under C11's release/acquire memory model (RC11 without
 * SC accesses; SC fences are in). Theory in explore.c.
 */
#ifndef SIM_EXPLORE_EXPLORE_H
#define SIM_EXPLORE_EXPLORE_H

#include "abi/compiler.h"

enum {
    EXPLORE_THREADS = 4,
    EXPLORE_LOCATIONS = 24,
    EXPLORE_MESSAGES = 64, /* stores to one location in one execution */
    EXPLORE_PLACES = 16,   /* pieces of plain memory */
};

enum explore_order {
    EXPLORE_RELAXED,
    EXPLORE_ACQUIRE,
    EXPLORE_RELEASE,
    EXPLORE_ACQ_REL,
};

/* An ordering of the shipped code that can be made weaker, to see that something notices. */
enum explore_weak {
    EXPLORE_AS_SHIPPED,
    EXPLORE_WEAK_LOAD,     /* loads that acquire: ring_load_peer */
    EXPLORE_WEAK_STORE,    /* stores that release: ring_publish, a lock given back */
    EXPLORE_WEAK_EXCHANGE, /* a lock taken */
    EXPLORE_WEAK_OR,       /* a reason left for another CPU */
    EXPLORE_WEAK_COUNT,
};

struct explore_program {
    const char *name;
    unsigned threads;
    void (*begin)(void);           /* makes all memory as it is at first; single-threaded */
    void (*thread)(unsigned self); /* what thread `self` does; ends */
    void (*end)(void);             /* looks at what came out; may call explore_wrong */
};

struct explore_result {
    uint64_t executions; /* complete ones */
    uint64_t cut;        /* given up: a thread waited for ever, which only some programs may */
    uint64_t steps;
    bool complete; /* false: `limit` executions were reached first */
    bool wrong;
    char text[160]; /* what, first */
};

extern enum explore_weak explore_weak;

void explore(const struct explore_program *program, uint64_t limit, struct explore_result *result);

/* Something is not as it must be: this execution is a counterexample. */
void explore_wrong(const char *format, ...) PRINTF_LIKE(1, 2);

/* The calling thread touches a piece of plain memory named 0 to EXPLORE_PLACES - 1. Two touches of
 * which one writes and neither happens before the other are wrong. */
void explore_touch(unsigned place, bool writes);

/* `count` pieces of `stride` bytes from `base` on are places `first` and up; explore_touch_at finds
 * the one that holds `address`, if there is one. For `begin`. */
void explore_plain(const void *base, unsigned stride, unsigned count, unsigned first);
void explore_touch_at(const void *address, bool writes);

/* Words in these bytes are one thread's own: their accesses are no steps. For `begin`. */
void explore_own(const void *base, unsigned bytes);

/* One of `count` ways, each of which is explored. */
unsigned explore_way(unsigned count);

/* Body of a spin loop: goes on when what was loaded last has changed. */
void explore_spin(void);

/* Whether the program ran to its end in this execution, for `end`. */
bool explore_thread_ended(unsigned thread);

/* ---- the atomics' other side (shim/abi/atomic.h); `bytes` is 4 or 8 ---- */

uint64_t explore_load(const void *word, unsigned bytes, enum explore_order order);
void explore_store(void *word, unsigned bytes, uint64_t value, enum explore_order order);
/* Reads and writes at once: what `change` makes of the old value and `operand`; the old value. */
uint64_t explore_change(void *word, unsigned bytes, uint64_t operand,
                        uint64_t (*change)(uint64_t old, uint64_t operand),
                        enum explore_order order);
void explore_fence(void);
/* Fences that only order one way, for litmus tests. */
void explore_fence_acquire(void);
void explore_fence_release(void);

#endif
