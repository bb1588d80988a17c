/* SPDX-License-Identifier: MIT */
/*
 * What follows from submissions that are malformed: each gets its completion and its error, and
 * whoever goes on with them loses the rest of its turn after each. And what the kernel reads of a
 * call, where the frames of an arena do not lie side by side.
 */
#include "tests/host/host_cpu.h"

#include "kernel/dispatch/call.h"
#include "kernel/dispatch/submission.h"
#include "tests/host/ring_memory.h"

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
    memcpy(process.name, "offender", sizeof("offender"));
    ring_start();
    thread.process = &process;
    thread.ring = ring;
    offence_init(&thread.offences);
    spinlock_init(&thread.ring_lock, LOCK_RANK_RING, 0);
    return 0;
}

static void who_goes_on_offending_loses_its_turn(void **state)
{
    const struct sqe wrong = {.opcode = OPCODE_NOP, .spare = 1};
    const struct sqe good = {.opcode = OPCODE_NOP};
    const struct cqe *completion = (const struct cqe *)(const void *)cq();
    FILE *console = tmpfile();
    char line[128];

    (void)state;
    assert_non_null(console);
    machine.console = fileno(console);
    for (unsigned i = 0; i < OFFENCE_FREE + 8; i++) {
        thread.ring.sq_head++;
        assert_int_equal(submission_dispatch(cpu, &thread, &wrong, false), i < OFFENCE_FREE);
        assert_int_equal(completion[i].result, TRANSPORT_BAD_FIELD);
        assert_int_equal(completion[i].refusal.argument, ARGUMENT_SPARE);
    }
    thread.ring.sq_head++;
    assert_true(submission_dispatch(cpu, &thread, &good, false));
    assert_int_equal(completion[OFFENCE_FREE + 8].result, 0);
    rewind(console); /* the first is reported, those of the same second are not */
    assert_non_null(fgets(line, sizeof(line), console));
    assert_non_null(strstr(line, "offender: thread 0: 1 invalid submissions"));
    assert_null(fgets(line, sizeof(line), console));
    assert_int_equal(fclose(console), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_read_page_by_page),
        cmocka_unit_test(who_goes_on_offending_loses_its_turn),
    };

    return cmocka_run_group_tests_name("submissions", tests, machine_make, NULL);
}
