/* SPDX-License-Identifier: MIT */
/* Delegations as kernel objects: memory of grant nodes, the handle, the revocation. */
#ifndef KERNEL_OBJECT_GRANTS_H
#define KERNEL_OBJECT_GRANTS_H

#include "kernel/object/object.h"

struct thread;

/* What a handle of a delegation names. The last handle gone without a revoke splices the node. */
struct delegation {
    struct object object;
    struct object *subject;  /* what was delegated; fixed, holds a reference */
    struct grant_node *node; /* fixed, holds a reference */
    uint64_t interface_id;   /* of the edge that was delegated */
};

extern const struct object_type delegation_type;

void grants_init(void);
void revocations_init(void); /* called by it */

/* For grant_unref: the last reference is gone. */
void grant_node_free(struct grant_node *node);

/*
 * Delegates `source`, pinned and found alive: *edge is a new edge with facet `facet` below a new
 * node, *handle an edge of its handle, both with references of their own (edge_drop). In this
 * order: NOT_GRANTABLE (no right to grant, or itself a handle), NO_METHOD (wider facet),
 * NO_MEMORY, LIMIT (GRANT_DEPTH_MAX). *refusal names the argument. No lock is held.
 */
MUST_USE enum transport_error delegation_make(const struct hold_edge *source, uint64_t facet,
                                              struct hold_edge *edge, struct hold_edge *handle,
                                              struct refusal *refusal);

/*
 * Revokes: the mark at once, then a job of this CPU and of the thread's priority that completes the
 * submission when nothing of it is in use any more. LIMIT, NO_MEMORY: nothing changed.
 */
MUST_USE enum transport_error revocation_start(struct thread *thread, uint64_t user_data,
                                               struct delegation *delegation,
                                               struct refusal *refusal);

/* Revocations whose jobs are not over. */
uint64_t revocations_running(void);

#endif
