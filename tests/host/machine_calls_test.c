/* SPDX-License-Identifier: MIT */
/*
 * A CALL on a kernel object whose method does what the test says: what becomes of the answer, the
 * words of every refusal and exception, the scratch that is charged, and that nothing of a call is
 * left behind.
 */
#include "tests/host/host_cpu.h"

#include "abi/ledgers.h"
#include "kernel/dispatch/call.h"
#include "kernel/ipc/answers.h"
#include "schema/generated/exception.capnp.h"
#include "tests/host/ring_memory.h"
#include "tests/host/slot_pages.h"

enum {
    MEMORY_BYTES = 4 * 1024 * 1024,
    PAGES = 4,
    ARENA_BYTES = 1024 * 1024, /* nothing is read or written behind the pages */
    SCRATCH_QUOTA = 64 * 1024,
    SLOTS = 8,
    INTERFACE = 77,
    METHOD_GIVES = 1,
    RECORD = sizeof(struct received_cap),
    LEAST = LIMIT_ANSWER_ROOM + RECORD, /* that a call must be able to build */
};

static struct process process;
static struct thread thread;
static struct cpu *cpu;
static ALIGNED(8) uint8_t page[PAGES][LIMIT_PAGE_BYTES];
static struct refusal refusal; /* of the last call */
static struct cqe completion;  /* and what it completed with */

/* ---- the object -------------------------------------------------------------------------------
 */

/* What the method does, and what it found. */
static struct {
    bool gives;     /* an edge of `gift` */
    bool defers;    /* the answer: `deferred` */
    uint32_t words; /* of its answer, without the root */
    struct capn_refuse_reason reason;
    struct capn_error error; /* of the parameters */
    enum capn_dispatch outcome;
    uint32_t capacity_words; /* of the answer */
    uint64_t available;      /* scratch of the caller's ledger, meanwhile */
    unsigned calls;
} method;

static struct operation *deferred;
static const struct object_type gift_type;
static struct object gift;

static enum capn_dispatch method_call(struct object *object, struct capn_request *request)
{
    const struct hold_edge edge = {.object = &gift, .facet = CAP_FACET_ALL, .badge = 5};
    struct capn_struct_builder answer;

    (void)object;
    method.calls++;
    method.capacity_words = request->results.segments->capacity_words;
    method.available = account_refusal(process.account, LEDGER_SCRATCH_BYTES, 1).available;
    if (method.gives) {
        object_ref(&gift);
        assert_int_equal(call_result_cap(call_of(request), &edge, (struct capn_path){.length = 0}),
                         0);
    }
    answer = capn_init_struct(capn_builder_root(&request->results),
                              (struct capn_size){.data_words = (uint16_t)method.words});
    memset(answer.data, 0xee, answer.data_bytes);
    request->refusal = method.reason;
    if (method.defers) {
        deferred = call_defer(request, OPERATION_WAIT);
        return deferred == NULL ? CAPN_DISPATCH_REFUSED : CAPN_DISPATCH_LATER;
    }
    if (method.error.code != CAPN_OK) {
        request->parameters.error = method.error;
    }
    return method.outcome;
}

static const struct object_type method_type = {
    .name = "method", .call = method_call, .gives = UINT64_C(1) << METHOD_GIVES};
static struct object object;

/* ---- a machine ---------------------------------------------------------------------------------
 */

static int machine_make(void **state)
{
    struct ledger_amounts amounts = {.amount = {0}};

    (void)state;
    cpu = host_cpu_alone(MEMORY_BYTES);
    amounts.amount[LEDGER_SCRATCH_BYTES] = SCRATCH_QUOTA;
    amounts.amount[LEDGER_FRAMES] = 1;
    accounts_init(&amounts);
    process.account = account_root();
    spinlock_init(&process.lock, LOCK_RANK_PROCESS, 1);
    cap_table_init(&process.table, SLOTS, slot_memory(NULL));
    scratch_init(&cpu->call_scratch, cpu->call_bytes, sizeof(cpu->call_bytes));
    scratch_init(&cpu->result_scratch, cpu->result_bytes, sizeof(cpu->result_bytes));
    thread.process = &process;
    thread.arena_address = UINT64_C(0x400000);
    thread.plan.ring.arena_bytes = ARENA_BYTES;
    for (unsigned i = 0; i < PAGES; i++) {
        thread.arena_page[i] = page[i];
    }
    spinlock_init(&thread.ring_lock, LOCK_RANK_RING, 0);
    object_init(&object, &method_type);
    object_init(&gift, &gift_type);
    return 0;
}

static int case_begin(void **state)
{
    (void)state;
    memset(&method, 0, sizeof(method));
    deferred = NULL;
    memset(page, 0, sizeof(page));
    return 0;
}

/* A call with room for any exception; message and answer begin the arena. */
static struct sqe usual(void)
{
    return (struct sqe){.opcode = OPCODE_CALL,
                        .interface_id = INTERFACE,
                        .user_data = 21,
                        .message = thread.arena_address,
                        .message_bytes = 8,
                        .result = thread.arena_address + LIMIT_PAGE_BYTES,
                        .result_bytes = LIMIT_ANSWER_ROOM};
}

/* Makes the call. Whatever comes of it, no slot stays reserved, no scratch charged, and no byte of
 * it can be seen by the next. */
static enum transport_error call(const struct sqe *sqe)
{
    const struct hold_edge edge = {.object = &object, .facet = CAP_FACET_ALL};
    uint64_t available = account_refusal(process.account, LEDGER_SCRATCH_BYTES, 1).available;
    uint32_t reserved = process.table.reserved;
    enum transport_error error;

    ring_start();
    thread.ring = ring;
    thread.ring.sq_head++;
    memset(&refusal, 0x5a, sizeof(refusal));
    error = call_kernel_object(cpu, &thread, sqe, &edge, &refusal);
    completion = *(const struct cqe *)(const void *)cq();
    assert_int_equal(ring_completions(&thread.ring),
                     error == TRANSPORT_OK && deferred == NULL ? 1 : 0);
    assert_int_equal(process.table.reserved, reserved);
    assert_int_equal(account_refusal(process.account, LEDGER_SCRATCH_BYTES, 1).available,
                     available);
    assert_int_equal(scratch_check(&cpu->call_scratch), 0);
    assert_int_equal(scratch_check(&cpu->result_scratch), 0);
    return error;
}

/* The exception that a call completed with. */
static struct cap_exception_reader exception_read(const struct sqe *sqe)
{
    static struct capn_segment segment;
    static struct capn_reader reader;
    struct cap_exception_reader found;

    assert_int_equal(completion.user_data, 21);
    assert_int_equal(completion.flags, CQE_EXCEPTION);
    assert_in_range(completion.result, 8, LIMIT_ANSWER_ROOM);
    segment = (struct capn_segment){page[1], (uint64_t)completion.result / CAPN_WORD_BYTES};
    capn_reader_init(&reader, &segment, 1, CAPN_LIMITS_DEFAULT);
    found = cap_exception_read(capn_reader_root(&reader));
    assert_int_equal(cap_exception_get_interface_id(found), INTERFACE);
    assert_int_equal(cap_exception_get_method(found), sqe->method);
    return found;
}

static struct cap_exception_reader exception(const struct sqe *sqe)
{
    assert_int_equal(call(sqe), TRANSPORT_OK);
    return exception_read(sqe);
}

/* ---- what is refused before the object is asked ------------------------------------------------
 */

/* The call is refused so: with no reason yet, which who posts it fills in. */
static void refused(struct sqe sqe, enum transport_error error, struct refusal expected)
{
    assert_int_equal(call(&sqe), error);
    assert_int_equal(refusal.argument, expected.argument);
    assert_int_equal(refusal.amount, expected.amount);
    assert_int_equal(refusal.limit, expected.limit);
    assert_int_equal(method.calls, 0);
}

static void a_refusal_names_its_argument(void **state)
{
    const uint64_t nowhere = UINT64_MAX - 7;
    struct sqe sqe = usual();
    struct transfer *descriptor = (struct transfer *)(void *)(page[0] + 8);

    (void)state;
    sqe.message_bytes = LIMIT_CALL_BYTES + 8;
    refused(sqe, TRANSPORT_TOO_LARGE,
            (struct refusal){.argument = ARGUMENT_MESSAGE_BYTES,
                             .amount = LIMIT_CALL_BYTES + 8,
                             .limit = LIMIT_CALL_BYTES});
    sqe = usual();
    sqe.message = nowhere;
    refused(sqe, TRANSPORT_BAD_BUFFER,
            (struct refusal){.argument = ARGUMENT_MESSAGE, .amount = nowhere});
    sqe.message_bytes = 0; /* which may be anywhere */
    sqe.transfers = 1;
    refused(sqe, TRANSPORT_BAD_BUFFER,
            (struct refusal){.argument = ARGUMENT_TRANSFERS, .amount = 1});
    sqe = usual();
    sqe.transfers = 2;
    descriptor[0].mode = TRANSFER_COPY;
    descriptor[1].mode = TRANSFER_MOVE;
    refused(sqe, TRANSPORT_BAD_FIELD,
            (struct refusal){.argument = ARGUMENT_TRANSFERS, .amount = 1});
    sqe = usual();
    sqe.result = nowhere;
    refused(sqe, TRANSPORT_BAD_BUFFER,
            (struct refusal){.argument = ARGUMENT_RESULT, .amount = nowhere});
    sqe = usual();
    sqe.result_bytes = LIMIT_ANSWER_ROOM - 8;
    refused(sqe, TRANSPORT_NO_ROOM,
            (struct refusal){.argument = ARGUMENT_RESULT_BYTES,
                             .amount = LIMIT_ANSWER_ROOM - 8,
                             .limit = LIMIT_ANSWER_ROOM});
}

/* A method that may give needs a slot before it is asked; a number beyond 63 is none of those. */
static void a_slot_is_there_before_the_method_runs(void **state)
{
    struct slot_pages none = {.left = 0};
    struct sqe sqe = usual();

    (void)state;
    assert_int_equal(cap_table_reserve(&process.table, SLOTS), TRANSPORT_OK);
    sqe.method = METHOD_GIVES;
    refused(sqe, TRANSPORT_LIMIT,
            (struct refusal){.argument = ARGUMENT_LEDGER + LEDGER_SLOTS, .amount = 1});
    sqe.method = METHOD_GIVES + 64;
    method.outcome = CAPN_DISPATCH_UNKNOWN_METHOD;
    assert_int_equal(cap_exception_get_reason(exception(&sqe)), EXCEPTION_REASON_UNKNOWN_METHOD);
    cap_table_unreserve(&process.table, SLOTS);

    cap_table_free(&process.table);
    cap_table_init(&process.table, SLOTS, slot_memory(&none));
    method.calls = 0;
    sqe.method = METHOD_GIVES;
    refused(sqe, TRANSPORT_NO_MEMORY, (struct refusal){.argument = ARGUMENT_NONE, .amount = 1});
    cap_table_init(&process.table, SLOTS, slot_memory(NULL));
}

/* ---- what the object answers -------------------------------------------------------------------
 */

static void an_exception_says_what_was_found(void **state)
{
    static const struct {
        enum capn_dispatch outcome;
        struct capn_error error;
        uint16_t reason;
        uint64_t limit;
        uint64_t amount;
    } rows[] = {
        {CAPN_DISPATCH_BAD_PARAMETERS,
         {.code = CAPN_DEPTH_LIMIT, .limit = 3, .found = 4},
         EXCEPTION_REASON_MALFORMED_MESSAGE,
         3,
         4},
        {CAPN_DISPATCH_BAD_RESULTS,
         {.code = CAPN_OK},
         EXCEPTION_REASON_MESSAGE_TOO_LARGE,
         LIMIT_ANSWER_BYTES,
         0},
        {CAPN_DISPATCH_UNKNOWN_METHOD,
         {.code = CAPN_OK},
         EXCEPTION_REASON_UNKNOWN_METHOD,
         0,
         METHOD_GIVES + 64},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sqe sqe = usual();
        struct cap_exception_reader found;

        sqe.method = METHOD_GIVES + 64; /* which gives nothing, unlike that with its lower bits */
        method.outcome = rows[i].outcome;
        method.error = rows[i].error;
        found = exception(&sqe);
        assert_int_equal(cap_exception_get_reason(found), rows[i].reason);
        assert_int_equal(cap_exception_get_limit(found), rows[i].limit);
        assert_int_equal(cap_exception_get_amount(found), rows[i].amount);
        assert_int_equal(cap_exception_get_argument_index(found), CAPN_NO_ARGUMENT);
        assert_int_equal(cap_exception_get_limit_name(found).length, 0);
        assert_int_equal(cap_exception_get_argument(found).length, 0);
        assert_int_equal(cap_exception_get_detail(found).length != 0,
                         rows[i].error.code != CAPN_OK);
    }
}

/* What a method gave before it refused comes back; and its own words reach the caller. */
static void who_is_refused_gets_nothing(void **state)
{
    struct sqe sqe = usual();
    struct cap_exception_reader found;

    (void)state;
    sqe.method = METHOD_GIVES;
    method.gives = true;
    method.words = LIMIT_PAGE_BYTES / CAPN_WORD_BYTES; /* of an answer that it gave up */
    method.outcome = CAPN_DISPATCH_REFUSED;
    method.reason = (struct capn_refuse_reason){.reason = EXCEPTION_REASON_OUT_OF_RANGE,
                                                .argument = 3,
                                                .limit = 5,
                                                .amount = 9,
                                                .limit_name = "places",
                                                .argument_name = "place",
                                                .detail = "a rule"};
    found = exception(&sqe);
    assert_int_equal(cap_exception_get_reason(found), EXCEPTION_REASON_OUT_OF_RANGE);
    assert_int_equal(cap_exception_get_argument_index(found), 3);
    assert_int_equal(cap_exception_get_limit(found), 5);
    assert_int_equal(cap_exception_get_amount(found), 9);
    assert_string_equal(cap_exception_get_limit_name(found).bytes, "places");
    assert_string_equal(cap_exception_get_argument(found).bytes, "place");
    assert_string_equal(cap_exception_get_detail(found).bytes, "a rule");
    assert_int_equal(gift.references, 1);
    assert_int_equal(process.table.used, 0);
}

/* So does what an answer carries that is longer than its room; with the room it arrives. */
static void an_answer_fits_or_gives_nothing(void **state)
{
    struct sqe sqe = usual();
    struct received_cap record;

    (void)state;
    sqe.method = METHOD_GIVES;
    method.gives = true;
    method.outcome = CAPN_DISPATCH_ANSWERED;
    method.words = LIMIT_ANSWER_ROOM / CAPN_WORD_BYTES - 1; /* its root fills the room */
    assert_int_equal(call(&sqe), TRANSPORT_NO_ROOM);
    assert_int_equal(refusal.argument, ARGUMENT_RESULT_BYTES);
    assert_int_equal(refusal.limit, LIMIT_ANSWER_ROOM);
    assert_int_equal(refusal.amount, LIMIT_ANSWER_ROOM + RECORD);
    assert_int_equal(gift.references, 1);
    assert_int_equal(process.table.used, 0);
    sqe.result_bytes += RECORD;
    assert_int_equal(call(&sqe), TRANSPORT_OK);
    assert_int_equal(completion.result, LIMIT_ANSWER_ROOM);
    assert_int_equal(completion.flags, UINT32_C(1) << CQE_CAPS_SHIFT);
    assert_int_equal(gift.references, 2);
    assert_int_equal(process.table.used, 1);
    memcpy(&record, page[1] + LIMIT_ANSWER_ROOM, sizeof(record));
    assert_int_equal(record.badge, 5);
    assert_true(record.facet == CAP_FACET_ALL);
    assert_int_equal(cap_table_remove(&process.table, record.cap, &(struct hold_edge){0}),
                     TRANSPORT_OK);
    object_put_more(&gift, 1);
}

/* ---- an answer that comes later
 * ------------------------------------------------------------------ */

static struct operation operation;
static struct answer answer[1];
static struct answer_result result[LIMIT_ANSWER_CAPS];

static void who_answers_later_has_where(void **state)
{
    struct sqe sqe = usual();
    struct cap_exception_reader found;

    (void)state;
    method.defers = true;
    sqe.method = 2;
    thread.account = process.account; /* without an outstanding call */
    found = exception(&sqe);          /* nor the room for any answer */
    assert_int_equal(cap_exception_get_reason(found), EXCEPTION_REASON_LIMIT_EXCEEDED);
    assert_int_equal(cap_exception_get_limit(found), sizeof(((struct deferred_answer *)0)->bytes));
    assert_int_equal(cap_exception_get_amount(found), LIMIT_ANSWER_ROOM);
    sqe.result_bytes = sizeof(((struct deferred_answer *)0)->bytes);
    found = exception(&sqe);
    assert_int_equal(cap_exception_get_reason(found), EXCEPTION_REASON_QUOTA_EXCEEDED);
    assert_string_equal(cap_exception_get_limit_name(found).bytes, "outstandingCalls");
    assert_int_equal(cap_exception_get_amount(found), 1);
    thread.operations_used = LIMIT_OPERATIONS;
    found = exception(&sqe);
    assert_int_equal(cap_exception_get_reason(found), EXCEPTION_REASON_LIMIT_EXCEEDED);
    assert_int_equal(cap_exception_get_limit(found), LIMIT_OPERATIONS);
    assert_int_equal(cap_exception_get_amount(found), LIMIT_OPERATIONS);

    thread.operations_used = 0;
    thread.calls_held = 1;
    thread.operations_free = &operation;
    operation.owner = &thread;
    cpu->effects = 0;
    sqe.answer = UINT32_C(1) << ANSWER_SLOT_BITS;
    answer_table_init(
        &thread.answers,
        (struct answer_memory){.answers = answer, .results = result, .answer_count = 1});
    assert_int_equal(answers_open(&thread, sqe.answer), TRANSPORT_OK);
    assert_int_equal(call(&sqe), TRANSPORT_OK);
    assert_ptr_equal(deferred, &operation);
    assert_int_equal(operation.kind, OPERATION_WAIT);
    assert_int_equal(operation.user_data, 21);
    assert_int_equal(operation.answer, sqe.answer);
    assert_int_equal(operation.interface_id, INTERFACE);
    assert_int_equal(operation.method, 2);
    assert_int_equal(operation.result_offset, LIMIT_PAGE_BYTES);
    assert_int_equal(operation.result_bytes, sqe.result_bytes);
    assert_true(cpu->effects != 0); /* it ends the turn of who asks for many */
}

/* The answer to that: its message, its capability, and where a call may be promised from. */
static void what_came_later_is_whole(void **state)
{
    const struct hold_edge edge = {.object = &gift, .facet = 6, .interface_id = 7, .badge = 8};
    const struct promise promise = {.answer = operation.answer, .path = {.step = {1}}};
    struct deferred_answer later;
    struct received_cap record;
    struct cap_id cap = {0};

    (void)state;
    memset(&later, 0x5a, sizeof(later));
    deferred_begin(&later);
    (void)capn_init_struct(capn_builder_root(&later.results),
                           (struct capn_size){.data_words = 1, .pointers = 1});
    assert_int_equal(cap_table_reserve(&process.table, 1), TRANSPORT_OK);
    object_ref(&gift);
    later.cap = edge;
    later.path = (struct capn_path){.length = 1};
    deferred_complete(&operation, &later);
    completion = *(const struct cqe *)(const void *)cq();
    assert_int_equal(completion.user_data, 21);
    assert_int_equal(completion.result, 3 * CAPN_WORD_BYTES);
    assert_int_equal(completion.flags, UINT32_C(1) << CQE_CAPS_SHIFT);
    memcpy(&record, page[1] + completion.result, sizeof(record));
    assert_int_equal(record.facet, 6);
    assert_int_equal(record.interface_id, 7);
    assert_int_equal(record.badge, 8);
    assert_int_equal(answers_target(&thread, &promise, NULL, &cap), ANSWER_TARGET_CAP);
    assert_true(cap_id_equal(cap, record.cap));
    assert_int_equal(process.table.reserved, 0);
    assert_int_equal(cap_table_remove(&process.table, cap, &(struct hold_edge){0}), TRANSPORT_OK);
    object_put_more(&gift, 1);
    assert_int_equal(operation.kind, OPERATION_FREE);
}

/* An exception is of the call that was made, whatever was built before. */
static void what_is_refused_later_is_said(void **state)
{
    struct sqe sqe = usual();
    struct deferred_answer later;
    struct cap_exception_reader found;

    (void)state;
    method.defers = true;
    sqe.method = 3;
    sqe.result_bytes = sizeof(later.bytes);
    assert_int_equal(call(&sqe), TRANSPORT_OK);
    deferred_begin(&later);
    (void)capn_init_struct(capn_builder_root(&later.results), (struct capn_size){.data_words = 9});
    deferred_refuse(
        &later, &operation,
        (struct capn_refuse_reason){
            .reason = EXCEPTION_REASON_NOT_FOUND, .argument = 1, .limit = 2, .amount = 3});
    deferred_complete(&operation, &later);
    completion = *(const struct cqe *)(const void *)cq();
    found = exception_read(&sqe);
    assert_int_equal(cap_exception_get_reason(found), EXCEPTION_REASON_NOT_FOUND);
    assert_int_equal(cap_exception_get_argument_index(found), 1);
    assert_int_equal(cap_exception_get_limit(found), 2);
    assert_int_equal(cap_exception_get_amount(found), 3);
}

/* ---- scratch ------------------------------------------------------------------------------------
 */

/* A call is charged message and room, if they are more than is free, or what is left of the quota,
 * if that is enough for an exception; and the answer may be as long as that. */
static void scratch_is_charged_while_it_lasts(void **state)
{
    static const struct {
        uint32_t message;
        uint32_t room;
        uint64_t left;    /* of the quota */
        uint64_t charged; /* while the method runs */
        uint64_t answer;  /* bytes it may have, with its record */
    } rows[] = {
        {8, SCRATCH_FREE_BYTES - 8, SCRATCH_QUOTA, 0, LIMIT_ANSWER_BYTES},
        {8, SCRATCH_FREE_BYTES, SCRATCH_QUOTA, SCRATCH_FREE_BYTES + 8, LIMIT_ANSWER_BYTES},
        {8, ARENA_BYTES / 2, SCRATCH_QUOTA, LIMIT_ANSWER_BYTES + 8, LIMIT_ANSWER_BYTES},
        {8, ARENA_BYTES / 2, LIMIT_ANSWER_BYTES + 8, LIMIT_ANSWER_BYTES + 8, LIMIT_ANSWER_BYTES},
        {8, ARENA_BYTES / 2, LIMIT_ANSWER_BYTES, LIMIT_ANSWER_BYTES, LIMIT_ANSWER_BYTES - 8},
        {8, 4096, 2000, 2000, 1992},
        {8, 4096, 500, 500, SCRATCH_FREE_BYTES - 8},
        {8, 4096, 0, 0, SCRATCH_FREE_BYTES - 8},
        {2048, 4096, 2048 + LEAST, 2048 + LEAST, LEAST},
    };

    (void)state;
    method.outcome = CAPN_DISPATCH_BAD_RESULTS;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        bool is_short = rows[i].answer != LIMIT_ANSWER_BYTES;
        uint64_t others = SCRATCH_QUOTA - rows[i].left;
        struct sqe sqe = usual();
        struct cap_exception_reader found;

        assert_int_equal(account_charge(process.account, LEDGER_SCRATCH_BYTES, others), STATUS_OK);
        sqe.message_bytes = rows[i].message;
        sqe.result_bytes = rows[i].room;
        found = exception(&sqe);
        assert_int_equal(rows[i].left - method.available, rows[i].charged);
        assert_int_equal(method.capacity_words, (rows[i].answer - RECORD) / CAPN_WORD_BYTES);
        assert_int_equal(cap_exception_get_reason(found), is_short
                                                              ? EXCEPTION_REASON_QUOTA_EXCEEDED
                                                              : EXCEPTION_REASON_MESSAGE_TOO_LARGE);
        assert_int_equal(cap_exception_get_limit(found),
                         is_short ? (uint64_t)SCRATCH_QUOTA : (uint64_t)LIMIT_ANSWER_BYTES);
        assert_int_equal(cap_exception_get_amount(found), is_short ? LIMIT_ANSWER_BYTES : 0);
        if (is_short) {
            assert_string_equal(cap_exception_get_limit_name(found).bytes, "scratchBytes");
        }
        account_release(process.account, LEDGER_SCRATCH_BYTES, others);
    }
}

/* A byte less than is enough for an exception. */
static void scratch_is_refused_by_name(void **state)
{
    const uint64_t others = SCRATCH_QUOTA - (2048 + LEAST - 1);
    struct sqe sqe = usual();

    (void)state;
    assert_int_equal(account_charge(process.account, LEDGER_SCRATCH_BYTES, others), STATUS_OK);
    sqe.message_bytes = 2048;
    sqe.result_bytes = 4096;
    refused(sqe, TRANSPORT_LIMIT,
            (struct refusal){.argument = ARGUMENT_LEDGER + LEDGER_SCRATCH_BYTES,
                             .amount = 2048 + 4096,
                             .limit = SCRATCH_QUOTA});
    account_release(process.account, LEDGER_SCRATCH_BYTES, others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_refusal_names_its_argument, case_begin),
        cmocka_unit_test_setup(a_slot_is_there_before_the_method_runs, case_begin),
        cmocka_unit_test_setup(an_exception_says_what_was_found, case_begin),
        cmocka_unit_test_setup(who_is_refused_gets_nothing, case_begin),
        cmocka_unit_test_setup(an_answer_fits_or_gives_nothing, case_begin),
        cmocka_unit_test_setup(who_answers_later_has_where, case_begin),
        cmocka_unit_test_setup(what_came_later_is_whole, case_begin),
        cmocka_unit_test_setup(what_is_refused_later_is_said, case_begin),
        cmocka_unit_test_setup(scratch_is_charged_while_it_lasts, case_begin),
        cmocka_unit_test_setup(scratch_is_refused_by_name, case_begin),
    };

    return cmocka_run_group_tests_name("calls", tests, machine_make, NULL);
}
