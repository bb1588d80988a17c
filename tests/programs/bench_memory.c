/* SPDX-License-Identifier: MIT */
/*
 * Memory with as much of it as there may be, as init, so that the measuring kernel sees the longest
 * stretch with interrupts off: an address space of nearly all the regions it may have, each a
 * mapping of an object, protected, unmapped and left in one go; an object with nearly all its
 * mappings, at the end of the longest chain of delegations, revoked; and a revocation of the
 * allocator while nearly a thousand contiguous objects are being made.
 */
#include "abi/atomic.h"
#include "schema/generated/memory.capnp.h"
#include "user/lib/memory.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    OBJECTS = 2,
    PARTS = 120, /* mappings of one object, each of one page, none next to another */
    MAKERS = 13, /* threads, and how many objects each makes; one in eight is revoked */
    MADE = 56,
    MADE_PAGES = 56, /* some ten steps */
    MAKER_PRIORITY = 4,
    SMALL_ARENA_BYTES = LIMIT_PAGE_BYTES,
};

#define PAGE ((uint64_t)LIMIT_PAGE_BYTES)
#define BASE UINT64_C(0x300000000000)

static struct virtual_memory memory;
static struct frame_allocator allocator;

/* Maps every other page of the object, one behind the other. */
static bool scatter(struct rt *rt, struct memory_object object, uint64_t address)
{
    for (unsigned i = 0; i < PARTS; i++) {
        struct memory_range range = {.address = address + i * PAGE, .bytes = PAGE};

        if (memory_client_map_object(rt, memory, (struct memory_part){object, 2 * i * PAGE},
                                     MEMORY_PROTECTION_READ_WRITE, &range) != TRANSPORT_OK) {
            return false;
        }
    }
    return true;
}

static bool fill(struct rt *rt, struct memory_object *object)
{
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (!scatter(rt, object[i], BASE + i * PARTS * PAGE)) {
            return false;
        }
    }
    return true;
}

/* Delegates as often as it may be, one below the other. */
static bool delegate_deep(struct rt *rt, struct cap_id cap, struct rt_delegated *made)
{
    for (unsigned i = 0; i < LIMIT_GRANT_DEPTH; i++) {
        if (rt_delegate(&rt->ring, i == 0 ? cap : made[i - 1].cap, RT_FACET_SAME, &made[i], NULL) !=
            TRANSPORT_OK) {
            return false;
        }
    }
    return true;
}

/* A space full of regions: changed, emptied, and filled again for whoever ends it. */
static bool change_much(struct rt *rt)
{
    const struct memory_range range = {.address = BASE, .bytes = OBJECTS * PARTS * PAGE};
    struct memory_object object[OBJECTS];

    for (unsigned i = 0; i < OBJECTS; i++) {
        if (memory_client_allocate(rt, allocator, 2 * PARTS * PAGE, &object[i]) != TRANSPORT_OK) {
            return false;
        }
    }
    return fill(rt, object) &&
           memory_client_protect(rt, memory, MEMORY_PROTECTION_READ, range) == TRANSPORT_OK &&
           memory_client_unmap(rt, memory, range) == TRANSPORT_OK && fill(rt, object);
}

static bool revoke_mapped(struct rt *rt)
{
    const struct memory_range range = {.address = 2 * BASE, .bytes = PARTS * PAGE};
    struct memory_object object;
    struct rt_delegated made[LIMIT_GRANT_DEPTH];
    struct receipt receipt;

    if (memory_client_allocate(rt, allocator, 2 * PARTS * PAGE, &object) != TRANSPORT_OK) {
        return false;
    }
    return delegate_deep(rt, object.cap, made) &&
           scatter(rt, (struct memory_object){made[LIMIT_GRANT_DEPTH - 1].cap}, 2 * BASE) &&
           rt_revoke(&rt->ring, made[0].handle, &receipt, NULL) == LIMIT_GRANT_DEPTH &&
           receipt.mappings == PARTS && memory_client_unmap(rt, memory, range) == TRANSPORT_OK;
}

/* ---- objects that are being made ------------------------------------------------------------- */

static struct {
    struct cap_id allocator[2]; /* two delegated edges, the second of which is revoked */
    uint64_t go;                /* atomic */
    uint64_t begun;             /* atomic: threads that have */
    uint64_t over;              /* atomic: threads that have ended */
} makes;

/* Less urgent than who revokes, so that nothing is made but what that waits for. */
static int maker(struct rt *rt, void *argument)
{
    struct rt_buffer request = rt_buffer_alloc(&rt->ring, 32);
    struct rt_buffer answer = rt_buffer_alloc(&rt->ring, 512);
    struct sqe entry = {.opcode = OPCODE_CALL,
                        .interface_id = FRAME_ALLOCATOR_INTERFACE_ID,
                        .method = FRAME_ALLOCATOR_METHOD_ALLOCATE,
                        .message = (uintptr_t)request.bytes,
                        .message_bytes = 24,
                        .result = (uintptr_t)answer.bytes,
                        .result_bytes = answer.size};
    uint64_t *words = (uint64_t *)(void *)request.bytes;
    struct rt_operation operation[MADE];
    struct cqe completion;

    (void)argument;
    rt->ring.checks = false;
    words[0] = UINT64_C(2) << 32; /* a structure of two words: the size, and that it is one run */
    words[1] = MADE_PAGES * PAGE;
    words[2] = 1;
    while (atomic_load_acquire_u64(&makes.go) == 0) {
        rt_sleep(rt, 20 * 1000);
    }
    for (unsigned i = 0; i < MADE; i++) {
        entry.cap = makes.allocator[i % 8 == 0];
        if (rt_ring_submit(&rt->ring, &entry, &operation[i]) != TRANSPORT_OK) {
            return 1;
        }
    }
    (void)atomic_add_u64(&makes.begun, 1);
    for (unsigned i = 0; i < MADE; i++) {
        if (rt_ring_wait(&rt->ring, operation[i], TIMEOUT_NONE, &completion) != TRANSPORT_OK) {
            return 1;
        }
    }
    (void)atomic_add_u64(&makes.over, 1);
    return 0;
}

static bool revoke_making(struct rt *rt)
{
    static const struct ring_sizes sizes = {
        .sq_entries = 64, .cq_entries = 128, .arena_bytes = SMALL_ARENA_BYTES};
    static const struct rt_thread_start begin = {.function = maker};
    const struct manifest_scheduling terms = {.priority = MAKER_PRIORITY, .cpu_mask = 1};
    const struct thread_make make = {.begin = &begin, .ring = sizes, .scheduling = &terms};
    struct thread_spawner threads;
    struct thread_handle handle;
    struct rt_delegated made;
    struct rt_delegated deep[LIMIT_GRANT_DEPTH];
    struct receipt receipt;

    if (rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &threads.cap) != TRANSPORT_OK ||
        rt_delegate(&rt->ring, allocator.cap, RT_FACET_SAME, &made, NULL) != TRANSPORT_OK ||
        !delegate_deep(rt, allocator.cap, deep)) {
        return false;
    }
    makes.allocator[0] = deep[LIMIT_GRANT_DEPTH - 1].cap;
    makes.allocator[1] = made.cap;
    for (unsigned i = 0; i < MAKERS; i++) {
        if (thread_client_make(rt, threads, &make, &handle) != TRANSPORT_OK) {
            return false;
        }
    }
    (void)atomic_add_u64(&makes.go, 1);
    while (atomic_load_acquire_u64(&makes.begun) < MAKERS) {
        rt_sleep(rt, 20 * 1000);
    }
    rt_sleep(rt, 4 * 1000 * 1000); /* half of what making them takes */
    if (rt_revoke(&rt->ring, made.handle, &receipt, NULL) != 1) {
        return false;
    }
    (void)rt_print(rt, "bench_memory: %u objects were being made through the revoked edge\n",
                   receipt.calls);
    while (atomic_load_acquire_u64(&makes.over) < MAKERS) {
        rt_sleep(rt, 20 * 1000);
    }
    return receipt.calls > 0;
}

int main(struct rt *rt)
{
    if (rt_find(rt, "virtual-memory", VIRTUAL_MEMORY_INTERFACE_ID, &memory.cap) != TRANSPORT_OK ||
        rt_find(rt, "frame-allocator", FRAME_ALLOCATOR_INTERFACE_ID, &allocator.cap) !=
            TRANSPORT_OK) {
        return 1;
    }
    return revoke_mapped(rt) && revoke_making(rt) && change_much(rt) ? 0 : 1;
}
