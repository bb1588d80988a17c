/* SPDX-License-Identifier: MIT */
/* ThreadSpawner. */
#include "user/lib/thread_spawner.h"

int32_t thread_client_spawn(struct rt *rt, struct thread_spawner spawner,
                            const struct rt_thread_start *begin)
{
    struct thread_request_builder request;
    struct client client;

    client_open(&client, rt, spawner.cap, CLIENT_ROOM_SMALL);
    request = thread_spawner_spawn_params_init_request(thread_spawner_spawn_request(&client.call));
    thread_request_set_entry(request, (uint64_t)(uintptr_t)rt_thread_begin);
    thread_request_set_argument(request, (uint64_t)(uintptr_t)begin);
    (void)thread_spawner_spawn_invoke(&client.call);
    return client_close(&client);
}
