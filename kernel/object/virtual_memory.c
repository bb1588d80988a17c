/* SPDX-License-Identifier: MIT */
/*
 * VirtualMemory: private memory in the caller's own address space. Thin: requests of at most
 * VSPACE_STEP_PAGES pages above LAYOUT_MEMORY; no memory objects, no reservations.
 *
 * unmap and protect answer when every CPU has dropped the old translations: the shootdown's
 * completion, on whatever CPU, starts a job on the caller's CPU, which answers.
 */
#include "kernel/object/virtual_memory.h"

#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/sched/layout.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/memory.capnp.h"

struct change {
    struct unmap unmap;
    struct job job;
    struct operation *operation; /* NULL: the caller is gone, or nobody asked */
    struct cpu *cpu;             /* the caller's */
    unsigned priority;
};

struct range {
    vaddr_t address;
    uint64_t bytes;
    unsigned pages;
};

static struct kmem_cache change_cache;

void virtual_memory_init(void)
{
    kmem_cache_init(&change_cache, "memory change", sizeof(struct change));
}

static bool change_finish(struct job *job)
{
    struct change *change = CONTAINER_OF(job, struct change, job);

    if (change->operation != NULL) {
        struct deferred_answer answer;

        deferred_begin(&answer);
        (void)capn_init_struct(capn_builder_root(&answer.results), (struct capn_size){0, 0});
        deferred_complete(change->operation, &answer);
    }
    kmem_free(&change_cache, change);
    return false;
}

static void change_seen(struct unmap *unmap)
{
    struct change *change = CONTAINER_OF(unmap, struct change, unmap);

    job_start(&change->job, change->cpu, change->priority);
}

static struct change *change_create(struct thread *caller)
{
    struct change *change = kmem_alloc(&change_cache);

    if (change != NULL) {
        change->unmap.complete = change_seen;
        change->job.step = change_finish;
        change->cpu = caller->task.cpu;
        change->priority = caller->task.priority;
    }
    return change;
}

/* Checks a range of the caller's own memory area. */
static bool range_check(struct capn_request *request, struct range *range)
{
    vaddr_t low = arch_vspace_base(&call_of(request)->caller->process->vspace.arch) + LAYOUT_MEMORY;
    uint64_t bytes_max = (uint64_t)VSPACE_STEP_PAGES * LIMIT_PAGE_BYTES;

    if (range->address % LIMIT_PAGE_BYTES != 0 || range->bytes % LIMIT_PAGE_BYTES != 0) {
        (void)call_refuse(request, EXCEPTION_REASON_MISALIGNED, LIMIT_PAGE_BYTES,
                          range->address | range->bytes);
        return false;
    }
    if (range->bytes == 0 || range->bytes > bytes_max) {
        (void)call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, bytes_max, range->bytes);
        return false;
    }
    if (range->address < low || range->address > LIMIT_USER_MAX - range->bytes) {
        (void)call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, low, range->address);
        return false;
    }
    range->pages = (unsigned)(range->bytes / LIMIT_PAGE_BYTES);
    return true;
}

static bool flags_of(struct capn_request *request, uint16_t protection, unsigned *flags)
{
    switch (protection) {
    case MEMORY_PROTECTION_READ:
        *flags = 0;
        return true;
    case MEMORY_PROTECTION_READ_WRITE:
        *flags = ARCH_PAGE_WRITE;
        return true;
    case MEMORY_PROTECTION_READ_EXECUTE:
        *flags = ARCH_PAGE_EXECUTE;
        return true;
    default:
        (void)call_refuse(request, EXCEPTION_REASON_INVALID_ARGUMENT, MEMORY_PROTECTION_COUNT,
                          protection);
        return false;
    }
}

static enum capn_dispatch refuse_status(struct capn_request *request, enum status status)
{
    switch (status) {
    case STATUS_EXISTS:
        return call_refuse(request, EXCEPTION_REASON_ALREADY_EXISTS, 0, 0);
    case STATUS_NOT_FOUND:
        return call_refuse(request, EXCEPTION_REASON_NOT_FOUND, 0, 0);
    case STATUS_LIMIT:
        return call_refuse_ledger(request, LEDGER_FRAMES, 1);
    default:
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
}

/* Maps the whole range or nothing; `undo` is used up either way. */
static enum status map_range(struct vspace *vspace, const struct range *range, unsigned flags,
                             struct change *undo)
{
    for (unsigned i = 0; i < range->pages; i++) {
        enum status status =
            vspace_map_new(vspace, range->address + i * LIMIT_PAGE_BYTES, flags, NULL);

        if (status != STATUS_OK) {
            if (i == 0 || vspace_unmap(vspace, range->address, i, &undo->unmap) != STATUS_OK) {
                kmem_free(&change_cache, undo);
            }
            return status;
        }
    }
    kmem_free(&change_cache, undo);
    return STATUS_OK;
}

static enum capn_dispatch memory_map(void *object, struct capn_request *request,
                                     struct virtual_memory_map_params_reader params,
                                     struct virtual_memory_map_results_builder results)
{
    struct thread *caller = call_of(request)->caller;
    struct range range = {.address = virtual_memory_map_params_get_address_hint(params),
                          .bytes = virtual_memory_map_params_get_size_bytes(params)};
    struct change *undo;
    unsigned flags;
    enum status status;

    (void)object;
    if (virtual_memory_map_params_has_object(params) ||
        !virtual_memory_map_params_get_fixed(params)) {
        return call_refuse(request, EXCEPTION_REASON_UNSUPPORTED, 0, 0);
    }
    if (!range_check(request, &range) ||
        !flags_of(request, virtual_memory_map_params_get_protection(params), &flags)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    undo = change_create(caller);
    status =
        undo == NULL ? STATUS_NO_MEMORY : map_range(&caller->process->vspace, &range, flags, undo);
    if (status != STATUS_OK) {
        return refuse_status(request, status);
    }
    virtual_memory_map_results_set_address(results, range.address);
    return CAPN_DISPATCH_ANSWERED;
}

/* Starts a change that answers later. */
static struct change *change_begin(struct capn_request *request)
{
    struct change *change = change_create(call_of(request)->caller);

    if (change == NULL) {
        (void)call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
        return NULL;
    }
    change->operation = call_defer(request, OPERATION_JOB);
    if (change->operation == NULL) {
        kmem_free(&change_cache, change);
        return NULL;
    }
    change->operation->holder = &change->operation;
    return change;
}

static enum capn_dispatch change_end(struct capn_request *request, struct change *change,
                                     enum status status)
{
    if (status == STATUS_OK) {
        return CAPN_DISPATCH_LATER;
    }
    operation_release(change->operation);
    kmem_free(&change_cache, change);
    return refuse_status(request, status);
}

static enum capn_dispatch memory_unmap(void *object, struct capn_request *request,
                                       struct virtual_memory_unmap_params_reader params,
                                       struct virtual_memory_unmap_results_builder results)
{
    struct vspace *vspace = &call_of(request)->caller->process->vspace;
    struct range range = {.address = virtual_memory_unmap_params_get_address(params),
                          .bytes = virtual_memory_unmap_params_get_size_bytes(params)};
    struct change *change;

    (void)object;
    (void)results;
    if (!range_check(request, &range)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    change = change_begin(request);
    if (change == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    return change_end(request, change,
                      vspace_unmap(vspace, range.address, range.pages, &change->unmap));
}

static enum capn_dispatch memory_protect(void *object, struct capn_request *request,
                                         struct virtual_memory_protect_params_reader params,
                                         struct virtual_memory_protect_results_builder results)
{
    struct vspace *vspace = &call_of(request)->caller->process->vspace;
    struct range range = {.address = virtual_memory_protect_params_get_address(params),
                          .bytes = virtual_memory_protect_params_get_size_bytes(params)};
    struct change *change;
    unsigned flags;

    (void)object;
    (void)results;
    if (!range_check(request, &range) ||
        !flags_of(request, virtual_memory_protect_params_get_protection(params), &flags)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    change = change_begin(request);
    if (change == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    return change_end(request, change,
                      vspace_protect(vspace, range.address, range.pages, flags, &change->unmap));
}

static enum capn_dispatch memory_call(struct object *object, struct capn_request *request)
{
    static const struct virtual_memory_server server = {
        .map = memory_map, .unmap = memory_unmap, .protect = memory_protect};

    return virtual_memory_dispatch(&server, object, request);
}

static const struct object_type memory_type = {.name = "virtual memory", .call = memory_call};

struct object virtual_memory_object = OBJECT_STATIC(&memory_type);
