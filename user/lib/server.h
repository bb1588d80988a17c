/* SPDX-License-Identifier: MIT */
/*
 * A server's loop: takes calls from one endpoint, hands each to the dispatch function that capnpc-c
 * generated for its interface, and answers it.
 *
 *     static enum capn_dispatch dispatch(void *object, struct capn_request *request)
 *     {
 *         static const struct greeter_server server = {.greet = greet};
 *         return greeter_dispatch(&server, object, request);
 *     }
 *     ... server_run(&server) ...
 */
#ifndef USER_LIB_SERVER_H
#define USER_LIB_SERVER_H

#include "capnp/runtime/capn_generated.h"
#include "user/rt/call.h"
#include "user/rt/rt.h"

struct server {
    struct rt *rt;
    struct cap_id endpoint; /* an owner's edge */
    uint32_t message_bytes; /* the endpoint's largest message */
    enum capn_dispatch (*dispatch)(void *object, struct capn_request *request);
    void *object;   /* handed to `dispatch` */
    bool stopping;  /* set by a handler: its call is the last that is answered */
    uint64_t badge; /* of the call being handled */
    /* Called once when the last capability and call of `badge` are gone, after its last call was
     * handled: whatever was kept for the session may go. NULL: nothing is kept. */
    void (*closed)(void *object, uint64_t badge);
    /* Capabilities that came with the call being handled, as their index in the message; they are
     * the server's from then on: it keeps one by taking it (server_take), the others are released
     * when the call is answered. */
    const struct received_cap *caps;
    uint16_t cap_count;
    uint32_t taken; /* mask of those kept */
    /* Capabilities that go with its answer. */
    uint16_t transfer_count;
    struct transfer transfer[LIMIT_TRANSFERS];
};

/* For handlers. The capability that came as number `index`, now kept; raw 0: there is none, or it
 * was revoked on its way. */
struct cap_id server_take(struct server *server, uint32_t index);

/* For handlers. The same, without keeping it beyond the call. */
struct cap_id server_borrow(const struct server *server, uint32_t index);

/* For handlers. Adds a capability to the answer and gives its index for the message. `path` is
 * where the results point at it (the generated X_PATH_Y), so that calls can be promised from it;
 * NULL: none. A null capability, or one beyond LIMIT_TRANSFERS, gives CAPN_NO_CAPABILITY. */
uint32_t server_pass(struct server *server, struct cap_id cap, enum transfer_mode mode,
                     const struct capn_path *path);

/* Serves until a handler sets `stopping` (0), or the endpoint fails (its transport error). */
MUST_USE int32_t server_run(struct server *server);

#endif
