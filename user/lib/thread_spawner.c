/* SPDX-License-Identifier: MIT */
/* ThreadSpawner and ThreadHandle. */
#include "user/lib/thread_spawner.h"

#include "core/string.h"
#include "user/lib/scheduling.h"
#include "user/rt/tls.h"

static void request_set(const struct rt *rt, struct thread_request_builder request,
                        const struct thread_make *make)
{
    struct thread_ring_sizes_builder ring;

    thread_request_set_entry(request, (uint64_t)(uintptr_t)rt_thread_begin);
    thread_request_set_argument(request, (uint64_t)(uintptr_t)make->begin);
    if (make->stack_bytes != 0) {
        uint64_t stack_top;
        uint64_t high = make->stack_low + make->stack_bytes;

        thread_request_set_thread_pointer(request, rt_stack_divide(rt->start, high, &stack_top));
        thread_request_set_stack_top(request, stack_top);
    }
    ring = thread_request_init_ring(request);
    thread_ring_sizes_set_submission_entries(ring, make->ring.sq_entries);
    thread_ring_sizes_set_completion_entries(ring, make->ring.cq_entries);
    thread_ring_sizes_set_arena_bytes(ring, make->ring.arena_bytes);
    if (make->name.length != 0) {
        thread_request_set_name(request, make->name);
    }
    if (make->scheduling != NULL) {
        scheduling_client_set(thread_request_init_scheduling(request), make->scheduling);
    }
}

int32_t thread_client_make(struct rt *rt, struct thread_spawner spawner,
                           const struct thread_make *make, struct thread_handle *handle)
{
    struct client_room room = CLIENT_ROOM_SMALL;
    struct thread_spawner_spawn_results_reader results;
    struct client client;

    client_open(&client, rt, spawner.cap, room);
    request_set(
        rt, thread_spawner_spawn_params_init_request(thread_spawner_spawn_request(&client.call)),
        make);
    results = thread_spawner_spawn_invoke(&client.call);
    handle->cap = client_received(&client, thread_spawner_spawn_results_get_thread(results));
    if (client.call.status == TRANSPORT_OK && handle->cap.raw == 0) {
        client.call.status = TRANSPORT_BAD_MESSAGE;
    }
    return client_close(&client);
}

int32_t thread_client_spawn_sized(struct rt *rt, struct thread_spawner spawner,
                                  const struct rt_thread_start *begin,
                                  const struct ring_sizes *sizes)
{
    struct thread_make make = {.begin = begin, .ring = *sizes};
    struct thread_handle handle;
    int32_t outcome = thread_client_make(rt, spawner, &make, &handle);

    return outcome == TRANSPORT_OK ? rt_release(&rt->ring, handle.cap) : outcome;
}

int32_t thread_client_spawn(struct rt *rt, struct thread_spawner spawner,
                            const struct rt_thread_start *begin)
{
    return thread_client_spawn_sized(rt, spawner, begin, &(struct ring_sizes){.sq_entries = 0});
}

int32_t thread_client_wait_begin(struct rt *rt, struct thread_handle handle, uint64_t timeout_ns,
                                 struct client *client)
{
    client_open(client, rt, handle.cap, CLIENT_ROOM_SMALL);
    thread_handle_wait_params_set_timeout_ns(thread_handle_wait_request(&client->call), timeout_ns);
    return client_submit(client);
}

int32_t thread_client_wait_end(struct client *client, struct thread_end *end)
{
    struct thread_handle_wait_results_reader results;

    *end = (struct thread_end){.code = 0};
    if (client->call.status == TRANSPORT_OK && client_finish(client) == TRANSPORT_OK) {
        results = thread_handle_wait_response(&client->call);
        end->kind = thread_handle_wait_results_get_kind(results);
        end->code = thread_handle_wait_results_get_code(results);
    }
    return client_close(client);
}

int32_t thread_client_wait(struct rt *rt, struct thread_handle handle, uint64_t timeout_ns,
                           struct thread_end *end)
{
    struct client client;

    (void)thread_client_wait_begin(rt, handle, timeout_ns, &client);
    return thread_client_wait_end(&client, end);
}

int32_t thread_client_interrupt(struct rt *rt, struct thread_handle handle, bool *blocked)
{
    struct client client;

    client_open(&client, rt, handle.cap, CLIENT_ROOM_SMALL);
    (void)thread_handle_interrupt_request(&client.call);
    *blocked = thread_handle_interrupt_results_get_was_blocked(
        thread_handle_interrupt_invoke(&client.call));
    return client_close(&client);
}

int32_t thread_client_info(struct rt *rt, struct thread_handle handle, struct thread_seen *seen)
{
    struct thread_handle_info_results_reader results;
    struct capn_text name;
    struct client client;

    memset(seen, 0, sizeof(*seen));
    client_open(&client, rt, handle.cap, CLIENT_ROOM_SMALL);
    (void)thread_handle_info_request(&client.call);
    results = thread_handle_info_invoke(&client.call);
    seen->id = thread_handle_info_results_get_thread_id(results);
    seen->cpu_time_ns = thread_handle_info_results_get_cpu_time_ns(results);
    seen->blocked = thread_handle_info_results_get_blocked(results);
    name = thread_handle_info_results_get_name(results);
    if (name.length <= LIMIT_NAME_BYTES && name.length != 0) {
        memcpy(seen->name, name.bytes, name.length);
    }
    return client_close(&client);
}

int32_t thread_client_schedule(struct rt *rt, struct thread_handle handle,
                               const struct manifest_scheduling *scheduling)
{
    struct client client;

    client_open(&client, rt, handle.cap, CLIENT_ROOM_SMALL);
    scheduling_client_set(thread_handle_set_scheduling_params_init_parameters(
                              thread_handle_set_scheduling_request(&client.call)),
                          scheduling);
    (void)thread_handle_set_scheduling_invoke(&client.call);
    return client_close(&client);
}

int32_t thread_client_scheduling(struct rt *rt, struct thread_handle handle,
                                 struct manifest_scheduling *scheduling)
{
    struct scheduling_parameters_reader parameters;
    struct client client;

    client_open(&client, rt, handle.cap, CLIENT_ROOM_SMALL);
    (void)thread_handle_get_scheduling_request(&client.call);
    parameters = thread_handle_get_scheduling_results_get_parameters(
        thread_handle_get_scheduling_invoke(&client.call));
    scheduling->priority = scheduling_parameters_get_priority(parameters);
    scheduling->budget_ns = scheduling_parameters_get_budget_ns(parameters);
    scheduling->period_ns = scheduling_parameters_get_period_ns(parameters);
    scheduling->cpu_mask = scheduling_parameters_get_cpu_mask(parameters);
    return client_close(&client);
}
