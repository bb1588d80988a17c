/* SPDX-License-Identifier: MIT */
/*
 * Canaries: after each opcode's completion, every byte of the caller's memory that the completion
 * does not speak of is as it was. The whole free arena is filled with a pattern, an operation is
 * done with a buffer in its midst (or none), and the pattern is looked at again. An opcode that is
 * not in the table below fails the program.
 */
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"

enum {
    CANARY = 0xc5,
    GUARD_BYTES = 40 * 1024,
    MESSAGE_AT = 1024, /* in the guard: messages go out from here */
    RESULT_AT = 16384, /* and results come in here */
    ROOM = 8192,
    MESSAGE_WORDS = 3,
    ENDPOINT_BYTES = 4096,
};

struct scene {
    struct check *check;
    struct rt_ring *ring;
    struct rt_buffer guard; /* of the arena */
    struct endpoint_owner owner;
    struct cap_id client; /* of it */
    uint64_t seen;        /* bit n: opcode n was tried */
};

static uint8_t outside[GUARD_BYTES]; /* a buffer that no arena knows */
static uint32_t word;
static uint64_t second; /* data word of the messages */

/* Fills with the pattern, but for a message of `words`: a struct of two data words. */
static void lay(uint8_t *bytes, uint64_t data)
{
    const uint64_t message[MESSAGE_WORDS] = {UINT64_C(2) << 32, data, second};

    memset(bytes, CANARY, GUARD_BYTES);
    memcpy(bytes + MESSAGE_AT, message, sizeof(message));
}

/* Whether all is as it was laid, but for `stated` bytes at RESULT_AT. */
static bool intact(const uint8_t *bytes, uint32_t stated)
{
    for (uint32_t i = 0; i < GUARD_BYTES; i++) {
        bool message =
            i >= MESSAGE_AT && i < MESSAGE_AT + MESSAGE_WORDS * (uint32_t)sizeof(uint64_t);
        bool result = i >= RESULT_AT && i < RESULT_AT + stated;

        if (!message && !result && bytes[i] != CANARY) {
            return false;
        }
    }
    return true;
}

/* Bytes that a completion of a CALL speaks of. */
static uint32_t stated_by_call(const struct cqe *completion)
{
    uint32_t caps = completion->flags >> CQE_CAPS_SHIFT;

    return completion->result < 0 ? 0
                                  : (((uint32_t)completion->result + 7) & ~7u) +
                                        caps * (uint32_t)sizeof(struct received_cap);
}

static struct cqe finish(struct scene *scene, const struct sqe *entry,
                         struct rt_operation operation)
{
    struct cqe completion = {.result = TRANSPORT_BAD_OPCODE};

    CHECK_EQUAL(scene->check, rt_ring_wait(scene->ring, operation, TIMEOUT_NONE, &completion),
                TRANSPORT_OK);
    scene->seen |= UINT64_C(1) << entry->opcode;
    return completion;
}

static struct rt_operation submit(struct scene *scene, const struct sqe *entry)
{
    struct rt_operation operation = {0};

    CHECK_EQUAL(scene->check, rt_ring_submit(scene->ring, entry, &operation), TRANSPORT_OK);
    CHECK_EQUAL(scene->check, rt_ring_enter(scene->ring, 0, 0), TRANSPORT_OK);
    return operation;
}

/* An operation that writes nothing but its completion. */
static struct cqe silent(struct scene *scene, struct sqe entry, int32_t expected)
{
    struct cqe completion;

    lay(scene->guard.bytes, 0);
    completion = finish(scene, &entry, submit(scene, &entry));
    CHECK_EQUAL(scene->check, completion.result, expected);
    CHECK(scene->check, intact(scene->guard.bytes, 0));
    return completion;
}

/* A CALL on a kernel object with its buffers in `bytes`. Returns the answer's first capability. */
static struct cap_id call(struct scene *scene, uint8_t *bytes, struct sqe entry, uint64_t data)
{
    struct received_cap record = {.cap = {.raw = 0}};
    struct cqe completion;

    entry.opcode = OPCODE_CALL;
    entry.message = (uint64_t)(uintptr_t)(bytes + MESSAGE_AT);
    entry.message_bytes = MESSAGE_WORDS * sizeof(uint64_t);
    entry.result = (uint64_t)(uintptr_t)(bytes + RESULT_AT);
    lay(bytes, data);
    completion = finish(scene, &entry, submit(scene, &entry));
    CHECK(scene->check, intact(bytes, stated_by_call(&completion)));
    CHECK(scene->check, stated_by_call(&completion) <= entry.result_bytes);
    if (completion.flags >> CQE_CAPS_SHIFT != 0) {
        memcpy(&record, bytes + RESULT_AT + ((completion.result + 7) & ~7), sizeof(record));
    }
    return record.cap;
}

/* Answers at once, with a capability, with a long one, later, refused, and with too little room; in
 * the arena and outside of it. */
static uint64_t reserve_one(struct scene *scene)
{
    struct virtual_memory memory = {.cap = check_held(scene->check, "virtual-memory")};
    struct memory_range range = {.bytes = LIMIT_PAGE_BYTES};
    bool checks = scene->ring->checks;

    rt_buffer_free(scene->ring, scene->guard); /* the client's buffers come from the arena too */
    CHECK_EQUAL(scene->check, memory_client_reserve(scene->check->rt, memory, &range),
                TRANSPORT_OK);
    scene->guard = rt_buffer_alloc(scene->ring, GUARD_BYTES);
    scene->ring->checks = checks;
    return range.address;
}

static void kernel_calls(struct scene *scene, uint8_t *bytes)
{
    uint64_t data;
    struct sqe allocate = {.cap = check_held(scene->check, "frame-allocator"),
                           .interface_id = FRAME_ALLOCATOR_INTERFACE_ID,
                           .method = FRAME_ALLOCATOR_METHOD_ALLOCATE,
                           .result_bytes = ROOM};
    struct sqe read = {.interface_id = MEMORY_OBJECT_INTERFACE_ID,
                       .method = MEMORY_OBJECT_METHOD_READ,
                       .result_bytes = ROOM};
    struct sqe nothing = {.cap = check_held(scene->check, "null"),
                          .interface_id = NULL_OBJECT_INTERFACE_ID,
                          .result_bytes = ROOM};
    struct sqe unmap = {.cap = check_held(scene->check, "virtual-memory"),
                        .interface_id = VIRTUAL_MEMORY_INTERFACE_ID,
                        .method = VIRTUAL_MEMORY_METHOD_UNMAP,
                        .result_bytes = ROOM};

    read.cap = call(scene, bytes, allocate, LIMIT_PAGE_BYTES);
    CHECK(scene->check, read.cap.raw != 0);
    (void)call(scene, bytes, read, 0); /* refused: no length asked */
    (void)call(scene, bytes, allocate, 1);
    (void)call(scene, bytes, nothing, 0);
    (void)call(scene, bytes, unmap, 0); /* refused: no length */
    if (bytes != outside) {             /* an answer that comes later wants the arena */
        data = reserve_one(scene);
        CHECK(scene->check, data != 0 && bytes == scene->guard.bytes);
        second = LIMIT_PAGE_BYTES;
        (void)call(scene, bytes, unmap, data);
        second = 0;
    }
    nothing.method = NULL_OBJECT_METHOD_COUNT;
    (void)call(scene, bytes, nothing, 0);
    allocate.result_bytes = LIMIT_ANSWER_ROOM - 8;
    (void)call(scene, bytes, allocate, LIMIT_PAGE_BYTES);
    CHECK_EQUAL(scene->check, rt_release(scene->ring, read.cap), TRANSPORT_OK);
}

static void simple(struct scene *scene)
{
    struct cap_id null = check_held(scene->check, "null");
    struct cap_id copy;
    struct cqe completion;

    (void)silent(scene, (struct sqe){.opcode = OPCODE_NOP}, 0);
    completion =
        silent(scene, (struct sqe){.opcode = OPCODE_DUP, .cap = null, .facet = RT_FACET_SAME}, 0);
    copy = completion.cap[0];
    (void)silent(scene, (struct sqe){.opcode = OPCODE_RELEASE, .cap = copy}, 0);
    (void)silent(scene, (struct sqe){.opcode = OPCODE_RELEASE, .cap = copy}, TRANSPORT_STALE_CAP);
    (void)silent(scene,
                 (struct sqe){.opcode = OPCODE_TOKEN,
                              .slot = cap_id_slot(null),
                              .interface_id = NULL_OBJECT_INTERFACE_ID},
                 0);
    (void)silent(scene, (struct sqe){.opcode = OPCODE_TRANSFER, .cap = null, .target = null},
                 TRANSPORT_WRONG_INTERFACE);
    completion = silent(
        scene, (struct sqe){.opcode = OPCODE_DELEGATE, .cap = null, .facet = RT_FACET_SAME}, 0);
    (void)silent(scene, (struct sqe){.opcode = OPCODE_REVOKE, .cap = completion.cap[1]}, 1);
    (void)silent(scene, (struct sqe){.opcode = OPCODE_FINISH, .answer = 0x101},
                 TRANSPORT_BAD_ANSWER);
    (void)silent(scene, (struct sqe){.opcode = OPCODE_CANCEL, .token = 12345}, TRANSPORT_NOT_FOUND);
    word = 1;
    (void)silent(scene,
                 (struct sqe){.opcode = OPCODE_PARK,
                              .address = (uint64_t)(uintptr_t)&word,
                              .value = 2,
                              .timeout_ns = TIMEOUT_NONE},
                 TRANSPORT_CHANGED);
    (void)silent(
        scene,
        (struct sqe){.opcode = OPCODE_UNPARK, .address = (uint64_t)(uintptr_t)&word, .value = 1},
        0);
    (void)silent(scene, (struct sqe){.opcode = OPCODE_FORWARD}, TRANSPORT_BAD_OPCODE);
}

/* Where the message of a call by this thread to itself, and its answer, come to lie. */
struct exchange {
    uint8_t *inbox;  /* in the guard, at RESULT_AT */
    uint8_t *answer; /* a buffer of its own, as large */
    struct rt_operation call;
    uint64_t token;
};

/* Bytes that the completion of RECV speaks of, and the token in them. */
static uint32_t stated_by_receive(struct exchange *exchange, const struct cqe *completion)
{
    struct endpoint_message head;

    memcpy(&head, exchange->inbox, sizeof(head));
    exchange->token = head.token;
    return (((uint32_t)completion->result + 7) & ~7u) +
           head.caps * (uint32_t)sizeof(struct received_cap);
}

static void call_begin(struct scene *scene, struct exchange *exchange, const uint8_t *message)
{
    struct sqe entry = {.opcode = OPCODE_CALL,
                        .cap = scene->client,
                        .interface_id = NULL_OBJECT_INTERFACE_ID,
                        .message = (uint64_t)(uintptr_t)message,
                        .message_bytes = 8,
                        .result = (uint64_t)(uintptr_t)exchange->answer,
                        .result_bytes = 64};

    memset(exchange->answer, CANARY, 128);
    exchange->call = submit(scene, &entry);
}

/* The answer is one word at the caller's buffer, and nothing else of it was touched. */
static void call_end(struct scene *scene, struct exchange *exchange)
{
    struct cqe completion = {.result = 0};

    CHECK_EQUAL(scene->check, rt_ring_wait(scene->ring, exchange->call, TIMEOUT_NONE, &completion),
                TRANSPORT_OK);
    CHECK_EQUAL(scene->check, completion.result, 8);
    for (uint32_t i = 8; i < 128; i++) {
        CHECK(scene->check, exchange->answer[i] == CANARY);
    }
}

static void endpoint(struct scene *scene)
{
    struct rt_buffer message = rt_buffer_alloc(scene->ring, 64);
    struct rt_buffer answer = rt_buffer_alloc(scene->ring, 128);
    struct exchange exchange = {.inbox = scene->guard.bytes + RESULT_AT, .answer = answer.bytes};
    struct sqe receive = {.opcode = OPCODE_RECV,
                          .cap = scene->owner.cap,
                          .result = (uint64_t)(uintptr_t)exchange.inbox,
                          .result_bytes = RT_RECEIVE_BYTES(ENDPOINT_BYTES)};
    struct sqe reply = {.opcode = OPCODE_RETURN,
                        .cap = scene->owner.cap,
                        .message = (uint64_t)(uintptr_t)message.bytes,
                        .message_bytes = 8};
    struct rt_operation watch;
    struct cqe completion;
    struct sqe entry;

    memset(message.bytes, 0, 64);
    call_begin(scene, &exchange, message.bytes);
    lay(scene->guard.bytes, 0);
    completion = finish(scene, &receive, submit(scene, &receive));
    CHECK(scene->check, intact(scene->guard.bytes, stated_by_receive(&exchange, &completion)));
    entry = rt_watch_entry(scene->owner.cap, exchange.token);
    lay(scene->guard.bytes, 0);
    watch = submit(scene, &entry);
    reply.token = exchange.token;
    completion = finish(scene, &reply, submit(scene, &reply));
    CHECK_EQUAL(scene->check, completion.result, 0);
    CHECK_EQUAL(scene->check, finish(scene, &entry, watch).result, WATCH_ENDED);
    CHECK(scene->check, intact(scene->guard.bytes, 0));
    call_end(scene, &exchange);
    /* The same with RETURN_RECV: the answer to one call, then the next call. */
    call_begin(scene, &exchange, message.bytes);
    completion = finish(scene, &receive, submit(scene, &receive));
    (void)stated_by_receive(&exchange, &completion);
    entry = receive;
    entry.opcode = OPCODE_RETURN_RECV;
    entry.token = exchange.token;
    entry.message = reply.message;
    entry.message_bytes = reply.message_bytes;
    lay(scene->guard.bytes, 0);
    watch = submit(scene, &entry);
    call_end(scene, &exchange);
    CHECK(scene->check, intact(scene->guard.bytes, 0));
    call_begin(scene, &exchange, message.bytes);
    completion = finish(scene, &entry, watch);
    CHECK(scene->check, intact(scene->guard.bytes, stated_by_receive(&exchange, &completion)));
    reply.token = exchange.token;
    (void)finish(scene, &reply, submit(scene, &reply));
    call_end(scene, &exchange);
    rt_buffer_free(scene->ring, message);
    rt_buffer_free(scene->ring, answer);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct scene scene = {.check = &check, .ring = &rt->ring};
    struct endpoint_factory factory = {.cap = check_held(&check, "endpoint-factory")};
    struct manifest_export limits = {.message_bytes = ENDPOINT_BYTES, .queue_length = 4};
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL};

    CHECK_EQUAL(&check, endpoint_client_create(rt, factory, &limits, &scene.owner), TRANSPORT_OK);
    CHECK_EQUAL(&check, endpoint_client_mint(rt, scene.owner, &session, &scene.client),
                TRANSPORT_OK);
    rt->ring.checks = false; /* buffers are parts of one */
    scene.guard = rt_buffer_alloc(&rt->ring, GUARD_BYTES);
    CHECK(&check, scene.guard.bytes != NULL);
    simple(&scene);
    kernel_calls(&scene, scene.guard.bytes);
    kernel_calls(&scene, outside);
    endpoint(&scene);
    CHECK_EQUAL(&check, scene.seen, (UINT64_C(1) << OPCODE_COUNT) - 1);
    rt->ring.checks = true;
    rt_buffer_free(&rt->ring, scene.guard);
    return check_end(&check);
}
