/* SPDX-License-Identifier: MIT */
/* ProcessSpawner and ProcessHandle. */
#include "user/lib/process.h"

/* Words of a SpawnRequest without its texts, and of each grant with its largest name and facet. */
enum {
    REQUEST_POINTERS = 7,
    QUOTA_WORDS = 5,
    SCHEDULING_WORDS = 4,
    GRANT_DATA_WORDS = 2,
    GRANT_POINTERS = 3,
};

static void grants_write(struct client_call *call, struct capn_pointer_builder to,
                         const struct process_request *request)
{
    struct capn_list_builder list = capn_init_struct_list(
        to, request->grant_count,
        (struct capn_size){.data_words = GRANT_DATA_WORDS, .pointers = GRANT_POINTERS});

    for (uint32_t i = 0; i < request->grant_count; i++) {
        const struct process_grant *grant = &request->grants[i];
        struct capn_struct_builder s = capn_list_set_struct(list, i);

        capn_write_text(capn_set_pointer(s, 0), grant->name);
        capn_write_capability(capn_set_pointer(s, 1),
                              client_transfer(call, grant->cap, TRANSFER_COPY));
        client_facet_write(capn_set_pointer(s, 2), grant->facet);
        capn_set_u64(s, 0, grant->badge, 0);
        capn_set_u16(s, 8, (uint16_t)grant->mode, 0);
    }
}

static void quotas_write(struct capn_pointer_builder to, const struct process_quotas *quotas)
{
    struct capn_struct_builder s =
        capn_init_struct(to, (struct capn_size){.data_words = QUOTA_WORDS});

    capn_set_u32(s, 0, quotas->slots, 0);
    capn_set_u32(s, 4, quotas->frames, 0);
    capn_set_u32(s, 8, quotas->ring_bytes, 0);
    capn_set_u32(s, 12, quotas->endpoint_queue, 0);
    capn_set_u32(s, 16, quotas->outstanding_calls, 0);
    capn_set_u32(s, 20, quotas->scratch_bytes, 0);
    capn_set_u32(s, 24, quotas->threads, 0);
    capn_set_u32(s, 28, quotas->log_bytes, 0);
    capn_set_u32(s, 32, quotas->grant_nodes, 0);
    capn_set_u16(s, 36, quotas->cpu_permille, 1000);
}

static void scheduling_write(struct capn_pointer_builder to,
                             const struct process_scheduling *scheduling)
{
    struct capn_struct_builder s =
        capn_init_struct(to, (struct capn_size){.data_words = SCHEDULING_WORDS});

    capn_set_u8(s, 0, scheduling->priority, 0);
    capn_set_u64(s, 8, scheduling->budget_ns, 0);
    capn_set_u64(s, 16, scheduling->period_ns, 0);
    capn_set_u64(s, 24, scheduling->cpu_mask, UINT64_MAX);
}

static void arguments_write(struct capn_pointer_builder to, const struct process_request *request)
{
    struct capn_list_builder list =
        capn_init_list(to, CAPN_ELEMENT_POINTER, request->argument_count);

    for (uint32_t i = 0; i < request->argument_count; i++) {
        capn_write_text(capn_list_set_pointer(list, i), request->arguments[i]);
    }
}

static void request_write(struct client_call *call, const struct process_request *request)
{
    struct capn_struct_builder parameters =
        client_parameters(call, (struct capn_size){.pointers = 1});
    struct capn_struct_builder s =
        capn_init_struct(capn_set_pointer(parameters, 0),
                         (struct capn_size){.data_words = 2, .pointers = REQUEST_POINTERS});

    capn_write_text(capn_set_pointer(s, 0), request->name);
    capn_set_u16(s, 4, 0, 0);
    capn_set_u32(s, 0, request->boot_binary, 0);
    grants_write(call, capn_set_pointer(s, 2), request);
    arguments_write(capn_set_pointer(s, 3), request);
    quotas_write(capn_set_pointer(s, 4), &request->quotas);
    scheduling_write(capn_set_pointer(s, 5), &request->scheduling);
}

int32_t process_client_spawn(struct rt *rt, struct process_spawner spawner,
                             const struct process_request *request, struct process_handle *handle)
{
    struct client_call call;
    struct client_target target = {
        .cap = spawner.cap,
        .interface_id = PROCESS_SPAWNER_INTERFACE_ID,
        .method = PROCESS_SPAWNER_METHOD_SPAWN,
        .request_bytes = LIMIT_CALL_BYTES,
        .result_bytes = 2 * RT_RING_BLOCK_BYTES,
    };

    if (request->grant_count > LIMIT_TRANSFERS) {
        return TRANSPORT_TOO_LARGE;
    }
    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        request_write(&call, request);
        if (capn_builder_status(&call.builder) != CAPN_OK) {
            call.status = TRANSPORT_TOO_LARGE;
        } else if (client_send(&call) == TRANSPORT_OK) {
            handle->cap = client_result_cap(&call, capn_get_pointer(client_results(&call), 0));
            call.status = handle->cap.raw == 0 ? TRANSPORT_BAD_MESSAGE : TRANSPORT_OK;
        }
    }
    return client_end(&call);
}

static struct client_target handle_target(struct process_handle handle, uint16_t method)
{
    return (struct client_target){
        .cap = handle.cap,
        .interface_id = PROCESS_HANDLE_INTERFACE_ID,
        .method = method,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = 2 * RT_RING_BLOCK_BYTES,
    };
}

int32_t process_client_wait(struct rt *rt, struct process_handle handle, uint64_t timeout_ns,
                            struct process_exit *end)
{
    struct client_call call;
    struct client_target target = handle_target(handle, PROCESS_HANDLE_METHOD_WAIT);

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        struct capn_struct_builder parameters =
            client_parameters(&call, (struct capn_size){.data_words = 1});

        capn_set_u64(parameters, 0, timeout_ns, UINT64_MAX);
        if (client_send(&call) == TRANSPORT_OK) {
            struct capn_struct report =
                capn_read_struct(capn_get_pointer(client_results(&call), 0), NULL);
            struct capn_struct fault = capn_read_struct(capn_get_pointer(report, 0), NULL);

            *end = (struct process_exit){
                .kind = (enum exit_kind)capn_get_u16(report, 0, 0),
                .code = capn_get_i32(report, 4, 0),
                .fault_vector = capn_get_u16(fault, 0, 0),
                .fault_address = capn_get_u64(fault, 8, 0),
                .peak_frames = capn_get_u32(report, 16, 0),
            };
        }
    }
    return client_end(&call);
}

int32_t process_client_kill(struct rt *rt, struct process_handle handle, int32_t code)
{
    struct client_call call;
    struct client_target target = handle_target(handle, PROCESS_HANDLE_METHOD_KILL);

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        capn_set_i32(client_parameters(&call, (struct capn_size){.data_words = 1}), 0, code, 0);
        (void)client_send(&call);
    }
    return client_end(&call);
}
