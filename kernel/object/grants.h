/* SPDX-License-Identifier: MIT */
/* Delegations as kernel objects: memory of grant nodes, the handle, the revocation. */
#ifndef KERNEL_OBJECT_GRANTS_H
#define KERNEL_OBJECT_GRANTS_H

#include "kernel/ipc/passing.h"
#include "kernel/sched/process.h"

enum revocation_phase {
    REVOCATION_GRACE,
    REVOCATION_USES,
    REVOCATION_TABLES, /* of `at`, */
    REVOCATION_CALLS,  /* and what is beside its calls; back to TABLES of the next */
    REVOCATION_DONE,
};

/* The job of one REVOKE (revocation.c). */
struct revocation {
    struct job job;
    struct operation *operation; /* NULL: its thread is gone, or cancelled it */
    enum revocation_phase phase;
    unsigned priority; /* of whoever asked */
    bool asked;        /* GRACE: the other CPUs have been interrupted */
    struct revoke_step step;
    struct process *at; /* TABLES, CALLS: being searched, referenced */
    uint32_t slot;      /* TABLES: of it, next */
    struct passing_search calls;
    uint32_t edges;
};

/* What a handle of a delegation names. The last handle gone without a revoke splices the node. */
struct delegation {
    struct object object;
    struct object *subject;  /* what was delegated; fixed, holds a reference */
    struct grant_node *node; /* fixed, holds a reference */
    struct account *account; /* pays for the node as long as there is a handle */
    uint64_t interface_id;   /* of the edge that was delegated */
    uint64_t revoking;       /* atomic: 1 while the job runs, which holds a reference of this */
    struct revocation revocation;
};

extern const struct object_type delegation_type;

void grants_init(void);

/* For grant_unref: the last reference is gone. */
void grant_node_free(struct grant_node *node);

struct delegation_plan {
    const struct hold_edge *source; /* pinned and found alive */
    uint64_t facet;
    struct account *account;
};

/*
 * Delegates: *edge is a new edge below a new node, *handle an edge of its handle, both with
 * references of their own (edge_drop). In this order: NOT_GRANTABLE (no right to grant, or itself a
 * handle), NO_METHOD (wider facet), LIMIT (the account's grant nodes), NO_MEMORY, LIMIT
 * (GRANT_DEPTH_MAX). *refusal names the argument. No lock is held.
 */
MUST_USE enum transport_error delegation_make(const struct delegation_plan *plan,
                                              struct hold_edge *edge, struct hold_edge *handle,
                                              struct refusal *refusal);

/*
 * Revokes: the mark at once, then a job of this CPU and of the thread's priority that completes the
 * submission when nothing of it is in use any more. It takes no memory. LIMIT: the thread has no
 * operation left, or another REVOKE of the same delegation is under way (argument CAP).
 */
MUST_USE enum transport_error revocation_start(struct thread *thread, uint64_t user_data,
                                               struct delegation *delegation,
                                               struct refusal *refusal);

void revocations_init(void);

/* Revocations whose jobs are not over. */
uint64_t revocations_running(void);

#endif
