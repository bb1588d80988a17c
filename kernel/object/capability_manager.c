/* SPDX-License-Identifier: MIT */
/*
 * CapabilityManager: the caller's own table, told to itself. There is one object for all: whose
 * table it tells is decided by who calls.
 */
#include "core/format.h"
#include "kernel/dispatch/call.h"
#include "kernel/object/facet.h"
#include "kernel/object/kernel_objects.h"
#include "schema/generated/capability.capnp.h"
#include "schema/generated/exception.capnp.h"

enum {
    LIST_EDGES = 12,  /* of one answer: some 600 instructions each, with the table locked */
    LIST_STEPS = 256, /* slots looked at for one answer */
    WHY_STEPS = 16,   /* of one answer */
    LINE_BYTES = 64,  /* of text that names a line of the manifest */
};

_Static_assert((int)EDGE_ORIGIN_MANIFEST == (int)CAPABILITY_EDGE_ORIGIN_MANIFEST &&
                   (int)EDGE_ORIGIN_SPAWN == (int)CAPABILITY_EDGE_ORIGIN_SPAWN &&
                   (int)EDGE_ORIGIN_TRANSFER == (int)CAPABILITY_EDGE_ORIGIN_TRANSFER &&
                   (int)EDGE_ORIGIN_RESULT == (int)CAPABILITY_EDGE_ORIGIN_RESULT &&
                   (int)EDGE_ORIGIN_DUPLICATE == (int)CAPABILITY_EDGE_ORIGIN_DUPLICATE &&
                   (int)EDGE_ORIGIN_KERNEL == (int)CAPABILITY_EDGE_ORIGIN_KERNEL,
               "the schema's numbers are core's");

static struct capn_text text_of(const char *text, size_t length_max)
{
    return (struct capn_text){text, string_length(text, length_max)};
}

static void edge_info_fill(struct capability_edge_info_builder info, const struct cap_entry *entry)
{
    const struct hold_edge *edge = &entry->edge;
    struct authority_facet_builder facet;

    capability_edge_info_set_cap_id(info, entry->id.raw);
    capability_edge_info_set_interface_id(info, edge->interface_id);
    facet = capability_edge_info_init_facet(info);
    if (edge->facet == CAP_FACET_ALL) {
        authority_facet_set_all(facet);
    } else {
        authority_facet_set_methods(facet, edge->facet);
    }
    capability_edge_info_set_badge(info, edge->badge);
    capability_edge_info_set_transfer_mode(info, edge_mode_get(edge));
    capability_edge_info_set_origin(info, (enum capability_edge_origin)entry->origin.origin);
    capability_edge_info_set_revoked(info, entry->revoked);
    capability_edge_info_set_close_on_spawn(info, (edge->flags & EDGE_CLOSE_ON_SPAWN) != 0);
    if (edge->object != NULL) {
        const char *name = ((const struct object *)edge->object)->type->name;

        capability_edge_info_set_object_name(info, text_of(name, LIMIT_NAME_BYTES));
        capability_edge_info_set_grant_depth(info, (uint16_t)grant_depth(edge->grant));
    }
}

/* How many edges lie from `cursor` on, as far as one answer goes. Table's lock held. */
static uint32_t edges_count(struct cap_table *table, uint32_t cursor, uint32_t edges_max)
{
    uint32_t end = cursor + LIST_STEPS;
    uint32_t count = 0;
    struct cap_entry entry;
    bool found;

    while (count < edges_max && cursor < end &&
           cap_table_next(table, &cursor, end - cursor, &entry, &found)) {
        count += found;
    }
    return count;
}

static enum capn_dispatch manager_list(void *object, struct capn_request *request,
                                       struct capability_manager_list_params_reader params,
                                       struct capability_manager_list_results_builder results)
{
    struct process *process = call_of(request)->caller->process;
    uint32_t edges_max = capability_manager_list_params_get_max_edges(params);
    uint32_t cursor = capability_manager_list_params_get_first_slot(params);
    struct capability_edge_info_builder_list list;
    uint32_t end;
    uint32_t count;
    bool more = true;

    (void)object;
    if (edges_max == 0 || edges_max > CAPABILITY_LIST_MAX) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, CAPABILITY_LIST_MAX, edges_max);
    }
    edges_max = edges_max < LIST_EDGES ? edges_max : LIST_EDGES;
    cursor = cursor < LIMIT_TABLE_SLOTS ? cursor : LIMIT_TABLE_SLOTS;
    end = cursor + LIST_STEPS;
    spinlock_lock(&process->lock);
    count = edges_count(&process->table, cursor, edges_max);
    list = capability_manager_list_results_init_edges(results, count);
    for (uint32_t i = 0; more && (i < count || (i < edges_max && cursor < end));) {
        struct cap_entry entry;
        bool found;

        more = cap_table_next(&process->table, &cursor, end - cursor, &entry, &found);
        if (found) {
            edge_info_fill(capability_edge_info_list_edit(list, i++), &entry);
        }
    }
    spinlock_unlock(&process->lock);
    capability_manager_list_results_set_next_slot(results,
                                                  more && cursor < LIMIT_TABLE_SLOTS ? cursor : 0);
    return CAPN_DISPATCH_ANSWERED;
}

/* The record of the edge `id` of `process`; false: there is no such edge any more. */
static bool step_find(struct process *process, struct cap_id id, struct provenance *step)
{
    const struct provenance *origin;

    spinlock_lock(&process->lock);
    origin = cap_table_origin(&process->table, id);
    if (origin != NULL) {
        *step = *origin;
    }
    spinlock_unlock(&process->lock);
    return origin != NULL;
}

/* The record before `step`: that of the edge it was made of. False: the chain ends here. */
static bool step_before(const struct provenance *step, struct provenance *before)
{
    struct process *process = process_find(step->from_pid);
    bool found = false;

    if (process != NULL) {
        found = step_find(process, step->from_cap, before);
        object_unref(&process->object);
    }
    return found;
}

static bool step_is_last(const struct provenance *step)
{
    return step->origin == EDGE_ORIGIN_MANIFEST || step->origin == EDGE_ORIGIN_KERNEL;
}

static void step_fill(struct capability_provenance_step_builder info, const struct provenance *step)
{
    char line[LINE_BYTES];

    capability_provenance_step_set_origin(info, (enum capability_edge_origin)step->origin);
    capability_provenance_step_set_from_process(info, text_of(step->from_name, LIMIT_NAME_BYTES));
    capability_provenance_step_set_from_pid(info, step->from_pid);
    capability_provenance_step_set_at_ns(info, step->at_ns);
    capability_provenance_step_set_method(info, (uint16_t)step->method);
    if (step->origin == EDGE_ORIGIN_MANIFEST || step->origin == EDGE_ORIGIN_SPAWN) {
        (void)format_text(line, sizeof(line), "%sgrants[%llu]",
                          step->origin == EDGE_ORIGIN_MANIFEST ? "init." : "",
                          (unsigned long long)step->detail);
        capability_provenance_step_set_manifest_line(info, text_of(line, sizeof(line)));
    } else {
        capability_provenance_step_set_interface_id(info, step->detail);
    }
}

static enum capn_dispatch manager_why(void *object, struct capn_request *request,
                                      struct capability_manager_why_params_reader params,
                                      struct capability_manager_why_results_builder results)
{
    struct cap_id id = {capability_manager_why_params_get_cap_id(params)};
    uint16_t steps_max = capability_manager_why_params_get_max_steps(params);
    struct provenance step[WHY_STEPS];
    struct capability_provenance_step_builder_list list;
    uint32_t count = 1;

    (void)object;
    if (steps_max == 0 || steps_max > CAPABILITY_LIST_MAX) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, CAPABILITY_LIST_MAX, steps_max);
    }
    if (!step_find(call_of(request)->caller->process, id, &step[0])) {
        return call_refuse(request, EXCEPTION_REASON_STALE_CAPABILITY, 0, id.raw);
    }
    while (count < WHY_STEPS && count < steps_max && !step_is_last(&step[count - 1]) &&
           step_before(&step[count - 1], &step[count])) {
        count++;
    }
    list = capability_manager_why_results_init_steps(results, count);
    for (uint32_t i = 0; i < count; i++) {
        step_fill(capability_provenance_step_list_edit(list, i), &step[i]);
    }
    capability_manager_why_results_set_complete(results, step_is_last(&step[count - 1]));
    return CAPN_DISPATCH_ANSWERED;
}

/* Calls that the process's threads have under way, and those they took and have not answered. Its
 * lock is held. */
static void calls_count(struct process *process, uint32_t *out, uint32_t *in)
{
    *out = 0;
    *in = 0;
    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        struct thread *thread = CONTAINER_OF(node, struct thread, process_node);

        spinlock_lock(&thread->ring_lock);
        *out += thread->operations_used;
        for (struct list_node *call = list_first(&thread->received); call != NULL;
             call = list_next(&thread->received, call)) {
            ++*in;
        }
        spinlock_unlock(&thread->ring_lock);
    }
}

static enum capn_dispatch manager_census(void *object, struct capn_request *request,
                                         struct capability_manager_census_params_reader params,
                                         struct capability_manager_census_results_builder results)
{
    struct process *process = call_of(request)->caller->process;
    uint32_t out;
    uint32_t in;

    (void)object;
    (void)params;
    spinlock_lock(&process->lock);
    calls_count(process, &out, &in);
    capability_manager_census_results_set_slots_used(results, process->table.used);
    capability_manager_census_results_set_slots_retired(results, process->table.retired);
    capability_manager_census_results_set_revoked(results, process->table.buried);
    capability_manager_census_results_set_grant_nodes(
        results, cap_table_count(&process->table, CAPABILITY_DELEGATION_INTERFACE_ID));
    spinlock_unlock(&process->lock);
    capability_manager_census_results_set_calls_out(results, out);
    capability_manager_census_results_set_calls_in(results, in);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch manager_ledger(void *object, struct capn_request *request,
                                         struct capability_manager_ledger_params_reader params,
                                         struct capability_manager_ledger_results_builder results)
{
    struct process *process = call_of(request)->caller->process;
    struct capability_ledger_line_builder_list list =
        capability_manager_ledger_results_init_lines(results, LEDGER_LINES);

    (void)object;
    (void)params;
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        struct ledger_line line = account_line(process->account, (enum ledger_line_name)i);
        struct capability_ledger_line_builder to = capability_ledger_line_list_edit(list, i);
        uint64_t used = line.used + line.reserved;

        if (i == LEDGER_SLOTS) { /* the table has taken them all, and knows which it fills */
            spinlock_lock(&process->lock);
            used = process->table.used + process->table.reserved;
            spinlock_unlock(&process->lock);
        }
        capability_ledger_line_set_name(
            to, text_of(ledger_line_text((enum ledger_line_name)i), LIMIT_NAME_BYTES));
        capability_ledger_line_set_used(to, used + line.donated);
        capability_ledger_line_set_limit(to, line.limit);
        capability_ledger_line_set_peak(to, line.peak);
        capability_ledger_line_set_donated(to, line.donated);
    }
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch
manager_set_close_on_spawn(void *object, struct capn_request *request,
                           struct capability_manager_set_close_on_spawn_params_reader params,
                           struct capability_manager_set_close_on_spawn_results_builder results)
{
    struct process *process = call_of(request)->caller->process;
    struct cap_id id = {capability_manager_set_close_on_spawn_params_get_cap_id(params)};
    bool close = capability_manager_set_close_on_spawn_params_get_close_on_spawn(params);
    enum transport_error error;

    (void)object;
    (void)results;
    if (cap_id_slot(id) >= CAP_TABLE_WINDOW) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, CAP_TABLE_WINDOW,
                           cap_id_slot(id));
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    spinlock_lock(&process->lock);
    error = cap_table_set_flags(&process->table, id, close ? EDGE_CLOSE_ON_SPAWN : 0);
    spinlock_unlock(&process->lock);
    if (error != TRANSPORT_OK) {
        return call_refuse(request,
                           error == TRANSPORT_REVOKED ? EXCEPTION_REASON_REVOKED_CAPABILITY
                                                      : EXCEPTION_REASON_STALE_CAPABILITY,
                           0, id.raw);
    }
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch manager_call(struct object *object, struct capn_request *request)
{
    static const struct capability_manager_server server = {.list = manager_list,
                                                            .why = manager_why,
                                                            .census = manager_census,
                                                            .ledger = manager_ledger,
                                                            .set_close_on_spawn =
                                                                manager_set_close_on_spawn};

    return capability_manager_dispatch(&server, object, request);
}

static const struct object_type manager_type = {.name = "capability manager", .call = manager_call};

struct object capability_manager_object = OBJECT_STATIC(&manager_type);
