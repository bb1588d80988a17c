/* SPDX-License-Identifier: MIT */
/* What a child inherits of its parent's descriptors. */
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/delegates/delegates.h"
#include "user/lib/capability.h"
#include "user/rt/cap.h"

enum {
    DESCRIPTORS = 20,
    GIVEN_SLOT = 9,
};

void heir(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;

    for (uint32_t slot = 0; slot < LIMIT_DESCRIPTORS; slot++) {
        struct rt_delegated made;
        struct cap_id cap;
        int32_t status = rt_token(ring, slot, NULL_OBJECT_INTERFACE_ID, &cap);

        CHECK_EQUAL(check, status, slot < DESCRIPTORS ? TRANSPORT_OK : TRANSPORT_BAD_CAP);
        if (status == TRANSPORT_OK) {
            CHECK_EQUAL(check, giving_call(check->rt, cap, 0), TRANSPORT_OK);
            CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &made, NULL),
                        TRANSPORT_NOT_GRANTABLE);
        }
    }
}

static int32_t spawn_heir(struct check *check, struct process_handle *handle)
{
    struct process_grant console = giving_grant("console", check_held(check, "console"));
    struct process_request request = {.name = {"heir", 4},
                                      .boot_binary = DELEGATES_BINARY,
                                      .grants = &console,
                                      .grant_count = 1,
                                      .quotas = delegate_quotas(0),
                                      .scheduling = {.cpu_mask = UINT64_MAX},
                                      .inherits_descriptors = true};

    request.quotas.slots = DESCRIPTORS + 10;
    return process_client_spawn(check->rt,
                                (struct process_spawner){check_held(check, "process-spawner")},
                                &request, handle);
}

/* The flag is changed where the descriptor is: `plain` may not be inherited. */
static void descriptor_flags(struct check *check, struct cap_id plain, struct cap_id other)
{
    struct capability_manager manager = {check_held(check, "capability-manager")};
    struct rt_duplicate lowest = {.cap = plain, .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct rt_ring *ring = &check->rt->ring;
    struct process_handle handle;
    struct rt_delegated made;
    struct cap_id same = {.raw = 0};
    struct cap_id cap;
    bool close = true;

    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &cap, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, capability_client_close_on_spawn(check->rt, manager, cap, &close),
                TRANSPORT_OK);
    CHECK(check, !close);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, true),
                TRANSPORT_OK);
    CHECK_EQUAL(check, capability_client_close_on_spawn(check->rt, manager, cap, &close),
                TRANSPORT_OK);
    CHECK(check, close);
    CHECK_EQUAL(check, capability_client_close_on_spawn(check->rt, manager, other, &close),
                TRANSPORT_OK);
    CHECK(check, !close);
    CHECK_EQUAL(check, rt_token(ring, cap_id_slot(cap), NULL_OBJECT_INTERFACE_ID, &same),
                TRANSPORT_OK);
    CHECK_EQUAL(check, same.raw, cap.raw);
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, false),
                TRANSPORT_OK);
    CHECK_EQUAL(check, spawn_heir(check, &handle), EXCEPTION_REASON_PERMISSION_DENIED);
    giving_release(check, cap);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, true),
                EXCEPTION_REASON_STALE_CAPABILITY);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, plain, true),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    lowest.cap = made.cap;
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &cap, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, NULL, NULL), 2);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, true),
                EXCEPTION_REASON_REVOKED_CAPABILITY);
    giving_release(check, cap);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
}

/* What its maker marked to be left out of its own spawns is given without the mark. */
void unmarked(struct check *check)
{
    struct capability_manager manager = {check_held(check, "capability-manager")};
    struct cap_id given = {.raw = 0};
    bool close = true;

    CHECK_EQUAL(check, rt_token(&check->rt->ring, GIVEN_SLOT, NULL_OBJECT_INTERFACE_ID, &given),
                TRANSPORT_OK);
    CHECK_EQUAL(check, capability_client_close_on_spawn(check->rt, manager, given, &close),
                TRANSPORT_OK);
    CHECK(check, !close);
}

static void marks_stay(struct check *check)
{
    const struct rt_duplicate marked = {.cap = check_held(check, "null"),
                                        .facet = RT_FACET_SAME,
                                        .flags = SQE_WINDOW | SQE_CLOSE_ON_SPAWN};
    struct process_grant grants[3] = {
        giving_grant("console", check_held(check, "console")),
        giving_grant("capability-manager", check_held(check, "capability-manager")),
    };
    const struct process_request request = {.name = {"unmarked", 8},
                                            .boot_binary = DELEGATES_BINARY,
                                            .grants = grants,
                                            .grant_count = ARRAY_COUNT(grants),
                                            .quotas = delegate_quotas(0),
                                            .scheduling = {.cpu_mask = UINT64_MAX}};
    struct process_spawner spawner = {check_held(check, "process-spawner")};
    struct process_handle handle;
    struct cap_id cap;

    CHECK_EQUAL(check, rt_duplicate(&check->rt->ring, &marked, &cap, NULL), TRANSPORT_OK);
    grants[2] = giving_grant("null", cap);
    grants[2].at = GIVEN_SLOT + 1;
    for (unsigned i = 1; i < ARRAY_COUNT(grants); i++) {
        grants[i].mode = AUTHORITY_TRANSFER_MODE_NONE;
    }
    CHECK_EQUAL(check, process_client_spawn(check->rt, spawner, &request, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    giving_release(check, cap);
}

void inherits(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_duplicate lowest = {
        .cap = check_held(check, "null"), .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct process_handle handle;
    struct rt_delegated made;
    struct cap_id slot[DESCRIPTORS];
    struct cap_id more;

    marks_stay(check);
    for (unsigned i = 0; i < DESCRIPTORS; i++) {
        CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &slot[i], NULL), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    /* one of mode none: nothing is spawned, unless it is marked to be left out */
    lowest.cap = check_held(check, "plain");
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &more, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, spawn_heir(check, &handle), EXCEPTION_REASON_PERMISSION_DENIED);
    giving_release(check, more);
    lowest.flags = SQE_WINDOW | SQE_CLOSE_ON_SPAWN;
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &more, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    giving_release(check, more);
    lowest.flags = SQE_WINDOW;
    descriptor_flags(check, lowest.cap, slot[0]);
    /* one that was revoked is left out */
    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    lowest.cap = made.cap;
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &more, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, NULL, NULL), 2);
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    giving_release(check, more);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    for (unsigned i = 0; i < DESCRIPTORS; i++) {
        giving_release(check, slot[i]);
    }
}
