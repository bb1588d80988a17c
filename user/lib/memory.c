/* SPDX-License-Identifier: MIT */
/* VirtualMemory. */
#include "user/lib/memory.h"

int32_t memory_client_map(struct rt *rt, struct virtual_memory memory,
                          enum memory_protection protection, struct memory_range *range)
{
    struct virtual_memory_map_params_builder params;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    params = virtual_memory_map_request(&client.call);
    virtual_memory_map_params_set_size_bytes(params, range->bytes);
    virtual_memory_map_params_set_protection(params, protection);
    virtual_memory_map_params_set_address_hint(params, range->address);
    virtual_memory_map_params_set_fixed(params, range->address != 0);
    range->address =
        virtual_memory_map_results_get_address(virtual_memory_map_invoke(&client.call));
    return client_close(&client);
}

int32_t memory_client_unmap(struct rt *rt, struct virtual_memory memory, struct memory_range range)
{
    struct virtual_memory_unmap_params_builder params;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    params = virtual_memory_unmap_request(&client.call);
    virtual_memory_unmap_params_set_address(params, range.address);
    virtual_memory_unmap_params_set_size_bytes(params, range.bytes);
    (void)virtual_memory_unmap_invoke(&client.call);
    return client_close(&client);
}

int32_t memory_client_protect(struct rt *rt, struct virtual_memory memory,
                              enum memory_protection protection, struct memory_range range)
{
    struct virtual_memory_protect_params_builder params;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    params = virtual_memory_protect_request(&client.call);
    virtual_memory_protect_params_set_address(params, range.address);
    virtual_memory_protect_params_set_size_bytes(params, range.bytes);
    virtual_memory_protect_params_set_protection(params, protection);
    (void)virtual_memory_protect_invoke(&client.call);
    return client_close(&client);
}
