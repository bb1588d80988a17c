/* SPDX-License-Identifier: MIT */
/*
 * Kernel object caches: objects of one fixed size each, over core/slab. There is no general heap.
 */
#ifndef KERNEL_MEM_KMEM_H
#define KERNEL_MEM_KMEM_H

#include "core/slab.h"
#include "kernel/lock.h"

struct kmem_cache {
    struct spinlock lock;
    struct slab slab;
    const char *name;
};

/* Declares the cache of objects of `object_bytes` (at most a page less the slab's head). */
void kmem_cache_init(struct kmem_cache *cache, const char *name, size_t object_bytes);

/* A zeroed object; NULL: no frame is left. */
void *kmem_alloc(struct kmem_cache *cache) MUST_USE;
void kmem_free(struct kmem_cache *cache, void *object);

/* Frames that all caches hold, for the census; objects in use of one cache. */
uint64_t kmem_frames(void);
uint64_t kmem_in_use(struct kmem_cache *cache);

/* Returns empty slabs to the frame allocator. */
void kmem_reclaim(void);

#endif
