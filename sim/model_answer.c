/* SPDX-License-Identifier: MIT */
/*
 * The reference model: answers that are kept, calls promised from them, and what CANCEL takes back.
 *
 * Ids of answers are a thread's own, and only its own submissions open and finish them, in their
 * order: so the model knows at every dispatch which ids are kept. What it sees late is how a call
 * ended, because the completion of an answer comes after the calls promised from it were sent. What
 * those say of it meanwhile (it broke; it has nothing at this path; it has this capability) is
 * written down and must be so when the completion comes.
 *
 *   an id is taken    - by a CALL that names it, if its slot is free: below LIMIT_ANSWERS, and the
 *                       answer before was finished and its call has completed
 *   a promised call   - is sent when its answer's call has ended well, behind those promised from
 *                       the same answer before it, to the capability that came at this path; else
 *                       BROKEN. An answer completes when no call waits for it any more.
 *   FINISH            - with SQE_RELEASE the capabilities that could be promised from the answer go
 *                       from the table, before the completion of it or of the answer, whichever
 *                       is later.
 *   CANCEL            - takes back one submission of its thread that is under way, which completes
 *                       CANCELLED; nothing else does.
 */
#include "sim/model_inside.h"

enum {
    KEPT = 1 << 13,     /* answers ever kept in one run */
    ARRIVED = 1 << 14,  /* capabilities that ever came with an answer */
    PROMISED = 1 << 13, /* promised calls ever taken */
    ENDING = 1 << 10,   /* threads that were about to end */
};

/* An answer. */
struct kept {
    uint64_t thread;
    uint32_t id;
    uint64_t call;
    bool finished;
    bool releases; /* with what it gave */
};

/* A capability in the table of a call's process, of its answer. */
struct arrived {
    uint64_t call;
    uint64_t id;
    struct answer_path path;
    uint32_t order;
};

static struct kept kept[KEPT];
static uint32_t kept_count;
static struct arrived arrived[ARRIVED];
static uint32_t arrived_count;
static uint64_t promised[PROMISED];
static uint32_t promised_count;
static uint64_t ending[ENDING];
static uint32_t ending_count;

static uint32_t slot_of(uint32_t id)
{
    return id % (1U << ANSWER_SLOT_BITS);
}

static bool path_equal(struct answer_path a, struct answer_path b)
{
    for (unsigned i = 0; i < PATH_STEPS; i++) {
        if (a.step[i] != b.step[i]) {
            return false;
        }
    }
    return true;
}

static bool path_is_none(struct answer_path path)
{
    return path.step[0] == 0;
}

/* The answer that `thread` keeps under `id`. */
static struct kept *kept_find(uint64_t thread, uint32_t id)
{
    for (uint32_t i = kept_count; id != 0 && i > 0; i--) {
        if (kept[i - 1].thread == thread && kept[i - 1].id == id && !kept[i - 1].finished) {
            return &kept[i - 1];
        }
    }
    return NULL;
}

/* Whether a new answer may have this id. */
static bool id_is_free(uint64_t thread, uint32_t id)
{
    if (slot_of(id) >= LIMIT_ANSWERS || id >> ANSWER_SLOT_BITS == 0) {
        return false;
    }
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].thread == thread && slot_of(kept[i].id) == slot_of(id) &&
            (!kept[i].finished || model_find(kept[i].call)->state == MODEL_TAKEN)) {
            return false;
        }
    }
    return true;
}

static void kept_open(uint64_t name, struct model_submission *call)
{
    if (kept_count == KEPT) {
        model_disagree("the model has no room for another answer");
        return;
    }
    kept[kept_count++] =
        (struct kept){.thread = call->thread, .id = call->sqe.answer, .call = name};
    call->keeps = true;
}

bool model_thread_is_ending(uint64_t thread)
{
    for (uint32_t i = ending_count; i > 0; i--) {
        if (ending[i - 1] == thread) {
            return true;
        }
    }
    return false;
}

static bool is_bad(const struct model_submission *call)
{
    return call->result < 0 || call->exception;
}

void model_thread_ends(uint64_t thread)
{
    if (!model_thread_is_ending(thread) && ending_count < ENDING) {
        ending[ending_count++] = thread;
    }
}

void model_arrived(uint64_t call, uint64_t id, struct answer_path path, uint32_t order)
{
    uint32_t place = arrived_count;

    if (arrived_count == ARRIVED) {
        model_disagree("the model has no room for another capability of an answer");
        return;
    }
    /* What comes with one answer shows at once, in order of slots; the message's counts. */
    for (; place > 0 && arrived[place - 1].call == call && arrived[place - 1].order > order;
         place--) {
        arrived[place] = arrived[place - 1];
    }
    arrived[place] = (struct arrived){call, id, path, order};
    arrived_count++;
}

/* What came with the answer of `call` at `path`: of the first LIMIT_ANSWER_CAPS that have one. 0:
 * nothing. */
static uint64_t arrived_at(uint64_t call, struct answer_path path)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < arrived_count && seen < LIMIT_ANSWER_CAPS; i++) {
        if (arrived[i].call == call && !path_is_none(arrived[i].path)) {
            seen++;
            if (path_equal(arrived[i].path, path)) {
                return arrived[i].id;
            }
        }
    }
    return 0;
}

/* Whether a FINISH under way ends the keeping of this answer, with what it gave. */
static bool is_released(const struct kept *answer)
{
    for (uint32_t i = 0; i < model_open.count && !answer->finished; i++) {
        const struct model_submission *finish = model_find(model_open.name[i]);

        if (finish->sqe.opcode == OPCODE_FINISH && finish->wire == TRANSPORT_OK &&
            (finish->sqe.flags & SQE_RELEASE) != 0 && finish->thread == answer->thread &&
            finish->sqe.answer == answer->id) {
            return true;
        }
    }
    return answer->releases;
}

/* Whether the answer of `call` was finished with what came with it, or is at this moment. */
static bool call_releases(uint64_t call)
{
    for (uint32_t i = kept_count; i > 0; i--) {
        if (kept[i - 1].call == call) {
            return is_released(&kept[i - 1]);
        }
    }
    return false;
}

/* Whether it was, by a FINISH that has completed. */
static bool was_released(uint64_t call)
{
    for (uint32_t i = kept_count; i > 0; i--) {
        if (kept[i - 1].call == call) {
            return kept[i - 1].releases;
        }
    }
    return false;
}

/* The capabilities of `call`'s answer that count: the next after *cursor; 0: none. */
static uint64_t arrived_next(uint64_t call, uint32_t *cursor, uint32_t *seen)
{
    while (*cursor < arrived_count && *seen < LIMIT_ANSWER_CAPS) {
        const struct arrived *it = &arrived[(*cursor)++];

        if (it->call == call && !path_is_none(it->path)) {
            (*seen)++;
            return it->id;
        }
    }
    return 0;
}

/*
 * Whether two capabilities that ever came to `pid` are the same but for their ids. Beside one
 * answer nobody but the kernel can tell then which of them came by which descriptor, and so at
 * which path.
 */
static bool edges_are_same(uint64_t pid, uint64_t id, uint64_t other)
{
    const struct model_held *a = model_history(pid, id, model_now, model_now).held;
    const struct model_held *b = model_history(pid, other, model_now, model_now).held;

    return a != NULL && b != NULL && a->edge.object == b->edge.object &&
           a->edge.interface_id == b->edge.interface_id && a->edge.facet == b->edge.facet &&
           a->edge.badge == b->edge.badge && a->edge.grant == b->edge.grant;
}

/* Whether `id`, which came with this answer, may be one that does not count. */
static bool may_not_count(uint64_t call, uint64_t id)
{
    uint64_t pid = model_find(call)->pid;

    for (uint32_t i = 0; i < arrived_count; i++) {
        if (arrived[i].call == call && path_is_none(arrived[i].path) && arrived[i].id != id &&
            edges_are_same(pid, id, arrived[i].id)) {
            return true;
        }
    }
    return false;
}

bool model_answer_gives_up(uint64_t pid, uint64_t id)
{
    for (uint32_t i = arrived_count; i > 0; i--) {
        uint64_t call = arrived[i - 1].call;
        uint32_t cursor = 0;
        uint32_t seen = 0;
        uint64_t other;

        if (arrived[i - 1].id != id || model_find(call)->pid != pid || !call_releases(call)) {
            continue;
        }
        while ((other = arrived_next(call, &cursor, &seen)) != 0) {
            if (other == id || edges_are_same(pid, id, other)) {
                return true;
            }
        }
    }
    return false;
}

/* `call` is complete and its answer gave up what it held: nothing of it may be there. */
static void released_verdict(uint64_t name, const struct model_submission *call)
{
    uint32_t cursor = 0;
    uint32_t seen = 0;
    uint64_t id;

    if (is_bad(call)) {
        return; /* what comes beside an exception could not be promised */
    }
    while (!model_thread_is_ending(call->thread) &&
           (id = arrived_next(name, &cursor, &seen)) != 0) {
        struct model_history history = model_history(call->pid, id, model_now, model_now);

        if (history.held != NULL && history.held->died == UINT64_MAX && history.held->away == 0 &&
            !may_not_count(name, id)) {
            model_disagree(
                "call %llu: its answer was finished with what it gave, and %llx is there",
                (unsigned long long)name, (unsigned long long)id);
        }
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

void model_call_taken(uint64_t name, struct model_submission *call)
{
    if (call->wire != TRANSPORT_OK) {
        return;
    }
    if ((call->sqe.flags & SQE_PROMISED) != 0) {
        call->promised = true;
        call->promise = call->sqe.promise;
        call->sqe.cap.raw = 0;
    }
    (void)name;
}

void model_call_dispatching(uint64_t name, struct model_submission *call)
{
    struct kept *answer;

    if (call->wire != TRANSPORT_OK) {
        return;
    }
    if (call->promised) {
        answer = kept_find(call->thread, call->promise.answer);
        call->from = answer == NULL ? 0 : answer->call;
        if (promised_count == PROMISED) {
            model_disagree("the model has no room for another promised call");
            return;
        }
        promised[promised_count++] = name;
    }
    if (call->sqe.answer != 0 && id_is_free(call->thread, call->sqe.answer)) {
        kept_open(name, call);
    }
}

void model_promise_resolve(struct model_submission *call)
{
    if (call->promised && call->sqe.cap.raw == 0 && call->from != 0) {
        call->sqe.cap.raw = arrived_at(call->from, call->promise.path);
    }
}

/* Of the calls promised from one answer the first is sent first. */
static void overtaking_verdict(uint64_t name, const struct model_submission *call)
{
    for (uint32_t i = 0; i < promised_count && promised[i] != name; i++) {
        const struct model_submission *other = model_find(promised[i]);

        if (other->from == call->from && other->state == MODEL_TAKEN && !other->sent &&
            other->dispatched != 0) {
            model_disagree("call %llu overtakes call %llu, promised from the same answer before it",
                           (unsigned long long)name, (unsigned long long)promised[i]);
        }
    }
}

static bool edges_are_alike(const struct model_edge *one, const struct model_edge *other)
{
    return one->object == other->object && one->interface_id == other->interface_id &&
           one->facet == other->facet && one->badge == other->badge && one->grant == other->grant;
}

/* Two edges that came at once show in the order of their slots: which was the first at its path,
 * and of two equal ones which came at which path, shows only when one is called. The one at `path`
 * was `cap`. */
static void arrived_settle(uint64_t call, struct answer_path path, uint64_t cap)
{
    struct arrived *one = NULL;
    struct arrived *other = NULL;
    struct model_history was;
    struct model_history is;

    for (uint32_t i = arrived_count; i > 0; i--) {
        if (arrived[i - 1].call == call) {
            one = path_equal(arrived[i - 1].path, path) ? &arrived[i - 1] : one;
            other = arrived[i - 1].id == cap ? &arrived[i - 1] : other;
        }
    }
    if (one == NULL || other == NULL) {
        return;
    }
    was = model_history(model_find(call)->pid, one->id, 0, model_now);
    is = model_history(model_find(call)->pid, cap, 0, model_now);
    if (was.held != NULL && is.held != NULL && was.held->born == is.held->born &&
        (path_equal(other->path, path) || edges_are_alike(&was.held->edge, &is.held->edge))) {
        other->id = one->id;
        one->id = cap;
    }
}

/* The kernel sends a promised call on, to `cap`. */
void model_sent(uint64_t name, uint64_t cap)
{
    struct model_submission *call = model_find(name);
    struct model_submission *from = call == NULL ? NULL : model_find(call->from);

    model_now++;
    if (call == NULL || !call->promised || call->sent || from == NULL) {
        model_disagree("call %llu is sent on, and was not waiting for an answer",
                       (unsigned long long)name);
        return;
    }
    call->begun = model_now;
    call->sent = true;
    from->said_good = true;
    model_promise_resolve(call);
    if (call->sqe.cap.raw != cap && cap != 0) {
        arrived_settle(call->from, call->promise.path, cap);
        call->sqe.cap.raw = arrived_at(call->from, call->promise.path);
    }
    if (call->sqe.cap.raw != cap || cap == 0) {
        model_disagree("call %llu goes to capability %llx, its answer has %llx at this path",
                       (unsigned long long)name, (unsigned long long)cap,
                       (unsigned long long)call->sqe.cap.raw);
    }
    overtaking_verdict(name, call);
}

void model_sent_by(uint64_t name, uint64_t cap, uint64_t by)
{
    model_sent(name, cap);
    if (model_find(name) != NULL) {
        model_find(name)->sent_by = by;
    }
}

void model_sent_broken(uint64_t name)
{
    struct model_submission *call = model_find(name);

    if (call != NULL && call->promised) {
        overtaking_verdict(name, call);
        call->sent = true; /* its completion, which says why, may have calls to wait for */
    }
}

void model_call_dispatched(uint64_t name, struct model_submission *call)
{
    const struct model_submission *from = model_find(call->from);

    if (call->state == MODEL_TAKEN && call->sqe.answer != 0 && !call->keeps &&
        id_is_free(call->thread, call->sqe.answer)) {
        kept_open(name, call); /* it became free meanwhile, and the call was accepted */
    }
    if (call->promised && from != NULL && from->state == MODEL_DONE) {
        call->sent = true; /* the answer was there */
    }
}

/* The completion speaks of the ids of answers: whether that is so. True: it speaks of the call's
 * own answer or of the promise, and nothing else is to be judged. */
static bool bad_answer_verdict(uint64_t name, const struct model_submission *call,
                               const struct cqe *cqe)
{
    bool own = call->sqe.answer != 0 && cqe->refusal.amount == call->sqe.answer;
    bool other = call->promised && cqe->refusal.amount == call->promise.answer;

    if (cqe->result != TRANSPORT_BAD_ANSWER) {
        return false;
    }
    if (!(own && !call->keeps) && !(other && call->from == 0)) {
        model_disagree("call %llu: BAD_ANSWER for an id that is as it should be",
                       (unsigned long long)name);
    }
    return true;
}

/* What a BROKEN says of the answer that it was promised from. */
static void broken_verdict(uint64_t name, const struct model_submission *call,
                           const struct cqe *cqe)
{
    struct model_submission *from = model_find(call->from);
    bool path = cqe->refusal.argument == ARGUMENT_PATH;

    if (!call->promised || from == NULL) {
        model_disagree("call %llu is BROKEN and was promised from nothing",
                       (unsigned long long)name);
    } else if (from->state == MODEL_DONE) {
        if (path ? is_bad(from) || arrived_at(call->from, call->promise.path) != 0
                 : !is_bad(from)) {
            model_disagree("call %llu is BROKEN, and its answer %llu is not so",
                           (unsigned long long)name, (unsigned long long)call->from);
        }
    } else if (path) {
        from->said_good = true;
        if (arrived_at(call->from, call->promise.path) != 0) {
            model_disagree("call %llu is BROKEN for a path at which its answer has a capability",
                           (unsigned long long)name);
        }
    } else {
        from->said_bad = true;
    }
}

/* What was said of this answer while its completion was kept back must be so now. */
static void answer_verdict(uint64_t name, const struct model_submission *call,
                           const struct cqe *cqe)
{
    bool bad = cqe->result < 0 || (cqe->flags & CQE_EXCEPTION) != 0;

    if (bad ? call->said_good : call->said_bad) {
        model_disagree("call %llu completes %s, and a call promised from it was told otherwise",
                       (unsigned long long)name, bad ? "badly" : "well");
    }
    for (uint32_t i = 0; i < promised_count && !model_thread_is_ending(call->thread); i++) {
        const struct model_submission *other = model_find(promised[i]);

        if (other->from == name && other->state == MODEL_TAKEN && other->dispatched != 0 &&
            !other->sent) {
            model_disagree("call %llu completes, and call %llu waits for its answer",
                           (unsigned long long)name, (unsigned long long)promised[i]);
        }
    }
}

bool model_call_completed(uint64_t name, struct model_submission *call, const struct cqe *cqe)
{
    struct model_submission *from = model_find(call->from);
    bool about_target = cqe->result >= 0 || cqe->result == TRANSPORT_WRONG_INTERFACE ||
                        cqe->result == TRANSPORT_NO_METHOD;

    call->exception = (cqe->flags & CQE_EXCEPTION) != 0;
    if (cqe->result == TRANSPORT_BAD_ANSWER && call->sqe.answer != 0 && !call->keeps &&
        cqe->refusal.amount != call->sqe.answer && id_is_free(call->thread, call->sqe.answer)) {
        kept_open(name, call); /* it became free meanwhile, and what is refused is the promise */
    }
    if (bad_answer_verdict(name, call, cqe)) {
        return call->keeps ? (answer_verdict(name, call, cqe), true) : true;
    }
    if (call->sqe.answer != 0 && !call->keeps) {
        if (!id_is_free(call->thread, call->sqe.answer)) {
            model_disagree("call %llu keeps its answer under an id that is in use",
                           (unsigned long long)name);
        }
        kept_open(name, call);
    }
    if (call->keeps) {
        answer_verdict(name, call, cqe);
        if (was_released(name)) {
            released_verdict(name, call);
        }
    }
    if (cqe->result == TRANSPORT_BROKEN) {
        broken_verdict(name, call, cqe);
        return true;
    }
    if (!call->promised) {
        return false;
    }
    if (from == NULL) {
        model_disagree("call %llu: result %d, and its answer was never kept",
                       (unsigned long long)name, cqe->result);
        return true;
    }
    model_promise_resolve(call);
    if (about_target) {
        if (from->state == MODEL_DONE ? is_bad(from) : from->said_bad) {
            model_disagree("call %llu: result %d, and its answer broke", (unsigned long long)name,
                           cqe->result);
        }
        from->said_good = true;
    }
    return call->sqe.cap.raw == 0 && !about_target;
}

void model_finish_verdict(uint64_t name, const struct model_submission *finish,
                          const struct cqe *cqe)
{
    struct kept *answer = kept_find(finish->thread, finish->sqe.answer);

    if ((cqe->result == 0) != (answer != NULL) ||
        (cqe->result != 0 && cqe->result != TRANSPORT_BAD_ANSWER)) {
        model_disagree("submission %llu: FINISH answered %d, and the answer is%s kept",
                       (unsigned long long)name, cqe->result, answer == NULL ? " not" : "");
    }
    if (answer != NULL) {
        answer->finished = true;
        answer->releases = (finish->sqe.flags & SQE_RELEASE) != 0;
        if (answer->releases && model_find(answer->call)->state == MODEL_DONE) {
            released_verdict(answer->call, model_find(answer->call));
        }
    }
}

/* A promised call that waits rests while its answer is to come. */
bool model_promise_rests(const struct model_submission *call)
{
    const struct model_submission *from = model_find(call->from);

    return call->promised && !call->sent && from != NULL && from->state == MODEL_TAKEN;
}

/* ---- CANCEL ---------------------------------------------------------------------------------- */

void model_cancel_verdict(uint64_t name, const struct model_submission *cancel,
                          const struct cqe *cqe)
{
    struct model_submission *other =
        cancel->sqe.token == name ? NULL : model_find(cancel->sqe.token);
    bool own = other != NULL && other->thread == cancel->thread;

    if (cqe->result == 0) {
        if (!own || other->cancelled_by != name) {
            if (own && other->state == MODEL_TAKEN && other->keeps && other->cancelled_by == 0) {
                other->cancelled_by = name; /* it completes when what was promised is broken */
                other->said_bad = true;
                other->sent = true;
            } else {
                model_disagree("submission %llu: CANCEL says that it took back %llu",
                               (unsigned long long)name, (unsigned long long)cancel->sqe.token);
            }
        }
    } else if (cqe->result != TRANSPORT_NOT_FOUND) {
        model_disagree("submission %llu: CANCEL answered %d", (unsigned long long)name,
                       cqe->result);
    } else if (own && other->state == MODEL_TAKEN && other->dispatched != 0 && !other->keeps) {
        model_disagree("submission %llu: CANCEL did not find %llu, which is under way",
                       (unsigned long long)name, (unsigned long long)cancel->sqe.token);
    }
}

void model_cancelled(const struct model_actor *actor, uint64_t name, struct model_submission *ended)
{
    const struct model_submission *cancel = model_find(actor->submission);

    if (cancel != NULL && cancel->sqe.opcode == OPCODE_CANCEL && cancel->sqe.token == name &&
        cancel->thread == ended->thread && ended->cancelled_by == 0) {
        ended->cancelled_by = actor->submission;
    } else if (ended->cancelled_by == 0 && !ended->keeps) {
        model_disagree("submission %llu completes CANCELLED, and nobody cancels it",
                       (unsigned long long)name);
    }
}
