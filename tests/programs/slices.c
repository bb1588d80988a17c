/* SPDX-License-Identifier: MIT */
/*
 * Slices of memory objects: what is handed on of an object is what was cut, by every way to it, and
 * ends with the edge that it was cut through.
 *
 * Each page of an object holds its own number, so that a slice shows where it lies.
 *
 * Needs "frame-allocator", "virtual-memory", and 1 grant node.
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/memory.h"
#include "user/rt/cap.h"

enum {
    PAGES = 20,
    AT = 8, /* the slice: pages 8 to 11 */
    LONG = 4,
    WORD = 16, /* offset of the word that is waited at, in its page */
};

#define PAGE            ((uint64_t)LIMIT_PAGE_BYTES)
#define FACET(method)   (UINT64_C(1) << MEMORY_OBJECT_METHOD_##method)
#define FACET_READ_ONLY (FACET(INFO) | FACET(READ) | FACET(MAP_READ) | FACET(SLICE))

static uint64_t charged(struct check *check)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};
    struct memory_quota quota = {.charged = 0};

    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &quota), TRANSPORT_OK);
    return quota.charged;
}

static struct memory_object object_make(struct check *check)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};
    struct memory_object object = {.cap = {.raw = 0}};

    CHECK_EQUAL(check, memory_client_allocate(check->rt, allocator, PAGES * PAGE, &object),
                TRANSPORT_OK);
    for (uint8_t page = 0; page < PAGES; page++) {
        CHECK_EQUAL(
            check,
            memory_client_write(check->rt, object, page * PAGE, (struct capn_data){&page, 1}),
            TRANSPORT_OK);
    }
    return object;
}

static struct memory_object slice(struct check *check, struct memory_object of, uint64_t page,
                                  uint64_t pages)
{
    struct memory_object cut = {.cap = {.raw = 0}};

    CHECK_EQUAL(
        check,
        memory_client_slice(check->rt, (struct memory_part){of, page * PAGE}, pages * PAGE, &cut),
        TRANSPORT_OK);
    return cut;
}

static void drop(struct check *check, struct cap_id cap)
{
    CHECK_EQUAL(check, rt_release(&check->rt->ring, cap), TRANSPORT_OK);
}

/* The number of the page that `page` of an object or slice is. */
static unsigned page_read(struct check *check, struct memory_object object, uint64_t page)
{
    uint8_t byte = UINT8_MAX;

    CHECK_EQUAL(check, memory_client_read(check->rt, object, page * PAGE, &byte, 1), TRANSPORT_OK);
    return byte;
}

static volatile uint8_t *map(struct check *check, struct memory_part part, uint64_t pages,
                             struct memory_range *range)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};

    *range = (struct memory_range){.bytes = pages * PAGE};
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, part, MEMORY_PROTECTION_READ, range),
                TRANSPORT_OK);
    return (volatile uint8_t *)(uintptr_t)range->address;
}

static void unmap(struct check *check, struct memory_range range)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};

    CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, range), TRANSPORT_OK);
}

/* ---- what a slice shows ---------------------------------------------------------------------- */

static void refusals(struct check *check, struct memory_object object, uint64_t bytes)
{
    static const struct {
        uint64_t offset;
        uint64_t bytes;
        int32_t outcome;
    } asked[] = {
        {0, 0, EXCEPTION_REASON_OUT_OF_RANGE},
        {1, PAGE, EXCEPTION_REASON_MISALIGNED},
        {0, PAGE + 8, EXCEPTION_REASON_MISALIGNED},
        {PAGE / 2, PAGE / 2, EXCEPTION_REASON_MISALIGNED},
        {0 - PAGE, PAGE, EXCEPTION_REASON_OUT_OF_RANGE},
        {PAGE, 0 - PAGE, EXCEPTION_REASON_OUT_OF_RANGE},
        {0 - PAGE, 2 * PAGE, EXCEPTION_REASON_OUT_OF_RANGE},
    };
    struct memory_object cut;

    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        CHECK_EQUAL(check,
                    memory_client_slice(check->rt, (struct memory_part){object, asked[i].offset},
                                        asked[i].bytes, &cut),
                    asked[i].outcome);
    }
    CHECK_EQUAL(check,
                memory_client_slice(check->rt, (struct memory_part){object, 0}, bytes + PAGE, &cut),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check,
                memory_client_slice(check->rt, (struct memory_part){object, bytes}, PAGE, &cut),
                EXCEPTION_REASON_OUT_OF_RANGE);
}

/* Reading and writing reach its own pages and no others. */
static void calls(struct check *check, struct memory_object object, struct memory_object cut)
{
    static const uint8_t letter = 200;
    struct memory_extent extent = {.bytes = 0};
    uint8_t byte;

    CHECK_EQUAL(check, memory_client_info(check->rt, cut, &extent), TRANSPORT_OK);
    CHECK_EQUAL(check, extent.bytes, LONG * PAGE);
    CHECK(check, !extent.contiguous && extent.mappings == 0);
    CHECK_EQUAL(check, page_read(check, cut, 0), AT);
    CHECK_EQUAL(check, page_read(check, cut, LONG - 1), AT + LONG - 1);
    CHECK_EQUAL(check, memory_client_read(check->rt, cut, LONG * PAGE + 1, &byte, 1),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, memory_client_read(check->rt, cut, LONG * PAGE, &byte, 1),
                TRANSPORT_BAD_MESSAGE); /* nothing at its end */
    CHECK_EQUAL(check,
                memory_client_write(check->rt, cut, LONG * PAGE, (struct capn_data){&letter, 1}),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, memory_client_write(check->rt, cut, PAGE, (struct capn_data){&letter, 1}),
                TRANSPORT_OK);
    CHECK_EQUAL(check, page_read(check, object, AT + 1), letter);
    byte = AT + 1;
    CHECK_EQUAL(
        check,
        memory_client_write(check->rt, object, (AT + 1) * PAGE, (struct capn_data){&byte, 1}),
        TRANSPORT_OK);
    CHECK_EQUAL(check, page_read(check, cut, 1), AT + 1);
}

static void mapped(struct check *check, struct memory_object object, struct memory_object cut)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};
    struct memory_range range;
    struct memory_range wide = {.bytes = (LONG + 1) * PAGE};
    struct memory_extent extent = {.bytes = 0};
    struct memory_seen seen = {.shared = false};
    volatile uint8_t *bytes = map(check, (struct memory_part){cut, PAGE}, LONG - 1, &range);

    for (unsigned page = 0; page < LONG - 1; page++) {
        CHECK_EQUAL(check, bytes[page * PAGE], AT + 1 + page);
    }
    CHECK_EQUAL(check, memory_client_query(check->rt, memory, range.address, &seen), TRANSPORT_OK);
    CHECK_EQUAL(check, seen.object_offset, PAGE);
    CHECK_EQUAL(check, memory_client_info(check->rt, object, &extent), TRANSPORT_OK);
    CHECK_EQUAL(check, extent.mappings, 1);
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){cut, 0},
                                         MEMORY_PROTECTION_READ, &wide),
                EXCEPTION_REASON_OUT_OF_RANGE);
    wide.bytes = PAGE;
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){cut, LONG * PAGE},
                                         MEMORY_PROTECTION_READ, &wide),
                EXCEPTION_REASON_OUT_OF_RANGE);
    unmap(check, range);
    /* A slice of the slice, and one of that beyond it. */
    {
        struct memory_object inner = slice(check, cut, 1, 2);
        struct memory_object before = slice(check, object, 0, AT);

        refusals(check, inner, 2 * PAGE);
        bytes = map(check, (struct memory_part){inner, PAGE}, 1, &range);
        CHECK_EQUAL(check, bytes[0], AT + 2);
        CHECK_EQUAL(check, memory_client_info(check->rt, before, &extent), TRANSPORT_OK);
        CHECK_EQUAL(check, extent.mappings, 0); /* of what that slice shows */
        unmap(check, range);
        drop(check, inner.cap);
        drop(check, before.cap);
    }
}

/* ---- rights ---------------------------------------------------------------------------------- */

static void read_only(struct check *check, struct memory_object object)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};
    struct rt_duplicate narrower = {.cap = object.cap, .facet = FACET_READ_ONLY};
    struct memory_range range = {.bytes = PAGE};
    struct memory_object narrow;
    struct memory_object cut;
    struct memory_object none;
    struct memory_object one;
    uint8_t byte = 0;

    CHECK_EQUAL(check, rt_duplicate(&check->rt->ring, &narrower, &narrow.cap, NULL), TRANSPORT_OK);
    cut = slice(check, narrow, AT, LONG);
    CHECK_EQUAL(check, page_read(check, cut, 0), AT);
    CHECK_EQUAL(check, memory_client_write(check->rt, cut, 0, (struct capn_data){&byte, 1}),
                TRANSPORT_NO_METHOD);
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){cut, 0},
                                         MEMORY_PROTECTION_READ_WRITE, &range),
                EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    narrower = (struct rt_duplicate){.cap = cut.cap, .facet = MANIFEST_FACET_ALL - 1};
    CHECK_EQUAL(check, rt_duplicate(&check->rt->ring, &narrower, &none.cap, NULL),
                TRANSPORT_NO_METHOD);
    narrower.facet = FACET(READ);
    CHECK_EQUAL(check, rt_duplicate(&check->rt->ring, &narrower, &none.cap, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, page_read(check, none, 1), AT + 1); /* a duplicate is of the slice too */
    CHECK_EQUAL(check, memory_client_slice(check->rt, (struct memory_part){none, 0}, PAGE, &one),
                TRANSPORT_NO_METHOD);
    drop(check, none.cap);
    drop(check, cut.cap);
    drop(check, narrow.cap);
}

/* ---- words ----------------------------------------------------------------------------------- */

static struct sqe word_entry(uint8_t opcode, struct memory_object object, uint64_t address)
{
    return (struct sqe){.opcode = opcode,
                        .cap = object.cap,
                        .address = address,
                        .value = opcode == OPCODE_UNPARK ? 8 : 0};
}

/* Waits at a word through one capability, wakes through another. */
static void waits(struct check *check, struct sqe wait, struct sqe wake)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_operation operation;

    wait.timeout_ns = TIMEOUT_NONE;
    operation = check_submit(check, ring, &wait);
    CHECK_EQUAL(check, rt_ring_enter(ring, 0, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, check_done(check, ring, &wake).result, 1);
    CHECK_EQUAL(check, check_completion(check, ring, operation).result, 0);
}

/* A word has one name, by whatever slice it is reached. */
static void words(struct check *check, struct memory_object object, struct memory_object cut)
{
    struct rt_ring *ring = &check->rt->ring;
    static const uint8_t value = 77;
    struct memory_object inner = slice(check, cut, 2, 1);
    uint64_t inside = (AT + 2) * PAGE + WORD;
    struct sqe entry = word_entry(OPCODE_PARK, cut, LONG * PAGE);

    waits(check, word_entry(OPCODE_PARK, object, inside),
          word_entry(OPCODE_UNPARK, cut, 2 * PAGE + WORD));
    waits(check, word_entry(OPCODE_PARK, inner, WORD), word_entry(OPCODE_UNPARK, object, inside));
    waits(check, word_entry(OPCODE_PARK, cut, 2 * PAGE + WORD),
          word_entry(OPCODE_UNPARK, inner, WORD));
    CHECK_EQUAL(check, check_done(check, ring, &entry).result, TRANSPORT_BAD_BUFFER);
    entry = word_entry(OPCODE_UNPARK, inner, PAGE + WORD);
    CHECK_EQUAL(check, check_done(check, ring, &entry).result, TRANSPORT_BAD_BUFFER);
    entry.address = 0 - PAGE + WORD;
    CHECK_EQUAL(check, check_done(check, ring, &entry).result, TRANSPORT_BAD_BUFFER);
    /* What is compared is the slice's word, not that of the whole at the same offset. */
    CHECK_EQUAL(check, memory_client_write(check->rt, inner, WORD, (struct capn_data){&value, 1}),
                TRANSPORT_OK);
    entry = word_entry(OPCODE_PARK, cut, 2 * PAGE + WORD);
    CHECK_EQUAL(check, check_done(check, ring, &entry).refusal.amount, value);
    /* Nobody waits at the slice's own number of the whole. */
    entry = word_entry(OPCODE_UNPARK, object, WORD);
    CHECK_EQUAL(check, check_done(check, ring, &entry).result, 0);
    drop(check, inner.cap);
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* What was cut through a lent edge goes with it, mappings too; what was cut of the whole stays. */
static void revoked(struct check *check, struct memory_object object)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};
    struct rt_ring *ring = &check->rt->ring;
    struct memory_object own = slice(check, object, AT, LONG);
    struct receipt receipt = {.mappings = 0};
    struct memory_seen seen = {.committed = true};
    struct memory_object cut;
    struct memory_object inner;
    struct memory_object none;
    struct memory_range kept;
    struct memory_range range;
    struct rt_delegated lent;
    uint8_t byte;

    CHECK_EQUAL(check, rt_delegate(ring, object.cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    cut = slice(check, (struct memory_object){lent.cap}, AT, LONG);
    inner = slice(check, cut, 1, 2);
    (void)map(check, (struct memory_part){own, 0}, LONG, &kept);
    CHECK_EQUAL(check, map(check, (struct memory_part){inner, 0}, 2, &range)[PAGE], AT + 2);
    CHECK_EQUAL(check, rt_revoke(ring, lent.handle, &receipt, NULL), 3);
    CHECK_EQUAL(check, receipt.mappings, 2);
    CHECK_EQUAL(check, memory_client_query(check->rt, memory, range.address, &seen), TRANSPORT_OK);
    CHECK(check, !seen.committed);
    CHECK_EQUAL(check, memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ, range),
                EXCEPTION_REASON_REVOKED_CAPABILITY);
    CHECK_EQUAL(check, memory_client_read(check->rt, inner, 0, &byte, 1), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, memory_client_slice(check->rt, (struct memory_part){cut, 0}, PAGE, &none),
                TRANSPORT_REVOKED);
    CHECK_EQUAL(check, page_read(check, own, 1), AT + 1);
    CHECK_EQUAL(check, *(volatile uint8_t *)(uintptr_t)kept.address, AT);
    unmap(check, kept);
    unmap(check, range);
    drop(check, lent.cap);
    drop(check, lent.handle);
    drop(check, cut.cap);
    drop(check, inner.cap);
    /* A slice that is lent is taken back alone. */
    CHECK_EQUAL(check, rt_delegate(ring, own.cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, page_read(check, (struct memory_object){lent.cap}, 0), AT);
    CHECK_EQUAL(check, rt_revoke(ring, lent.handle, NULL, NULL), 1);
    CHECK_EQUAL(check, page_read(check, own, 0), AT);
    drop(check, lent.cap);
    drop(check, lent.handle);
    drop(check, own.cap);
}

/* Waits until `frames` fewer are charged than `before`: if they stay pinned this hangs. */
static void comes_back(struct check *check, uint64_t before, uint64_t frames)
{
    while (charged(check) > before - frames) {
        rt_sleep(check->rt, 1000 * 1000);
    }
}

/* A slice keeps the object, and its charge, and nothing keeps them after it. */
static void outlives(struct check *check)
{
    struct memory_object object = object_make(check);
    struct memory_object cut = slice(check, object, PAGES - 1, 1);
    uint64_t most = charged(check);

    drop(check, object.cap);
    CHECK_EQUAL(check, page_read(check, cut, 0), PAGES - 1);
    CHECK_EQUAL(check, charged(check), most);
    drop(check, cut.cap);
    comes_back(check, most, PAGES);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct memory_object object = object_make(&check);
    struct memory_object cut = slice(&check, object, AT, LONG);
    uint64_t most;

    refusals(&check, object, PAGES * PAGE);
    refusals(&check, cut, LONG * PAGE);
    calls(&check, object, cut);
    mapped(&check, object, cut);
    read_only(&check, object);
    words(&check, object, cut);
    revoked(&check, object);
    most = charged(&check);
    drop(&check, cut.cap);
    drop(&check, object.cap);
    comes_back(&check, most, PAGES);
    outlives(&check);
    return check_end(&check);
}
