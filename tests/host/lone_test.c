/* SPDX-License-Identifier: MIT */
/*
 * The shortest way (kernel/dispatch/lone.c) against a second thread of the program. The ring of a
 * thread that enters is alone, all its completions consumed; then the other thread puts the
 * consumed index back, as it may at any moment, and the entry is accepted all the same. What was
 * believed once must stay believed: its completion has a place.
 *
 * What follows the lookup is this file's: a call that goes the short way accepts its entry.
 */
#include "tests/host/mem_machine.h"
#include "tests/host/ring_memory.h"

#include "kernel/dispatch/lone.h"
#include "kernel/dispatch/quick_call.h"
#include "kernel/ipc/handoff.h"

enum {
    ROUNDS = 200,
};

static struct thread thread;
static struct process process;
static struct cap_id held;
static unsigned handed; /* calls that went on to their endpoint */

enum {
    LINK_DONE = 5, /* what dispatch_link ends with here; dispatch_enter, with 0 */
};

enum quick handoff_call(struct cpu *cpu, struct thread *caller, const uint8_t *entry,
                        const struct hold_edge *edge, uint32_t left, struct thread **next)
{
    (void)cpu;
    (void)entry;
    (void)edge;
    (void)next;
    assert_int_equal(left, 1);
    spinlock_unlock(&caller->process->lock);
    ring_accept(&caller->ring, caller->ring.sq_head + 1);
    handed++;
    return QUICK_DONE;
}

int64_t dispatch_enter(uint64_t min_complete, uint64_t timeout_ns, struct cpu *cpu)
{
    (void)cpu;
    assert_int_equal(min_complete, 1);
    assert_true(timeout_ns == TIMEOUT_NONE);
    return 0;
}

int64_t dispatch_link(struct cpu *cpu, struct thread *caller)
{
    (void)cpu;
    (void)caller;
    return LINK_DONE;
}

int64_t lone_duplicate(const uint8_t *entry, struct thread *caller)
{
    (void)caller;
    (void)entry;
    return -1;
}

int64_t lone_release(const uint8_t *entry, struct thread *caller)
{
    return lone_duplicate(entry, caller);
}

void cpu_run(struct cpu *cpu)
{
    (void)cpu;
    fail();
    abort();
}

void sched_switch(struct cpu *cpu, struct thread *to)
{
    (void)to;
    cpu_run(cpu);
}

static unsigned pages_used; /* of a table's slots */

static void *slots_alloc(void *context)
{
    static struct cap_slot slots[CAP_TABLE_PAGES][CAP_TABLE_PAGE_SLOTS];
    struct cap_slot *page = slots[pages_used++];

    (void)context;
    memset(page, 0, sizeof(slots[0]));
    return page;
}

static void slots_free(void *context, void *page)
{
    (void)context;
    (void)page;
}

static void process_make(void)
{
    static const struct object_type type = {.name = "endpoint"};
    static struct object endpoint = OBJECT_STATIC(&type);
    const struct hold_edge edge = {
        .object = &endpoint, .interface_id = 7, .facet = CAP_FACET_ALL, .epoch = 1};

    memset(&process, 0, sizeof(process));
    memset(&thread, 0, sizeof(thread));
    spinlock_init(&process.lock, LOCK_RANK_PROCESS, 1);
    pages_used = 0;
    cap_table_init(&process.table, 16,
                   (struct cap_table_memory){.page_alloc = slots_alloc, .page_free = slots_free});
    assert_int_equal(cap_table_insert(&process.table, &edge, NULL, &held), TRANSPORT_OK);
    thread.process = &process;
    ring_start();
    thread.ring = ring;
    handed = 0;
}

/* As if the thread had made `calls` calls and read what they ended with, and submits one more. */
static void submit_alone(uint32_t calls, struct cap_id cap)
{
    sq()[calls % LIMIT_SQ_ENTRIES] =
        (struct sqe){.opcode = OPCODE_CALL, .cap = cap, .interface_id = 7, .user_data = calls};
    thread.ring.sq_head = calls;
    thread.ring.cq_tail = calls;
    thread.ring.cq_head = calls - LIMIT_CQ_ENTRIES; /* the kernel had no reason to look */
    shared.header.sq_head = calls;
    shared.header.cq_tail = calls;
    shared.header.cq_head = calls;
    shared.header.sq_tail = calls + 1;
    assert_true(ring_is_alone(&thread.ring));
    assert_int_equal(ring_check(&thread.ring), 0);
}

/* As many completions as there are places, any of which the program then says it has not read.
 * Returns how many there were in all. */
static uint32_t an_entry_has_its_place(struct cap_id cap, struct test_random *random)
{
    uint32_t calls = LIMIT_CQ_ENTRIES + (uint32_t)test_random_u64(random);

    submit_alone(calls, cap);
    shared.header.cq_head = calls - (uint32_t)test_random_below(random, LIMIT_CQ_ENTRIES + 1);
    (void)lone_enter(&thread);
    assert_int_equal(thread.ring.sq_head, calls + 1);
    assert_int_equal(ring_check(&thread.ring), 0);
    return calls;
}

static void calls_of_endpoints(void **state)
{
    struct test_random random;

    (void)state;
    test_random_init(&random, 1);
    machine_cpus_reset();
    for (unsigned i = 1; i <= ROUNDS; i++) {
        uint32_t calls;

        process_make();
        calls = an_entry_has_its_place(held, &random);
        assert_int_equal(handed, 1);
        assert_int_equal(thread.ring.cq_tail, calls);
    }
}

/* The slot has moved on: the refusal is posted at once. */
static void refused_calls(void **state)
{
    struct test_random random;

    (void)state;
    test_random_init(&random, 2);
    machine_cpus_reset();
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct hold_edge gone;
        uint32_t calls;

        process_make();
        assert_int_equal(cap_table_remove(&process.table, held, &gone), TRANSPORT_OK);
        calls = an_entry_has_its_place(held, &random);
        assert_int_equal(handed, 0);
        assert_int_equal(thread.ring.cq_tail, calls + 1);
        assert_int_equal(cq()[calls % LIMIT_CQ_ENTRIES].result, TRANSPORT_STALE_CAP);
    }
}

/* Only a thread that was given a link answers it straight, and everything else goes as ever. */
static void answers_to_links(void **state)
{
    (void)state;
    machine_cpus_reset();
    process_make();
    submit_alone(0, held);
    sq()[0].opcode = OPCODE_RETURN_RECV;
    assert_int_equal(lone_enter(&thread), 0);
    thread.links = true;
    assert_int_equal(lone_enter(&thread), LINK_DONE);
    assert_int_equal(lone_pass(&thread), LINK_DONE);
    sq()[0].opcode = OPCODE_DUP;
    assert_int_equal(lone_enter(&thread), -1); /* lone_duplicate's */
    assert_int_equal(thread.ring.sq_head, 0);
}

/* Which methods of an edge are carried out at once. */
static void methods_at_once(void **state)
{
    const uint64_t methods = UINT64_C(1) << 63 | 2;
    volatile unsigned beyond = 64 + 1; /* what a mask can name */
    struct hold_edge edge = {.interface_id = 7, .facet = CAP_FACET_ALL};

    (void)state;
    assert_true(quick_method_is(&edge, 7, 1, methods));
    assert_true(quick_method_is(&edge, 7, 63, methods));
    assert_false(quick_method_is(&edge, 7, 0, methods));
    assert_false(quick_method_is(&edge, 7, beyond, methods));
    assert_false(quick_method_is(&edge, 8, 1, methods));
    edge.facet &= ~UINT64_C(1); /* narrower, though not by this method */
    assert_false(quick_method_is(&edge, 7, 1, methods));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_endpoints),
        cmocka_unit_test(refused_calls),
        cmocka_unit_test(methods_at_once),
        cmocka_unit_test(answers_to_links),
    };

    return cmocka_run_group_tests_name("lone", tests, NULL, NULL);
}
