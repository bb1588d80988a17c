/* SPDX-License-Identifier: MIT */
/*
 * One typed call, from its parameters to its results: arena buffers, Cap'n Proto on both sides, and
 * the capabilities that travel along. The clients of the single interfaces are built on it.
 *
 * Use: client_begin, fill client_parameters, client_send, read client_results, client_end. After a
 * failed client_begin only client_end may follow. A struct client_call must not move meanwhile.
 *
 * Outcomes (int32_t) are of two kinds: a transport error (negative, abi/errors.def) or the reason
 * of the callee's CapException (positive, enum Reason of schema/exception.capnp); 0 is success.
 */
#ifndef USER_LIB_CLIENT_H
#define USER_LIB_CLIENT_H

#include "capnp/runtime/capn.h"
#include "user/rt/call.h"
#include "user/rt/rt.h"

enum {
    CLIENT_REASON_NONE = 0, /* in place of a CapException's reason: the answer is malformed */
};

#define CLIENT_FACET_ALL UINT64_MAX

/* Which method of which capability, and how much room for both messages. */
struct client_target {
    struct cap_id cap;
    uint64_t interface_id;
    uint16_t method;
    uint32_t request_bytes; /* a multiple of 8, descriptors included */
    uint32_t result_bytes;
};

struct client_call {
    struct rt *rt;
    struct client_target target;
    struct rt_buffer request;
    struct rt_buffer answer;
    struct capn_build_segment segment;
    struct capn_builder builder;
    struct transfer transfer[LIMIT_TRANSFERS];
    uint16_t transfers;
    struct capn_segment answer_segment;
    struct capn_reader reader;
    struct rt_answer result;
    int32_t status;
};

/* Takes both buffers. TRANSPORT_LIMIT: the arena has no room. */
int32_t client_begin(struct client_call *call, struct rt *rt, const struct client_target *target);

/* The parameter structure, all zero. Call it once. */
struct capn_struct_builder client_parameters(struct client_call *call, struct capn_size size);

/* Adds a capability to the message; the result is its index, for capn_write_capability. A null
 * capability, or one beyond LIMIT_TRANSFERS, gives CAPN_NO_CAPABILITY. */
uint32_t client_transfer(struct client_call *call, struct cap_id cap, enum transfer_mode mode);

/* Sends the call and waits for its end. */
int32_t client_send(struct client_call *call);

/* The result structure after success, the CapException after a positive outcome, else null. */
struct capn_struct client_results(struct client_call *call);

/* The capability that a result's pointer names; raw 0: null or not passed. The caller owns it. */
struct cap_id client_result_cap(const struct client_call *call, struct capn_pointer pointer);

/* Gives the buffers back; results are gone with them. Returns the outcome. */
int32_t client_end(struct client_call *call);

/* Writes an authority.capnp Facet; CLIENT_FACET_ALL is its `all`. */
void client_facet_write(struct capn_pointer_builder to, uint64_t facet);

/* The name of an outcome, for people. */
const char *client_outcome_name(int32_t outcome);

#endif
