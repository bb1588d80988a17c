/* SPDX-License-Identifier: MIT */
/*
 * What a server runs at. A caller that is more urgent than its server lends it its priority. Here
 * the server, the least urgent of three, finds out what it runs at: it wakes one in the middle,
 * which comes to run before the server goes on, or does not.
 *
 *   while it works on the call   it does not: the loan stands
 *   when it has answered         it does, in whatever way the answer went, and though the caller
 *                                waits for something else and is never made ready
 *   when the caller is ready in another way, made so here or on another CPU: the caller runs before
 *   the server goes on, or as soon as its CPU hears of it
 *
 * At last an answer ends a session, and who is told of that is the most urgent of all: it runs
 * before the caller goes on, to whom the CPU goes else.
 *
 * All but one thread are on the first CPU. Needs "endpoint-factory", "thread-spawner".
 */
#include "abi/atomic.h"
#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"
#include "user/rt/clock.h"

enum {
    PRIORITY_SERVER = 2,
    PRIORITY_MIDDLE = 4,
    PRIORITY_CALLER = 6,
    PRIORITY_TOLD = 8,
    BADGE = 1,
    MESSAGE_BYTES = 64,
};

/* The quantum is a hundred times as long (timerHz of the scene). */
#define SOON_NS UINT64_C(1000000)

/* How a call is answered. */
enum answer {
    ANSWER_PLAIN, /* RETURN_RECV */
    ANSWER_CAP,   /* with a capability */
    ANSWER_LONG,  /* RETURN, then RECV */
};

/* What the server does about a call. */
enum work {
    WORK_NONE,      /* the caller's first goes the long way */
    WORK_LENT,      /* nobody between it and the caller comes to run */
    WORK_OWN,       /* somebody does */
    WORK_WAKE,      /* it makes the caller ready, which comes to run */
    WORK_WAKE_PAIR, /* it does, and waits at a word as well, but not for that */
    WORK_WAKE_FAR,  /* another CPU does */
    WORK_TELL,      /* it lets the one that is told ask for a message */
};

/* A call; the server is sent the first two. */
struct round {
    uint32_t work;
    uint32_t answer;
    bool both; /* the caller waits at its word until the round is over */
};

static const struct round rounds[] = {
    {WORK_NONE, ANSWER_PLAIN, false},     {WORK_LENT, ANSWER_PLAIN, false},
    {WORK_LENT, ANSWER_PLAIN, true},      {WORK_LENT, ANSWER_CAP, false},
    {WORK_LENT, ANSWER_CAP, true},        {WORK_LENT, ANSWER_LONG, false},
    {WORK_LENT, ANSWER_LONG, true},       {WORK_WAKE, ANSWER_PLAIN, true},
    {WORK_WAKE_PAIR, ANSWER_PLAIN, true}, {WORK_WAKE_FAR, ANSWER_PLAIN, true},
};

static struct {
    struct check far; /* each of its thread */
    struct check caller;
    struct check server;
    struct check looker;
    struct check told;
    struct endpoint_owner endpoint;
    struct cap_id service;
    uint32_t *middle_word; /* in the arenas of those that wait at them */
    uint32_t *caller_word;
    uint32_t *told_word;
    uint32_t *server_word;
    uint32_t *far_word;    /* NULL: there is one CPU */
    uint32_t middle_ready; /* atomic, as all below */
    uint32_t middle_ran;
    uint32_t caller_ready;
    uint32_t caller_ran; /* out of the wait of its round */
    uint32_t far_ready;  /* 1; 2: there is no such CPU */
    uint32_t far_asked;
    uint32_t told_ready;
    uint32_t told_asked;
    uint32_t told_ran;
} all;

static uint32_t *word_make(struct rt *rt)
{
    struct rt_buffer buffer = rt_buffer_alloc(&rt->ring, MESSAGE_BYTES);

    *(uint32_t *)(void *)buffer.bytes = 0;
    return (uint32_t *)(void *)buffer.bytes;
}

/* Runs whenever it is woken. */
static int middle(struct rt *rt, void *argument)
{
    (void)argument;
    all.middle_word = word_make(rt);
    atomic_store_release_u32(&all.middle_ready, 1);
    while (rt_park(&rt->ring, all.middle_word, 0, TIMEOUT_NONE) == 0) {
        atomic_store_release_u32(&all.middle_ran, all.middle_ran + 1);
    }
    return 1;
}

/* On the second CPU: makes the caller ready when it is asked. */
static int far_waker(struct rt *rt, void *argument)
{
    (void)argument;
    all.far.rt = rt;
    all.far_word = word_make(rt);
    atomic_store_release_u32(&all.far_ready, 1);
    while (rt_park(&rt->ring, all.far_word, 0, TIMEOUT_NONE) == 0) {
        CHECK_EQUAL(&all.far, rt_unpark(&rt->ring, all.caller_word, 1), 1);
    }
    return 1;
}

/* Asks for one message when it is woken, which tells that the session has ended. */
static int told(struct rt *rt, void *argument)
{
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    struct rt_request request;

    (void)argument;
    all.told.rt = rt;
    all.told_word = word_make(rt);
    atomic_store_release_u32(&all.told_ready, 1);
    CHECK_EQUAL(&all.told, rt_park(&rt->ring, all.told_word, 0, TIMEOUT_NONE), 0);
    atomic_store_release_u32(&all.told_asked, 1);
    request = rt_receive(&rt->ring, all.endpoint.cap, inbox);
    atomic_store_release_u32(&all.told_ran, 1);
    if (CHECK(&all.told, request.status >= 0)) {
        CHECK_EQUAL(&all.told, request.head->kind, ENDPOINT_MESSAGE_CLOSED);
        CHECK_EQUAL(&all.told, request.head->badge, BADGE);
    }
    return 0;
}

/* ---- the caller ------------------------------------------------------------------------------ */

static struct rt_operation park_begin(struct rt *rt)
{
    const struct sqe park = {.opcode = OPCODE_PARK,
                             .address = (uint64_t)(uintptr_t)all.caller_word,
                             .timeout_ns = TIMEOUT_NONE};

    return check_submit(&all.caller, &rt->ring, &park);
}

static void call_round(struct rt *rt, const struct round *round, struct rt_buffer message,
                       struct rt_buffer result)
{
    struct check *check = &all.caller;
    bool woken =
        round->work == WORK_WAKE || round->work == WORK_WAKE_PAIR || round->work == WORK_WAKE_FAR;
    const struct rt_call call = {.cap = all.service,
                                 .interface_id = GREETER_INTERFACE_ID,
                                 .message = message.bytes,
                                 .message_bytes = 8,
                                 .result = result.bytes,
                                 .result_bytes = result.size};
    struct rt_operation park = {0};
    struct rt_operation operation;
    struct rt_answer answer;
    struct cqe completion;
    struct sqe entry;

    ((uint32_t *)(void *)message.bytes)[0] = round->work;
    ((uint32_t *)(void *)message.bytes)[1] = round->answer;
    entry = rt_call_entry(&call);
    if (round->both) {
        park = park_begin(rt);
    }
    CHECK_EQUAL(check, rt_ring_submit(&rt->ring, &entry, &operation), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(&rt->ring, round->both && !woken ? 2 : 1, TIMEOUT_NONE),
                TRANSPORT_OK);
    atomic_store_release_u32(&all.caller_ran, all.caller_ran + 1);
    completion = check_completion(check, &rt->ring, operation);
    answer = rt_call_answer(&call, &completion);
    CHECK(check, answer.status >= 0);
    if (round->answer == ANSWER_CAP && CHECK_EQUAL(check, answer.cap_count, 1)) {
        CHECK_EQUAL(check, rt_release(&rt->ring, answer.caps[0].cap), TRANSPORT_OK);
    }
    if (woken) {
        CHECK_EQUAL(check, check_completion(check, &rt->ring, park).result, 0);
    }
    if (woken || !round->both) {
        park = park_begin(rt);
    }
    CHECK_EQUAL(check, check_completion(check, &rt->ring, park).result, 0);
}

/* A call of a session that nothing holds but the call, so that its answer is the session's end. */
static void call_last(struct rt *rt, struct rt_buffer message, struct rt_buffer result)
{
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = MANIFEST_FACET_ALL,
                                             .badge = BADGE,
                                             .mode = AUTHORITY_TRANSFER_MODE_NONE};
    struct rt_call call = {.interface_id = GREETER_INTERFACE_ID,
                           .message = message.bytes,
                           .message_bytes = 8,
                           .result = result.bytes,
                           .result_bytes = result.size};
    struct check *check = &all.caller;
    struct rt_operation operations[2];
    struct sqe entry;

    CHECK_EQUAL(check, endpoint_client_mint(rt, all.endpoint, &session, &call.cap), TRANSPORT_OK);
    ((uint32_t *)(void *)message.bytes)[0] = WORK_TELL;
    ((uint32_t *)(void *)message.bytes)[1] = ANSWER_PLAIN;
    entry = rt_call_entry(&call);
    operations[0] = check_submit(check, &rt->ring, &entry);
    entry = (struct sqe){.opcode = OPCODE_RELEASE, .cap = call.cap};
    operations[1] = check_submit(check, &rt->ring, &entry);
    CHECK_EQUAL(check, rt_ring_enter(&rt->ring, 2, TIMEOUT_NONE), TRANSPORT_OK);
    CHECK_EQUAL(check, atomic_load_acquire_u32(&all.told_ran), 1);
    for (unsigned i = 0; i < ARRAY_COUNT(operations); i++) {
        CHECK_EQUAL(check, check_completion(check, &rt->ring, operations[i]).result, 0);
    }
}

static int caller(struct rt *rt, void *argument)
{
    struct rt_buffer message = rt_buffer_alloc(&rt->ring, MESSAGE_BYTES);
    struct rt_buffer result = rt_buffer_alloc(&rt->ring, 2 * MESSAGE_BYTES);

    (void)argument;
    all.caller.rt = rt;
    rt->ring.checks = false; /* message and result are used again */
    all.caller_word = word_make(rt);
    atomic_store_release_u32(&all.caller_ready, 1);
    CHECK_EQUAL(&all.caller, rt_park(&rt->ring, all.caller_word, 0, TIMEOUT_NONE), 0);
    for (unsigned i = 0; i < ARRAY_COUNT(rounds); i++) {
        if (rounds[i].work != WORK_WAKE_FAR || atomic_load_acquire_u32(&all.far_ready) == 1) {
            call_round(rt, &rounds[i], message, result);
        }
    }
    call_last(rt, message, result);
    return 0;
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Whether the one in the middle runs before this thread goes on. */
static bool middle_runs(struct rt *rt)
{
    uint32_t before = atomic_load_acquire_u32(&all.middle_ran);

    CHECK_EQUAL(&all.server, rt_unpark(&rt->ring, all.middle_word, 1), 1);
    return atomic_load_acquire_u32(&all.middle_ran) != before;
}

/* Whether the caller, made ready by another CPU, runs before the quantum is over. */
static bool caller_runs_soon(struct rt *rt)
{
    uint32_t before = atomic_load_acquire_u32(&all.caller_ran);
    uint64_t asked_ns;

    CHECK_EQUAL(&all.server, rt_unpark(&rt->ring, all.far_word, 1), 1);
    asked_ns = clock_now_ns(rt->start);
    while (atomic_load_acquire_u32(&all.caller_ran) == before) {
        rt_cpu_pause();
    }
    return clock_now_ns(rt->start) - asked_ns < SOON_NS;
}

/* Makes the caller ready and waits at a word of its own, and is content with the first. */
static void wake_in_pair(struct rt *rt)
{
    const struct sqe wake = {
        .opcode = OPCODE_UNPARK, .address = (uint64_t)(uintptr_t)all.caller_word, .value = 1};
    const struct sqe wait = {.opcode = OPCODE_PARK,
                             .address = (uint64_t)(uintptr_t)all.server_word,
                             .timeout_ns = TIMEOUT_NONE};
    uint32_t before = atomic_load_acquire_u32(&all.caller_ran);
    struct check *check = &all.server;
    struct rt_operation wakes = check_submit(check, &rt->ring, &wake);
    struct rt_operation waits = check_submit(check, &rt->ring, &wait);

    CHECK_EQUAL(check, rt_ring_enter(&rt->ring, 1, TIMEOUT_NONE), TRANSPORT_OK);
    CHECK(check, atomic_load_acquire_u32(&all.caller_ran) != before);
    CHECK_EQUAL(check, check_completion(check, &rt->ring, wakes).result, 1);
    CHECK_EQUAL(check, rt_unpark(&rt->ring, all.server_word, 1), 1);
    CHECK_EQUAL(check, check_completion(check, &rt->ring, waits).result, 0);
}

static void serve_one(struct rt *rt, uint32_t work)
{
    uint32_t before = atomic_load_acquire_u32(&all.caller_ran);

    switch (work) {
    case WORK_NONE:
        break;
    case WORK_LENT:
        CHECK(&all.server, !middle_runs(rt));
        break;
    case WORK_OWN:
        CHECK(&all.server, middle_runs(rt));
        break;
    case WORK_WAKE:
        CHECK_EQUAL(&all.server, rt_unpark(&rt->ring, all.caller_word, 1), 1);
        CHECK(&all.server, atomic_load_acquire_u32(&all.caller_ran) != before);
        break;
    case WORK_WAKE_PAIR:
        wake_in_pair(rt);
        break;
    case WORK_TELL:
        CHECK_EQUAL(&all.server, rt_unpark(&rt->ring, all.told_word, 1), 1);
        CHECK_EQUAL(&all.server, atomic_load_acquire_u32(&all.told_asked), 1);
        break;
    default:
        CHECK(&all.server, caller_runs_soon(rt));
        break;
    }
}

static int server(struct rt *rt, void *argument)
{
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    struct rt_buffer answer = rt_buffer_alloc(&rt->ring, MESSAGE_BYTES);
    struct rt_request request;

    (void)argument;
    all.server.rt = rt;
    all.server_word = word_make(rt);
    rt->ring.checks = false;
    request = rt_receive(&rt->ring, all.endpoint.cap, inbox);
    while (request.status >= 0) {
        uint32_t work = ((const uint32_t *)(const void *)request.message)[0];
        uint32_t how = ((const uint32_t *)(const void *)request.message)[1];
        struct rt_reply reply = {.endpoint = all.endpoint.cap,
                                 .token = request.head->token,
                                 .message = answer.bytes,
                                 .transfers = how == ANSWER_CAP};

        *(struct transfer *)(void *)answer.bytes =
            (struct transfer){.cap = all.service, .mode = TRANSFER_COPY};
        serve_one(rt, work);
        if (how == ANSWER_LONG) {
            CHECK_EQUAL(&all.server, rt_return(&rt->ring, &reply), TRANSPORT_OK);
            request = rt_receive(&rt->ring, all.endpoint.cap, inbox);
        } else {
            request = rt_return_receive(&rt->ring, &reply, inbox);
        }
    }
    return 1;
}

/* ---- who looks ------------------------------------------------------------------------------- */

/* As urgent as the server, so what it calls for is done at the server's own priority: it runs when
 * the caller waits, sees what the last round has left behind, and lets the next one begin. */
static int looker(struct rt *rt, void *argument)
{
    struct rt_buffer message = rt_buffer_alloc(&rt->ring, MESSAGE_BYTES);
    const struct rt_call call = {.cap = all.service,
                                 .interface_id = GREETER_INTERFACE_ID,
                                 .message = message.bytes,
                                 .message_bytes = 8,
                                 .result = message.bytes,
                                 .result_bytes = message.size};

    (void)argument;
    all.looker.rt = rt;
    rt->ring.checks = false;
    /* On one CPU there is a round less. */
    for (unsigned i = all.far_ready == 1 ? 0 : 1; i <= ARRAY_COUNT(rounds); i++) {
        ((uint32_t *)(void *)message.bytes)[0] = WORK_OWN;
        ((uint32_t *)(void *)message.bytes)[1] = ANSWER_PLAIN;
        CHECK_EQUAL(&all.looker, rt_call(&rt->ring, &call).status, 0);
        CHECK_EQUAL(&all.looker, rt_unpark(&rt->ring, all.caller_word, 1), 1);
    }
    return 0;
}

static bool thread_begin(struct check *check, rt_thread_function function, uint8_t priority,
                         uint64_t cpu_mask, struct thread_handle *handle)
{
    static struct rt_thread_start starts[6];
    static unsigned used;
    const struct manifest_scheduling terms = {.priority = priority, .cpu_mask = cpu_mask};
    const struct thread_make plan = {.begin = &starts[used], .scheduling = &terms};

    starts[used++] = (struct rt_thread_start){.function = function};
    return thread_client_make(check->rt,
                              (struct thread_spawner){check_held(check, "thread-spawner")}, &plan,
                              handle) == TRANSPORT_OK;
}

static void until(struct rt *rt, uint32_t *flag)
{
    while (atomic_load_acquire_u32(flag) == 0) {
        rt_sleep(rt, 100 * 1000);
    }
}

int main(struct rt *rt)
{
    const struct manifest_export limits = {
        .message_bytes = MESSAGE_BYTES, .capabilities = 1, .queue_length = 4};
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = MANIFEST_FACET_ALL,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY};
    struct check check = {.rt = rt};
    struct thread_handle handles[6];
    struct thread_end end = {.code = -1};

    CHECK_EQUAL(&check,
                endpoint_client_create(
                    rt, (struct endpoint_factory){check_held(&check, "endpoint-factory")}, &limits,
                    &all.endpoint),
                TRANSPORT_OK);
    CHECK_EQUAL(&check, endpoint_client_mint(rt, all.endpoint, &session, &all.service),
                TRANSPORT_OK);
    CHECK(&check, thread_begin(&check, middle, PRIORITY_MIDDLE, 1, &handles[0]));
    CHECK(&check, thread_begin(&check, server, PRIORITY_SERVER, 1, &handles[1]));
    CHECK(&check, thread_begin(&check, told, PRIORITY_TOLD, 1, &handles[5]));
    until(rt, &all.middle_ready);
    until(rt, &all.told_ready);
    if (thread_begin(&check, far_waker, PRIORITY_MIDDLE, 2, &handles[2])) {
        until(rt, &all.far_ready);
    } else {
        all.far_ready = 2;
    }
    CHECK(&check, thread_begin(&check, caller, PRIORITY_CALLER, 1, &handles[3]));
    until(rt, &all.caller_ready);
    CHECK(&check, thread_begin(&check, looker, PRIORITY_SERVER, 1, &handles[4]));
    CHECK_EQUAL(&check, thread_client_wait(rt, handles[4], TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(&check, thread_client_wait(rt, handles[3], TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(&check, end.code, 0);
    CHECK_EQUAL(&check, thread_client_wait(rt, handles[5], TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(&check, end.code, 0);
    check.passed += all.far.passed + all.caller.passed + all.server.passed + all.looker.passed +
                    all.told.passed;
    check.failed += all.far.failed + all.caller.failed + all.server.failed + all.looker.failed +
                    all.told.failed;
    return check_end(&check);
}
