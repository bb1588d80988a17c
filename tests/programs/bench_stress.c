/* SPDX-License-Identifier: MIT */
/*
 * The longest operations one submission can ask for, as init, so that the measuring kernel sees the
 * longest stretch with interrupts off: a console write and a module chunk of the largest size, an
 * endpoint closed with its queues full, a batch of releases.
 */
#include "schema/generated/greeter.capnp.h"
#include "user/lib/boot_package.h"
#include "user/lib/console.h"
#include "user/lib/endpoint.h"

enum {
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

static bool endpoint_make(struct rt *rt, uint32_t message_bytes, struct full *full)
{
    const struct manifest_export limits = {.message_bytes = message_bytes,
                                           .capabilities = LIMIT_ENDPOINT_CAPABILITIES,
                                           .queue_length = QUEUE_LENGTH};
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = UINT64_MAX,
                                             .badge = 1,
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

    if (!endpoint_make(rt, MESSAGE_BYTES, &full) || !calls_submit(rt, &full, message) ||
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

    if (message.bytes == NULL || inbox.bytes == NULL || !endpoint_make(rt, LARGE_BYTES, &full)) {
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

/* Ends with as much under way as a thread can have. */
static bool leave_full(struct rt *rt, struct rt_buffer message)
{
    static struct full full;

    return endpoint_make(rt, MESSAGE_BYTES, &full) && calls_submit(rt, &full, message);
}

int main(struct rt *rt)
{
    struct rt_buffer message = {.bytes = NULL};

    if (!write_much(rt) || !read_much(rt) || !carry_much(rt)) {
        return 1;
    }
    message = rt_buffer_alloc(&rt->ring, RT_RING_BLOCK_BYTES);
    rt->ring.checks = false; /* every call sends the same message */
    return message.bytes != NULL && close_full(rt, message) && leave_full(rt, message) ? 0 : 1;
}
