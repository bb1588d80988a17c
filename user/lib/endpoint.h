/* SPDX-License-Identifier: MIT */
/* EndpointFactory and Endpoint (schema/endpoint.capnp). */
#ifndef USER_LIB_ENDPOINT_H
#define USER_LIB_ENDPOINT_H

#include "user/lib/process.h"

#define ENDPOINT_INTERFACE_ID         UINT64_C(0xea929abcc16b1534)
#define ENDPOINT_FACTORY_INTERFACE_ID UINT64_C(0xaaf667226871d866)

struct endpoint_factory {
    struct cap_id cap;
};

/* An owner's edge. */
struct endpoint_owner {
    struct cap_id cap;
};

enum {
    ENDPOINT_FACTORY_METHOD_CREATE = 0,
    ENDPOINT_METHOD_MINT = 2,
};

struct endpoint_client_limits {
    uint32_t message_bytes; /* a multiple of 8 */
    uint16_t capabilities;
    uint32_t queue_length;
};

/* What a client's edge is to be. */
struct endpoint_session {
    uint64_t interface_id;
    uint64_t facet;
    uint64_t badge;
    enum grant_mode mode;
};

int32_t endpoint_client_create(struct rt *rt, struct endpoint_factory factory,
                               const struct endpoint_client_limits *limits,
                               struct endpoint_owner *owner);

int32_t endpoint_client_mint(struct rt *rt, struct endpoint_owner owner,
                             const struct endpoint_session *session, struct cap_id *client);

#endif
