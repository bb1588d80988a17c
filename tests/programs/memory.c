/* SPDX-License-Identifier: MIT */
/*
 * VirtualMemory from a program: what it maps is zero, writable as asked and gone when unmapped;
 * what it must not ask for is refused. By its name, "memory-unmapped" touches memory after
 * unmapping it, "memory-protected" writes after giving up the right to. Needs "virtual-memory".
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/memory.h"

enum {
    PAGES = 16,
    ROUNDS = 50,
};

#define PLACE UINT64_C(0x0000300000000000)
#define BYTES ((uint64_t)PAGES * LIMIT_PAGE_BYTES)

static struct virtual_memory held(struct check *check)
{
    struct virtual_memory memory = {.cap = {.raw = 0}};

    CHECK_EQUAL(check,
                rt_find(check->rt, "virtual-memory", VIRTUAL_MEMORY_INTERFACE_ID, &memory.cap),
                TRANSPORT_OK);
    return memory;
}

static volatile uint8_t *byte_at(uint64_t address)
{
    return (volatile uint8_t *)(uintptr_t)address;
}

static int32_t map(struct check *check, struct virtual_memory memory,
                   enum memory_protection protection, uint64_t address, uint64_t bytes)
{
    struct memory_range range = {.address = address, .bytes = bytes};

    return memory_client_map(check->rt, memory, protection, &range);
}

static void use(struct check *check, struct virtual_memory memory)
{
    struct memory_range range = {.address = PLACE, .bytes = BYTES};

    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned dirty = 0;

        CHECK_EQUAL(check, map(check, memory, MEMORY_PROTECTION_READ_WRITE, PLACE, BYTES), 0);
        for (uint64_t i = 0; i < BYTES; i += 64) {
            dirty += *byte_at(PLACE + i) != 0;
            *byte_at(PLACE + i) = 0xee; /* the next round must not see it */
        }
        CHECK_EQUAL(check, dirty, 0);
        CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, range), 0);
    }
}

static void refused(struct check *check, struct virtual_memory memory)
{
    struct memory_range range = {.address = PLACE, .bytes = BYTES};
    const enum memory_protection writable = MEMORY_PROTECTION_READ_WRITE;

    CHECK_EQUAL(check, map(check, memory, writable, PLACE + 1, BYTES), EXCEPTION_REASON_MISALIGNED);
    CHECK_EQUAL(check, map(check, memory, writable, PLACE, 100), EXCEPTION_REASON_MISALIGNED);
    CHECK_EQUAL(check, map(check, memory, writable, PLACE, 0), EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, map(check, memory, writable, LIMIT_USER_MAX - LIMIT_PAGE_BYTES, BYTES),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, map(check, memory, writable, UINT64_C(0xffffffff80100000), BYTES),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, map(check, memory, writable, UINT64_MAX - 4095, BYTES),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, map(check, memory, writable, PLACE, UINT64_MAX - 4095),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, map(check, memory, writable, 0x400000, BYTES),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, map(check, memory, (enum memory_protection)9, PLACE, BYTES),
                EXCEPTION_REASON_INVALID_ARGUMENT);
    CHECK_EQUAL(check, map(check, memory, writable, PLACE, LIMIT_PAGE_BYTES), 0);
    CHECK_EQUAL(check, map(check, memory, writable, PLACE, BYTES), EXCEPTION_REASON_ALREADY_EXISTS);
    /* Nothing of the refused request was mapped. */
    CHECK_EQUAL(
        check, map(check, memory, writable, PLACE + LIMIT_PAGE_BYTES, BYTES - LIMIT_PAGE_BYTES), 0);
    CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, range), 0);
    CHECK_EQUAL(check,
                memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ,
                                      (struct memory_range){PLACE, LIMIT_PAGE_BYTES}),
                EXCEPTION_REASON_NOT_FOUND);
}

static void protect(struct check *check, struct virtual_memory memory)
{
    struct memory_range range = {.address = PLACE, .bytes = LIMIT_PAGE_BYTES};

    CHECK_EQUAL(check, map(check, memory, MEMORY_PROTECTION_READ_WRITE, PLACE, range.bytes), 0);
    *byte_at(PLACE) = 0xc3; /* ret */
    CHECK_EQUAL(check,
                memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ_EXECUTE, range), 0);
    ((void (*)(void))(uintptr_t)PLACE)();
    CHECK_EQUAL(check, *byte_at(PLACE), 0xc3);
    CHECK_EQUAL(check, memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ, range), 0);
    CHECK_EQUAL(check, *byte_at(PLACE), 0xc3);
}

/* `syscall` in the last two bytes of the user half: the next address is LIMIT_USER_MAX. */
static void edge(struct check *check, struct virtual_memory memory)
{
    struct memory_range range = {.address = LIMIT_USER_MAX - LIMIT_PAGE_BYTES,
                                 .bytes = LIMIT_PAGE_BYTES};
    uint64_t last = LIMIT_USER_MAX - 2;

    (void)map(check, memory, MEMORY_PROTECTION_READ_WRITE, range.address, range.bytes);
    *byte_at(last) = 0x0f;
    *byte_at(last + 1) = 0x05;
    (void)memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ_EXECUTE, range);
    ((void (*)(void))(uintptr_t)last)();
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct virtual_memory memory = held(&check);
    struct memory_range range = {.address = PLACE, .bytes = LIMIT_PAGE_BYTES};

    if (rt_name_is(rt, "memory-unmapped")) {
        (void)map(&check, memory, MEMORY_PROTECTION_READ_WRITE, PLACE, range.bytes);
        *byte_at(PLACE) = 1;
        (void)memory_client_unmap(rt, memory, range);
        *byte_at(PLACE) = 1;
        return 1;
    }
    if (rt_name_is(rt, "memory-protected")) {
        (void)map(&check, memory, MEMORY_PROTECTION_READ_WRITE, PLACE, range.bytes);
        *byte_at(PLACE) = 1;
        (void)memory_client_protect(rt, memory, MEMORY_PROTECTION_READ, range);
        *byte_at(PLACE) = 1;
        return 1;
    }
    if (rt_name_is(rt, "memory-edge")) {
        edge(&check, memory);
        return 1;
    }
    use(&check, memory);
    refused(&check, memory);
    protect(&check, memory);
    return check_end(&check);
}
