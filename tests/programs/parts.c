/* SPDX-License-Identifier: MIT */
/*
 * Parts of mappings: what is unmapped or protected of a mapping of an object is what was named, its
 * rest stands, and a refusal changes nothing. The process's name chooses the part:
 *
 *   parts      random changes against a model with one entry for each page; the limit of mappings
 *   touched    a thread reads pages that stay while others beside them come and go
 *   gone       touches a page that was unmapped out of the middle: it faults
 *   protected  writes to a page that was protected in the middle: it faults
 *
 * Each page of an object holds its own number.
 *
 * Needs "frame-allocator", "virtual-memory", and for `touched` "thread-spawner".
 */
#include "abi/atomic.h"
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/memory.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    WINDOW = 24,      /* pages that are changed at random */
    OBJECTS = 2,      /* the second is a slice of the first */
    PAGES = 24,       /* of the first */
    SLICE_FIRST = 10, /* and of these the slice */
    SLICE_PAGES = 9,
    ROUNDS = 400,
    REGIONS = 80, /* that one change is about */
    MANY = 300,   /* pages of an object of which every other goes */
    TOUCHES = 60,
    PRIVATE = OBJECTS,
};

#define PAGE ((uint64_t)LIMIT_PAGE_BYTES)
#define BASE UINT64_C(0x300000000000)

struct state {
    struct check *check;
    struct virtual_memory memory;
    struct memory_object object[OBJECTS];
    uint64_t random;
    struct model_page {
        bool there;
        uint8_t of; /* object, or PRIVATE */
        uint8_t page;
        uint8_t protection;
    } model[WINDOW];
};

static uint32_t below(struct state *state, uint32_t bound)
{
    state->random = state->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state->random >> 33) % bound;
}

static struct memory_object object_make(struct check *check, unsigned pages)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};
    struct memory_object object = {.cap = {.raw = 0}};

    CHECK_EQUAL(check, memory_client_allocate(check->rt, allocator, pages * PAGE, &object),
                TRANSPORT_OK);
    for (unsigned page = 0; page < pages && page < PAGES; page++) {
        uint8_t byte = (uint8_t)page;

        CHECK_EQUAL(
            check,
            memory_client_write(check->rt, object, page * PAGE, (struct capn_data){&byte, 1}),
            TRANSPORT_OK);
    }
    return object;
}

static uint64_t window_base(struct state *state)
{
    struct memory_range range = {.bytes = WINDOW * PAGE};

    CHECK_EQUAL(state->check, memory_client_reserve(state->check->rt, state->memory, &range),
                TRANSPORT_OK);
    CHECK_EQUAL(state->check, memory_client_unmap(state->check->rt, state->memory, range),
                TRANSPORT_OK);
    return range.address;
}

static uint64_t base; /* of the window */

static struct memory_range range_of(unsigned first, unsigned pages)
{
    return (struct memory_range){.address = base + first * PAGE, .bytes = pages * PAGE};
}

/* ---- the model ------------------------------------------------------------------------------- */

/* The byte that the page begins with. */
static uint8_t byte_of(const struct model_page *page)
{
    return page->of == PRIVATE ? 0 : (uint8_t)(page->page + (page->of == 1 ? SLICE_FIRST : 0));
}

/* Every page of the window is as the model says. */
static void compare(struct state *state)
{
    struct memory_seen seen = {.shared = false};

    for (unsigned i = 0; i < WINDOW; i++) {
        const struct model_page *page = &state->model[i];
        struct memory_range at = range_of(i, 1);
        int32_t outcome = memory_client_query(state->check->rt, state->memory, at.address, &seen);
        bool there = outcome == TRANSPORT_OK && seen.range.address <= at.address;

        CHECK_EQUAL(state->check, there, page->there);
        if (there && page->there) {
            CHECK_EQUAL(state->check, seen.protection, page->protection);
            CHECK_EQUAL(state->check, seen.shared, page->of != PRIVATE);
            CHECK_EQUAL(state->check,
                        seen.object_offset +
                            (page->of == PRIVATE ? 0 : at.address - seen.range.address),
                        page->of == PRIVATE ? 0 : page->page * PAGE);
            CHECK_EQUAL(state->check, *(volatile uint8_t *)(uintptr_t)at.address, byte_of(page));
        }
    }
}

static unsigned used(const struct state *state, unsigned first, unsigned pages)
{
    unsigned count = 0;

    for (unsigned i = first; i < first + pages; i++) {
        count += state->model[i].there;
    }
    return count;
}

static void step_map(struct state *state, unsigned first, unsigned pages)
{
    unsigned of = below(state, OBJECTS + 1);
    unsigned size = of == 0 ? PAGES : SLICE_PAGES;
    unsigned page = below(state, size);
    struct memory_range range = range_of(first, pages);
    int32_t expected = of != PRIVATE && page + pages > size ? EXCEPTION_REASON_OUT_OF_RANGE
                       : used(state, first, pages) != 0     ? EXCEPTION_REASON_ALREADY_EXISTS
                                                            : TRANSPORT_OK;
    enum memory_protection protection =
        below(state, 2) == 0 ? MEMORY_PROTECTION_READ : MEMORY_PROTECTION_READ_WRITE;
    int32_t outcome =
        of == PRIVATE
            ? memory_client_map(state->check->rt, state->memory, protection, &range)
            : memory_client_map_object(state->check->rt, state->memory,
                                       (struct memory_part){state->object[of], page * PAGE},
                                       protection, &range);

    CHECK_EQUAL(state->check, outcome, expected);
    for (unsigned i = 0; i < pages && expected == TRANSPORT_OK; i++) {
        state->model[first + i] = (struct model_page){.there = true,
                                                      .of = (uint8_t)of,
                                                      .page = (uint8_t)(page + i),
                                                      .protection = (uint8_t)protection};
    }
}

static void step_unmap(struct state *state, unsigned first, unsigned pages)
{
    int32_t expected = used(state, first, pages) == 0 ? EXCEPTION_REASON_NOT_FOUND : TRANSPORT_OK;

    CHECK_EQUAL(state->check,
                memory_client_unmap(state->check->rt, state->memory, range_of(first, pages)),
                expected);
    for (unsigned i = first; i < first + pages; i++) {
        state->model[i].there = false;
    }
}

static void step_protect(struct state *state, unsigned first, unsigned pages)
{
    enum memory_protection protection =
        below(state, 2) == 0 ? MEMORY_PROTECTION_READ : MEMORY_PROTECTION_READ_WRITE;
    int32_t expected =
        used(state, first, pages) < pages ? EXCEPTION_REASON_NOT_FOUND : TRANSPORT_OK;

    CHECK_EQUAL(
        state->check,
        memory_client_protect(state->check->rt, state->memory, protection, range_of(first, pages)),
        expected);
    for (unsigned i = first; i < first + pages && expected == TRANSPORT_OK; i++) {
        state->model[i].protection = (uint8_t)protection;
    }
}

static void random_changes(struct state *state)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned first = below(state, WINDOW);
        unsigned pages = 1 + below(state, WINDOW - first < 9 ? WINDOW - first : 9);

        switch (below(state, 5)) {
        case 0:
        case 1:
            step_map(state, first, pages);
            break;
        case 2:
            step_unmap(state, first, pages);
            break;
        default:
            step_protect(state, first, pages);
            break;
        }
        if (round % 4 == 0) {
            compare(state);
        }
    }
    compare(state);
    step_unmap(state, 0, WINDOW);
}

/* ---- joining, and the limit ------------------------------------------------------------------ */

static uint32_t mappings(struct state *state, struct memory_object object)
{
    struct memory_extent extent = {.mappings = 0};

    CHECK_EQUAL(state->check, memory_client_info(state->check->rt, object, &extent), TRANSPORT_OK);
    return extent.mappings;
}

/* What was cut is joined when it is as its neighbours again. */
static void joins(struct state *state)
{
    struct check *check = state->check;
    struct memory_range range = range_of(0, WINDOW);
    struct memory_seen seen = {.shared = false};

    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, state->memory,
                                         (struct memory_part){state->object[0], 0},
                                         MEMORY_PROTECTION_READ_WRITE, &range),
                TRANSPORT_OK);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(check,
                    memory_client_protect(check->rt, state->memory, MEMORY_PROTECTION_READ,
                                          range_of(7 + i, 5)),
                    TRANSPORT_OK);
        CHECK_EQUAL(check, mappings(state, state->object[0]), 3);
        CHECK_EQUAL(check,
                    memory_client_protect(check->rt, state->memory, MEMORY_PROTECTION_READ_WRITE,
                                          range_of(7 + i, 5)),
                    TRANSPORT_OK);
        CHECK_EQUAL(check, mappings(state, state->object[0]), 1);
    }
    CHECK_EQUAL(check, memory_client_query(check->rt, state->memory, base, &seen), TRANSPORT_OK);
    CHECK_EQUAL(check, seen.range.bytes, WINDOW * PAGE);
    CHECK_EQUAL(check, memory_client_unmap(check->rt, state->memory, range), TRANSPORT_OK);
}

static void unmap_many(struct state *state, struct memory_range all, unsigned first, unsigned pages,
                       int32_t outcome)
{
    CHECK_EQUAL(state->check,
                memory_client_unmap(state->check->rt, state->memory,
                                    (struct memory_range){.address = all.address + first * PAGE,
                                                          .bytes = pages * PAGE}),
                outcome);
}

/* An object has LIMIT_MAPPINGS: what would take one more is refused, whole. */
static void limits(struct state *state)
{
    struct memory_object object = object_make(state->check, MANY);
    struct memory_range all = {.bytes = MANY * PAGE};
    unsigned last = 0;

    CHECK_EQUAL(state->check,
                memory_client_map_object(state->check->rt, state->memory,
                                         (struct memory_part){object, 0}, MEMORY_PROTECTION_READ,
                                         &all),
                TRANSPORT_OK);
    /* Every other page goes, until one more mapping may be: one cut too few for a middle. */
    for (unsigned page = 1; mappings(state, object) < LIMIT_MAPPINGS - 1; page += 2) {
        unmap_many(state, all, page, 1, TRANSPORT_OK);
        last = page;
    }
    /* The second cut is one too many; the first is undone. */
    CHECK_EQUAL(
        state->check,
        memory_client_protect(
            state->check->rt, state->memory, MEMORY_PROTECTION_READ_WRITE,
            (struct memory_range){.address = all.address + (last + 2) * PAGE, .bytes = PAGE}),
        EXCEPTION_REASON_LIMIT_EXCEEDED);
    CHECK_EQUAL(state->check, mappings(state, object), LIMIT_MAPPINGS - 1);
    unmap_many(state, all, last + 2, 1, EXCEPTION_REASON_LIMIT_EXCEEDED);
    CHECK_EQUAL(state->check, mappings(state, object), LIMIT_MAPPINGS - 1);
    /* One cut is possible. */
    unmap_many(state, all, MANY - 3, 3, TRANSPORT_OK);
    unmap_many(state, all, last + 1, 1, TRANSPORT_OK);
    unmap_many(state, all, 0, MANY, TRANSPORT_OK);
    CHECK_EQUAL(state->check, mappings(state, object), 0);
    CHECK_EQUAL(state->check, rt_release(&state->check->rt->ring, object.cap), TRANSPORT_OK);
}

/* A change of more regions than are claimed in one step, refused at the last of them, gives all of
 * them back as they were. */
static void refused_late(struct state *state)
{
    struct rt *rt = state->check->rt;
    struct memory_range all = {.bytes = REGIONS * PAGE};
    struct memory_range more;
    struct memory_seen seen = {.shared = false};

    CHECK_EQUAL(state->check,
                memory_client_map(rt, state->memory, MEMORY_PROTECTION_READ_WRITE, &all),
                TRANSPORT_OK);
    for (unsigned page = 0; page < REGIONS; page += 2) {
        struct memory_range one = {.address = all.address + page * PAGE, .bytes = PAGE};

        CHECK_EQUAL(state->check,
                    memory_client_protect(rt, state->memory, MEMORY_PROTECTION_READ, one),
                    TRANSPORT_OK);
    }
    more = (struct memory_range){.address = all.address + PAGE, .bytes = all.bytes};
    CHECK_EQUAL(state->check,
                memory_client_protect(rt, state->memory, MEMORY_PROTECTION_READ_WRITE, more),
                EXCEPTION_REASON_NOT_FOUND);
    CHECK_EQUAL(state->check, memory_client_decommit(rt, state->memory, more),
                EXCEPTION_REASON_NOT_FOUND);
    for (unsigned page = 0; page < REGIONS; page++) {
        CHECK_EQUAL(state->check,
                    memory_client_query(rt, state->memory, all.address + page * PAGE, &seen),
                    TRANSPORT_OK);
        CHECK_EQUAL(state->check, seen.range.bytes, PAGE);
        CHECK_EQUAL(state->check, seen.protection,
                    page % 2 == 0 ? MEMORY_PROTECTION_READ : MEMORY_PROTECTION_READ_WRITE);
    }
    CHECK_EQUAL(state->check,
                memory_client_protect(rt, state->memory, MEMORY_PROTECTION_READ_WRITE, all),
                TRANSPORT_OK);
    CHECK_EQUAL(state->check, memory_client_query(rt, state->memory, all.address, &seen),
                TRANSPORT_OK);
    CHECK_EQUAL(state->check, seen.range.bytes, all.bytes);
    CHECK_EQUAL(state->check, memory_client_unmap(rt, state->memory, all), TRANSPORT_OK);
}

static void state_init(struct state *state, struct check *check)
{
    *state = (struct state){
        .check = check, .memory = {check_held(check, "virtual-memory")}, .random = 7};
    state->object[0] = object_make(check, PAGES);
    CHECK_EQUAL(check,
                memory_client_slice(check->rt,
                                    (struct memory_part){state->object[0], SLICE_FIRST * PAGE},
                                    SLICE_PAGES * PAGE, &state->object[1]),
                TRANSPORT_OK);
    base = window_base(state);
}

static int parts(struct check *check)
{
    static struct state state;

    state_init(&state, check);
    random_changes(&state);
    joins(&state);
    limits(&state);
    refused_late(&state);
    return check_end(check);
}

/* ---- touched --------------------------------------------------------------------------------- */

static uint32_t stop;  /* atomic */
static uint32_t wrong; /* atomic: a page that stays was not as it is */
static uint32_t ended; /* atomic */

/* Reads the even pages, and writes back what they hold, until it is told to stop. */
static int toucher(struct rt *rt, void *argument)
{
    (void)argument;
    while (atomic_load_acquire_u32(&stop) == 0) {
        for (unsigned page = 0; page < WINDOW; page += 2) {
            volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)(base + page * PAGE);

            if (*byte != page) {
                atomic_store_release_u32(&wrong, 1);
            }
        }
        rt_sleep(rt, 1000);
    }
    atomic_store_release_u32(&ended, 1);
    return 0;
}

static int touched(struct check *check)
{
    static struct rt_thread_start begin = {.function = toucher};
    static struct state state;
    struct thread_spawner spawner = {check_held(check, "thread-spawner")};
    struct memory_range range;

    state_init(&state, check);
    range = range_of(0, WINDOW);
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, state.memory,
                                         (struct memory_part){state.object[0], 0},
                                         MEMORY_PROTECTION_READ_WRITE, &range),
                TRANSPORT_OK);
    CHECK_EQUAL(check, thread_client_spawn(check->rt, spawner, &begin), TRANSPORT_OK);
    for (unsigned i = 0; i < TOUCHES; i++) {
        unsigned page = 2 * (i % (WINDOW / 2)) + 1;

        range = range_of(page, 1);
        CHECK_EQUAL(check,
                    memory_client_protect(check->rt, state.memory, MEMORY_PROTECTION_READ,
                                          range_of(page - 1, 1)),
                    TRANSPORT_OK);
        CHECK_EQUAL(check, memory_client_unmap(check->rt, state.memory, range), TRANSPORT_OK);
        CHECK_EQUAL(check,
                    memory_client_map_object(check->rt, state.memory,
                                             (struct memory_part){state.object[0], page * PAGE},
                                             MEMORY_PROTECTION_READ_WRITE, &range),
                    TRANSPORT_OK);
        CHECK_EQUAL(check,
                    memory_client_protect(check->rt, state.memory, MEMORY_PROTECTION_READ_WRITE,
                                          range_of(page - 1, 1)),
                    TRANSPORT_OK);
    }
    atomic_store_release_u32(&stop, 1);
    while (atomic_load_acquire_u32(&ended) == 0) {
        rt_sleep(check->rt, 1000 * 1000);
    }
    CHECK_EQUAL(check, wrong, 0);
    CHECK_EQUAL(check, mappings(&state, state.object[0]), 1); /* all joined again */
    return check_end(check);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static int faults(struct check *check, bool gone)
{
    struct virtual_memory memory = {check_held(check, "virtual-memory")};
    struct memory_object object = object_make(check, PAGES);
    struct memory_range range = {.address = BASE, .bytes = PAGES * PAGE};
    struct memory_range middle = {.address = BASE + 5 * PAGE, .bytes = 2 * PAGE};
    volatile uint8_t *bytes = (volatile uint8_t *)(uintptr_t)BASE;

    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){object, 0},
                                         MEMORY_PROTECTION_READ_WRITE, &range),
                TRANSPORT_OK);
    bytes[5 * PAGE] = 1;
    bytes[6 * PAGE] = 1;
    CHECK_EQUAL(check,
                gone ? memory_client_unmap(check->rt, memory, middle)
                     : memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ, middle),
                TRANSPORT_OK);
    bytes[4 * PAGE] = 4;
    bytes[7 * PAGE] = 7;
    (void)check_end(check);
    bytes[6 * PAGE] = 2; /* it ends here */
    return 1;
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "parts")) {
        return parts(&check);
    }
    if (rt_name_is(rt, "touched")) {
        return touched(&check);
    }
    return faults(&check, rt_name_is(rt, "gone"));
}
