/* SPDX-License-Identifier: MIT */
/* ThreadSpawner and ThreadHandle: further threads of the caller's own process. */
#ifndef USER_LIB_THREAD_SPAWNER_H
#define USER_LIB_THREAD_SPAWNER_H

#include "core/manifest.h"
#include "core/ring.h"
#include "schema/generated/thread.capnp.h"
#include "user/lib/client.h"
#include "user/rt/thread.h"

struct thread_spawner {
    struct cap_id cap;
};

struct thread_handle {
    struct cap_id cap;
};

/* What a thread is made of. */
struct thread_make {
    /* What it runs; must stay until the thread has begun. */
    const struct rt_thread_start *begin;
    struct ring_sizes ring; /* 0: the default */
    struct capn_text name;  /* of no bytes: none */
    /* Memory of the caller for its stack and thread-local data, to be kept until the thread has
     * ended; bytes 0: the kernel gives it a stack. */
    uint64_t stack_low;
    uint64_t stack_bytes;
    const struct manifest_scheduling *scheduling; /* NULL: as the caller */
};

/* Starts a thread. The handle is the caller's. */
int32_t thread_client_make(struct rt *rt, struct thread_spawner spawner,
                           const struct thread_make *make, struct thread_handle *handle);

/* Starts a thread that nobody will ask about; stack, ring and StartInfo are the kernel's gift.
 * `begin` must stay until the thread has begun. */
int32_t thread_client_spawn(struct rt *rt, struct thread_spawner spawner,
                            const struct rt_thread_start *begin);

/* The same with a ring of these sizes; 0: the default. */
int32_t thread_client_spawn_sized(struct rt *rt, struct thread_spawner spawner,
                                  const struct rt_thread_start *begin,
                                  const struct ring_sizes *sizes);

/* How a thread ended. */
struct thread_end {
    uint16_t kind; /* enum process_exit_kind */
    int32_t code;
};

/* Waits until it has ended and its memory is back; 0: asks only. */
int32_t thread_client_wait(struct rt *rt, struct thread_handle handle, uint64_t timeout_ns,
                           struct thread_end *end);

/* The same in two parts, as process_client_wait_begin and _end. */
int32_t thread_client_wait_begin(struct rt *rt, struct thread_handle handle, uint64_t timeout_ns,
                                 struct client *client);
int32_t thread_client_wait_end(struct client *client, struct thread_end *end);

/* Ends its wait in cap_enter, or the next one; *blocked: it waited. */
int32_t thread_client_interrupt(struct rt *rt, struct thread_handle handle, bool *blocked);

/* What it is now. */
struct thread_seen {
    uint64_t id;
    uint64_t cpu_time_ns;
    bool blocked;
    char name[LIMIT_NAME_BYTES + 1];
};
int32_t thread_client_info(struct rt *rt, struct thread_handle handle, struct thread_seen *seen);

/* How it competes for a CPU. */
int32_t thread_client_schedule(struct rt *rt, struct thread_handle handle,
                               const struct manifest_scheduling *scheduling);
int32_t thread_client_scheduling(struct rt *rt, struct thread_handle handle,
                                 struct manifest_scheduling *scheduling);

#endif
