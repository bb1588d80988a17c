/* SPDX-License-Identifier: MIT */
/*
 * The wire check against a table of what each opcode may use, written apart from the one in
 * core/ring.c; and that an entry which the ring takes beyond doubt is one that the check lets pass.
 */
#include "tests/host/ring_memory.h"

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
    ring_post(&ring, &(struct cqe){.user_data = sqe->user_data});
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
    ring_start();
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

static void test_a_malformed_entry_is_told_with_reason_and_limit(void **state)
{
    struct sqe sqe = {.opcode = OPCODE_COUNT};
    struct refusal refusal;

    (void)state;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_OPCODE);
    assert_int_equal(refusal.reason, -TRANSPORT_BAD_OPCODE);
    assert_int_equal(refusal.argument, ARGUMENT_OPCODE);
    assert_int_equal(refusal.amount, OPCODE_COUNT);
    sqe = (struct sqe){.opcode = OPCODE_CALL, .cap = {1}, .transfers = LIMIT_TRANSFERS + 1};
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
    assert_int_equal(refusal.reason, -TRANSPORT_TOO_LARGE);
    assert_int_equal(refusal.argument, ARGUMENT_TRANSFERS);
    assert_int_equal(refusal.amount, LIMIT_TRANSFERS + 1);
    assert_int_equal(refusal.limit, LIMIT_TRANSFERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unused_fields_are_refused),
        cmocka_unit_test(test_limits_and_opcodes),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_placement),
        cmocka_unit_test(test_taken_without_doubt),
        cmocka_unit_test(test_a_malformed_entry_is_told_with_reason_and_limit),
    };

    return cmocka_run_group_tests_name("wire check", tests, NULL, NULL);
}
