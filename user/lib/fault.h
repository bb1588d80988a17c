/* SPDX-License-Identifier: MIT */
/*
 * Deciding about faults: what a handler does with the calls that come to the endpoint which it
 * named when it spawned a process (process_request.fault_endpoint).
 *
 *     endpoint_client_mint(rt, owner, &FAULT_SESSION(badge), &request.fault_endpoint);
 *     ... process_client_spawn ...
 *     message = rt_receive(&rt->ring, owner.cap, inbox);
 *     if (fault_read(&message, &fault)) {
 *         ... remove the cause ...
 *         fault_answer(rt, owner, fault.token, FAULT_ACTION_RESUME);
 *     }
 *
 * A handler with other calls to serve uses fault_handler_dispatch with server_run instead.
 */
#ifndef USER_LIB_FAULT_H
#define USER_LIB_FAULT_H

#include "core/manifest.h"
#include "schema/generated/fault.capnp.h"
#include "schema/generated/process.capnp.h"
#include "user/lib/endpoint.h"

/* The client's edge to name for a process whose faults shall carry `with_badge`. */
#define FAULT_SESSION(with_badge)                                                                  \
    ((struct endpoint_session){.interface_id = FAULT_HANDLER_INTERFACE_ID,                         \
                               .facet = MANIFEST_FACET_ALL,                                        \
                               .badge = (with_badge),                                              \
                               .mode = AUTHORITY_TRANSFER_MODE_COPY})

/* One fault. Whose it is: `badge` says what the handler itself chose; name and pid are for people.
 */
struct fault {
    uint64_t token; /* of the call, to be answered once */
    uint64_t badge;
    uint64_t pid;
    uint64_t thread_id;
    char process[LIMIT_NAME_BYTES + 1];
    enum process_fault_cause cause;
    enum process_fault_access access; /* of cause page */
    bool mapped;                      /* the page was there, the access not allowed */
    uint16_t vector;                  /* the processor's number */
    uint64_t address;                 /* of the access; 0 if the cause has none */
    uint64_t instruction_pointer;
    uint64_t stack_pointer;
};

/* What a message that was received says; false: it is no fault, or a session's end. */
MUST_USE bool fault_read(const struct rt_request *message, struct fault *fault);

/* Answers it and waits for the next message with a single submission (rt_return_receive). */
struct rt_request fault_answer_receive(struct rt *rt, struct endpoint_owner owner, uint64_t token,
                                       enum fault_action action, struct rt_buffer inbox);

/* Answers it. 0; CANCELLED: the process was killed meanwhile; BAD_TOKEN: answered before. */
MUST_USE int32_t fault_answer(struct rt *rt, struct endpoint_owner owner, uint64_t token,
                              enum fault_action action);

#endif
