/* SPDX-License-Identifier: MIT */
/* BootPackage. */
#include "user/lib/boot_package.h"

#include "core/string.h"

enum {
    CHUNK_BYTES = 16 * 1024, /* a quarter of the arena */
};

int32_t boot_package_client_size(struct rt *rt, struct boot_package package, uint64_t *size_bytes,
                                 uint32_t *binaries)
{
    struct client client;
    struct boot_package_size_results_reader results;

    client_open(&client, rt, package.cap, CLIENT_ROOM_SMALL);
    (void)boot_package_size_request(&client.call);
    results = boot_package_size_invoke(&client.call);
    *size_bytes = boot_package_size_results_get_size_bytes(results);
    *binaries = boot_package_size_results_get_binaries(results);
    return client_close(&client);
}

/* One chunk; *length becomes what came. */
static int32_t chunk_read(struct client *client, uint64_t offset, uint8_t *to, uint32_t *length)
{
    struct boot_package_read_params_builder params = boot_package_read_request(&client->call);
    struct capn_data bytes;

    boot_package_read_params_set_offset(params, offset);
    boot_package_read_params_set_max_bytes(params, *length);
    bytes = boot_package_read_results_get_bytes(boot_package_read_invoke(&client->call));
    if (client->call.status == TRANSPORT_OK && (bytes.length == 0 || bytes.length > *length)) {
        client->call.status = TRANSPORT_BAD_MESSAGE;
    }
    if (client->call.status == TRANSPORT_OK) {
        memcpy(to, bytes.bytes, bytes.length);
        *length = (uint32_t)bytes.length;
    }
    return client->call.status;
}

int32_t boot_package_client_read(struct rt *rt, struct boot_package package, uint64_t offset,
                                 void *to, uint64_t length)
{
    struct client_room room = CLIENT_ROOM_SMALL;
    struct client client;
    uint8_t *target = to;

    room.answer_bytes += CHUNK_BYTES;
    client_open(&client, rt, package.cap, room);
    while (length > 0) {
        uint32_t chunk = length < CHUNK_BYTES ? (uint32_t)length : CHUNK_BYTES;

        if (chunk_read(&client, offset, target, &chunk) != TRANSPORT_OK) {
            break;
        }
        offset += chunk;
        target += chunk;
        length -= chunk;
    }
    return client_close(&client);
}
