/* SPDX-License-Identifier: MIT */
/*
 * The reference model: tables, and the ids that name their edges.
 *
 * A table is a set of edges. The model sees a table whole each time its lock is released, and asks
 * for each difference who could have made it (model_cause.c):
 *
 *   an edge appears    - somebody asked for just this edge;
 *   an edge disappears - the dispatched submission releases it, or
 *                      - takes back what it has just given (its answer could not be delivered), or
 *                      - it travels beside a call or an answer, or
 *                      - it came with an answer that is finished with what it gave, or
 *                      - the process is dying;
 *   an edge changes    - never.
 *
 * An id names one edge for ever: a slot's next edge has a greater generation than all before.
 */
#include "sim/model_inside.h"

#include <string.h>

#include "schema/generated/capability.capnp.h"

enum {
    SLOTS = 1 << 12, /* more than any table has */
    LIVE = 1024,
    DELEGATIONS = 4096,
};

struct process {
    uint64_t pid; /* 0: none here */
    enum model_life life;
    uint32_t live_count;
    struct model_held *live[LIVE]; /* by slot */
    struct model_held *last;       /* newest edge ever, a chain through `previous` */
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

static struct process processes[MODEL_PROCESSES];
static uint32_t process_count;
static struct model_held held[MODEL_EDGES];
static uint32_t held_count;
static struct delegation delegations[DELEGATIONS];
static uint32_t delegation_count;

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

/* ---- ids ------------------------------------------------------------------------------------- */

uint32_t model_slot(uint64_t id)
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
    for (const struct model_held *edge = process->last; edge != NULL; edge = edge->previous) {
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

bool model_is_building(uint64_t pid)
{
    const struct process *process = process_find(pid);

    return process != NULL && process->life == MODEL_BUILDING;
}

bool model_is_first(uint64_t pid)
{
    return pid == processes[0].pid;
}

/* ---- delegations ----------------------------------------------------------------------------- */

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
    const struct model_submission *submission = model_find(cause);
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

bool model_grant_is_dead(uint64_t grant, uint64_t time)
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

uint32_t model_depth_below(uint64_t handle, uint64_t grant)
{
    const struct delegation *delegation = delegation_find(grant);
    uint32_t depth = 1;

    while (delegation != NULL && delegation->handle != handle) {
        delegation = delegation_find(delegation->parent);
        depth++;
    }
    return delegation == NULL ? 0 : depth;
}

void model_revoked(uint64_t handle)
{
    for (uint32_t i = 0; i < delegation_count; i++) {
        if (delegations[i].handle == handle && delegations[i].died == UINT64_MAX) {
            delegations[i].died = model_now;
        }
    }
}

void model_copy(uint64_t pid, uint64_t grant)
{
    if (model_grant_is_dead(grant, model_now)) {
        model_disagree(
            "what a REVOKE took, which is over, is kept beside a call or a spawn of process %llu",
            (unsigned long long)pid);
    }
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void edge_add(const struct model_actor *actor, struct process *process,
                     const struct model_edge *edge)
{
    uint32_t slot = model_slot(edge->id);
    bool known;
    uint64_t cause = model_cause(actor, process->pid, edge, &known);

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
                            .by = cause,
                            .previous = process->last};
    process->last = &held[held_count++];
    if (cause != 0) {
        model_find(cause)->yielded++;
        if (model_find(cause)->sqe.opcode == OPCODE_CALL) {
            model_arrived(cause, edge->id, model_find(cause)->intent.path, 0);
        }
        if (model_find(cause)->sqe.opcode == OPCODE_DELEGATE) {
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
    if (process->life >= MODEL_DYING || model_leaves(process->pid, edge->edge.id) ||
        model_answer_gives_up(process->pid, edge->edge.id)) {
        return;
    }
    model_disagree("process %llu: edge %llx:%u went away and nobody asked for it",
                   (unsigned long long)process->pid,
                   (unsigned long long)generation_of(edge->edge.id), model_slot(edge->edge.id));
}

void model_relayed(const struct model_actor *actor, uint64_t pid, const struct model_edge *edge,
                   uint64_t submission)
{
    struct process *process = process_find(pid);

    model_now++;
    if (process == NULL) {
        model_disagree("an edge comes to process %llu, which nobody knows",
                       (unsigned long long)pid);
        return;
    }
    edge_add(actor, process, edge);
    model_sent_by(submission, edge->id, actor->submission);
    if (process->last != NULL && process->last->edge.id == edge->id) {
        edge_remove(actor, process, process->last);
    }
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

const struct model_held *model_newest(uint64_t pid)
{
    const struct process *process = process_find(pid);

    return process == NULL ? NULL : process->last;
}

/* The newest edge of the process with this id. */
static struct model_held *newest(const struct process *process, uint64_t id)
{
    for (struct model_held *edge = process->last; edge != NULL; edge = edge->previous) {
        if (edge->edge.id == id) {
            return edge;
        }
    }
    return NULL;
}

void model_table(const struct model_actor *actor, uint64_t pid, const struct model_edge *edges,
                 uint32_t count)
{
    struct process *process = process_find(pid);
    struct model_held *live[LIVE];
    uint32_t old = 0;

    model_now++;
    if (process == NULL || count > LIVE) {
        model_disagree("a table nobody knows, or too large: process %llu, %u edges",
                       (unsigned long long)pid, count);
        return;
    }
    /* Both are in order of slots: one pass. */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = model_slot(edges[i].id);

        while (old < process->live_count && model_slot(process->live[old]->edge.id) < slot) {
            edge_remove(actor, process, process->live[old++]);
        }
        if (old < process->live_count && process->live[old]->edge.id == edges[i].id) {
            if (!edge_stays(&process->live[old]->edge, &edges[i])) {
                model_disagree("process %llu: edge %u changed under its id",
                               (unsigned long long)pid, slot);
            }
            if (edges[i].state != MODEL_EDGE_HELD) {
                process->live[old]->away = UINT64_MAX;
            } else if (process->live[old]->away == UINT64_MAX) {
                process->live[old]->away = model_now;
            }
            live[i] = process->live[old++];
            continue;
        }
        if (old < process->live_count && model_slot(process->live[old]->edge.id) == slot) {
            edge_remove(actor, process, process->live[old++]);
        }
        edge_add(actor, process, &edges[i]);
        live[i] = newest(process, edges[i].id);
    }
    while (old < process->live_count) {
        edge_remove(actor, process, process->live[old++]);
    }
    memcpy(process->live, live, count * sizeof(live[0]));
    process->live_count = count;
}

/* ---- asked by the generator ------------------------------------------------------------------ */

bool model_has_ids(uint64_t pid, const struct model_edge *edges, uint32_t count)
{
    const struct process *process = process_find(pid);

    if (process == NULL || process->live_count != count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (process->live[i]->edge.id != edges[i].id) {
            return false;
        }
    }
    return true;
}

uint32_t model_edges(uint64_t pid, struct model_edge *edges, uint32_t room)
{
    const struct process *process = process_find(pid);
    uint32_t count = 0;

    if (process != NULL) {
        for (; count < process->live_count && count < room; count++) {
            edges[count] = process->live[count]->edge;
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
    for (const struct model_held *edge = process->last; edge != NULL; edge = edge->previous) {
        if (edge->died != UINT64_MAX) {
            found = edge->edge.id;
            if (choice-- == 0) {
                break;
            }
        }
    }
    return found;
}
