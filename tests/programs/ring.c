/* SPDX-License-Identifier: MIT */
/*
 * The ring from the user's side. The process's name in the manifest chooses the part:
 *
 *   ring-nop            many submissions, each answered once, in batches and with a full queue
 *   ring-opcodes        reserved opcodes and fields that must be zero are refused by name
 *   ring-corrupt-*      an impossible index fails the ring closed, once, and the process goes on;
 *                       repaired, it works again
 *   ring-sizes          threads with rings of other sizes
 *   ring-tick           submits without entering: the timer tick carries out what is safe
 *   ring-spam           submits for ever; others must make progress beside it
 *
 * covers: cap_enter/RING_CORRUPT, FORWARD/BAD_OPCODE, RELEASE/BAD_CAP
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"
#include "user/rt/syscall.h"

enum {
    NOP_ROUNDS = 200,
    BATCH = 48,
};

/* Submits one entry through the client and takes its completion. */
static struct cqe one(struct check *check, const struct sqe *entry)
{
    return check_done(check, &check->rt->ring, entry);
}

static void nop_batches(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct sqe entry = {.opcode = OPCODE_NOP};
    struct rt_operation operation[BATCH];
    unsigned good = 0;

    for (unsigned round = 0; round < NOP_ROUNDS; round++) {
        for (unsigned i = 0; i < BATCH; i++) {
            good += rt_ring_submit(ring, &entry, &operation[i]) == TRANSPORT_OK;
        }
        /* Taken from last to first: completions may be consumed in any order. */
        for (unsigned i = BATCH; i > 0; i--) {
            struct cqe completion;

            good +=
                rt_ring_wait(ring, operation[i - 1], TIMEOUT_NONE, &completion) == TRANSPORT_OK &&
                completion.result == 0 && completion.flags == 0 && completion.refusal.reason == 0;
            good += !rt_ring_poll(ring, operation[i - 1], &completion);
        }
    }
    CHECK_EQUAL(check, good, 3 * NOP_ROUNDS * BATCH);
    CHECK_EQUAL(check, ring->strays, 0);
    CHECK_EQUAL(check, ring->in_flight, 0);
}

/* More submissions than completions fit: nothing is lost, the rest waits in the queue. */
static void queue_full(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct ring_header *header = ring->header;
    uint32_t head = ring->head;
    uint32_t submitted = 0;
    uint32_t taken;

    /* By hand, below the client: its own limit would not let this through. */
    while (submitted < 3 * LIMIT_SQ_ENTRIES) {
        uint32_t room = LIMIT_SQ_ENTRIES - (ring->tail - ring_load_peer(&header->sq_head));

        for (uint32_t i = 0; i < room && submitted < 3 * LIMIT_SQ_ENTRIES; i++) {
            ring->submissions[ring->tail % LIMIT_SQ_ENTRIES] =
                (struct sqe){.opcode = OPCODE_NOP, .user_data = submitted};
            ring->tail++;
            submitted++;
        }
        ring_publish(&header->sq_tail, ring->tail);
        (void)rt_syscall_cap_enter(0, 0);
        if (room == 0) {
            break;
        }
    }
    taken = ring_load_peer(&header->cq_tail) - head;
    CHECK_EQUAL(check, taken, LIMIT_CQ_ENTRIES);
    CHECK_EQUAL(check, rt_syscall_cap_enter(1, 0), LIMIT_CQ_ENTRIES);
    for (uint32_t i = 0; i < submitted; i++) {
        if (i == taken) {
            ring_publish(&header->cq_head, head);
            (void)rt_syscall_cap_enter(0, 0);
        }
        CHECK_EQUAL(check, ring->completions[head % LIMIT_CQ_ENTRIES].user_data, i);
        head++;
    }
    ring->head = head;
    ring_publish(&header->cq_head, head);
    CHECK_EQUAL(check, ring_load_peer(&header->cq_tail), head);
    CHECK_EQUAL(check, rt_nop(ring), 0);
}

/* CANCEL of a number that two submissions have, of which one is over: it takes back the other.
 * Twice, because the record that was free last is the next that is taken: each has both parts. */
static void cancel_finds_who_waits(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct ring_header *header = ring->header;
    uint32_t word[2] = {0};

    for (unsigned round = 0; round < 2; round++) {
        const struct sqe entry[] = {
            {.opcode = OPCODE_PARK, .user_data = 7, .timeout_ns = TIMEOUT_NONE},
            {.opcode = OPCODE_PARK, .user_data = 7, .timeout_ns = TIMEOUT_NONE},
            {.opcode = OPCODE_UNPARK, .user_data = 8, .value = 1},
            {.opcode = OPCODE_CANCEL, .user_data = 9, .token = 7},
        };
        const struct cqe expected[] = {{.user_data = 7, .result = 0},
                                       {.user_data = 8, .result = 1},
                                       {.user_data = 7, .result = TRANSPORT_CANCELLED},
                                       {.user_data = 9, .result = 0}};

        for (unsigned i = 0; i < ARRAY_COUNT(entry); i++) { /* by hand: the client's are unique */
            struct sqe *place = &ring->submissions[ring->tail++ % LIMIT_SQ_ENTRIES];

            *place = entry[i];
            if (place->opcode != OPCODE_CANCEL) {
                place->address = (uintptr_t)&word[place->opcode == OPCODE_PARK ? i : 0];
            }
        }
        ring_publish(&header->sq_tail, ring->tail);
        CHECK_EQUAL(check, rt_syscall_cap_enter(0, 0), ARRAY_COUNT(expected));
        for (unsigned i = 0; i < ARRAY_COUNT(expected); i++) {
            const struct cqe *found = &ring->completions[ring->head++ % LIMIT_CQ_ENTRIES];

            CHECK_EQUAL(check, found->user_data, expected[i].user_data);
            CHECK_EQUAL(check, found->result, expected[i].result);
        }
        ring_publish(&header->cq_head, ring->head);
    }
    CHECK_EQUAL(check, one(check, &(struct sqe){.opcode = OPCODE_CANCEL, .token = 7}).result,
                TRANSPORT_NOT_FOUND);
}

static void opcodes_reserved(struct check *check)
{
    for (unsigned opcode = OPCODE_FORWARD; opcode <= UINT8_MAX; opcode++) {
        struct sqe entry = {.opcode = (uint8_t)opcode};
        struct cqe completion = one(check, &entry);

        CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_OPCODE);
        CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_OPCODE);
        CHECK_EQUAL(check, completion.refusal.amount, opcode);
    }
}

/* One field of a NOP that must be zero and is not. */
struct field_case {
    struct sqe entry;
    uint16_t argument; /* enum refusal_argument */
    int16_t error;
};

static void fields_checked(struct check *check)
{
    static const struct field_case cases[] = {
        {{.opcode = OPCODE_NOP, .flags = 1}, ARGUMENT_FLAGS, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .method = 1}, ARGUMENT_METHOD, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .cap = {1}}, ARGUMENT_CAP, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .interface_id = 1}, ARGUMENT_INTERFACE, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .message = 1}, ARGUMENT_MESSAGE, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .message_bytes = 8}, ARGUMENT_MESSAGE_BYTES, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .result = 1}, ARGUMENT_RESULT, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .result_bytes = 1}, ARGUMENT_RESULT_BYTES, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .transfers = 1}, ARGUMENT_TRANSFERS, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_NOP, .spare = 1}, ARGUMENT_SPARE, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_CALL, .flags = 1}, ARGUMENT_FLAGS, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_CALL, .message_bytes = 7}, ARGUMENT_MESSAGE_BYTES, TRANSPORT_TOO_LARGE},
        {{.opcode = OPCODE_CALL, .message_bytes = LIMIT_MESSAGE_BYTES + 8},
         ARGUMENT_MESSAGE_BYTES,
         TRANSPORT_TOO_LARGE},
        {{.opcode = OPCODE_CALL, .transfers = LIMIT_TRANSFERS + 1},
         ARGUMENT_TRANSFERS,
         TRANSPORT_TOO_LARGE},
        {{.opcode = OPCODE_RECV, .message = 8}, ARGUMENT_MESSAGE, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_RECV, .transfers = 1}, ARGUMENT_TRANSFERS, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_RECV, .method = 1}, ARGUMENT_METHOD, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_RETURN, .flags = 2}, ARGUMENT_FLAGS, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_RETURN, .result = 8}, ARGUMENT_RESULT, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_RELEASE, .message = 8}, ARGUMENT_MESSAGE, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_RELEASE, .result = 8}, ARGUMENT_RESULT, TRANSPORT_BAD_FIELD},
        {{.opcode = OPCODE_RELEASE, .token = 8}, ARGUMENT_INTERFACE, TRANSPORT_BAD_FIELD},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct cqe completion;

        check->rt->ring.checks = false; /* these entries name no buffers of ours */
        completion = one(check, &cases[i].entry);
        CHECK_EQUAL(check, completion.result, cases[i].error);
        CHECK_EQUAL(check, completion.refusal.argument, cases[i].argument);
    }
}

/* Spoils one index; the ring must fail closed and stay closed, and nothing else must happen. */
static int corrupt(struct rt *rt, uint32_t *index, uint32_t value)
{
    struct ring_header *header = rt->ring.header;
    int64_t first;
    int64_t second;

    /* The verdict is the exit code: with its ring gone the process cannot print. */
    ring_publish(index, value);
    first = rt_syscall_cap_enter(0, 0);
    if (first != TRANSPORT_RING_CORRUPT) {
        return 1;
    }
    if (ring_load_peer(&header->corrupt) != 1) {
        return 2;
    }
    rt->ring.submissions[rt->ring.tail % LIMIT_SQ_ENTRIES] = (struct sqe){.opcode = OPCODE_NOP};
    ring_publish(&header->sq_tail, rt->ring.tail + 1);
    ring_publish(&header->cq_head, rt->ring.head);
    second = rt_syscall_cap_enter(1, TIMEOUT_NONE);
    if (second != TRANSPORT_RING_CORRUPT) {
        return 3;
    }
    if (ring_load_peer(&header->cq_tail) != rt->ring.head) {
        return 4;
    }
    /* Saying that it is repaired while it is not fails closed once more. */
    ring_publish(index, value);
    ring_publish(&header->corrupt, 0);
    if (rt_syscall_cap_enter(0, 0) != TRANSPORT_RING_CORRUPT ||
        ring_load_peer(&header->corrupt) != 1) {
        return 5;
    }
    ring_publish(&header->sq_tail, rt->ring.tail + 1);
    ring_publish(&header->cq_head, rt->ring.head);
    ring_publish(&header->corrupt, 0);
    return rt_syscall_cap_enter(1, TIMEOUT_NONE) == 1 ? 0 : 6;
}

/* Never enters: what is safe is carried out at a timer tick, up to the first that is not. */
static int tick(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    uint32_t head = ring->head;

    for (unsigned i = 0; i < 4; i++) {
        ring->submissions[(ring->tail + i) % LIMIT_SQ_ENTRIES] = (struct sqe){
            .opcode = i == 2 ? OPCODE_RELEASE : OPCODE_NOP,
            .user_data = i,
        };
    }
    ring_publish(&ring->header->sq_tail, ring->tail + 4);
    while (ring_load_peer(&ring->header->cq_tail) - head < 2) {
    }
    CHECK_EQUAL(check, ring_load_peer(&ring->header->cq_tail) - head, 2);
    CHECK_EQUAL(check, ring_load_peer(&ring->header->sq_head) - ring->tail, 2);
    CHECK_EQUAL(check, rt_syscall_cap_enter(4, TIMEOUT_NONE), 4);
    for (unsigned i = 0; i < 4; i++) {
        const struct cqe *completion = &ring->completions[(head + i) % LIMIT_CQ_ENTRIES];

        CHECK_EQUAL(check, completion->user_data, i);
        CHECK_EQUAL(check, completion->result, i == 2 ? TRANSPORT_BAD_CAP : 0);
    }
    ring->tail += 4;
    ring->head += 4;
    ring_publish(&ring->header->cq_head, ring->head);
    return check_end(check);
}

static NORETURN void spam(struct rt *rt)
{
    for (;;) {
        struct rt_ring *ring = &rt->ring;

        for (unsigned i = 0; i < LIMIT_SQ_ENTRIES; i++) {
            ring->submissions[ring->tail % LIMIT_SQ_ENTRIES] = (struct sqe){.opcode = OPCODE_NOP};
            ring->tail++;
        }
        ring_publish(&ring->header->sq_tail, ring->tail);
        (void)rt_syscall_cap_enter(0, 0);
        ring->head = ring_load_peer(&ring->header->cq_tail);
        ring_publish(&ring->header->cq_head, ring->head);
    }
}

/* What a thread with a ring of its own size is to find. */
struct sized {
    struct ring_sizes sizes;
    struct check check;
    uint32_t done; /* atomic */
};

/* A message without bytes may lie where the arena ends, on both sides, alone in its submission or
 * not. */
static void empty_at_the_end(struct check *check, uint32_t arena_bytes)
{
    const struct manifest_export limits = {.message_bytes = 8, .queue_length = 1};
    struct rt_ring *ring = &check->rt->ring;
    struct rt_buffer inbox = rt_buffer_alloc(ring, RT_RECEIVE_BYTES(8));
    struct endpoint_factory factory = {.cap = check_held(check, "endpoint-factory")};
    struct endpoint_owner owner;
    struct sqe receive = {
        .opcode = OPCODE_RECV, .result = (uintptr_t)inbox.bytes, .result_bytes = inbox.size};
    struct sqe call = {.opcode = OPCODE_CALL,
                       .interface_id = ENDPOINT_INTERFACE_ID + 1,
                       .message = (uintptr_t)ring->arena + arena_bytes,
                       .result = (uintptr_t)ring->arena + arena_bytes};
    const struct endpoint_session session = {.interface_id = ENDPOINT_INTERFACE_ID + 1,
                                             .facet = UINT64_MAX,
                                             .mode = AUTHORITY_TRANSFER_MODE_NONE};

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &owner), TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &session, &call.cap), TRANSPORT_OK);
    receive.cap = owner.cap;
    for (unsigned round = 0; round < 2; round++) {
        const struct endpoint_message *head = (const void *)inbox.bytes;
        struct rt_operation received = check_submit(check, ring, &receive);
        struct rt_operation called = check_submit(check, ring, &call);
        struct sqe answer = {.opcode = round == 0 ? OPCODE_RETURN : OPCODE_RETURN_RECV,
                             .cap = owner.cap,
                             .message = (uintptr_t)ring->arena + arena_bytes,
                             .result = round == 0 ? 0 : (uintptr_t)inbox.bytes,
                             .result_bytes = round == 0 ? 0 : inbox.size};

        CHECK_EQUAL(check, check_completion(check, ring, received).result, sizeof(*head));
        CHECK_EQUAL(check, head->message_bytes, 0);
        answer.token = head->token;
        received = check_submit(check, ring, &answer);
        CHECK_EQUAL(check, check_completion(check, ring, called).result, 0);
        if (round == 1) {
            CHECK_EQUAL(check, rt_release(ring, owner.cap), TRANSPORT_OK);
        }
        CHECK_EQUAL(check, check_completion(check, ring, received).result,
                    round == 0 ? TRANSPORT_OK : TRANSPORT_PEER_GONE);
    }
    CHECK_EQUAL(check, rt_release(ring, call.cap), TRANSPORT_OK);
    rt_buffer_free(ring, inbox);
}

static int sized_main(struct rt *rt, void *argument)
{
    struct sized *sized = argument;
    struct rt_ring *ring = &rt->ring;
    struct sqe entry = {.opcode = OPCODE_NOP};
    struct rt_operation operation[LIMIT_SQ_ENTRIES];
    struct cqe completion;

    sized->check.rt = rt;
    CHECK_EQUAL(&sized->check, ring->header->sq_entries, sized->sizes.sq_entries);
    CHECK_EQUAL(&sized->check, ring->header->cq_entries, sized->sizes.cq_entries);
    CHECK_EQUAL(&sized->check, ring->header->arena_bytes, sized->sizes.arena_bytes);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < sized->sizes.sq_entries; i++) {
            CHECK_EQUAL(&sized->check, rt_ring_submit(ring, &entry, &operation[i]), TRANSPORT_OK);
        }
        for (unsigned i = 0; i < sized->sizes.sq_entries; i++) {
            CHECK_EQUAL(&sized->check, rt_ring_wait(ring, operation[i], TIMEOUT_NONE, &completion),
                        TRANSPORT_OK);
        }
    }
    CHECK_EQUAL(&sized->check, rt_syscall_cap_enter(sized->sizes.cq_entries + 1, 0),
                TRANSPORT_BAD_ARGUMENT);
    /* The last word of the arena is the ring's, the one behind it is not. */
    ring->arena[sized->sizes.arena_bytes - 1] = 1;
    entry = (struct sqe){.opcode = OPCODE_CALL,
                         .flags = SQE_PROMISED,
                         .promise = {.answer = 1, .path = {.step = {1}}},
                         .message = (uint64_t)(uintptr_t)ring->arena + sized->sizes.arena_bytes - 8,
                         .message_bytes = 16,
                         .answer = 1U << ANSWER_SLOT_BITS};
    ring->checks = false;
    CHECK_EQUAL(&sized->check, rt_ring_do(ring, &entry, &completion), TRANSPORT_OK);
    CHECK_EQUAL(&sized->check, completion.result, TRANSPORT_BAD_ANSWER);
    empty_at_the_end(&sized->check, sized->sizes.arena_bytes);
    atomic_store_release_u32(&sized->done, 1);
    return 0;
}

/* Threads with rings of every extreme; sizes that no ring may have are refused. */
static void sizes_chosen(struct check *check)
{
    static const struct ring_sizes good[] = {
        {LIMIT_SQ_ENTRIES_MIN, LIMIT_CQ_ENTRIES_MIN, LIMIT_PAGE_BYTES},
        {LIMIT_SQ_ENTRIES, LIMIT_CQ_ENTRIES, LIMIT_ARENA_BYTES_MAX},
        {LIMIT_SQ_ENTRIES, LIMIT_CQ_ENTRIES_MIN, LIMIT_ARENA_BYTES},
    };
    static const struct ring_sizes bad[] = {
        {LIMIT_SQ_ENTRIES * 2, 0, 0},      {0, LIMIT_CQ_ENTRIES * 2, 0}, {3, 0, 0},
        {0, 0, LIMIT_ARENA_BYTES_MAX * 2}, {0, 0, LIMIT_PAGE_BYTES - 8},
    };
    static struct sized sized[ARRAY_COUNT(good)];
    static struct rt_thread_start begin[ARRAY_COUNT(good)];
    struct thread_spawner spawner;

    CHECK_EQUAL(check,
                rt_find(check->rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap),
                TRANSPORT_OK);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK_EQUAL(check, thread_client_spawn_sized(check->rt, spawner, &begin[0], &bad[i]),
                    EXCEPTION_REASON_OUT_OF_RANGE);
    }
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        sized[i].sizes = good[i];
        begin[i] = (struct rt_thread_start){.function = sized_main, .argument = &sized[i]};
        CHECK_EQUAL(check, thread_client_spawn_sized(check->rt, spawner, &begin[i], &good[i]),
                    TRANSPORT_OK);
        while (atomic_load_acquire_u32(&sized[i].done) == 0) {
            rt_sleep(check->rt, 1000000);
        }
        check->passed += sized[i].check.passed;
        check->failed += sized[i].check.failed;
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "ring-corrupt-tail")) {
        return corrupt(rt, &rt->ring.header->sq_tail, rt->ring.tail + LIMIT_SQ_ENTRIES + 1);
    }
    if (rt_name_is(rt, "ring-corrupt-tail-back")) {
        return corrupt(rt, &rt->ring.header->sq_tail, rt->ring.tail - 1);
    }
    if (rt_name_is(rt, "ring-corrupt-head")) {
        return corrupt(rt, &rt->ring.header->cq_head, rt->ring.head + 1);
    }
    if (rt_name_is(rt, "ring-corrupt-head-back")) {
        CHECK_EQUAL(&check, rt_nop(&rt->ring), 0);
        return corrupt(rt, &rt->ring.header->cq_head, rt->ring.head - LIMIT_CQ_ENTRIES - 1);
    }
    if (rt_name_is(rt, "ring-tick")) {
        return tick(&check);
    }
    if (rt_name_is(rt, "ring-spam")) {
        spam(rt);
    }
    if (rt_name_is(rt, "ring-sizes")) {
        sizes_chosen(&check);
    } else if (rt_name_is(rt, "ring-opcodes")) {
        opcodes_reserved(&check);
        fields_checked(&check);
    } else {
        nop_batches(&check);
        queue_full(&check);
        cancel_finds_who_waits(&check);
        nop_batches(&check);
    }
    return check_end(&check);
}
