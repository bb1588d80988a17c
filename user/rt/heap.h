/* SPDX-License-Identifier: MIT */
/*
 * A heap over memory that the program gives: first fit, free neighbours joined, every block with a
 * checked head. One thread at a time.
 */
#ifndef USER_RT_HEAP_H
#define USER_RT_HEAP_H

#include "abi/compiler.h"

enum {
    HEAP_ALIGNMENT = 16,
};

struct rt_heap {
    uint8_t *memory;
    size_t bytes;
    size_t used; /* bytes of allocated blocks, their heads included */
};

/* `memory` is HEAP_ALIGNMENT-aligned, `bytes` a multiple of it and at least 32; both stay the
 * heap's. */
void rt_heap_init(struct rt_heap *heap, void *memory, size_t bytes);

/* `bytes` zeroed bytes, aligned to HEAP_ALIGNMENT; NULL: no room. The caller's until rt_heap_free.
 */
MUST_USE void *rt_heap_alloc(struct rt_heap *heap, size_t bytes);

/* NULL is let pass; anything else that rt_heap_alloc did not return, or that was freed, is an
 * assertion failure. */
void rt_heap_free(struct rt_heap *heap, void *pointer);

/* 0, or the number of the first invariant of heap.c that is broken. */
MUST_USE unsigned rt_heap_check(const struct rt_heap *heap);

#endif
