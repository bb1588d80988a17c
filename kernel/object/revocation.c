/* SPDX-License-Identifier: MIT */
/*
 * Revocation.
 *
 * Two moments. *Dead*: the mark, set when REVOKE is carried out, in constant time; from then on no
 * lookup on any CPU finds an edge below. *Quiesced*: nothing that was begun through such an edge is
 * going on; then REVOKE completes, with a receipt of what was ended. Between the two works a job,
 * in bounded steps, at its caller's priority:
 *
 *   GRACE    every other CPU has been interrupted once since the mark. In the kernel interrupts are
 *            off, so whatever looked an edge up before the mark has finished its submission, and if
 *            that goes on later it is published by now: with its grant, at its object. Nothing new
 *            can come.
 *   USES     the object ends its uses (object_type.revoke): calls that are queued or in flight,
 *            waits, mappings, timers.
 *   TABLES   every process's table is searched, the edges below are emptied (cap_table_bury_next):
 *            what they pinned is free. Their slots are the holders' to release. Before it, the edge
 *            that its faults are told through, and the plan it is being built from.
 *   CALLS    and the copies beside the calls of its threads that wait (passing_bury_next): a call
 *            to somebody who never takes it would else keep what was revoked.
 *
 * An edge that is on its way while this happens - in a spawn's plan, beside a message - is not in a
 * table. Whoever puts it into one checks that it is alive under that table's lock; so either the
 * search finds it there, or the check sees the mark.
 *
 * The job lies in the delegation, so that whoever is short of memory can still take back what he
 * gave. One REVOKE of a delegation is under way at a time; a later one does the same work again and
 * finds nothing to count: its completion means as much.
 *
 * Invariants:
 *  1. operation is NULL once the caller's thread is retired or cancelled it (same CPU, so no lock);
 *     the job goes on to its end.
 *  2. `revoking` is 1 exactly while the job is started and not over; it holds a reference of the
 *     delegation, and one of `at`.
 *
 * Locks: in TABLES the process's, a stretch at a time. What can fail: the caller's operations,
 * before the mark.
 */
#include "core/string.h"
#include "kernel/object/grants.h"
#include "kernel/object/spawn.h"
#include "kernel/sched/process.h"

enum {
    BURY_STEPS = 32, /* slots looked at for one edge: up to 110 instructions each, at full depth;
                        LIMIT_TRANSFERS_WAITING items in one step */
    BURY_EDGES = 2,  /* edges emptied in one step: the last of an endpoint's owners closes it */
};

static uint64_t running; /* atomic */

void revocations_init(void)
{
    running = 0; /* the host restarts kernels */
}

uint64_t revocations_running(void)
{
    return atomic_load_acquire_u64(&running);
}

/* Whether every other CPU has been out of the kernel, or between two stretches, since the mark. */
static bool grace_is_over(struct revocation *revocation)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        if (!revocation->asked) {
            cpu_notify(cpus[i], IPI_QUIESCE);
        }
    }
    revocation->asked = true;
    for (unsigned i = 0; i < cpu_count; i++) {
        if (cpus[i] != arch_cpu_this() &&
            (atomic_load_acquire_u64(&cpus[i]->ipi_reasons) & IPI_QUIESCE) != 0) {
            return false;
        }
    }
    return true;
}

/* Takes an edge of `process` that is not in its table: that its faults are told through, or one of
 * the plan it is built from. */
static bool edge_beside_table(struct process *process, const struct grant_node *above,
                              struct hold_edge *edge)
{
    return process_fault_edge_take(process, above, edge) || spawn_bury_next(process, above, edge);
}

/* One stretch of the table of `at`; true: there is more of it. */
static bool table_search(struct revocation *revocation)
{
    struct process *process = revocation->at;
    struct hold_edge beside;

    if (revocation->slot == 0 && edge_beside_table(process, revocation->step.above, &beside)) {
        edge_drop(&beside);
        revocation->edges++;
        return true;
    }
    for (unsigned i = 0; i < BURY_EDGES; i++) {
        struct hold_edge edge;
        bool found;
        bool more;

        spinlock_lock(&process->lock);
        more = cap_table_bury_next(&process->table, &revocation->slot, BURY_STEPS,
                                   revocation->step.above, &edge, &found);
        spinlock_unlock(&process->lock);
        if (!found) {
            return more;
        }
        edge_drop(&edge);
        revocation->edges++;
    }
    return true;
}

/* One stretch of what is beside the calls of `at`; true: there is more of it. */
static bool calls_search(struct revocation *revocation)
{
    for (unsigned i = 0; i < BURY_EDGES; i++) {
        struct hold_edge edge;
        bool more =
            passing_bury_next(revocation->at, &revocation->calls, revocation->step.above, &edge);

        if (edge.object == NULL) {
            return more;
        }
        edge_drop(&edge);
        revocation->edges++;
    }
    return true;
}

static struct delegation *delegation_of(struct revocation *revocation)
{
    return CONTAINER_OF(revocation, struct delegation, revocation);
}

static void revocation_finish(struct revocation *revocation)
{
    struct delegation *delegation = delegation_of(revocation);
    struct operation *operation = revocation->operation;
    struct refusal words;
    int32_t edges = (int32_t)revocation->edges;

    memcpy(&words, &revocation->step.receipt, sizeof(words));
    atomic_store_release_u64(&delegation->revoking, 0);
    if (operation != NULL) {
        operation_complete(operation, edges, 0, &words);
    }
    object_unref(&delegation->object);
    atomic_add_u64(&running, UINT64_MAX);
}

static bool revocation_step(struct job *job)
{
    struct revocation *revocation = CONTAINER_OF(job, struct revocation, job);
    struct object *subject = delegation_of(revocation)->subject;

    switch (revocation->phase) {
    case REVOCATION_GRACE:
        revocation->phase += grace_is_over(revocation);
        return true;
    case REVOCATION_USES:
        revocation->step.priority = revocation->priority;
        if (subject->type->revoke == NULL || !subject->type->revoke(subject, &revocation->step)) {
            revocation->at = process_next(NULL);
            revocation->phase++;
            revocation->step.priority = revocation->priority;
        }
        job->task.priority = revocation->step.priority;
        return true;
    case REVOCATION_TABLES:
        if (revocation->at == NULL) {
            revocation->phase = REVOCATION_DONE;
        } else if (!table_search(revocation)) {
            revocation->phase = REVOCATION_CALLS;
            revocation->calls = (struct passing_search){.slot = 0};
        }
        return true;
    case REVOCATION_CALLS:
        if (!calls_search(revocation)) {
            revocation->phase = REVOCATION_TABLES;
            revocation->at = process_next(revocation->at);
            revocation->slot = 0;
        }
        return true;
    case REVOCATION_DONE:
        break;
    }
    revocation_finish(revocation);
    return false;
}

enum transport_error revocation_start(struct thread *thread, uint64_t user_data,
                                      struct delegation *delegation, struct refusal *refusal)
{
    struct revocation *revocation = &delegation->revocation;
    struct operation *operation;

    if (atomic_exchange_u64(&delegation->revoking, 1) != 0) {
        refusal->argument = ARGUMENT_CAP;
        refusal->limit = 1;
        return TRANSPORT_LIMIT;
    }
    operation = operation_take(thread, OPERATION_JOB, user_data);
    if (operation == NULL) {
        atomic_store_release_u64(&delegation->revoking, 0);
        refusal->limit = LIMIT_OPERATIONS;
        return TRANSPORT_LIMIT;
    }
    memset(revocation, 0, sizeof(*revocation));
    revocation->operation = operation;
    operation->holder = &revocation->operation;
    object_ref(&delegation->object);
    revocation->step.above = delegation->node;
    revocation->step.receipt.nodes = (uint32_t)atomic_load_relaxed_u64(&delegation->node->below);
    atomic_add_u64(&running, 1);
    (void)grant_revoke(delegation->node);
    revocation->priority = thread->task.priority;
    revocation->job.step = revocation_step;
    job_start(&revocation->job, arch_cpu_this(), thread->task.priority);
    return TRANSPORT_OK;
}
