/* SPDX-License-Identifier: MIT */
/*
 * The longest operations one submission can ask for, as init, so that the measuring kernel sees the
 * longest stretch with interrupts off: a console write and a module chunk of the largest size, an
 * endpoint closed with its queues full, a batch of releases; calls and receivers that come to wait
 * for each other behind revoked calls, and a revocation of waits among thousands; a stretch of
 * calls that ends in a thread with as much to do; stretches of UNPARKs while tens of thousands of
 * other words are waited at.
 */
#include "abi/atomic.h"
#include "schema/generated/greeter.capnp.h"
#include "user/lib/boot_package.h"
#include "user/lib/console.h"
#include "user/lib/endpoint.h"
#include "user/lib/process.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    DEAD_CALLS = 48,
    LIVE_CALLS = 6, /* and as many receivers: two would be more than a stretch may deliver */
    WAITERS = 48,   /* threads, and how many waits each has; one in eight is revoked */
    WAITS = 56,
    MEETINGS = 3,       /* the first ones show what the last needs */
    STRETCH_CALLS = 20, /* of the long way: nearly a stretch */
    CROWDS = 10,        /* processes, how many threads each has, and at how many words each waits */
    CROWD_THREADS = 60,
    CROWD_WORDS = 60,
    CROWD_WAKES = 20, /* a stretch */
    SMALL_ARENA_BYTES = LIMIT_PAGE_BYTES,
    CHUNK_BYTES = 32768,
    MESSAGE_BYTES = 4096,
    QUEUE_LENGTH = 60,       /* nearly all the operations of a thread */
    LARGE_BYTES = 28 * 1024, /* two fit an arena */
};

static bool write_much(struct rt *rt)
{
    static char text[CONSOLE_TEXT_MAX];

    for (unsigned i = 0; i < sizeof(text); i++) {
        text[i] = i % 64 == 63 ? '\n' : '.';
    }
    return console_client_write(rt, (struct console){.cap = rt->console}, text, sizeof(text)) ==
           TRANSPORT_OK;
}

static bool read_much(struct rt *rt)
{
    static uint8_t chunk[CHUNK_BYTES];
    struct boot_package package;
    uint64_t size;
    uint32_t binaries;

    return rt_find(rt, "boot-package", BOOT_PACKAGE_INTERFACE_ID, &package.cap) == TRANSPORT_OK &&
           boot_package_client_size(rt, package, &size, &binaries) == TRANSPORT_OK &&
           boot_package_client_read(rt, package, 0, chunk,
                                    size < sizeof(chunk) ? size : sizeof(chunk)) == TRANSPORT_OK;
}

struct full {
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_operation call[QUEUE_LENGTH];
};

static bool endpoint_make(struct rt *rt, uint32_t message_bytes, uint64_t badge, struct full *full)
{
    const struct manifest_export limits = {.message_bytes = message_bytes,
                                           .capabilities = LIMIT_ENDPOINT_CAPABILITIES,
                                           .queue_length = QUEUE_LENGTH};
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = UINT64_MAX,
                                             .badge = badge,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY};
    struct endpoint_factory factory;

    return rt_find(rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &factory.cap) ==
               TRANSPORT_OK &&
           endpoint_client_create(rt, factory, &limits, &full->owner) == TRANSPORT_OK &&
           endpoint_client_mint(rt, full->owner, &session, &full->client) == TRANSPORT_OK;
}

/* Submits calls until the queue is full, the first ones with as many capabilities as may wait, in
 * messages as large as they come. */
static bool calls_submit(struct rt *rt, struct full *full, struct rt_buffer message)
{
    struct transfer *descriptor = (struct transfer *)(void *)message.bytes;
    uint32_t waiting = 0;

    for (unsigned i = 0; i < LIMIT_ENDPOINT_CAPABILITIES; i++) {
        descriptor[i] = (struct transfer){.cap = full->client, .mode = TRANSFER_COPY};
    }
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        uint32_t count = LIMIT_TRANSFERS_WAITING - waiting < LIMIT_ENDPOINT_CAPABILITIES
                             ? LIMIT_TRANSFERS_WAITING - waiting
                             : LIMIT_ENDPOINT_CAPABILITIES;
        const struct sqe entry = {.opcode = OPCODE_CALL,
                                  .cap = full->client,
                                  .interface_id = GREETER_INTERFACE_ID,
                                  .transfers = (uint8_t)count,
                                  .message = (uintptr_t)message.bytes};

        waiting += count;
        if (rt_ring_submit(&rt->ring, &entry, &full->call[i]) != TRANSPORT_OK) {
            return false;
        }
    }
    return rt_ring_enter(&rt->ring, 0, 0) == TRANSPORT_OK;
}

/* Calls that nobody takes, as many as may wait, and then the owner's edge goes. */
static bool close_full(struct rt *rt, struct rt_buffer message)
{
    struct cqe completion;
    struct full full;

    if (!endpoint_make(rt, MESSAGE_BYTES, 1, &full) || !calls_submit(rt, &full, message) ||
        rt_release(&rt->ring, full.owner.cap) != TRANSPORT_OK) {
        return false;
    }
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        if (rt_ring_wait(&rt->ring, full.call[i], UINT64_MAX, &completion) != TRANSPORT_OK ||
            completion.result != TRANSPORT_PEER_GONE) {
            return false;
        }
    }
    return rt_release(&rt->ring, full.client) == TRANSPORT_OK;
}

/* The largest message, both ways. */
static bool carry_much(struct rt *rt)
{
    struct rt_buffer message = rt_buffer_alloc(&rt->ring, LARGE_BYTES);
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(LARGE_BYTES));
    struct rt_request request;
    struct cqe completion;
    struct full full;
    struct sqe entry = {.opcode = OPCODE_CALL,
                        .interface_id = GREETER_INTERFACE_ID,
                        .message = (uintptr_t)message.bytes,
                        .message_bytes = LARGE_BYTES,
                        .result = (uintptr_t)message.bytes,
                        .result_bytes = LARGE_BYTES};
    bool good;

    if (message.bytes == NULL || inbox.bytes == NULL || !endpoint_make(rt, LARGE_BYTES, 1, &full)) {
        return false;
    }
    entry.cap = full.client;
    if (rt_ring_submit(&rt->ring, &entry, &full.call[0]) != TRANSPORT_OK) {
        return false;
    }
    request = rt_receive(&rt->ring, full.owner.cap, inbox);
    good = request.status > 0 &&
           rt_return(&rt->ring, &(struct rt_reply){.endpoint = full.owner.cap,
                                                   .token = request.head->token,
                                                   .message = request.message,
                                                   .message_bytes = LARGE_BYTES}) == TRANSPORT_OK &&
           rt_ring_wait(&rt->ring, full.call[0], UINT64_MAX, &completion) == TRANSPORT_OK &&
           completion.result == LARGE_BYTES;
    rt_buffer_free(&rt->ring, message);
    rt_buffer_free(&rt->ring, inbox);
    return good;
}

/* Submits `count` calls of the largest message through `cap`. */
static bool large_calls(struct rt *rt, struct cap_id cap, struct rt_buffer message, uint32_t bytes,
                        struct rt_operation *call, unsigned count)
{
    const struct sqe entry = {.opcode = OPCODE_CALL,
                              .cap = cap,
                              .interface_id = GREETER_INTERFACE_ID,
                              .message = (uintptr_t)message.bytes,
                              .message_bytes = bytes};

    for (unsigned i = 0; i < count; i++) {
        if (rt_ring_submit(&rt->ring, &entry, &call[i]) != TRANSPORT_OK) {
            return false;
        }
    }
    return true;
}

/* Calls wait behind others whose right is taken in the same stretch that brings receivers for all
 * of them: the last of the revoked ones must not let every message be delivered at once. */
static bool pile_up(struct rt *rt)
{
    struct rt_buffer message = rt_buffer_alloc(&rt->ring, LARGE_BYTES);
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(LARGE_BYTES));
    struct rt_operation dead[DEAD_CALLS];
    struct rt_operation live[LIVE_CALLS];
    struct rt_operation receive[LIVE_CALLS];
    struct rt_operation revoke;
    struct rt_delegated made;
    struct cqe completion;
    struct full full;
    bool good;

    if (message.bytes == NULL || inbox.bytes == NULL || !endpoint_make(rt, LARGE_BYTES, 1, &full) ||
        rt_delegate(&rt->ring, full.client, RT_FACET_SAME, &made, NULL) != TRANSPORT_OK) {
        return false;
    }
    rt->ring.checks = false; /* one message for all, and one inbox */
    good = large_calls(rt, made.cap, message, 8, dead, DEAD_CALLS) &&
           rt_ring_enter(&rt->ring, 0, 0) == TRANSPORT_OK &&
           large_calls(rt, full.client, message, LARGE_BYTES, live, LIVE_CALLS) &&
           rt_ring_enter(&rt->ring, 0, 0) == TRANSPORT_OK &&
           rt_ring_submit(&rt->ring, &(struct sqe){.opcode = OPCODE_REVOKE, .cap = made.handle},
                          &revoke) == TRANSPORT_OK;
    for (unsigned i = 0; good && i < LIVE_CALLS; i++) {
        good = rt_ring_submit(&rt->ring,
                              &(struct sqe){.opcode = OPCODE_RECV,
                                            .cap = full.owner.cap,
                                            .result = (uintptr_t)inbox.bytes,
                                            .result_bytes = inbox.size},
                              &receive[i]) == TRANSPORT_OK;
    }
    for (unsigned i = 0; good && i < LIVE_CALLS; i++) {
        good = rt_ring_wait(&rt->ring, receive[i], TIMEOUT_NONE, &completion) == TRANSPORT_OK &&
               completion.result > LARGE_BYTES;
    }
    for (unsigned i = 0; good && i < DEAD_CALLS; i++) {
        good = rt_ring_wait(&rt->ring, dead[i], TIMEOUT_NONE, &completion) == TRANSPORT_OK &&
               completion.result == TRANSPORT_REVOKED;
    }
    good = good && rt_ring_wait(&rt->ring, revoke, TIMEOUT_NONE, &completion) == TRANSPORT_OK &&
           rt_release(&rt->ring, full.owner.cap) == TRANSPORT_OK;
    for (unsigned i = 0; good && i < LIVE_CALLS; i++) {
        good = rt_ring_wait(&rt->ring, live[i], TIMEOUT_NONE, &completion) == TRANSPORT_OK &&
               completion.result == TRANSPORT_PEER_GONE;
    }
    rt->ring.checks = true;
    rt_buffer_free(&rt->ring, message);
    rt_buffer_free(&rt->ring, inbox);
    return good;
}

/* ---- waits for the end of one process -------------------------------------------------------- */

static struct {
    struct cap_id handle[2]; /* the process's: ours, and a delegated one */
    uint64_t ready;          /* atomic: threads whose waits are all under way */
} waits;

/* One in eight of its waits through the delegated handle; ends with the process. */
static int waiter(struct rt *rt, void *argument)
{
    struct rt_buffer request = rt_buffer_alloc(&rt->ring, 8);
    struct rt_buffer answer = rt_buffer_alloc(&rt->ring, 512);
    struct sqe entry = {.opcode = OPCODE_CALL,
                        .interface_id = PROCESS_HANDLE_INTERFACE_ID,
                        .method = PROCESS_HANDLE_METHOD_WAIT,
                        .message = (uintptr_t)request.bytes,
                        .message_bytes = 8,
                        .result = (uintptr_t)answer.bytes,
                        .result_bytes = answer.size};
    struct rt_operation operation;

    (void)argument;
    rt->ring.checks = false;
    if (request.bytes == NULL || answer.bytes == NULL) {
        return 1;
    }
    *(uint64_t *)(void *)request.bytes = 0; /* no parameters: wait for ever */
    for (unsigned i = 0; i < WAITS; i++) {
        entry.cap = waits.handle[i % 8 == 0];
        if (rt_ring_submit(&rt->ring, &entry, &operation) != TRANSPORT_OK) {
            return 1;
        }
    }
    if (rt_ring_enter(&rt->ring, 0, 0) != TRANSPORT_OK) {
        return 1;
    }
    (void)atomic_add_u64(&waits.ready, 1);
    for (;;) {
        rt_sleep(rt, UINT64_C(1000) * 1000 * 1000);
    }
}

static bool wait_much(struct rt *rt)
{
    static const struct ring_sizes sizes = {
        .sq_entries = 64, .cq_entries = 128, .arena_bytes = SMALL_ARENA_BYTES};
    static const struct rt_thread_start begin = {.function = waiter};
    const struct process_request request = {.name = {"idle", 4},
                                            .quotas = {.slots = 16,
                                                       .frames = 256,
                                                       .ring_bytes = 163840,
                                                       .outstanding_calls = 8,
                                                       .scratch_bytes = 4096,
                                                       .threads = 1,
                                                       .log_bytes = 1024},
                                            .scheduling = {.cpu_mask = UINT64_MAX}};
    struct thread_spawner threads;
    struct process_spawner spawner;
    struct process_handle child;
    struct rt_delegated made;
    struct receipt receipt;

    if (rt_find(rt, "process-spawner", PROCESS_SPAWNER_INTERFACE_ID, &spawner.cap) !=
            TRANSPORT_OK ||
        rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &threads.cap) != TRANSPORT_OK ||
        process_client_spawn(rt, spawner, &request, &child) != TRANSPORT_OK ||
        rt_delegate(&rt->ring, child.cap, RT_FACET_SAME, &made, NULL) != TRANSPORT_OK) {
        return false;
    }
    waits.handle[0] = child.cap;
    waits.handle[1] = made.cap;
    for (unsigned i = 0; i < WAITERS; i++) {
        if (thread_client_spawn_sized(rt, threads, &begin, &sizes) != TRANSPORT_OK) {
            return false;
        }
    }
    while (atomic_load_acquire_u64(&waits.ready) < WAITERS) {
        rt_sleep(rt, 100 * 1000);
    }
    return rt_revoke(&rt->ring, made.handle, &receipt, NULL) == 1 &&
           receipt.events == WAITERS * WAITS / 8 &&
           process_client_kill(rt, child, 0) == TRANSPORT_OK;
}

/* ---- a stretch that ends in a thread with a stretch of its own ------------------------------- */

static struct {
    uint64_t server;     /* atomic: the server's struct rt_ring, soon before it asks */
    struct cap_id owner; /* of the endpoint that it serves */
    struct rt_operation call[2 * STRETCH_CALLS];
} meet;

/* Asks for one call and answers it; what stands in its ring by then goes with it. */
static int meet_server(struct rt *rt, void *argument)
{
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    const struct sqe receive = {.opcode = OPCODE_RECV,
                                .cap = meet.owner,
                                .result = (uintptr_t)inbox.bytes,
                                .result_bytes = inbox.size};
    const struct endpoint_message *head = (const void *)inbox.bytes;
    struct rt_operation operation;
    struct cqe completion;

    (void)argument;
    rt->ring.checks = false;
    if (inbox.bytes == NULL) {
        return 1;
    }
    for (unsigned i = 0; i < MEETINGS; i++) {
        if (rt_ring_submit(&rt->ring, &receive, &operation) != TRANSPORT_OK) {
            return 1;
        }
        if (i == MEETINGS - 1) {
            atomic_store_release_u64(&meet.server, (uintptr_t)&rt->ring);
        }
        if (rt_ring_wait(&rt->ring, operation, TIMEOUT_NONE, &completion) != TRANSPORT_OK ||
            completion.result < 0 ||
            rt_return(&rt->ring, &(struct rt_reply){.endpoint = meet.owner,
                                                    .token = head->token,
                                                    .message = inbox.bytes}) != TRANSPORT_OK) {
            return 1;
        }
    }
    return 0;
}

/* Calls of the long way, as many as one stretch takes, into `ring`. */
static bool stretch_submit(struct rt_ring *ring, struct cap_id cap, struct rt_operation *call)
{
    const struct sqe entry = {.opcode = OPCODE_CALL,
                              .cap = cap,
                              .interface_id = GREETER_INTERFACE_ID,
                              .message = (uintptr_t)ring->arena};

    for (unsigned i = 0; i < STRETCH_CALLS; i++) {
        if (rt_ring_submit(ring, &entry, &call[i]) != TRANSPORT_OK) {
            return false;
        }
    }
    return true;
}

/* A stretch of calls ends with one that meets a server on this CPU, in whose ring a sibling wrote
 * a stretch of calls while it waited: two stretches, and interrupts come in between. */
static bool meet_full(struct rt *rt)
{
    static const struct rt_thread_start begin = {.function = meet_server};
    struct thread_spawner threads;
    struct rt_operation last;
    struct cqe completion;
    struct full queue;
    struct full served;
    struct sqe call = {.opcode = OPCODE_CALL,
                       .interface_id = GREETER_INTERFACE_ID,
                       .message = (uintptr_t)rt->ring.arena,
                       .result = (uintptr_t)rt->ring.arena};

    if (!endpoint_make(rt, MESSAGE_BYTES, 1, &queue) ||
        !endpoint_make(rt, MESSAGE_BYTES, 0, &served) ||
        rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &threads.cap) != TRANSPORT_OK) {
        return false;
    }
    meet.owner = served.owner.cap;
    call.cap = served.client;
    if (thread_client_spawn(rt, threads, &begin) != TRANSPORT_OK) {
        return false;
    }
    rt->ring.checks = false; /* every call sends the same message */
    for (unsigned i = 0; i < MEETINGS - 1; i++) {
        if (rt_ring_submit(&rt->ring, &call, &last) != TRANSPORT_OK ||
            rt_ring_wait(&rt->ring, last, TIMEOUT_NONE, &completion) != TRANSPORT_OK) {
            return false;
        }
    }
    while (atomic_load_acquire_u64(&meet.server) == 0) {
        rt_sleep(rt, 100 * 1000);
    }
    rt_sleep(rt, 100 * 1000); /* it waits by now: one CPU */
    return stretch_submit((struct rt_ring *)(uintptr_t)meet.server, queue.client, meet.call) &&
           stretch_submit(&rt->ring, queue.client, meet.call + STRETCH_CALLS) &&
           rt_ring_submit(&rt->ring, &call, &last) == TRANSPORT_OK &&
           rt_ring_wait(&rt->ring, last, TIMEOUT_NONE, &completion) == TRANSPORT_OK &&
           completion.result == 0 && rt_release(&rt->ring, queue.owner.cap) == TRANSPORT_OK;
}

/* ---- words that nobody is woken at ----------------------------------------------------------- */

static struct {
    uint32_t word[CROWD_THREADS * CROWD_WORDS];
    uint64_t turn;  /* atomic: threads that took their words */
    uint64_t ready; /* atomic: threads that wait at all of them */
} crowd;

/* Waits at words of its own until the process ends. */
static int crowd_member(struct rt *rt, void *argument)
{
    uint64_t turn = atomic_add_u64(&crowd.turn, 1) - 1;
    struct rt_operation operation;

    (void)argument;
    for (unsigned i = 0; i < CROWD_WORDS; i++) {
        const struct sqe park = {.opcode = OPCODE_PARK,
                                 .address = (uintptr_t)&crowd.word[turn * CROWD_WORDS + i],
                                 .timeout_ns = TIMEOUT_NONE};

        if (rt_ring_submit(&rt->ring, &park, &operation) != TRANSPORT_OK) {
            return 1;
        }
    }
    if (rt_ring_enter(&rt->ring, 0, 0) != TRANSPORT_OK) {
        return 1;
    }
    (void)atomic_add_u64(&crowd.ready, 1);
    rt_sleep(rt, TIMEOUT_NONE);
    return 0;
}

/* The process: tells its maker when all wait. */
static int crowd_main(struct rt *rt)
{
    static const struct ring_sizes sizes = {
        .sq_entries = 64, .cq_entries = 128, .arena_bytes = SMALL_ARENA_BYTES};
    static const struct rt_thread_start begin = {.function = crowd_member};
    struct thread_spawner threads;
    struct cqe completion;
    struct sqe call = {.opcode = OPCODE_CALL, .interface_id = GREETER_INTERFACE_ID};

    rt->ring.checks = false;
    call.message = (uintptr_t)rt->ring.arena;
    call.result = (uintptr_t)rt->ring.arena;
    if (rt_find(rt, "threads", THREAD_SPAWNER_INTERFACE_ID, &threads.cap) != TRANSPORT_OK ||
        rt_find(rt, "told", GREETER_INTERFACE_ID, &call.cap) != TRANSPORT_OK) {
        return 1;
    }
    for (unsigned i = 0; i < CROWD_THREADS; i++) {
        if (thread_client_spawn_sized(rt, threads, &begin, &sizes) != TRANSPORT_OK) {
            return 1;
        }
    }
    while (atomic_load_acquire_u64(&crowd.ready) < CROWD_THREADS) {
        rt_sleep(rt, 100 * 1000);
    }
    return rt_ring_do(&rt->ring, &call, &completion); /* no answer comes */
}

static bool crowd_begin(struct rt *rt, struct cap_id told, struct process_handle *child)
{
    struct process_grant grants[2] = {
        {.name = {"threads", 7}, .facet = UINT64_MAX},
        {.name = {"told", 4}, .cap = told, .facet = UINT64_MAX},
    };
    const struct process_request request = {.name = {"words", 5},
                                            .grants = grants,
                                            .grant_count = ARRAY_COUNT(grants),
                                            .quotas = {.slots = 256,
                                                       .frames = 4096,
                                                       .ring_bytes = 2 << 20,
                                                       .outstanding_calls = 256,
                                                       .scratch_bytes = 65536,
                                                       .threads = CROWD_THREADS + 1,
                                                       .log_bytes = 1024},
                                            .scheduling = {.cpu_mask = UINT64_MAX}};
    struct process_spawner spawner;

    return rt_find(rt, "process-spawner", PROCESS_SPAWNER_INTERFACE_ID, &spawner.cap) ==
               TRANSPORT_OK &&
           rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &grants[0].cap) ==
               TRANSPORT_OK &&
           process_client_spawn(rt, spawner, &request, child) == TRANSPORT_OK;
}

/* UNPARKs of words nobody waits at, a stretch of them at a time, in as many buckets as there are.
 */
static bool wake_nobody(struct rt *rt)
{
    struct rt_operation operation[CROWD_WAKES];
    struct cqe completion;

    for (unsigned round = 0; round < 16; round++) {
        for (unsigned i = 0; i < CROWD_WAKES; i++) {
            const struct sqe unpark = {.opcode = OPCODE_UNPARK,
                                       .address = (uintptr_t)&crowd.word[round * CROWD_WAKES + i],
                                       .value = 1};

            if (rt_ring_submit(&rt->ring, &unpark, &operation[i]) != TRANSPORT_OK) {
                return false;
            }
        }
        for (unsigned i = 0; i < CROWD_WAKES; i++) {
            if (rt_ring_wait(&rt->ring, operation[i], UINT64_MAX, &completion) != TRANSPORT_OK ||
                completion.result != 0) {
                return false;
            }
        }
    }
    return true;
}

static bool wake_among_many(struct rt *rt)
{
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    struct process_handle child[CROWDS];
    struct full full;
    bool good = inbox.bytes != NULL && endpoint_make(rt, MESSAGE_BYTES, 1, &full);

    for (unsigned i = 0; good && i < CROWDS; i++) {
        good = crowd_begin(rt, full.client, &child[i]);
    }
    for (unsigned i = 0; good && i < CROWDS; i++) {
        good = rt_receive(&rt->ring, full.owner.cap, inbox).status >= 0;
    }
    good = good && wake_nobody(rt);
    for (unsigned i = 0; good && i < CROWDS; i++) {
        good = process_client_kill(rt, child[i], 0) == TRANSPORT_OK;
    }
    rt_buffer_free(&rt->ring, inbox);
    return good && rt_release(&rt->ring, full.owner.cap) == TRANSPORT_OK;
}

/* Ends with as much under way as a thread can have. */
static bool leave_full(struct rt *rt, struct rt_buffer message)
{
    static struct full full;

    return endpoint_make(rt, MESSAGE_BYTES, 1, &full) && calls_submit(rt, &full, message);
}

int main(struct rt *rt)
{
    struct rt_buffer message = {.bytes = NULL};

    if (rt->start->process_name[0] == 'i') {
        rt_sleep(rt, TIMEOUT_NONE);
    }
    if (rt->start->process_name[0] == 'w') {
        return crowd_main(rt);
    }
    if (!write_much(rt) || !read_much(rt) || !carry_much(rt) || !pile_up(rt) || !meet_full(rt) ||
        !wait_much(rt) || !wake_among_many(rt)) {
        return 1;
    }
    message = rt_buffer_alloc(&rt->ring, RT_RING_BLOCK_BYTES);
    rt->ring.checks = false; /* every call sends the same message */
    return message.bytes != NULL && close_full(rt, message) && leave_full(rt, message) ? 0 : 1;
}
