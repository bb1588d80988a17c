/* SPDX-License-Identifier: MIT */
/*
 * What a call needs beside its own form: an operation, for what answers later; and what opcodes on
 * edges need: both rights of an owner, the right to pass on, a slot.
 */
#include "abi/ledgers.h"
#include "tests/programs/unusual/unusual.h"
#include "user/lib/process.h"
#include "user/rt/cap.h"

enum {
    BINARY_OWN = 1,
    SLOTS_MAX = 256, /* more than the quota */
};

/* ---- operations ------------------------------------------------------------------------------ */

static struct process_handle idle_spawn(struct bench *bench)
{
    struct process_spawner spawner = {.cap = check_held(bench->check, "process-spawner")};
    static const char name[] = "unusual-idle";
    struct process_request request = {
        .name = {name, sizeof(name) - 1},
        .boot_binary = BINARY_OWN,
        .quotas = {.slots = 8,
                   .frames = 128,
                   .ring_bytes = RING_BYTES,
                   .outstanding_calls = 8,
                   .threads = 1},
        .scheduling = {.cpu_mask = UINT64_MAX},
    };
    struct process_handle handle = {{0}};

    CHECK_EQUAL(bench->check, process_client_spawn(bench->rt, spawner, &request, &handle),
                TRANSPORT_OK);
    return handle;
}

static struct sqe wait_entry(const struct bench *bench, struct process_handle process)
{
    struct sqe entry = usual(bench);

    entry.cap = process.cap;
    entry.interface_id = PROCESS_HANDLE_INTERFACE_ID;
    entry.method = PROCESS_HANDLE_METHOD_WAIT;
    return entry;
}

/* What answers later needs a place for its answer that stays: ROOM bytes of the arena. */
static void later_needs_the_arena(struct bench *bench, struct process_handle process)
{
    uint8_t own[ROOM] ALIGNED(8);
    struct sqe entry = wait_entry(bench, process);

    entry.result = address_of(own);
    EXCEPTED(bench, &entry, LIMIT_EXCEEDED, ROOM, 0);
    entry = wait_entry(bench, process);
    entry.result_bytes = LIMIT_ANSWER_ROOM;
    EXCEPTED(bench, &entry, LIMIT_EXCEEDED, ROOM, LIMIT_ANSWER_ROOM);
}

/* With every operation in use, what needs one is refused, and what needs none goes on. */
static void operations_used_up(struct bench *bench, struct process_handle process)
{
    struct rt_operation operation[LIMIT_OPERATIONS];
    struct rt_answer_id kept = rt_answer_take(bench->ring);
    struct rt_answer_id open = rt_answer_take(bench->ring);
    struct sqe entry = usual(bench);
    struct sqe finish = {.opcode = OPCODE_FINISH, .answer = kept.raw};
    uint32_t word = 0;
    unsigned used = 0;
    struct cqe cqe;

    entry.answer = kept.raw;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 8);
    entry = wait_entry(bench, process);
    entry.answer = open.raw;
    operation[used++] = check_submit(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    entry = (struct sqe){
        .opcode = OPCODE_PARK, .address = address_of(&word), .timeout_ns = TIMEOUT_NONE};
    while (used < LIMIT_OPERATIONS) {
        operation[used++] = check_submit(bench->check, bench->ring, &entry);
        CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    }
    cqe = check_done(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, cqe.result, TRANSPORT_LIMIT);
    CHECK_EQUAL(bench->check, cqe.refusal.argument, ARGUMENT_NONE);
    CHECK_EQUAL(bench->check, cqe.refusal.limit, LIMIT_OPERATIONS);
    entry = wait_entry(bench, process);
    cqe = check_done(bench->check, bench->ring, &entry);
    EXCEPTION(bench, &entry, &cqe, LIMIT_EXCEEDED, LIMIT_OPERATIONS, LIMIT_OPERATIONS);
    entry = usual(bench);
    entry.flags = SQE_PROMISED;
    entry.promise = (struct promise){.answer = open.raw, .path = {.step = {1}}};
    cqe = check_done(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, cqe.result, TRANSPORT_LIMIT);
    CHECK_EQUAL(bench->check, cqe.refusal.argument, ARGUMENT_NONE);
    CHECK_EQUAL(bench->check, cqe.refusal.limit, LIMIT_OPERATIONS);
    entry.promise.answer = kept.raw; /* decided: nothing has to wait */
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                TRANSPORT_BROKEN);
    for (unsigned i = 0; i < used; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, operation[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[i]).result,
                    TRANSPORT_CANCELLED);
    }
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
    finish.answer = open.raw;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
    rt_answer_release(bench->ring, kept);
    rt_answer_release(bench->ring, open);
}

/* ---- edges ----------------------------------------------------------------------------------- */

/* RETURN_RECV asks for both rights, each by itself. */
static void half_an_owner_does_not_serve(struct bench *bench)
{
    const uint64_t halves[] = {ENDPOINT_FACET_ANSWER, ENDPOINT_FACET_RECEIVE};
    struct endpoint_owner owner = endpoint_made(bench);

    for (size_t i = 0; i < ARRAY_COUNT(halves); i++) {
        struct rt_duplicate narrow = {.cap = owner.cap, .facet = halves[i]};
        struct sqe entry = {.opcode = OPCODE_RETURN_RECV,
                            .token = 1,
                            .message = address_of(bench->message.bytes),
                            .result = address_of(bench->result.bytes),
                            .result_bytes = ROOM};

        CHECK_EQUAL(bench->check, rt_duplicate(bench->ring, &narrow, &entry.cap, NULL), 0);
        REFUSED(bench, &entry, NO_METHOD, CAP);
        CHECK_EQUAL(bench->check, rt_release(bench->ring, entry.cap), 0);
    }
    CHECK_EQUAL(bench->check, rt_release(bench->ring, owner.cap), 0);
}

/* Whoever counts its edges is told of each that comes and goes, however it does. */
static void owners_are_counted(struct bench *bench)
{
    const struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                             .facet = RT_FACET_SAME,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct sqe receive = {
        .opcode = OPCODE_RECV, .result = address_of(bench->result.bytes), .result_bytes = ROOM};
    struct sqe call = usual(bench);
    struct endpoint_owner owner = endpoint_made(bench);
    struct rt_operation operation;

    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &session, &call.cap), 0);
    CHECK_EQUAL(bench->check, rt_duplicate_same(bench->ring, owner.cap, &receive.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, owner.cap), 0);
    operation = check_submit(bench->check, bench->ring, &receive); /* its last owner is there */
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, operation), 0);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, receive.cap), 0);
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &call).result,
                TRANSPORT_PEER_GONE); /* and now it is not */
    CHECK_EQUAL(bench->check, rt_release(bench->ring, call.cap), 0);
}

/* A descriptor goes one hop, and what is no descriptor may go on with the right to. */
static void edges_passed_on(struct bench *bench, struct process_handle to)
{
    struct rt_duplicate lowest = {.cap = bench->null, .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct rt_transfer request = {.target = to.cap};

    CHECK_EQUAL(bench->check, rt_duplicate(bench->ring, &lowest, &request.cap, NULL), 0);
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_OK);
    request.flags = SQE_KEEP_GRANT;
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_NOT_GRANTABLE);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, request.cap), 0);
    request.cap = bench->null;
    request.flags = SQE_KEEP_GRANT | SQE_EXACT_SLOT;
    request.slot = LIMIT_DESCRIPTORS - 1;
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_NOT_GRANTABLE);
    request.slot = LIMIT_DESCRIPTORS; /* no descriptor: it is held, which is another matter */
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_SLOT_IN_USE);
    request.flags = SQE_KEEP_GRANT;
    request.slot = 0;
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_OK);
}

/* A full table takes no edge by any opcode, and says which quota it is; what needs no slot goes
 * on. */
void slots_used_up(struct bench *bench)
{
    static struct cap_id copy[SLOTS_MAX];
    struct sqe duplicate = {.opcode = OPCODE_DUP, .cap = bench->null, .facet = 1};
    struct sqe delegate = {.opcode = OPCODE_DELEGATE, .cap = bench->null, .facet = 1};
    struct sqe echo = usual(bench);
    uint32_t count = 0;

    while (count < SLOTS_MAX &&
           rt_duplicate_same(bench->ring, bench->null, &copy[count]) == TRANSPORT_OK) {
        count++;
    }
    CHECK(bench->check, count > 2 && count < SLOTS_MAX);
    refused_at(bench, &duplicate, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SLOTS, __LINE__);
    refused_at(bench, &delegate, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SLOTS, __LINE__);
    echo.method = NULL_OBJECT_METHOD_ECHO;
    EXCEPTED(bench, &echo, MISSING_ARGUMENT, 0, 0); /* carried out */
    duplicate.flags = SQE_WINDOW;
    refused_at(bench, &duplicate, TRANSPORT_LIMIT, ARGUMENT_NONE, __LINE__);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, copy[0]), 0);
    refused_at(bench, &delegate, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SLOTS, __LINE__);
    for (uint32_t i = 1; i < count; i++) {
        CHECK_EQUAL(bench->check, rt_release(bench->ring, copy[i]), 0);
    }
}

void operations_and_edges_differ(struct bench *bench)
{
    struct process_handle idle = idle_spawn(bench);

    later_needs_the_arena(bench, idle);
    operations_used_up(bench, idle);
    edges_passed_on(bench, idle);
    CHECK_EQUAL(bench->check, process_client_kill(bench->rt, idle, 0), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, idle.cap), TRANSPORT_OK);
    half_an_owner_does_not_serve(bench);
    owners_are_counted(bench);
}
