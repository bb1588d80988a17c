/* SPDX-License-Identifier: MIT */
/*
 * The ring client.
 *
 * Vocabulary: an operation is one submission with its completion; a slot is the client's record of
 * it; a block is RT_RING_BLOCK_BYTES of arena. user_data carries the slot and its generation, so
 * that a completion can never be taken for that of an earlier user of the slot.
 *
 * A slot: FREE -- rt_ring_submit --> PENDING -- completion seen (rt_ring_collect) --> DONE
 *         -- rt_ring_poll, rt_ring_wait --> FREE, generation + 1 at the next submit.
 *
 * Invariants:
 * 1. `tail` and `head` equal the header's sq_tail and cq_head: nobody else writes those.
 * 2. in_flight is the number of PENDING slots and never exceeds the completion queue.
 * 3. `lent` is the union of the PENDING slots' lent sets, and a subset of `allocated`.
 * 4. The lent sets of two slots are disjoint: one buffer, one owner.
 */
#include "user/rt/rt_ring.h"

#include "core/assert.h"
#include "core/string.h"
#include "user/rt/clock.h"
#include "user/rt/syscall.h"

enum {
    SLOT_BITS = 7,
    SLOT_MASK = (1 << SLOT_BITS) - 1,
};
_Static_assert(RT_RING_OPERATIONS == 1 << SLOT_BITS, "a slot number fits its bits");
_Static_assert((int)RT_RING_LONE < (int)RT_RING_OPERATIONS,
               "generations begin at 1: no id is so low");
_Static_assert(RT_RING_BLOCKS % 64 == 0, "blocks fill whole words");

/* ---- blocks ---------------------------------------------------------------------------------- */

static bool blocks_has(const struct rt_blocks *blocks, uint32_t block)
{
    return (blocks->word[block / 64] >> (block % 64) & 1) != 0;
}

static void blocks_set(struct rt_blocks *blocks, uint32_t first, uint32_t count)
{
    for (uint32_t block = first; block < first + count; block++) {
        blocks->word[block / 64] |= UINT64_C(1) << (block % 64);
    }
}

static void blocks_clear(struct rt_blocks *blocks, uint32_t first, uint32_t count)
{
    for (uint32_t block = first; block < first + count; block++) {
        blocks->word[block / 64] &= ~(UINT64_C(1) << (block % 64));
    }
}

/* Free blocks in a row from `first` on, as far as `wanted`. */
static uint32_t blocks_run(const struct rt_blocks *blocks, uint32_t first, uint32_t wanted)
{
    uint32_t count = 0;

    while (count < wanted && first + count < RT_RING_BLOCKS && !blocks_has(blocks, first + count)) {
        count++;
    }
    return count;
}

static uint32_t blocks_for(uint32_t size)
{
    return size == 0 ? 1 : (size + RT_RING_BLOCK_BYTES - 1) / RT_RING_BLOCK_BYTES;
}

struct rt_buffer rt_buffer_alloc(struct rt_ring *ring, uint32_t size)
{
    uint32_t first = 0;
    uint32_t wanted;
    uint8_t *bytes;

    if (size > ring->arena_bytes) {
        return (struct rt_buffer){.bytes = NULL};
    }
    wanted = blocks_for(size);
    while (first + wanted <= ring->arena_bytes / RT_RING_BLOCK_BYTES) {
        uint32_t run = blocks_run(&ring->allocated, first, wanted);

        if (run == wanted) {
            bytes = ring->arena + (size_t)first * RT_RING_BLOCK_BYTES;
            blocks_set(&ring->allocated, first, wanted);
            memset(bytes, 0, (size_t)wanted * RT_RING_BLOCK_BYTES);
            return (struct rt_buffer){.bytes = bytes, .size = size};
        }
        first += run + 1;
    }
    return (struct rt_buffer){.bytes = NULL};
}

/* The first block of a buffer; asserts that it is one of ours. */
static uint32_t buffer_block(const struct rt_ring *ring, struct rt_buffer buffer)
{
    size_t offset = (size_t)(buffer.bytes - ring->arena);

    ASSERT(buffer.bytes >= ring->arena && offset < ring->arena_bytes);
    ASSERT(offset % RT_RING_BLOCK_BYTES == 0);
    ASSERT(buffer.size <= ring->arena_bytes - offset);
    return (uint32_t)(offset / RT_RING_BLOCK_BYTES);
}

void rt_buffer_free(struct rt_ring *ring, struct rt_buffer buffer)
{
    uint32_t first;
    uint32_t count = blocks_for(buffer.size);

    if (buffer.bytes == NULL) {
        return;
    }
    first = buffer_block(ring, buffer);
    for (uint32_t block = first; ring->checks && block < first + count; block++) {
        ASSERT(blocks_has(&ring->allocated, block));
        ASSERT(!blocks_has(&ring->lent, block)); /* invariant 3: the kernel still has it */
    }
    if (ring->checks) {
        memset(buffer.bytes, RT_RING_POISON, (size_t)count * RT_RING_BLOCK_BYTES);
    }
    blocks_clear(&ring->allocated, first, count);
}

uint32_t rt_ring_blocks_used(const struct rt_ring *ring)
{
    uint32_t used = 0;

    for (uint32_t block = 0; block < RT_RING_BLOCKS; block++) {
        used += blocks_has(&ring->allocated, block);
    }
    return used;
}

/* Marks the arena blocks of a user range as the kernel's for one operation. Ranges elsewhere are
 * not tracked. */
static void range_lend(struct rt_ring *ring, struct rt_slot *slot, uint64_t address, uint64_t bytes)
{
    uint64_t base = (uint64_t)(uintptr_t)ring->arena;
    uint32_t last;

    if (bytes == 0 || address < base || address - base >= ring->arena_bytes ||
        bytes > ring->arena_bytes - (address - base)) {
        return;
    }
    last = (uint32_t)((address - base + bytes - 1) / RT_RING_BLOCK_BYTES);
    for (uint32_t block = (uint32_t)((address - base) / RT_RING_BLOCK_BYTES); block <= last;
         block++) {
        ASSERT(blocks_has(&ring->allocated, block));
        ASSERT(!blocks_has(&ring->lent, block)); /* invariant 4 */
        blocks_set(&slot->lent, block, 1);
    }
}

static void slot_lend(struct rt_ring *ring, struct rt_slot *slot, const struct sqe *entry)
{
    uint64_t message_bytes = entry->message_bytes;

    if (entry->transfers != 0) {
        message_bytes = (message_bytes + 7) / 8 * 8 + entry->transfers * sizeof(struct transfer);
    }
    range_lend(ring, slot, entry->message, message_bytes);
    range_lend(ring, slot, entry->result, entry->result_bytes);
    for (size_t i = 0; i < ARRAY_COUNT(ring->lent.word); i++) {
        ring->lent.word[i] |= slot->lent.word[i];
    }
}

static void slot_take_back(struct rt_ring *ring, struct rt_slot *slot)
{
    for (size_t i = 0; i < ARRAY_COUNT(ring->lent.word); i++) {
        ring->lent.word[i] &= ~slot->lent.word[i];
        slot->lent.word[i] = 0;
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static bool size_is_valid(uint32_t size, uint32_t max)
{
    return size != 0 && size <= max && (size & (size - 1)) == 0;
}

bool rt_ring_init(struct rt_ring *ring, struct ring_header *header, uint64_t clock_hertz)
{
    uint8_t *base = (uint8_t *)header;

    if (header->magic != RING_MAGIC || header->version != RING_VERSION ||
        !size_is_valid(header->sq_entries, LIMIT_SQ_ENTRIES) ||
        !size_is_valid(header->cq_entries, LIMIT_CQ_ENTRIES) ||
        !size_is_valid(header->arena_bytes, LIMIT_ARENA_BYTES_MAX)) {
        return false;
    }
    memset(ring, 0, sizeof(*ring));
    ring->header = header;
    ring->clock_hertz = clock_hertz;
    ring->submissions = (struct sqe *)(base + header->sq_offset);
    ring->completions = (const struct cqe *)(base + header->cq_offset);
    ring->arena = base + header->arena_offset;
    ring->arena_bytes =
        header->arena_bytes < LIMIT_ARENA_BYTES ? header->arena_bytes : LIMIT_ARENA_BYTES;
    ring->sq_mask = header->sq_entries - 1;
    ring->cq_mask = header->cq_entries - 1;
    ring->tail = ring_load_own(&header->sq_tail);
    ring->head = ring_load_own(&header->cq_head);
    ring->checks = true;
    return true;
}

/* The slot of a live operation; NULL: the operation is over. */
static struct rt_slot *operation_slot(struct rt_ring *ring, struct rt_operation operation)
{
    struct rt_slot *slot = &ring->slot[operation.id & SLOT_MASK];

    if (slot->state == RT_SLOT_FREE || slot->generation != operation.id >> SLOT_BITS) {
        return NULL;
    }
    return slot;
}

/* Takes in every completion that has come. */
static void rt_ring_collect(struct rt_ring *ring)
{
    uint32_t tail = ring_load_peer(&ring->header->cq_tail);

    if (tail == ring->head) {
        return;
    }
    while (ring->head != tail) {
        struct cqe completion = ring->completions[ring->head & ring->cq_mask];
        struct rt_slot *slot =
            operation_slot(ring, (struct rt_operation){.id = completion.user_data});

        ring->head++;
        ASSERT((completion.user_data & RT_RING_OWN) == 0); /* rt_ring_taken comes first */
        if (completion.user_data == RT_RING_LONE) {
            ring->lone = completion;
            ring->lone_done = true;
            continue;
        }
        if (slot == NULL || slot->state != RT_SLOT_PENDING) {
            ring->strays++;
            continue;
        }
        slot->completion = completion;
        slot->state = RT_SLOT_DONE;
        ring->in_flight--;
        if (ring->checks) {
            slot_take_back(ring, slot);
        }
    }
    ring_publish(&ring->header->cq_head, ring->head);
}

/* A free slot, its generation fresh; NULL: all are in use. */
static struct rt_slot *slot_find(struct rt_ring *ring)
{
    for (uint32_t i = 0; i < RT_RING_OPERATIONS; i++) {
        struct rt_slot *slot = &ring->slot[(ring->next_slot + i) % RT_RING_OPERATIONS];

        if (slot->state == RT_SLOT_FREE) {
            ring->next_slot = (ring->next_slot + i + 1) % RT_RING_OPERATIONS;
            slot->generation++;
            if (slot->generation == 0) {
                slot->generation = 1;
            }
            return slot;
        }
    }
    return NULL;
}

int32_t rt_ring_submit(struct rt_ring *ring, const struct sqe *entry,
                       struct rt_operation *operation)
{
    struct rt_slot *slot;
    struct sqe *place;

    if (ring->tail - ring_load_peer(&ring->header->sq_head) > ring->sq_mask) {
        int32_t status = rt_ring_enter(ring, 0, 0);

        if (status != TRANSPORT_OK) {
            return status;
        }
        if (ring->tail - ring_load_peer(&ring->header->sq_head) > ring->sq_mask) {
            return TRANSPORT_LIMIT;
        }
    }
    slot = slot_find(ring);
    if (slot == NULL) {
        return TRANSPORT_LIMIT;
    }
    operation->id = (uint64_t)slot->generation << SLOT_BITS | (uint64_t)(slot - ring->slot);
    slot->state = RT_SLOT_PENDING;
    ring->in_flight++;
    if (ring->checks) {
        slot_lend(ring, slot, entry);
    }
    place = &ring->submissions[ring->tail & ring->sq_mask];
    *place = *entry;
    place->user_data = operation->id;
    ring->tail++;
    ring_publish(&ring->header->sq_tail, ring->tail);
    return TRANSPORT_OK;
}

int32_t rt_ring_enter(struct rt_ring *ring, uint32_t min_complete, uint64_t timeout_ns)
{
    int64_t result = rt_syscall_cap_enter(min_complete, timeout_ns);

    if (result < 0) {
        return (int32_t)result;
    }
    rt_ring_collect(ring);
    return TRANSPORT_OK;
}

bool rt_ring_poll(struct rt_ring *ring, struct rt_operation operation, struct cqe *completion)
{
    struct rt_slot *slot;

    rt_ring_collect(ring);
    slot = operation_slot(ring, operation);
    if (slot == NULL || slot->state != RT_SLOT_DONE) {
        return false;
    }
    *completion = slot->completion;
    slot->state = RT_SLOT_FREE;
    return true;
}

int32_t rt_ring_wait(struct rt_ring *ring, struct rt_operation operation, uint64_t timeout_ns,
                     struct cqe *completion)
{
    uint64_t deadline = clock_deadline(ring->clock_hertz, timeout_ns);
    bool late = false;

    if (operation_slot(ring, operation) == NULL) {
        return TRANSPORT_BAD_TOKEN;
    }
    while (!rt_ring_poll(ring, operation, completion)) {
        uint64_t left_ns = clock_left_ns(ring->clock_hertz, deadline);
        int32_t status;

        if (late) {
            return TRANSPORT_TIMEOUT;
        }
        late = left_ns == 0; /* one last look, which also submits what waits to be */
        status = rt_ring_enter(ring, late ? 0 : 1, left_ns);
        if (status != TRANSPORT_OK && status != TRANSPORT_INTERRUPTED) {
            return status;
        }
    }
    return TRANSPORT_OK;
}

/* The first of the operations that is done, without looking for new completions; `count`: none. */
static uint32_t first_done(struct rt_ring *ring, const struct rt_operation *operations,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct rt_slot *slot = operation_slot(ring, operations[i]);

        if (slot != NULL && slot->state == RT_SLOT_DONE) {
            return i;
        }
    }
    return count;
}

int32_t rt_ring_wait_any(struct rt_ring *ring, const struct rt_operation *operations,
                         uint32_t count, uint32_t *which)
{
    for (;;) {
        int32_t status;

        /* Taken in once, then looked at: what comes later ends the wait in the kernel. */
        rt_ring_collect(ring);
        *which = first_done(ring, operations, count);
        if (*which < count) {
            return TRANSPORT_OK;
        }
        status = rt_ring_enter(ring, 1, TIMEOUT_NONE);
        if (status != TRANSPORT_OK && status != TRANSPORT_INTERRUPTED) {
            return status;
        }
    }
}

int32_t rt_ring_lone_wait(struct rt_ring *ring, struct cqe *completion)
{
    rt_ring_collect(ring);
    while (!ring->lone_done) {
        int32_t status = rt_ring_enter(ring, 1, TIMEOUT_NONE);

        if (status != TRANSPORT_OK && status != TRANSPORT_INTERRUPTED) {
            return status;
        }
    }
    ring->lone_done = false;
    *completion = ring->lone;
    return TRANSPORT_OK;
}

int32_t rt_ring_do_watched(struct rt_ring *ring, const struct sqe *entry, struct cqe *completion)
{
    struct rt_operation operation;
    int32_t status = rt_ring_submit(ring, entry, &operation);

    if (status != TRANSPORT_OK) {
        return status;
    }
    return rt_ring_wait(ring, operation, TIMEOUT_NONE, completion);
}

static struct rt_outcome outcome_of(int32_t status, const struct cqe *completion)
{
    return status != TRANSPORT_OK
               ? (struct rt_outcome){.result = status}
               : (struct rt_outcome){.result = completion->result, .cap = completion->cap[0]};
}

struct rt_outcome rt_ring_short_watched(struct rt_ring *ring, enum opcode opcode, struct cap_id cap,
                                        uint64_t second)
{
    const struct sqe entry = {.opcode = (uint8_t)opcode, .cap = cap, .interface_id = second};
    struct cqe completion;
    int32_t status = rt_ring_do_watched(ring, &entry, &completion);

    return outcome_of(status, &completion);
}

struct rt_outcome rt_ring_short_wait(struct rt_ring *ring)
{
    struct cqe completion;
    int32_t status = rt_ring_lone_wait(ring, &completion);

    return outcome_of(status, &completion);
}
