/* SPDX-License-Identifier: MIT */
/*
 * The reference model: what completions say.
 *
 * A submission is under way from the moment the kernel takes it to its one completion. What its
 * completion says is compared with what was true at some moment in between: an id that was good all
 * the time is neither BAD_CAP nor STALE_CAP, and nothing is done with one that never was.
 */
#include "sim/model_inside.h"

#include "schema/generated/endpoint.capnp.h"

bool model_cap_verdict(uint64_t name, const struct model_submission *submission, int32_t result,
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
        model_grant_is_dead(history->held->edge.grant, submission->begun)) {
        model_disagree("submission %llu (opcode %u): result %d through an edge that was revoked",
                       (unsigned long long)name, submission->sqe.opcode, result);
    }
    return true;
}

/* Whether it may be what travels beside the message that the result is about, not the edge named.
 */
static bool is_of_beside(const struct model_submission *submission, const struct cqe *cqe)
{
    return submission->sqe.transfers != 0 &&
           (cqe->result == TRANSPORT_BAD_CAP || cqe->result == TRANSPORT_STALE_CAP ||
            cqe->result == TRANSPORT_REVOKED);
}

/* The result is WRONG_INTERFACE or NO_METHOD exactly if the edge says so. */
static void permission_verdict(uint64_t name, const struct cqe *cqe, int32_t permitted)
{
    bool refused = cqe->result == TRANSPORT_WRONG_INTERFACE || cqe->result == TRANSPORT_NO_METHOD;

    if ((refused ? cqe->result : TRANSPORT_OK) != permitted) {
        model_disagree("submission %llu: result %d where the edge says %d",
                       (unsigned long long)name, cqe->result, permitted);
    }
}

/* Two spawns of one process are under way, and which of them a handle belongs to shows only when
 * one completes: it takes over what was laid to the other's account, or gives away what was laid to
 * its own. `caps`: what its completion tells of. */
static void spawn_settle(struct model_submission *spawn, uint32_t caps)
{
    for (uint32_t i = 0; i < model_spawns.count && spawn->yielded != caps; i++) {
        struct model_submission *other = model_find(model_spawns.name[i]);

        if (other != spawn && other->pid == spawn->pid && other->yielded == caps &&
            other->intent.ask == spawn->intent.ask && other->state != MODEL_DONE) {
            other->yielded = spawn->yielded;
            spawn->yielded = caps;
        }
    }
}

static void call_verdict(const struct model_actor *actor, uint64_t name,
                         struct model_submission *submission, const struct cqe *cqe)
{
    struct model_history history;
    uint32_t caps = cqe->result >= 0 ? cqe->flags >> CQE_CAPS_SHIFT : 0;

    if (model_call_completed(name, submission, cqe) ||
        (submission->promised &&
         (cqe->result == TRANSPORT_BAD_BUFFER || cqe->result == TRANSPORT_CANCELLED ||
          cqe->result == TRANSPORT_LIMIT)) || /* before it had a target, perhaps */
        is_of_beside(submission, cqe) ||
        !model_cap_verdict(name, submission, cqe->result, &history)) {
        return;
    }
    if (model_is_spawn(submission)) {
        spawn_settle(submission, caps);
    }
    if (submission->intent.ask == MODEL_ASK_CHANGE) {
        model_change_verdict(name, submission, cqe);
    }
    permission_verdict(
        name, cqe,
        model_permits(&history.held->edge, submission->sqe.interface_id, submission->sqe.method));
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

    if (is_of_beside(submission, cqe) ||
        !model_cap_verdict(name, submission, cqe->result, &history)) {
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
    permission_verdict(name, cqe, permitted);
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
    bool throughout = false;
    bool right = false;
    bool other = false;

    for (const struct model_held *edge = model_newest(submission->pid); edge != NULL;
         edge = edge->previous) {
        if (model_slot(edge->edge.id) == sqe->slot && edge->died >= submission->begun) {
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
        (void)model_cap_verdict(name, submission, cqe->result,
                                &history); /* the target is not meant */
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

/* A REVOKE has completed. */
static void revoke_verdict(uint64_t name, const struct model_submission *submission,
                           const struct cqe *cqe)
{
    struct model_history history =
        model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);

    if (cqe->result >= 0 && history.held != NULL) {
        model_revoked(history.held->edge.object);
        model_memory_revoked(name, history.held->edge.object);
        model_park_revoked(name, submission, history.held->edge.object);
    }
}

void model_verdict(const struct model_actor *actor, uint64_t name,
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
        if (model_cap_verdict(name, submission, cqe->result, &history) && cqe->result != 0) {
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
        revoke_verdict(name, submission, cqe);
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
