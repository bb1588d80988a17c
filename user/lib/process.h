/* SPDX-License-Identifier: MIT */
/* ProcessSpawner and ProcessHandle (schema/process.capnp). */
#ifndef USER_LIB_PROCESS_H
#define USER_LIB_PROCESS_H

#include "user/lib/client.h"

#define PROCESS_SPAWNER_INTERFACE_ID UINT64_C(0x9c95b3655906fd97)
#define PROCESS_HANDLE_INTERFACE_ID  UINT64_C(0xbcd6754ac880ca2b)

struct process_spawner {
    struct cap_id cap;
};

struct process_handle {
    struct cap_id cap;
};

enum {
    PROCESS_SPAWNER_METHOD_SPAWN = 0,
    PROCESS_HANDLE_METHOD_WAIT = 0,
    PROCESS_HANDLE_METHOD_KILL = 1,
    PROCESS_HANDLE_METHOD_INFO = 2,
};

/* The numbers equal the schema's ExitKind and TransferMode. */
enum exit_kind {
    EXIT_KIND_RUNNING = 0,
    EXIT_KIND_EXITED = 1,
    EXIT_KIND_KILLED = 2,
    EXIT_KIND_FAULTED = 3,
};

enum grant_mode {
    GRANT_NONE = 0,
    GRANT_COPY = 1,
    GRANT_MOVE = 2,
    GRANT_COPY_GRANTABLE = 3,
    GRANT_MOVE_GRANTABLE = 4,
};

/* One capability for the child. The name need not end in NUL. */
struct process_grant {
    struct capn_text name;
    struct cap_id cap; /* the caller's edge that the child's is derived from */
    uint64_t facet;    /* CLIENT_FACET_ALL: every method of the caller's edge */
    uint64_t badge;    /* 0 keeps the source's */
    enum grant_mode mode;
};

struct process_quotas {
    uint32_t slots;
    uint32_t frames;
    uint32_t ring_bytes;
    uint32_t endpoint_queue;
    uint32_t outstanding_calls;
    uint32_t scratch_bytes;
    uint32_t threads;
    uint32_t log_bytes;
    uint32_t grant_nodes;
    uint16_t cpu_permille;
};

struct process_scheduling {
    uint8_t priority;
    uint64_t budget_ns;
    uint64_t period_ns;
    uint64_t cpu_mask;
};

struct process_request {
    struct capn_text name;
    uint32_t boot_binary; /* index in the boot package */
    const struct process_grant *grants;
    uint32_t grant_count; /* at most LIMIT_TRANSFERS */
    const struct capn_text *arguments;
    uint32_t argument_count;
    struct process_quotas quotas;
    struct process_scheduling scheduling;
};

/* How a process ended. */
struct process_exit {
    enum exit_kind kind;
    int32_t code;
    uint16_t fault_vector;
    uint64_t fault_address;
    uint32_t peak_frames;
};

/* Makes one process. Outcomes: those of ProcessSpawner.spawn; TRANSPORT_TOO_LARGE: more grants than
 * LIMIT_TRANSFERS, or more text than one message holds. */
int32_t process_client_spawn(struct rt *rt, struct process_spawner spawner,
                             const struct process_request *request, struct process_handle *handle);

/* Waits until the process has ended and its memory is back. */
int32_t process_client_wait(struct rt *rt, struct process_handle handle, uint64_t timeout_ns,
                            struct process_exit *end);

int32_t process_client_kill(struct rt *rt, struct process_handle handle, int32_t code);

#endif
