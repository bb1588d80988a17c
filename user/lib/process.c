/* SPDX-License-Identifier: MIT */
/* ProcessSpawner and ProcessHandle. */
#include "user/lib/process.h"

#include "core/format.h"
#include "user/lib/facet.h"
#include "user/lib/scheduling.h"

static void grants_set(struct client *client, struct process_spawn_request_builder builder,
                       const struct process_request *request)
{
    struct process_spawn_grant_builder_list list =
        process_spawn_request_init_grants(builder, request->grant_count);

    for (uint32_t i = 0; i < request->grant_count; i++) {
        const struct process_grant *grant = &request->grants[i];
        struct process_spawn_grant_builder entry = process_spawn_grant_list_edit(list, i);

        process_spawn_grant_set_name(entry, grant->name);
        process_spawn_grant_set_capability(entry, client_pass(client, grant->cap, TRANSFER_COPY));
        facet_client_set(process_spawn_grant_init_facet(entry), grant->facet);
        process_spawn_grant_set_badge(entry, grant->badge);
        process_spawn_grant_set_transfer_mode(entry, (enum authority_transfer_mode)grant->mode);
        if (grant->at != 0) {
            process_spawn_grant_set_exact_slot(entry, grant->at - 1);
        }
    }
}

static void quotas_set(struct authority_quotas_builder builder,
                       const struct manifest_quotas *quotas)
{
    authority_quotas_set_slots(builder, quotas->slots);
    authority_quotas_set_frames(builder, quotas->frames);
    authority_quotas_set_ring_bytes(builder, quotas->ring_bytes);
    authority_quotas_set_endpoint_queue(builder, quotas->endpoint_queue);
    authority_quotas_set_outstanding_calls(builder, quotas->outstanding_calls);
    authority_quotas_set_scratch_bytes(builder, quotas->scratch_bytes);
    authority_quotas_set_threads(builder, quotas->threads);
    authority_quotas_set_log_bytes(builder, quotas->log_bytes);
    authority_quotas_set_grant_nodes(builder, quotas->grant_nodes);
    authority_quotas_set_cpu_permille(builder, quotas->cpu_permille);
}

static void request_set(struct client *client, const struct process_request *request)
{
    struct process_spawn_request_builder builder =
        process_spawner_spawn_params_init_request(process_spawner_spawn_request(&client->call));
    struct capn_list_builder arguments;

    process_spawn_request_set_name(builder, request->name);
    if (request->image.raw == 0) {
        process_spawn_request_image_set_boot_binary(process_spawn_request_init_image(builder),
                                                    request->boot_binary);
    } else {
        process_spawn_request_image_set_object(process_spawn_request_init_image(builder),
                                               client_pass(client, request->image, TRANSFER_COPY));
    }
    grants_set(client, builder, request);
    if (request->fault_endpoint.raw != 0) {
        process_spawn_request_set_fault_endpoint(
            builder, client_pass(client, request->fault_endpoint, TRANSFER_COPY));
    }
    arguments = process_spawn_request_init_arguments(builder, request->argument_count);
    for (uint32_t i = 0; i < request->argument_count; i++) {
        capn_list_set_text(arguments, i, request->arguments[i]);
    }
    process_spawn_request_set_restart_count(builder, request->restart_count);
    process_spawn_request_set_inherit_descriptors(builder, request->inherits_descriptors);
    quotas_set(process_spawn_request_init_quotas(builder), &request->quotas);
    scheduling_client_set(process_spawn_request_init_scheduling(builder), &request->scheduling);
}

int32_t process_client_spawn(struct rt *rt, struct process_spawner spawner,
                             const struct process_request *request, struct process_handle *handle)
{
    struct client_room room = CLIENT_ROOM_SMALL;
    struct process_spawner_spawn_results_reader results;
    struct client client;

    if (request->grant_count > LIMIT_TRANSFERS) {
        return TRANSPORT_TOO_LARGE;
    }
    room.request_bytes = LIMIT_CALL_BYTES;
    client_open(&client, rt, spawner.cap, room);
    request_set(&client, request);
    results = process_spawner_spawn_invoke(&client.call);
    handle->cap = client_received(&client, process_spawner_spawn_results_get_process(results));
    if (client.call.status == TRANSPORT_OK && handle->cap.raw == 0) {
        client.call.status = TRANSPORT_BAD_MESSAGE;
    }
    return client_close(&client);
}

int32_t process_client_wait_begin(struct rt *rt, struct process_handle handle, uint64_t timeout_ns,
                                  struct client *client)
{
    client_open(client, rt, handle.cap, CLIENT_ROOM_SMALL);
    process_handle_wait_params_set_timeout_ns(process_handle_wait_request(&client->call),
                                              timeout_ns);
    return client_submit(client);
}

int32_t process_client_wait_end(struct client *client, struct process_end *end)
{
    struct process_exit_report_reader report;
    struct process_fault_report_reader fault;

    *end = (struct process_end){.code = 0};
    if (client->call.status == TRANSPORT_OK && client_finish(client) == TRANSPORT_OK) {
        report = process_handle_wait_results_get_exit(process_handle_wait_response(&client->call));
        fault = process_exit_report_get_fault(report);
        *end = (struct process_end){
            .kind = process_exit_report_get_kind(report),
            .code = process_exit_report_get_code(report),
            .fault_vector = process_fault_report_get_vector(fault),
            .fault_address = process_fault_report_get_address(fault),
            .peak_frames = process_exit_report_get_peak_frames(report),
        };
    }
    return client_close(client);
}

int32_t process_client_wait_limited(struct rt *rt, struct process_handle handle,
                                    uint64_t timeout_ns, struct process_end *end)
{
    struct client client;

    (void)process_client_wait_begin(rt, handle, timeout_ns, &client);
    return process_client_wait_end(&client, end);
}

int32_t process_client_wait(struct rt *rt, struct process_handle handle, struct process_end *end)
{
    return process_client_wait_limited(rt, handle, TIMEOUT_NONE, end);
}

int32_t process_client_info(struct rt *rt, struct process_handle handle, struct process_info *info)
{
    struct process_handle_info_results_reader results;
    struct client client;

    *info = (struct process_info){.pid = 0};
    client_open(&client, rt, handle.cap, CLIENT_ROOM_SMALL);
    (void)process_handle_info_request(&client.call);
    results = process_handle_info_invoke(&client.call);
    if (client.call.status == TRANSPORT_OK) {
        *info = (struct process_info){
            .pid = process_handle_info_results_get_pid(results),
            .kind = process_handle_info_results_get_kind(results),
            .threads = process_handle_info_results_get_threads(results),
            .slots = process_handle_info_results_get_slots(results),
            .frames = process_handle_info_results_get_frames(results),
            .restart_count = process_handle_info_results_get_restart_count(results),
        };
    }
    return client_close(&client);
}

int32_t process_client_kill(struct rt *rt, struct process_handle handle, int32_t code)
{
    struct client client;

    client_open(&client, rt, handle.cap, CLIENT_ROOM_SMALL);
    process_handle_kill_params_set_code(process_handle_kill_request(&client.call), code);
    (void)process_handle_kill_invoke(&client.call);
    return client_close(&client);
}

void process_end_text(const struct process_end *end, char *text, size_t size)
{
    switch (end->kind) {
    case PROCESS_EXIT_KIND_EXITED:
        (void)format_text(text, size, "exited with %d", end->code);
        break;
    case PROCESS_EXIT_KIND_KILLED:
        (void)format_text(text, size, "was killed with %d", end->code);
        break;
    case PROCESS_EXIT_KIND_FAULTED:
        (void)format_text(text, size, "faulted");
        break;
    default:
        (void)format_text(text, size, "ended in an unknown way");
        break;
    }
}
