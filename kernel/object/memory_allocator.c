/* SPDX-License-Identifier: MIT */
/* FrameAllocator: quota becomes memory objects. */
#include "kernel/dispatch/call.h"
#include "kernel/mem/frames.h"
#include "kernel/object/facet.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/object/memory_object.h"
#include "schema/generated/exception.capnp.h"

static enum capn_dispatch
allocator_allocate(void *object, struct capn_request *request,
                   struct frame_allocator_allocate_params_reader params,
                   struct frame_allocator_allocate_results_builder results)
{
    struct account *account = call_of(request)->caller->process->account;
    uint64_t bytes = frame_allocator_allocate_params_get_size_bytes(params);
    uint64_t most = (uint64_t)MEMORY_PAGES_MAX * LIMIT_PAGE_BYTES;
    struct memory_object *memory;
    struct hold_edge edge;
    enum status status;

    (void)object;
    if (bytes == 0 || bytes > most) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, most, bytes);
    }
    if (bytes % LIMIT_PAGE_BYTES != 0) {
        return call_refuse(request, EXCEPTION_REASON_MISALIGNED, LIMIT_PAGE_BYTES, bytes);
    }
    if (frame_allocator_allocate_params_get_contiguous(params) && bytes > LIMIT_PAGE_BYTES) {
        return call_refuse(request, EXCEPTION_REASON_UNSUPPORTED, LIMIT_PAGE_BYTES, bytes);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    status = memory_object_create(account, bytes / LIMIT_PAGE_BYTES, &memory);
    if (status == STATUS_LIMIT) {
        return call_refuse_ledger(request, LEDGER_FRAMES,
                                  memory_object_frames_most(bytes / LIMIT_PAGE_BYTES));
    }
    if (status != STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, bytes);
    }
    edge = object_edge(&memory->object, MEMORY_OBJECT_INTERFACE_ID, CAP_FACET_ALL, 0);
    edge_mode_set(&edge, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    object_unref(&memory->object);
    frame_allocator_allocate_results_set_object(
        results, call_result_cap(call_of(request), &edge, FRAME_ALLOCATOR_ALLOCATE_PATH_OBJECT));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch allocator_info(void *object, struct capn_request *request,
                                         struct frame_allocator_info_params_reader params,
                                         struct frame_allocator_info_results_builder results)
{
    struct ledger_line line =
        account_line(call_of(request)->caller->process->account, LEDGER_FRAMES);
    struct frames_census census;

    (void)object;
    (void)params;
    frames_census_take(&census);
    frame_allocator_info_results_set_free_frames(results, census.free + census.cached);
    frame_allocator_info_results_set_charged_frames(results, line.used + line.reserved);
    frame_allocator_info_results_set_limit_frames(results, line.limit - line.donated);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch allocator_call(struct object *object, struct capn_request *request)
{
    static const struct frame_allocator_server server = {.allocate = allocator_allocate,
                                                         .info = allocator_info};

    return frame_allocator_dispatch(&server, object, request);
}

static const struct object_type allocator_type = {.name = "frame allocator",
                                                  .call = allocator_call,
                                                  .gives = UINT64_C(1)
                                                           << FRAME_ALLOCATOR_METHOD_ALLOCATE};

struct object frame_allocator_object = OBJECT_STATIC(&allocator_type);
