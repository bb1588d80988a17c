/* SPDX-License-Identifier: MIT */
/*
 * What the short ways of CALL and RETURN_RECV ask before they change anything (handoff_inside.h,
 * straight.h): each question with everything as usual, and with one thing that is not. The threads
 * and endpoints are made by hand; what the scheduler would do is this file's, and counted.
 */
#include "tests/host/support.h"

#include "kernel/ipc/handoff_inside.h"

enum {
    ARENA_PAGES = 2,
    PAGES = ARENA_PAGES + 1, /* one more, which is not the arena's */
};

static struct cpu cpu;
static struct process process;
static struct process ending;
static struct thread client;
static struct thread server;
static struct ring_header client_header;
static struct ring_header server_header;
static struct endpoint endpoint;
static struct cap_table table;
static struct cap_slot slots[CAP_TABLE_PAGE_SLOTS];
static struct operation call;
static struct operation receiver;
static struct operation free_one;
static ALIGNED(8) uint8_t page[PAGES][2 * LIMIT_PAGE_BYTES]; /* no two lie side by side */

const struct object_type endpoint_owner_type;
static const struct object_type other_type;

/* ---- the scheduler --------------------------------------------------------------------------- */

static struct sched_pair pair;
static unsigned looks;   /* at a pair */
static unsigned readied; /* threads */
static unsigned closely; /* loans looked at */
static bool lends_closely;

struct sched_pair sched_pair_look(struct cpu *at, const struct thread *from,
                                  const struct thread *to)
{
    (void)at;
    (void)from;
    (void)to;
    looks++;
    return pair;
}

void sched_lent_back(struct thread *thread)
{
    (void)thread;
}

void sched_thread_ready(struct thread *thread)
{
    (void)thread;
    readied++;
}

bool handoff_lend_closely(struct cpu *at, struct thread *thread, struct thread *to)
{
    (void)at;
    (void)thread;
    (void)to;
    closely++;
    return lends_closely;
}

/* ---- everything as usual --------------------------------------------------------------------- */

static void thread_make(struct thread *thread, struct ring_header *header)
{
    memset(thread, 0, sizeof(*thread));
    memset(header, 0, sizeof(*header));
    thread->process = &process;
    thread->task.cpu = &cpu;
    thread->deadline_ns = TIMEOUT_NONE;
    thread->wait_for = 1;
    thread->ring.header = header;
    thread->ring.cq_entries = LIMIT_CQ_ENTRIES;
    thread->plan.ring.arena_bytes = ARENA_PAGES * LIMIT_PAGE_BYTES;
    for (unsigned i = 0; i < PAGES; i++) {
        thread->arena_page[i] = page[i];
    }
    thread->operations_free = &free_one;
    thread->slots_over = 4;
}

static int setup(void **state)
{
    const struct endpoint_limits limits = {
        .message_bytes = 64, .capabilities = 2, .queue_length = 2};

    (void)state;
    memset(&cpu, 0, sizeof(cpu));
    memset(&endpoint, 0, sizeof(endpoint));
    memset(&call, 0, sizeof(call));
    memset(&receiver, 0, sizeof(receiver));
    endpoint_queues_init(&endpoint.queues, &limits);
    endpoint.receive_bytes = endpoint_receive_bytes(&limits);
    process.state = PROCESS_ALIVE;
    ending.state = PROCESS_DYING;
    thread_make(&client, &client_header);
    thread_make(&server, &server_header);
    call.result_bytes = 64;
    call.receiver = &server;
    pair = (struct sched_pair){.from_priority = 8, .to_priority = 8};
    looks = readied = closely = 0;
    lends_closely = false;
    return 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

static void test_descriptors(void **state)
{
    static const struct {
        uint32_t at;
        unsigned page;
        uint32_t within;
    } good[] = {{8, 0, 8},
                {LIMIT_PAGE_BYTES - 16, 0, LIMIT_PAGE_BYTES - 16},
                {LIMIT_PAGE_BYTES, 1, 0},
                {ARENA_PAGES * LIMIT_PAGE_BYTES - 16, 1, LIMIT_PAGE_BYTES - 16}};
    static const uint32_t bad[] = {12, LIMIT_PAGE_BYTES - 8, ARENA_PAGES * LIMIT_PAGE_BYTES - 8,
                                   ARENA_PAGES * LIMIT_PAGE_BYTES};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(good); i++) {
        struct buffers buffers = {.message = good[i].at - 8, .message_bytes = 8};

        assert_true(descriptor_at(&client, &buffers) == page[good[i].page] + good[i].within);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        struct buffers buffers = {.message = bad[i] - 8, .message_bytes = 8};

        assert_null(descriptor_at(&client, &buffers));
    }
}

/* What the descriptor of an answer may say. */
static void test_passed(void **state)
{
    const struct transfer usual = {.cap = {77}, .mode = TRANSFER_COPY, .path = {.step = {3}}};
    struct transfer transfer = usual;
    struct cap_id from;
    uint8_t step;

    (void)state;
    assert_true(descriptor_copies((const uint8_t *)&transfer, &from, &step));
    assert_int_equal(from.raw, 77);
    assert_int_equal(step, 3);
    transfer.mode = TRANSFER_MOVE;
    assert_false(descriptor_copies((const uint8_t *)&transfer, &from, &step));
    for (size_t i = offsetof(struct transfer, mode) + 1; i < sizeof(transfer); i++) {
        transfer = usual;
        ((uint8_t *)&transfer)[i] ^= 0x80;
        assert_int_equal(descriptor_copies((const uint8_t *)&transfer, &from, &step),
                         i == offsetof(struct transfer, path)); /* any first step */
    }
}

static struct sqe entry_make(enum opcode opcode)
{
    client.arena_address = 0x10000;
    return (struct sqe){.opcode = (uint8_t)opcode,
                        .message = 0x10000,
                        .message_bytes = 8,
                        .result = 0x10100,
                        .result_bytes = 512};
}

/* Where an entry's buffers are, and which answer is kept, by CALLs and RETURN_RECVs alike. */
static void test_buffers(void **state)
{
    const struct sqe usual = entry_make(OPCODE_CALL);
    const uint64_t end = client.arena_address + client.plan.ring.arena_bytes;
    const uint8_t *shared;
    struct buffers buffers;
    struct sqe entry = usual;

    (void)state;
    shared = (const uint8_t *)&entry;
    assert_true(buffers_read(&client, shared, quick_word(shared, 0), &buffers));
    assert_int_equal(buffers.message, 0);
    assert_int_equal(buffers.message_bytes, 8);
    assert_int_equal(buffers.result, 0x100);
    assert_int_equal(buffers.result_bytes, 512);
    entry.message = end - 4;
    assert_false(buffers_read(&client, shared, quick_word(shared, 0), &buffers));
    assert_false(buffers_find(&client, shared, quick_word(shared, 0), 512, &buffers));
    entry = usual;
    entry.result = end - 504;
    assert_false(buffers_read(&client, shared, quick_word(shared, 0), &buffers));
    assert_false(buffers_find(&client, shared, quick_word(shared, 0), 512, &buffers));
    entry = usual;
    entry.answer = 1;
    assert_false(buffers_read(&client, shared, quick_word(shared, 0), &buffers));
    assert_true(buffers_find(&client, shared, quick_word(shared, 0), 512, &buffers));
    entry = usual;
    ((uint8_t *)&entry)[offsetof(struct sqe, spare)] = 1;
    assert_false(buffers_read(&client, shared, quick_word(shared, 0), &buffers));
    assert_false(call_read(&client, shared, &buffers));
}

static void test_entries(void **state)
{
    struct buffers buffers;
    struct returning returning = {.endpoint = &endpoint};
    struct sqe entry = entry_make(OPCODE_CALL);

    (void)state;
    assert_true(call_read(&client, (const uint8_t *)&entry, &buffers));
    assert_int_equal(buffers.result, 0x100);
    entry.transfers = 1;
    assert_false(call_read(&client, (const uint8_t *)&entry, &buffers));
    entry = entry_make(OPCODE_RETURN_RECV);
    assert_true(return_read(&client, (const uint8_t *)&entry, &returning));
    entry.result += 4;
    assert_false(return_read(&client, (const uint8_t *)&entry, &returning));
    entry = entry_make(OPCODE_RETURN_RECV);
    entry.result_bytes = endpoint.receive_bytes - 8;
    assert_false(return_read(&client, (const uint8_t *)&entry, &returning));
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static void test_calls(void **state)
{
    static struct grant_node grant;
    uint64_t token;

    (void)state;
    assert_true(call_is_usual(&endpoint, NULL));
    endpoint.queues.call_count = 2;
    assert_false(call_is_usual(&endpoint, NULL));
    endpoint.queues.call_count = 0;
    assert_true(call_is_usual(&endpoint, &receiver.endpoint_record));
    receiver.grant = &grant; /* a call that it takes ends with that delegation too */
    assert_false(call_is_usual(&endpoint, &receiver.endpoint_record));
    receiver.grant = NULL;
    endpoint.closed = true;
    assert_false(call_is_usual(&endpoint, NULL));
    assert_false(call_is_usual(&endpoint, &receiver.endpoint_record));
    endpoint.closed = false;
    token = endpoint_fly(&endpoint.queues, &call.endpoint_record);
    assert_ptr_equal(call_find(&endpoint, &server, token, 64), &call);
    assert_null(call_find(&endpoint, &client, token, 64)); /* another thread took it */
    assert_null(call_find(&endpoint, &server, token, 72));
    assert_null(call_find(&endpoint, &server, token + (UINT64_C(1) << 32), 64));
}

/* What is unusual about a call in flight is so for every answer; that its answer is kept, for those
 * alone that ask for it. */
static void test_calls_in_flight(void **state)
{
    static struct grant_node grant;
    static struct endpoint_record watch;
    const uint64_t token = endpoint_fly(&endpoint.queues, &call.endpoint_record);
    struct endpoint_token *slot = &endpoint.queues.token[call.endpoint_record.token_slot];

    (void)state;
    assert_ptr_equal(call_taken(&endpoint, &server, token, true), &call);
    slot->watch = &watch;
    assert_null(call_taken(&endpoint, &server, token, true));
    slot->watch = NULL;
    call.grant = &grant;
    assert_null(call_taken(&endpoint, &server, token, true));
    call.grant = NULL;
    call.taken_grant = &grant;
    assert_null(call_taken(&endpoint, &server, token, true));
    call.taken_grant = NULL;
    call.posts_nothing = 1; /* a fault's */
    assert_null(call_taken(&endpoint, &server, token, true));
    call.posts_nothing = 0;
    call.answer = 5;
    assert_null(call_find(&endpoint, &server, token, 64));
    assert_null(call_taken(&endpoint, &server, token, false));
    assert_ptr_equal(call_taken(&endpoint, &server, token, true), &call);
    assert_null(call_taken(&endpoint, &client, token, true)); /* another thread took it */
    assert_null(call_taken(&endpoint, &server, token + LIMIT_TOKEN_SLOTS, true));
}

/* Which edge is an endpoint's owner's, as RETURN_RECV asks. */
static void test_owners(void **state)
{
    const struct cap_id cap = cap_id_make(3, 7);
    struct object owner = {.type = &endpoint_owner_type};
    struct object other = {.type = &other_type};
    const struct cap_slot usual = {
        .edge = {.object = &owner, .interface_id = ENDPOINT_INTERFACE_ID, .facet = CAP_FACET_ALL},
        .name = cap.raw};
    struct cap_slot *slot = &slots[3];

    (void)state;
    memset(&table, 0, sizeof(table));
    table.page[0] = slots;
    *slot = usual;
    assert_ptr_equal(owner_edge(&table, cap), &slot->edge);
    slot->edge.object = &other;
    assert_null(owner_edge(&table, cap));
    *slot = usual;
    slot->edge.interface_id++;
    assert_null(owner_edge(&table, cap));
    *slot = usual;
    slot->edge.facet &= ~UINT64_C(1);
    assert_null(owner_edge(&table, cap));
    *slot = usual;
    assert_null(owner_edge(&table, cap_id_make(3, 8)));
}

static void test_receives(void **state)
{
    (void)state;
    assert_true(receive_fits(&server, &endpoint));
    server.receives = LIMIT_CQ_ENTRIES / 2;
    assert_false(receive_fits(&server, &endpoint));
    server.receives--;
    server.slots_over = 1;
    assert_false(receive_fits(&server, &endpoint));
    server.slots_over = 2;
    server.operations_free = NULL;
    assert_false(receive_fits(&server, &endpoint));
}

/* ---- waits ----------------------------------------------------------------------------------- */

static void test_wait_begins(void **state)
{
    (void)state;
    client.ring.cq_tail = 10;
    client.ring.cq_head = 5;
    client.wait_for = 100;
    client_header.cq_head = 7;
    assert_true(wait_begin(&client));
    assert_true(client.waiting && client.wait_until == 107);
    client.waiting = false;
    client_header.cq_head = 3; /* it has taken them back */
    assert_false(wait_begin(&client));
    client_header.cq_head = 7;
    client.interrupted = true;
    assert_false(wait_begin(&client));
    client.interrupted = false;
    client.process = &ending;
    assert_false(wait_begin(&client));
    client.process = &process;
    client.wait_for = 3;
    assert_false(wait_begin(&client));
    assert_false(client.waiting);
}

static void test_wait_ends(void **state)
{
    (void)state;
    server.ring.cq_tail = 4;
    server.wait_until = 5;
    assert_false(wait_end(&cpu, &server, &client, true)); /* it does not wait */
    server.waiting = true;
    assert_false(wait_end(&cpu, &server, &client, true)); /* for one more */
    assert_true(server.waiting);
    assert_int_equal(readied, 0);
    server.ring.cq_tail = 5;
    assert_true(wait_end(&cpu, &server, &client, true));
    assert_false(server.waiting);
    assert_int_equal(readied, 0);
    server.waiting = true;
    assert_false(wait_end(&cpu, &server, NULL, true));
    assert_int_equal(readied, 1);
    server.waiting = true;
    server.exiting = true;
    assert_false(wait_end(&cpu, &server, &client, true));
    assert_int_equal(readied, 2);
}

/* ---- the switch ------------------------------------------------------------------------------ */

static void test_switch(void **state)
{
    struct cpu other = {.index = 1};

    (void)state;
    assert_true(may_switch(&cpu, &client, &server, true));
    assert_int_equal(looks, 0); /* nothing to look at */
    server.task.cpu = &other;
    assert_false(may_switch(&cpu, &client, &server, true));
    server.task.cpu = &cpu;
    server.deadline_ns = 5;
    assert_false(may_switch(&cpu, &client, &server, true));
    server.deadline_ns = TIMEOUT_NONE;
    server.process = &ending;
    assert_false(may_switch(&cpu, &client, &server, true));
    server.process = &process;
    assert_true(may_switch(&cpu, &client, &server, true));
    assert_int_equal(looks, 0);
}

/* The same where something is to be looked at. */
static void test_switch_closely(void **state)
{
    (void)state;
    server.time.budget_ns = 1000;
    assert_true(may_switch(&cpu, &client, &server, true));
    assert_int_equal(looks, 1);
    pair.payer_changes = true;
    assert_true(may_switch(&cpu, &client, &server, true)); /* what is lent pays on */
    assert_false(may_switch(&cpu, &client, &server, false));
    pair.payer_changes = false;
    assert_true(may_switch(&cpu, &client, &server, false));
    cpu.reschedule = true;
    assert_false(may_switch(&cpu, &client, &server, true));
    cpu.reschedule = false;
    server.exiting = true;
    assert_false(may_switch(&cpu, &client, &server, true));
    server.exiting = false;
    cpu.run_queue.ready_mask = UINT32_C(1) << 9; /* somebody more urgent than both */
    assert_false(may_switch(&cpu, &client, &server, true));
    cpu.run_queue.ready_mask = UINT32_C(1) << 7;
    assert_true(may_switch(&cpu, &client, &server, true));
}

static void test_loans(void **state)
{
    (void)state;
    client.share.priority = server.share.priority = 8;
    assert_true(lend(&cpu, &client, &server));
    assert_int_equal(closely, 0); /* it makes no difference */
    client.share.priority = 9;
    assert_false(lend(&cpu, &client, &server));
    client.share.priority = 8;
    client.share.lender = &server.share;
    assert_false(lend(&cpu, &client, &server));
    client.share.lender = NULL;
    server.share.lender = &client.share;
    assert_false(lend(&cpu, &client, &server));
    server.share.lender = NULL;
    server.time.budget_ns = 1000;
    assert_false(lend(&cpu, &client, &server));
    server.time.budget_ns = 0;
    cpu.payer = &client.time;
    assert_false(lend(&cpu, &client, &server));
    lends_closely = true;
    assert_true(lend(&cpu, &client, &server));
    assert_int_equal(closely, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_descriptors, setup),
        cmocka_unit_test_setup(test_passed, setup),
        cmocka_unit_test_setup(test_buffers, setup),
        cmocka_unit_test_setup(test_entries, setup),
        cmocka_unit_test_setup(test_calls, setup),
        cmocka_unit_test_setup(test_calls_in_flight, setup),
        cmocka_unit_test_setup(test_owners, setup),
        cmocka_unit_test_setup(test_receives, setup),
        cmocka_unit_test_setup(test_wait_begins, setup),
        cmocka_unit_test_setup(test_wait_ends, setup),
        cmocka_unit_test_setup(test_switch, setup),
        cmocka_unit_test_setup(test_switch_closely, setup),
        cmocka_unit_test_setup(test_loans, setup),
    };

    return cmocka_run_group_tests_name("handoff", tests, NULL, NULL);
}
