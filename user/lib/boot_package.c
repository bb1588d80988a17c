/* SPDX-License-Identifier: MIT */
/* BootPackage. */
#include "user/lib/boot_package.h"

#include "core/string.h"

int32_t boot_package_client_size(struct rt *rt, struct boot_package package, uint64_t *size_bytes,
                                 uint32_t *binaries)
{
    struct client_call call;
    struct client_target target = {
        .cap = package.cap,
        .interface_id = BOOT_PACKAGE_INTERFACE_ID,
        .method = BOOT_PACKAGE_METHOD_SIZE,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = RT_RING_BLOCK_BYTES,
    };

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        (void)client_parameters(&call, (struct capn_size){0});
        if (client_send(&call) == TRANSPORT_OK) {
            struct capn_struct results = client_results(&call);

            *size_bytes = capn_get_u64(results, 0, 0);
            *binaries = capn_get_u32(results, 8, 0);
        }
    }
    return client_end(&call);
}

/* One chunk; *length is lowered to what came. */
static int32_t chunk_read(struct rt *rt, struct boot_package package, uint64_t offset, uint8_t *to,
                          uint32_t *length)
{
    struct client_call call;
    struct client_target target = {
        .cap = package.cap,
        .interface_id = BOOT_PACKAGE_INTERFACE_ID,
        .method = BOOT_PACKAGE_METHOD_READ,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = BOOT_PACKAGE_CHUNK_BYTES + RT_RING_BLOCK_BYTES,
    };
    struct capn_data bytes = {.length = 0};

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        struct capn_struct_builder parameters =
            client_parameters(&call, (struct capn_size){.data_words = 2});

        capn_set_u64(parameters, 0, offset, 0);
        capn_set_u32(parameters, 8, *length, 0);
        if (client_send(&call) == TRANSPORT_OK) {
            bytes = capn_read_data(capn_get_pointer(client_results(&call), 0), bytes);
            if (bytes.length == 0 || bytes.length > *length) {
                call.status = TRANSPORT_BAD_MESSAGE;
            } else {
                memcpy(to, bytes.bytes, bytes.length);
                *length = (uint32_t)bytes.length;
            }
        }
    }
    return client_end(&call);
}

int32_t boot_package_client_read(struct rt *rt, struct boot_package package, uint64_t offset,
                                 void *to, uint64_t length)
{
    uint8_t *target = to;

    while (length > 0) {
        uint32_t chunk =
            length < BOOT_PACKAGE_CHUNK_BYTES ? (uint32_t)length : BOOT_PACKAGE_CHUNK_BYTES;
        int32_t outcome = chunk_read(rt, package, offset, target, &chunk);

        if (outcome != TRANSPORT_OK) {
            return outcome;
        }
        offset += chunk;
        target += chunk;
        length -= chunk;
    }
    return TRANSPORT_OK;
}
