/* SPDX-License-Identifier: MIT */
/*
 * cap_enter of one thread, a stretch at a time: how many submissions one takes, and what each
 * counts as; what the system call does before it goes back to the program, or does not; how the
 * thread waits, and at which word. Other CPUs, the scheduler and the rest of a chain are this
 * file's.
 */
#include "tests/host/host_cpu.h"

#include "abi/syscall.h"
#include "kernel/dispatch/dispatch.h"
#include "kernel/dispatch/quick_park.h"
#include "kernel/dispatch/submission.h"
#include "kernel/ipc/answers.h"
#include "kernel/ipc/park.h"
#include "kernel/object/memory_object.h"
#include "schema/generated/memory.capnp.h"
#include "tests/host/ring_memory.h"
#include "tests/host/slot_pages.h"

enum {
    MEMORY_BYTES = 4 * 1024 * 1024,
};

static struct process process;
static struct thread thread;
static struct cpu *cpu;

/* Another CPU kills the process at the last moment: the thread has looked and is about to wait. */
static bool killed;

void __real_sched_thread_wait(struct thread *waiting);
void __wrap_sched_thread_wait(struct thread *waiting);

void __wrap_sched_thread_wait(struct thread *waiting)
{
    process.state = killed ? PROCESS_DYING : PROCESS_ALIVE;
    __real_sched_thread_wait(waiting);
}

/* The thread leaves the CPU from within its system call. */
static jmp_buf left;

NORETURN void __wrap_cpu_run(struct cpu *leaves);

void __wrap_cpu_run(struct cpu *leaves)
{
    assert_ptr_equal(leaves, cpu);
    longjmp(left, 1);
}

/* The word at an address of the program's own. */
static uint32_t own_word;

bool __wrap_arch_copy_from_user(void *to, vaddr_t from, size_t bytes);

bool __wrap_arch_copy_from_user(void *to, vaddr_t from, size_t bytes)
{
    (void)from;
    assert_int_equal(bytes, sizeof(own_word));
    memcpy(to, &own_word, bytes);
    return true;
}

/* An answer to a link of a chain, where the thread has one: whether it is a usual one, and how
 * often it was asked. */
static struct {
    bool usual;
    bool read; /* the program says that it has read what came */
    unsigned asked;
} relay;

bool __wrap_handoff_relay(struct cpu *at, struct thread *server, const uint8_t *entry);

bool __wrap_handoff_relay(struct cpu *at, struct thread *server, const uint8_t *entry)
{
    assert_int_equal(at->effects, 0);
    assert_ptr_equal(entry, ring_peek(&server->ring, server->ring.sq_head));
    relay.asked++;
    if (relay.usual) {
        ring_accept(&server->ring, server->ring.sq_head + 1);
        ring_posted(&server->ring, server->ring.cq_tail + 1);
        ring_publish(&shared.header.cq_head, relay.read ? server->ring.cq_tail : 0);
    }
    return relay.usual;
}

/* ---- a machine ---------------------------------------------------------------------------------
 */

static int machine_make(void **state)
{
    (void)state;
    cpu = host_cpu_alone(MEMORY_BYTES);
    machine.console = 2; /* where the report of offences goes */
    memcpy(process.name, "enters", sizeof("enters"));
    spinlock_init(&process.lock, LOCK_RANK_PROCESS, 1);
    cap_table_init(&process.table, 8, slot_memory(NULL));
    spinlock_init(&thread.ring_lock, LOCK_RANK_RING, 0);
    thread.process = &process;
    thread.task.kind = TASK_THREAD;
    thread.task.cpu = cpu;
    return 0;
}

/* An empty ring, and nobody in the queue of the CPU that the thread runs on. */
static int case_begin(void **state)
{
    (void)state;
    ring_start();
    thread.ring = ring;
    thread.entering = thread.waiting = thread.interrupted = thread.timed_out = false;
    thread.wait_for = 0;
    thread.deadline_ns = TIMEOUT_NONE;
    offence_init(&thread.offences);
    process.state = PROCESS_ALIVE;
    thread.links = 0;
    memset(&relay, 0, sizeof(relay));
    run_queue_init(&cpu->run_queue);
    cpu->current = &thread;
    cpu->reschedule = false;
    return 0;
}

/* The system call is over with `result`. */
static void over_with(int64_t result)
{
    assert_true(dispatch_continue(cpu, &thread));
    assert_true((int64_t)thread.context.result == result);
    assert_false(thread.entering);
    assert_false(thread.waiting);
}

/* An id that was never one: refused by all ways. */
static const struct cap_id never = {UINT64_C(1) << CAP_SLOT_BITS | 300};

/* ---- stretches ---------------------------------------------------------------------------------
 */

/* A full queue of the same entry: the thread gives way after so many. */
static void a_stretch_ends(void **state)
{
    const struct {
        struct sqe sqe;
        uint32_t taken;
    } rows[] = {
        /* By themselves; a CALL that is refused at once is one of the short ways. */
        {{.opcode = OPCODE_NOP}, 21},
        {{.opcode = OPCODE_CALL, .cap = never}, 21},
        /* By the bytes of the message, by each descriptor, by the bytes of the answer. */
        {{.opcode = OPCODE_RETURN, .cap = never, .message_bytes = 16 * 1024}, 2},
        {{.opcode = OPCODE_RETURN, .cap = never, .transfers = 2}, 12},
        {{.opcode = OPCODE_RECV, .cap = never, .result_bytes = 8 * 1024}, 4},
        {{.opcode = OPCODE_RECV, .cap = never, .result_bytes = UINT32_MAX}, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        (void)case_begin(NULL);
        for (unsigned n = 0; n < LIMIT_SQ_ENTRIES; n++) {
            sq()[n] = rows[i].sqe;
        }
        ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES);
        assert_false(dispatch_continue(cpu, &thread));
        assert_int_equal(thread.ring.sq_head, rows[i].taken);
        assert_true(thread.entering);
        assert_ptr_equal(run_queue_pop(&cpu->run_queue), &thread.task.node);
        while (!dispatch_continue(cpu, &thread)) { /* and goes on when it is picked again */
            assert_ptr_equal(run_queue_pop(&cpu->run_queue), &thread.task.node);
        }
        assert_int_equal(thread.ring.sq_head, LIMIT_SQ_ENTRIES);
        assert_int_equal(thread.context.result, LIMIT_SQ_ENTRIES);
        assert_false(thread.entering);
    }
}

/* Who goes on with malformed entries gives way after each. */
static void a_stretch_ends_with_an_offence(void **state)
{
    (void)state;
    for (unsigned n = 0; n < LIMIT_SQ_ENTRIES; n++) {
        sq()[n] = (struct sqe){.opcode = OPCODE_NOP, .spare = 1};
    }
    ring_publish(&shared.header.sq_tail, OFFENCE_FREE + 2);
    while (thread.ring.sq_head < OFFENCE_FREE) {
        assert_false(dispatch_continue(cpu, &thread));
        assert_ptr_equal(run_queue_pop(&cpu->run_queue), &thread.task.node);
    }
    for (unsigned n = thread.ring.sq_head; n < OFFENCE_FREE + 2; n++) {
        assert_int_equal(thread.ring.sq_head, n);
        assert_false(dispatch_continue(cpu, &thread));
        assert_ptr_equal(run_queue_pop(&cpu->run_queue), &thread.task.node);
    }
    over_with(OFFENCE_FREE + 2);
}

static void a_tick_takes_a_few(void **state)
{
    (void)state;
    for (unsigned n = 0; n < LIMIT_SQ_ENTRIES; n++) {
        sq()[n] = (struct sqe){.opcode = OPCODE_NOP};
    }
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES);
    dispatch_tick(cpu, &thread);
    assert_int_equal(thread.ring.sq_head, 8);
}

/* Keeps an answer with so many capabilities and gives it up with them: what that counts as. */
static uint32_t finish_counts(unsigned caps)
{
    static const struct object_type type;
    static struct object object;
    static struct answer answer[1];
    static struct answer_result result[LIMIT_ANSWER_CAPS];
    const struct hold_edge edge = {.object = &object, .facet = CAP_FACET_ALL};
    const struct sqe finish = {
        .opcode = OPCODE_FINISH, .flags = SQE_RELEASE, .answer = UINT32_C(1) << ANSWER_SLOT_BITS};
    struct refusal refusal;

    (void)case_begin(NULL);
    object_init(&object, &type);
    answer_table_init(
        &thread.answers,
        (struct answer_memory){.answers = answer, .results = result, .answer_count = 1});
    thread.ring.sq_head = 2;
    assert_int_equal(answers_open(&thread, finish.answer), TRANSPORT_OK);
    for (unsigned i = 0; i < caps; i++) {
        struct cap_id cap;

        object_ref(&object);
        assert_int_equal(cap_table_insert(&process.table, &edge, NULL, &cap), TRANSPORT_OK);
        answers_add(&thread, finish.answer, (struct answer_path){.step = {(uint8_t)(i + 1)}}, cap);
    }
    answers_complete(&thread, finish.answer, &(struct cqe){.result = 8});
    cpu->effects = 0;
    assert_int_equal(submission_finish(cpu, &thread, &finish, &refusal), TRANSPORT_OK);
    assert_int_equal(object.references, 1);
    return cpu->effects;
}

static void what_is_given_up_counts(void **state)
{
    (void)state;
    assert_int_equal(finish_counts(0), 0);
    assert_int_equal(finish_counts(1), 512);
    assert_int_equal(finish_counts(LIMIT_ANSWER_CAPS), LIMIT_ANSWER_CAPS * 512);
}

/* ---- the system call
 * ----------------------------------------------------------------------------- */

/* cap_enter without a time limit; LEFT: the thread left the CPU in it. */
#define LEFT INT64_MIN
static int64_t enter(uint64_t min_complete)
{
    if (setjmp(left) != 0) {
        return LEFT;
    }
    return kernel_syscall(min_complete, TIMEOUT_NONE, cpu, SYSCALL_CAP_ENTER);
}

/* So many completions lie unread. */
static void unread(uint32_t count)
{
    thread.ring.sq_head = thread.ring.cq_tail = count;
    ring_publish(&shared.header.sq_tail, count);
    ring_publish(&shared.header.cq_tail, count);
}

/* `count` entries like `sqe`, behind those accepted. */
static void submit(const struct sqe *sqe, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sq()[thread.ring.sq_head + i] = *sqe;
    }
    ring_publish(&shared.header.sq_tail, thread.ring.sq_head + count);
}

/* One that goes a short way, and one that does not. */
static const struct sqe entries[] = {
    {.opcode = OPCODE_CALL, .cap = {UINT64_C(1) << CAP_SLOT_BITS | 300}}, {.opcode = OPCODE_NOP}};

/* Who has as many completions as it waits for has its submissions carried out all the same. */
static void what_is_submitted_is_carried_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
        for (uint32_t count = 0; count < 4; count++) {
            for (uint32_t before = 0; before < 4; before++) {
                (void)case_begin(NULL);
                unread(before);
                submit(&entries[i], count);
                assert_int_equal(enter(before + count < 3 ? before + count : 3), before + count);
                assert_int_equal(thread.ring.sq_head, before + count);
            }
        }
    }
}

/* A thread whose process ends, or that something more urgent waits for, does not go back to its
 * program; what it submitted is carried out. */
static void who_has_togo_goes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
        for (uint32_t before = 0; before < 2; before++) {
            for (unsigned dies = 0; dies < 2; dies++) {
                (void)case_begin(NULL);
                unread(before);
                submit(&entries[i], 1);
                cpu->reschedule = dies == 0;
                process.state = dies == 0 ? PROCESS_ALIVE : PROCESS_DYING;
                assert_true(enter(1) == LEFT);
                assert_int_equal(thread.ring.sq_head, before + 1);
                assert_int_equal(thread.ring.cq_tail, before + 1);
                assert_int_equal(thread.entering, dies == 0);
                assert_ptr_equal(run_queue_pop(&cpu->run_queue), &thread.task.node);
            }
        }
    }
}

/* One entry of a thread that was given a link is looked at as the answer to that; if it is not, or
 * is not alone, all goes the usual ways. */
static void a_link_is_answered_by_one_entry(void **state)
{
    const struct sqe nothing = {.opcode = OPCODE_NOP};

    (void)state;
    for (uint32_t count = 0; count < 3; count++) {
        for (uint32_t before = count == 0 ? 1 : 0; before < 3; before++) {
            for (unsigned usual = 0; usual < 2; usual++) {
                (void)case_begin(NULL);
                unread(before);
                submit(&nothing, count);
                thread.links = 1;
                cpu->effects = 77;
                relay.usual = usual != 0;
                assert_int_equal(enter(1), before + count);
                assert_int_equal(thread.ring.sq_head, before + count);
                assert_int_equal(relay.asked, count == 1);
                assert_int_equal(thread.links, count == 1 && usual == 0 ? 0 : 1);
            }
        }
    }
}

static void who_answered_a_link_goes_on(void **state)
{
    const struct sqe nothing = {.opcode = OPCODE_NOP};

    (void)state;
    for (unsigned why = 0; why < 3; why++) {
        (void)case_begin(NULL);
        submit(&nothing, 1);
        thread.links = 1;
        relay.usual = true;
        relay.read = why == 2;
        cpu->reschedule = why == 0;
        process.state = why == 1 ? PROCESS_DYING : PROCESS_ALIVE;
        assert_true(enter(1) == LEFT);
        assert_int_equal(thread.waiting, why == 2);
        assert_ptr_equal(run_queue_pop(&cpu->run_queue), why == 2 ? NULL : &thread.task.node);
    }
}

/* The arguments of another system call say nothing of a ring. */
static void another_call_is_refused(void **state)
{
    (void)state;
    submit(&(struct sqe){.opcode = OPCODE_NOP}, 1);
    assert_int_equal(kernel_syscall(1, TIMEOUT_NONE, cpu, SYSCALL_EXIT), TRANSPORT_BAD_ARGUMENT);
    assert_int_equal(kernel_syscall(1, TIMEOUT_NONE, cpu, 99), TRANSPORT_NO_SYSCALL);
    assert_int_equal(kernel_syscall(1, 0, cpu, 99), TRANSPORT_NO_SYSCALL);
    assert_int_equal(thread.ring.sq_head, 0);
}

/* ---- the wait ----------------------------------------------------------------------------------
 */

static void who_waits_is_woken_by_the_last_it_waits_for(void **state)
{
    (void)state;
    thread.ring.sq_head = thread.ring.cq_tail = thread.ring.cq_head = 5;
    ring_publish(&shared.header.sq_tail, 5);
    ring_publish(&shared.header.cq_tail, 5);
    ring_publish(&shared.header.cq_head, 5);
    thread.wait_for = 3;
    thread.wait_until = 99;
    assert_false(dispatch_continue(cpu, &thread));
    assert_true(thread.waiting);
    assert_true(thread.entering);
    assert_int_equal(thread.wait_until, 8);
    assert_null(run_queue_pop(&cpu->run_queue));
}

/* Who was interrupted, or has had its time, does not wait: an interruption counts once. */
static void who_was_interrupted_does_not_wait(void **state)
{
    (void)state;
    thread.wait_for = 1;
    thread.interrupted = true;
    over_with(0);
    assert_false(thread.interrupted);
    thread.timed_out = true;
    thread.interrupted = true;
    over_with(0);
    assert_true(thread.interrupted); /* not used up */
}

/* Whoever kills looks for threads that wait before this one does: it does not. */
static void who_is_killed_does_not_wait(void **state)
{
    (void)state;
    thread.wait_for = 1;
    killed = true;
    assert_false(dispatch_continue(cpu, &thread));
    killed = false;
    assert_false(thread.waiting);
    assert_ptr_equal(run_queue_pop(&cpu->run_queue), &thread.task.node);
}

/* UNPARK and PARK by the short way: the wait is at the word that was named, and keeps its object.
 */
static void a_turn_waits_where_it_says(void **state)
{
    static struct memory_object memory;
    static struct operation operation;
    const struct hold_edge edge = {
        .object = &memory.object, .interface_id = MEMORY_OBJECT_INTERFACE_ID, .facet = UINT64_MAX};
    const paddr_t frame[3] = {0x100000, 0x101000, 0x102000}; /* root, table, page */
    struct cap_id cap;

    (void)state;
    park_init();
    object_init(&memory.object, &memory_object_type);
    memory.pages = 1;
    memory.root = frame[0];
    *(paddr_t *)arch_frame_pointer(frame[0]) = frame[1];
    *(paddr_t *)arch_frame_pointer(frame[1]) = frame[2];
    ((uint32_t *)arch_frame_pointer(frame[2]))[4] = 40;
    own_word = 30;
    assert_int_equal(cap_table_insert(&process.table, &edge, NULL, &cap), TRANSPORT_OK);
    for (unsigned i = 0; i < 4; i++) {
        bool waits = i < 2;      /* at a word of the object */
        bool wakes = i % 2 == 0; /* so */
        struct thread *next;

        (void)case_begin(NULL);
        memset(&operation, 0, sizeof(operation));
        operation.owner = &thread;
        thread.operations_free = &operation;
        thread.operations_used = 0;
        thread.wait_for = 2;
        sq()[0] = (struct sqe){
            .opcode = OPCODE_UNPARK, .user_data = 1, .address = 8 + i * 64, .value = 1};
        sq()[1] = (struct sqe){.opcode = OPCODE_PARK,
                               .user_data = 2,
                               .address = waits ? 16 : LIMIT_USER_MIN + i * 64,
                               .value = waits ? 40 : 30,
                               .timeout_ns = TIMEOUT_NONE};
        sq()[0].cap.raw = wakes ? cap.raw : 0;
        sq()[1].cap.raw = waits ? cap.raw : 0;
        ring_publish(&shared.header.sq_tail, 2);
        assert_int_equal(quick_wake_and_wait(cpu, &thread, &next), QUICK_WAIT);
        assert_int_equal(thread.ring.sq_head, 2);
        assert_int_equal(operation.kind, OPERATION_PARK);
        assert_int_equal(operation.user_data, 2);
        assert_ptr_equal(operation.park_object, waits ? &memory.object : NULL);
        assert_int_equal(operation.park.key.space,
                         waits ? (uint64_t)(uintptr_t)&memory.object : process.pid);
        assert_int_equal(operation.park.key.address, sq()[1].address);
        assert_int_equal(memory.object.references, waits ? 2 : 1);
        assert_true(operation_cancel(&operation)); /* which is what the thread waits for */
        assert_ptr_equal(run_queue_pop(&cpu->run_queue), &thread.task.node);
        assert_int_equal(memory.object.references, 1);
    }
    assert_int_equal(cap_table_remove(&process.table, cap, &(struct hold_edge){0}), TRANSPORT_OK);
}

/* An impossible index is no number of completions, not even for who waits for none. */
static void a_corrupt_ring_is_said(void **state)
{
    (void)state;
    ring_publish(&shared.header.cq_head, 1);
    over_with(TRANSPORT_RING_CORRUPT);
    thread.wait_for = 1;
    over_with(TRANSPORT_RING_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stretch_ends, case_begin),
        cmocka_unit_test_setup(a_stretch_ends_with_an_offence, case_begin),
        cmocka_unit_test_setup(what_is_given_up_counts, case_begin),
        cmocka_unit_test_setup(a_tick_takes_a_few, case_begin),
        cmocka_unit_test_setup(what_is_submitted_is_carried_out, case_begin),
        cmocka_unit_test_setup(who_has_togo_goes, case_begin),
        cmocka_unit_test_setup(a_link_is_answered_by_one_entry, case_begin),
        cmocka_unit_test_setup(who_answered_a_link_goes_on, case_begin),
        cmocka_unit_test_setup(another_call_is_refused, case_begin),
        cmocka_unit_test_setup(who_waits_is_woken_by_the_last_it_waits_for, case_begin),
        cmocka_unit_test_setup(who_was_interrupted_does_not_wait, case_begin),
        cmocka_unit_test_setup(who_is_killed_does_not_wait, case_begin),
        cmocka_unit_test_setup(a_turn_waits_where_it_says, case_begin),
        cmocka_unit_test_setup(a_corrupt_ring_is_said, case_begin),
    };

    return cmocka_run_group_tests_name("enter", tests, machine_make, NULL);
}
