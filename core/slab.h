/* SPDX-License-Identifier: MIT */
/*
 * Caches of objects of one size, carved out of pages the caller gives. Allocation and freeing take
 * constant time, never ask anybody for memory, and notice double frees and foreign pointers.
 * Locking is the caller's. The theory is in slab.c.
 */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include "core/list.h"
#include "core/status.h"

#define SLAB_PAGE_SIZE_MIN 4096u
#define SLAB_OBJECTS_MAX   256u /* in one page, whatever its size */
#define SLAB_BITMAP_WORDS  (SLAB_OBJECTS_MAX / 64u)
#define SLAB_POISON        0xa5u

struct slab_config {
    const char *name;      /* static; for reports */
    uint32_t object_size;  /* bytes, at least 1 */
    uint32_t object_align; /* bytes, a power of two, at most 4096 */
    uint32_t page_size;    /* bytes, a power of two, at least SLAB_PAGE_SIZE_MIN */
    uint64_t objects_max;  /* objects in use at once; 0: as many as there are pages for */
    bool poison;           /* fill free objects with SLAB_POISON and verify it on allocation */
};

struct slab_cache {
    struct slab_config config;
    uint32_t stride;       /* bytes from object to object */
    uint32_t first_offset; /* bytes from the page to its first object */
    uint32_t objects_in_page;
    uint64_t page_count;
    uint64_t used_count; /* objects handed out */
    uint64_t used_peak;
    uint64_t empty_count; /* pages with no object in use */
    struct list partial;  /* pages with used and free objects */
    struct list full;
    struct list empty;
};

/*
 * A cache without pages. Errors: INVALID_ARGUMENT (a field of `config` as documented there),
 * TOO_LARGE (a page cannot hold one object).
 */
MUST_USE enum status slab_init(struct slab_cache *cache, const struct slab_config *config);

/*
 * Gives the cache a page: config.page_size bytes, aligned to that size, readable and writable, used
 * by nobody else until slab_take_empty_page() returns it. Errors: MISALIGNED.
 */
MUST_USE enum status slab_add_page(struct slab_cache *cache, void *page);

/* Takes back a page that holds no object in use, or NULL. Its content is unspecified. */
MUST_USE void *slab_take_empty_page(struct slab_cache *cache);

/*
 * Hands out an object, zeroed; pages in partial use first. Errors: LIMIT (objects_max), NO_MEMORY
 * (give it a page and try again), CORRUPT (a poisoned free object was written to: it stays out of
 * use and `*object` names it).
 */
MUST_USE enum status slab_alloc(struct slab_cache *cache, void **object);

/*
 * Takes an object back. Errors: INVALID_ARGUMENT (no object of this cache begins there),
 * NOT_ALLOCATED (it is free already). The page that holds `object` must be readable.
 */
MUST_USE enum status slab_free(struct slab_cache *cache, void *object);

/* 0, or the number of the first broken invariant of slab.c. Reads every page. */
MUST_USE unsigned slab_check(const struct slab_cache *cache);

#endif
