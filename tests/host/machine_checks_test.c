/* SPDX-License-Identifier: MIT */
/*
 * The checks that the simulator asks of accounts, processes and CPUs: each invariant that they
 * name, broken once.
 */
#include "tests/host/host_cpu.h"

#include "kernel/ipc/operation.h"
#include "kernel/mem/frames.h"
#include "kernel/sched/process.h"
#include "kernel/sched/thread.h"

enum {
    MEMORY_BYTES = 8 * 1024 * 1024,
    FRAMES = 512,
    SLOTS = 8,
};

static struct cpu *cpu;

static int machine_make(void **state)
{
    struct ledger_amounts amounts = {
        .amount = {[LEDGER_FRAMES] = FRAMES, [LEDGER_SLOTS] = 2 * SLOTS, [LEDGER_LOG_BYTES] = 64}};

    (void)state;
    cpu = host_cpu_alone(MEMORY_BYTES);
    boot_info_init(&machine.boot_info, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_add_range(&machine.boot_info,
                                         &(struct boot_range){.start = 1024 * 1024,
                                                              .length = MEMORY_BYTES - 1024 * 1024,
                                                              .type = BOOT_RANGE_USABLE}),
                     BOOT_OK);
    frames_init(&machine.boot_info);
    accounts_init(&amounts);
    processes_init();
    return 0;
}

static const struct account_plan plan = {
    .amounts = {{[LEDGER_FRAMES] = 16, [LEDGER_SLOTS] = SLOTS, [LEDGER_LOG_BYTES] = 64}},
    .name = "checked",
    .name_bytes = 7};

static void accounts_tell_what_is_broken(void **state)
{
    struct account *account = NULL;
    struct ledger_refusal refusal;

    (void)state;
    assert_int_equal(account_create(&plan, &account, &refusal), STATUS_OK);
    assert_int_equal(account_check(account), 0);

    account->ledger.line[LEDGER_FRAMES].used = 17;
    assert_int_equal(account_check(account), 1);
    account->ledger.line[LEDGER_FRAMES].used = 0;

    assert_int_equal(account_log_charge(account, 5, 0), STATUS_OK);
    assert_int_equal(account_check(account), 0);
    account->log_bytes = 6;
    assert_int_equal(account_check(account), 3);
    account->log_bytes = 5;

    account->named = false;
    assert_int_equal(account_check(account), 0); /* it is open */
    account_close(account);
    assert_int_equal(account_check(account), 2); /* nothing is left of it, and it is there */
    account->named = true;
    assert_int_equal(account_check(account), 0);
    assert_false(account_close_step(account));
}

static void processes_tell_what_is_broken(void **state)
{
    struct process *process = NULL;
    struct list_node waiter = {.next = NULL};
    struct list_node *next;
    struct ledger_refusal refusal;

    (void)state;
    assert_int_equal(processes_check(), 0);
    assert_int_equal(process_create(&plan, 1, &process, &refusal), STATUS_OK);
    assert_int_equal(processes_check(), 0);
    assert_int_equal(process_check(process), 0);

    process->table.reserved = process->table.quota + 1;
    assert_int_equal(process_check(process), 1);
    process->table.reserved = 0;
    process->live_count = 1;
    assert_int_equal(process_check(process), 2);
    process->live_count = 0;
    list_push_back(&process->waits[PROCESS_WAIT_END].waiters, &waiter);
    assert_int_equal(process_check(process), 0);
    process->left = true;
    assert_int_equal(process_check(process), 3);
    process->left = false;
    list_remove(&waiter);
    assert_int_equal(cap_table_set_quota(&process->table, SLOTS - 1), TRANSPORT_OK);
    assert_int_equal(process_check(process), 4);
    process->account_closed = true;
    assert_int_equal(process_check(process), 0);
    process->account_closed = false;

    next = process->all_node.next;
    process->all_node.next = &process->all_node;
    assert_int_equal(processes_check(), 5);
    process->all_node.next = next;
    process->left = true;
    assert_int_equal(processes_check(), 6); /* nobody's walk stands at it */
    process->walkers = 1;
    assert_int_equal(processes_check(), 6); /* it is in the tree */
    process->left = false;
    process->walkers = 0;
    assert_int_equal(processes_check(), 0);
}

static void cpus_tell_what_is_broken(void **state)
{
    static struct thread thread;
    static struct task elsewhere;
    static struct cpu another;
    struct thread *was = cpu->current;

    (void)state;
    assert_int_equal(sched_check(cpu), 0);
    cpu->run_queue.count = 1;
    assert_int_equal(sched_check(cpu), 1);
    cpu->run_queue.count = 0;
    cpu->timers.count = 1;
    assert_int_equal(sched_check(cpu), 2);
    cpu->timers.count = 0;
    elsewhere.cpu = &another;
    run_queue_push_back(&cpu->run_queue, &elsewhere.node, 3);
    assert_int_equal(sched_check(cpu), 3);
    run_queue_remove(&cpu->run_queue, &elsewhere.node);
    thread.task.cpu = cpu;
    cpu->current = &thread;
    assert_int_equal(sched_check(cpu), 0);
    run_queue_push_back(&cpu->run_queue, &thread.task.node, 3);
    assert_int_equal(sched_check(cpu), 4);
    run_queue_remove(&cpu->run_queue, &thread.task.node);
    cpu->current = was;
}

static void threads_tell_what_is_broken(void **state)
{
    static struct thread thread;
    static struct thread server;
    static struct cpu another;
    static struct operation call;

    (void)state;
    thread.task.cpu = server.task.cpu = cpu;
    thread.share.own = &thread.time;
    server.share.own = &server.time;
    list_init(&server.received);
    thread.waiting = true;
    assert_int_equal(sched_thread_check(&thread, true), 0);

    another.current = &thread;
    cpus[1] = &another;
    assert_int_equal(sched_thread_check(&thread, false), 5);
    cpus[1] = NULL;
    run_queue_push_back(&cpu->run_queue, &thread.task.node, 3);
    assert_int_equal(sched_thread_check(&thread, false), 6); /* it waits, and is queued */
    thread.waiting = false;
    assert_int_equal(sched_thread_check(&thread, true), 0);
    thread.time = (struct sched_context){.budget_ns = 5, .period_ns = 9, .left_ns = 6};
    assert_int_equal(sched_thread_check(&thread, false), 7);
    thread.time = (struct sched_context){.budget_ns = 0};
    assert_true(sched_lend(&thread.share, &server.share));
    assert_int_equal(sched_thread_check(&thread, false), 8);
    run_queue_remove(&cpu->run_queue, &thread.task.node);
    assert_int_equal(sched_thread_check(&thread, false), 0);
    assert_int_equal(sched_thread_check(&thread, true), 6); /* in no state at all */

    thread.waiting = true;
    assert_int_equal(sched_thread_check(&thread, true), 9); /* it has no call there */
    call.owner = &thread;
    list_push_back(&server.received, &call.received_node);
    assert_int_equal(sched_thread_check(&thread, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_tell_what_is_broken),
        cmocka_unit_test(processes_tell_what_is_broken),
        cmocka_unit_test(cpus_tell_what_is_broken),
        cmocka_unit_test(threads_tell_what_is_broken),
    };

    return cmocka_run_group_tests_name("checks", tests, machine_make, NULL);
}
