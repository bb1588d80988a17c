/* SPDX-License-Identifier: MIT */
/*
 * Calls that are nearly usual. NullObject.nothing with both buffers in the arena is answered by the
 * kernel's shortest way; here each call differs from it in one thing, alone and behind a usual one
 * in the same batch, and gets what the documentation of that thing says. Then what a call to a
 * kernel object needs beside its own form: descriptors, scratch, room, an operation, a slot.
 *
 * It is granted "null" (copy-grantable), "endpoint-factory", "frame-allocator" and
 * "process-spawner", with quotas that it can use up. Named "unusual-idle" it waits to be killed.
 */
#include "tests/programs/unusual/unusual.h"

#include "core/string.h"
#include "user/rt/cap.h"

struct sqe usual(const struct bench *bench)
{
    return (struct sqe){.opcode = OPCODE_CALL,
                        .method = NULL_OBJECT_METHOD_NOTHING,
                        .cap = bench->null,
                        .interface_id = NULL_OBJECT_INTERFACE_ID,
                        .message = address_of(bench->message.bytes),
                        .message_bytes = 8,
                        .result = address_of(bench->result.bytes),
                        .result_bytes = ROOM};
}

struct cqe behind(struct bench *bench, const struct sqe *entry, struct cqe *alone)
{
    struct sqe first = usual(bench);
    struct rt_operation operation[2];

    *alone = check_done(bench->check, bench->ring, entry);
    operation[0] = check_submit(bench->check, bench->ring, &first);
    operation[1] = check_submit(bench->check, bench->ring, entry);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result, 8);
    return check_completion(bench->check, bench->ring, operation[1]);
}

void refused_at(struct bench *bench, const struct sqe *entry, int32_t error, unsigned argument,
                unsigned line)
{
    struct cqe alone;
    struct cqe second = behind(bench, entry, &alone);

    (void)check_numbers(bench->check, alone.result, error, line);
    (void)check_numbers(bench->check, second.result, error, line);
    (void)check_numbers(bench->check, alone.refusal.argument, argument, line);
    (void)check_numbers(bench->check, second.refusal.argument, argument, line);
}

void exception_at(struct bench *bench, const struct sqe *entry, const struct cqe *completion,
                  struct excepted expected, unsigned line)
{
    struct check *check = bench->check;
    struct capn_segment segment = {.bytes = (const uint8_t *)(uintptr_t)entry->result,
                                   .words = (uint64_t)completion->result / CAPN_WORD_BYTES};
    struct cap_exception_reader exception;
    struct capn_reader reader;
    bool ledger = expected.reason == EXCEPTION_REASON_QUOTA_EXCEEDED;

    if (!check_note(check, completion->result > 0 && (completion->flags & CQE_EXCEPTION) != 0,
                    "an exception", line)) {
        return;
    }
    capn_reader_init(&reader, &segment, 1, CAPN_LIMITS_DEFAULT);
    exception = cap_exception_read(capn_reader_root(&reader));
    (void)check_numbers(check, cap_exception_get_reason(exception), expected.reason, line);
    (void)check_numbers(check, (int64_t)cap_exception_get_limit(exception), (int64_t)expected.limit,
                        line);
    (void)check_numbers(check, (int64_t)cap_exception_get_amount(exception),
                        (int64_t)expected.amount, line);
    (void)check_numbers(check, cap_exception_get_method(exception), entry->method, line);
    (void)check_numbers(check, (int64_t)cap_exception_get_interface_id(exception),
                        (int64_t)entry->interface_id, line);
    (void)check_numbers(check, cap_exception_get_argument_index(exception), UINT16_MAX, line);
    (void)check_note(check, (cap_exception_get_limit_name(exception).length != 0) == ledger,
                     "a ledger's name", line);
    (void)check_note(check,
                     (cap_exception_get_detail(exception).length != 0) ==
                         (expected.reason == EXCEPTION_REASON_MALFORMED_MESSAGE),
                     "the rule that the message breaks", line);
}

void excepted_at(struct bench *bench, const struct sqe *entry, struct excepted expected,
                 unsigned line)
{
    struct cqe alone;
    struct cqe second = behind(bench, entry, &alone);

    (void)check_numbers(bench->check, alone.result, second.result, line);
    (void)check_numbers(bench->check, alone.flags, second.flags, line);
    exception_at(bench, entry, &second, expected, line);
}

struct endpoint_owner endpoint_made(struct bench *bench)
{
    const struct manifest_export limits = {
        .message_bytes = 64, .capabilities = 1, .queue_length = 1};
    struct endpoint_factory factory = {.cap = check_held(bench->check, "endpoint-factory")};
    struct endpoint_owner owner = {{0}};

    CHECK_EQUAL(bench->check, endpoint_client_create(bench->rt, factory, &limits, &owner), 0);
    return owner;
}

/* ---- the system calls themselves ------------------------------------------------------------- */

static void system_calls_refused(struct bench *bench)
{
    struct ring_header *header = bench->ring->header;
    uint32_t head = ring_load_peer(&header->cq_head);

    CHECK_EQUAL(bench->check, rt_syscall_exit(9, 7), TRANSPORT_BAD_ARGUMENT);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(LIMIT_CQ_ENTRIES + 1, 0),
                TRANSPORT_BAD_ARGUMENT);
    /* An impossible head and nothing submitted: nobody waits for what cannot be counted. */
    ring_publish(&header->cq_head, head + 1);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(1, TIMEOUT_NONE), TRANSPORT_RING_CORRUPT);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(0, 0), TRANSPORT_RING_CORRUPT);
    ring_publish(&header->cq_head, head);
    ring_publish(&header->corrupt, 0);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(0, 0), 0);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .rt = rt, .ring = &rt->ring};

    if (rt_name_is(rt, "unusual-idle")) {
        rt_sleep(rt, UNUSUAL_IDLE_NS);
        return 0;
    }
    rt->ring.checks = false; /* buffers outside the arena, and on its last byte */
    bench.null = check_held(&check, "null");
    bench.message = rt_buffer_alloc(&rt->ring, LIMIT_CALL_BYTES + 8);
    bench.result = rt_buffer_alloc(&rt->ring, ROOM);
    calls_differ(&bench);
    operations_and_edges_differ(&bench);
    waits_differ(&bench);
    answers_differ(&bench);
    slots_used_up(&bench);
    system_calls_refused(&bench);
    return check_end(&check);
}
