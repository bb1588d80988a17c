/* SPDX-License-Identifier: MIT */
/*
 * What follows from submissions that are malformed: each gets its completion and its error, and
 * whoever goes on with them loses the rest of its turn after each.
 */
#include "tests/host/host_cpu.h"

#include "kernel/dispatch/submission.h"
#include "tests/host/ring_memory.h"

enum {
    MEMORY_BYTES = 4 * 1024 * 1024,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_goes_on_offending_loses_its_turn),
    };

    return cmocka_run_group_tests_name("submissions", tests, machine_make, NULL);
}
