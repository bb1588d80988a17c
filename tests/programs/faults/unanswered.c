/* SPDX-License-Identifier: MIT */
/* Faults that nobody answers, or that are answered by what is no answer. */
#include "tests/programs/faults/faults.h"

enum {
    KILL_CODE = 42,
    KILL_ROUNDS = 8,
};

void endpoint_vanishes(struct check *check)
{
    struct process_handle child;
    struct desk desk;

    desk_open(&desk, check, 4); /* while the fault waits */
    child = simple_spawn(check, "reads", desk.owner.cap);
    faults_await(&desk, 1);
    desk_close(&desk);
    child_faulted(check, child);
    desk_open(&desk, check, 4); /* while it is being handled */
    child = simple_spawn(check, "reads", desk.owner.cap);
    (void)fault_take(&desk);
    desk_close(&desk);
    child_faulted(check, child);
    desk_open(&desk, check, 4); /* before it comes */
    child = simple_spawn(check, "later", desk.owner.cap);
    desk_close(&desk);
    child_faulted(check, child);
}

void queue_is_full(struct check *check)
{
    struct process_handle first;
    struct fault fault;
    struct desk desk;

    desk_open(&desk, check, 1);
    first = simple_spawn(check, "reads", desk.owner.cap);
    faults_await(&desk, 1);
    child_faulted(check, simple_spawn(check, "reads", desk.owner.cap));
    fault = fault_take(&desk);
    fault_decide(&desk, &fault, FAULT_ACTION_END_PROCESS);
    child_faulted(check, first);
    desk_close(&desk);
}

void killed(struct check *check)
{
    struct desk desk;

    desk_open(&desk, check, 4);
    for (unsigned i = 0; i < KILL_ROUNDS; i++) {
        struct process_handle child = simple_spawn(check, "reads", desk.owner.cap);
        struct rt_operation watch;
        struct process_end end;
        struct fault fault = {.token = 0};

        if (i % 2 == 0) {
            faults_await(&desk, 1);
        } else {
            struct sqe entry;

            fault = fault_take(&desk);
            entry = rt_watch_entry(desk.owner.cap, fault.token);
            watch = check_submit(check, &check->rt->ring, &entry);
        }
        CHECK_EQUAL(check, process_client_kill(check->rt, child, KILL_CODE), TRANSPORT_OK);
        end = child_end(check, child);
        CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_KILLED);
        CHECK_EQUAL(check, end.code, KILL_CODE);
        if (i % 2 == 0) {
            faults_await(&desk, 0);
        } else {
            CHECK_EQUAL(check, check_completion(check, &check->rt->ring, watch).result,
                        WATCH_CANCELLED);
            CHECK_EQUAL(check,
                        fault_answer(check->rt, desk.owner, fault.token, FAULT_ACTION_RESUME),
                        TRANSPORT_CANCELLED);
        }
    }
    desk_close(&desk);
}

void revoked(struct check *check)
{
    struct endpoint_session lasting = FAULT_SESSION(0);
    struct rt_ring *ring = &check->rt->ring;
    struct rt_delegated lent;
    struct receipt receipt = {.calls = 0};
    struct process_handle child;
    struct cap_id cap;
    struct desk desk;
    int32_t edges;

    desk_open(&desk, check, 4);
    lasting.mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, desk.owner, &lasting, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    child = simple_spawn(check, "reads", lent.cap);
    giving_release(check, lent.cap);
    faults_await(&desk, 1);
    /* The child's edge is emptied, unless its end came first. */
    CHECK(check, (uint32_t)rt_revoke(ring, lent.handle, &receipt, NULL) <= 1);
    CHECK_EQUAL(check, receipt.calls, 1);
    child_faulted(check, child);
    giving_release(check, lent.handle);
    /* Before the fault. */
    CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    child = simple_spawn(check, "later", lent.cap);
    giving_release(check, lent.cap);
    CHECK(check, (uint32_t)rt_revoke(ring, lent.handle, NULL, NULL) <= 1);
    child_faulted(check, child);
    giving_release(check, lent.handle);
    /* While it is being handled. */
    CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    child = simple_spawn(check, "reads", lent.cap);
    {
        struct fault fault = fault_take(&desk);

        edges = rt_revoke(ring, lent.handle, &receipt, NULL);
        CHECK(check, edges == 1 || edges == 2); /* and the parent's own */
        CHECK_EQUAL(check, receipt.calls, 1);
        CHECK_EQUAL(check, fault_answer(check->rt, desk.owner, fault.token, FAULT_ACTION_RESUME),
                    TRANSPORT_CANCELLED);
    }
    child_faulted(check, child);
    giving_release(check, lent.cap);
    giving_release(check, lent.handle);
    giving_release(check, cap);
    desk_close(&desk);
}

enum bad_answer {
    BAD_EXCEPTION,
    BAD_EMPTY,
    BAD_BYTES,
    BAD_ACTION,
    BAD_LARGE,
    BAD_CAPABILITY,
    BAD_COUNT,
};

void answered_badly(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_buffer buffer = rt_buffer_alloc(ring, LARGE_BYTES);
    struct desk desk;

    desk_open(&desk, check, 4);
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        struct process_handle child = simple_spawn(check, "reads", desk.owner.cap);
        struct fault fault = fault_take(&desk);
        struct capn_build_segment segment = {.bytes = buffer.bytes,
                                             .capacity_words = LARGE_BYTES / CAPN_WORD_BYTES};
        struct rt_reply reply = {.endpoint = desk.owner.cap,
                                 .token = fault.token,
                                 .message = buffer.bytes,
                                 .exception = i == BAD_EXCEPTION,
                                 .transfers = i == BAD_CAPABILITY};
        struct capn_builder builder;
        struct transfer transfer = {.cap = check_held(check, "console"), .mode = TRANSFER_COPY};

        memset(buffer.bytes, 0, LARGE_BYTES);
        capn_builder_init(&builder, &segment, 1);
        fault_handler_fault_results_set_action(
            fault_handler_fault_results_init(capn_builder_root(&builder)),
            i == BAD_ACTION ? (enum fault_action)FAULT_ACTION_COUNT : FAULT_ACTION_RESUME);
        reply.message_bytes = (uint32_t)capn_builder_words(&builder) * CAPN_WORD_BYTES;
        memcpy(buffer.bytes + reply.message_bytes, &transfer, sizeof(transfer));
        if (i == BAD_BYTES) {
            memset(buffer.bytes, 0xff, reply.message_bytes);
        } else if (i == BAD_EMPTY) {
            reply.message_bytes = 0;
        } else if (i == BAD_LARGE) {
            reply.message_bytes = LARGE_BYTES;
        }
        CHECK_EQUAL(check, rt_return(ring, &reply),
                    i == BAD_LARGE || i == BAD_CAPABILITY ? TRANSPORT_NO_ROOM : TRANSPORT_OK);
        child_faulted(check, child);
    }
    desk_close(&desk);
    rt_buffer_free(ring, buffer);
}

/* Takes one fault and never answers it. */
int keeper(struct check *check, bool faults)
{
    struct desk desk = {.check = check, .owner = {check_held(check, "desk")}};

    desk.inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(LARGE_BYTES));
    (void)fault_take(&desk);
    if (faults) {
        reads();
    }
    return 0;
}

/* The keeper's own faults come to `above`, which ends it. */
void handler_fails(struct check *check, const char *name)
{
    struct endpoint_owner kept = endpoint_make(check, LARGE_BYTES, 4);
    struct process_grant grants[] = {
        giving_held(check, "console"),
        {.name = giving_text("desk"), .cap = kept.cap, .facet = MANIFEST_FACET_ALL}};
    struct making making = {grants, ARRAY_COUNT(grants), 1, {.raw = 0}};
    struct process_handle child = simple_spawn(check, "reads", kept.cap);
    struct process_handle keeps = {.cap = {.raw = 0}};
    struct desk above;

    desk_open(&above, check, 4);
    making.told = above.owner.cap;
    CHECK_EQUAL(check, child_spawn(check, name, &making, &keeps), TRANSPORT_OK);
    giving_release(check, kept.cap);
    if (string_equal(name, "keeper")) {
        CHECK_EQUAL(check, child_end(check, keeps).code, 0);
    } else {
        struct fault fault = fault_take(&above);

        CHECK(check, string_equal(fault.process, name));
        fault_decide(&above, &fault, FAULT_ACTION_END_PROCESS);
        child_faulted(check, keeps);
    }
    child_faulted(check, child);
    desk_close(&above);
}
