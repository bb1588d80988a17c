/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of the ring against an honest and a lying user, and the wire check against a
 * table of what each opcode may use, written apart from the one in core/ring.c.
 */
#include "tests/host/ring_memory.h"

static int setup(void **state)
{
    (void)state;
    ring_start();
    return 0;
}

static void submit(uint64_t user_data)
{
    uint32_t tail = shared.header.sq_tail;

    sq()[tail % LIMIT_SQ_ENTRIES] = (struct sqe){.opcode = OPCODE_NOP, .user_data = user_data};
    ring_publish(&shared.header.sq_tail, tail + 1);
}

static void complete(uint64_t user_data)
{
    ring_post(&ring, &(struct cqe){.user_data = user_data});
}

static void test_header(void **state)
{
    (void)state;
    assert_int_equal(shared.header.magic, RING_MAGIC);
    assert_int_equal(shared.header.sq_entries, LIMIT_SQ_ENTRIES);
    assert_int_equal(shared.header.cq_entries, LIMIT_CQ_ENTRIES);
    assert_int_equal(shared.header.arena_offset, RING_ARENA_OFFSET);
}

static void test_every_submission_completes_once(void **state)
{
    struct test_random random;
    uint64_t submitted = 0;
    uint64_t taken = 0;
    uint64_t posted = 0;
    uint64_t consumed = 0;
    struct sqe sqe;

    (void)state;
    test_random_init(&random, 3);
    while (consumed < 100000) {
        switch (test_random_below(&random, 4)) {
        case 0:
            if (submitted - taken < LIMIT_SQ_ENTRIES) {
                submit(submitted++);
            }
            break;
        case 1:
            if (ring_take(&ring, &sqe) == RING_TAKE_ENTRY) {
                assert_int_equal(sqe.user_data, taken++);
            } else {
                assert_true(taken == submitted || taken - consumed == LIMIT_CQ_ENTRIES);
            }
            break;
        case 2:
            if (posted < taken) {
                complete(posted++);
            }
            break;
        default:
            if (consumed < posted) {
                uint32_t head = shared.header.cq_head;

                assert_int_equal(cq()[head % LIMIT_CQ_ENTRIES].user_data, consumed++);
                ring_publish(&shared.header.cq_head, head + 1);
            }
        }
        assert_int_equal(ring_check(&ring), 0);
        assert_true(taken - consumed <= LIMIT_CQ_ENTRIES);
        assert_int_equal(ring_completions(&ring), posted - consumed);
    }
    assert_false(ring.corrupt);
}

static void test_full_completion_queue_takes_nothing(void **state)
{
    struct sqe sqe;

    (void)state;
    for (unsigned i = 0; i < LIMIT_CQ_ENTRIES; i++) {
        submit(i);
        assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
        complete(i);
    }
    submit(1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_FULL);
    ring_publish(&shared.header.cq_head, 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
}

static void test_impossible_tail_fails_closed(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES + 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    assert_int_equal(shared.header.corrupt, 1);
    ring_publish(&shared.header.sq_tail, 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
}

static void test_impossible_head_fails_closed(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(0);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    complete(0);
    ring_publish(&shared.header.cq_head, 2);
    assert_int_equal(ring_completions(&ring), 0);
    assert_true(ring.corrupt);
    setup(NULL);
    submit(0);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    complete(0);
    ring_publish(&shared.header.cq_head, 1);
    assert_int_equal(ring_completions(&ring), 0);
    ring_publish(&shared.header.cq_head, 0);
    assert_int_equal(ring_completions(&ring), 0);
    assert_true(ring.corrupt);
}

static void test_promised_completions_survive_corruption(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(42);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    ring_publish(&shared.header.sq_tail, 1000);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    complete(42);
    assert_int_equal(cq()[0].user_data, 42);
    assert_int_equal(shared.header.cq_tail, 1);
}

/* Repaired means: the user said so, and every index is possible again. What was promised before the
 * ring failed is posted once, what was taken is not taken again. covers: cap_enter/RING_CORRUPT */
static void test_repair(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(1);
    submit(2);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    ring_publish(&shared.header.sq_tail, 1000);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    assert_int_equal(ring_completions(&ring), 0); /* what is posted, whatever is shown */
    ring_publish(&shared.header.sq_tail, 2);
    assert_false(ring_repair(&ring)); /* nobody said so */
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES + 2);
    ring_publish(&shared.header.corrupt, 0);
    assert_false(ring_repair(&ring));
    assert_int_equal(shared.header.corrupt, 1);
    ring_publish(&shared.header.sq_tail, 2);
    ring_publish(&shared.header.cq_head, 1); /* beyond what was posted */
    ring_publish(&shared.header.corrupt, 0);
    assert_false(ring_repair(&ring));
    assert_int_equal(shared.header.corrupt, 1);
    complete(1);
    ring_publish(&shared.header.corrupt, 0);
    assert_true(ring_repair(&ring));
    assert_int_equal(ring_check(&ring), 0);
    assert_int_equal(ring_completions(&ring), 0);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    assert_int_equal(sqe.user_data, 2);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_EMPTY);
    complete(2);
    assert_int_equal(ring_completions(&ring), 1);
}

/* Alone is a ring with one entry and nothing else, neither under way nor unread. What is posted
 * then is what ring_post would have posted. */
static void test_alone(void **state)
{
    struct sqe sqe;
    uint32_t index;

    (void)state;
    assert_false(ring_is_alone(&ring)); /* no entry */
    submit(1);
    assert_true(ring_is_alone(&ring));
    submit(2);
    assert_false(ring_is_alone(&ring)); /* two */
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    assert_false(ring_is_alone(&ring)); /* one under way */
    ring_publish(&shared.header.cq_head, 1);
    assert_false(ring_is_alone(&ring)); /* which the user says it has seen completed */
    ring_publish(&shared.header.cq_head, 0);
    complete(1);
    assert_false(ring_is_alone(&ring)); /* its completion unread */
    ring_publish(&shared.header.cq_head, 2);
    assert_false(ring_is_alone(&ring)); /* read before it came */
    ring_publish(&shared.header.cq_head, 1);
    assert_true(ring_is_alone(&ring));
    index = ring_accept_alone(&ring);
    assert_int_equal(index, 1);
    assert_int_equal(shared.header.sq_head, 2);
    assert_int_equal(ring_reserved(&ring), 1);
    assert_int_equal(ring.cq_head, 1); /* believed: the place is free */
    assert_int_equal(ring_check(&ring), 0);
    ring_post_place(&ring, index)->user_data = 2;
    ring_post_alone(&ring);
    assert_int_equal(shared.header.cq_tail, 2);
    assert_int_equal(cq()[1].user_data, 2);
    assert_int_equal(ring_completions(&ring), 1);
    assert_int_equal(ring_check(&ring), 0);
    ring_publish(&shared.header.cq_head, 2);
    ring_publish(&shared.header.sq_tail, 1000);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    ring_publish(&shared.header.sq_tail, 3);
    assert_false(ring_is_alone(&ring)); /* failed closed */
}

/* The tick takes what is safe and stops before the first submission that is not, for good. */
static void test_tick(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(1);
    submit(2);
    submit(3);
    sq()[1].opcode = OPCODE_CALL;
    assert_true(ring_take_at_tick(&ring, &sqe));
    assert_int_equal(sqe.user_data, 1);
    assert_false(ring_take_at_tick(&ring, &sqe));
    assert_false(ring_take_at_tick(&ring, &sqe));
    assert_int_equal(shared.header.sq_head, 1);
    assert_int_equal(ring_reserved(&ring), 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    assert_int_equal(sqe.opcode, OPCODE_CALL);
    sq()[2].spare = 1; /* invalid: its refusal can wait */
    assert_false(ring_take_at_tick(&ring, &sqe));
    sq()[2].spare = 0;
    sq()[2].opcode = OPCODE_FINISH;
    sq()[2].answer = 9;
    assert_true(ring_take_at_tick(&ring, &sqe));
    assert_int_equal(sqe.answer, 9);
    assert_false(ring_take_at_tick(&ring, &sqe));
    setup(NULL);
    submit(1);
    sq()[0] = (struct sqe){.opcode = OPCODE_FINISH, .flags = SQE_RELEASE, .answer = 9};
    assert_false(ring_take_at_tick(&ring, &sqe)); /* what it releases may end anything */
    for (unsigned opcode = 0; opcode < OPCODE_COUNT; opcode++) {
        setup(NULL);
        submit(1);
        sq()[0].opcode = (uint8_t)opcode;
        assert_int_equal(ring_take_at_tick(&ring, &sqe),
                         opcode == OPCODE_NOP || opcode == OPCODE_TOKEN || opcode == OPCODE_FINISH);
    }
}

static void test_sizes(void **state)
{
    static const struct ring_sizes wrong[] = {
        {.sq_entries = LIMIT_SQ_ENTRIES * 2},     {.sq_entries = LIMIT_SQ_ENTRIES_MIN / 2},
        {.sq_entries = LIMIT_SQ_ENTRIES - 1},     {.cq_entries = LIMIT_CQ_ENTRIES * 2},
        {.cq_entries = LIMIT_CQ_ENTRIES_MIN / 2}, {.cq_entries = 24},
        {.arena_bytes = LIMIT_PAGE_BYTES / 2},    {.arena_bytes = LIMIT_ARENA_BYTES_MAX * 2},
        {.arena_bytes = 3 * LIMIT_PAGE_BYTES},    {.arena_bytes = UINT32_MAX},
    };
    struct ring_sizes sizes = {.sq_entries = 0};

    (void)state;
    assert_true(ring_sizes_settle(&sizes));
    assert_int_equal(sizes.sq_entries, LIMIT_SQ_ENTRIES);
    assert_int_equal(sizes.cq_entries, LIMIT_CQ_ENTRIES);
    assert_int_equal(sizes.arena_bytes, LIMIT_ARENA_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        sizes = wrong[i];
        assert_false(ring_sizes_settle(&sizes));
    }
}

/* The smallest ring: full at its own sizes, and it wraps. */
static void test_smallest(void **state)
{
    struct ring_sizes sizes = {.sq_entries = LIMIT_SQ_ENTRIES_MIN,
                               .cq_entries = LIMIT_CQ_ENTRIES_MIN,
                               .arena_bytes = LIMIT_PAGE_BYTES};
    struct sqe sqe;
    uint32_t tail = 0;

    (void)state;
    memset(&shared, 0, sizeof(shared));
    assert_true(ring_sizes_settle(&sizes));
    ring_init(&ring, &sizes,
              (struct ring_memory){.header = &shared.header, .sq = sq(), .cq = cq()});
    assert_int_equal(shared.header.arena_bytes, LIMIT_PAGE_BYTES);
    for (unsigned i = 0; i < 100; i++) {
        sq()[tail % LIMIT_SQ_ENTRIES_MIN] = (struct sqe){.user_data = i};
        ring_publish(&shared.header.sq_tail, ++tail);
        if (i < LIMIT_CQ_ENTRIES_MIN) {
            assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
        } else {
            assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_FULL);
            assert_int_equal(cq()[(i - LIMIT_CQ_ENTRIES_MIN) % LIMIT_CQ_ENTRIES_MIN].user_data,
                             i - LIMIT_CQ_ENTRIES_MIN);
            ring_publish(&shared.header.cq_head, i - LIMIT_CQ_ENTRIES_MIN + 1);
            assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
        }
        assert_int_equal(sqe.user_data, i);
        complete(i);
        assert_int_equal(ring_check(&ring), 0);
    }
    ring_publish(&shared.header.sq_tail, tail + LIMIT_SQ_ENTRIES_MIN + 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
}

/* One field that may be set wrongly, and which opcodes may use it. */
struct field {
    enum refusal_argument argument;
    uint32_t users; /* bit per opcode */
    void (*set)(struct sqe *sqe);
};

#define BIT(opcode) (UINT32_C(1) << (opcode))
#define SENDS       (BIT(OPCODE_CALL) | BIT(OPCODE_RETURN) | BIT(OPCODE_RETURN_RECV))
#define RECEIVES    (BIT(OPCODE_RECV) | BIT(OPCODE_RETURN_RECV) | BIT(OPCODE_CALL))
#define PARKS       (BIT(OPCODE_PARK) | BIT(OPCODE_UNPARK))
#define PLACES      (BIT(OPCODE_DUP) | BIT(OPCODE_TRANSFER))
#define CAPLESS     (BIT(OPCODE_NOP) | BIT(OPCODE_TOKEN) | BIT(OPCODE_FINISH) | BIT(OPCODE_CANCEL))
#define ALL_OPCODES (BIT(OPCODE_FORWARD) - 1)

static void set_flags(struct sqe *sqe)
{
    sqe->flags = SQE_EXCEPTION;
}
static void set_method(struct sqe *sqe)
{
    sqe->method = 1;
}
static void set_cap(struct sqe *sqe)
{
    sqe->cap.raw = 1;
}
/* The eight bytes of interface_id, token, facet and target. */
static void set_second(struct sqe *sqe)
{
    sqe->token = 1;
}
static void set_message(struct sqe *sqe)
{
    sqe->message = 8;
}
static void set_message_bytes(struct sqe *sqe)
{
    sqe->message_bytes = 8;
}
static void set_result(struct sqe *sqe)
{
    sqe->result = 8;
}
static void set_result_bytes(struct sqe *sqe)
{
    sqe->result_bytes = 8;
}
static void set_transfers(struct sqe *sqe)
{
    sqe->transfers = 1;
}
/* The four bytes of answer, slot and value. */
static void set_answer(struct sqe *sqe)
{
    sqe->answer = 1;
    sqe->flags |= (BIT(sqe->opcode) & PLACES) != 0 ? SQE_EXACT_SLOT : 0;
}
static void set_spare(struct sqe *sqe)
{
    sqe->spare = 1;
}

static const struct field fields[] = {
    {ARGUMENT_FLAGS, BIT(OPCODE_RETURN) | BIT(OPCODE_RETURN_RECV), set_flags},
    {ARGUMENT_METHOD, BIT(OPCODE_CALL), set_method},
    {ARGUMENT_CAP, ALL_OPCODES & ~CAPLESS, set_cap},
    {ARGUMENT_INTERFACE,
     SENDS | PLACES | BIT(OPCODE_DELEGATE) | BIT(OPCODE_TOKEN) | BIT(OPCODE_CANCEL) |
         BIT(OPCODE_WATCH),
     set_second},
    {ARGUMENT_MESSAGE, SENDS | PARKS, set_message},
    {ARGUMENT_MESSAGE_BYTES, SENDS, set_message_bytes},
    {ARGUMENT_RESULT, RECEIVES | BIT(OPCODE_PARK), set_result},
    {ARGUMENT_RESULT_BYTES, RECEIVES, set_result_bytes},
    {ARGUMENT_TRANSFERS, SENDS, set_transfers},
    {ARGUMENT_ANSWER, BIT(OPCODE_CALL) | BIT(OPCODE_FINISH) | BIT(OPCODE_TOKEN) | PLACES | PARKS,
     set_answer},
    {ARGUMENT_SPARE, 0, set_spare},
};

static void test_unused_fields_are_refused(void **state)
{
    (void)state;
    for (unsigned opcode = OPCODE_NOP; opcode < OPCODE_FORWARD; opcode++) {
        for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
            struct sqe sqe = {.opcode = (uint8_t)opcode, .user_data = UINT64_MAX};
            bool allowed = (fields[i].users & BIT(opcode)) != 0;
            struct refusal refusal;
            enum transport_error error;

            assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
            fields[i].set(&sqe);
            error = sqe_wire_validation_error(&sqe, &refusal);
            assert_int_equal(error, allowed ? TRANSPORT_OK : TRANSPORT_BAD_FIELD);
            assert_int_equal(refusal.argument, allowed ? ARGUMENT_NONE : fields[i].argument);
        }
    }
}

static void test_limits_and_opcodes(void **state)
{
    struct refusal refusal;
    struct sqe sqe = {.opcode = OPCODE_CALL, .message_bytes = LIMIT_MESSAGE_BYTES};

    (void)state;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
    sqe.message_bytes += 8;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
    assert_int_equal(refusal.limit, LIMIT_MESSAGE_BYTES);
    sqe.message_bytes = 12;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
    sqe = (struct sqe){.opcode = OPCODE_CALL, .transfers = LIMIT_TRANSFERS};
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
    sqe.transfers++;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
    sqe = (struct sqe){.opcode = OPCODE_RETURN, .flags = SQE_PROMISED};
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
    for (unsigned opcode = 0; opcode < OPCODE_FORWARD; opcode++) {
        sqe = (struct sqe){.opcode = (uint8_t)opcode, .flags = SQE_RELEASE};
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal),
                         opcode == OPCODE_FINISH ? TRANSPORT_OK : TRANSPORT_BAD_FIELD);
        assert_int_equal(refusal.argument,
                         opcode == OPCODE_FINISH ? ARGUMENT_NONE : ARGUMENT_FLAGS);
    }
    for (unsigned opcode = OPCODE_FORWARD; opcode <= UINT8_MAX; opcode++) {
        sqe = (struct sqe){.opcode = (uint8_t)opcode};
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_OPCODE);
        assert_int_equal(refusal.argument, ARGUMENT_OPCODE);
        assert_int_equal(refusal.amount, opcode);
    }
}

/* A promise names an answer and at least one step, and nothing stands behind the path's end. */
static void test_promises(void **state)
{
    static const struct {
        struct promise promise;
        enum transport_error error;
        enum refusal_argument argument;
    } cases[] = {
        {{1, {{1, 0, 0, 0}}}, TRANSPORT_OK, ARGUMENT_NONE},
        {{UINT32_MAX, {{255, 255, 255, 255}}}, TRANSPORT_OK, ARGUMENT_NONE},
        {{0, {{1, 0, 0, 0}}}, TRANSPORT_BAD_FIELD, ARGUMENT_ANSWER},
        {{1, {{0, 0, 0, 0}}}, TRANSPORT_BAD_FIELD, ARGUMENT_PATH},
        {{1, {{0, 1, 0, 0}}}, TRANSPORT_BAD_FIELD, ARGUMENT_PATH},
        {{1, {{1, 0, 1, 0}}}, TRANSPORT_BAD_FIELD, ARGUMENT_PATH},
        {{1, {{1, 1, 0, 1}}}, TRANSPORT_BAD_FIELD, ARGUMENT_PATH},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sqe sqe = {
            .opcode = OPCODE_CALL, .flags = SQE_PROMISED, .promise = cases[i].promise};
        struct refusal refusal;

        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), cases[i].error);
        assert_int_equal(refusal.argument, cases[i].argument);
    }
}

/* A slot is named when the submission says that it is, and in one way. */
static void test_placement(void **state)
{
    struct sqe sqe = {.opcode = OPCODE_DUP, .slot = 7};
    struct refusal refusal;

    (void)state;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
    assert_int_equal(refusal.argument, ARGUMENT_SLOT);
    sqe.flags = SQE_WINDOW;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
    sqe.flags = SQE_EXACT_SLOT;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
    sqe.flags = SQE_EXACT_SLOT | SQE_WINDOW;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
    assert_int_equal(refusal.argument, ARGUMENT_FLAGS);
    sqe.flags = SQE_EXACT_SLOT | SQE_CLOSE_ON_SPAWN;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
    sqe.opcode = OPCODE_TRANSFER;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
    assert_int_equal(refusal.argument, ARGUMENT_FLAGS);
    sqe.flags = SQE_EXACT_SLOT | SQE_MOVE | SQE_KEEP_GRANT;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
    sqe.flags = SQE_WINDOW;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
}

/* Submits `sqe` alone and takes it. */
static enum ring_take take_one(const struct sqe *sqe, struct sqe *taken)
{
    uint32_t tail = shared.header.sq_tail;
    enum ring_take take;

    sq()[tail % LIMIT_SQ_ENTRIES] = *sqe;
    ring_publish(&shared.header.sq_tail, tail + 1);
    take = ring_take(&ring, taken);
    complete(sqe->user_data);
    ring_publish(&shared.header.cq_head, shared.header.cq_tail);
    return take;
}

/* What is taken as valid beyond doubt is valid, and what a sensible program submits is. */
static void test_taken_without_doubt(void **state)
{
    struct test_random random;
    struct refusal refusal;
    struct sqe taken;
    unsigned entries = 0;

    (void)state;
    test_random_init(&random, 0x7a6b);
    for (unsigned round = 0; round < 200000; round++) {
        struct sqe sqe = {.opcode = (uint8_t)test_random_below(&random, OPCODE_COUNT + 2)};
        enum ring_take take;

        for (unsigned i = 0; i < ARRAY_COUNT(fields); i++) {
            if (test_random_one_in(&random, 4)) {
                fields[i].set(&sqe);
            }
        }
        if (test_random_one_in(&random, 2)) {
            ((uint8_t *)&sqe)[test_random_below(&random, sizeof(sqe))] ^=
                (uint8_t)(1u << test_random_below(&random, 8));
        }
        take = take_one(&sqe, &taken);
        assert_memory_equal(&taken, &sqe, sizeof(sqe));
        if (take == RING_TAKE_ENTRY) {
            assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
            entries++;
        } else {
            assert_int_equal(take, RING_TAKE_DOUBTFUL);
        }
    }
    assert_in_range(entries, 1000, 100000);
    for (unsigned opcode = OPCODE_NOP; opcode < OPCODE_FORWARD; opcode++) {
        struct sqe sqe = {.opcode = (uint8_t)opcode};

        for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
            if ((fields[i].users & BIT(opcode)) != 0 && fields[i].argument != ARGUMENT_ANSWER) {
                fields[i].set(&sqe);
            }
        }
        assert_int_equal(take_one(&sqe, &taken), RING_TAKE_ENTRY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_header, setup),
        cmocka_unit_test_setup(test_every_submission_completes_once, setup),
        cmocka_unit_test_setup(test_full_completion_queue_takes_nothing, setup),
        cmocka_unit_test_setup(test_impossible_tail_fails_closed, setup),
        cmocka_unit_test_setup(test_impossible_head_fails_closed, setup),
        cmocka_unit_test_setup(test_promised_completions_survive_corruption, setup),
        cmocka_unit_test_setup(test_repair, setup),
        cmocka_unit_test_setup(test_alone, setup),
        cmocka_unit_test_setup(test_tick, setup),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_smallest),
        cmocka_unit_test(test_unused_fields_are_refused),
        cmocka_unit_test_setup(test_taken_without_doubt, setup),
        cmocka_unit_test(test_limits_and_opcodes),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_placement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
