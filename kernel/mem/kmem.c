/* SPDX-License-Identifier: MIT */
/*
 * Kernel object caches.
 *
 * Purpose: memory for the kernel's own objects, of one size in each cache, so that nothing
 * fragments and every frame can be attributed.
 *
 * A cache takes a frame from kernel/mem/frames when it has no free object left and gives one back
 * when more than EMPTY_PAGES_KEPT of its pages are empty; in between it keeps them, so that a
 * create and destroy in turn does not cost a frame each time. kmem_reclaim gives back the rest,
 * which makes a census before and after comparable.
 *
 * Invariants:
 * 1. core/slab's own (slab_check).
 * 2. Between operations a cache holds at most EMPTY_PAGES_KEPT empty pages, more only by the pages
 *    that allocations racing for the last object added.
 * 3. The table of caches has no gaps and no cache twice.
 *
 * Locks: one for each cache (LOCK_RANK_CACHE; two are never held together). Frames are taken and
 * given back outside it, because zeroing a frame is long. The table is written at boot only.
 *
 * What can fail: kmem_alloc, when no frame is left; nothing has changed then. A wrong kmem_free is
 * our own mistake and asserts. A debug kernel fills free objects with SLAB_POISON, and one found
 * overwritten at its next allocation asserts too.
 */
#include "kernel/mem/kmem.h"

#include "core/assert.h"
#include "kernel/log.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/memory_debug.h"
#include "kernel/work_check.h"

enum {
    EMPTY_PAGES_KEPT = 1,
    ALIGNMENT_MAX = 64,
};

static struct kmem_cache *kmem_caches[KMEM_CACHES_MAX];

static void cache_register(struct kmem_cache *cache)
{
    unsigned i = 0;

    while (i < KMEM_CACHES_MAX && kmem_caches[i] != NULL && kmem_caches[i] != cache) {
        i++;
    }
    ASSERT(i < KMEM_CACHES_MAX);
    kmem_caches[i] = cache;
}

void kmem_cache_init(struct kmem_cache *cache, const char *name, size_t object_bytes)
{
    uint32_t bytes = (uint32_t)object_bytes;
    uint32_t align = bytes & (0u - bytes);
    struct slab_config config = {
        .name = name,
        .object_size = bytes,
        .object_align = align < ALIGNMENT_MAX ? align : ALIGNMENT_MAX,
        .page_size = FRAME_BYTES,
        .poison = memory_debug_poison(),
    };
    enum status status;

    ASSERT(object_bytes > 0 && object_bytes < FRAME_BYTES);
    spinlock_init(&cache->lock, LOCK_RANK_CACHE, 0);
    cache->name = name;
    status = slab_init(&cache->slab, &config);
    ASSERT(status == STATUS_OK);
    cache_register(cache);
}

/* An object of the pages at hand, or NULL. */
static void *cache_take(struct kmem_cache *cache, void *fresh_page)
{
    void *object = NULL;
    enum status status;

    spinlock_lock(&cache->lock);
    if (fresh_page != NULL) {
        status = slab_add_page(&cache->slab, fresh_page);
        ASSERT(status == STATUS_OK);
    }
    status = slab_alloc(&cache->slab, &object);
    spinlock_unlock(&cache->lock);
    ASSERT(status == STATUS_OK || status == STATUS_NO_MEMORY); /* CORRUPT: used after its free */
    return status == STATUS_OK ? object : NULL;
}

void *kmem_alloc(struct kmem_cache *cache)
{
    void *object = cache_take(cache, NULL);
    paddr_t frame;

    work_allocation();
    if (object == NULL && frame_alloc(&frame) == STATUS_OK) {
        object = cache_take(cache, arch_frame_pointer(frame));
        ASSERT(object != NULL);
    }
    return object;
}

/* Takes out one empty page when the cache has more than `kept` of them; NULL: it has not. */
static void *cache_take_empty(struct kmem_cache *cache, uint64_t kept)
{
    void *page = NULL;

    spinlock_lock(&cache->lock);
    if (cache->slab.empty_count > kept) {
        page = slab_take_empty_page(&cache->slab);
    }
    spinlock_unlock(&cache->lock);
    return page;
}

void kmem_free(struct kmem_cache *cache, void *object)
{
    enum status status;
    void *page;

    spinlock_lock(&cache->lock);
    status = slab_free(&cache->slab, object);
    spinlock_unlock(&cache->lock);
    ASSERT(status == STATUS_OK);
    page = cache_take_empty(cache, EMPTY_PAGES_KEPT);
    if (page != NULL) {
        frame_free(arch_pointer_frame(page));
    }
}

uint64_t kmem_frames(void)
{
    uint64_t frames = 0;

    for (unsigned i = 0; i < KMEM_CACHES_MAX && kmem_caches[i] != NULL; i++) {
        spinlock_lock(&kmem_caches[i]->lock);
        frames += kmem_caches[i]->slab.page_count;
        spinlock_unlock(&kmem_caches[i]->lock);
    }
    return frames;
}

uint64_t kmem_in_use(struct kmem_cache *cache)
{
    uint64_t count;

    spinlock_lock(&cache->lock);
    count = cache->slab.used_count;
    spinlock_unlock(&cache->lock);
    return count;
}

void kmem_reclaim(void)
{
    for (unsigned i = 0; i < KMEM_CACHES_MAX && kmem_caches[i] != NULL; i++) {
        void *page;

        while ((page = cache_take_empty(kmem_caches[i], 0)) != NULL) {
            frame_free(arch_pointer_frame(page));
        }
    }
}

void kmem_report(void)
{
    for (unsigned i = 0; i < KMEM_CACHES_MAX && kmem_caches[i] != NULL; i++) {
        uint64_t count = kmem_in_use(kmem_caches[i]);

        if (count != 0) {
            log_line(LOG_ERROR, "census: %llu objects \"%s\"", (unsigned long long)count,
                     kmem_caches[i]->name);
        }
    }
}

/* Invariant 3 for the cache at `index`. */
static bool cache_is_listed_once(unsigned index)
{
    for (unsigned i = 0; i < KMEM_CACHES_MAX; i++) {
        if (i != index && kmem_caches[i] == kmem_caches[index]) {
            return false;
        }
    }
    return index == 0 || kmem_caches[index - 1] != NULL;
}

unsigned kmem_check(void)
{
    unsigned broken = 0;

    for (unsigned i = 0; i < KMEM_CACHES_MAX && broken == 0; i++) {
        if (kmem_caches[i] == NULL) {
            continue;
        }
        if (!cache_is_listed_once(i)) {
            return 3;
        }
        spinlock_lock(&kmem_caches[i]->lock);
        broken = slab_check(&kmem_caches[i]->slab) != 0 ? 1 : 0;
        spinlock_unlock(&kmem_caches[i]->lock);
    }
    return broken;
}
