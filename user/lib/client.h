/* SPDX-License-Identifier: MIT */
/*
 * The transport of typed calls: what stands between the helpers that capnpc-c generates and the
 * ring. It owns the arena buffers of one call and the capabilities that travel with it.
 *
 *     struct client client;
 *     client_open(&client, rt, cap, CLIENT_ROOM_SMALL);
 *     struct x_params_builder p = x_method_request(&client.call);
 *     ... set p; capabilities through client_pass ...
 *     struct x_results_reader r = x_method_invoke(&client.call);
 *     ... read r if client.call.status is 0; capabilities through client_received ...
 *     return client_close(&client);
 *
 * Outcomes (int32_t) are 0, a transport error (negative, abi/errors.def), or the reason of the
 * callee's CapException (positive, enum exception_reason).
 */
#ifndef USER_LIB_CLIENT_H
#define USER_LIB_CLIENT_H

#include "capnp/runtime/capn_generated.h"
#include "user/rt/call.h"
#include "user/rt/rt.h"

/* Room for both messages of a call, capabilities included; multiples of 8. */
struct client_room {
    uint32_t request_bytes;
    uint32_t answer_bytes;
};

/* Enough for every answer that is a few fields, one capability, or an exception. */
#define CLIENT_ROOM_SMALL ((struct client_room){.request_bytes = 256, .answer_bytes = 512})

struct client {
    struct capn_call call;
    struct rt *rt;
    struct cap_id cap;
    struct promise promise;        /* the target instead of `cap`; answer 0: `cap` is */
    struct rt_answer_id answer_id; /* the answer is kept under it; raw 0: it is not */
    struct rt_buffer request;
    struct rt_buffer answer;
    uint8_t transfer_count;
    struct transfer transfer[LIMIT_TRANSFERS];
    struct rt_call wire_call;
    struct rt_operation operation; /* under way after client_submit */
    struct rt_answer wire;         /* what came back */
};

/* Takes the buffers. When the arena has no room, every invoke ends with TRANSPORT_LIMIT. The struct
 * must not move until client_close. */
void client_open(struct client *client, struct rt *rt, struct cap_id cap, struct client_room room);

/*
 * Instead of the generated X_invoke, for a call that others wait beside: client_submit sends the
 * request that X_request began; later, once client->operation is done or to wait for that,
 * client_finish takes the answer, which X_response then reads. Both return the outcome.
 */
int32_t client_submit(struct client *client);
int32_t client_finish(struct client *client);

/*
 * Pipelining: the answer of `client` is kept (before client_submit; false: too many are), and a
 * client opened on a promise of it calls the capability at `path` of that answer, whether it has
 * come or not. client_close ends the keeping.
 *
 *     client_open(&open, rt, directory, room);
 *     client_keep(&open);
 *     ... directory_open_request(&open.call) ...; client_submit(&open);
 *     client_open_promised(&read, &open, DIRECTORY_OPEN_PATH_FILE, room);
 *     ... file_read_request(&read.call) ...; client_submit(&read);
 *     client_finish(&open); client_finish(&read); ... client_close of both ...
 */
MUST_USE bool client_keep(struct client *client);
void client_open_promised(struct client *client, const struct client *of, struct capn_path path,
                          struct client_room room);

/* Adds a capability to the request being built and gives its index in the message. A null one, or
 * one beyond LIMIT_TRANSFERS, gives CAPN_NO_CAPABILITY. */
uint32_t client_pass(struct client *client, struct cap_id cap, enum transfer_mode mode);

/* The capability at `index` of the answer, now the caller's; raw 0: there is none. */
struct cap_id client_received(const struct client *client, uint32_t index);

/* Gives the buffers back; results are gone with them. Returns the outcome of the last call. */
int32_t client_close(struct client *client);

/* The name of an outcome, for people: "BAD_CAP", "notFound". */
const char *client_outcome_name(int32_t outcome);

#endif
