/* SPDX-License-Identifier: MIT */
/* ThreadSpawner: further threads of the caller's own process. */
#ifndef USER_LIB_THREAD_SPAWNER_H
#define USER_LIB_THREAD_SPAWNER_H

#include "core/ring.h"
#include "schema/generated/thread.capnp.h"
#include "user/lib/client.h"
#include "user/rt/thread.h"

struct thread_spawner {
    struct cap_id cap;
};

/* Starts a thread; stack, ring and StartInfo are the kernel's gift. `begin` must stay until the
 * thread has begun. */
int32_t thread_client_spawn(struct rt *rt, struct thread_spawner spawner,
                            const struct rt_thread_start *begin);

/* The same with a ring of these sizes; 0: the default. */
int32_t thread_client_spawn_sized(struct rt *rt, struct thread_spawner spawner,
                                  const struct rt_thread_start *begin,
                                  const struct ring_sizes *sizes);

#endif
