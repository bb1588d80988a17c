/* SPDX-License-Identifier: MIT */
/* What cannot be named as a fault endpoint. */
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/faults/faults.h"

static int32_t refused(struct check *check, struct cap_id told)
{
    struct process_grant console = giving_held(check, "console");
    struct process_handle handle;

    return child_spawn(check, "reads", &(struct making){&console, 1, 1, told}, &handle);
}

static struct cap_id narrowed(struct check *check, struct cap_id cap, uint64_t facet)
{
    struct cap_id copy = {.raw = 0};

    CHECK_EQUAL(check,
                rt_duplicate(&check->rt->ring, &(struct rt_duplicate){.cap = cap, .facet = facet},
                             &copy, NULL),
                TRANSPORT_OK);
    return copy;
}

void refusals(struct check *check)
{
    struct endpoint_owner owner = endpoint_make(check, FAULT_MESSAGE_BYTES, 1);
    struct endpoint_owner small = endpoint_make(check, FAULT_MESSAGE_BYTES - 8, 1);
    struct endpoint_session other = FAULT_SESSION(0);
    struct process_spawner spawner = {check_held(check, "process-spawner")};
    struct process_request request = {.name = giving_text("reads"),
                                      .boot_binary = FAULTS_BINARY,
                                      .quotas = check_quotas(),
                                      .scheduling = {.cpu_mask = UINT64_MAX},
                                      .fault_endpoint = owner.cap};
    struct process_handle handle;
    struct rt_delegated lent;
    struct cap_id cap;

    CHECK_EQUAL(check, refused(check, check_held(check, "console")),
                EXCEPTION_REASON_WRONG_INTERFACE);
    CHECK_EQUAL(check, refused(check, small.cap), EXCEPTION_REASON_LIMIT_EXCEEDED);
    cap = narrowed(check, owner.cap, ENDPOINT_FACET_RECEIVE | ENDPOINT_FACET_ANSWER);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    giving_release(check, cap);
    other.interface_id = NULL_OBJECT_INTERFACE_ID;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &other, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_WRONG_INTERFACE);
    giving_release(check, cap);
    other = FAULT_SESSION(0);
    other.facet = 0;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &other, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    giving_release(check, cap);
    other = FAULT_SESSION(0);
    other.mode = AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &other, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_NOT_GRANTABLE);
    giving_release(check, cap);
    CHECK_EQUAL(check, rt_delegate(&check->rt->ring, owner.cap, RT_FACET_SAME, &lent, NULL),
                TRANSPORT_OK);
    CHECK(check, rt_revoke(&check->rt->ring, lent.handle, NULL, NULL) >= 0);
    CHECK_EQUAL(check, refused(check, lent.cap), EXCEPTION_REASON_REVOKED_CAPABILITY);
    giving_release(check, lent.cap);
    giving_release(check, lent.handle);
    request.quotas.outstanding_calls = 0; /* the thread's fault is one */
    CHECK_EQUAL(check, process_client_spawn(check->rt, spawner, &request, &handle),
                EXCEPTION_REASON_QUOTA_EXCEEDED);
    giving_release(check, owner.cap);
    giving_release(check, small.cap);
}
