/* SPDX-License-Identifier: MIT */
/* ThreadSpawner and ThreadHandle (schema/thread.capnp). */
#ifndef USER_LIB_THREAD_SPAWNER_H
#define USER_LIB_THREAD_SPAWNER_H

#include "user/lib/process.h"
#include "user/rt/thread.h"

#define THREAD_SPAWNER_INTERFACE_ID UINT64_C(0xa6122567efb35c69)
#define THREAD_HANDLE_INTERFACE_ID  UINT64_C(0xaa242cbe9d67db36)

struct thread_spawner {
    struct cap_id cap;
};

struct thread_handle {
    struct cap_id cap;
};

enum {
    THREAD_SPAWNER_METHOD_SPAWN = 0,
    THREAD_HANDLE_METHOD_WAIT = 2,
};

/*
 * Starts a thread of the caller's own process; stack, ring and StartInfo are the kernel's gift.
 * `name` appears in reports; `begin` must stay until the thread has begun.
 */
int32_t thread_client_spawn(struct rt *rt, struct thread_spawner spawner, const char *name,
                            const struct rt_thread_start *begin, struct thread_handle *handle);

/* Waits for its end. */
int32_t thread_client_wait(struct rt *rt, struct thread_handle handle, uint64_t timeout_ns,
                           enum exit_kind *kind, int32_t *code);

#endif
