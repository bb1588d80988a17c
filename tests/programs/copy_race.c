/* SPDX-License-Identifier: MIT */
/*
 * A copy by the kernel against an unmap by the program's second thread on another CPU. The kernel
 * is a debug kernel that was told to bring the two together at RACE_PAGE (user_copy_race on its
 * command line): the unmap happens while the copy stands at the page's first byte.
 *
 * The manifest's name for the process says which copy:
 *   in         the kernel reads a message that ends in the page; its CPU has no translation of it
 *   in-stale   the same, with a translation left from an earlier call with the same message
 *   out        the kernel writes a result that ends in the page
 *   out-stale  the same, with a translation left from an earlier call
 *
 * Either outcome of the last call is right: it is refused, or it is complete to the last byte. The
 * program tells which; a scene knows which one its machine must give.
 */
#include "abi/atomic.h"
#include "core/string.h"
#include "schema/generated/null.capnp.h"
#include "user/lib/memory.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/syscall.h"

#define RACE_PAGE UINT64_C(0x200000001000)

enum {
    PAGE = LIMIT_PAGE_BYTES,
    HEAD_BYTES = 40, /* of message or result, before RACE_PAGE */
    MESSAGE_MAX = 256,
    EXIT_NOT_HELD = 1,
    EXIT_NO_MEMORY = 2,
    EXIT_NO_THREAD = 3,
    EXIT_WRONG_BYTES = 4,
    EXIT_UNEXPECTED = 5,
};

struct race {
    struct virtual_memory memory;
    struct thread_spawner threads;
    struct cap_id null;
    bool outwards; /* the result lies across the pages, else the message */
    bool stale;
    uint32_t message_bytes;
    uint8_t message[MESSAGE_MAX];
    /* atomic, from the second thread: */
    uint32_t ready;
    uint32_t ended;
    int32_t unmap_outcome;
};

static struct race race;

/* The user memory across the two pages. */
static uint8_t *across(void)
{
    return (uint8_t *)(uintptr_t)(RACE_PAGE - HEAD_BYTES);
}

/* The second thread, on another CPU: it alone touches RACE_PAGE. */
static int unmapper(struct rt *rt, void *argument)
{
    (void)argument;
    memcpy(across() + HEAD_BYTES, race.message + HEAD_BYTES, race.message_bytes - HEAD_BYTES);
    atomic_store_release_u32(&race.ready, 1);
    race.unmap_outcome = memory_client_unmap(
        rt, race.memory, (struct memory_range){.address = RACE_PAGE, .bytes = PAGE});
    atomic_store_release_u32(&race.ended, 1);
    return 0;
}

static void wait_for(const uint32_t *flag)
{
    while (atomic_load_acquire_u32(flag) == 0) {
        rt_cpu_pause();
    }
}

/* An echo's message, a different value in every field. */
static bool message_build(struct rt *rt)
{
    struct client client;
    struct null_payload_builder payload;

    client_open(&client, rt, race.null, CLIENT_ROOM_SMALL);
    payload = null_object_echo_params_init_payload(null_object_echo_request(&client.call));
    null_payload_set_a(payload, UINT64_C(0x1111111111111111));
    null_payload_set_b(payload, UINT64_C(0x2222222222222222));
    null_payload_set_c(payload, UINT64_C(0x3333333333333333));
    null_payload_set_d(payload, UINT64_C(0x4444444444444444));
    null_payload_set_e(payload, UINT64_C(0x5555555555555555));
    null_payload_set_m(payload, INT64_C(0x6666666666666666));
    race.message_bytes = client.call.request_segment.used_words * CAPN_WORD_BYTES;
    memcpy(race.message, client.request.bytes, MESSAGE_MAX);
    return client_close(&client) == TRANSPORT_OK && race.message_bytes > HEAD_BYTES;
}

/* The call with one end across the pages and the other one in the arena. */
static struct rt_call call_make(struct rt_buffer arena)
{
    if (race.outwards) {
        memcpy(arena.bytes, race.message, race.message_bytes);
    }
    return (struct rt_call){
        .cap = race.null,
        .interface_id = NULL_OBJECT_INTERFACE_ID,
        .method = NULL_OBJECT_METHOD_ECHO,
        .message = race.outwards ? arena.bytes : across(),
        .message_bytes = race.message_bytes,
        .result = race.outwards ? across() : arena.bytes,
        .result_bytes = MESSAGE_MAX,
    };
}

/* Puts the calls into one submission, so that nothing comes between them, and takes the last one's
 * answer. */
static int32_t calls_make(struct rt *rt, struct rt_call *call, struct rt_answer *answer)
{
    struct rt_operation operation[2];
    uint32_t count = race.stale ? 2 : 1;
    struct cqe completion;

    for (uint32_t i = 0; i < count; i++) {
        struct rt_buffer arena = rt_buffer_alloc(&rt->ring, MESSAGE_MAX);
        struct sqe entry;
        int32_t status;

        if (arena.bytes == NULL) {
            return TRANSPORT_LIMIT;
        }
        *call = call_make(arena);
        entry = rt_call_entry(call);
        status = rt_ring_submit(&rt->ring, &entry, &operation[i]);
        if (status != TRANSPORT_OK) {
            return status;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        int32_t status = rt_ring_wait(&rt->ring, operation[i], TIMEOUT_NONE, &completion);

        if (status != TRANSPORT_OK) {
            return status;
        }
        *answer = rt_call_answer(call, &completion);
        if (i + 1 < count && answer->status < 0) {
            return TRANSPORT_BAD_MESSAGE; /* the call before the race went wrong */
        }
    }
    return TRANSPORT_OK;
}

/* Whether the answer is the message again, as far as it can still be read. */
static bool answer_is_right(const struct rt_answer *answer, const uint8_t *result)
{
    size_t readable = race.outwards ? HEAD_BYTES : race.message_bytes;

    return !answer->exception && answer->status == (int32_t)race.message_bytes &&
           memcmp(result, race.message, readable) == 0;
}

static int race_run(struct rt *rt)
{
    struct rt_answer answer = {.status = TRANSPORT_BAD_MESSAGE};
    struct rt_call call;
    int32_t status;

    if (!race.outwards) {
        memcpy(across(), race.message, HEAD_BYTES);
    }
    wait_for(&race.ready);
    status = calls_make(rt, &call, &answer);
    wait_for(&race.ended);
    if (status != TRANSPORT_OK || race.unmap_outcome != TRANSPORT_OK) {
        (void)rt_print(rt, "copy_race: UNEXPECTED: calls %s, unmap %s\n", rt_status_name(status),
                       client_outcome_name(race.unmap_outcome));
        return EXIT_UNEXPECTED;
    }
    if (answer.status == TRANSPORT_BAD_BUFFER) {
        (void)rt_print(rt, "copy_race: the call was refused: BAD_BUFFER\n");
        return 0;
    }
    if (!answer_is_right(&answer, call.result)) {
        (void)rt_print(rt, "copy_race: UNEXPECTED: status %d or WRONG bytes\n", answer.status);
        return EXIT_WRONG_BYTES;
    }
    (void)rt_print(rt, "copy_race: the call is complete, every byte right\n");
    return 0;
}

/* Whether the process's name has the word. */
static bool name_has(const struct rt *rt, const char *word)
{
    const char *name = rt->start->process_name;
    size_t length = string_length(word, LIMIT_NAME_BYTES);

    for (size_t i = 0; i + length <= LIMIT_NAME_BYTES; i++) {
        if (memcmp(name + i, word, length) == 0) {
            return true;
        }
    }
    return false;
}

int main(struct rt *rt)
{
    static const struct rt_thread_start second = {.function = unmapper};
    struct memory_range range = {.address = RACE_PAGE - PAGE, .bytes = 2 * PAGE};

    race.outwards = name_has(rt, "out");
    race.stale = name_has(rt, "stale");
    if (rt_find(rt, "virtual-memory", VIRTUAL_MEMORY_INTERFACE_ID, &race.memory.cap) != 0 ||
        rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &race.threads.cap) != 0 ||
        rt_find(rt, "null", NULL_OBJECT_INTERFACE_ID, &race.null) != 0) {
        return EXIT_NOT_HELD;
    }
    if (memory_client_map(rt, race.memory, MEMORY_PROTECTION_READ_WRITE, &range) != TRANSPORT_OK ||
        !message_build(rt)) {
        return EXIT_NO_MEMORY;
    }
    if (thread_client_spawn(rt, race.threads, &second) != TRANSPORT_OK) {
        return EXIT_NO_THREAD;
    }
    return race_run(rt);
}
