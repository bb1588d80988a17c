/* SPDX-License-Identifier: MIT */
/* ThreadSpawner and ThreadHandle. */
#include "user/lib/thread_spawner.h"

#include "core/string.h"

static void request_write(struct client_call *call, const char *name,
                          const struct rt_thread_start *begin)
{
    struct capn_struct_builder parameters =
        client_parameters(call, (struct capn_size){.pointers = 1});
    struct capn_struct_builder s = capn_init_struct(
        capn_set_pointer(parameters, 0), (struct capn_size){.data_words = 4, .pointers = 3});

    capn_set_u64(s, 0, (uint64_t)(uintptr_t)rt_thread_begin, 0);
    capn_set_u64(s, 16, (uint64_t)(uintptr_t)begin, 0);
    capn_write_text(capn_set_pointer(s, 2),
                    (struct capn_text){name, string_length(name, LIMIT_NAME_BYTES)});
}

int32_t thread_client_spawn(struct rt *rt, struct thread_spawner spawner, const char *name,
                            const struct rt_thread_start *begin, struct thread_handle *handle)
{
    struct client_call call;
    struct client_target target = {
        .cap = spawner.cap,
        .interface_id = THREAD_SPAWNER_INTERFACE_ID,
        .method = THREAD_SPAWNER_METHOD_SPAWN,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = RT_RING_BLOCK_BYTES,
    };

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        request_write(&call, name, begin);
        if (client_send(&call) == TRANSPORT_OK) {
            handle->cap = client_result_cap(&call, capn_get_pointer(client_results(&call), 0));
            call.status = handle->cap.raw == 0 ? TRANSPORT_BAD_MESSAGE : TRANSPORT_OK;
        }
    }
    return client_end(&call);
}

int32_t thread_client_wait(struct rt *rt, struct thread_handle handle, uint64_t timeout_ns,
                           enum exit_kind *kind, int32_t *code)
{
    struct client_call call;
    struct client_target target = {
        .cap = handle.cap,
        .interface_id = THREAD_HANDLE_INTERFACE_ID,
        .method = THREAD_HANDLE_METHOD_WAIT,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = RT_RING_BLOCK_BYTES,
    };

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        struct capn_struct_builder parameters =
            client_parameters(&call, (struct capn_size){.data_words = 1});

        capn_set_u64(parameters, 0, timeout_ns, UINT64_MAX);
        if (client_send(&call) == TRANSPORT_OK) {
            *kind = (enum exit_kind)capn_get_u16(client_results(&call), 0, 0);
            *code = capn_get_i32(client_results(&call), 4, 0);
        }
    }
    return client_end(&call);
}
