/* SPDX-License-Identifier: MIT */
/*
 * Calls of an endpoint, and their answers, that are usual but for one thing about their buffers: a
 * descriptor across two pages or behind the arena, a receive without room. Caller and server are
 * this thread.
 */
#include "core/string.h"
#include "tests/programs/unusual/unusual.h"
#include "user/rt/cap.h"

enum {
    ENDS = 8, /* bytes of a message */
};

/* An endpoint, a client's edge of it, and room for what is received. */
struct desk {
    struct bench *bench;
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_buffer inbox;
};

static void desk_open(struct desk *desk, struct bench *bench)
{
    const struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                             .facet = RT_FACET_SAME};

    desk->bench = bench;
    desk->owner = endpoint_made(bench);
    desk->inbox = rt_buffer_alloc(bench->ring, RT_RECEIVE_BYTES(64) + 8);
    CHECK(bench->check, desk->inbox.bytes != NULL);
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, desk->owner, &session, &desk->client),
                0);
}

static void desk_close(struct desk *desk)
{
    CHECK_EQUAL(desk->bench->check, rt_release(desk->bench->ring, desk->client), 0);
    CHECK_EQUAL(desk->bench->check, rt_release(desk->bench->ring, desk->owner.cap), 0);
    rt_buffer_free(desk->bench->ring, desk->inbox);
}

static struct rt_operation receive(struct desk *desk)
{
    struct sqe entry = {.opcode = OPCODE_RECV,
                        .cap = desk->owner.cap,
                        .result = address_of(desk->inbox.bytes),
                        .result_bytes = RT_RECEIVE_BYTES(64)};
    struct rt_operation operation = check_submit(desk->bench->check, desk->bench->ring, &entry);

    CHECK(desk->bench->check, rt_ring_enter(desk->bench->ring, 0, 0) >= 0);
    return operation;
}

static struct sqe call_entry(const struct desk *desk)
{
    struct sqe entry = usual(desk->bench);

    entry.cap = desk->client;
    return entry;
}

/* Submits what nobody waits for yet. */
static struct rt_operation begin(struct desk *desk, const struct sqe *entry)
{
    struct rt_operation operation = check_submit(desk->bench->check, desk->bench->ring, entry);

    CHECK(desk->bench->check, rt_ring_enter(desk->bench->ring, 0, 0) >= 0);
    return operation;
}

/* The answer to the call that was received. */
static struct sqe return_entry(const struct desk *desk)
{
    const struct endpoint_message *head = (const void *)desk->inbox.bytes;

    return (struct sqe){.opcode = OPCODE_RETURN_RECV,
                        .cap = desk->owner.cap,
                        .token = head->token,
                        .message = address_of(desk->bench->message.bytes),
                        .message_bytes = 8,
                        .result = address_of(desk->inbox.bytes),
                        .result_bytes = RT_RECEIVE_BYTES(64)};
}

/* The one capability beside a call stands wherever its message ends. */
static void descriptor_across_pages(struct desk *desk)
{
    struct bench *bench = desk->bench;
    struct rt_buffer pages = rt_buffer_alloc(bench->ring, 3 * LIMIT_PAGE_BYTES);
    const struct endpoint_message *head = (const void *)desk->inbox.bytes;
    const struct received_cap *record = (const void *)(desk->inbox.bytes + sizeof(*head) + ENDS);
    struct transfer transfer = {.cap = bench->null, .mode = TRANSFER_COPY};
    struct sqe call = call_entry(desk);
    uint64_t edge =
        (address_of(pages.bytes) + 2 * LIMIT_PAGE_BYTES - 1) / LIMIT_PAGE_BYTES * LIMIT_PAGE_BYTES;
    struct rt_operation operation[2];

    CHECK(bench->check, pages.bytes != NULL);
    call.transfers = 1;
    for (uint64_t behind = 0; pages.bytes != NULL && behind <= 24; behind += 8) {
        uint8_t *at = pages.bytes + (edge - address_of(pages.bytes)) - behind;
        struct sqe end;

        memcpy(at, &transfer, sizeof(transfer));
        call.message = address_of(at) - ENDS;
        operation[0] = receive(desk);
        operation[1] = begin(desk, &call);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result,
                    sizeof(*head) + ENDS);
        CHECK(bench->check, head->caps == 1 && record->interface_id == NULL_OBJECT_INTERFACE_ID);
        CHECK_EQUAL(bench->check, rt_release(bench->ring, record->cap), 0);
        end = return_entry(desk);
        end.opcode = OPCODE_RETURN;
        end.result = end.result_bytes = 0;
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &end).result, 0);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[1]).result,
                    8);
    }
    rt_buffer_free(bench->ring, pages);
}

/* Behind the arena nothing is read: the receiver waits on. */
static void descriptor_behind_the_arena(struct desk *desk)
{
    struct bench *bench = desk->bench;
    struct sqe call = call_entry(desk);
    struct rt_operation waiting = receive(desk);
    struct cqe completion;

    call.transfers = 1;
    for (uint64_t behind = 0; behind < sizeof(struct transfer); behind += 8) {
        call.message = address_of(bench->ring->arena) + bench->ring->arena_bytes - behind - ENDS;
        completion = check_done(bench->check, bench->ring, &call);
        CHECK_EQUAL(bench->check, completion.result, TRANSPORT_BAD_BUFFER);
        CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_MESSAGE);
    }
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, waiting), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, waiting).result,
                TRANSPORT_CANCELLED);
}

/* An answer whose receive has no room, or stands askew: it is given, and nothing waits. */
static void answer_without_room(struct desk *desk)
{
    struct bench *bench = desk->bench;
    struct sqe call = call_entry(desk);
    struct cqe completion;
    struct rt_operation operation[2];

    for (unsigned i = 0; i < 2; i++) {
        struct sqe entry;

        operation[0] = receive(desk);
        operation[1] = begin(desk, &call);
        CHECK(bench->check, check_completion(bench->check, bench->ring, operation[0]).result > 0);
        entry = return_entry(desk);
        if (i == 0) {
            entry.result_bytes = sizeof(struct endpoint_message);
        } else {
            entry.result += 4;
        }
        completion = check_done(bench->check, bench->ring, &entry);
        CHECK_EQUAL(bench->check, completion.result,
                    i == 0 ? TRANSPORT_NO_ROOM : TRANSPORT_BAD_BUFFER);
        CHECK_EQUAL(bench->check, completion.refusal.argument,
                    i == 0 ? ARGUMENT_RESULT_BYTES : ARGUMENT_RESULT);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[1]).result,
                    8);
    }
}

void answers_differ(struct bench *bench)
{
    struct desk desk;

    desk_open(&desk, bench);
    descriptor_across_pages(&desk);
    descriptor_behind_the_arena(&desk);
    answer_without_room(&desk);
    desk_close(&desk);
}
