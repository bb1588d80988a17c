/* SPDX-License-Identifier: MIT */
/* A caller that a third thread makes ready in the moment in which it lends its time. */
#include "abi/atomic.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/races/races.h"
#include "tests/programs/support/gate.h"

enum {
    LOANS = 150,
};

static struct {
    struct cap_id owner[2];
    uint64_t servers; /* atomic: that have begun */
    uint64_t armed;   /* atomic: rounds in which the caller waits at `word` too */
    uint64_t over;    /* atomic */
    uint32_t *word;   /* in the caller's arena */
    struct rt_thread_start serve;
    struct rt_thread_start wake;
} loan;

static int loan_server(struct rt *rt, void *argument)
{
    struct cap_id owner = loan.owner[atomic_add_u64(&loan.servers, 1) - 1];
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(GATE_MESSAGE_BYTES));
    struct rt_request request;

    (void)argument;
    rt->ring.checks = false;
    request = rt_receive(&rt->ring, owner, inbox);
    while (request.status >= 0) {
        struct rt_reply reply = {
            .endpoint = owner, .token = request.head->token, .message = inbox.bytes};

        rt_sleep(rt, 500); /* so that the caller, if it is ready, runs while its call is open */
        request = rt_return_receive(&rt->ring, &reply, inbox);
    }
    return 0;
}

static int loan_waker(struct rt *rt, void *argument)
{
    uint64_t round = 1;

    (void)argument;
    while (atomic_load_acquire_u64(&loan.over) == 0) {
        if (atomic_load_acquire_u64(&loan.armed) < round) {
            rt_sleep(rt, 500);
        } else if (rt_unpark(&rt->ring, loan.word, 1) != 0) {
            round++;
        }
    }
    return 0;
}

/* Starts a server, less urgent than its caller. */
static void server_start(struct check *check, struct rt_thread_start *begin)
{
    const struct manifest_scheduling terms = {.priority = 1, .cpu_mask = UINT64_MAX};
    const struct thread_make plan = {.begin = begin, .scheduling = &terms};
    const struct thread_spawner threads = {check_held(check, "thread-spawner")};
    struct thread_handle handle;

    *begin = (struct rt_thread_start){.function = loan_server};
    if (CHECK_EQUAL(check, thread_client_make(check->rt, threads, &plan, &handle), TRANSPORT_OK)) {
        CHECK_EQUAL(check, rt_release(&check->rt->ring, handle.cap), TRANSPORT_OK);
    }
}

/* Two servers, so that one is on the caller's CPU and is lent to, and the waker wherever it is
 * placed. */
void loans(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct gate gate[2] = {gate_make(check), gate_make(check)};
    struct rt_buffer buffer = rt_buffer_alloc(ring, GATE_MESSAGE_BYTES);
    struct rt_buffer word = rt_buffer_alloc(ring, sizeof(*loan.word));
    struct rt_thread_start second;

    ring->checks = false;
    loan.word = (uint32_t *)(void *)word.bytes;
    *loan.word = 0;
    loan.owner[0] = gate[0].owner.cap;
    loan.owner[1] = gate[1].owner.cap;
    server_start(check, &loan.serve);
    server_start(check, &second);
    wait_until(check->rt, &loan.servers, 2);
    thread_start(check, &loan.wake, loan_waker);
    for (uint64_t round = 1; round <= LOANS; round++) {
        const struct sqe park = {
            .opcode = OPCODE_PARK, .address = (uintptr_t)loan.word, .timeout_ns = TIMEOUT_NONE};
        struct rt_operation waits = check_submit(check, ring, &park);
        struct rt_call entry = {.cap = gate[round % 2].client,
                                .interface_id = NULL_OBJECT_INTERFACE_ID,
                                .message = buffer.bytes,
                                .result = buffer.bytes,
                                .result_bytes = buffer.size};

        CHECK_EQUAL(check, rt_ring_enter(ring, 0, 0), TRANSPORT_OK);
        atomic_store_release_u64(&loan.armed, round);
        CHECK_EQUAL(check, rt_call(ring, &entry).status, TRANSPORT_OK);
        CHECK_EQUAL(check, check_completion(check, ring, waits).result, TRANSPORT_OK);
    }
    atomic_store_release_u64(&loan.over, 1);
    ring->checks = true;
    rt_buffer_free(ring, buffer);
    rt_buffer_free(ring, word);
    gate_end(check, &gate[0]);
    gate_end(check, &gate[1]);
}
