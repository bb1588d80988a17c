/* SPDX-License-Identifier: MIT */
/*
 * Does each thing that may need memory, twice: what it was refused for want of memory, once, it
 * gets at the second try, and nothing is left of the first. As the scene "starved" nothing fails;
 * tests/host/machine_failures_test.c lets the nth allocation of the kernel fail, for every n.
 *
 * Needs "null", "process-spawner", "endpoint-factory", "thread-spawner", "frame-allocator",
 * "virtual-memory".
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
#include "user/lib/process.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    BINARY_OWN = 1,
    COPIES = 70, /* more than a page of slots holds */
    BADGE_OTHERS = 100,
    MESSAGE_BYTES = 64,
    BYTES = 3 * LIMIT_PAGE_BYTES,
};

/* What the steps make and later ones use. */
struct things {
    struct check *check;
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_buffer buffer;
    struct rt_buffer inbox;
    struct memory_object object;
    struct memory_object slice;
    struct memory_object run;
    struct memory_range range;
    struct process_handle child;
    struct rt_delegated delegated;
    struct cap_id copy[COPIES];
    unsigned copies;
    struct cap_id minted[COPIES];
    unsigned mints;
};

typedef int32_t (*step_function)(struct things *things);

static int32_t endpoint_step(struct things *things)
{
    struct rt *rt = things->check->rt;
    const struct manifest_export limits = {
        .message_bytes = MESSAGE_BYTES, .capabilities = 1, .queue_length = 4};

    return endpoint_client_create(
        rt, (struct endpoint_factory){check_held(things->check, "endpoint-factory")}, &limits,
        &things->owner);
}

static int32_t mint_step(struct things *things)
{
    const struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                             .facet = MANIFEST_FACET_ALL,
                                             .badge = 3,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};

    return endpoint_client_mint(things->check->rt, things->owner, &session, &things->client);
}

/* A call that brings a capability, taken and answered with one, all by this thread. */
static int32_t round_step(struct things *things)
{
    struct rt_ring *ring = &things->check->rt->ring;
    struct transfer *given = (struct transfer *)(void *)things->buffer.bytes;
    struct rt_call call = {.cap = things->client,
                           .interface_id = NULL_OBJECT_INTERFACE_ID,
                           .message = things->buffer.bytes,
                           .transfers = 1,
                           .result = things->buffer.bytes + MESSAGE_BYTES,
                           .result_bytes = MESSAGE_BYTES};
    struct sqe entry = rt_call_entry(&call);
    struct rt_operation operation;
    struct rt_request request;
    struct rt_answer answer;
    struct cqe cqe;
    int32_t status;

    *given = (struct transfer){.cap = things->client, .mode = TRANSFER_COPY};
    operation = check_submit(things->check, ring, &entry);
    request = rt_receive(ring, things->owner.cap, things->inbox);
    if (request.status < 0) {
        (void)!rt_cancel(ring, operation);
        (void)check_completion(things->check, ring, operation);
        return request.status;
    }
    status = rt_return(ring, &(struct rt_reply){.endpoint = things->owner.cap,
                                                .token = request.head->token,
                                                .message = things->buffer.bytes,
                                                .transfers = 1});
    CHECK_EQUAL(things->check, rt_release(ring, request.caps[0].cap), TRANSPORT_OK);
    cqe = check_completion(things->check, ring, operation);
    answer = rt_call_answer(&call, &cqe);
    if (answer.cap_count == 1) {
        CHECK_EQUAL(things->check, rt_release(ring, answer.caps[0].cap), TRANSPORT_OK);
    }
    return status;
}

/* Takes the oldest call and answers it, with `transfers` of what the buffer begins with. */
static int32_t serve(struct things *things, uint8_t transfers)
{
    struct rt_ring *ring = &things->check->rt->ring;
    struct rt_request request = rt_receive(ring, things->owner.cap, things->inbox);

    if (request.status < 0) {
        return request.status;
    }
    return rt_return(ring, &(struct rt_reply){.endpoint = things->owner.cap,
                                              .token = request.head->token,
                                              .message = things->buffer.bytes,
                                              .transfers = transfers});
}

/* A call, and one promised from its answer, which brings an edge; both answers are kept. */
static int32_t promise_step(struct things *things)
{
    struct check *check = things->check;
    struct rt_ring *ring = &check->rt->ring;
    struct transfer *given = (struct transfer *)(void *)things->buffer.bytes;
    struct rt_call call = {.cap = things->client,
                           .interface_id = NULL_OBJECT_INTERFACE_ID,
                           .message = things->buffer.bytes,
                           .result = things->buffer.bytes + MESSAGE_BYTES,
                           .result_bytes = MESSAGE_BYTES,
                           .answer = rt_answer_take(ring)};
    struct rt_call promised = call;
    struct sqe entry = rt_call_entry(&call);
    struct rt_operation operation[2];
    struct cqe cqe[2];
    struct rt_answer answer;
    int32_t status;

    *given = (struct transfer){.cap = things->client, .mode = TRANSFER_COPY, .path = {{1}}};
    operation[0] = check_submit(check, ring, &entry);
    promised.cap = (struct cap_id){0};
    promised.answer = rt_answer_take(ring);
    promised.promise = rt_promised(call.answer, (struct answer_path){{1}});
    promised.result = things->buffer.bytes + 2 * MESSAGE_BYTES;
    entry = rt_call_entry(&promised);
    operation[1] = check_submit(check, ring, &entry);
    status = serve(things, 1);
    status = status == TRANSPORT_OK ? serve(things, 0) : status;
    for (unsigned i = 0; i < 2; i++) {
        if (status != TRANSPORT_OK) { /* or it has ended, with the other */
            (void)!rt_cancel(ring, operation[i]);
        }
        cqe[i] = check_completion(check, ring, operation[i]);
        status = status == TRANSPORT_OK && cqe[i].result < 0 ? cqe[i].result : status;
    }
    answer = rt_call_answer(&call, &cqe[0]);
    if (answer.cap_count == 1) {
        CHECK_EQUAL(check, rt_release(ring, answer.caps[0].cap), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, rt_finish(ring, call.answer), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_finish(ring, promised.answer), TRANSPORT_OK);
    return status;
}

/* A call that its server watches is taken back by its caller. */
static int32_t watch_step(struct things *things)
{
    struct check *check = things->check;
    struct rt_ring *ring = &check->rt->ring;
    const struct rt_call call = {.cap = things->client,
                                 .interface_id = NULL_OBJECT_INTERFACE_ID,
                                 .message = things->buffer.bytes,
                                 .result = things->buffer.bytes + MESSAGE_BYTES,
                                 .result_bytes = MESSAGE_BYTES};
    struct sqe entry = rt_call_entry(&call);
    struct rt_operation operation = check_submit(check, ring, &entry);
    struct rt_request request = rt_receive(ring, things->owner.cap, things->inbox);
    struct rt_operation watch;
    int32_t status = request.status < 0 ? request.status : TRANSPORT_OK;

    if (status == TRANSPORT_OK) {
        entry = (struct sqe){
            .opcode = OPCODE_WATCH, .cap = things->owner.cap, .token = request.head->token};
        watch = check_submit(check, ring, &entry);
    }
    CHECK_EQUAL(check, rt_cancel(ring, operation), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(check, ring, operation).result, TRANSPORT_CANCELLED);
    if (status == TRANSPORT_OK) {
        status = check_completion(check, ring, watch).result;
        status = status == WATCH_CANCELLED ? TRANSPORT_OK : status;
    }
    return status;
}

/* The id of an edge by its place. */
static int32_t token_step(struct things *things)
{
    struct cap_id cap = {0};
    int32_t status = rt_token(&things->check->rt->ring, cap_id_slot(things->client),
                              NULL_OBJECT_INTERFACE_ID, &cap);

    CHECK(things->check, status != TRANSPORT_OK || cap.raw == things->client.raw);
    return status;
}

static int32_t copies_step(struct things *things)
{
    struct rt_ring *ring = &things->check->rt->ring;
    int32_t status = TRANSPORT_OK;

    while (things->copies < COPIES && status == TRANSPORT_OK) {
        status = rt_duplicate_same(ring, check_held(things->check, "null"),
                                   &things->copy[things->copies]);
        things->copies += status == TRANSPORT_OK;
    }
    return status;
}

/* The same by calls: it is a call for whose answer the next page is wanted. */
static int32_t mints_step(struct things *things)
{
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY};
    int32_t status = TRANSPORT_OK;

    while (things->mints < COPIES && status == TRANSPORT_OK) {
        session.badge = BADGE_OTHERS + things->mints;
        status = endpoint_client_mint(things->check->rt, things->owner, &session,
                                      &things->minted[things->mints]);
        things->mints += status == TRANSPORT_OK;
    }
    return status;
}

static int32_t delegate_step(struct things *things)
{
    return rt_delegate(&things->check->rt->ring, things->client, RT_FACET_SAME, &things->delegated,
                       NULL);
}

static int32_t revoke_step(struct things *things)
{
    int32_t edges = rt_revoke(&things->check->rt->ring, things->delegated.handle, NULL, NULL);

    return edges < 0 ? edges : TRANSPORT_OK;
}

static int32_t allocate_step(struct things *things)
{
    struct frame_allocator allocator = {check_held(things->check, "frame-allocator")};

    return memory_client_allocate(things->check->rt, allocator, BYTES, &things->object);
}

static int32_t map_step(struct things *things)
{
    struct virtual_memory memory = {check_held(things->check, "virtual-memory")};

    things->range = (struct memory_range){.bytes = BYTES};
    return memory_client_map_object(things->check->rt, memory,
                                    (struct memory_part){.object = things->object},
                                    MEMORY_PROTECTION_READ_WRITE, &things->range);
}

/* A page in the middle of a mapping becomes read-only. */
static int32_t part_step(struct things *things)
{
    struct virtual_memory memory = {check_held(things->check, "virtual-memory")};
    struct memory_range part = {.address = things->range.address + LIMIT_PAGE_BYTES,
                                .bytes = LIMIT_PAGE_BYTES};

    return memory_client_protect(things->check->rt, memory, MEMORY_PROTECTION_READ, part);
}

static int32_t slice_step(struct things *things)
{
    return memory_client_slice(things->check->rt,
                               (struct memory_part){things->object, LIMIT_PAGE_BYTES},
                               LIMIT_PAGE_BYTES, &things->slice);
}

static int32_t run_step(struct things *things)
{
    struct frame_allocator allocator = {check_held(things->check, "frame-allocator")};

    return memory_client_allocate_run(things->check->rt, allocator, BYTES, &things->run);
}

static int32_t unmap_step(struct things *things)
{
    struct virtual_memory memory = {check_held(things->check, "virtual-memory")};

    return memory_client_unmap(things->check->rt, memory, things->range);
}

static int32_t park_step(struct things *things)
{
    struct sqe entry = {.opcode = OPCODE_PARK,
                        .cap = things->object.cap,
                        .address = 2 * LIMIT_PAGE_BYTES, /* of a page that nothing touched */
                        .timeout_ns = 1000};
    int32_t result = check_done(things->check, &things->check->rt->ring, &entry).result;

    return result == TRANSPORT_TIMEOUT ? TRANSPORT_OK : result;
}

static int32_t spawn_step(struct things *things)
{
    const struct process_request request = {.name = {"idle", 4},
                                            .boot_binary = BINARY_OWN,
                                            .quotas = check_quotas(),
                                            .scheduling = {.cpu_mask = UINT64_MAX}};

    return process_client_spawn(
        things->check->rt, (struct process_spawner){check_held(things->check, "process-spawner")},
        &request, &things->child);
}

static int32_t transfer_step(struct things *things)
{
    return rt_transfer(&things->check->rt->ring,
                       &(struct rt_transfer){.cap = check_held(things->check, "null"),
                                             .target = things->child.cap,
                                             .flags = SQE_KEEP_GRANT},
                       NULL);
}

static int thread_of_step(struct rt *rt, void *argument)
{
    (void)rt;
    (void)argument;
    return 0;
}

static int32_t thread_step(struct things *things)
{
    static const struct rt_thread_start begin = {.function = thread_of_step};

    return thread_client_spawn(things->check->rt,
                               (struct thread_spawner){check_held(things->check, "thread-spawner")},
                               &begin);
}

/* Once with what may come between, then without: one allocation fails in a run. */
static void step(struct things *things, step_function function)
{
    int32_t status = function(things);

    if (status != TRANSPORT_OK) {
        CHECK(things->check,
              status == TRANSPORT_NO_MEMORY || status == EXCEPTION_REASON_OUT_OF_MEMORY);
        CHECK_EQUAL(things->check, function(things), TRANSPORT_OK);
    }
}

static void things_end(struct things *things)
{
    struct check *check = things->check;
    struct rt_ring *ring = &check->rt->ring;
    struct process_end end;

    CHECK_EQUAL(check, process_client_kill(check->rt, things->child, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_wait(check->rt, things->child, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->child.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->object.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->slice.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->run.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->delegated.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->delegated.handle), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->client), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, things->owner.cap), TRANSPORT_OK);
    while (things->mints > 0) {
        CHECK_EQUAL(check, rt_release(ring, things->minted[--things->mints]), TRANSPORT_OK);
    }
    while (things->copies > 0) {
        CHECK_EQUAL(check, rt_release(ring, things->copy[--things->copies]), TRANSPORT_OK);
    }
}

int main(struct rt *rt)
{
    static const step_function steps[] = {endpoint_step, mint_step,   round_step,    promise_step,
                                          watch_step,    token_step,  copies_step,   mints_step,
                                          delegate_step, revoke_step, allocate_step, map_step,
                                          park_step,     part_step,   slice_step,    run_step,
                                          unmap_step,    thread_step, spawn_step,    transfer_step};
    struct check check = {.rt = rt};
    struct things things = {.check = &check};

    while (string_equal(rt->start->process_name, "idle")) {
        rt_sleep(rt, UINT64_C(1000000000));
    }
    rt->ring.checks = false;
    things.buffer = rt_buffer_alloc(&rt->ring, 3 * MESSAGE_BYTES);
    things.inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        step(&things, steps[i]);
    }
    things_end(&things);
    return check_end(&check);
}
