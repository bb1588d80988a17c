/* SPDX-License-Identifier: MIT */
/*
 * The reference model: submissions, from the ring to their completion.
 *
 * A submission is INTENDED when its program has written it, TAKEN when the kernel accepts it, DONE
 * at its one completion, and DROPPED if its thread is gone before. The rest of the model:
 *
 *   model_table.c     who holds what; ids; delegations
 *   model_cause.c     who may have made an edge that appears, or have taken one away
 *   model_verdict.c   what completions say
 *   model_endpoint.c  what waits at endpoints
 *   model_return.c    what completions say there
 *   model_answer.c    answers that are kept, and what was promised from them; CANCEL
 *   model_park.c      words and who waits at them
 *   model_fault.c     threads that are stopped, and what their handlers say
 *   model_memory.c    slices of memory objects; what address spaces show
 *   model_wire.c      the form of a submission
 */
#include "sim/model_inside.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    THREADS = 1024,
};

uint64_t model_now;
struct model_names model_open;
struct model_names model_spawns;
struct model_names model_carriers;

static struct model_submission submissions[MODEL_SUBMISSIONS];
static uint64_t gone[THREADS];
static uint32_t gone_count;
static bool disagreed;
static char disagreement[512];

void model_reset(void)
{
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

void model_thread_gone(uint64_t thread)
{
    model_now++;
    if (model_thread_is_gone(thread)) {
        return;
    }
    if (gone_count < THREADS) {
        gone[gone_count++] = thread;
    }
    for (uint32_t i = 0; i < model_open.count; i++) {
        if (submissions[model_open.name[i]].thread == thread) {
            submissions[model_open.name[i]].state = MODEL_DROPPED;
            model_open.name[i--] = model_open.name[--model_open.count];
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

bool model_is_spawn(const struct model_submission *submission)
{
    return submission->intent.ask == MODEL_ASK_SPAWN ||
           submission->intent.ask == MODEL_ASK_THREAD || submission->intent.ask == MODEL_ASK_RUN;
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
    model_fault_runs(thread);
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
        model_call_dispatched(submission, found);
    } else if (found->sqe.opcode == OPCODE_PARK) {
        model_park_dispatched(submission, found);
    }
    found->dispatched = model_now;
}

void model_taken_short(uint64_t submission)
{
    struct model_submission *found = model_find(submission);

    if (found != NULL && found->state == MODEL_TAKEN && found->sqe.opcode == OPCODE_CALL) {
        model_call_dispatching(submission, found);
        model_call_dispatched(submission, found);
        found->dispatched = model_now;
    }
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
    if (model_open.count == MODEL_NAMES || model_spawns.count == MODEL_NAMES) {
        model_disagree("the model has no room for more submissions under way");
        return;
    }
    model_open.name[model_open.count++] = sqe->user_data;
    if (model_is_spawn(found)) {
        model_spawns.name[model_spawns.count++] = sqe->user_data;
    } else if (found->intent.grants != 0 && model_carriers.count < MODEL_NAMES) {
        model_carriers.name[model_carriers.count++] = sqe->user_data;
    }
    found->state = MODEL_TAKEN;
    found->sqe = *sqe;
    found->begun = found->begun > since ? found->begun : since;
    found->wire = model_wire(sqe);
    if (model_asks_again(sqe)) {
        found->intent.path = (struct answer_path){.step = {1}};
    }
    if (sqe->opcode == OPCODE_CALL) {
        model_call_taken(sqe->user_data, found);
    }
    if (found->intent.ask == MODEL_ASK_CHANGE) {
        model_change_taken(sqe->user_data, found);
    }
}

void model_under_way_remove(uint64_t name)
{
    for (uint32_t i = 0; i < model_open.count; i++) {
        if (model_open.name[i] == name) {
            model_open.name[i] = model_open.name[--model_open.count];
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
    model_verdict(actor, cqe->user_data, found, cqe);
    model_under_way_remove(cqe->user_data);
    found->state = MODEL_DONE;
    found->ended = model_now;
    found->result = cqe->result;
}

void model_quiescent(void)
{
    model_memory_rests();
    for (uint32_t i = 0; i < model_open.count; i++) {
        const struct model_submission *submission = &submissions[model_open.name[i]];

        if (!model_endpoint_rests(submission->endpoint)) {
            model_disagree("endpoint %llu is closed and not empty, and every CPU is idle",
                           (unsigned long long)submission->endpoint);
        }
        if (submission->unposted || (submission->sqe.opcode == OPCODE_WATCH &&
                                     !model_watch_rests(model_open.name[i], submission))) {
            model_disagree("submission %llu is over, has no completion, and every CPU is idle",
                           (unsigned long long)model_open.name[i]);
        }
        if (submission->endpoint == 0 && submission->intent.ask != MODEL_ASK_WAIT &&
            !model_promise_rests(submission) && !model_park_rests(submission)) {
            model_disagree("submission %llu (opcode %u) is under way, waits nowhere, and every CPU "
                           "is idle",
                           (unsigned long long)model_open.name[i], submission->sqe.opcode);
        }
    }
}

/* ---- asked by the generator ------------------------------------------------------------------ */

uint32_t model_under_way(uint64_t thread, uint64_t *names, uint32_t room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < model_open.count && count < room; i++) {
        if (submissions[model_open.name[i]].thread == thread &&
            !submissions[model_open.name[i]].fault) {
            names[count++] = model_open.name[i];
        }
    }
    return count;
}

uint64_t model_returner(const struct model_actor *actor, const struct model_submission *call)
{
    const struct model_submission *by = model_find(actor->submission);

    for (uint32_t i = 0; i < actor->runs; i++) {
        if (model_names_call(model_find(actor->run[i]), call)) {
            return actor->run[i];
        }
    }
    if (by != NULL && (by->sqe.opcode == OPCODE_RETURN || by->sqe.opcode == OPCODE_RETURN_RECV)) {
        return actor->submission;
    }
    for (uint32_t i = 0; call->keeps && i < model_open.count; i++) {
        if (model_names_call(&submissions[model_open.name[i]], call)) {
            return model_open.name[i];
        }
    }
    return 0;
}

uint32_t model_tokens(uint64_t pid, uint64_t *tokens, uint64_t *calls, uint32_t room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < model_open.count && count < room; i++) {
        const struct model_submission *call = &submissions[model_open.name[i]];

        if (call->sqe.opcode == OPCODE_CALL && call->token != 0 && !call->unposted &&
            call->receiver >> 16 == pid) {
            tokens[count] = call->token;
            calls[count++] = model_open.name[i];
        }
    }
    return count;
}
