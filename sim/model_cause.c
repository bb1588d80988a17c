/* SPDX-License-Identifier: MIT */
/*
 * The reference model: who may have made an edge that appears, and who takes one away.
 *
 *   - the dispatched submission asks for just this edge (CREATE, MINT, DUP, DELEGATE, TRANSFER), or
 *   - it returns a call, and the edge travels beside the answer, or
 *   - a spawn under way in this process asks for a process or thread handle, or
 *   - the process is being built and its spawn grants just this edge, or
 *   - it travels beside a call that was taken.
 */
#include "schema/generated/null.capnp.h"
#include "sim/model_inside.h"

#include "schema/generated/capability.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"

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

bool model_facet_is_within(uint64_t facet, uint64_t source)
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
               model_facet_is_within(facet, from->facet) && edge->grant == from->grant &&
               edge->mode == from->mode &&
               edge->grantable == (model_slot(edge->id) < LIMIT_DESCRIPTORS ? 0 : from->grantable);
    case OPCODE_DELEGATE:
        if (pid != submission->pid || submission->yielded > 1) {
            return false;
        }
        return edge->interface_id == CAPABILITY_DELEGATION_INTERFACE_ID ||
               (same && edge->facet == facet && model_facet_is_within(facet, from->facet) &&
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

bool model_asks_again(const struct sqe *sqe)
{
    return sqe->opcode == OPCODE_CALL && sqe->interface_id == NULL_OBJECT_INTERFACE_ID &&
           sqe->method == NULL_OBJECT_METHOD_NEXT;
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
    if (model_asks_again(&submission->sqe)) {
        return edge->object == target.held->edge.object &&
               edge->interface_id == target.held->edge.interface_id &&
               edge->facet == target.held->edge.facet && edge->badge == target.held->edge.badge &&
               edge->grant == target.held->edge.grant && edge->mode == 0 && edge->grantable == 0;
    }
    switch (intent->ask) {
    case MODEL_ASK_CREATE:
        return edge->interface_id == ENDPOINT_INTERFACE_ID && edge->facet == UINT64_MAX &&
               edge->badge == 0;
    case MODEL_ASK_ALLOCATE:
    case MODEL_ASK_RUN:
        return edge->interface_id == MEMORY_OBJECT_INTERFACE_ID && edge->badge == 0 &&
               edge->facet == UINT64_MAX && edge->mode == 1 && edge->grantable != 0 &&
               edge->grant == 0 && edge->object_pages * LIMIT_PAGE_BYTES == intent->bytes &&
               edge->object_is_run == (intent->ask == MODEL_ASK_RUN);
    case MODEL_ASK_SLICE:
        return model_is_slice(intent, &target.held->edge, edge);
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
            model_facet_is_within(edge->facet, from->facet)) {
            return true;
        }
    }
    return false;
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

bool model_names_call(const struct model_submission *by, const struct model_submission *call)
{
    struct model_history owner;

    if ((by->sqe.opcode != OPCODE_RETURN && by->sqe.opcode != OPCODE_RETURN_RECV) ||
        call->sqe.opcode != OPCODE_CALL || call->token == 0 || call->token != by->sqe.token) {
        return false;
    }
    owner = model_history(by->pid, by->sqe.cap.raw, by->begun, model_now);
    return owner.held != NULL && owner.held->edge.object == call->endpoint;
}

uint64_t model_call_returned(const struct model_submission *by)
{
    for (uint32_t i = 0; i < model_open.count; i++) {
        const struct model_submission *call = model_find(model_open.name[i]);

        if (!call->unposted && model_names_call(by, call)) {
            return model_open.name[i];
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
    call = model_call_returned(by);
    if (call == 0) { /* of a thread that is ending, and it is not taken back yet */
        call = model_flight_named(by);
    }
    if (call == 0 || model_find(call)->pid != pid) {
        return false;
    }
    grant = carries(by, edge);
    if (grant != NULL) {
        model_arrived(call, edge->id, grant->path, (uint32_t)(grant - by->intent.grant));
    }
    return grant != NULL;
}

uint64_t model_cause(const struct model_actor *actor, uint64_t pid, const struct model_edge *edge,
                     bool *known)
{
    bool building = model_is_building(pid);
    struct model_submission *submission = model_find(actor->submission);

    *known = true;
    if (submission != NULL &&
        ((submission->pid == pid && asks_for(submission, edge)) || makes(submission, pid, edge))) {
        return actor->submission;
    }
    if (submission != NULL && returns(submission, pid, edge)) {
        return 0;
    }
    for (uint32_t i = 0; i < model_spawns.count; i++) {
        struct model_submission *other = model_find(model_spawns.name[i]);

        if (building && grants(other, edge)) {
            return 0;
        }
        if (other->pid == pid && other->state != MODEL_DONE && asks_for(other, edge)) {
            return model_spawns.name[i];
        }
    }
    for (uint32_t i = 0; i < model_carriers.count; i++) {
        struct model_submission *call = model_find(model_carriers.name[i]);

        /* Of a thread that is ending too, until the call is taken back; and of one that is over, if
         * an equal edge of its was laid to the account of this call. */
        if (call->sqe.opcode == OPCODE_CALL && (call->state != MODEL_DONE || call->token != 0) &&
            carries(call, edge) != NULL) {
            return 0;
        }
    }
    /* The first process gets what the manifest says, which is not this model's matter. */
    *known = building && model_is_first(pid);
    return 0;
}

bool model_leaves(uint64_t pid, uint64_t id)
{
    for (uint32_t i = model_carriers.count; i > 0; i--) {
        const struct model_submission *call = model_find(model_carriers.name[i - 1]);

        for (uint32_t k = 0;
             call->pid == pid && call->state != MODEL_DONE && k < call->intent.grants; k++) {
            if (call->intent.grant[k].id == id && call->intent.grant[k].moves) {
                return true;
            }
        }
    }
    return false;
}
