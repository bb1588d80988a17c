/* SPDX-License-Identifier: MIT */
/*
 * Kernel object caches: objects of one fixed size each, over core/slab. There is no general heap.
 * The theory is in kmem.c.
 */
#ifndef KERNEL_MEM_KMEM_H
#define KERNEL_MEM_KMEM_H

#include "core/slab.h"
#include "kernel/lock.h"

enum {
    KMEM_CACHES_MAX = 32,
};

struct kmem_cache {
    struct spinlock lock;
    struct slab_cache slab; /* lock */
    const char *name;
};

/*
 * Declares the cache of objects of `object_bytes` (at most a page less the slab's head), aligned to
 * the largest power of two that divides that size, 64 at most: what `sizeof` any struct with
 * ALIGNED(64) asks for. Boot only. `cache` and `name` live for ever; a cache declared again starts
 * afresh (the host restarts kernels).
 */
void kmem_cache_init(struct kmem_cache *cache, const char *name, size_t object_bytes);

/* A zeroed object; NULL: no frame is left. */
void *kmem_alloc(struct kmem_cache *cache) MUST_USE;

/* Takes back an object of this cache. One that is not, or is free, is an assertion failure. */
void kmem_free(struct kmem_cache *cache, void *object);

/* Frames that all caches hold, for the census; objects in use of one cache. */
uint64_t kmem_frames(void);
uint64_t kmem_in_use(struct kmem_cache *cache);

/* Returns empty slabs to the frame allocator. */
void kmem_reclaim(void);

/* Logs the caches that have objects: what the machine's end finds too much. */
void kmem_report(void);

/* 0, or the number of the first broken invariant of kmem.c. Reads every slab page. */
unsigned kmem_check(void);

#endif
