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
    QUEUE_LENGTH = 32,
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

/* Calls that nobody takes, as many as may wait, and then the owner's edge goes. */
static bool close_full(struct rt *rt)
{
    const struct manifest_export limits = {.message_bytes = MESSAGE_BYTES,
                                           .queue_length = QUEUE_LENGTH};
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = UINT64_MAX};
    struct rt_operation call[QUEUE_LENGTH];
    struct endpoint_factory factory;
    struct endpoint_owner owner;
    struct cap_id client;
    struct cqe completion;

    if (rt_find(rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &factory.cap) !=
            TRANSPORT_OK ||
        endpoint_client_create(rt, factory, &limits, &owner) != TRANSPORT_OK ||
        endpoint_client_mint(rt, owner, &session, &client) != TRANSPORT_OK) {
        return false;
    }
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        struct rt_buffer message = rt_buffer_alloc(&rt->ring, RT_RING_BLOCK_BYTES);
        const struct sqe entry = {.opcode = OPCODE_CALL,
                                  .cap = client,
                                  .interface_id = GREETER_INTERFACE_ID,
                                  .message = (uintptr_t)message.bytes,
                                  .message_bytes = RT_RING_BLOCK_BYTES};

        if (message.bytes == NULL || rt_ring_submit(&rt->ring, &entry, &call[i]) != TRANSPORT_OK) {
            return false;
        }
    }
    if (rt_ring_do(&rt->ring, &(struct sqe){.opcode = OPCODE_RELEASE, .cap = owner.cap},
                   &completion) != TRANSPORT_OK) {
        return false;
    }
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        if (rt_ring_wait(&rt->ring, call[i], UINT64_MAX, &completion) != TRANSPORT_OK ||
            completion.result != TRANSPORT_PEER_GONE) {
            return false;
        }
    }
    return true;
}

int main(struct rt *rt)
{
    return write_much(rt) && read_much(rt) && close_full(rt) ? 0 : 1;
}
