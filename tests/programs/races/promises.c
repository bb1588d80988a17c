/* SPDX-License-Identifier: MIT */
/* Promised calls of a thread that ends, and their answer meanwhile. */
#include "abi/atomic.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/races/races.h"
#include "tests/programs/support/gate.h"
#include "user/lib/memory.h"

enum {
    ASKERS = 12,
    PROMISED = 24,
    LEFT = 32,      /* calls promised by who leaves */
    LEFT_SENT = 12, /* of these, what two steps of sending them come to */
    ROOM_BYTES = 512,
    NO_ADDRESS = 8, /* of nothing that any program has */
};

/* ---- askers ---------------------------------------------------------------------------------- */

static const struct capn_path first_path = {.length = 1, .index = {0}};

void askers(struct check *check)
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
                         race_spawn(check->rt, spawner, round % 2 == 0 ? "asker" : "asker-ends", 1,
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
void asker(struct check *check, bool ends)
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
void leavers(struct check *check)
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
