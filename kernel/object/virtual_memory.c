/* SPDX-License-Identifier: MIT */
/*
 * VirtualMemory: the caller's own address space. The handlers check what a message says on its own;
 * what the space says of it, and the work, is kernel/object/memory_space.c's.
 */
#include "core/checked.h"
#include "kernel/dispatch/call.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/object/memory_space.h"
#include "kernel/sched/layout.h"
#include "schema/generated/exception.capnp.h"

/* A range in bytes, as messages give it. */
struct byte_range {
    uint64_t address;
    uint64_t bytes;
};

/* Whole pages, at least one, LIMIT_REGION_PAGES at most, in the user half; else the request is
 * refused. `placed`: the address means something. */
static bool range_check(struct capn_request *request, struct byte_range range, bool placed,
                        struct change_request *change)
{
    uint64_t bytes_max = (uint64_t)LIMIT_REGION_PAGES * LIMIT_PAGE_BYTES;

    if (range.address % LIMIT_PAGE_BYTES != 0 || range.bytes % LIMIT_PAGE_BYTES != 0) {
        (void)call_refuse(request, EXCEPTION_REASON_MISALIGNED, LIMIT_PAGE_BYTES,
                          range.address | range.bytes);
        return false;
    }
    if (range.bytes == 0 || range.bytes > bytes_max) {
        (void)call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, bytes_max, range.bytes);
        return false;
    }
    if (placed &&
        (range.address < LIMIT_USER_MIN || range.address > LIMIT_USER_MAX - range.bytes)) {
        (void)call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, LIMIT_USER_MAX, range.address);
        return false;
    }
    change->start = range.address / LIMIT_PAGE_BYTES;
    change->pages = range.bytes / LIMIT_PAGE_BYTES;
    return true;
}

static bool protection_check(struct capn_request *request, uint16_t protection,
                             struct change_request *change)
{
    if (protection == MEMORY_PROTECTION_NONE || protection >= MEMORY_PROTECTION_COUNT) {
        (void)call_refuse(request, EXCEPTION_REASON_INVALID_ARGUMENT, MEMORY_PROTECTION_COUNT,
                          protection);
        return false;
    }
    change->protection = (enum memory_protection)protection;
    return true;
}

/* Begins the change; the answer comes later, or the request is refused with nothing changed. */
static enum capn_dispatch change_run(struct capn_request *request,
                                     const struct change_request *change)
{
    struct operation *operation;
    struct capn_refuse_reason reason;

    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    operation = call_defer(request, OPERATION_JOB);
    if (operation == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (!change_begin(call_of(request)->caller, operation, change, &reason)) {
        operation_release(operation);
        return capn_request_refuse(request, reason);
    }
    return CAPN_DISPATCH_LATER;
}

/* The object argument of map: the caller's edge, tested as what it is. False: refused. */
static bool object_argument(struct capn_request *request,
                            struct virtual_memory_map_params_reader params,
                            struct change_request *change, struct hold_edge *edge)
{
    uint64_t offset = virtual_memory_map_params_get_object_offset(params);
    struct slice slice;
    uint16_t reason = EXCEPTION_REASON_NONE;
    uint64_t limit = 0;

    if (!call_argument(request, virtual_memory_map_params_get_object(params), edge)) {
        return false;
    }
    if (edge_permits_as(edge, &memory_object_type, MEMORY_OBJECT_INTERFACE_ID,
                        MEMORY_OBJECT_METHOD_MAP_READ) == TRANSPORT_WRONG_INTERFACE) {
        reason = EXCEPTION_REASON_WRONG_INTERFACE;
    } else if (!memory_edge_permits(edge, change->protection)) {
        reason = EXCEPTION_REASON_METHOD_NOT_IN_FACET;
        limit = edge->facet;
    } else if (offset % LIMIT_PAGE_BYTES != 0) {
        reason = EXCEPTION_REASON_MISALIGNED;
        limit = LIMIT_PAGE_BYTES;
    } else {
        slice = slice_of(edge->badge, memory_object_of(edge->object)->pages);
        change->object_page = slice.first + offset / LIMIT_PAGE_BYTES;
        if (!range_fits(offset / LIMIT_PAGE_BYTES, change->pages, slice.pages)) {
            reason = EXCEPTION_REASON_OUT_OF_RANGE;
            limit = slice.pages * LIMIT_PAGE_BYTES;
        }
    }
    if (reason != EXCEPTION_REASON_NONE) {
        edge_drop(edge);
        (void)call_refuse(request, reason, limit, offset);
        return false;
    }
    change->edge = edge;
    return true;
}

static enum capn_dispatch memory_map(void *object, struct capn_request *request,
                                     struct virtual_memory_map_params_reader params,
                                     struct virtual_memory_map_results_builder results)
{
    struct byte_range range = {.address = virtual_memory_map_params_get_address_hint(params),
                               .bytes = virtual_memory_map_params_get_size_bytes(params)};
    struct change_request change = {.kind = CHANGE_MAP,
                                    .fixed = virtual_memory_map_params_get_fixed(params)};
    struct hold_edge edge = {.object = NULL};
    enum capn_dispatch outcome;

    (void)object;
    (void)results;
    if (!range_check(request, range, change.fixed, &change) ||
        !protection_check(request, virtual_memory_map_params_get_protection(params), &change)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (virtual_memory_map_params_has_object(params) &&
        !object_argument(request, params, &change, &edge)) {
        return CAPN_DISPATCH_REFUSED;
    }
    outcome = change_run(request, &change);
    if (outcome != CAPN_DISPATCH_LATER && edge.object != NULL) {
        edge_drop(&edge);
    }
    return outcome;
}

static enum capn_dispatch memory_unmap(void *object, struct capn_request *request,
                                       struct virtual_memory_unmap_params_reader params,
                                       struct virtual_memory_unmap_results_builder results)
{
    struct byte_range range = {.address = virtual_memory_unmap_params_get_address(params),
                               .bytes = virtual_memory_unmap_params_get_size_bytes(params)};
    struct change_request change = {.kind = CHANGE_UNMAP};

    (void)object;
    (void)results;
    return range_check(request, range, true, &change) ? change_run(request, &change)
                                                      : CAPN_DISPATCH_REFUSED;
}

static enum capn_dispatch memory_protect(void *object, struct capn_request *request,
                                         struct virtual_memory_protect_params_reader params,
                                         struct virtual_memory_protect_results_builder results)
{
    struct byte_range range = {.address = virtual_memory_protect_params_get_address(params),
                               .bytes = virtual_memory_protect_params_get_size_bytes(params)};
    struct change_request change = {.kind = CHANGE_PROTECT};

    (void)object;
    (void)results;
    if (!range_check(request, range, true, &change) ||
        !protection_check(request, virtual_memory_protect_params_get_protection(params), &change)) {
        return CAPN_DISPATCH_REFUSED;
    }
    return change_run(request, &change);
}

static enum capn_dispatch memory_reserve(void *object, struct capn_request *request,
                                         struct virtual_memory_reserve_params_reader params,
                                         struct virtual_memory_reserve_results_builder results)
{
    struct byte_range range = {.address = virtual_memory_reserve_params_get_address_hint(params),
                               .bytes = virtual_memory_reserve_params_get_size_bytes(params)};
    struct change_request change = {.fixed = virtual_memory_reserve_params_get_fixed(params)};
    struct capn_refuse_reason reason;

    (void)object;
    if (!range_check(request, range, change.fixed, &change)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    if (!memory_space_reserve(call_of(request)->caller->process, &change, &reason)) {
        return capn_request_refuse(request, reason);
    }
    virtual_memory_reserve_results_set_address(results, change.start * LIMIT_PAGE_BYTES);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch memory_commit(void *object, struct capn_request *request,
                                        struct virtual_memory_commit_params_reader params,
                                        struct virtual_memory_commit_results_builder results)
{
    struct byte_range range = {.address = virtual_memory_commit_params_get_address(params),
                               .bytes = virtual_memory_commit_params_get_size_bytes(params)};
    struct change_request change = {.kind = CHANGE_COMMIT};

    (void)object;
    (void)results;
    if (!range_check(request, range, true, &change) ||
        !protection_check(request, virtual_memory_commit_params_get_protection(params), &change)) {
        return CAPN_DISPATCH_REFUSED;
    }
    return change_run(request, &change);
}

static enum capn_dispatch memory_decommit(void *object, struct capn_request *request,
                                          struct virtual_memory_decommit_params_reader params,
                                          struct virtual_memory_decommit_results_builder results)
{
    struct byte_range range = {.address = virtual_memory_decommit_params_get_address(params),
                               .bytes = virtual_memory_decommit_params_get_size_bytes(params)};
    struct change_request change = {.kind = CHANGE_DECOMMIT};

    (void)object;
    (void)results;
    return range_check(request, range, true, &change) ? change_run(request, &change)
                                                      : CAPN_DISPATCH_REFUSED;
}

static enum capn_dispatch memory_query(void *object, struct capn_request *request,
                                       struct virtual_memory_query_params_reader params,
                                       struct virtual_memory_query_results_builder results)
{
    uint64_t address = virtual_memory_query_params_get_address(params);
    struct memory_space *space = &call_of(request)->caller->process->memory;
    struct memory_region_builder region;
    struct memory_view view;

    (void)object;
    if (!memory_space_query(space, address / LIMIT_PAGE_BYTES, &view)) {
        return call_refuse(request, EXCEPTION_REASON_NOT_FOUND, 0, address);
    }
    region = virtual_memory_query_results_init_region(results);
    memory_region_set_address(region, view.start * LIMIT_PAGE_BYTES);
    memory_region_set_size_bytes(region, view.pages * LIMIT_PAGE_BYTES);
    memory_region_set_protection(region, view.protection);
    memory_region_set_committed(region, view.committed);
    memory_region_set_shared(region, view.shared);
    memory_region_set_object_offset(region, view.object_page * LIMIT_PAGE_BYTES);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch memory_call(struct object *object, struct capn_request *request)
{
    static const struct virtual_memory_server server = {.map = memory_map,
                                                        .unmap = memory_unmap,
                                                        .protect = memory_protect,
                                                        .reserve = memory_reserve,
                                                        .commit = memory_commit,
                                                        .decommit = memory_decommit,
                                                        .query = memory_query};

    return virtual_memory_dispatch(&server, object, request);
}

static const struct object_type memory_type = {.name = "virtual memory",
                                               .call = memory_call,
                                               .makes =
                                                   ~(UINT64_C(1) << VIRTUAL_MEMORY_METHOD_QUERY)};

struct object virtual_memory_object = OBJECT_STATIC(&memory_type);
