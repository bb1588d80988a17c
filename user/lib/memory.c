/* SPDX-License-Identifier: MIT */
/* VirtualMemory, FrameAllocator and MemoryObject. */
#include "user/lib/memory.h"

#include "core/string.h"

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

int32_t memory_client_reserve(struct rt *rt, struct virtual_memory memory,
                              struct memory_range *range)
{
    struct virtual_memory_reserve_params_builder params;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    params = virtual_memory_reserve_request(&client.call);
    virtual_memory_reserve_params_set_size_bytes(params, range->bytes);
    virtual_memory_reserve_params_set_address_hint(params, range->address);
    virtual_memory_reserve_params_set_fixed(params, range->address != 0);
    range->address =
        virtual_memory_reserve_results_get_address(virtual_memory_reserve_invoke(&client.call));
    return client_close(&client);
}

int32_t memory_client_commit(struct rt *rt, struct virtual_memory memory,
                             enum memory_protection protection, struct memory_range range)
{
    struct virtual_memory_commit_params_builder params;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    params = virtual_memory_commit_request(&client.call);
    virtual_memory_commit_params_set_address(params, range.address);
    virtual_memory_commit_params_set_size_bytes(params, range.bytes);
    virtual_memory_commit_params_set_protection(params, protection);
    (void)virtual_memory_commit_invoke(&client.call);
    return client_close(&client);
}

int32_t memory_client_decommit(struct rt *rt, struct virtual_memory memory,
                               struct memory_range range)
{
    struct virtual_memory_decommit_params_builder params;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    params = virtual_memory_decommit_request(&client.call);
    virtual_memory_decommit_params_set_address(params, range.address);
    virtual_memory_decommit_params_set_size_bytes(params, range.bytes);
    (void)virtual_memory_decommit_invoke(&client.call);
    return client_close(&client);
}

int32_t memory_client_query(struct rt *rt, struct virtual_memory memory, uint64_t address,
                            struct memory_seen *seen)
{
    struct memory_region_reader region;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    virtual_memory_query_params_set_address(virtual_memory_query_request(&client.call), address);
    region = virtual_memory_query_results_get_region(virtual_memory_query_invoke(&client.call));
    seen->range.address = memory_region_get_address(region);
    seen->range.bytes = memory_region_get_size_bytes(region);
    seen->protection = memory_region_get_protection(region);
    seen->committed = memory_region_get_committed(region);
    seen->shared = memory_region_get_shared(region);
    seen->object_offset = memory_region_get_object_offset(region);
    return client_close(&client);
}

static int32_t allocate(struct rt *rt, struct frame_allocator allocator, uint64_t bytes,
                        bool contiguous, struct memory_object *object)
{
    struct frame_allocator_allocate_params_builder params;
    struct frame_allocator_allocate_results_reader results;
    struct client client;

    client_open(&client, rt, allocator.cap, CLIENT_ROOM_SMALL);
    params = frame_allocator_allocate_request(&client.call);
    frame_allocator_allocate_params_set_size_bytes(params, bytes);
    frame_allocator_allocate_params_set_contiguous(params, contiguous);
    results = frame_allocator_allocate_invoke(&client.call);
    object->cap = client_received(&client, frame_allocator_allocate_results_get_object(results));
    return client_close(&client);
}

int32_t memory_client_allocate(struct rt *rt, struct frame_allocator allocator, uint64_t bytes,
                               struct memory_object *object)
{
    return allocate(rt, allocator, bytes, false, object);
}

int32_t memory_client_allocate_run(struct rt *rt, struct frame_allocator allocator, uint64_t bytes,
                                   struct memory_object *object)
{
    return allocate(rt, allocator, bytes, true, object);
}

int32_t memory_client_quota(struct rt *rt, struct frame_allocator allocator,
                            struct memory_quota *quota)
{
    struct frame_allocator_info_results_reader results;
    struct client client;

    client_open(&client, rt, allocator.cap, CLIENT_ROOM_SMALL);
    (void)frame_allocator_info_request(&client.call);
    results = frame_allocator_info_invoke(&client.call);
    quota->charged = frame_allocator_info_results_get_charged_frames(results);
    quota->limit = frame_allocator_info_results_get_limit_frames(results);
    return client_close(&client);
}

int32_t memory_client_map_object(struct rt *rt, struct virtual_memory memory,
                                 struct memory_part part, enum memory_protection protection,
                                 struct memory_range *range)
{
    struct virtual_memory_map_params_builder params;
    struct client client;

    client_open(&client, rt, memory.cap, CLIENT_ROOM_SMALL);
    params = virtual_memory_map_request(&client.call);
    virtual_memory_map_params_set_object(params,
                                         client_pass(&client, part.object.cap, TRANSFER_COPY));
    virtual_memory_map_params_set_object_offset(params, part.offset);
    virtual_memory_map_params_set_size_bytes(params, range->bytes);
    virtual_memory_map_params_set_protection(params, protection);
    virtual_memory_map_params_set_address_hint(params, range->address);
    virtual_memory_map_params_set_fixed(params, range->address != 0);
    range->address =
        virtual_memory_map_results_get_address(virtual_memory_map_invoke(&client.call));
    return client_close(&client);
}

int32_t memory_client_slice(struct rt *rt, struct memory_part part, uint64_t bytes,
                            struct memory_object *slice)
{
    struct memory_object_slice_params_builder params;
    struct memory_object_slice_results_reader results;
    struct client client;

    client_open(&client, rt, part.object.cap, CLIENT_ROOM_SMALL);
    params = memory_object_slice_request(&client.call);
    memory_object_slice_params_set_offset(params, part.offset);
    memory_object_slice_params_set_size_bytes(params, bytes);
    results = memory_object_slice_invoke(&client.call);
    slice->cap = client_received(&client, memory_object_slice_results_get_object(results));
    return client_close(&client);
}

int32_t memory_client_info(struct rt *rt, struct memory_object object, struct memory_extent *extent)
{
    struct memory_object_info_results_reader results;
    struct client client;

    client_open(&client, rt, object.cap, CLIENT_ROOM_SMALL);
    (void)memory_object_info_request(&client.call);
    results = memory_object_info_invoke(&client.call);
    extent->bytes = memory_object_info_results_get_size_bytes(results);
    extent->contiguous = memory_object_info_results_get_contiguous(results);
    extent->mappings = memory_object_info_results_get_mappings(results);
    return client_close(&client);
}

int32_t memory_client_write(struct rt *rt, struct memory_object object, uint64_t offset,
                            struct capn_data bytes)
{
    struct memory_object_write_params_builder params;
    struct client client;

    client_open(&client, rt, object.cap,
                (struct client_room){.request_bytes = 1024, .answer_bytes = 512});
    params = memory_object_write_request(&client.call);
    memory_object_write_params_set_offset(params, offset);
    memory_object_write_params_set_bytes(params, bytes);
    (void)memory_object_write_invoke(&client.call);
    return client_close(&client);
}

int32_t memory_client_read(struct rt *rt, struct memory_object object, uint64_t offset, uint8_t *to,
                           uint32_t length)
{
    struct memory_object_read_params_builder params;
    struct capn_data bytes;
    struct client client;
    int32_t outcome;

    client_open(&client, rt, object.cap,
                (struct client_room){.request_bytes = 256, .answer_bytes = 1024});
    params = memory_object_read_request(&client.call);
    memory_object_read_params_set_offset(params, offset);
    memory_object_read_params_set_max_bytes(params, length);
    bytes = memory_object_read_results_get_bytes(memory_object_read_invoke(&client.call));
    if (client.call.status == TRANSPORT_OK && bytes.length == length) {
        memcpy(to, bytes.bytes, length);
    }
    outcome = client_close(&client);
    return outcome == TRANSPORT_OK && bytes.length != length ? TRANSPORT_BAD_MESSAGE : outcome;
}
