/* SPDX-License-Identifier: MIT */
/*
 * TRANSFER between two tables, and within one: what arrives, what is refused and named, and that a
 * quota which was given back to the receiver counts.
 */
#include "tests/host/host_cpu.h"

#include "abi/ledgers.h"
#include "kernel/dispatch/submission.h"
#include "schema/generated/process.capnp.h"
#include "tests/host/ring_memory.h"
#include "tests/host/slot_pages.h"

enum {
    MEMORY_BYTES = 4 * 1024 * 1024,
    SLOTS = 4,       /* of each table */
    SLOTS_BACK = 2,  /* that the machine has to spare */
    PID_OTHER = 900, /* after that of the sender */
};

static struct process process;
static struct process other;
static struct thread thread;
static struct cpu *cpu;
static const struct object_type type;
static struct object object;
static struct cap_id cap;       /* of `object`, in the sender's table */
static struct cap_id handle[2]; /* of `process` and of `other`, there */
static struct process *const to[2] = {&process, &other};

static struct cap_id insert(struct process *into, struct object *of, uint64_t interface_id)
{
    const struct hold_edge edge = {.object = of,
                                   .facet = CAP_FACET_ALL,
                                   .interface_id = interface_id,
                                   .mode = EDGE_MODE_COPY,
                                   .grantable = 1};
    struct cap_id id;

    object_ref(of);
    assert_int_equal(cap_table_insert(&into->table, &edge, NULL, &id), TRANSPORT_OK);
    return id;
}

/* One process that holds an edge, and handles of both. */
static int case_begin(void **state)
{
    (void)state;
    ring_start();
    thread.ring = ring;
    thread.ring.sq_head = 8; /* so many may complete */
    for (unsigned i = 0; i < 2; i++) {
        struct hold_edge edge;
        uint32_t cursor = 0;

        while (cap_table_remove_next(&to[i]->table, &cursor, &edge)) {
        }
        cap_table_free(&to[i]->table); /* of the case before */
        object_init(&to[i]->object, &process_type);
        to[i]->state = PROCESS_ALIVE;
        cap_table_init(&to[i]->table, SLOTS, slot_memory(NULL));
    }
    object_init(&object, &type);
    cap = insert(&process, &object, 7);
    for (unsigned i = 0; i < 2; i++) {
        handle[i] = insert(&process, &to[i]->object, PROCESS_HANDLE_INTERFACE_ID);
    }
    return 0;
}

static int machine_make(void **state)
{
    struct ledger_amounts amounts = {.amount = {0}};

    (void)state;
    cpu = host_cpu_alone(MEMORY_BYTES);
    amounts.amount[LEDGER_SLOTS] = SLOTS + SLOTS_BACK;
    accounts_init(&amounts);
    assert_int_equal(account_charge(account_root(), LEDGER_SLOTS, SLOTS), STATUS_OK);
    process.pid = PID_OTHER - 1;
    other.pid = PID_OTHER;
    other.account = account_root();
    spinlock_init(&process.lock, LOCK_RANK_PROCESS, process.pid);
    spinlock_init(&other.lock, LOCK_RANK_PROCESS, other.pid);
    spinlock_init(&thread.ring_lock, LOCK_RANK_RING, 0);
    thread.process = &process;
    return 0;
}

static void transfer(struct sqe sqe, enum transport_error error, struct refusal expected)
{
    struct refusal refusal = {.reason = 0};

    sqe.opcode = OPCODE_TRANSFER;
    assert_int_equal(submission_transfer(cpu, &thread, &sqe, &refusal), error);
    assert_int_equal(refusal.argument, expected.argument);
    assert_int_equal(refusal.amount, expected.amount);
    assert_int_equal(refusal.limit, expected.limit);
    assert_int_equal(process.object.references, 2); /* its handle and its own */
    assert_int_equal(other.object.references, 2);
}

static const struct refusal none;

/* Fills the table but for what it holds. */
static void fill(struct process *full)
{
    while (full->table.used < full->table.quota) {
        (void)insert(full, &object, 7);
    }
}

static void what_is_moved_is_no_longer_here(void **state)
{
    const struct hold_edge *edge;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        (void)case_begin(NULL);
        transfer((struct sqe){.cap = cap, .target = handle[i], .flags = SQE_MOVE}, TRANSPORT_OK,
                 none);
        assert_int_equal(cap_table_lookup(&process.table, cap, &edge), TRANSPORT_STALE_CAP);
        assert_int_equal(object.references, 2);
        assert_int_equal(process.table.used, i == 0 ? 3 : 2);
        assert_int_equal(other.table.used, i);
    }
}

static void what_is_copied_is_here_and_there(void **state)
{
    const struct hold_edge *edge;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        (void)case_begin(NULL);
        transfer((struct sqe){.cap = cap, .target = handle[i]}, TRANSPORT_OK, none);
        assert_int_equal(cap_table_lookup(&process.table, cap, &edge), TRANSPORT_OK);
        assert_int_equal(object.references, 3);
        assert_int_equal(process.table.used, i == 0 ? 4 : 3);
        assert_int_equal(other.table.used, i);
    }
}

static void a_refusal_names_its_argument(void **state)
{
    const struct cap_id never = {UINT64_C(1) << CAP_SLOT_BITS | 300};

    (void)state;
    for (unsigned moves = 0; moves < 2; moves++) {
        struct sqe sqe = {.flags = moves != 0 ? SQE_MOVE : 0};

        (void)case_begin(NULL);
        sqe.cap = never;
        sqe.target = handle[1];
        transfer(sqe, TRANSPORT_BAD_CAP,
                 (struct refusal){.argument = ARGUMENT_CAP, .amount = never.raw});
        sqe.cap = cap;
        sqe.target = never;
        transfer(sqe, TRANSPORT_BAD_CAP,
                 (struct refusal){.argument = ARGUMENT_TARGET, .amount = never.raw});
        sqe.target = cap;
        transfer(sqe, TRANSPORT_WRONG_INTERFACE,
                 (struct refusal){.argument = ARGUMENT_TARGET, .amount = cap.raw});
        sqe.target = handle[1];
        sqe.flags |= SQE_EXACT_SLOT;
        sqe.slot = LIMIT_TABLE_SLOTS - 1;
        transfer(sqe, TRANSPORT_SLOT_IN_USE,
                 (struct refusal){.argument = ARGUMENT_SLOT, .amount = LIMIT_TABLE_SLOTS - 1});
        sqe.flags &= (uint8_t)~SQE_EXACT_SLOT;
        other.state = PROCESS_DYING;
        transfer(sqe, TRANSPORT_PEER_GONE,
                 (struct refusal){.argument = ARGUMENT_TARGET, .amount = PID_OTHER});
        assert_int_equal(object.references, 2);
        assert_int_equal(process.table.used, 3);
        assert_int_equal(other.table.used, 0);
    }
}

/* A full table asks its account, to which children may have given back; then that is used up. */
static void what_was_given_back_counts(void **state)
{
    (void)state;
    for (unsigned moves = 0; moves < 2; moves++) {
        struct sqe sqe = {.flags = moves != 0 ? SQE_MOVE : 0};

        (void)case_begin(NULL);
        sqe.cap = cap;
        sqe.target = handle[1];
        fill(&other);
        transfer(sqe, TRANSPORT_OK, none);
        assert_int_equal(other.table.quota, SLOTS + SLOTS_BACK);
        fill(&other);
        sqe.cap = insert(&process, &object, 7);
        transfer(sqe, TRANSPORT_LIMIT,
                 (struct refusal){.argument = ARGUMENT_LEDGER + LEDGER_SLOTS,
                                  .amount = 1,
                                  .limit = SLOTS + SLOTS_BACK});
        account_release(other.account, LEDGER_SLOTS, SLOTS_BACK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_moved_is_no_longer_here),
        cmocka_unit_test(what_is_copied_is_here_and_there),
        cmocka_unit_test(a_refusal_names_its_argument),
        cmocka_unit_test(what_was_given_back_counts),
    };

    return cmocka_run_group_tests_name("tables", tests, machine_make, NULL);
}
