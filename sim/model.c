/* SPDX-License-Identifier: MIT */
/*
 * The reference model: tables and submissions.
 *
 * A table is a set of edges. The model sees a table whole each time its lock is released, and asks
 * for each difference who could have made it:
 *
 *   an edge appears    - the dispatched submission asks for just this edge (CREATE, MINT), or
 *                      - a spawn under way in this process asks for a process or thread handle, or
 *                      - the process is being built and its spawn grants just this edge;
 *   an edge disappears - the dispatched submission releases it, or
 *                      - takes back what it has just given (its answer could not be delivered), or
 *                      - the process is dying;
 *   an edge changes    - never.
 *
 * A submission is under way from the moment the kernel takes it to its one completion. What its
 * completion says is compared with what was true at some moment in between: an id that was good all
 * the time is neither BAD_CAP nor STALE_CAP, and nothing is done with one that never was.
 *
 * An id names one edge for ever: a slot's next edge has a greater generation than all before.
 */
#include "sim/model_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema/generated/capability.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"

enum {
    SLOTS = 1 << 12, /* more than any table has */
    LIVE = 1024,
    THREADS = 1024,
    DELEGATIONS = 4096,
    UNDER_WAY = 4096,
    SPAWNS = 1024,
    CARRIERS = 8192,
};

struct process {
    uint64_t pid; /* 0: none here */
    enum model_life life;
    uint32_t live_count;
    uint32_t live[LIVE]; /* index into held, by slot */
    uint32_t last;       /* newest edge ever, a chain through `previous` */
    uint64_t generation[SLOTS];
};

/* A delegation: made by a DELEGATE, dead once a REVOKE through its handle has completed. */
struct delegation {
    uint64_t grant;
    uint64_t parent; /* grant of the edge that was delegated; 0: none */
    uint64_t handle; /* object; 0: not seen yet */
    uint64_t by;     /* submission */
    uint64_t died;   /* model time */
};

uint64_t model_now;

static struct process processes[MODEL_PROCESSES];
static uint32_t process_count;
static struct model_held held[MODEL_EDGES];
static uint32_t previous[MODEL_EDGES];
static uint32_t held_count;
static struct model_submission submissions[MODEL_SUBMISSIONS];
static uint64_t under_way[UNDER_WAY]; /* submissions that are TAKEN, in any order */
static uint32_t under_way_count;
static uint64_t spawns[SPAWNS]; /* submissions that asked for one and were taken */
static uint32_t spawn_count;
static uint64_t carriers[CARRIERS]; /* CALLs that carry something and were taken */
static uint32_t carrier_count;
static struct delegation delegations[DELEGATIONS];
static uint32_t delegation_count;
static uint64_t gone[THREADS];
static uint32_t gone_count;
static bool disagreed;
static char disagreement[512];

void model_reset(void)
{
    held_count = 1;
    model_now = 1;
}

const char *model_disagreement(void)
{
    return disagreed ? disagreement : NULL;
}

void model_disagree(const char *format, ...)
{
    va_list arguments;

    if (!disagreed) {
        disagreed = true;
        va_start(arguments, format);
        (void)vsnprintf(disagreement, sizeof(disagreement), format, arguments);
        va_end(arguments);
    }
}

/* ---- who there is ---------------------------------------------------------------------------- */

static struct process *process_find(uint64_t pid)
{
    for (uint32_t i = 0; i < process_count; i++) {
        if (processes[i].pid == pid) {
            return &processes[i];
        }
    }
    return NULL;
}

void model_process(uint64_t pid, enum model_life life)
{
    struct process *process = process_find(pid);

    model_now++;
    if (process == NULL) {
        if (process_count == MODEL_PROCESSES) {
            model_disagree("the model has no room for another process");
            return;
        }
        process = &processes[process_count++];
        process->pid = pid;
        process->life = life;
    }
    if (life < process->life) {
        model_disagree("process %llu goes back in life", (unsigned long long)pid);
    }
    process->life = life;
}

bool model_is_alive(uint64_t pid)
{
    const struct process *process = process_find(pid);

    return process != NULL && process->life <= MODEL_ALIVE;
}

void model_thread_gone(uint64_t thread)
{
    model_now++;
    if (model_thread_is_gone(thread)) {
        return;
    }
    if (gone_count < THREADS) {
        gone[gone_count++] = thread;
    }
    for (uint32_t i = 0; i < under_way_count; i++) {
        if (submissions[under_way[i]].thread == thread) {
            submissions[under_way[i]].state = MODEL_DROPPED;
            under_way[i--] = under_way[--under_way_count];
        }
    }
}

bool model_thread_is_gone(uint64_t thread)
{
    for (uint32_t i = gone_count; i > 0; i--) {
        if (gone[i - 1] == thread) {
            return true;
        }
    }
    return false;
}

struct model_submission *model_find(uint64_t submission)
{
    return submission == 0 || submission >= MODEL_SUBMISSIONS ? NULL : &submissions[submission];
}

const struct model_submission *model_submission(uint64_t submission)
{
    return model_find(submission);
}

/* ---- ids ------------------------------------------------------------------------------------- */

static uint32_t slot_of(uint64_t id)
{
    return (uint32_t)(id & ((1U << CAP_SLOT_BITS) - 1));
}

static uint64_t generation_of(uint64_t id)
{
    return id >> CAP_SLOT_BITS;
}

struct model_history model_history(uint64_t pid, uint64_t id, uint64_t from, uint64_t to)
{
    const struct process *process = process_find(pid);
    struct model_history history = {.held = NULL};

    if (process == NULL) {
        return history;
    }
    for (uint32_t i = process->last; i != 0; i = previous[i]) {
        const struct model_held *edge = &held[i];

        if (edge->edge.id == id && edge->born <= to) {
            history.held = edge;
            history.before = edge->born <= from;
            history.throughout = edge->born <= from && edge->died > to && edge->away < from;
            history.sometime = edge->died >= from;
            break;
        }
    }
    return history;
}

int32_t model_permits(const struct model_edge *edge, uint64_t interface_id, unsigned method)
{
    if (edge->interface_id != interface_id) {
        return TRANSPORT_WRONG_INTERFACE;
    }
    if (edge->facet != UINT64_MAX && (method > 63 || (edge->facet >> method & 1) == 0)) {
        return TRANSPORT_NO_METHOD;
    }
    return TRANSPORT_OK;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Whether the edge may be passed on just as a TransferMode says. */
static bool passes_as(const struct model_edge *edge, uint32_t transfer)
{
    static const uint32_t modes[] = {0, 1, 2, 1, 2};

    return transfer < ARRAY_COUNT(modes) && edge->mode == modes[transfer] &&
           (edge->grantable != 0) == (transfer >= 3);
}

/* Whether a holder of `from` may hand out an edge that passes as `transfer` says, and stay. */
static bool may_hand_out(const struct model_edge *from, uint32_t transfer)
{
    return from->mode == 1 && (from->grantable != 0 || transfer == 0);
}

static bool facet_is_within(uint64_t facet, uint64_t source)
{
    if (source == UINT64_MAX) {
        return true;
    }
    return facet != UINT64_MAX && (facet & ~source) == 0;
}

/* Whether a DUP, DELEGATE or TRANSFER makes just this edge, in the table of `pid`. */
static bool makes(const struct model_submission *submission, uint64_t pid,
                  const struct model_edge *edge)
{
    const struct sqe *sqe = &submission->sqe;
    struct model_history source =
        model_history(submission->pid, sqe->cap.raw, submission->begun, model_now);
    const struct model_edge *from;
    uint64_t facet;
    bool same;

    if (submission->wire != TRANSPORT_OK || source.held == NULL || !source.sometime) {
        return false;
    }
    from = &source.held->edge;
    facet = sqe->facet == UINT64_MAX ? from->facet : sqe->facet; /* ALL: all that the source has */
    same = edge->object == from->object && edge->interface_id == from->interface_id &&
           edge->badge == from->badge;
    switch (sqe->opcode) {
    case OPCODE_DUP:
        return pid == submission->pid && submission->yielded == 0 && same && edge->facet == facet &&
               facet_is_within(facet, from->facet) && edge->grant == from->grant &&
               edge->mode == from->mode &&
               edge->grantable == (slot_of(edge->id) < LIMIT_DESCRIPTORS ? 0 : from->grantable);
    case OPCODE_DELEGATE:
        if (pid != submission->pid || submission->yielded > 1) {
            return false;
        }
        return edge->interface_id == CAPABILITY_DELEGATION_INTERFACE_ID ||
               (same && edge->facet == facet && facet_is_within(facet, from->facet) &&
                edge->grant != 0 && edge->grant != from->grant &&
                edge->grantable <= from->grantable && from->mode != 0);
    case OPCODE_TRANSFER:
        return submission->yielded == 0 && same && edge->facet == from->facet &&
               edge->grant == from->grant &&
               (from->mode == 1 || (from->mode == 2 && (sqe->flags & SQE_MOVE) != 0)) &&
               ((sqe->flags & SQE_KEEP_GRANT) != 0
                    ? from->grantable != 0 && edge->mode == from->mode && edge->grantable != 0
                    : edge->mode == 0 && edge->grantable == 0);
    default:
        return false;
    }
}

/* Whether what it asks for, a process or a thread with a handle, comes later. */
static bool is_spawn(const struct model_submission *submission)
{
    return submission->intent.ask == MODEL_ASK_SPAWN || submission->intent.ask == MODEL_ASK_THREAD;
}

/* Whether the submission of process `pid` asks for just this edge at `object`. */
static bool asks_for(struct model_submission *submission, const struct model_edge *edge)
{
    const struct model_intent *intent = &submission->intent;
    struct model_history target;

    model_promise_resolve(submission);
    target = model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);

    if (submission->sqe.opcode != OPCODE_CALL || submission->yielded != 0 || target.held == NULL ||
        !target.sometime ||
        model_permits(&target.held->edge, submission->sqe.interface_id, submission->sqe.method) !=
            TRANSPORT_OK) {
        return false;
    }
    switch (intent->ask) {
    case MODEL_ASK_CREATE:
        return edge->interface_id == ENDPOINT_INTERFACE_ID && edge->facet == UINT64_MAX &&
               edge->badge == 0;
    case MODEL_ASK_MINT:
        return edge->object == target.held->edge.object &&
               edge->interface_id == intent->interface_id && edge->facet == intent->facet &&
               edge->badge == intent->badge && passes_as(edge, intent->transfer) &&
               edge->grant == 0;
    case MODEL_ASK_SPAWN:
        return edge->interface_id == PROCESS_HANDLE_INTERFACE_ID && edge->badge == 0 &&
               edge->facet == UINT64_MAX && edge->mode == 1 && edge->grantable != 0;
    case MODEL_ASK_THREAD:
        return edge->interface_id == THREAD_HANDLE_INTERFACE_ID && edge->badge == 0 &&
               edge->facet == UINT64_MAX && edge->mode == 1 && edge->grantable != 0;
    default:
        return false;
    }
}

/* The grant of a spawn's plan that makes just this edge in the child. */
static bool grants(const struct model_submission *spawn, const struct model_edge *edge)
{
    for (uint32_t i = 0; i < spawn->intent.grants; i++) {
        const struct model_grant *grant = &spawn->intent.grant[i];
        struct model_history source = model_history(spawn->pid, grant->id, spawn->begun, model_now);
        const struct model_edge *from;

        if (source.held == NULL || !source.sometime) {
            continue;
        }
        from = &source.held->edge;
        if (from->object == edge->object && from->interface_id == edge->interface_id &&
            from->badge == edge->badge && edge->grant == from->grant &&
            may_hand_out(from, grant->transfer) && passes_as(edge, grant->transfer) &&
            edge->facet == (grant->narrowed ? grant->facet : from->facet) &&
            facet_is_within(edge->facet, from->facet)) {
            return true;
        }
    }
    return false;
}

static const struct model_grant *carries(struct model_submission *call,
                                         const struct model_edge *edge);
static bool leaves(uint64_t pid, uint64_t id);

/* Whether a RETURN names this call: its endpoint and its token. */
static bool names_call(const struct model_submission *by, const struct model_submission *call)
{
    struct model_history owner;

    if ((by->sqe.opcode != OPCODE_RETURN && by->sqe.opcode != OPCODE_RETURN_RECV) ||
        call->sqe.opcode != OPCODE_CALL || call->token == 0 || call->token != by->sqe.token) {
        return false;
    }
    owner = model_history(by->pid, by->sqe.cap.raw, by->begun, model_now);
    return owner.held != NULL && owner.held->edge.object == call->endpoint;
}

/* The call under way that a RETURN names. */
static uint64_t call_returned(const struct model_submission *by)
{
    for (uint32_t i = 0; i < under_way_count; i++) {
        const struct model_submission *call = &submissions[under_way[i]];

        if (!call->unposted && names_call(by, call)) {
            return under_way[i];
        }
    }
    return 0;
}

/* Whether this edge comes to process `pid` beside the answer that is being returned. */
static bool returns(struct model_submission *by, uint64_t pid, const struct model_edge *edge)
{
    const struct model_grant *grant;
    uint64_t call;

    if (by->sqe.opcode != OPCODE_RETURN && by->sqe.opcode != OPCODE_RETURN_RECV) {
        return false;
    }
    for (call = call_returned(by); call != 0 && submissions[call].pid == pid;) {
        grant = carries(by, edge);
        if (grant != NULL) {
            model_arrived(call, edge->id, grant->path);
        }
        return grant != NULL;
    }
    return false;
}

/* Which submission brought this edge about; 0 with *known: none, but it may be. */
static uint64_t cause_find(const struct model_actor *actor, const struct process *process,
                           const struct model_edge *edge, bool *known)
{
    struct model_submission *submission = model_find(actor->submission);

    *known = true;
    if (submission != NULL && ((submission->pid == process->pid && asks_for(submission, edge)) ||
                               makes(submission, process->pid, edge))) {
        return actor->submission;
    }
    if (submission != NULL && returns(submission, process->pid, edge)) {
        return 0;
    }
    for (uint32_t i = 0; i < spawn_count; i++) {
        struct model_submission *other = &submissions[spawns[i]];

        if (process->life == MODEL_BUILDING && grants(other, edge)) {
            return 0;
        }
        if (other->pid == process->pid && other->state != MODEL_DONE && asks_for(other, edge)) {
            return spawns[i];
        }
    }
    for (uint32_t i = 0; i < carrier_count; i++) {
        struct model_submission *call = &submissions[carriers[i]];

        /* Of a thread that is ending too, until the call is taken back; and of one that is over, if
         * an equal edge of its was laid to the account of this call. */
        if (call->sqe.opcode == OPCODE_CALL && (call->state != MODEL_DONE || call->token != 0) &&
            carries(call, edge) != NULL) {
            return 0;
        }
    }
    /* The first process gets what the manifest says, which is not this model's matter. */
    *known = process->life == MODEL_BUILDING && process == &processes[0];
    return 0;
}

static struct delegation *delegation_find(uint64_t grant)
{
    for (uint32_t i = delegation_count; grant != 0 && i > 0; i--) {
        if (delegations[i - 1].grant == grant) {
            return &delegations[i - 1];
        }
    }
    return NULL;
}

/* One of the two edges of a DELEGATE: the delegated one or the handle. */
static void delegation_note(uint64_t cause, const struct model_edge *edge)
{
    const struct model_submission *submission = &submissions[cause];
    struct model_history source =
        model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);
    struct delegation *delegation = NULL;

    for (uint32_t i = delegation_count; i > 0 && delegation == NULL; i--) {
        delegation = delegations[i - 1].by == cause ? &delegations[i - 1] : NULL;
    }
    if (delegation == NULL && delegation_count < DELEGATIONS) {
        delegation = &delegations[delegation_count++];
        *delegation = (struct delegation){.by = cause, .died = UINT64_MAX};
    }
    if (delegation == NULL) {
        model_disagree("the model has no room for another delegation");
    } else if (edge->interface_id == CAPABILITY_DELEGATION_INTERFACE_ID) {
        delegation->handle = edge->object;
    } else {
        delegation->grant = edge->grant;
        delegation->parent = source.held == NULL ? 0 : source.held->edge.grant;
    }
}

/* Whether a delegation on the way up from `grant` was dead before `time`. */
static bool grant_is_dead(uint64_t grant, uint64_t time)
{
    const struct delegation *delegation = delegation_find(grant);

    for (uint32_t i = 0; delegation != NULL && i <= DELEGATIONS; i++) {
        if (delegation->died < time) {
            return true;
        }
        delegation = delegation_find(delegation->parent);
    }
    return false;
}

/* A REVOKE has completed. */
static void revoke_verdict(const struct model_submission *submission, const struct cqe *cqe)
{
    struct model_history history =
        model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);

    for (uint32_t i = 0; cqe->result >= 0 && history.held != NULL && i < delegation_count; i++) {
        if (delegations[i].handle == history.held->edge.object &&
            delegations[i].died == UINT64_MAX) {
            delegations[i].died = model_now;
        }
    }
}

static void edge_add(const struct model_actor *actor, struct process *process,
                     const struct model_edge *edge)
{
    uint32_t slot = slot_of(edge->id);
    bool known;
    uint64_t cause = cause_find(actor, process, edge, &known);

    if (slot >= SLOTS || generation_of(edge->id) <= process->generation[slot]) {
        model_disagree("process %llu: id %llx:%u was given out before",
                       (unsigned long long)process->pid,
                       (unsigned long long)generation_of(edge->id), slot);
        return;
    }
    if (!known) {
        model_disagree(
            "process %llu: edge %u to object %llu, interface %llx, facet %llx, mode %u%s, "
            "grant %llu, appeared and nobody asked for it",
            (unsigned long long)process->pid, slot, (unsigned long long)edge->object,
            (unsigned long long)edge->interface_id, (unsigned long long)edge->facet, edge->mode,
            edge->grantable != 0 ? " grantable" : "", (unsigned long long)edge->grant);
    }
    if (held_count == MODEL_EDGES) {
        model_disagree("the model has no room for another edge");
        return;
    }
    process->generation[slot] = generation_of(edge->id);
    held[held_count] =
        (struct model_held){.edge = *edge,
                            .pid = process->pid,
                            .born = model_now,
                            .died = UINT64_MAX,
                            .away = edge->state == MODEL_EDGE_MOVING ? UINT64_MAX : 0,
                            .by = cause};
    previous[held_count] = process->last;
    process->last = held_count++;
    if (cause != 0) {
        submissions[cause].yielded++;
        if (submissions[cause].sqe.opcode == OPCODE_CALL) {
            model_arrived(cause, edge->id, submissions[cause].intent.path);
        }
        if (submissions[cause].sqe.opcode == OPCODE_DELEGATE) {
            delegation_note(cause, edge);
        }
    }
}

static void edge_remove(const struct model_actor *actor, struct process *process,
                        struct model_held *edge)
{
    struct model_submission *submission = model_find(actor->submission);

    edge->died = model_now;
    if (submission != NULL && submission->pid == process->pid) {
        if (submission->sqe.opcode == OPCODE_RELEASE && submission->sqe.cap.raw == edge->edge.id &&
            submission->removed == 0) {
            submission->removed++;
            return;
        }
        if (submission->sqe.opcode == OPCODE_TRANSFER && (submission->sqe.flags & SQE_MOVE) != 0 &&
            submission->sqe.cap.raw == edge->edge.id && submission->removed == 0) {
            submission->removed++;
            return;
        }
        if (edge->by == actor->submission && submission->yielded > 0) {
            submission->yielded--;
            return;
        }
    }
    if (process->life >= MODEL_DYING || leaves(process->pid, edge->edge.id)) {
        return;
    }
    model_disagree("process %llu: edge %llx:%u went away and nobody asked for it",
                   (unsigned long long)process->pid,
                   (unsigned long long)generation_of(edge->edge.id), slot_of(edge->edge.id));
}

static bool edges_are_equal(const struct model_edge *one, const struct model_edge *other)
{
    return one->id == other->id && one->object == other->object &&
           one->interface_id == other->interface_id && one->facet == other->facet &&
           one->badge == other->badge && one->grant == other->grant && one->mode == other->mode &&
           one->grantable == other->grantable;
}

/* Whether what is under this id now is what was there: the same, or buried by a revoke. */
static bool edge_stays(struct model_edge *was, const struct model_edge *now)
{
    if (now->state == MODEL_EDGE_BURIED) {
        was->state = MODEL_EDGE_BURIED;
        return was->grant != 0;
    }
    if (was->state == MODEL_EDGE_BURIED) {
        return false;
    }
    was->state = now->state;
    return edges_are_equal(was, now);
}

/* The descriptor by which this edge travels beside the call or the answer, if it has not arrived
 * yet; it has now. */
static const struct model_grant *carries(struct model_submission *call,
                                         const struct model_edge *edge)
{
    for (uint32_t i = 0; call->intent.ask == MODEL_ASK_NOTHING && i < call->intent.grants; i++) {
        const struct model_grant *grant = &call->intent.grant[i];
        struct model_history source = model_history(call->pid, grant->id, call->begun, model_now);
        const struct model_edge *from = source.held == NULL ? NULL : &source.held->edge;

        if (from != NULL && source.sometime && (call->carried >> i & 1) == 0 &&
            from->object == edge->object && from->interface_id == edge->interface_id &&
            from->facet == edge->facet && from->badge == edge->badge &&
            from->grant == edge->grant && edge->mode == 0 && edge->grantable == 0 &&
            (from->mode == 1 || (from->mode == 2 && grant->moves))) {
            call->carried |= 1U << i;
            return grant;
        }
    }
    return NULL;
}

/* Whether a call under way takes this edge away from its holder. */
static bool leaves(uint64_t pid, uint64_t id)
{
    for (uint32_t i = carrier_count; i > 0; i--) {
        const struct model_submission *call = &submissions[carriers[i - 1]];

        for (uint32_t k = 0;
             call->pid == pid && call->state != MODEL_DONE && k < call->intent.grants; k++) {
            if (call->intent.grant[k].id == id && call->intent.grant[k].moves) {
                return true;
            }
        }
    }
    return false;
}

/* The newest edge of the process with this id. */
static uint32_t newest(const struct process *process, uint64_t id)
{
    for (uint32_t i = process->last; i != 0; i = previous[i]) {
        if (held[i].edge.id == id) {
            return i;
        }
    }
    return 0;
}

void model_table(const struct model_actor *actor, uint64_t pid, const struct model_edge *edges,
                 uint32_t count)
{
    struct process *process = process_find(pid);
    uint32_t live[LIVE];
    uint32_t old = 0;

    model_now++;
    if (process == NULL || count > LIVE) {
        model_disagree("a table nobody knows, or too large: process %llu, %u edges",
                       (unsigned long long)pid, count);
        return;
    }
    /* Both are in order of slots: one pass. */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = slot_of(edges[i].id);

        while (old < process->live_count && slot_of(held[process->live[old]].edge.id) < slot) {
            edge_remove(actor, process, &held[process->live[old++]]);
        }
        if (old < process->live_count && held[process->live[old]].edge.id == edges[i].id) {
            if (!edge_stays(&held[process->live[old]].edge, &edges[i])) {
                model_disagree("process %llu: edge %u changed under its id",
                               (unsigned long long)pid, slot);
            }
            if (edges[i].state != MODEL_EDGE_HELD) {
                held[process->live[old]].away = UINT64_MAX;
            } else if (held[process->live[old]].away == UINT64_MAX) {
                held[process->live[old]].away = model_now;
            }
            live[i] = process->live[old++];
            continue;
        }
        if (old < process->live_count && slot_of(held[process->live[old]].edge.id) == slot) {
            edge_remove(actor, process, &held[process->live[old++]]);
        }
        edge_add(actor, process, &edges[i]);
        live[i] = newest(process, edges[i].id);
    }
    while (old < process->live_count) {
        edge_remove(actor, process, &held[process->live[old++]]);
    }
    memcpy(process->live, live, count * sizeof(live[0]));
    process->live_count = count;
}

/* ---- submissions ----------------------------------------------------------------------------- */

void model_intend(uint64_t submission, uint64_t pid, uint64_t thread,
                  const struct model_intent *intent)
{
    struct model_submission *found = model_find(submission);

    if (found == NULL || found->state != MODEL_UNKNOWN) {
        model_disagree("submission %llu is named twice", (unsigned long long)submission);
        return;
    }
    *found = (struct model_submission){.state = MODEL_INTENDED,
                                       .pid = pid,
                                       .thread = thread,
                                       .intent = *intent,
                                       .begun = model_now};
}

uint64_t model_time(void)
{
    return model_now;
}

void model_dispatching(uint64_t submission)
{
    struct model_submission *found = model_find(submission);

    if (found != NULL && found->state == MODEL_TAKEN) {
        found->begun = model_now;
        if (found->sqe.opcode == OPCODE_CALL) {
            model_call_dispatching(submission, found);
        }
    }
}

void model_dispatched(uint64_t submission)
{
    struct model_submission *found = model_find(submission);

    model_now++;
    if (found == NULL || found->state == MODEL_UNKNOWN || found->state == MODEL_INTENDED) {
        return;
    }
    if (found->sqe.opcode == OPCODE_CALL) {
        model_call_dispatched(found);
    } else if (found->sqe.opcode == OPCODE_PARK) {
        model_park_dispatched(submission, found);
    }
    found->dispatched = model_now;
}

void model_taken(uint64_t pid, uint64_t thread, const struct sqe *sqe, uint64_t since)
{
    struct model_submission *found = model_find(sqe->user_data);

    model_now++;
    if (found == NULL || found->state != MODEL_INTENDED || found->pid != pid ||
        found->thread != thread) {
        model_disagree("the kernel took submission %llu of process %llu, which nobody made",
                       (unsigned long long)sqe->user_data, (unsigned long long)pid);
        return;
    }
    if (under_way_count == UNDER_WAY || spawn_count == SPAWNS) {
        model_disagree("the model has no room for more submissions under way");
        return;
    }
    under_way[under_way_count++] = sqe->user_data;
    if (is_spawn(found)) {
        spawns[spawn_count++] = sqe->user_data;
    } else if (found->intent.grants != 0 && carrier_count < CARRIERS) {
        carriers[carrier_count++] = sqe->user_data;
    }
    found->state = MODEL_TAKEN;
    found->sqe = *sqe;
    found->begun = found->begun > since ? found->begun : since;
    found->wire = model_wire(sqe);
    if (sqe->opcode == OPCODE_CALL) {
        model_call_taken(sqe->user_data, found);
    }
}

/* Whether the completion speaks rightly of the capability; true: and the rest is to be judged. */
static bool cap_verdict(uint64_t name, const struct model_submission *submission, int32_t result,
                        struct model_history *history)
{
    *history =
        model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);
    if (result == TRANSPORT_BAD_CAP) {
        if (history->before) {
            model_disagree("submission %llu: BAD_CAP for an id that was given out",
                           (unsigned long long)name);
        }
        return false;
    }
    if (result == TRANSPORT_STALE_CAP) {
        if (history->held == NULL) {
            model_disagree("submission %llu: STALE_CAP for an id that was never given out",
                           (unsigned long long)name);
        } else if (history->throughout) {
            model_disagree("submission %llu: STALE_CAP for an id that was good",
                           (unsigned long long)name);
        }
        return false;
    }
    if (result == TRANSPORT_REVOKED) {
        /* CALL and RETURN are told so too when the other side's edge is revoked. */
        if (submission->sqe.opcode != OPCODE_CALL && submission->sqe.opcode != OPCODE_RETURN &&
            submission->sqe.opcode != OPCODE_RETURN_RECV &&
            (history->held == NULL || history->held->edge.grant == 0)) {
            model_disagree("submission %llu: REVOKED for an edge that was never delegated",
                           (unsigned long long)name);
        }
        return false;
    }
    if (history->held == NULL || !history->sometime) {
        model_disagree("submission %llu (opcode %u): result %d through an id that was not good",
                       (unsigned long long)name, submission->sqe.opcode, result);
        return false;
    }
    if (result >= 0 && submission->sqe.opcode != OPCODE_RELEASE &&
        grant_is_dead(history->held->edge.grant, submission->begun)) {
        model_disagree("submission %llu (opcode %u): result %d through an edge that was revoked",
                       (unsigned long long)name, submission->sqe.opcode, result);
    }
    return true;
}

/* Two spawns of one process are under way, and which of them a handle belongs to shows only when
 * one completes: it takes over what was laid to the other's account. */
static void spawn_settle(struct model_submission *spawn)
{
    for (uint32_t i = 0; i < spawn_count; i++) {
        struct model_submission *other = &submissions[spawns[i]];

        if (other != spawn && other->pid == spawn->pid && other->yielded == 1 &&
            other->intent.ask == spawn->intent.ask && other->state != MODEL_DONE) {
            other->yielded = 0;
            spawn->yielded = 1;
            return;
        }
    }
}

static void call_verdict(const struct model_actor *actor, uint64_t name,
                         struct model_submission *submission, const struct cqe *cqe)
{
    struct model_history history;
    uint32_t caps = cqe->result >= 0 ? cqe->flags >> CQE_CAPS_SHIFT : 0;
    int32_t permitted;

    if (model_call_completed(name, submission, cqe) ||
        (submission->promised &&
         (cqe->result == TRANSPORT_BAD_BUFFER || cqe->result == TRANSPORT_CANCELLED ||
          cqe->result == TRANSPORT_LIMIT)) || /* before it had a target, perhaps */
        (submission->sqe.transfers != 0 &&
         (cqe->result == TRANSPORT_BAD_CAP || cqe->result == TRANSPORT_STALE_CAP ||
          cqe->result == TRANSPORT_REVOKED)) || /* perhaps what travels beside it */
        !cap_verdict(name, submission, cqe->result, &history)) {
        return;
    }
    if (is_spawn(submission) && submission->yielded < caps) {
        spawn_settle(submission);
    }
    permitted =
        model_permits(&history.held->edge, submission->sqe.interface_id, submission->sqe.method);
    if ((cqe->result == TRANSPORT_WRONG_INTERFACE || cqe->result == TRANSPORT_NO_METHOD
             ? cqe->result
             : TRANSPORT_OK) != permitted) {
        model_disagree("submission %llu: result %d where the edge says %d",
                       (unsigned long long)name, cqe->result, permitted);
    }
    if (model_is_endpoint(history.held->edge.object) &&
        history.held->edge.interface_id != ENDPOINT_INTERFACE_ID) {
        model_completed_at_endpoint(actor, name, submission, cqe);
    } else if (submission->yielded != caps) {
        model_disagree("submission %llu: its completion tells of %u capabilities, %u came to be",
                       (unsigned long long)name, caps, submission->yielded);
    }
}

static void owner_verdict(const struct model_actor *actor, uint64_t name,
                          struct model_submission *submission, const struct cqe *cqe)
{
    uint8_t opcode = submission->sqe.opcode;
    struct model_history history;
    int32_t permitted = TRANSPORT_OK;

    if ((submission->sqe.transfers != 0 &&
         (cqe->result == TRANSPORT_BAD_CAP || cqe->result == TRANSPORT_STALE_CAP ||
          cqe->result == TRANSPORT_REVOKED)) || /* perhaps what travels beside it */
        !cap_verdict(name, submission, cqe->result, &history)) {
        return;
    }
    if (opcode == OPCODE_WATCH) {
        permitted =
            model_permits(&history.held->edge, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_ANSWER);
    } else if (opcode != OPCODE_RETURN) {
        permitted =
            model_permits(&history.held->edge, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_RECEIVE);
    }
    if (opcode != OPCODE_RECV && opcode != OPCODE_WATCH && permitted == TRANSPORT_OK) {
        permitted =
            model_permits(&history.held->edge, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_ANSWER);
    }
    if ((cqe->result == TRANSPORT_WRONG_INTERFACE || cqe->result == TRANSPORT_NO_METHOD
             ? cqe->result
             : TRANSPORT_OK) != permitted) {
        model_disagree("submission %llu: result %d where the edge says %d",
                       (unsigned long long)name, cqe->result, permitted);
    }
    if (opcode == OPCODE_WATCH) {
        model_watch_verdict(name, submission, cqe);
        return;
    }
    model_completed_at_endpoint(actor, name, submission, cqe);
}

/* The id that a TOKEN says: of what was in this slot, with this interface. */
static void token_verdict(uint64_t name, const struct model_submission *submission,
                          const struct cqe *cqe)
{
    const struct sqe *sqe = &submission->sqe;
    const struct process *process = process_find(submission->pid);
    bool throughout = false;
    bool right = false;
    bool other = false;

    for (uint32_t i = process == NULL ? 0 : process->last; i != 0; i = previous[i]) {
        const struct model_held *edge = &held[i];

        if (slot_of(edge->edge.id) == sqe->slot && edge->died >= submission->begun) {
            throughout |= edge->born <= submission->begun && edge->died > model_now &&
                          edge->away < submission->begun && edge->edge.state != MODEL_EDGE_BURIED;
            right |= edge->edge.interface_id == sqe->interface_id &&
                     (cqe->result != 0 || edge->edge.id == cqe->cap[0].raw);
            other |= edge->edge.interface_id != sqe->interface_id;
        }
    }
    if ((cqe->result == 0 && !right) || (cqe->result == TRANSPORT_BAD_CAP && throughout) ||
        (cqe->result == TRANSPORT_WRONG_INTERFACE && !other)) {
        model_disagree("submission %llu: TOKEN of slot %u answered %d, which is not so",
                       (unsigned long long)name, sqe->slot, cqe->result);
    }
}

/* DUP, DELEGATE, TRANSFER: all that was asked came to be, or nothing. */
static void maker_verdict(uint64_t name, const struct model_submission *submission,
                          const struct cqe *cqe)
{
    uint32_t wanted = submission->sqe.opcode == OPCODE_DELEGATE ? 2 : 1;
    bool moves =
        submission->sqe.opcode == OPCODE_TRANSFER && (submission->sqe.flags & SQE_MOVE) != 0;
    struct model_history history;

    history =
        model_history(submission->pid, submission->sqe.target.raw, submission->begun, model_now);
    if (submission->sqe.opcode != OPCODE_TRANSFER ||
        (history.held != NULL && history.throughout && history.held->edge.grant == 0)) {
        (void)cap_verdict(name, submission, cqe->result, &history); /* the target is not meant */
    }
    if (submission->yielded != (cqe->result >= 0 ? wanted : 0) ||
        submission->removed != (cqe->result >= 0 && moves ? 1 : 0)) {
        model_disagree("submission %llu (%s): result %d, %u edges came to be and %u went",
                       (unsigned long long)name,
                       submission->sqe.opcode == OPCODE_DUP        ? "DUP"
                       : submission->sqe.opcode == OPCODE_DELEGATE ? "DELEGATE"
                                                                   : "TRANSFER",
                       cqe->result, submission->yielded, submission->removed);
    }
}

static void verdict(const struct model_actor *actor, uint64_t name,
                    struct model_submission *submission, const struct cqe *cqe)
{
    struct model_history history;

    if (submission->wire != TRANSPORT_OK) {
        if (cqe->result != submission->wire) {
            model_disagree("submission %llu: malformed (%d), answered %d", (unsigned long long)name,
                           submission->wire, cqe->result);
        }
        return;
    }
    if (cqe->result == TRANSPORT_CANCELLED && /* not: the call that it returns was taken back */
        submission->sqe.opcode != OPCODE_RETURN &&
        (submission->sqe.opcode != OPCODE_RETURN_RECV || submission->endpoint != 0)) {
        model_cancelled(actor, name, submission);
    }
    switch (submission->sqe.opcode) {
    case OPCODE_NOP:
        if (cqe->result != 0) {
            model_disagree("submission %llu: a NOP answered %d", (unsigned long long)name,
                           cqe->result);
        }
        break;
    case OPCODE_RELEASE:
        if (cap_verdict(name, submission, cqe->result, &history) && cqe->result != 0) {
            model_disagree("submission %llu: RELEASE answered %d", (unsigned long long)name,
                           cqe->result);
        }
        if ((cqe->result == 0) != (submission->removed == 1)) {
            model_disagree("submission %llu: RELEASE answered %d and %u edges went",
                           (unsigned long long)name, cqe->result, submission->removed);
        }
        break;
    case OPCODE_CALL:
        call_verdict(actor, name, submission, cqe);
        break;
    case OPCODE_RECV:
    case OPCODE_RETURN:
    case OPCODE_RETURN_RECV:
    case OPCODE_WATCH:
        owner_verdict(actor, name, submission, cqe);
        break;
    case OPCODE_DUP:
    case OPCODE_DELEGATE:
    case OPCODE_TRANSFER:
        maker_verdict(name, submission, cqe);
        break;
    case OPCODE_REVOKE:
        revoke_verdict(submission, cqe);
        break;
    case OPCODE_TOKEN:
        token_verdict(name, submission, cqe);
        break;
    case OPCODE_FINISH:
        model_finish_verdict(name, submission, cqe);
        break;
    case OPCODE_CANCEL:
        model_cancel_verdict(name, submission, cqe);
        break;
    case OPCODE_PARK:
        model_park_verdict(actor, name, submission, cqe);
        break;
    case OPCODE_UNPARK:
        model_unpark_verdict(name, submission, cqe);
        break;
    default:
        break;
    }
}

static void under_way_remove(uint64_t name)
{
    for (uint32_t i = 0; i < under_way_count; i++) {
        if (under_way[i] == name) {
            under_way[i] = under_way[--under_way_count];
            return;
        }
    }
}

void model_completed(const struct model_actor *actor, uint64_t thread, const struct cqe *cqe,
                     const struct endpoint_message *head)
{
    struct model_submission *found = model_find(cqe->user_data);

    model_now++;
    if (found == NULL || (found->state != MODEL_TAKEN && found->state != MODEL_DROPPED)) {
        model_disagree("a completion (%d) for submission %llu, which is %s", cqe->result,
                       (unsigned long long)cqe->user_data,
                       found != NULL && found->state == MODEL_DONE ? "complete already"
                                                                   : "not under way");
        return;
    }
    if (found->thread != thread) {
        model_disagree("the completion of submission %llu came to another thread",
                       (unsigned long long)cqe->user_data);
    }
    if (head != NULL) {
        found->token = head->token;
        found->told_closed = head->kind == ENDPOINT_MESSAGE_CLOSED;
    }
    verdict(actor, cqe->user_data, found, cqe);
    under_way_remove(cqe->user_data);
    found->state = MODEL_DONE;
    found->ended = model_now;
    found->result = cqe->result;
}

void model_quiescent(void)
{
    for (uint32_t i = 0; i < under_way_count; i++) {
        const struct model_submission *submission = &submissions[under_way[i]];

        if (!model_endpoint_rests(submission->endpoint)) {
            model_disagree("endpoint %llu is closed and not empty, and every CPU is idle",
                           (unsigned long long)submission->endpoint);
        }
        if (submission->unposted || (submission->sqe.opcode == OPCODE_WATCH &&
                                     !model_watch_rests(under_way[i], submission))) {
            model_disagree("submission %llu is over, has no completion, and every CPU is idle",
                           (unsigned long long)under_way[i]);
        }
        if (submission->endpoint == 0 && submission->intent.ask != MODEL_ASK_WAIT &&
            !model_promise_rests(submission) && !model_park_rests(submission)) {
            model_disagree("submission %llu (opcode %u) is under way, waits nowhere, and every CPU "
                           "is idle",
                           (unsigned long long)under_way[i], submission->sqe.opcode);
        }
    }
}

/* ---- asked by the generator ------------------------------------------------------------------ */

uint32_t model_edges(uint64_t pid, struct model_edge *edges, uint32_t room)
{
    const struct process *process = process_find(pid);
    uint32_t count = 0;

    if (process != NULL) {
        for (; count < process->live_count && count < room; count++) {
            edges[count] = held[process->live[count]].edge;
        }
    }
    return count;
}

uint64_t model_stale_id(uint64_t pid, uint64_t choice)
{
    const struct process *process = process_find(pid);
    uint64_t found = 0;

    if (process == NULL) {
        return 0;
    }
    choice %= 8;
    for (uint32_t i = process->last; i != 0; i = previous[i]) {
        if (held[i].died != UINT64_MAX) {
            found = held[i].edge.id;
            if (choice-- == 0) {
                break;
            }
        }
    }
    return found;
}

uint32_t model_under_way(uint64_t thread, uint64_t *names, uint32_t room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < under_way_count && count < room; i++) {
        if (submissions[under_way[i]].thread == thread) {
            names[count++] = under_way[i];
        }
    }
    return count;
}

uint64_t model_returner(const struct model_actor *actor, const struct model_submission *call)
{
    const struct model_submission *by = model_find(actor->submission);

    if (by != NULL && (by->sqe.opcode == OPCODE_RETURN || by->sqe.opcode == OPCODE_RETURN_RECV)) {
        return actor->submission;
    }
    for (uint32_t i = 0; call->keeps && i < under_way_count; i++) {
        if (names_call(&submissions[under_way[i]], call)) {
            return under_way[i];
        }
    }
    return 0;
}

uint32_t model_tokens(uint64_t pid, uint64_t *tokens, uint64_t *calls, uint32_t room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < under_way_count && count < room; i++) {
        const struct model_submission *call = &submissions[under_way[i]];

        if (call->sqe.opcode == OPCODE_CALL && call->token != 0 && !call->unposted &&
            call->receiver >> 16 == pid) {
            tokens[count] = call->token;
            calls[count++] = under_way[i];
        }
    }
    return count;
}
