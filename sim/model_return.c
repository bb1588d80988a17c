/* SPDX-License-Identifier: MIT */
/*
 * The reference model: what completions say of submissions at endpoints. A call that has an answer
 * was returned by the RETURN that names its token, with just what that says; a RETURN that used its
 * token returned a call; a WATCH says how its call ended.
 */
#include "sim/model_inside.h"

bool model_was_told(uint64_t name, uint64_t token)
{
    const struct model_submission *receive = model_find(name);

    return receive != NULL && receive->sqe.opcode != OPCODE_CALL &&
           receive->sqe.opcode != OPCODE_RETURN && receive->state == MODEL_DONE &&
           receive->token == token && receive->delivered == 0;
}

void model_flown_between(const struct model_actor *actor, uint64_t name,
                         struct model_submission *call)
{
    const struct model_submission *by = model_find(actor->submission);

    for (uint32_t i = 0; i < actor->runs && call->token == 0 && by != NULL && by->sqe.token != 0;
         i++) {
        if (model_was_told(actor->run[i], by->sqe.token)) {
            model_find(actor->run[i])->delivered = name;
            call->token = by->sqe.token;
            if (!model_token_is_new(call->endpoint, call->token, name)) {
                model_disagree("endpoint %llu: token %llx was used before",
                               (unsigned long long)call->endpoint, (unsigned long long)call->token);
            }
        }
    }
}

/* A CALL has ended with an answer, or with NO_ROOM for one: by the RETURN being dispatched. */
static void answered(const struct model_actor *actor, uint64_t name, struct model_submission *call,
                     const struct cqe *cqe)
{
    uint64_t returner;
    struct model_submission *by;

    model_flown_between(actor, name, call);
    returner = call->answered_by != 0 ? call->answered_by : model_returner(actor, call);
    by = model_find(returner);

    if (by == NULL) {
        model_disagree("call %llu has an answer (%d) and nobody returns", (unsigned long long)name,
                       cqe->result);
        return;
    }
    if ((by->returned != 0 && by->returned != name) || by->sqe.token != call->token ||
        call->token == 0) {
        model_disagree("call %llu was answered by submission %llu, which returns another",
                       (unsigned long long)name, (unsigned long long)returner);
    }
    if (cqe->result >= 0 &&
        ((uint32_t)cqe->result != by->sqe.message_bytes ||
         by->sqe.message_bytes > call->sqe.result_bytes ||
         cqe->flags >> CQE_CAPS_SHIFT != by->sqe.transfers ||
         ((cqe->flags & CQE_EXCEPTION) != 0) != ((by->sqe.flags & SQE_EXCEPTION) != 0))) {
        model_disagree("call %llu: %d bytes answered, %u returned, room for %u",
                       (unsigned long long)name, cqe->result, by->sqe.message_bytes,
                       call->sqe.result_bytes);
    }
    if (cqe->result == TRANSPORT_NO_ROOM && by->sqe.transfers == 0 &&
        by->sqe.message_bytes <= call->sqe.result_bytes) {
        model_disagree("call %llu: NO_ROOM for an answer that fits", (unsigned long long)name);
    }
    by->returned = name;
    call->answered_by = returner;
}

static void call_completed(const struct model_actor *actor, uint64_t name,
                           struct model_submission *call, const struct cqe *cqe)
{
    if (cqe->result >= 0 || (cqe->result == TRANSPORT_NO_ROOM && call->token != 0)) {
        answered(actor, name, call, cqe);
    } else if (call->endpoint != 0 && cqe->result != TRANSPORT_PEER_GONE &&
               cqe->result != TRANSPORT_PEER_RESTARTED && cqe->result != TRANSPORT_CANCELLED) {
        model_disagree("call %llu was accepted and ended with %d", (unsigned long long)name,
                       cqe->result);
    }
}

/* The short way gives an answer and takes the next call in one section of the lock: the completion
 * of a call whose answer is kept may come later, when what waits for the answer was sent. */
static void kept_returned(uint64_t name, struct model_submission *by)
{
    uint64_t returned = model_call_returned(by);
    struct model_submission *call = model_find(returned);

    if (call != NULL && call->state == MODEL_TAKEN && call->keeps) {
        call->unposted = true;
        call->answered_by = name;
        by->returned = returned;
    }
}

void model_completed_at_endpoint(const struct model_actor *actor, uint64_t name,
                                 struct model_submission *submission, const struct cqe *cqe)
{
    bool returns =
        submission->sqe.opcode == OPCODE_RETURN || submission->sqe.opcode == OPCODE_RETURN_RECV;

    if (submission->sqe.opcode == OPCODE_CALL) {
        call_completed(actor, name, submission, cqe);
        return;
    }
    if (returns && cqe->result >= 0 && submission->returned == 0) {
        kept_returned(name, submission);
    }
    if (returns && cqe->result >= 0 && submission->returned == 0) {
        model_disagree("submission %llu returned nothing and says it did",
                       (unsigned long long)name);
    }
    if (returns && cqe->result == TRANSPORT_BAD_TOKEN && submission->returned != 0) {
        model_disagree("submission %llu used its token and says BAD_TOKEN",
                       (unsigned long long)name);
    }
    if (submission->sqe.opcode == OPCODE_RETURN && cqe->result > 0) {
        model_disagree("submission %llu: a RETURN answered %d", (unsigned long long)name,
                       cqe->result);
    }
}

void model_watch_verdict(uint64_t name, const struct model_submission *watch, const struct cqe *cqe)
{
    struct model_history history =
        model_history(watch->pid, watch->sqe.cap.raw, watch->begun, model_now);
    uint64_t endpoint = history.held == NULL ? 0 : history.held->edge.object;
    const struct model_submission *call =
        model_find(model_call_of_token(endpoint, watch->sqe.token));
    bool flies = call != NULL && call->state == MODEL_TAKEN && !call->unposted && !call->keeps;
    bool back = call != NULL &&
                (call->state == MODEL_DROPPED || call->keeps ||
                 (call->state == MODEL_DONE &&
                  (call->result == TRANSPORT_CANCELLED || call->result == TRANSPORT_REVOKED)));
    bool taken_back_for_sure =
        call != NULL && call->state == MODEL_DONE && call->result == TRANSPORT_CANCELLED;

    if (cqe->result == WATCH_ENDED           ? call == NULL || flies || taken_back_for_sure
        : cqe->result == WATCH_CANCELLED     ? !back
        : cqe->result == TRANSPORT_BAD_TOKEN ? flies && call->delivered_at < watch->begun
                                             : false) {
        model_disagree("submission %llu: WATCH answered %d, and the call is %s",
                       (unsigned long long)name, cqe->result,
                       call == NULL ? "none"
                       : flies      ? "in flight"
                                    : "over");
    }
}
