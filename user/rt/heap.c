/* SPDX-License-Identifier: MIT */
/*
 * The runtime's heap.
 *
 * The memory is a row of blocks without gaps. A block is a head and a body; the head holds the size
 * of both and what the block is. Free neighbours are joined when rt_heap_alloc passes them.
 *
 * Invariants:
 * 1. Sizes are multiples of HEAP_ALIGNMENT, at least two heads, and add up to the memory.
 * 2. Every head's mark is FREE or USED.
 * 3. `used` is the sum of the sizes of the USED blocks.
 */
#include "user/rt/heap.h"

#include "core/assert.h"
#include "core/string.h"

enum block_mark {
    BLOCK_FREE = 0x46726565,
    BLOCK_USED = 0x55736564,
};

struct block {
    uint64_t size;
    uint32_t mark; /* enum block_mark */
    uint32_t spare;
};
_Static_assert(sizeof(struct block) == HEAP_ALIGNMENT, "a body is as aligned as its head");

static struct block *block_at(const struct rt_heap *heap, size_t offset)
{
    return (struct block *)(void *)(heap->memory + offset);
}

void rt_heap_init(struct rt_heap *heap, void *memory, size_t bytes)
{
    ASSERT((uintptr_t)memory % HEAP_ALIGNMENT == 0);
    ASSERT(bytes % HEAP_ALIGNMENT == 0 && bytes >= 2 * sizeof(struct block));
    *heap = (struct rt_heap){.memory = memory, .bytes = bytes};
    *block_at(heap, 0) = (struct block){.size = bytes, .mark = BLOCK_FREE};
}

/* Joins the free blocks that follow the free block at `offset` to it. */
static void block_join(struct rt_heap *heap, size_t offset)
{
    struct block *block = block_at(heap, offset);

    while (offset + block->size < heap->bytes) {
        struct block *next = block_at(heap, offset + block->size);

        if (next->mark != BLOCK_FREE) {
            break;
        }
        next->mark = 0;
        block->size += next->size;
    }
}

/* Leaves `size` bytes in the block at `offset` and makes a free block of the rest, if it is one. */
static void block_split(struct rt_heap *heap, size_t offset, size_t size)
{
    struct block *block = block_at(heap, offset);

    if (block->size - size >= 2 * sizeof(struct block)) {
        *block_at(heap, offset + size) =
            (struct block){.size = block->size - size, .mark = BLOCK_FREE};
        block->size = size;
    }
}

void *rt_heap_alloc(struct rt_heap *heap, size_t bytes)
{
    size_t size;

    if (bytes > heap->bytes) {
        return NULL;
    }
    size = sizeof(struct block) + (bytes + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT * HEAP_ALIGNMENT;
    if (size < 2 * sizeof(struct block)) {
        size = 2 * sizeof(struct block);
    }
    for (size_t offset = 0; offset < heap->bytes; offset += block_at(heap, offset)->size) {
        struct block *block = block_at(heap, offset);

        if (block->mark != BLOCK_FREE) {
            ASSERT(block->mark == BLOCK_USED); /* invariant 2 */
            continue;
        }
        block_join(heap, offset);
        if (block->size >= size) {
            block_split(heap, offset, size);
            block->mark = BLOCK_USED;
            heap->used += block->size;
            memset(block + 1, 0, block->size - sizeof(*block));
            return block + 1;
        }
    }
    return NULL;
}

void rt_heap_free(struct rt_heap *heap, void *pointer)
{
    struct block *block;

    if (pointer == NULL) {
        return;
    }
    block = (struct block *)pointer - 1;
    ASSERT((uint8_t *)block >= heap->memory && (uint8_t *)block < heap->memory + heap->bytes);
    ASSERT(block->mark == BLOCK_USED);
    ASSERT(heap->used >= block->size);
    heap->used -= block->size;
    block->mark = BLOCK_FREE;
}

unsigned rt_heap_check(const struct rt_heap *heap)
{
    size_t used = 0;
    size_t offset = 0;

    while (offset < heap->bytes) {
        const struct block *block = block_at(heap, offset);

        if (block->size % HEAP_ALIGNMENT != 0 || block->size < 2 * sizeof(struct block) ||
            block->size > heap->bytes - offset) {
            return 1;
        }
        if (block->mark != BLOCK_FREE && block->mark != BLOCK_USED) {
            return 2;
        }
        used += block->mark == BLOCK_USED ? block->size : 0;
        offset += block->size;
    }
    return used == heap->used ? 0 : 3;
}
