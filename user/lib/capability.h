/* SPDX-License-Identifier: MIT */
/* CapabilityManager: what a process may learn and say about its own table. */
#ifndef USER_LIB_CAPABILITY_H
#define USER_LIB_CAPABILITY_H

#include "schema/generated/capability.capnp.h"
#include "user/lib/client.h"

struct capability_manager {
    struct cap_id cap;
};

/* Whether a spawn that inherits descriptors leaves the descriptor `cap` out: what F_SETFD with
 * FD_CLOEXEC says. Outcomes: outOfRange (no descriptor), staleCapability, revokedCapability. */
int32_t capability_client_set_close_on_spawn(struct rt *rt, struct capability_manager manager,
                                             struct cap_id cap, bool close);

/* Whether it does: F_GETFD. The same outcomes, but outOfRange. */
int32_t capability_client_close_on_spawn(struct rt *rt, struct capability_manager manager,
                                         struct cap_id cap, bool *close);

#endif
