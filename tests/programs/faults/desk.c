/* SPDX-License-Identifier: MIT */
/* An endpoint that faults come to. */
#include "tests/programs/faults/faults.h"

struct endpoint_owner endpoint_make(struct check *check, uint32_t bytes, uint32_t queue)
{
    struct endpoint_factory factory = {check_held(check, "endpoint-factory")};
    struct manifest_export limits = {
        .message_bytes = bytes, .capabilities = 1, .queue_length = queue};
    struct endpoint_owner owner = {{.raw = 0}};

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &owner), TRANSPORT_OK);
    return owner;
}

void desk_open(struct desk *desk, struct check *check, uint32_t queue)
{
    desk->check = check;
    desk->owner = endpoint_make(check, LARGE_BYTES, queue);
    desk->inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(LARGE_BYTES));
}

void desk_close(struct desk *desk)
{
    giving_release(desk->check, desk->owner.cap);
    rt_buffer_free(&desk->check->rt->ring, desk->inbox);
}

struct fault fault_take(struct desk *desk)
{
    struct rt_request message = rt_receive(&desk->check->rt->ring, desk->owner.cap, desk->inbox);
    struct fault fault = {.token = 0};

    CHECK(desk->check, fault_read(&message, &fault));
    return fault;
}

void fault_decide(struct desk *desk, const struct fault *fault, enum fault_action action)
{
    CHECK_EQUAL(desk->check, fault_answer(desk->check->rt, desk->owner, fault->token, action),
                TRANSPORT_OK);
}

void faults_await(struct desk *desk, uint32_t count)
{
    struct endpoint_seen seen = {.waiting_calls = 0};

    while (seen.waiting_calls != count) {
        rt_sleep(desk->check->rt, 100 * 1000);
        if (endpoint_client_info(desk->check->rt, desk->owner, &seen) != TRANSPORT_OK) {
            CHECK(desk->check, false);
            return;
        }
    }
}
