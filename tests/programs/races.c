/* SPDX-License-Identifier: MIT */
/*
 * What two CPUs may do to one thing at the same moment. The process's name chooses the part:
 *
 *   takers     revokes what another process is dropping, copying, moving, passing on and spawning
 *              with; when REVOKE is over, no edge of it works anywhere
 *   taker      that process; "idle" and "quiet" are those it starts
 *   sources    two threads: one revokes while the other makes new edges of the revoked one and
 *              keeps them: all are dead afterwards
 *   pinned     two threads: one releases the last edge of an object while the other is using it
 *   loans      a caller that a third thread makes ready in the moment in which it lends its time
 *   askers     calls promised from an answer of another process: one without a message, and those
 *              of a thread that ends while they are sent
 *   asker      that thread's process
 *   leavers    a thread ends between two of its promised calls: none is sent after that
 *   crowd      many processes: a revocation walks over them while some end, and the rest is left
 *              for the end of the machine
 *   watchers   asks what a process uses in every moment of its end
 *
 * Scene "races" on one CPU, two and four; tests/host/machine_races_test.c under many schedules.
 * Needs "null", "process-spawner", "endpoint-factory", "thread-spawner", "frame-allocator".
 */
#include "abi/atomic.h"
#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/gate.h"
#include "tests/programs/support/giving.h"
#include "user/lib/memory.h"
#include "user/lib/process.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    BINARY_OWN = 1,
    TAKERS = 4,
    TURNS = 5, /* kinds of use */
    SOURCES = 20,
    KEPT = 24,
    PINNED = 24,
    LOANS = 150,
    ASKERS = 12,
    PROMISED = 24,
    WATCHED = 4,
    CROWD = 24,
    LEFT = 32,      /* calls promised by who leaves */
    LEFT_SENT = 12, /* of these, what two steps of sending them come to */
    ROOM_BYTES = 512,
    NO_ADDRESS = 8, /* of nothing that any program has */
};

static int32_t spawn(struct rt *rt, struct cap_id spawner, const char *name, uint32_t size,
                     const struct process_grant *grants, uint32_t count,
                     struct process_handle *handle)
{
    const struct process_request request = {.name = giving_text(name),
                                            .boot_binary = BINARY_OWN,
                                            .grants = grants,
                                            .grant_count = count,
                                            .quotas = {.slots = 16 * size,
                                                       .frames = 160 * size,
                                                       .ring_bytes = 90112 * size,
                                                       .endpoint_queue = 4 * size,
                                                       .outstanding_calls = 32 * size,
                                                       .scratch_bytes = 8192 * size,
                                                       .threads = size,
                                                       .log_bytes = 512 * size},
                                            .scheduling = {.cpu_mask = UINT64_MAX}};

    return process_client_spawn(rt, (struct process_spawner){spawner}, &request, handle);
}

static void thread_start(struct check *check, struct rt_thread_start *begin,
                         rt_thread_function function)
{
    struct thread_spawner threads = {check_held(check, "thread-spawner")};

    *begin = (struct rt_thread_start){.function = function};
    CHECK_EQUAL(check, thread_client_spawn(check->rt, threads, begin), TRANSPORT_OK);
}

static void wait_until(struct rt *rt, const uint64_t *word, uint64_t value)
{
    while (atomic_load_acquire_u64(word) < value) {
        rt_sleep(rt, 1000);
    }
}

/* ---- takers ---------------------------------------------------------------------------------- */

static void takers(struct check *check)
{
    struct cap_id spawner = check_held(check, "process-spawner");
    struct gate gate = gate_make(check);

    for (unsigned round = 0; round < TAKERS; round++) {
        struct rt_delegated made;
        struct process_grant grants[4];
        struct process_handle child;

        CHECK_EQUAL(
            check,
            rt_delegate(&check->rt->ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
            TRANSPORT_OK);
        grants[0] = giving_grant("null", made.cap);
        grants[1] = giving_grant("gate", gate.client);
        grants[2] = giving_grant("process-spawner", spawner);
        grants[3] = giving_grant("console", check_held(check, "console"));
        if (!CHECK_EQUAL(check, spawn(check->rt, spawner, "taker", 4, grants, 4, &child),
                         TRANSPORT_OK)) {
            return;
        }
        gate_answer(check, &gate, gate_take(check, &gate)); /* from here on both run */
        for (unsigned i = 0; i < round * 9; i++) {
            CHECK_EQUAL(check, giving_call(check->rt, made.cap, 0), TRANSPORT_OK);
        }
        CHECK(check, rt_revoke(&check->rt->ring, made.handle, NULL, NULL) >= 1);
        gate_answer(check, &gate, gate_take(check, &gate));
        giving_good_end(check, child);
        giving_release(check, made.cap);
        giving_release(check, made.handle);
    }
    gate_end(check, &gate);
}

/* One use of `subject`, whose copy goes to `heir` or a new process; how it ended. */
static int32_t taker_use(struct check *check, struct cap_id subject, struct cap_id heir,
                         unsigned turn)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_transfer pass = {.target = heir, .flags = turn % 2 == 0 ? SQE_MOVE : 0};
    struct process_handle child;
    struct process_grant given;
    int32_t status = rt_duplicate_same(ring, subject, &pass.cap);

    if (status != TRANSPORT_OK) {
        return status;
    }
    if (turn % TURNS == 1 || turn % TURNS == 2) {
        status = rt_transfer(ring, &pass, NULL);
        if (status != TRANSPORT_OK || pass.flags == 0) {
            giving_release(check, pass.cap);
        }
        return status == TRANSPORT_LIMIT ? TRANSPORT_OK : status; /* the heir is full */
    }
    if (turn % TURNS == 3) {
        status = giving_call(check->rt, pass.cap, 0);
    } else if (turn % TURNS == 4) {
        given = giving_grant("null", pass.cap);
        status =
            spawn(check->rt, check_held(check, "process-spawner"), "quiet", 1, &given, 1, &child);
        if (status == TRANSPORT_OK) {
            giving_good_end(check, child);
        } else if (status == EXCEPTION_REASON_REVOKED_CAPABILITY) {
            status = TRANSPORT_REVOKED;
        }
    }
    giving_release(check, pass.cap);
    return status;
}

static void taker(struct check *check)
{
    struct cap_id subject = check_held(check, "null");
    struct cap_id gate = check_held(check, "gate");
    int32_t status = TRANSPORT_OK;
    struct process_handle heir;
    struct process_end end;

    CHECK_EQUAL(check,
                spawn(check->rt, check_held(check, "process-spawner"), "idle", 1, NULL, 0, &heir),
                TRANSPORT_OK);
    CHECK_EQUAL(check, giving_call(check->rt, gate, NULL_OBJECT_METHOD_NOTHING), TRANSPORT_OK);
    for (unsigned turn = 0; status == TRANSPORT_OK; turn++) {
        status = taker_use(check, subject, heir.cap, turn);
    }
    CHECK_EQUAL(check, status, TRANSPORT_REVOKED);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        CHECK_EQUAL(check, taker_use(check, subject, heir.cap, turn), TRANSPORT_REVOKED);
    }
    CHECK_EQUAL(check, giving_call(check->rt, subject, 0), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, giving_call(check->rt, gate, NULL_OBJECT_METHOD_ECHO), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_kill(check->rt, heir, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_wait(check->rt, heir, &end), TRANSPORT_OK);
    giving_release(check, heir.cap);
}

/* ---- sources --------------------------------------------------------------------------------- */

/* A round: the first thread delegates and sets `cap`; the other makes edges of it and keeps them
 * until the first, having revoked, sets `dead`; then all must be dead. All atomic. */
static struct {
    uint64_t cap;
    uint64_t round;
    uint64_t dead;
    uint64_t done;
    uint64_t failed;
    struct rt_thread_start begin;
} source;

/* One new edge of `from`, and the handle that came with it (raw 0: none). */
static int32_t source_edge(struct rt *rt, struct cap_id from, unsigned turn,
                           struct rt_delegated *made)
{
    made->handle.raw = 0;
    return turn % 2 == 0 ? rt_duplicate_same(&rt->ring, from, &made->cap)
                         : rt_delegate(&rt->ring, from, RT_FACET_SAME, made, NULL);
}

static bool source_round(struct rt *rt, struct cap_id cap, uint64_t round)
{
    struct rt_delegated kept[KEPT];
    unsigned count = 0;
    bool good = true;
    int32_t status = TRANSPORT_OK;

    while (count < KEPT && status == TRANSPORT_OK) {
        /* of the source, or of an edge made of it a moment ago */
        status = source_edge(rt, count % 3 == 2 ? kept[count - 1].cap : cap, count, &kept[count]);
        count += status == TRANSPORT_OK;
    }
    good = status == TRANSPORT_OK || status == TRANSPORT_REVOKED;
    wait_until(rt, &source.dead, round);
    while (count > 0) {
        struct rt_delegated *made = &kept[--count];

        good = giving_call(rt, made->cap, 0) == TRANSPORT_REVOKED && good;
        good = rt_release(&rt->ring, made->cap) == TRANSPORT_OK && good;
        good =
            (made->handle.raw == 0 || rt_release(&rt->ring, made->handle) == TRANSPORT_OK) && good;
    }
    return good;
}

static int source_thread(struct rt *rt, void *argument)
{
    (void)argument;
    for (uint64_t round = 1; round <= SOURCES; round++) {
        wait_until(rt, &source.round, round);
        if (!source_round(rt, (struct cap_id){atomic_load_acquire_u64(&source.cap)}, round)) {
            atomic_store_release_u64(&source.failed, round);
        }
        atomic_store_release_u64(&source.done, round);
    }
    return 0;
}

static void sources(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;

    thread_start(check, &source.begin, source_thread);
    for (uint64_t round = 1; round <= SOURCES; round++) {
        struct rt_delegated made;

        CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                    TRANSPORT_OK);
        atomic_store_release_u64(&source.cap, made.cap.raw);
        atomic_store_release_u64(&source.round, round);
        for (uint64_t i = 0; i < round % 8; i++) {
            CHECK_EQUAL(check, giving_call(check->rt, made.cap, 0), TRANSPORT_OK);
        }
        CHECK(check, rt_revoke(ring, made.handle, NULL, NULL) >= 1);
        atomic_store_release_u64(&source.dead, round);
        wait_until(check->rt, &source.done, round);
        giving_release(check, made.cap);
        giving_release(check, made.handle);
    }
    CHECK_EQUAL(check, source.failed, 0);
}

/* ---- pinned ---------------------------------------------------------------------------------- */

static struct {
    uint64_t cap;
    uint64_t round;
    uint64_t begun;
    uint64_t done;
    uint64_t failed;
    struct rt_thread_start begin;
} pin;

/* Uses the object until its last edge is gone: a call on it, or a wait at its word. */
static int pin_thread(struct rt *rt, void *argument)
{
    (void)argument;
    for (uint64_t round = 1; round <= PINNED; round++) {
        struct memory_object object;
        int32_t status = TRANSPORT_OK;
        uint8_t byte;

        wait_until(rt, &pin.round, round);
        object.cap.raw = atomic_load_acquire_u64(&pin.cap);
        for (unsigned turn = 0; status == TRANSPORT_OK; turn++) {
            struct sqe park = {
                .opcode = OPCODE_PARK, .cap = object.cap, .value = 0, .timeout_ns = 1000};
            struct cqe cqe;

            if (turn % 2 == 0) {
                status = memory_client_read(rt, object, turn * 64 % LIMIT_PAGE_BYTES, &byte, 1);
            } else {
                status = rt_ring_do(&rt->ring, &park, &cqe);
                status = status == TRANSPORT_OK ? cqe.result : status;
                status = status == TRANSPORT_TIMEOUT ? TRANSPORT_OK : status;
            }
            atomic_store_release_u64(&pin.begun, round);
        }
        if (status != TRANSPORT_STALE_CAP) {
            atomic_store_release_u64(&pin.failed, round);
        }
        atomic_store_release_u64(&pin.done, round);
    }
    return 0;
}

static void pinned(struct check *check)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};

    thread_start(check, &pin.begin, pin_thread);
    for (uint64_t round = 1; round <= PINNED; round++) {
        struct memory_object object;

        CHECK_EQUAL(check, memory_client_allocate(check->rt, allocator, LIMIT_PAGE_BYTES, &object),
                    TRANSPORT_OK);
        atomic_store_release_u64(&pin.cap, object.cap.raw);
        atomic_store_release_u64(&pin.round, round);
        wait_until(check->rt, &pin.begun, round);
        for (uint64_t i = 0; i < round % 5; i++) {
            CHECK_EQUAL(check, rt_nop(&check->rt->ring), TRANSPORT_OK);
        }
        giving_release(check, object.cap);
        wait_until(check->rt, &pin.done, round);
    }
    CHECK_EQUAL(check, pin.failed, 0);
}

/* ---- loans ----------------------------------------------------------------------------------- */

static struct {
    struct cap_id owner[2];
    uint64_t servers; /* atomic: that have begun */
    uint64_t armed;   /* atomic: rounds in which the caller waits at `word` too */
    uint64_t over;    /* atomic */
    uint32_t *word;   /* in the caller's arena */
    struct rt_thread_start serve;
    struct rt_thread_start wake;
} loan;

static int loan_server(struct rt *rt, void *argument)
{
    struct cap_id owner = loan.owner[atomic_add_u64(&loan.servers, 1) - 1];
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(GATE_MESSAGE_BYTES));
    struct rt_request request;

    (void)argument;
    rt->ring.checks = false;
    request = rt_receive(&rt->ring, owner, inbox);
    while (request.status >= 0) {
        struct rt_reply reply = {
            .endpoint = owner, .token = request.head->token, .message = inbox.bytes};

        request = rt_return_receive(&rt->ring, &reply, inbox);
    }
    return 0;
}

static int loan_waker(struct rt *rt, void *argument)
{
    uint64_t round = 1;

    (void)argument;
    while (atomic_load_acquire_u64(&loan.over) == 0) {
        if (atomic_load_acquire_u64(&loan.armed) < round) {
            rt_sleep(rt, 500);
        } else if (rt_unpark(&rt->ring, loan.word, 1) != 0) {
            round++;
        }
    }
    return 0;
}

/* Two servers, so that one is on the caller's CPU, and the waker wherever it is placed. */
static void loans(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct gate gate[2] = {gate_make(check), gate_make(check)};
    struct rt_buffer buffer = rt_buffer_alloc(ring, GATE_MESSAGE_BYTES);
    struct rt_buffer word = rt_buffer_alloc(ring, sizeof(*loan.word));
    struct rt_thread_start second;

    ring->checks = false;
    loan.word = (uint32_t *)(void *)word.bytes;
    *loan.word = 0;
    loan.owner[0] = gate[0].owner.cap;
    loan.owner[1] = gate[1].owner.cap;
    thread_start(check, &loan.serve, loan_server);
    thread_start(check, &second, loan_server);
    wait_until(check->rt, &loan.servers, 2);
    thread_start(check, &loan.wake, loan_waker);
    for (uint64_t round = 1; round <= LOANS; round++) {
        const struct sqe park = {
            .opcode = OPCODE_PARK, .address = (uintptr_t)loan.word, .timeout_ns = TIMEOUT_NONE};
        struct rt_operation waits = check_submit(check, ring, &park);
        struct rt_call entry = {.cap = gate[round % 2].client,
                                .interface_id = NULL_OBJECT_INTERFACE_ID,
                                .message = buffer.bytes,
                                .result = buffer.bytes,
                                .result_bytes = buffer.size};

        CHECK_EQUAL(check, rt_ring_enter(ring, 0, 0), TRANSPORT_OK);
        atomic_store_release_u64(&loan.armed, round);
        CHECK_EQUAL(check, rt_call(ring, &entry).status, TRANSPORT_OK);
        CHECK_EQUAL(check, check_completion(check, ring, waits).result, TRANSPORT_OK);
    }
    atomic_store_release_u64(&loan.over, 1);
    ring->checks = true;
    rt_buffer_free(ring, buffer);
    rt_buffer_free(ring, word);
    gate_end(check, &gate[0]);
    gate_end(check, &gate[1]);
}

/* ---- askers ---------------------------------------------------------------------------------- */

static const struct capn_path first_path = {.length = 1, .index = {0}};

static void askers(struct check *check)
{
    struct cap_id spawner = check_held(check, "process-spawner");
    struct gate gate = gate_make(check);
    struct transfer *given = (struct transfer *)(void *)(gate.reply.bytes + 8);

    for (unsigned round = 0; round < ASKERS; round++) {
        struct process_grant grants[2] = {giving_grant("gate", gate.client),
                                          giving_grant("console", check_held(check, "console"))};
        struct rt_reply reply = {.endpoint = gate.owner.cap,
                                 .message = gate.reply.bytes,
                                 .message_bytes = 8,
                                 .transfers = 1};
        struct process_handle child;
        struct process_end end;
        uint64_t sync;
        int32_t status;

        if (!CHECK_EQUAL(check,
                         spawn(check->rt, spawner, round % 2 == 0 ? "asker" : "asker-ends", 1,
                               grants, 2, &child),
                         TRANSPORT_OK)) {
            return;
        }
        reply.token = gate_take(check, &gate);
        sync = gate_take(check, &gate);
        *(uint64_t *)(void *)gate.reply.bytes = 0;
        /* What the promised calls of one that ends go to is this endpoint, where they would be
         * found. */
        *given = (struct transfer){.cap = round % 2 == 0 ? check_held(check, "null") : gate.client,
                                   .mode = TRANSFER_COPY,
                                   .path = RT_PATH(first_path)};
        if (round % 4 == 3) {
            status = rt_return(&check->rt->ring, &reply);
            gate_answer(check, &gate, sync);
        } else {
            gate_answer(check, &gate, sync); /* from here on both run */
            for (unsigned i = 0; i < round / 4; i++) {
                CHECK_EQUAL(check, rt_nop(&check->rt->ring), TRANSPORT_OK);
            }
            status = rt_return(&check->rt->ring, &reply);
        }
        CHECK(check, status == TRANSPORT_OK || (round % 2 != 0 && (status == TRANSPORT_CANCELLED ||
                                                                   status == TRANSPORT_BAD_TOKEN)));
        CHECK_EQUAL(check, process_client_wait(check->rt, child, &end), TRANSPORT_OK);
        CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
        CHECK_EQUAL(check, end.code, 0);
        giving_release(check, child.cap);
    }
    gate_end(check, &gate);
}

/* Asks, and calls what the answer will bring before it has come: without a message, named at an
 * address where nothing is. `ends`: the thread does not wait for any of it. */
static void asker(struct check *check, bool ends)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_buffer buffer = rt_buffer_alloc(ring, 2 * ROOM_BYTES);
    struct rt_answer_id id = rt_answer_take(ring);
    struct rt_operation asked;
    struct rt_operation promised[PROMISED];
    struct sqe entry = rt_call_entry(&(struct rt_call){.cap = check_held(check, "gate"),
                                                       .interface_id = NULL_OBJECT_INTERFACE_ID,
                                                       .message = buffer.bytes,
                                                       .message_bytes = 8,
                                                       .result = buffer.bytes,
                                                       .result_bytes = ROOM_BYTES,
                                                       .answer = id});

    ring->checks = false;
    asked = check_submit(check, ring, &entry);
    entry = rt_call_entry(&(struct rt_call){.interface_id = NULL_OBJECT_INTERFACE_ID,
                                            .result = buffer.bytes + ROOM_BYTES,
                                            .result_bytes = ROOM_BYTES});
    entry.flags = SQE_PROMISED;
    entry.message = NO_ADDRESS;
    entry.promise = rt_promised(id, RT_PATH(first_path));
    for (unsigned i = 0; i < PROMISED; i++) {
        promised[i] = check_submit(check, ring, &entry);
    }
    CHECK_EQUAL(check, rt_ring_enter(ring, 0, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, giving_call(check->rt, check_held(check, "gate"), NULL_OBJECT_METHOD_ECHO),
                TRANSPORT_OK);
    if (ends) {
        rt_thread_exit(0);
    }
    for (unsigned i = 0; i < PROMISED; i++) {
        int32_t result = check_completion(check, ring, promised[i]).result;

        CHECK(check, result >= 0);
    }
    CHECK(check, check_completion(check, ring, asked).result >= 0);
    CHECK_EQUAL(check, rt_finish(ring, id), TRANSPORT_OK);
}

/* ---- leavers --------------------------------------------------------------------------------- */

static struct {
    struct client ask;
    struct client write[LEFT]; /* byte i of the object */
    struct cap_id gate;
    uint64_t promised; /* all are */
    struct rt_thread_start begin;
} leave;

static int leave_thread(struct rt *rt, void *argument)
{
    static const uint8_t mark = 1;

    (void)argument;
    rt->ring.checks = false;
    client_open(&leave.ask, rt, leave.gate, CLIENT_ROOM_SMALL);
    if (!client_keep(&leave.ask)) {
        return 1;
    }
    (void)null_object_nothing_request(&leave.ask.call);
    (void)client_submit(&leave.ask);
    for (unsigned i = 0; i < LEFT; i++) {
        struct memory_object_write_params_builder params;

        client_open_promised(&leave.write[i], &leave.ask, first_path, CLIENT_ROOM_SMALL);
        params = memory_object_write_request(&leave.write[i].call);
        memory_object_write_params_set_offset(params, i);
        memory_object_write_params_set_bytes(params, (struct capn_data){&mark, 1});
        (void)client_submit(&leave.write[i]);
    }
    (void)!rt_ring_enter(&rt->ring, 0, 0);
    atomic_store_release_u64(&leave.promised, 1);
    (void)!rt_ring_enter(&rt->ring, 1, TIMEOUT_NONE);
    rt_thread_exit(0);
}

/* The job that sends promised calls is at home on their thread's CPU, so between two of its steps
 * the thread ends: what it has not sent by then, it does not send. */
static void leavers(struct check *check)
{
    struct frame_allocator frames = {check_held(check, "frame-allocator")};
    struct thread_spawner threads = {check_held(check, "thread-spawner")};
    struct gate gate = gate_make(check);
    struct transfer *given = (struct transfer *)(void *)(gate.reply.bytes + 8);
    struct memory_object object = {.cap = {.raw = 0}};
    struct thread_make make = {.begin = &leave.begin};
    struct thread_handle handle;
    struct thread_end end;
    uint8_t bytes[LEFT];
    uint64_t sent = 0;
    uint64_t token;

    CHECK_EQUAL(check, memory_client_allocate(check->rt, frames, LIMIT_PAGE_BYTES, &object),
                TRANSPORT_OK);
    leave.begin.function = leave_thread;
    leave.gate = gate.client;
    CHECK_EQUAL(check, thread_client_make(check->rt, threads, &make, &handle), TRANSPORT_OK);
    token = gate_take(check, &gate);
    wait_until(check->rt, &leave.promised, 1);
    *(uint64_t *)(void *)gate.reply.bytes = 0;
    *given =
        (struct transfer){.cap = object.cap, .mode = TRANSFER_COPY, .path = RT_PATH(first_path)};
    CHECK_EQUAL(check,
                rt_return(&check->rt->ring, &(struct rt_reply){.endpoint = gate.owner.cap,
                                                               .token = token,
                                                               .message = gate.reply.bytes,
                                                               .message_bytes = 8,
                                                               .transfers = 1}),
                TRANSPORT_OK);
    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.code, 0);
    CHECK_EQUAL(check, memory_client_read(check->rt, object, 0, bytes, LEFT), TRANSPORT_OK);
    for (unsigned i = 0; i < LEFT; i++) {
        sent += bytes[i];
        CHECK(check, bytes[i] <= (i == 0 ? 1 : bytes[i - 1])); /* in order */
    }
    /* One step's, or a second one's if a tick comes between the first completion and the end. */
    CHECK(check, sent != 0 && sent <= LEFT_SENT);
    giving_release(check, object.cap);
    giving_release(check, handle.cap);
    gate_end(check, &gate);
}

/* ---- crowd ----------------------------------------------------------------------------------- */

/* Each of them holds one edge of what is lent. Every second one ends while it is taken back, so the
 * walk meets some that are gone when it goes on. */
static void crowd(struct check *check)
{
    struct cap_id spawner = check_held(check, "process-spawner");
    struct rt_ring *ring = &check->rt->ring;
    struct process_handle child[CROWD];
    struct client wait[CROWD];
    struct rt_delegated lent;
    struct process_grant grant;
    struct process_end end;
    int32_t edges;

    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &lent, NULL),
                TRANSPORT_OK);
    grant = giving_grant("null", lent.cap);
    for (unsigned i = 0; i < CROWD; i++) {
        if (!CHECK_EQUAL(check, spawn(check->rt, spawner, "idle", 1, &grant, 1, &child[i]),
                         TRANSPORT_OK)) {
            return;
        }
    }
    for (unsigned i = 0; i < CROWD; i += 2) {
        client_open(&wait[i], check->rt, child[i].cap, CLIENT_ROOM_SMALL);
        (void)process_handle_kill_request(&wait[i].call);
        CHECK_EQUAL(check, client_submit(&wait[i]), TRANSPORT_OK);
    }
    edges = rt_revoke(ring, lent.handle, NULL, NULL);
    CHECK(check, edges > CROWD / 2 && edges <= CROWD + 1); /* the parent's too */
    for (unsigned i = 0; i < CROWD; i++) {
        if (i % 2 == 0) {
            CHECK_EQUAL(check, client_finish(&wait[i]), TRANSPORT_OK);
            (void)client_close(&wait[i]);
            CHECK_EQUAL(check, process_client_wait(check->rt, child[i], &end), TRANSPORT_OK);
            CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_KILLED);
        }
        giving_release(check, child[i].cap);
    }
    giving_release(check, lent.cap);
    giving_release(check, lent.handle);
}

/* ---- watchers -------------------------------------------------------------------------------- */

/* What a process has goes back while somebody counts it: each answer is of one moment, and the last
 * one is that it has nothing. */
static void watchers(struct check *check)
{
    struct cap_id spawner = check_held(check, "process-spawner");

    for (unsigned round = 0; round < WATCHED; round++) {
        struct process_handle child;
        struct process_info info = {.frames = 1};
        struct process_end end;
        int32_t outcome;

        if (!CHECK_EQUAL(check, spawn(check->rt, spawner, "quiet", 1, NULL, 0, &child),
                         TRANSPORT_OK)) {
            return;
        }
        outcome = TRANSPORT_OK;
        for (unsigned i = 1; outcome == TRANSPORT_OK && (info.threads | info.frames) != 0; i++) {
            outcome = process_client_info(check->rt, child, &info);
            CHECK(check, info.frames <= 160);
            if (i % 16 == 0) {
                rt_sleep(check->rt, 1000); /* it may be at home on this CPU, and less urgent */
            }
        }
        CHECK_EQUAL(check, outcome, TRANSPORT_OK);
        CHECK_EQUAL(check, process_client_wait(check->rt, child, &end), TRANSPORT_OK);
        CHECK_EQUAL(check, end.code, 0);
        giving_release(check, child.cap);
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    while (rt_name_is(rt, "idle")) {
        rt_sleep(rt, UINT64_C(1000000000));
    }
    if (rt_name_is(rt, "quiet")) {
        return 0;
    }
    if (rt_name_is(rt, "taker")) {
        taker(&check);
        return (int)check.failed;
    }
    if (rt_name_is(rt, "asker") || rt_name_is(rt, "asker-ends")) {
        asker(&check, rt_name_is(rt, "asker-ends"));
        return (int)check.failed;
    }
    if (rt_name_is(rt, "takers")) {
        takers(&check);
    } else if (rt_name_is(rt, "sources")) {
        sources(&check);
    } else if (rt_name_is(rt, "pinned")) {
        pinned(&check);
    } else if (rt_name_is(rt, "loans")) {
        loans(&check);
    } else if (rt_name_is(rt, "leavers")) {
        leavers(&check);
    } else if (rt_name_is(rt, "crowd")) {
        crowd(&check);
    } else if (rt_name_is(rt, "watchers")) {
        watchers(&check);
    } else {
        askers(&check);
    }
    return check_end(&check);
}
