/* SPDX-License-Identifier: MIT */
/*
 * The opcodes on capability tables as functions: each submits one entry and waits for its
 * completion. Results are 0 or a transport error; docs/abi/ has each one's. Where a function takes
 * a refusal it may be NULL.
 */
#ifndef USER_RT_CAP_H
#define USER_RT_CAP_H

#include "user/rt/rt_ring.h"

#define RT_FACET_SAME UINT64_MAX /* every method of the source */

/* DUP. `slot` counts with SQE_EXACT_SLOT in `flags`. */
struct rt_duplicate {
    struct cap_id cap;
    uint64_t facet;
    uint8_t flags; /* SQE_EXACT_SLOT, SQE_WINDOW, SQE_CLOSE_ON_SPAWN */
    uint32_t slot;
};
MUST_USE int32_t rt_duplicate(struct rt_ring *ring, const struct rt_duplicate *request,
                              struct cap_id *cap, struct refusal *refusal);

/* DUP as most want it: a further edge to the same methods, wherever there is room. */
MUST_USE int32_t rt_duplicate_same(struct rt_ring *ring, struct cap_id cap, struct cap_id *copy);

/* TOKEN: the capability in `slot` of the caller's own table. */
MUST_USE int32_t rt_token(struct rt_ring *ring, uint32_t slot, uint64_t interface_id,
                          struct cap_id *cap);

/* TRANSFER into the table of the process behind `target`. */
struct rt_transfer {
    struct cap_id cap;
    struct cap_id target;
    uint8_t flags; /* SQE_EXACT_SLOT, SQE_MOVE, SQE_KEEP_GRANT */
    uint32_t slot;
};
MUST_USE int32_t rt_transfer(struct rt_ring *ring, const struct rt_transfer *request,
                             struct refusal *refusal);

/* DELEGATE: an edge to pass on, and the handle that takes back all that is made of it. */
struct rt_delegated {
    struct cap_id cap;
    struct cap_id handle;
};
MUST_USE int32_t rt_delegate(struct rt_ring *ring, struct cap_id cap, uint64_t facet,
                             struct rt_delegated *delegated, struct refusal *refusal);

/* REVOKE: returns when nothing of it is in use any more; the number of edges that were emptied, or
 * an error. `receipt` may be NULL. */
MUST_USE int32_t rt_revoke(struct rt_ring *ring, struct cap_id handle, struct receipt *receipt,
                           struct refusal *refusal);

#endif
