/* SPDX-License-Identifier: MIT */
/* ProcessSpawner: checks a SpawnRequest whole, then starts the job that carries it out. */
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/ipc/fault_call.h"
#include "kernel/mem/account.h"
#include "kernel/object/facet.h"
#include "kernel/object/inherit.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/scheduling.h"
#include "kernel/object/spawn.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/process.capnp.h"

/* Refuses with the field named, as in schema/process.capnp. */
static bool refuse(struct capn_request *request, uint16_t reason, const char *field,
                   uint64_t amount)
{
    (void)capn_request_refuse(
        request, (struct capn_refuse_reason){
                     .reason = reason, .argument = 0, .amount = amount, .argument_name = field});
    return false;
}

static bool name_check(struct capn_request *request, struct capn_text name, const char *field)
{
    return manifest_name_is_valid(name) ||
           refuse(request, EXCEPTION_REASON_INVALID_NAME, field, name.length);
}

/* Makes the grant's edge, the caller's until now, the child's: what the request asks of it. */
static bool grant_make(struct capn_request *request, struct spawn_grant *grant,
                       struct process_spawn_grant_reader message)
{
    enum authority_transfer_mode mode = process_spawn_grant_get_transfer_mode(message);
    struct hold_edge source = grant->edge;
    struct edge_gift gift = {.facet = facet_read(process_spawn_grant_get_facet(message)),
                             .badge = process_spawn_grant_get_badge(message),
                             .mode = mode_read(mode),
                             .narrows = process_spawn_grant_has_facet(message),
                             .grantable = mode_is_grantable(mode),
                             .descriptor = grant->exact_slot < CAP_TABLE_WINDOW};

    switch (hold_edge_give(&source, &gift, &grant->edge)) {
    case GIFT_OK:
        return true;
    case GIFT_ERROR_NOT_GRANTABLE:
        return refuse(request, EXCEPTION_REASON_NOT_GRANTABLE, "request.grants.capability",
                      source.interface_id);
    case GIFT_ERROR_FACET:
        return refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, "request.grants.facet",
                      source.facet);
    case GIFT_ERROR_MODE:
        return refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, "request.grants.transferMode",
                      mode);
    case GIFT_ERROR_BADGE:
        return refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, "request.grants.badge",
                      gift.badge);
    default:
        return refuse(request, EXCEPTION_REASON_PERMISSION_DENIED, "request.grants.transferMode",
                      grant->exact_slot);
    }
}

/* Where the plan's last grant goes: above the window, or to a free slot of it. */
static bool slot_check(struct capn_request *request, const struct spawn *spawn)
{
    uint32_t slot = spawn->grant[spawn->grant_count - 1].exact_slot;

    if (slot == SPAWN_SLOT_ANY) {
        return true;
    }
    if (slot >= CAP_TABLE_WINDOW) {
        return refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, "request.grants.exactSlot", slot);
    }
    for (unsigned i = 0; i + 1 < spawn->grant_count; i++) {
        if (spawn->grant[i].exact_slot == slot) {
            return refuse(request, EXCEPTION_REASON_ALREADY_EXISTS, "request.grants.exactSlot",
                          slot);
        }
    }
    return true;
}

/* One grant into the plan; its edge is the plan's from the moment it is counted. */
static bool grant_read(struct capn_request *request, struct spawn *spawn,
                       struct process_spawn_grant_reader message)
{
    struct capn_text name = process_spawn_grant_get_name(message);
    struct spawn_grant *grant = &spawn->grant[spawn->grant_count];

    if (!name_check(request, name, "request.grants.name")) {
        return false;
    }
    memcpy(grant->name, name.bytes, name.length);
    for (unsigned i = 0; i < spawn->grant_count; i++) {
        if (string_equal(spawn->grant[i].name, grant->name)) {
            return refuse(request, EXCEPTION_REASON_ALREADY_EXISTS, "request.grants.name", i);
        }
    }
    if (!call_argument(request, process_spawn_grant_get_capability(message), &grant->edge)) {
        return false;
    }
    grant->source = call_of(request)->transfer[process_spawn_grant_get_capability(message)].cap;
    grant->exact_slot = process_spawn_grant_get_exact_slot(message);
    spawn->grant_count++;
    return grant_make(request, grant, message) && slot_check(request, spawn);
}

/* The argument list, rebuilt as a message of its own in a frame. */
static bool arguments_read(struct capn_request *request, struct spawn *spawn,
                           struct process_spawn_request_reader message)
{
    struct capn_build_segment segment;
    struct capn_builder builder;
    enum status status;

    if (!process_spawn_request_has_arguments(message)) {
        return true;
    }
    spawn->argument_account = spawn->process->account;
    status = account_frame_alloc(spawn->argument_account, &spawn->argument_frame);
    if (status != STATUS_OK) {
        struct ledger_refusal ledger = account_refusal(spawn->argument_account, LEDGER_FRAMES, 1);

        spawn->argument_frame = 0;
        if (status == STATUS_LIMIT) {
            (void)capn_request_refuse(request, call_ledger_reason(&ledger));
            return false;
        }
        return refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, "request.arguments", 0);
    }
    segment = (struct capn_build_segment){.bytes = arch_frame_pointer(spawn->argument_frame),
                                          .capacity_words = LIMIT_PAGE_BYTES / CAPN_WORD_BYTES};
    capn_builder_init(&builder, &segment, 1);
    if (capn_copy(capn_builder_root(&builder), process_spawn_request_at_arguments(message)) !=
        CAPN_OK) {
        return refuse(request, EXCEPTION_REASON_LIMIT_EXCEEDED, "request.arguments",
                      LIMIT_PAGE_BYTES);
    }
    spawn->argument_bytes = capn_builder_words(&builder) * CAPN_WORD_BYTES;
    return true;
}

/* Whether descriptors are inherited, and may be. */
static bool descriptors_read(struct capn_request *request, struct spawn *spawn,
                             struct process_spawn_request_reader message)
{
    uint32_t slot = 0;

    spawn->inherits = process_spawn_request_get_inherit_descriptors(message);
    return !spawn->inherits ||
           descriptors_may_be_inherited(call_of(request)->caller->process, &slot) ||
           refuse(request, EXCEPTION_REASON_PERMISSION_DENIED, "request.inheritDescriptors", slot);
}

static bool grants_read(struct capn_request *request, struct spawn *spawn,
                        struct process_spawn_request_reader message)
{
    struct process_spawn_grant_list grants = process_spawn_request_get_grants(message);

    if (grants.raw.count > LIMIT_GRANTS) {
        return refuse(request, EXCEPTION_REASON_LIMIT_EXCEEDED, "request.grants", grants.raw.count);
    }
    for (uint32_t i = 0; i < grants.raw.count; i++) {
        if (!grant_read(request, spawn, process_spawn_grant_list_get(grants, i))) {
            return false;
        }
    }
    return true;
}

/* Where the program comes from, into the plan; *file has references if the plan names it. */
static bool image_read(struct capn_request *request, struct process_spawn_request_reader message,
                       struct spawn_plan *plan, struct hold_edge *file)
{
    struct process_spawn_request_image_reader image = process_spawn_request_get_image(message);
    enum transport_error error;

    if (process_spawn_request_image_which(image) != PROCESS_SPAWN_REQUEST_IMAGE_WHICH_OBJECT) {
        plan->binary = process_spawn_request_image_get_boot_binary(image);
        return true;
    }
    if (!call_argument(request, process_spawn_request_image_get_object(image), file)) {
        return false;
    }
    error = edge_permits_as(file, &memory_object_type, MEMORY_OBJECT_INTERFACE_ID,
                            MEMORY_OBJECT_METHOD_READ);
    if (error != TRANSPORT_OK) {
        edge_drop(file);
        return refuse(request,
                      error == TRANSPORT_NO_METHOD ? EXCEPTION_REASON_METHOD_NOT_IN_FACET
                                                   : EXCEPTION_REASON_WRONG_INTERFACE,
                      "request.image.object", MEMORY_OBJECT_METHOD_READ);
    }
    plan->file = file;
    return true;
}

/* What an edge that may not be told of faults is refused with. */
static uint16_t fault_reason(enum transport_error error)
{
    switch (error) {
    case TRANSPORT_NO_METHOD:
        return EXCEPTION_REASON_METHOD_NOT_IN_FACET;
    case TRANSPORT_NOT_GRANTABLE:
        return EXCEPTION_REASON_NOT_GRANTABLE;
    case TRANSPORT_TOO_LARGE:
        return EXCEPTION_REASON_LIMIT_EXCEEDED;
    default:
        return EXCEPTION_REASON_WRONG_INTERFACE;
    }
}

/* Who is told of the child's faults. The edge is the child's from here on. */
static bool fault_read(struct capn_request *request, struct spawn *spawn,
                       struct process_spawn_request_reader message)
{
    struct process *child = spawn->process;
    enum transport_error error;
    struct hold_edge named;
    struct hold_edge told;

    if (!process_spawn_request_has_fault_endpoint(message)) {
        return true;
    }
    if (!call_argument(request, process_spawn_request_get_fault_endpoint(message), &named)) {
        return false;
    }
    error = fault_edge_make(&named, &told);
    edge_drop(&named);
    if (error != TRANSPORT_OK) {
        return refuse(request, fault_reason(error), "request.faultEndpoint", FAULT_MESSAGE_BYTES);
    }
    spinlock_lock(&child->lock);
    child->fault_edge = told;
    spinlock_unlock(&child->lock);
    return true;
}

static struct ledger_amounts quotas_read(struct authority_quotas_reader from)
{
    return (struct ledger_amounts){{
        [LEDGER_SLOTS] = authority_quotas_get_slots(from),
        [LEDGER_FRAMES] = authority_quotas_get_frames(from),
        [LEDGER_RING_BYTES] = authority_quotas_get_ring_bytes(from),
        [LEDGER_ENDPOINT_QUEUE] = authority_quotas_get_endpoint_queue(from),
        [LEDGER_OUTSTANDING_CALLS] = authority_quotas_get_outstanding_calls(from),
        [LEDGER_SCRATCH_BYTES] = authority_quotas_get_scratch_bytes(from),
        [LEDGER_THREADS] = authority_quotas_get_threads(from),
        [LEDGER_LOG_BYTES] = authority_quotas_get_log_bytes(from),
        [LEDGER_GRANT_NODES] = authority_quotas_get_grant_nodes(from),
        [LEDGER_CPU_PERMILLE] = authority_quotas_get_cpu_permille(from),
    }};
}

/* The plan of a request whose image was read; refuses. */
static bool plan_make(struct capn_request *request, struct process_spawn_request_reader message,
                      struct spawn_plan *asked, struct spawn **spawn)
{
    struct spawn_plan plan = *asked;
    struct spawn_refusal refusal;

    if (!scheduling_read_new(request, process_spawn_request_has_scheduling(message),
                             process_spawn_request_get_scheduling(message), &plan.scheduling)) {
        return false;
    }
    if (!process_spawn_request_has_quotas(message)) {
        return refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, "request.quotas", 0);
    }
    plan.restart_count = process_spawn_request_get_restart_count(message);
    plan.parent = call_of(request)->caller->process;
    plan.amounts = quotas_read(process_spawn_request_get_quotas(message));
    switch (spawn_create(&plan, spawn, &refusal)) {
    case STATUS_OK:
        return true;
    case STATUS_NOT_FOUND:
        return refuse(request, EXCEPTION_REASON_NOT_FOUND, "request.image.bootBinary", plan.binary);
    case STATUS_CORRUPT:
        (void)capn_request_refuse(request,
                                  (struct capn_refuse_reason){.reason = EXCEPTION_REASON_BAD_IMAGE,
                                                              .argument = 0,
                                                              .argument_name = "request.image",
                                                              .detail = refusal.image});
        return false;
    case STATUS_LIMIT:
        (void)capn_request_refuse(request, call_ledger_reason(&refusal.ledger));
        return false;
    default:
        return refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, NULL, 0);
    }
}

static bool plan_create(struct capn_request *request, struct process_spawn_request_reader message,
                        struct spawn **spawn)
{
    struct capn_text name = process_spawn_request_get_name(message);
    struct spawn_plan plan = {.name = name.bytes, .name_bytes = name.length};
    struct hold_edge file;

    if (!name_check(request, name, "request.name")) {
        return false;
    }
    if (!image_read(request, message, &plan, &file)) {
        return false;
    }
    if (!plan_make(request, message, &plan, spawn)) {
        if (plan.file != NULL) {
            edge_drop(&file);
        }
        return false;
    }
    return true;
}

/* The caller's slot for the handle, then the operation: the last two things that can fail. */
static bool plan_reserve(struct capn_request *request, struct spawn *spawn)
{
    struct process *process = call_of(request)->caller->process;
    struct ledger_refusal ledger;

    switch (process_slots_reserve(process, 1, &ledger)) {
    case TRANSPORT_OK:
        break;
    case TRANSPORT_LIMIT:
        (void)capn_request_refuse(request, call_ledger_reason(&ledger));
        return false;
    default:
        return refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, NULL, 0);
    }
    spawn->operation = call_defer(request, OPERATION_JOB);
    if (spawn->operation == NULL) {
        spinlock_lock(&process->lock);
        cap_table_unreserve(&process->table, 1);
        spinlock_unlock(&process->lock);
        return false;
    }
    spawn->operation->holder = &spawn->operation;
    spawn->through = call_of(request)->edge->grant;
    spawn->epoch = call_of(request)->edge->epoch;
    grant_ref(spawn->through);
    spawn->caller = process;
    object_ref(&process->object);
    return true;
}

static enum capn_dispatch spawner_spawn(void *object, struct capn_request *request,
                                        struct process_spawner_spawn_params_reader params,
                                        struct process_spawner_spawn_results_builder results)
{
    struct process_spawn_request_reader message = process_spawner_spawn_params_get_request(params);
    struct spawn *spawn;

    (void)object;
    (void)results;
    if (!process_spawner_spawn_params_has_request(params)) {
        return call_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, 0, 0);
    }
    if (!plan_create(request, message, &spawn)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (!descriptors_read(request, spawn, message) || !grants_read(request, spawn, message) ||
        !fault_read(request, spawn, message) || !arguments_read(request, spawn, message)) {
        spawn_discard(spawn);
        return CAPN_DISPATCH_REFUSED;
    }
    if (capn_request_is_malformed(request)) {
        spawn_discard(spawn);
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    if (!plan_reserve(request, spawn)) {
        spawn_discard(spawn);
        return CAPN_DISPATCH_REFUSED;
    }
    spawn_start(spawn);
    return CAPN_DISPATCH_LATER;
}

static enum capn_dispatch spawner_call(struct object *object, struct capn_request *request)
{
    static const struct process_spawner_server server = {.spawn = spawner_spawn};

    return process_spawner_dispatch(&server, object, request);
}

static const struct object_type spawner_type = {.name = "process spawner",
                                                .call = spawner_call,
                                                .makes = UINT64_C(1)
                                                         << PROCESS_SPAWNER_METHOD_SPAWN,
                                                .revoke = spawns_revoke};

struct object process_spawner_object = OBJECT_STATIC(&spawner_type);
