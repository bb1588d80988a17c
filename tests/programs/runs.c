/* SPDX-License-Identifier: MIT */
/*
 * Contiguous memory objects: zeroed, charged, like any other in use, and gone without a trace when
 * they are refused, cancelled or revoked while they are made.
 *
 * Needs "frame-allocator", "virtual-memory", and 1 grant node.
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/memory.h"
#include "user/rt/cap.h"

enum {
    PAGES = 40,
    LONG = 520,  /* two tables name them */
    LETTER = 90, /* what frames held before */
    TABLE_ENTRIES = 512,
};

#define PAGE ((uint64_t)LIMIT_PAGE_BYTES)

static struct memory_quota quota_now(struct check *check)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};
    struct memory_quota quota = {.charged = 0};

    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &quota), TRANSPORT_OK);
    return quota;
}

/* Waits until no more than `most` frames are charged: if they stay pinned this hangs. */
static void comes_back(struct check *check, uint64_t most)
{
    while (quota_now(check).charged > most) {
        rt_sleep(check->rt, 1000 * 1000);
    }
}

static void drop(struct check *check, struct cap_id cap)
{
    CHECK_EQUAL(check, rt_release(&check->rt->ring, cap), TRANSPORT_OK);
}

/* The first and last byte of each page are `byte`. */
static void bytes_are(struct check *check, volatile const uint8_t *bytes, unsigned pages,
                      uint8_t byte)
{
    bool all = true;

    for (uint64_t page = 0; page < pages; page++) {
        all = all && bytes[page * PAGE] == byte && bytes[page * PAGE + PAGE - 1] == byte;
    }
    CHECK(check, all);
}

static volatile uint8_t *map(struct check *check, struct memory_object object, unsigned pages,
                             struct memory_range *range)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};

    *range = (struct memory_range){.bytes = pages * PAGE};
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){object, 0},
                                         MEMORY_PROTECTION_READ_WRITE, range),
                TRANSPORT_OK);
    return (volatile uint8_t *)(uintptr_t)range->address;
}

static void unmap(struct check *check, struct memory_range range)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};

    CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, range), TRANSPORT_OK);
}

/* What an object of so many pages is charged for: they, their tables and the root. */
static uint64_t frames_of(unsigned pages)
{
    return 1 + (pages + TABLE_ENTRIES - 1) / TABLE_ENTRIES + pages;
}

/* Makes one, finds it zero, and leaves it full of letters. */
static void one(struct check *check, unsigned pages)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};
    struct memory_extent extent = {.bytes = 0};
    struct memory_object object;
    struct memory_object cut;
    struct memory_range range;
    volatile uint8_t *bytes;
    uint64_t most;

    CHECK_EQUAL(check, memory_client_allocate_run(check->rt, allocator, pages * PAGE, &object),
                TRANSPORT_OK);
    CHECK_EQUAL(check, memory_client_info(check->rt, object, &extent), TRANSPORT_OK);
    CHECK(check, extent.contiguous && extent.bytes == pages * PAGE);
    CHECK_EQUAL(check,
                memory_client_slice(check->rt, (struct memory_part){object, PAGE}, 2 * PAGE, &cut),
                TRANSPORT_OK);
    CHECK_EQUAL(check, memory_client_info(check->rt, cut, &extent), TRANSPORT_OK);
    CHECK(check, extent.contiguous && extent.bytes == 2 * PAGE);
    bytes = map(check, object, pages, &range);
    bytes_are(check, bytes, pages, 0);
    for (uint64_t page = 0; page < pages; page++) {
        bytes[page * PAGE] = LETTER;
        bytes[page * PAGE + PAGE - 1] = LETTER;
    }
    bytes_are(check, bytes, pages, LETTER);
    unmap(check, range);
    drop(check, cut.cap);
    most = quota_now(check).charged;
    drop(check, object.cap);
    comes_back(check, most - frames_of(pages));
}

static void refusals(struct check *check)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};
    uint64_t limit = quota_now(check).limit;
    const struct {
        uint64_t bytes;
        int32_t outcome;
    } asked[] = {
        {0, EXCEPTION_REASON_OUT_OF_RANGE},
        {MEMORY_CONTIGUOUS_MAX + PAGE, EXCEPTION_REASON_OUT_OF_RANGE},
        {0 - PAGE, EXCEPTION_REASON_OUT_OF_RANGE},
        {2 * PAGE + 8, EXCEPTION_REASON_MISALIGNED},
        {limit * PAGE, EXCEPTION_REASON_QUOTA_EXCEEDED},
        {MEMORY_CONTIGUOUS_MAX, EXCEPTION_REASON_QUOTA_EXCEEDED},
    };
    struct memory_object object;

    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        CHECK_EQUAL(check,
                    memory_client_allocate_run(check->rt, allocator, asked[i].bytes, &object),
                    asked[i].outcome);
    }
}

/* Begins to make a long one through `allocator`. */
static void begin(struct check *check, struct client *client, struct cap_id allocator)
{
    struct frame_allocator_allocate_params_builder params;

    client_open(client, check->rt, allocator, CLIENT_ROOM_SMALL);
    params = frame_allocator_allocate_request(&client->call);
    frame_allocator_allocate_params_set_size_bytes(params, LONG * PAGE);
    frame_allocator_allocate_params_set_contiguous(params, true);
    CHECK_EQUAL(check, client_submit(client), TRANSPORT_OK);
}

/* What became of it: it was made before the end, or it was not. */
static void end(struct check *check, struct client *client, int32_t reason)
{
    struct cap_id made = {0};
    int32_t outcome = client_finish(client);

    if (outcome != TRANSPORT_OK) {
        CHECK_EQUAL(check, outcome, reason);
    } else {
        made = client_received(client, frame_allocator_allocate_results_get_object(
                                           frame_allocator_allocate_response(&client->call)));
        drop(check, made);
    }
    (void)client_close(client);
}

static void ended_early(struct check *check, uint64_t before)
{
    struct cap_id allocator = check_held(check, "frame-allocator");
    struct rt_ring *ring = &check->rt->ring;
    struct rt_delegated lent;
    struct client client;

    begin(check, &client, allocator);
    (void)!rt_cancel(ring, client.operation);
    end(check, &client, TRANSPORT_CANCELLED);
    comes_back(check, before);
    CHECK_EQUAL(check, rt_delegate(ring, allocator, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    begin(check, &client, lent.cap);
    CHECK(check, rt_revoke(ring, lent.handle, NULL, NULL) >= 0);
    end(check, &client, EXCEPTION_REASON_REVOKED_CAPABILITY);
    comes_back(check, before);
    drop(check, lent.cap);
    drop(check, lent.handle);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct frame_allocator allocator = {check_held(&check, "frame-allocator")};
    struct memory_object object;
    uint64_t before;

    one(&check, LONG); /* the tables of the mapping stay */
    before = quota_now(&check).charged;
    for (unsigned i = 0; i < 3; i++) {
        one(&check, PAGES);
    }
    CHECK_EQUAL(&check, memory_client_allocate_run(rt, allocator, PAGES * PAGE, &object),
                TRANSPORT_OK);
    CHECK_EQUAL(&check, quota_now(&check).charged, before + frames_of(PAGES));
    drop(&check, object.cap);
    comes_back(&check, before);
    refusals(&check);
    ended_early(&check, before);
    CHECK_EQUAL(&check, quota_now(&check).charged, before);
    return check_end(&check);
}
