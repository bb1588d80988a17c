/* SPDX-License-Identifier: MIT */
/*
 * Whose time a server runs on. A thread on a budget calls one without, on the same CPU: the server
 * runs at the caller's cost while it works on the call, and
 *
 *   no longer when it has answered, though the caller still waits for something else;
 *   no longer when the caller's budget is used up, and then it is not stopped either.
 *
 * The scene's clock counts instructions, so two runs see the same.
 */
#include "abi/atomic.h"
#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "tests/programs/support/stopped.h"
#include "user/lib/endpoint.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"

enum {
    BUDGET_NS = 5 * 1000 * 1000,
    PERIOD_NS = 400 * 1000 * 1000,
    WORK_NS = 2 * 1000 * 1000,
    MESSAGE_BYTES = 64,
};

static struct cap_id service;
static uint32_t begun; /* atomic: both threads are known */
static uint32_t *word; /* atomic, in the caller's arena: it waits there too */
static int32_t outcomes[3] = {-1, -1, -1};

/* Calls three times, each time when the server waits; the second time it waits at the word as well.
 */
static int caller(struct rt *rt, void *argument)
{
    struct rt_ring *ring = &rt->ring;
    struct rt_buffer message = rt_buffer_alloc(ring, MESSAGE_BYTES);
    struct rt_buffer result = rt_buffer_alloc(ring, MESSAGE_BYTES);
    struct rt_buffer words = rt_buffer_alloc(ring, MESSAGE_BYTES);
    const struct rt_call call = {.cap = service,
                                 .interface_id = GREETER_INTERFACE_ID,
                                 .message = message.bytes,
                                 .message_bytes = MESSAGE_BYTES,
                                 .result = result.bytes,
                                 .result_bytes = MESSAGE_BYTES};
    const struct sqe entry = rt_call_entry(&call);
    const struct sqe park = {.opcode = OPCODE_PARK,
                             .address = (uint64_t)(uintptr_t)words.bytes,
                             .timeout_ns = TIMEOUT_NONE};
    struct rt_operation operations[2];
    struct cqe completion;

    (void)argument;
    do { /* until the server waits */
        rt_sleep(rt, WORK_NS);
    } while (atomic_load_acquire_u32(&begun) == 0);
    word = (uint32_t *)(void *)words.bytes; /* before the first call is taken */
    outcomes[0] = rt_call(ring, &call).status;
    rt_sleep(rt, WORK_NS);
    if (rt_ring_submit(ring, &park, &operations[0]) == TRANSPORT_OK &&
        rt_ring_submit(ring, &entry, &operations[1]) == TRANSPORT_OK &&
        rt_ring_enter(ring, 2, TIMEOUT_NONE) == TRANSPORT_OK &&
        rt_ring_wait(ring, operations[0], TIMEOUT_NONE, &completion) == TRANSPORT_OK &&
        completion.result == 0 &&
        rt_ring_wait(ring, operations[1], TIMEOUT_NONE, &completion) == TRANSPORT_OK) {
        outcomes[1] = completion.result;
    }
    rt_sleep(rt, WORK_NS);
    outcomes[2] = rt_call(ring, &call).status;
    return 0;
}

struct server {
    struct check check;
    struct endpoint_owner endpoint;
    struct thread_handle caller;
    struct rt_buffer inbox;
};

static uint64_t caller_time_ns(struct server *server)
{
    struct thread_seen seen = {.cpu_time_ns = 0};

    CHECK_EQUAL(&server->check, thread_client_info(server->check.rt, server->caller, &seen),
                TRANSPORT_OK);
    return seen.cpu_time_ns;
}

/* The next call, as what is to be answered. */
static struct rt_reply take(struct server *server)
{
    struct rt_request request =
        rt_receive(&server->check.rt->ring, server->endpoint.cap, server->inbox);

    CHECK(&server->check, request.status >= 0);
    return (struct rt_reply){.endpoint = server->endpoint.cap,
                             .token = request.status < 0 ? 0 : request.head->token,
                             .message = server->inbox.bytes};
}

static int serve(struct rt *rt, void *argument)
{
    struct server *server = argument;
    struct check *check = &server->check;
    struct rt_reply reply;
    uint64_t before;

    check->rt = rt;
    server->inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    reply = take(server);
    CHECK_EQUAL(check, stopped_ns(rt, WORK_NS), 0);
    CHECK_EQUAL(check, rt_return(&rt->ring, &reply), TRANSPORT_OK);
    reply = take(server);
    before = caller_time_ns(server);
    CHECK(check, before >= WORK_NS);
    CHECK_EQUAL(check, rt_return(&rt->ring, &reply), TRANSPORT_OK);
    CHECK_EQUAL(check, stopped_ns(rt, WORK_NS), 0);
    CHECK(check, caller_time_ns(server) < before + WORK_NS / 2);
    atomic_store_release_u32(word, 1);
    CHECK_EQUAL(check, rt_unpark(&rt->ring, word, 1), 1);
    reply = take(server);
    CHECK_EQUAL(check, stopped_ns(rt, 2 * BUDGET_NS), 0);
    before = caller_time_ns(server);
    CHECK(check, before >= BUDGET_NS && before < BUDGET_NS + WORK_NS);
    CHECK_EQUAL(check, rt_return(&rt->ring, &reply), TRANSPORT_OK);
    return 0;
}

/* Starts a thread on the first CPU. */
static struct thread_handle thread_begin(struct check *check, const struct rt_thread_start *begin,
                                         uint64_t budget_ns)
{
    const struct manifest_scheduling terms = {
        .budget_ns = budget_ns, .period_ns = budget_ns == 0 ? 0 : PERIOD_NS, .cpu_mask = 1};
    const struct thread_make plan = {.begin = begin, .scheduling = &terms};
    struct thread_handle handle = {.cap = {.raw = 0}};

    CHECK_EQUAL(check,
                thread_client_make(check->rt,
                                   (struct thread_spawner){check_held(check, "thread-spawner")},
                                   &plan, &handle),
                TRANSPORT_OK);
    return handle;
}

int main(struct rt *rt)
{
    static struct server server;
    static struct rt_thread_start serves = {.function = serve, .argument = &server};
    static struct rt_thread_start calls = {.function = caller};
    const struct manifest_export limits = {
        .message_bytes = MESSAGE_BYTES, .capabilities = 0, .queue_length = 4};
    const struct endpoint_session session = {
        .interface_id = GREETER_INTERFACE_ID, .facet = MANIFEST_FACET_ALL, .badge = 0};
    struct check check = {.rt = rt};
    struct thread_handle server_handle;
    struct thread_end end = {.code = -1};
    struct thread_seen seen = {.cpu_time_ns = 0};

    CHECK_EQUAL(&check,
                endpoint_client_create(
                    rt, (struct endpoint_factory){check_held(&check, "endpoint-factory")}, &limits,
                    &server.endpoint),
                TRANSPORT_OK);
    CHECK_EQUAL(&check, endpoint_client_mint(rt, server.endpoint, &session, &service),
                TRANSPORT_OK);
    server_handle = thread_begin(&check, &serves, 0);
    server.caller = thread_begin(&check, &calls, BUDGET_NS);
    atomic_store_release_u32(&begun, 1);
    CHECK_EQUAL(&check, thread_client_wait(rt, server_handle, TIMEOUT_NONE, &end), TRANSPORT_OK);
    /* What it ran before a loan, after one and when the budget was used up. */
    CHECK_EQUAL(&check, thread_client_info(rt, server_handle, &seen), TRANSPORT_OK);
    CHECK(&check, seen.cpu_time_ns >= BUDGET_NS);
    CHECK(&check, seen.cpu_time_ns < BUDGET_NS + 3 * WORK_NS);
    CHECK_EQUAL(&check, thread_client_wait(rt, server.caller, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(&check, end.code, 0);
    for (unsigned i = 0; i < ARRAY_COUNT(outcomes); i++) {
        CHECK_EQUAL(&check, outcomes[i], 0);
    }
    check.passed += server.check.passed;
    check.failed += server.check.failed;
    return check_end(&check);
}
