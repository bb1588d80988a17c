/* SPDX-License-Identifier: MIT */
/* VirtualMemory. */
#include "user/lib/memory.h"

static struct client_target memory_target(struct virtual_memory memory, uint16_t method)
{
    return (struct client_target){
        .cap = memory.cap,
        .interface_id = VIRTUAL_MEMORY_INTERFACE_ID,
        .method = method,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = RT_RING_BLOCK_BYTES,
    };
}

int32_t memory_client_map(struct rt *rt, struct virtual_memory memory, uint64_t size_bytes,
                          enum protection protection, uint64_t *address)
{
    struct client_call call;
    struct client_target target = memory_target(memory, VIRTUAL_MEMORY_METHOD_MAP);

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        struct capn_struct_builder parameters =
            client_parameters(&call, (struct capn_size){.data_words = 4, .pointers = 1});

        capn_set_u64(parameters, 8, size_bytes, 0);
        capn_set_u16(parameters, 16, (uint16_t)protection, 0);
        if (client_send(&call) == TRANSPORT_OK) {
            *address = capn_get_u64(client_results(&call), 0, 0);
        }
    }
    return client_end(&call);
}

/* The call that unmap and protect share. */
static int32_t range_call(struct rt *rt, const struct client_target *target, uint64_t address,
                          uint64_t size_bytes, enum protection protection)
{
    struct client_call call;

    if (client_begin(&call, rt, target) == TRANSPORT_OK) {
        bool protects = target->method == VIRTUAL_MEMORY_METHOD_PROTECT;
        struct capn_struct_builder parameters =
            client_parameters(&call, (struct capn_size){.data_words = protects ? 3 : 2});

        capn_set_u64(parameters, 0, address, 0);
        capn_set_u64(parameters, 8, size_bytes, 0);
        if (protects) {
            capn_set_u16(parameters, 16, (uint16_t)protection, 0);
        }
        (void)client_send(&call);
    }
    return client_end(&call);
}

int32_t memory_client_unmap(struct rt *rt, struct virtual_memory memory, uint64_t address,
                            uint64_t size_bytes)
{
    struct client_target target = memory_target(memory, VIRTUAL_MEMORY_METHOD_UNMAP);

    return range_call(rt, &target, address, size_bytes, PROTECTION_NONE);
}

int32_t memory_client_protect(struct rt *rt, struct virtual_memory memory, uint64_t address,
                              uint64_t size_bytes, enum protection protection)
{
    struct client_target target = memory_target(memory, VIRTUAL_MEMORY_METHOD_PROTECT);

    return range_call(rt, &target, address, size_bytes, protection);
}
