/* SPDX-License-Identifier: MIT */
/*
 * What a process starts with: exactly the names, interfaces and facets that the manifest grants it,
 * and no way past them. It is granted "console" (Console.write) and "measure" (all of NullObject).
 */
#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/rt/call.h"

struct expectation {
    const char *name;
    uint64_t interface_id;
    uint64_t facet;
};

static const struct expectation expected[] = {
    {"console", CONSOLE_INTERFACE_ID, CONSOLE_FACET_WRITE},
    {"measure", NULL_OBJECT_INTERFACE_ID, UINT64_MAX},
};

static struct cqe submit(struct check *check, const struct sqe *entry)
{
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(check, rt_ring_do(&check->rt->ring, entry, &completion), TRANSPORT_OK);
    return completion;
}

/* A call of `method` with empty parameters. */
static struct cqe call(struct check *check, struct cap_id cap, uint64_t interface_id,
                       uint8_t method)
{
    uint8_t message[64] ALIGNED(8) = {0};
    uint8_t result[512] ALIGNED(8);
    struct sqe entry = {
        .opcode = OPCODE_CALL,
        .method = method,
        .cap = cap,
        .interface_id = interface_id,
        .message = (uint64_t)(uintptr_t)message,
        .message_bytes = 8,
        .result = (uint64_t)(uintptr_t)result,
        .result_bytes = sizeof(result),
    };

    return submit(check, &entry);
}

static void entries_checked(struct check *check)
{
    const struct capset *capset = check->rt->capset;

    CHECK_EQUAL(check, capset->count, ARRAY_COUNT(expected));
    for (uint16_t i = 0; i < capset->count && i < ARRAY_COUNT(expected); i++) {
        const struct capset_entry *entry = rt_find_entry(check->rt, expected[i].name);

        if (!CHECK(check, entry != NULL)) {
            continue;
        }
        CHECK(check, entry->interface_id == expected[i].interface_id);
        CHECK(check, entry->facet == expected[i].facet);
        CHECK(check, cap_id_generation(entry->cap) >= 1);
        CHECK_EQUAL(check, entry->spare, 0);
        for (uint16_t j = 0; j < i; j++) {
            CHECK(check, !cap_id_equal(entry->cap, capset->entry[j].cap));
        }
    }
    for (size_t i = 0; i < sizeof(capset->spare); i++) {
        CHECK_EQUAL(check, capset->spare[i], 0);
    }
}

static void lookups_typed(struct check *check)
{
    struct cap_id cap;

    CHECK_EQUAL(check, rt_find(check->rt, "measure", NULL_OBJECT_INTERFACE_ID, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_find(check->rt, "measure", CONSOLE_INTERFACE_ID, &cap),
                TRANSPORT_WRONG_INTERFACE);
    CHECK_EQUAL(check, rt_find(check->rt, "measur", 0, &cap), TRANSPORT_BAD_CAP);
    CHECK_EQUAL(check, rt_find(check->rt, "measure-", 0, &cap), TRANSPORT_BAD_CAP);
    CHECK_EQUAL(check, rt_find(check->rt, "", 0, &cap), TRANSPORT_BAD_CAP);
}

static void facets_enforced(struct check *check)
{
    struct cap_id console = check->rt->console;
    struct cqe completion = call(check, console, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_READ);

    CHECK_EQUAL(check, completion.result, TRANSPORT_NO_METHOD);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_METHOD);
    for (uint8_t method = CONSOLE_METHOD_READ; method < 70; method++) {
        CHECK_EQUAL(check, call(check, console, CONSOLE_INTERFACE_ID, method).result,
                    TRANSPORT_NO_METHOD);
    }
    CHECK_EQUAL(check, call(check, console, CONSOLE_INTERFACE_ID, UINT8_MAX).result,
                TRANSPORT_NO_METHOD);
    completion = call(check, console, NULL_OBJECT_INTERFACE_ID, 0);
    CHECK_EQUAL(check, completion.result, TRANSPORT_WRONG_INTERFACE);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_INTERFACE);
    CHECK_EQUAL(check, call(check, console, 0, 0).result, TRANSPORT_WRONG_INTERFACE);
    /* The owner's opcodes on an edge that is nobody's endpoint. */
    completion = submit(check, &(struct sqe){.opcode = OPCODE_RECV, .cap = console});
    CHECK_EQUAL(check, completion.result, TRANSPORT_WRONG_INTERFACE);
    completion = submit(check, &(struct sqe){.opcode = OPCODE_RETURN, .cap = console, .token = 1});
    CHECK_EQUAL(check, completion.result, TRANSPORT_WRONG_INTERFACE);
}

/* A released capability is stale for ever, under its own id and its neighbours'. */
static void release_final(struct check *check)
{
    struct cap_id cap;
    struct cap_id next;

    CHECK_EQUAL(check, rt_find(check->rt, "measure", 0, &cap), TRANSPORT_OK);
    next = cap_id_make(cap_id_slot(cap), cap_id_generation(cap) + 1);
    CHECK_EQUAL(check, call(check, cap, NULL_OBJECT_INTERFACE_ID, 0).result >= 0, 1);
    CHECK_EQUAL(check, call(check, next, NULL_OBJECT_INTERFACE_ID, 0).result, TRANSPORT_BAD_CAP);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, cap), TRANSPORT_OK);
    CHECK_EQUAL(check, call(check, cap, NULL_OBJECT_INTERFACE_ID, 0).result, TRANSPORT_STALE_CAP);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, cap), TRANSPORT_STALE_CAP);
    CHECK(check, call(check, next, NULL_OBJECT_INTERFACE_ID, 0).result < 0);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    rt->ring.checks = false; /* buffers outside the arena */
    entries_checked(&check);
    lookups_typed(&check);
    facets_enforced(&check);
    release_final(&check);
    return check_end(&check);
}
