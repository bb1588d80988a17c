/* SPDX-License-Identifier: MIT */
/*
 * Slab cache.
 *
 * A page begins with its head: a bitmap of the objects in use, their number, the link of the list
 * the page is on. Objects follow at multiples of the stride. A page is on exactly one list: empty
 * (no object in use), partial, or full; allocation takes from partial first, so that pages drain.
 *
 * Invariants (slab_check):
 *  1. Each list is whole and their lengths add up to page_count; empty_count is that of `empty`.
 *  2. A page's count is the number of bits set in its bitmap, and no bit is set beyond
 *     objects_in_page.
 *  3. The count says which list the page is on.
 *  4. used_count is the sum of the pages' counts, at most objects_max when that is not 0.
 *  5. With poison, every free object of every page holds SLAB_POISON.
 *
 * Locks: the caller's. What can fail: see slab.h; freeing a pointer that is no object is refused,
 * never believed.
 */
#include "core/slab.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"

struct slab_page {
    struct list_node node;
    struct slab_cache *cache; /* whose page this is */
    uint32_t used;
    uint32_t spare;
    uint64_t in_use[SLAB_BITMAP_WORDS]; /* bit i: object i is handed out, or out of use for good */
};

static struct slab_page *page_of_node(struct list_node *node)
{
    return CONTAINER_OF(node, struct slab_page, node);
}

static uint8_t *object_at(const struct slab_cache *cache, struct slab_page *page, uint32_t index)
{
    return (uint8_t *)page + cache->first_offset + (size_t)index * cache->stride;
}

enum status slab_init(struct slab_cache *cache, const struct slab_config *config)
{
    uint32_t objects;

    if (config->object_size == 0 || !is_power_of_two(config->object_align) ||
        config->object_align > SLAB_PAGE_SIZE_MIN || !is_power_of_two(config->page_size) ||
        config->page_size < SLAB_PAGE_SIZE_MIN) {
        return STATUS_INVALID_ARGUMENT;
    }
    if (config->object_size > config->page_size) {
        return STATUS_TOO_LARGE;
    }
    memset(cache, 0, sizeof(*cache));
    cache->config = *config;
    cache->stride = (uint32_t)align_up(config->object_size, config->object_align);
    cache->first_offset =
        (uint32_t)align_up((uint32_t)sizeof(struct slab_page), config->object_align);
    if (cache->first_offset >= config->page_size) {
        return STATUS_TOO_LARGE;
    }
    objects = (config->page_size - cache->first_offset) / cache->stride;
    if (objects == 0) {
        return STATUS_TOO_LARGE;
    }
    cache->objects_in_page = objects < SLAB_OBJECTS_MAX ? objects : SLAB_OBJECTS_MAX;
    list_init(&cache->partial);
    list_init(&cache->full);
    list_init(&cache->empty);
    return STATUS_OK;
}

enum status slab_add_page(struct slab_cache *cache, void *memory)
{
    struct slab_page *page = memory;

    if ((uintptr_t)memory % cache->config.page_size != 0) {
        return STATUS_MISALIGNED;
    }
    memset(page, 0, sizeof(*page));
    page->cache = cache;
    if (cache->config.poison) {
        memset((uint8_t *)page + cache->first_offset, SLAB_POISON,
               (size_t)cache->objects_in_page * cache->stride);
    }
    list_push_back(&cache->empty, &page->node);
    cache->page_count++;
    cache->empty_count++;
    return STATUS_OK;
}

void *slab_take_empty_page(struct slab_cache *cache)
{
    struct list_node *node = list_pop_front(&cache->empty);

    if (node == NULL) {
        return NULL;
    }
    ASSERT(page_of_node(node)->used == 0);
    cache->page_count--;
    cache->empty_count--;
    page_of_node(node)->cache = NULL;
    return page_of_node(node);
}

/* Puts a page whose count changed from `before` onto the list its count asks for. */
static void page_sort(struct slab_cache *cache, struct slab_page *page, uint32_t before)
{
    struct list *list = &cache->partial;

    if (page->used == 0) {
        list = &cache->empty;
        cache->empty_count++;
    } else if (page->used == cache->objects_in_page) {
        list = &cache->full;
    } else if (before != 0 && before != cache->objects_in_page) {
        return; /* partial before and after */
    }
    if (before == 0) {
        ASSERT(cache->empty_count > 0);
        cache->empty_count--;
    }
    list_remove(&page->node);
    list_push_back(list, &page->node);
}

/* A free object of a page that has one: its bit is set. */
static uint32_t page_take(struct slab_page *page)
{
    uint32_t word = 0;
    uint32_t bit;

    while (page->in_use[word] == UINT64_MAX) {
        word++;
        ASSERT(word < SLAB_BITMAP_WORDS);
    }
    bit = bit_lowest(~page->in_use[word]);
    page->in_use[word] |= UINT64_C(1) << bit;
    return word * 64 + bit;
}

enum status slab_alloc(struct slab_cache *cache, void **object)
{
    struct list_node *node = list_first(&cache->partial);
    struct slab_page *page;
    uint8_t *bytes;

    if (cache->config.objects_max != 0 && cache->used_count >= cache->config.objects_max) {
        return STATUS_LIMIT;
    }
    if (node == NULL) {
        node = list_first(&cache->empty);
    }
    if (node == NULL) {
        return STATUS_NO_MEMORY;
    }
    page = page_of_node(node);
    bytes = object_at(cache, page, page_take(page));
    ASSERT(page->cache == cache && page->used < cache->objects_in_page);
    page->used++;
    cache->used_count++;
    if (cache->used_count > cache->used_peak) {
        cache->used_peak = cache->used_count;
    }
    page_sort(cache, page, page->used - 1);
    *object = bytes;
    if (cache->config.poison && !bytes_all(bytes, cache->stride, SLAB_POISON)) {
        return STATUS_CORRUPT;
    }
    memset(bytes, 0, cache->stride);
    return STATUS_OK;
}

enum status slab_free(struct slab_cache *cache, void *object)
{
    uintptr_t address = (uintptr_t)object;
    uintptr_t base = address & ~((uintptr_t)cache->config.page_size - 1);
    struct slab_page *page = (struct slab_page *)base;
    uintptr_t offset = address - base;
    uint32_t index;
    uint64_t bit;

    if (object == NULL || page->cache != cache || offset < cache->first_offset ||
        (offset - cache->first_offset) % cache->stride != 0) {
        return STATUS_INVALID_ARGUMENT;
    }
    index = (uint32_t)((offset - cache->first_offset) / cache->stride);
    if (index >= cache->objects_in_page) {
        return STATUS_INVALID_ARGUMENT;
    }
    bit = UINT64_C(1) << (index % 64);
    if ((page->in_use[index / 64] & bit) == 0) {
        return STATUS_NOT_ALLOCATED;
    }
    if (cache->config.poison) {
        memset(object, SLAB_POISON, cache->stride);
    }
    ASSERT(page->used > 0 && cache->used_count > 0);
    page->in_use[index / 64] &= ~bit;
    page->used--;
    cache->used_count--;
    page_sort(cache, page, page->used + 1);
    return STATUS_OK;
}

/* The bits of word `word` of a page's map that stand for an object. */
static uint64_t bits_of_objects(const struct slab_cache *cache, uint32_t word)
{
    uint32_t first = word * 64;

    return cache->objects_in_page <= first        ? 0
           : cache->objects_in_page - first >= 64 ? UINT64_MAX
                                                  : bits_below(cache->objects_in_page - first);
}

/* Invariants 2 and 5 of one page, and 3 against the list it was found on. */
static unsigned page_check(const struct slab_cache *cache, const struct list *list,
                           struct slab_page *page)
{
    uint32_t used = 0;

    for (uint32_t word = 0; word < ARRAY_COUNT(page->in_use); word++) {
        uint64_t objects = bits_of_objects(cache, word);
        uint64_t unused = objects & ~page->in_use[word];

        used += bit_count(page->in_use[word]);
        if ((page->in_use[word] & ~objects) != 0) {
            return 2;
        }
        for (; cache->config.poison && unused != 0; unused &= unused - 1) {
            uint32_t index = word * 64 + bit_lowest(unused);

            if (!bytes_all(object_at(cache, page, index), cache->stride, SLAB_POISON)) {
                return 5;
            }
        }
    }
    if (used != page->used || page->cache != cache) {
        return 2;
    }
    if ((list == &cache->empty) != (used == 0) ||
        (list == &cache->full) != (used == cache->objects_in_page)) {
        return 3;
    }
    return 0;
}

unsigned slab_check(const struct slab_cache *cache)
{
    const struct list *const lists[] = {&cache->partial, &cache->full, &cache->empty};
    uint64_t pages = 0;
    uint64_t used = 0;

    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        size_t length;

        if (list_check(lists[i], (size_t)cache->page_count, &length) != 0) {
            return 1;
        }
        pages += length;
        if (lists[i] == &cache->empty && length != cache->empty_count) {
            return 1;
        }
        for (struct list_node *node = list_first(lists[i]); node != NULL;
             node = list_next(lists[i], node)) {
            unsigned broken = page_check(cache, lists[i], page_of_node(node));

            if (broken != 0) {
                return broken;
            }
            used += page_of_node(node)->used;
        }
    }
    if (pages != cache->page_count) {
        return 1;
    }
    if (used != cache->used_count ||
        (cache->config.objects_max != 0 && used > cache->config.objects_max)) {
        return 4;
    }
    return 0;
}
