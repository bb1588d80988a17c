/* SPDX-License-Identifier: MIT */
/*
 * Parents and children: memory that two processes share, each with the facet of its own edge;
 * quotas that go down two generations and come back when the one in the middle dies; a mapping that
 * a revocation takes away. The process's name chooses the part:
 *
 *   share   makes an object and a `reader`, which may map it to read through one edge and to write
 *           through another
 *   family  makes a `middle`, which makes a `leaf` and dies while the leaf waits in a call
 *   lender  delegates an object to a `victim`, which maps it and puts copies beside calls that
 *           nobody takes, and revokes it (A5)
 *
 * Invariants and criteria: docs/authority-accounting-transfer.md, A2, A3, A5, S2, S3.
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/giving.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"

enum {
    BINARY_KIN = 1,
    PAGES = 20, /* more than one step of a change or of a revocation */
    LEAF_FRAMES = 100,
    PARKED_CALLS = (LIMIT_TRANSFERS_WAITING + LIMIT_TRANSFERS - 1) / LIMIT_TRANSFERS,
    LETTER_FROM_PARENT = 0x41,
    LETTER_FROM_CHILD = 0x42,
};

#define BYTES         ((uint64_t)PAGES * LIMIT_PAGE_BYTES)
#define FACET(method) (UINT64_C(1) << MEMORY_OBJECT_METHOD_##method)

static struct process_grant grant(struct check *check, const char *name)
{
    struct process_grant held = giving_held(check, name);

    held.mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE;
    return held;
}

static struct process_handle child_start(struct check *check, const char *name,
                                         const struct process_grant *grants, uint32_t count,
                                         struct manifest_quotas quotas)
{
    struct process_spawner spawner = {.cap = check_held(check, "process-spawner")};
    struct process_request request = {.name = giving_text(name),
                                      .boot_binary = BINARY_KIN,
                                      .grants = grants,
                                      .grant_count = count,
                                      .quotas = quotas,
                                      .scheduling = {.cpu_mask = UINT64_MAX}};
    struct process_handle handle = {.cap = {.raw = 0}};

    CHECK_EQUAL(check, process_client_spawn(check->rt, spawner, &request, &handle), TRANSPORT_OK);
    return handle;
}

static void child_ends(struct check *check, struct process_handle handle, uint16_t kind)
{
    struct process_end end;

    CHECK_EQUAL(check, process_client_wait(check->rt, handle, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, kind);
    CHECK_EQUAL(check, kind == PROCESS_EXIT_KIND_EXITED ? end.code : 0, 0);
    CHECK(check,
          end.peak_frames > RING_BYTES / LIMIT_PAGE_BYTES && end.peak_frames <= 3 * LEAF_FRAMES);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, handle.cap), TRANSPORT_OK);
}

static struct memory_object object_make(struct check *check)
{
    struct frame_allocator allocator = {.cap = check_held(check, "frame-allocator")};
    struct memory_object object = {.cap = {.raw = 0}};

    CHECK_EQUAL(check, memory_client_allocate(check->rt, allocator, BYTES, &object), TRANSPORT_OK);
    return object;
}

static volatile uint8_t *map(struct check *check, struct memory_object object,
                             enum memory_protection protection, struct memory_range *range)
{
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};

    *range = (struct memory_range){.bytes = BYTES};
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){.object = object},
                                         protection, range),
                TRANSPORT_OK);
    return (volatile uint8_t *)(uintptr_t)range->address;
}

/* ---- share ----------------------------------------------------------------------------------- */

static int share(struct check *check)
{
    static const uint8_t letter[] = {LETTER_FROM_PARENT};
    struct memory_object object = object_make(check);
    struct memory_range range;
    volatile uint8_t *bytes = map(check, object, MEMORY_PROTECTION_READ_WRITE, &range);
    struct process_grant grants[] = {
        grant(check, "console"),
        grant(check, "virtual-memory"),
        {.name = giving_text("read-only"),
         .cap = object.cap,
         .facet = FACET(INFO) | FACET(READ) | FACET(MAP_READ)},
        {.name = giving_text("writable"), .cap = object.cap, .facet = MANIFEST_FACET_ALL},
    };
    struct memory_seen seen;
    struct virtual_memory memory = grants[1].cap.raw != 0 ? (struct virtual_memory){grants[1].cap}
                                                          : (struct virtual_memory){{0}};

    CHECK_EQUAL(check, bytes[0], 0);
    bytes[BYTES - 1] = LETTER_FROM_PARENT;
    CHECK_EQUAL(check, memory_client_write(check->rt, object, 0, (struct capn_data){letter, 1}),
                TRANSPORT_OK);
    CHECK_EQUAL(check, bytes[0], LETTER_FROM_PARENT);
    CHECK_EQUAL(check, memory_client_query(check->rt, memory, range.address, &seen), TRANSPORT_OK);
    CHECK(check, seen.shared && seen.committed && seen.range.bytes == BYTES);
    child_ends(check, child_start(check, "reader", grants, ARRAY_COUNT(grants), check_quotas()),
               PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, bytes[1], LETTER_FROM_CHILD);
    /* The object lives on while the mapping does. */
    CHECK_EQUAL(check, rt_release(&check->rt->ring, object.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, bytes[1], LETTER_FROM_CHILD);
    CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, range), TRANSPORT_OK);
    CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, range), EXCEPTION_REASON_NOT_FOUND);
    return check_end(check);
}

/* The read-only edge: reading works in every way, writing in none. */
static void reader_refusals(struct check *check, struct memory_object object,
                            struct virtual_memory memory)
{
    struct memory_range range = {.bytes = BYTES};
    struct memory_part part = {.object = object};
    uint8_t byte = 0;

    CHECK_EQUAL(
        check,
        memory_client_map_object(check->rt, memory, part, MEMORY_PROTECTION_READ_WRITE, &range),
        EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    CHECK_EQUAL(
        check,
        memory_client_map_object(check->rt, memory, part, MEMORY_PROTECTION_READ_EXECUTE, &range),
        EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    CHECK_EQUAL(check, memory_client_write(check->rt, object, 0, (struct capn_data){&byte, 1}),
                TRANSPORT_NO_METHOD);
    CHECK_EQUAL(check, memory_client_read(check->rt, object, BYTES - 1, &byte, 1), TRANSPORT_OK);
    CHECK_EQUAL(check, byte, LETTER_FROM_PARENT);
    part.offset = LIMIT_PAGE_BYTES;
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, part, MEMORY_PROTECTION_READ, &range),
                EXCEPTION_REASON_OUT_OF_RANGE);
}

static int reader(struct check *check)
{
    struct memory_object read_only = {.cap = check_held(check, "read-only")};
    struct memory_object writable = {.cap = check_held(check, "writable")};
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};
    struct memory_range range;
    struct memory_range second;
    volatile uint8_t *bytes;

    reader_refusals(check, read_only, memory);
    bytes = map(check, read_only, MEMORY_PROTECTION_READ, &range);
    CHECK_EQUAL(check, bytes[0], LETTER_FROM_PARENT);
    CHECK_EQUAL(check, bytes[BYTES - 1], LETTER_FROM_PARENT);
    CHECK_EQUAL(check,
                memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ_WRITE, range),
                EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    map(check, writable, MEMORY_PROTECTION_READ_WRITE, &second)[1] = LETTER_FROM_CHILD;
    CHECK(check, second.address != range.address);
    CHECK_EQUAL(check, bytes[1], LETTER_FROM_CHILD);
    CHECK_EQUAL(check, memory_client_protect(check->rt, memory, MEMORY_PROTECTION_READ, second),
                TRANSPORT_OK);
    return check_end(check); /* with both mappings in place */
}

/* ---- family ---------------------------------------------------------------------------------- */

static struct manifest_quotas leaf_quotas(void)
{
    struct manifest_quotas quotas = check_quotas();

    quotas.frames = LEAF_FRAMES;
    return quotas;
}

static uint64_t limit_now(struct check *check)
{
    struct frame_allocator allocator = {.cap = check_held(check, "frame-allocator")};
    struct memory_quota quota = {.limit = 0};

    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &quota), TRANSPORT_OK);
    return quota.limit;
}

/* Answers a call with an empty structure. */
static int32_t answer_nothing(struct check *check, struct endpoint_owner gate, uint64_t token)
{
    struct rt_buffer message = rt_buffer_alloc(&check->rt->ring, 8);
    struct rt_reply reply = {
        .endpoint = gate.cap, .token = token, .message = message.bytes, .message_bytes = 8};
    int32_t outcome;

    memset(message.bytes, 0, 8);
    outcome = rt_return(&check->rt->ring, &reply);
    rt_buffer_free(&check->rt->ring, message);
    return outcome;
}

static int family(struct check *check)
{
    struct endpoint_factory factory = {.cap = check_held(check, "endpoint-factory")};
    struct manifest_export limits = {.message_bytes = 4096, .queue_length = 4};
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct rt_buffer inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(4096));
    struct process_grant grants[] = {grant(check, "console"),
                                     grant(check, "process-spawner"),
                                     {.name = giving_text("gate"),
                                      .facet = MANIFEST_FACET_ALL,
                                      .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE}};
    struct manifest_quotas quotas = leaf_quotas();
    uint64_t before = limit_now(check);
    struct process_handle middle;
    struct rt_request request;
    struct endpoint_owner gate;

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &gate), TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, gate, &session, &grants[2].cap),
                TRANSPORT_OK);
    quotas.frames *= 3;
    quotas.slots *= 2;
    quotas.ring_bytes *= 2;
    quotas.threads *= 2;
    quotas.outstanding_calls *= 2;
    quotas.scratch_bytes *= 2;
    quotas.log_bytes *= 4;
    middle = child_start(check, "middle", grants, ARRAY_COUNT(grants), quotas);
    /* The middle waits in a call too, before it has a child. */
    request = rt_receive(&check->rt->ring, gate.cap, inbox);
    CHECK(check, request.status >= 0);
    CHECK_EQUAL(check, limit_now(check), before - quotas.frames);
    CHECK_EQUAL(check, answer_nothing(check, gate, request.head->token), TRANSPORT_OK);
    request = rt_receive(&check->rt->ring, gate.cap, inbox);
    CHECK(check, request.status >= 0);
    child_ends(check, middle, PROCESS_EXIT_KIND_EXITED);
    /* The leaf is alive, in its call: what the middle had is back, all but the leaf's. */
    CHECK_EQUAL(check, limit_now(check), before - LEAF_FRAMES);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, gate.cap), TRANSPORT_OK);
    while (limit_now(check) != before) {
        rt_sleep(check->rt, 1000 * 1000); /* the leaf ends; a loss would hang here */
    }
    return check_end(check);
}

/* Calls through the gate and waits to be let through. */
static int32_t pass_gate(struct check *check)
{
    return giving_ask(check->rt, check_held(check, "gate"));
}

static int middle(struct check *check)
{
    struct process_grant gate = grant(check, "gate");

    CHECK_EQUAL(check, pass_gate(check), TRANSPORT_OK);
    (void)child_start(check, "leaf", &gate, 1, leaf_quotas());
    return check->failed == 0 ? 0 : 1;
}

static int leaf(struct check *check)
{
    return pass_gate(check) == TRANSPORT_OK; /* it is torn down while the leaf waits */
}

/* ---- lender ---------------------------------------------------------------------------------- */

/* What was lent is paid for no longer once its owner lets go of it, while the victim that it was
 * taken back from lives on with the region it had mapped, and with its calls. */
static void lent_comes_back(struct check *check, struct memory_object object,
                            struct rt_delegated lent, struct memory_range range)
{
    struct frame_allocator allocator = {.cap = check_held(check, "frame-allocator")};
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};
    struct memory_quota before;
    struct memory_quota now;

    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &before), TRANSPORT_OK);
    CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, range), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, object.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, lent.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, lent.handle), TRANSPORT_OK);
    do {
        rt_sleep(check->rt, 1000 * 1000); /* if it stays pinned this hangs */
        CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &now), TRANSPORT_OK);
    } while (now.charged > before.charged - PAGES);
}

static int lender(struct check *check)
{
    struct endpoint_factory factory = {.cap = check_held(check, "endpoint-factory")};
    struct manifest_export limits = {.message_bytes = 4096, .queue_length = 4};
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct rt_buffer inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(4096));
    struct memory_object object = object_make(check);
    struct memory_range range;
    volatile uint8_t *bytes = map(check, object, MEMORY_PROTECTION_READ_WRITE, &range);
    struct rt_delegated lent;
    struct receipt receipt = {.mappings = 0};
    struct refusal refusal;
    struct endpoint_owner gate;
    struct process_handle victim;
    struct rt_request request;

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &gate), TRANSPORT_OK);
    CHECK_EQUAL(check,
                rt_delegate(&check->rt->ring, object.cap, MANIFEST_FACET_ALL, &lent, &refusal), 0);
    {
        struct process_grant grants[] = {
            grant(check, "console"),
            grant(check, "virtual-memory"),
            grant(check, "endpoint-factory"),
            giving_grant("lent", lent.cap),
            {.name = giving_text("gate"), .facet = MANIFEST_FACET_ALL},
        };
        struct manifest_quotas quotas = check_quotas();

        CHECK_EQUAL(check, endpoint_client_mint(check->rt, gate, &session, &grants[4].cap),
                    TRANSPORT_OK);
        quotas.slots = 16;
        quotas.endpoint_queue = 2 * PARKED_CALLS;
        quotas.outstanding_calls = 2 * PARKED_CALLS;
        victim = child_start(check, "victim", grants, ARRAY_COUNT(grants), quotas);
    }
    request = rt_receive(&check->rt->ring, gate.cap, inbox);
    CHECK(check, request.status >= 0);
    CHECK_EQUAL(check, bytes[0], LETTER_FROM_CHILD); /* it has mapped and written */
    /* This one's own edge, the victim's, and each copy that it put beside a call. */
    CHECK_EQUAL(check, rt_revoke(&check->rt->ring, lent.handle, &receipt, &refusal),
                2 + LIMIT_TRANSFERS_WAITING);
    CHECK_EQUAL(check, receipt.mappings, PAGES);
    CHECK_EQUAL(check, receipt.calls, 0); /* they are calls of the victim's to its own endpoint */
    bytes[0] = LETTER_FROM_PARENT;        /* the lender's own mapping stands */
    CHECK_EQUAL(check, bytes[0], LETTER_FROM_PARENT);
    lent_comes_back(check, object, lent, range);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, gate.cap), TRANSPORT_OK);
    child_ends(check, victim, PROCESS_EXIT_KIND_FAULTED);
    return check_end(check);
}

/* A CALL through `client` with `count` copies of `cap`. */
static struct sqe copies_entry(struct check *check, struct cap_id client, struct cap_id cap,
                               uint32_t count)
{
    const struct transfer copy = {.cap = cap, .mode = TRANSFER_COPY};
    struct rt_buffer message =
        rt_buffer_alloc(&check->rt->ring, LIMIT_TRANSFERS * (uint32_t)sizeof(copy));

    for (uint32_t i = 0; i < count; i++) {
        memcpy(message.bytes + i * sizeof(copy), &copy, sizeof(copy));
    }
    return rt_call_entry(&(struct rt_call){.cap = client,
                                           .interface_id = NULL_OBJECT_INTERFACE_ID,
                                           .message = message.bytes,
                                           .transfers = (uint8_t)count});
}

/* As many copies of what was lent as may be beside waiting calls, which go to an endpoint of this
 * process's own and are never taken. */
static void copies_park(struct check *check, struct memory_object lent)
{
    struct endpoint_factory factory = {.cap = check_held(check, "endpoint-factory")};
    struct manifest_export limits = {.message_bytes = LIMIT_PAGE_BYTES,
                                     .capabilities = LIMIT_TRANSFERS,
                                     .queue_length = PARKED_CALLS};
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY};
    struct endpoint_owner owner;
    struct cap_id client;
    struct sqe entry;
    uint32_t count;

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &owner), TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &session, &client), TRANSPORT_OK);
    for (uint32_t left = LIMIT_TRANSFERS_WAITING; left > 0; left -= count) {
        count = left < LIMIT_TRANSFERS ? left : LIMIT_TRANSFERS;
        entry = copies_entry(check, client, lent.cap, count);
        (void)check_submit(check, &check->rt->ring, &entry);
        CHECK_EQUAL(check, rt_ring_enter(&check->rt->ring, 0, 0), TRANSPORT_OK);
    }
    /* None of them was refused: there is not one item left. */
    entry = copies_entry(check, client, lent.cap, 1);
    CHECK_EQUAL(check, check_done(check, &check->rt->ring, &entry).result, TRANSPORT_LIMIT);
}

/* Goes on when the lender has revoked, and touches what it had mapped. */
static int victim(struct check *check)
{
    struct memory_object lent = {.cap = check_held(check, "lent")};
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};
    struct memory_range range;
    struct memory_range again = {.bytes = LIMIT_PAGE_BYTES};
    struct memory_seen seen;
    volatile uint8_t *bytes = map(check, lent, MEMORY_PROTECTION_READ_WRITE, &range);

    bytes[0] = LETTER_FROM_CHILD;
    copies_park(check, lent);
    (void)pass_gate(check);
    CHECK_EQUAL(check, memory_client_query(check->rt, memory, range.address, &seen), TRANSPORT_OK);
    CHECK(check, seen.shared && !seen.committed);
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){.object = lent},
                                         MEMORY_PROTECTION_READ, &again),
                EXCEPTION_REASON_REVOKED_CAPABILITY);
    (void)check_end(check);
    return bytes[0];
}

int main(struct rt *rt)
{
    static const struct {
        const char *name;
        int (*part)(struct check *check);
    } parts[] = {{"share", share}, {"reader", reader}, {"family", family}, {"middle", middle},
                 {"leaf", leaf},   {"lender", lender}, {"victim", victim}};
    struct check check = {.rt = rt};

    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (rt_name_is(rt, parts[i].name)) {
            return parts[i].part(&check);
        }
    }
    return 2;
}
