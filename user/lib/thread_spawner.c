/* SPDX-License-Identifier: MIT */
/* ThreadSpawner. */
#include "user/lib/thread_spawner.h"

int32_t thread_client_spawn_sized(struct rt *rt, struct thread_spawner spawner,
                                  const struct rt_thread_start *begin,
                                  const struct ring_sizes *sizes)
{
    struct thread_request_builder request;
    struct thread_ring_sizes_builder ring;
    struct client client;

    client_open(&client, rt, spawner.cap, CLIENT_ROOM_SMALL);
    request = thread_spawner_spawn_params_init_request(thread_spawner_spawn_request(&client.call));
    thread_request_set_entry(request, (uint64_t)(uintptr_t)rt_thread_begin);
    thread_request_set_argument(request, (uint64_t)(uintptr_t)begin);
    ring = thread_request_init_ring(request);
    thread_ring_sizes_set_submission_entries(ring, sizes->sq_entries);
    thread_ring_sizes_set_completion_entries(ring, sizes->cq_entries);
    thread_ring_sizes_set_arena_bytes(ring, sizes->arena_bytes);
    (void)thread_spawner_spawn_invoke(&client.call);
    return client_close(&client);
}

int32_t thread_client_spawn(struct rt *rt, struct thread_spawner spawner,
                            const struct rt_thread_start *begin)
{
    return thread_client_spawn_sized(rt, spawner, begin, &(struct ring_sizes){.sq_entries = 0});
}
