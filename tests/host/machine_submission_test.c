/* SPDX-License-Identifier: MIT */
/*
 * What follows from submissions that are malformed: each gets its completion and its error, and
 * whoever goes on with them loses the rest of its turn after each. And what the kernel reads of a
 * call, where the frames of an arena do not lie side by side; and what becomes of an answer that
 * does not reach its caller.
 */
#include "tests/host/host_cpu.h"

#include "kernel/dispatch/call.h"
#include "kernel/dispatch/submission.h"
#include "schema/generated/exception.capnp.h"
#include "tests/host/ring_memory.h"
#include "tests/host/slot_pages.h"

enum {
    MEMORY_BYTES = 4 * 1024 * 1024,
    ARENA_PAGES = 3,
};

static struct process process;
static struct thread thread;
static struct cpu *cpu;

/* As much of a machine and of a thread as a submission without objects needs. */
static int machine_make(void **state)
{
    (void)state;
    cpu = host_cpu_alone(MEMORY_BYTES);
    machine.console = 2; /* where the report of offences goes */
    memcpy(process.name, "offender", sizeof("offender"));
    ring_start();
    thread.process = &process;
    thread.ring = ring;
    offence_init(&thread.offences);
    spinlock_init(&thread.ring_lock, LOCK_RANK_RING, 0);
    spinlock_init(&process.lock, LOCK_RANK_PROCESS, 1);
    return 0;
}

static void who_goes_on_offending_loses_its_turn(void **state)
{
    const struct sqe wrong = {.opcode = OPCODE_NOP, .spare = 1};
    const struct sqe good = {.opcode = OPCODE_NOP};
    const struct cqe *completion = (const struct cqe *)(const void *)cq();

    (void)state;
    for (unsigned i = 0; i < OFFENCE_FREE + 8; i++) {
        thread.ring.sq_head++;
        assert_int_equal(submission_dispatch(cpu, &thread, &wrong, false), i < OFFENCE_FREE);
        assert_int_equal(completion[i].result, TRANSPORT_BAD_FIELD);
        assert_int_equal(completion[i].refusal.argument, ARGUMENT_SPARE);
    }
    thread.ring.sq_head++;
    assert_true(submission_dispatch(cpu, &thread, &good, false));
    assert_int_equal(completion[OFFENCE_FREE + 8].result, 0);
}

/* Message and descriptors, from every word of the first page on: over one page's end or two. */
static void a_call_is_read_page_by_page(void **state)
{
    static ALIGNED(8) uint8_t page[ARENA_PAGES][2 * LIMIT_PAGE_BYTES]; /* none beside another */
    static ALIGNED(8) uint8_t arena[ARENA_PAGES * LIMIT_PAGE_BYTES];
    const struct hold_edge edge = {.facet = CAP_FACET_ALL};
    struct transfer descriptor = {.mode = TRANSFER_COPY};
    struct refusal refusal;

    (void)state;
    scratch_init(&cpu->call_scratch, cpu->call_bytes, sizeof(cpu->call_bytes));
    scratch_init(&cpu->result_scratch, cpu->result_bytes, sizeof(cpu->result_bytes));
    memset(page, 0xff, sizeof(page));
    thread.arena_address = UINT64_C(0x400000);
    thread.plan.ring.arena_bytes = sizeof(arena);
    for (uint32_t at = 0; at < LIMIT_PAGE_BYTES; at += 8) {
        struct sqe sqe = {.opcode = OPCODE_CALL,
                          .message = thread.arena_address + at,
                          .message_bytes = LIMIT_PAGE_BYTES,
                          .transfers = 2};

        for (uint32_t i = 0; i < sizeof(arena); i++) {
            arena[i] = (uint8_t)(i * 7 + i / LIMIT_PAGE_BYTES);
        }
        memcpy(arena + at + LIMIT_PAGE_BYTES, &descriptor, sizeof(descriptor));
        memcpy(arena + at + LIMIT_PAGE_BYTES + sizeof(descriptor), &descriptor, sizeof(descriptor));
        for (unsigned i = 0; i < ARENA_PAGES; i++) {
            memcpy(page[i], arena + i * LIMIT_PAGE_BYTES, LIMIT_PAGE_BYTES);
            thread.arena_page[i] = page[i];
        }
        /* There is no room for an answer, which is looked at last. */
        assert_int_equal(call_kernel_object(cpu, &thread, &sqe, &edge, &refusal),
                         TRANSPORT_NO_ROOM);
        assert_memory_equal(cpu->call_bytes, arena + at, LIMIT_PAGE_BYTES);
    }
}

/* ---- an object that does what the test says ----------------------------------------------------
 */

/* What its method does: gives `gift`, builds an answer of so many words, and ends in this way. */
static struct {
    uint32_t words;
    enum capn_dispatch outcome;
    struct capn_refuse_reason reason;
} giver;

static const struct object_type gift_type;
static struct object gift;

static enum capn_dispatch giver_call(struct object *object, struct capn_request *request)
{
    const struct hold_edge edge = {.object = &gift, .facet = CAP_FACET_ALL};

    (void)object;
    object_ref(&gift);
    (void)call_result_cap(call_of(request), &edge, (struct capn_path){.length = 0});
    (void)capn_init_struct(capn_builder_root(&request->results),
                           (struct capn_size){.data_words = (uint16_t)giver.words});
    request->refusal = giver.reason;
    return giver.outcome;
}

static const struct object_type giver_type = {.name = "giver", .call = giver_call, .gives = 1};

/* The exception that lies at `bytes`. */
static struct cap_exception_reader exception_at(struct capn_reader *reader,
                                                struct capn_segment *segment, const uint8_t *bytes,
                                                int32_t result)
{
    *segment = (struct capn_segment){bytes, (uint64_t)result / CAPN_WORD_BYTES};
    capn_reader_init(reader, segment, 1, CAPN_LIMITS_DEFAULT);
    return cap_exception_read(capn_reader_root(reader));
}

/* One that does not reach its caller takes back what it gave: an exception does, as it says, and so
 * does an answer longer than its room. */
static void what_was_not_given_comes_back(void **state)
{
    static ALIGNED(8) uint8_t page[LIMIT_PAGE_BYTES];
    static struct object object;
    const struct hold_edge edge = {.object = &object, .facet = CAP_FACET_ALL};
    struct sqe sqe = {.opcode = OPCODE_CALL, .interface_id = 77, .result_bytes = LIMIT_ANSWER_ROOM};
    const struct cqe *completion = (const struct cqe *)(const void *)cq();
    struct cap_exception_reader exception;
    struct capn_segment segment;
    struct capn_reader reader;
    struct refusal refusal;

    (void)state;
    ring_start();
    thread.ring = ring;
    thread.arena_address = UINT64_C(0x400000);
    thread.plan.ring.arena_bytes = sizeof(page);
    thread.arena_page[0] = page;
    sqe.message = sqe.result = thread.arena_address;
    object_init(&object, &giver_type);
    object_init(&gift, &gift_type);
    cap_table_init(&process.table, 8, slot_memory(NULL));

    giver.outcome = CAPN_DISPATCH_REFUSED;
    giver.reason = (struct capn_refuse_reason){.reason = EXCEPTION_REASON_OUT_OF_RANGE,
                                               .argument = 3,
                                               .limit = 5,
                                               .amount = 9,
                                               .limit_name = "places",
                                               .argument_name = "place",
                                               .detail = "a rule"};
    thread.ring.sq_head++;
    assert_int_equal(call_kernel_object(cpu, &thread, &sqe, &edge, &refusal), TRANSPORT_OK);
    assert_int_equal(completion[0].flags, CQE_EXCEPTION);
    exception = exception_at(&reader, &segment, page, completion[0].result);
    assert_int_equal(cap_exception_get_reason(exception), EXCEPTION_REASON_OUT_OF_RANGE);
    assert_int_equal(cap_exception_get_interface_id(exception), 77);
    assert_int_equal(cap_exception_get_argument_index(exception), 3);
    assert_int_equal(cap_exception_get_limit(exception), 5);
    assert_int_equal(cap_exception_get_amount(exception), 9);
    assert_string_equal(cap_exception_get_limit_name(exception).bytes, "places");
    assert_string_equal(cap_exception_get_argument(exception).bytes, "place");
    assert_string_equal(cap_exception_get_detail(exception).bytes, "a rule");
    assert_int_equal(gift.references, 1);
    assert_int_equal(process.table.reserved, 0);

    giver.outcome = CAPN_DISPATCH_ANSWERED;
    giver.words = LIMIT_ANSWER_ROOM / CAPN_WORD_BYTES - 1; /* its root fills the room */
    assert_int_equal(call_kernel_object(cpu, &thread, &sqe, &edge, &refusal), TRANSPORT_NO_ROOM);
    assert_int_equal(refusal.argument, ARGUMENT_RESULT_BYTES);
    assert_int_equal(refusal.limit, LIMIT_ANSWER_ROOM);
    assert_int_equal(refusal.amount, LIMIT_ANSWER_ROOM + sizeof(struct received_cap));
    assert_int_equal(gift.references, 1);
    assert_int_equal(process.table.reserved, 0);
    assert_int_equal(process.table.used, 0);

    sqe.result_bytes += sizeof(struct received_cap);
    thread.ring.sq_head++;
    assert_int_equal(call_kernel_object(cpu, &thread, &sqe, &edge, &refusal), TRANSPORT_OK);
    assert_int_equal(completion[1].result, LIMIT_ANSWER_ROOM);
    assert_int_equal(completion[1].flags, UINT32_C(1) << CQE_CAPS_SHIFT);
    assert_int_equal(gift.references, 2);
    assert_int_equal(process.table.reserved, 0);
    assert_int_equal(process.table.used, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_read_page_by_page),
        cmocka_unit_test(who_goes_on_offending_loses_its_turn),
        cmocka_unit_test(what_was_not_given_comes_back),
    };

    return cmocka_run_group_tests_name("submissions", tests, machine_make, NULL);
}
