/* SPDX-License-Identifier: MIT */
/* ProcessSpawner and ProcessHandle. */
#ifndef USER_LIB_PROCESS_H
#define USER_LIB_PROCESS_H

#include "core/manifest.h"
#include "schema/generated/process.capnp.h"
#include "user/lib/client.h"

struct process_spawner {
    struct cap_id cap;
};

struct process_handle {
    struct cap_id cap;
};

/* One capability for the child. The name need not end in NUL. */
struct process_grant {
    struct capn_text name;
    struct cap_id cap; /* the caller's edge that the child's is derived from */
    uint64_t facet;    /* MANIFEST_FACET_ALL: every method of the caller's edge */
    uint64_t badge;    /* 0 keeps the source's */
    enum authority_transfer_mode mode;
    uint32_t at; /* slot of the descriptor window and 1; 0: any above it */
};

struct process_request {
    struct capn_text name;
    uint32_t boot_binary; /* index in the boot package, unless */
    struct cap_id image;  /* a memory object with the program is given */
    const struct process_grant *grants;
    uint32_t grant_count; /* at most LIMIT_TRANSFERS */
    const struct capn_text *arguments;
    uint32_t argument_count;
    struct manifest_quotas quotas;
    struct manifest_scheduling scheduling;
    uint32_t restart_count;
    struct cap_id fault_endpoint; /* who decides about its faults (user/lib/fault.h); raw 0: they
                                     end it */
    bool inherits_descriptors; /* the caller's slots 0 to 255, without the right to pass them on */
};

/* How a process ended. */
struct process_end {
    uint16_t kind; /* enum process_exit_kind */
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
int32_t process_client_wait(struct rt *rt, struct process_handle handle, struct process_end *end);

/* The same for `timeout_ns` at most: else timedOut, or wouldBlock for 0. */
int32_t process_client_wait_limited(struct rt *rt, struct process_handle handle,
                                    uint64_t timeout_ns, struct process_end *end);

/* The same in two parts, so that one may wait for several: `client` is opened here, its operation
 * is under way if the result is 0, and process_client_wait_end takes the answer and closes it. */
int32_t process_client_wait_begin(struct rt *rt, struct process_handle handle, uint64_t timeout_ns,
                                  struct client *client);
int32_t process_client_wait_end(struct client *client, struct process_end *end);

/* Ends the process; no thread of it is left when this returns. */
int32_t process_client_kill(struct rt *rt, struct process_handle handle, int32_t code);

/* What a process is now. */
struct process_info {
    uint64_t pid;
    uint16_t kind; /* enum process_exit_kind */
    uint32_t threads;
    uint32_t slots;
    uint32_t frames;
    uint32_t restart_count;
};
int32_t process_client_info(struct rt *rt, struct process_handle handle, struct process_info *info);

/* "exited with 3", "faulted", "was killed with 9" into `text`, always terminated. */
void process_end_text(const struct process_end *end, char *text, size_t size);

#endif
