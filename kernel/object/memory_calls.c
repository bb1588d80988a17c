/* SPDX-License-Identifier: MIT */
/*
 * MemoryObject's methods, and the words of an object that threads wait at. Offsets and sizes of a
 * call are those of the slice that its edge is for.
 */
#include "core/assert.h"
#include "core/checked.h"
#include "core/slice.h"
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/object/memory_object.h"
#include "schema/generated/exception.capnp.h"

bool memory_edge_permits(const struct hold_edge *edge, enum memory_protection protection)
{
    bool permitted = hold_edge_permits(edge, MEMORY_OBJECT_INTERFACE_ID,
                                       MEMORY_OBJECT_METHOD_MAP_READ) == TRANSPORT_OK;

    if (protection == MEMORY_PROTECTION_READ_WRITE) {
        permitted = permitted && hold_edge_permits(edge, MEMORY_OBJECT_INTERFACE_ID,
                                                   MEMORY_OBJECT_METHOD_MAP_WRITE) == TRANSPORT_OK;
    } else if (protection == MEMORY_PROTECTION_READ_EXECUTE) {
        permitted =
            permitted && hold_edge_permits(edge, MEMORY_OBJECT_INTERFACE_ID,
                                           MEMORY_OBJECT_METHOD_MAP_EXECUTE) == TRANSPORT_OK;
    }
    return permitted;
}

static enum capn_dispatch memory_info(void *object, struct capn_request *request,
                                      struct memory_object_info_params_reader params,
                                      struct memory_object_info_results_builder results)
{
    struct memory_object *memory = memory_object_of(object);
    struct slice slice = slice_of(call_of(request)->edge->badge, memory->pages);

    (void)params;
    memory_object_info_results_set_size_bytes(results, slice.pages * LIMIT_PAGE_BYTES);
    memory_object_info_results_set_contiguous(results, memory->contiguous || slice.pages == 1);
    memory_object_info_results_set_mappings(results, memory_object_mappings(memory, slice));
    return CAPN_DISPATCH_ANSWERED;
}

/* Copies between the object and the kernel's memory, all or nothing: every frame exists before the
 * first byte moves. The range was checked. */
struct memory_copy {
    uint8_t *to;         /* or */
    const uint8_t *from; /* of the kernel; the other is NULL */
    uint64_t offset;
    uint64_t bytes;
};

static enum status memory_copy(struct memory_object *memory, struct memory_copy copy)
{
    uint64_t last = copy.bytes == 0 ? 0 : (copy.offset + copy.bytes - 1) / LIMIT_PAGE_BYTES;
    paddr_t frame;

    for (uint64_t page = copy.offset / LIMIT_PAGE_BYTES; copy.bytes > 0 && page <= last; page++) {
        if (memory_object_frame(memory, page, &frame) != STATUS_OK) {
            return STATUS_NO_MEMORY;
        }
    }
    while (copy.bytes > 0) {
        uint64_t within = copy.offset % LIMIT_PAGE_BYTES;
        uint64_t chunk = LIMIT_PAGE_BYTES - within;
        enum status status = memory_object_frame(memory, copy.offset / LIMIT_PAGE_BYTES, &frame);
        uint8_t *bytes = (uint8_t *)arch_frame_pointer(frame) + within;

        ASSERT(status == STATUS_OK);
        chunk = chunk < copy.bytes ? chunk : copy.bytes;
        if (copy.to != NULL) {
            memcpy(copy.to, bytes, chunk);
            copy.to += chunk;
        } else {
            memcpy(bytes, copy.from, chunk);
            copy.from += chunk;
        }
        copy.offset += chunk;
        copy.bytes -= chunk;
    }
    return STATUS_OK;
}

uint64_t memory_edge_bytes(const struct hold_edge *edge)
{
    return slice_of(edge->badge, memory_object_of(edge->object)->pages).pages * LIMIT_PAGE_BYTES;
}

enum status memory_edge_read(const struct hold_edge *edge, uint64_t offset, uint8_t *to,
                             uint64_t bytes)
{
    bool reached = slice_reach(edge->badge, &offset);

    ASSERT(reached || bytes == 0);
    return memory_copy(memory_object_of(edge->object),
                       (struct memory_copy){.to = to, .offset = offset, .bytes = bytes});
}

static enum capn_dispatch memory_read(void *object, struct capn_request *request,
                                      struct memory_object_read_params_reader params,
                                      struct memory_object_read_results_builder results)
{
    const struct hold_edge *edge = call_of(request)->edge;
    uint64_t size = memory_edge_bytes(edge);
    uint64_t offset = memory_object_read_params_get_offset(params);
    uint64_t bytes = memory_object_read_params_get_max_bytes(params);
    uint8_t *to;

    (void)object;
    if (offset > size) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, size, offset);
    }
    if (bytes == 0 || bytes > MEMORY_OBJECT_READ_MAX) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, MEMORY_OBJECT_READ_MAX, bytes);
    }
    bytes = bytes < size - offset ? bytes : size - offset;
    to = memory_object_read_results_init_bytes(results, bytes);
    if (to == NULL && bytes != 0) {
        return CAPN_DISPATCH_BAD_RESULTS;
    }
    if (memory_edge_read(edge, offset, to, bytes) != STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, bytes);
    }
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch memory_write(void *object, struct capn_request *request,
                                       struct memory_object_write_params_reader params,
                                       struct memory_object_write_results_builder results)
{
    struct memory_object *memory = memory_object_of(object);
    const struct hold_edge *edge = call_of(request)->edge;
    uint64_t size = memory_edge_bytes(edge);
    uint64_t offset = memory_object_write_params_get_offset(params);
    struct capn_data bytes = memory_object_write_params_get_bytes(params);

    (void)results;
    if (!memory_object_write_params_has_bytes(params)) {
        return call_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, 0, 0);
    }
    if (!range_fits(offset, bytes.length, size)) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, size, offset);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    if (bytes.length != 0 && !slice_reach(edge->badge, &offset)) {
        ASSERT(false); /* the range lies in the slice */
    }
    if (memory_copy(memory, (struct memory_copy){.from = bytes.bytes,
                                                 .offset = offset,
                                                 .bytes = bytes.length}) != STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, bytes.length);
    }
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch memory_map_read(void *object, struct capn_request *request,
                                          struct memory_object_map_read_params_reader params,
                                          struct memory_object_map_read_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

static enum capn_dispatch memory_map_write(void *object, struct capn_request *request,
                                           struct memory_object_map_write_params_reader params,
                                           struct memory_object_map_write_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

static enum capn_dispatch
memory_map_execute(void *object, struct capn_request *request,
                   struct memory_object_map_execute_params_reader params,
                   struct memory_object_map_execute_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

static enum capn_dispatch slice_refuse(struct capn_request *request, uint16_t reason,
                                       uint64_t limit, struct slice_range range)
{
    bool offset = reason == EXCEPTION_REASON_MISALIGNED ? range.offset % LIMIT_PAGE_BYTES != 0
                                                        : range.offset >= limit;

    return capn_request_refuse(
        request, (struct capn_refuse_reason){.reason = reason,
                                             .argument = offset ? 0 : 1,
                                             .argument_name = offset ? "offset" : "sizeBytes",
                                             .limit = limit,
                                             .amount = offset ? range.offset : range.bytes});
}

static enum capn_dispatch memory_slice(void *object, struct capn_request *request,
                                       struct memory_object_slice_params_reader params,
                                       struct memory_object_slice_results_builder results)
{
    const struct hold_edge *from = call_of(request)->edge;
    struct slice_range range = {.offset = memory_object_slice_params_get_offset(params),
                                .bytes = memory_object_slice_params_get_size_bytes(params)};
    struct hold_edge edge;

    switch (slice_edge(from, memory_object_of(object)->pages, range, &edge)) {
    case STATUS_OK:
        break;
    case STATUS_MISALIGNED:
        return slice_refuse(request, EXCEPTION_REASON_MISALIGNED, LIMIT_PAGE_BYTES, range);
    default:
        return slice_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, memory_edge_bytes(from), range);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    edge_ref(&edge);
    memory_object_slice_results_set_object(
        results, call_result_cap(call_of(request), &edge, MEMORY_OBJECT_SLICE_PATH_OBJECT));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch memory_call(struct object *object, struct capn_request *request)
{
    static const struct memory_object_server server = {.info = memory_info,
                                                       .read = memory_read,
                                                       .write = memory_write,
                                                       .map_read = memory_map_read,
                                                       .map_write = memory_map_write,
                                                       .map_execute = memory_map_execute,
                                                       .slice = memory_slice};

    return memory_object_dispatch(&server, object, request);
}

static const uint32_t *memory_word(struct object *object, uint64_t offset)
{
    struct memory_object *memory = CONTAINER_OF(object, struct memory_object, object);
    paddr_t frame;

    if (offset / LIMIT_PAGE_BYTES >= memory->pages ||
        memory_object_frame(memory, offset / LIMIT_PAGE_BYTES, &frame) != STATUS_OK) {
        return NULL;
    }
    return (const uint32_t *)(const void *)((const uint8_t *)arch_frame_pointer(frame) +
                                            offset % LIMIT_PAGE_BYTES);
}

static struct park_waits *memory_waits(struct object *object)
{
    return &memory_object_of(object)->waits;
}

const struct object_type memory_object_type = {
    .name = "memory object",
    .call = memory_call,
    .makes = UINT64_C(1) << MEMORY_OBJECT_METHOD_READ | UINT64_C(1) << MEMORY_OBJECT_METHOD_WRITE |
             UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_READ |
             UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_WRITE |
             UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_EXECUTE,
    .gives = UINT64_C(1) << MEMORY_OBJECT_METHOD_SLICE,
    .word = memory_word,
    .waits = memory_waits,
    .revoke = memory_object_revoke,
    .destroy = memory_object_destroy};
