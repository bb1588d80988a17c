/* SPDX-License-Identifier: MIT */
/*
 * Submissions on capability tables: RELEASE, DUP, TOKEN on the caller's own, TRANSFER into that of
 * a process whose handle the caller holds.
 *
 * An object that counts its edges is told of a new one before anybody can drop it: so its edge is
 * made of the source under the lock, announced without it, and inserted under it again. What
 * happens to the source in between does not matter to a copy, except a revoke, which the new edge
 * finds out about by the epoch it remembers. Two tables are locked together only to move an edge,
 * the smaller pid first, and the source is looked up again then.
 */
#include "kernel/dispatch/submission.h"
#include "kernel/work_check.h"
#include "schema/generated/process.capnp.h"

static enum transport_error refuse(struct refusal *refusal, enum transport_error error,
                                   enum refusal_argument argument, uint64_t amount)
{
    refusal->argument = (uint16_t)argument;
    refusal->amount = amount;
    return error;
}

/* Names the argument of what an insert into the table of `process` refused. */
static enum transport_error insert_refused(struct process *process, enum transport_error error,
                                           const struct sqe *sqe, struct refusal *refusal)
{
    struct ledger_refusal ledger;

    if (error == TRANSPORT_SLOT_IN_USE) {
        return refuse(refusal, error, ARGUMENT_SLOT, sqe->slot);
    }
    if (error == TRANSPORT_LIMIT && (sqe->flags & SQE_WINDOW) == 0) {
        ledger = account_refusal(process->account, LEDGER_SLOTS, 1);
        return account_refuse(&ledger, refusal);
    }
    return refuse(refusal, error, ARGUMENT_NONE, 1);
}

enum transport_error submission_release(struct cpu *cpu, struct thread *thread,
                                        const struct sqe *sqe, struct refusal *refusal)
{
    struct process *process = thread->process;
    struct hold_edge edge;
    enum transport_error error;

    (void)cpu;
    spinlock_lock(&process->lock);
    error = cap_table_remove(&process->table, sqe->cap, &edge);
    spinlock_unlock(&process->lock);
    if (error != TRANSPORT_OK) {
        return refuse(refusal, error, ARGUMENT_CAP, sqe->cap.raw);
    }
    edge_drop(&edge);
    submission_post(thread, sqe, 0);
    return TRANSPORT_OK;
}

/* Where the submission wants the edge. Table's lock held. */
static enum transport_error edge_place(struct cap_table *table, const struct sqe *sqe,
                                       const struct hold_edge *edge,
                                       const struct provenance *origin, struct cap_id *id)
{
    enum transport_error error;

    memory_permit_begin(); /* a table */
    if ((sqe->flags & SQE_EXACT_SLOT) != 0) {
        error = cap_table_insert_at(table, sqe->slot, edge, origin, id);
    } else if ((sqe->flags & SQE_WINDOW) != 0) {
        error = cap_table_insert_window(table, edge, origin, id);
    } else {
        error = cap_table_insert(table, edge, origin, id);
    }
    memory_permit_end();
    return error;
}

/* The provenance of an edge that `process` makes of its own edge `source`. */
static struct provenance origin_own(const struct process *process, enum edge_origin kind,
                                    struct cap_id source)
{
    struct provenance origin = {.at_ns = arch_clock_ns()};

    origin.origin = (uint8_t)kind;
    origin.from_cap = source;
    provenance_from(&origin, process->pid, process->name);
    return origin;
}

/* The edge that DUP makes, with references of its own. Table's lock held. */
static enum transport_error edge_duplicate(struct process *process, const struct sqe *sqe,
                                           struct hold_edge *edge, struct refusal *refusal)
{
    const struct hold_edge *source;
    enum transport_error error = cap_table_lookup(&process->table, sqe->cap, &source);

    if (error != TRANSPORT_OK) {
        return refuse(refusal, error, ARGUMENT_CAP, sqe->cap.raw);
    }
    error = hold_edge_duplicate(source, sqe->facet, edge);
    if (error != TRANSPORT_OK) {
        return refuse(refusal, error, ARGUMENT_FACET, sqe->facet);
    }
    edge->flags = (sqe->flags & SQE_CLOSE_ON_SPAWN) != 0 ? EDGE_CLOSE_ON_SPAWN : 0;
    edge_ref(edge);
    return TRANSPORT_OK;
}

enum transport_error submission_duplicate(struct cpu *cpu, struct thread *thread,
                                          const struct sqe *sqe, struct refusal *refusal)
{
    struct process *process = thread->process;
    struct provenance origin = origin_own(process, EDGE_ORIGIN_DUPLICATE, sqe->cap);
    struct cqe cqe = {.user_data = sqe->user_data};
    struct hold_edge edge;
    enum transport_error error;

    (void)cpu;
    spinlock_lock(&process->lock);
    error = edge_duplicate(process, sqe, &edge, refusal);
    if (error != TRANSPORT_OK) {
        spinlock_unlock(&process->lock);
        return error;
    }
    error = edge_place(&process->table, sqe, &edge, &origin, &cqe.cap[0]);
    spinlock_unlock(&process->lock);
    if (UNLIKELY(error == TRANSPORT_LIMIT)) {
        process_slots_refill(process);
        spinlock_lock(&process->lock);
        error = edge_place(&process->table, sqe, &edge, &origin, &cqe.cap[0]);
        spinlock_unlock(&process->lock);
    }
    if (error != TRANSPORT_OK) {
        edge_drop(&edge);
        return insert_refused(process, error, sqe, refusal);
    }
    thread_post(thread, &cqe);
    return TRANSPORT_OK;
}

enum transport_error submission_token(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                      struct refusal *refusal)
{
    struct process *process = thread->process;
    struct cqe cqe = {.user_data = sqe->user_data};
    enum transport_error error;

    (void)cpu;
    spinlock_lock(&process->lock);
    error = cap_table_token(&process->table, sqe->slot, sqe->interface_id, &cqe.cap[0]);
    spinlock_unlock(&process->lock);
    if (error != TRANSPORT_OK) {
        return error == TRANSPORT_WRONG_INTERFACE
                   ? refuse(refusal, error, ARGUMENT_INTERFACE, sqe->interface_id)
                   : refuse(refusal, error, ARGUMENT_SLOT, sqe->slot);
    }
    thread_post(thread, &cqe);
    return TRANSPORT_OK;
}

/* ---- TRANSFER -------------------------------------------------------------------------------- */

/* What the receiver's edge would be. Source's lock held. */
static enum transport_error edge_pass(struct process *process, const struct sqe *sqe,
                                      struct hold_edge *edge, struct refusal *refusal)
{
    const struct hold_edge *source;
    struct edge_passing passing = {.leaving = (sqe->flags & SQE_MOVE) != 0,
                                   .keep_grant = (sqe->flags & SQE_KEEP_GRANT) != 0,
                                   .descriptor = (sqe->flags & SQE_EXACT_SLOT) != 0 &&
                                                 sqe->slot < CAP_TABLE_WINDOW};
    enum transport_error error = cap_table_lookup(&process->table, sqe->cap, &source);

    if (error != TRANSPORT_OK) {
        return refuse(refusal, error, ARGUMENT_CAP, sqe->cap.raw);
    }
    passing.facet = source->facet;
    error = hold_edge_pass(source, &passing, edge);
    return error == TRANSPORT_OK ? error : refuse(refusal, error, ARGUMENT_CAP, source->mode);
}

/* Into the receiver's table, unless its process ends or the edge was revoked. Its lock is held. */
static enum transport_error edge_receive(struct process *to, const struct sqe *sqe,
                                         struct hold_edge *edge, const struct provenance *origin,
                                         struct refusal *refusal)
{
    struct cap_id id;
    enum transport_error error;

    if (process_is_dying(to)) {
        return refuse(refusal, TRANSPORT_PEER_GONE, ARGUMENT_TARGET, to->pid);
    }
    if (!hold_edge_is_alive(edge)) {
        return refuse(refusal, TRANSPORT_REVOKED, ARGUMENT_CAP, sqe->cap.raw);
    }
    error = edge_place(&to->table, sqe, edge, origin, &id);
    return error == TRANSPORT_OK ? error : insert_refused(to, error, sqe, refusal);
}

/* `edge` is the receiver's, with references of its own. */
static enum transport_error transfer_copy(struct process *from, struct process *to,
                                          const struct sqe *sqe, struct hold_edge *edge,
                                          struct refusal *refusal)
{
    struct provenance origin = origin_own(from, EDGE_ORIGIN_TRANSFER, sqe->cap);
    enum transport_error error;

    edge_ref(edge);
    spinlock_lock(&to->lock);
    error = edge_receive(to, sqe, edge, &origin, refusal);
    spinlock_unlock(&to->lock);
    if (error == TRANSPORT_LIMIT) {
        process_slots_refill(to);
        *refusal = (struct refusal){0};
        spinlock_lock(&to->lock);
        error = edge_receive(to, sqe, edge, &origin, refusal);
        spinlock_unlock(&to->lock);
    }
    if (error != TRANSPORT_OK) {
        edge_drop(edge);
    }
    return error;
}

/* Both locks, the smaller pid first. */
static void pair_lock(struct process *one, struct process *other)
{
    struct process *first = one->pid < other->pid ? one : other;

    spinlock_lock(&first->lock);
    if (one != other) {
        spinlock_lock(first == one ? &other->lock : &one->lock);
    }
}

static void pair_unlock(struct process *one, struct process *other)
{
    spinlock_unlock(&one->lock);
    if (one != other) {
        spinlock_unlock(&other->lock);
    }
}

/* The edge with its references goes over; the object does not notice. */
static enum transport_error transfer_move(struct process *from, struct process *to,
                                          const struct sqe *sqe, struct refusal *refusal)
{
    struct provenance origin = origin_own(from, EDGE_ORIGIN_TRANSFER, sqe->cap);
    struct hold_edge edge;
    struct hold_edge moved;
    enum transport_error error;

    pair_lock(from, to);
    error = edge_pass(from, sqe, &edge, refusal);
    if (error == TRANSPORT_OK) {
        error = cap_table_move_begin(&from->table, sqe->cap, &moved);
    }
    if (error == TRANSPORT_OK) {
        error = edge_receive(to, sqe, &edge, &origin, refusal);
        if (error == TRANSPORT_OK) {
            cap_table_move_commit(&from->table, sqe->cap, &moved);
        } else {
            cap_table_move_cancel(&from->table, sqe->cap);
        }
    }
    pair_unlock(from, to);
    return error;
}

/* The process that `sqe->target` names, referenced, if the caller may give it something. */
static enum transport_error target_pin(struct thread *thread, const struct sqe *sqe,
                                       struct process **to, struct refusal *refusal)
{
    struct hold_edge target;
    enum transport_error error = edge_pin(thread->process, sqe->target, &target, refusal);

    if (error == TRANSPORT_OK) {
        error = edge_permits_as(&target, &process_type, PROCESS_HANDLE_INTERFACE_ID,
                                PROCESS_HANDLE_METHOD_GIVE);
        if (error == TRANSPORT_OK) {
            *to = CONTAINER_OF(target.object, struct process, object);
            object_ref(&(*to)->object);
        }
        edge_unpin(&target);
    }
    return error == TRANSPORT_OK ? error : refuse(refusal, error, ARGUMENT_TARGET, sqe->target.raw);
}

enum transport_error submission_transfer(struct cpu *cpu, struct thread *thread,
                                         const struct sqe *sqe, struct refusal *refusal)
{
    struct process *process = thread->process;
    struct process *to = NULL;
    struct hold_edge edge;
    enum transport_error error;

    (void)cpu;
    spinlock_lock(&process->lock);
    error = edge_pass(process, sqe, &edge, refusal);
    if (error == TRANSPORT_OK) {
        edge_ref(&edge);
    }
    spinlock_unlock(&process->lock);
    if (error != TRANSPORT_OK) {
        return error;
    }
    error = target_pin(thread, sqe, &to, refusal);
    if (error == TRANSPORT_OK) {
        if ((sqe->flags & SQE_MOVE) == 0) {
            error = transfer_copy(process, to, sqe, &edge, refusal);
        } else {
            error = transfer_move(process, to, sqe, refusal);
            if (error == TRANSPORT_LIMIT) {
                process_slots_refill(to);
                *refusal = (struct refusal){0};
                error = transfer_move(process, to, sqe, refusal);
            }
        }
        object_unref(&to->object);
    }
    edge_unpin(&edge);
    if (error == TRANSPORT_OK) {
        submission_post(thread, sqe, 0);
    }
    return error;
}
