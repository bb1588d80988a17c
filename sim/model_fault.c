/* SPDX-License-Identifier: MIT */
/*
 * The reference model: faults that an endpoint is told of.
 *
 * A thread that faults is stopped, and the kernel makes a call for it, through an edge that its
 * parent named, which is in no table. The call is one like any other to who receives it. It ends
 * once, and then the thread goes on if the answer says so; else it never runs again.
 */
#include "sim/model_inside.h"

#include "schema/generated/fault.capnp.h"

enum {
    FAULTS = 1024, /* in one run */
};

static uint64_t faults[FAULTS];
static uint32_t fault_count;

static const struct model_submission *fault_of(uint64_t thread)
{
    for (uint32_t i = fault_count; i > 0; i--) {
        if (model_find(faults[i - 1])->thread == thread) {
            return model_find(faults[i - 1]);
        }
    }
    return NULL;
}

/* Whether the answer that ended the fault lets its thread go on. */
static bool goes_on(const struct model_submission *fault)
{
    const struct model_submission *by = model_find(fault->answered_by);

    return fault->state == MODEL_DONE && fault->result >= 0 && !fault->exception && by != NULL &&
           by->intent.ask == MODEL_ASK_DECIDE && by->intent.action == FAULT_ACTION_RESUME;
}

void model_fault_runs(uint64_t thread)
{
    const struct model_submission *fault = fault_of(thread);

    if (fault != NULL && !goes_on(fault)) {
        model_disagree("thread %llu runs, and its fault %s", (unsigned long long)thread,
                       fault->state == MODEL_DONE ? "was to end it" : "has no answer");
    }
}

void model_fault(uint64_t submission, uint64_t thread, const struct model_edge *told)
{
    struct model_submission *fault = model_find(submission);

    model_now++;
    model_fault_runs(thread);
    if (fault == NULL || fault->state != MODEL_UNKNOWN || fault_count == FAULTS ||
        model_open.count == MODEL_NAMES) {
        model_disagree("the model has no room for another fault");
        return;
    }
    *fault = (struct model_submission){
        .state = MODEL_TAKEN,
        .pid = thread >> 16,
        .thread = thread,
        .sqe = {.opcode = OPCODE_CALL,
                .method = FAULT_HANDLER_METHOD_FAULT,
                .interface_id = FAULT_HANDLER_INTERFACE_ID,
                .result_bytes = 256},
        .begun = model_now,
        .fault = true,
        .told = *told,
    };
    model_open.name[model_open.count++] = submission;
    faults[fault_count++] = submission;
}

bool model_fault_joins(const struct model_submission *fault, uint64_t endpoint)
{
    return fault->told.object == endpoint &&
           !model_grant_is_dead(fault->told.grant, fault->begun) &&
           model_permits(&fault->told, FAULT_HANDLER_INTERFACE_ID, FAULT_HANDLER_METHOD_FAULT) ==
               TRANSPORT_OK;
}

/* The thread was about to end when its fault's call was answered: nobody is told of the answer, but
 * who gave it returned a call. */
static void answered_too_late(const struct model_actor *actor, uint64_t submission,
                              const struct model_submission *fault, const struct cqe *cqe)
{
    struct model_submission *by = model_find(actor->submission);

    if (cqe->result >= 0 && by != NULL && by->returned == 0 && fault->token != 0 &&
        by->sqe.token == fault->token) {
        by->returned = submission;
    }
}

void model_fault_ended(const struct model_actor *actor, uint64_t submission, const struct cqe *cqe)
{
    struct model_submission *fault = model_find(submission);

    model_now++;
    if (fault == NULL || !fault->fault ||
        (fault->state != MODEL_TAKEN && fault->state != MODEL_DROPPED)) {
        model_disagree("fault %llu ended, and had ended before", (unsigned long long)submission);
        return;
    }
    if (fault->state == MODEL_DROPPED) {
        answered_too_late(actor, submission, fault, cqe); /* killed meanwhile */
        return;
    }
    if (cqe->result != TRANSPORT_REVOKED) { /* either side's edge */
        model_completed_at_endpoint(actor, submission, fault, cqe);
    }
    fault->state = MODEL_DONE;
    fault->ended = model_now;
    fault->result = cqe->result;
    fault->exception = (cqe->flags & CQE_EXCEPTION) != 0;
    model_under_way_remove(submission);
}
