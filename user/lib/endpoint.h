/* SPDX-License-Identifier: MIT */
/* EndpointFactory and Endpoint. */
#ifndef USER_LIB_ENDPOINT_H
#define USER_LIB_ENDPOINT_H

#include "core/manifest.h"
#include "schema/generated/endpoint.capnp.h"
#include "user/lib/client.h"

struct endpoint_factory {
    struct cap_id cap;
};

/* An owner's edge. */
struct endpoint_owner {
    struct cap_id cap;
};

/* What a client's edge is to be. */
struct endpoint_session {
    uint64_t interface_id;
    uint64_t facet;
    uint64_t badge;
    enum authority_transfer_mode mode;
};

/* An endpoint with the limits that the export states. */
int32_t endpoint_client_create(struct rt *rt, struct endpoint_factory factory,
                               const struct manifest_export *limits, struct endpoint_owner *owner);

/* A client's edge, which is the caller's. */
int32_t endpoint_client_mint(struct rt *rt, struct endpoint_owner owner,
                             const struct endpoint_session *session, struct cap_id *session_cap);

/* What waits at an endpoint now. */
struct endpoint_seen {
    uint32_t waiting_calls;
    uint32_t waiting_receivers;
    uint32_t open_badges;
};
int32_t endpoint_client_info(struct rt *rt, struct endpoint_owner owner,
                             struct endpoint_seen *seen);

#endif
