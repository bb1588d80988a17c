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
};

/* Serves until a handler sets `stopping` (0), or the endpoint fails (its transport error). */
MUST_USE int32_t server_run(struct server *server);

#endif
