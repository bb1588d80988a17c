/* SPDX-License-Identifier: MIT */
/*
 * The reference model: endpoints.
 *
 * The model sees an endpoint whole each time its lock is released and compares it with the time
 * before. What may change, and no more:
 *
 *   a call joins the end of the queue   - it is the submission being dispatched, or one of those
 *                                         that are done in a run, in the order of the run; through
 *                                         an edge to this endpoint that allows it
 *   a receiver joins                    - the same, through an owner's edge
 *   the oldest call goes to the oldest receiver, under a token that never was before; of several
 *   an older call to an older receiver
 *   a call in flight ends               - by the RETURN being dispatched that names its token, or
 *                                         because a side is gone
 *   anything ends                       - because its thread is gone or the endpoint has closed
 *
 * While a call and a receiver wait, there is no token left for them. A closed endpoint is empty.
 * Whatever leaves without completion belonged to a thread that is gone.
 */
#include "sim/model_inside.h"

#include <string.h>

#include "schema/generated/endpoint.capnp.h"

enum {
    TOKENS = 1 << 14, /* places of the set of tokens ever used */
};

struct endpoint {
    uint64_t name;
    bool gone;
    struct model_endpoint_view view;
};

static struct endpoint endpoints[MODEL_ENDPOINTS];
static uint32_t endpoint_count;
static uint64_t token_set[TOKENS][3]; /* endpoint, token, call */

static struct endpoint *endpoint_find(uint64_t name)
{
    for (uint32_t i = endpoint_count; i > 0; i--) {
        if (endpoints[i - 1].name == name) {
            return &endpoints[i - 1];
        }
    }
    return NULL;
}

bool model_is_endpoint(uint64_t object)
{
    return endpoint_find(object) != NULL;
}

bool model_is_closed(uint64_t endpoint)
{
    const struct endpoint *found = endpoint_find(endpoint);

    return found != NULL && found->view.closed;
}

uint64_t model_flight_named(const struct model_submission *by)
{
    struct model_history owner = model_history(by->pid, by->sqe.cap.raw, by->begun, model_now);
    const struct endpoint *at = owner.held == NULL ? NULL : endpoint_find(owner.held->edge.object);

    for (uint32_t i = 0; at != NULL && i < at->view.flights; i++) {
        if (at->view.flight_token[i] == by->sqe.token) {
            return at->view.flight[i];
        }
    }
    return 0;
}

bool model_token_is_new(uint64_t endpoint, uint64_t token, uint64_t call)
{
    uint64_t place =
        (endpoint * UINT64_C(0x9e3779b97f4a7c15) ^ token * UINT64_C(0xc2b2ae3d27d4eb4f));

    place = (place ^ place >> 29) % TOKENS;
    for (uint32_t tries = 0; tries < TOKENS; tries++, place = (place + 1) % TOKENS) {
        if (token_set[place][0] == endpoint && token_set[place][1] == token) {
            return false;
        }
        if (token_set[place][0] == 0) {
            token_set[place][0] = endpoint;
            token_set[place][1] = token;
            token_set[place][2] = call;
            return true;
        }
    }
    return true;
}

static bool list_has(const uint64_t *list, uint32_t count, uint64_t name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == name) {
            return true;
        }
    }
    return false;
}

/* ---- views ----------------------------------------------------------------------------------- */

enum role {
    ROLE_CALLER,
    ROLE_RECEIVER,
    ROLE_WATCHER,
};

/* Which of the run it is that the actor does; the run's length: none. */
static uint32_t run_place(const struct model_actor *actor, uint64_t name)
{
    uint32_t i = 0;

    while (i < actor->runs && actor->run[i] != name) {
        i++;
    }
    return i;
}

/* A submission that newly waits or flies here: it is being dispatched, and it may. */
static void joined(const struct model_actor *actor, uint64_t endpoint, uint64_t name,
                   enum role role)
{
    struct model_submission *submission = model_find(name);
    struct model_history history;
    int32_t permitted;

    if (model_is_closed(endpoint)) {
        model_disagree("submission %llu joined endpoint %llu, which has closed",
                       (unsigned long long)name, (unsigned long long)endpoint);
        return;
    }
    if (submission == NULL || submission->endpoint != 0 ||
        (name != actor->submission && run_place(actor, name) == actor->runs &&
         (submission->sent_by == 0 || submission->sent_by != actor->submission))) {
        model_disagree("submission %llu joined endpoint %llu and is not being dispatched",
                       (unsigned long long)name, (unsigned long long)endpoint);
        return;
    }
    if (submission->fault && role == ROLE_CALLER && model_fault_joins(submission, endpoint)) {
        submission->endpoint = endpoint;
        return;
    }
    model_promise_resolve(submission);
    history = model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);
    if (history.held == NULL || !history.sometime || history.held->edge.object != endpoint) {
        model_disagree("submission %llu joined endpoint %llu without an edge to it",
                       (unsigned long long)name, (unsigned long long)endpoint);
        return;
    }
    permitted =
        model_permits(&history.held->edge,
                      role == ROLE_CALLER ? submission->sqe.interface_id : ENDPOINT_INTERFACE_ID,
                      role == ROLE_CALLER     ? submission->sqe.method
                      : role == ROLE_RECEIVER ? ENDPOINT_METHOD_RECEIVE
                                              : ENDPOINT_METHOD_ANSWER);
    if (permitted != TRANSPORT_OK) {
        model_disagree("submission %llu joined endpoint %llu and its edge says %d",
                       (unsigned long long)name, (unsigned long long)endpoint, permitted);
    }
    submission->endpoint = endpoint;
}

/* One that is no more where it was: complete, or its thread is gone. */
static void left(const struct model_actor *actor, uint64_t endpoint, uint64_t name, bool closed)
{
    struct model_submission *submission = model_find(name);
    uint64_t returner;

    if (submission->state == MODEL_TAKEN && submission->keeps) { /* it completes when it settles */
        submission->unposted = true;
        model_flown_between(actor, name, submission);
        returner = model_returner(actor, submission);
        if (returner != 0 && model_names_call(model_find(returner), submission)) {
            submission->answered_by = returner;
            model_find(returner)->returned = name;
        } /* else it was revoked, or its receiver has ended */
        return;
    }
    if (submission->state == MODEL_TAKEN) {
        model_disagree("submission %llu vanished from endpoint %llu", (unsigned long long)name,
                       (unsigned long long)endpoint);
        return;
    }
    if (submission->state == MODEL_DONE &&
        (submission->result == TRANSPORT_PEER_GONE ||
         submission->result == TRANSPORT_PEER_RESTARTED) &&
        !closed && !(submission->receiver != 0 && model_thread_is_gone(submission->receiver))) {
        model_disagree("submission %llu: PEER_GONE, and the peer is there",
                       (unsigned long long)name);
    }
}

/* Records of `now` that were not there; and order: those that stayed keep theirs. */
static void queue_compare(const struct model_actor *actor, uint64_t endpoint, const uint64_t *was,
                          uint32_t was_count, const uint64_t *now, uint32_t now_count,
                          enum role role)
{
    uint32_t newest = 0;
    uint32_t at = 0;

    for (uint32_t i = 0; i < now_count; i++) {
        uint32_t old = at;

        while (old < was_count && was[old] != now[i]) {
            old++;
        }
        if (old < was_count) {
            at = old + 1;
        } else if (list_has(was, was_count, now[i])) {
            model_disagree("endpoint %llu: submission %llu was overtaken",
                           (unsigned long long)endpoint, (unsigned long long)now[i]);
        } else {
            at = was_count;
            joined(actor, endpoint, now[i], role);
            if (run_place(actor, now[i]) < newest) {
                model_disagree("endpoint %llu: submission %llu was overtaken in its run",
                               (unsigned long long)endpoint, (unsigned long long)now[i]);
            }
            newest = run_place(actor, now[i]);
        }
    }
}

/* How old a waiting record is: its place in the queue; one that was not there is the newest. */
static uint32_t age_of(const uint64_t *queue, uint32_t count, uint64_t name)
{
    uint32_t i = 0;

    while (i < count && queue[i] != name) {
        i++;
    }
    return i;
}

/* The same with those behind it that joined in the actor's run. */
static uint32_t place_of(const uint64_t *queue, uint32_t count, const struct model_actor *actor,
                         uint64_t name)
{
    uint32_t age = age_of(queue, count, name);

    return age < count ? age : count + run_place(actor, name);
}

/* The receiver that was told this token; it is no more in the queue. 0: none. */
static uint64_t served_by(const struct model_actor *actor, const struct model_endpoint_view *was,
                          uint64_t token)
{
    for (uint32_t i = 0; i < was->receivers; i++) {
        const struct model_submission *receive = model_find(was->receiver[i]);

        if (receive->token == token && receive->delivered == 0) {
            return was->receiver[i];
        }
    }
    if (model_was_told(actor->submission, token)) {
        return actor->submission;
    }
    for (uint32_t i = 0; i < actor->runs; i++) {
        if (model_was_told(actor->run[i], token)) {
            return actor->run[i];
        }
    }
    return 0;
}

/* Two places in queues, those that joined in a run behind those that waited. */
struct delivery {
    uint32_t call;
    uint32_t receiver;
};

static struct delivery delivery_compare(const struct model_actor *actor,
                                        const struct model_endpoint_view *was,
                                        const struct model_endpoint_view *now, uint32_t flight)
{
    uint64_t name = now->flight[flight];
    struct model_submission *call = model_find(name);
    uint64_t receiver = served_by(actor, was, now->flight_token[flight]);
    struct model_submission *receive = model_find(receiver);

    if (!list_has(was->call, was->calls, name)) {
        joined(actor, now->endpoint, name, ROLE_CALLER);
    }
    if (receive == NULL) {
        model_disagree("endpoint %llu: call %llu was delivered to nobody",
                       (unsigned long long)now->endpoint, (unsigned long long)name);
        return (struct delivery){0};
    }
    if (receive->endpoint == 0) {
        joined(actor, now->endpoint, receiver, ROLE_RECEIVER);
    }
    receive->delivered = name;
    if (call->fault) { /* how long the kernel's own message is, its receiver says */
        call->sqe.message_bytes =
            (uint32_t)receive->result - (uint32_t)sizeof(struct endpoint_message);
    }
    if (receive->result != (int32_t)(sizeof(struct endpoint_message) + call->sqe.message_bytes)) {
        model_disagree("submission %llu received %d bytes, call %llu sent %u",
                       (unsigned long long)receiver, receive->result, (unsigned long long)name,
                       call->sqe.message_bytes);
    }
    if ((now->calls > 0 &&
         age_of(was->call, was->calls, now->call[0]) < age_of(was->call, was->calls, name)) ||
        (now->receivers > 0 && age_of(was->receiver, was->receivers, now->receiver[0]) <
                                   age_of(was->receiver, was->receivers, receiver))) {
        model_disagree("endpoint %llu: call %llu or submission %llu was not the oldest",
                       (unsigned long long)now->endpoint, (unsigned long long)name,
                       (unsigned long long)receiver);
    }
    return (struct delivery){
        .call = place_of(was->call, was->calls, actor, name),
        .receiver = place_of(was->receiver, was->receivers, actor, receiver),
    };
}

/* Whoever received something received a call that flies now, or the end of a session. */
static void deliveries_compare(const struct model_actor *actor,
                               const struct model_endpoint_view *was,
                               const struct model_endpoint_view *now)
{
    struct delivery delivery[LIMIT_TOKEN_SLOTS];
    uint32_t count = 0;

    for (uint32_t i = 0; i < now->flights; i++) {
        if (!list_has(was->flight, was->flights, now->flight[i])) {
            delivery[count] = delivery_compare(actor, was, now, i);
            for (uint32_t k = 0; k < count; k++) {
                if ((delivery[k].call < delivery[count].call) !=
                    (delivery[k].receiver < delivery[count].receiver)) {
                    model_disagree("endpoint %llu: call %llu and another were delivered crosswise",
                                   (unsigned long long)now->endpoint,
                                   (unsigned long long)now->flight[i]);
                }
            }
            count++;
        }
    }
    for (uint32_t i = 0; i < was->receivers; i++) {
        const struct model_submission *receive = model_find(was->receiver[i]);

        if (receive->state == MODEL_DONE && receive->result > 0 && receive->delivered == 0 &&
            !receive->told_closed) {
            model_disagree("submission %llu received a call that does not fly",
                           (unsigned long long)was->receiver[i]);
        }
    }
}

/* Tokens and receivers of what flies. */
static void flights_compare(const struct model_endpoint_view *was,
                            const struct model_endpoint_view *now)
{
    for (uint32_t i = 0; i < now->flights; i++) {
        struct model_submission *call = model_find(now->flight[i]);

        if (call == NULL) {
            model_disagree("endpoint %llu: a call in flight that nobody made",
                           (unsigned long long)now->endpoint);
            return;
        }
        if (list_has(was->flight, was->flights, now->flight[i])) {
            if (call->token != now->flight_token[i]) {
                model_disagree("call %llu changed its token", (unsigned long long)now->flight[i]);
            }
            continue;
        }
        if (!model_token_is_new(now->endpoint, now->flight_token[i], now->flight[i])) {
            model_disagree("endpoint %llu: token %llx was used before",
                           (unsigned long long)now->endpoint,
                           (unsigned long long)now->flight_token[i]);
        }
        call->token = now->flight_token[i];
        call->delivered_at = model_now;
        call->receiver = now->flight_receiver[i];
    }
}

/* Whether the edge that it came through was delegated: a revoke may be about to end it. */
static bool may_be_revoked(uint64_t name)
{
    const struct model_submission *submission = model_find(name);
    struct model_history history =
        model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);

    return submission->fault ? submission->told.grant != 0
                             : history.held != NULL && history.held->edge.grant != 0;
}

static void view_check(const struct model_endpoint_view *now)
{
    if (now->pumps) {
        return; /* a job is about to go on with what one stretch may not deliver */
    }
    if (now->closed) {
        return; /* nothing is delivered any more: all that waits is ended, a few at a time */
    }
    if (now->calls == 0 || now->receivers == 0 || now->flights == LIMIT_TOKEN_SLOTS) {
        return;
    }
    for (uint32_t i = 0; i < now->calls + now->receivers; i++) {
        if (may_be_revoked(i < now->calls ? now->call[i] : now->receiver[i - now->calls])) {
            return; /* the dead are ended a few at a time, and what is behind them waits */
        }
    }
    model_disagree("endpoint %llu: %u calls and %u receivers wait for each other",
                   (unsigned long long)now->endpoint, now->calls, now->receivers);
}

/* ---- watches --------------------------------------------------------------------------------- */

static void watches_compare(const struct model_actor *actor, const struct model_endpoint_view *was,
                            const struct model_endpoint_view *now)
{
    for (uint32_t i = 0; i < now->flights; i++) {
        uint64_t name = now->flight_watch[i];

        if (name == 0 || list_has(was->flight_watch, was->flights, name)) {
            continue;
        }
        joined(actor, now->endpoint, name, ROLE_WATCHER);
        if (model_find(name) != NULL && model_find(name)->sqe.token != now->flight_token[i]) {
            model_disagree("submission %llu watches another call than it names",
                           (unsigned long long)name);
        }
    }
    for (uint32_t i = 0; i < was->flights; i++) {
        if (was->flight_watch[i] != 0 &&
            !list_has(now->flight_watch, now->flights, was->flight_watch[i])) {
            left(actor, now->endpoint, was->flight_watch[i], now->closed);
        }
    }
}

uint64_t model_call_of_token(uint64_t endpoint, uint64_t token)
{
    for (uint32_t i = 0; i < TOKENS; i++) {
        if (token_set[i][0] == endpoint && token_set[i][1] == token) {
            return token_set[i][2];
        }
    }
    return 0;
}

bool model_watch_rests(uint64_t name, const struct model_submission *watch)
{
    const struct endpoint *endpoint = endpoint_find(watch->endpoint);

    return endpoint != NULL && list_has(endpoint->view.flight_watch, endpoint->view.flights, name);
}

static struct endpoint *endpoint_make(uint64_t name)
{
    struct endpoint *endpoint;

    if (endpoint_count == MODEL_ENDPOINTS) {
        model_disagree("the model has no room for another endpoint");
        return NULL;
    }
    endpoint = &endpoints[endpoint_count++];
    memset(endpoint, 0, offsetof(struct endpoint, view.call));
    endpoint->name = name;
    return endpoint;
}

void model_endpoint(const struct model_actor *actor, const struct model_endpoint_view *now)
{
    struct endpoint *endpoint = endpoint_find(now->endpoint);
    struct model_endpoint_view *was;

    model_now++;
    if (endpoint == NULL) {
        endpoint = endpoint_make(now->endpoint);
    }
    if (endpoint == NULL || model_disagreement() != NULL) {
        return;
    }
    was = &endpoint->view;
    if (endpoint->gone || (was->closed && !now->closed)) {
        model_disagree("endpoint %llu came back", (unsigned long long)now->endpoint);
    }
    queue_compare(actor, now->endpoint, was->call, was->calls, now->call, now->calls, ROLE_CALLER);
    queue_compare(actor, now->endpoint, was->receiver, was->receivers, now->receiver,
                  now->receivers, ROLE_RECEIVER);
    deliveries_compare(actor, was, now);
    flights_compare(was, now);
    for (uint32_t i = 0; i < was->calls; i++) {
        if (!list_has(now->call, now->calls, was->call[i]) &&
            !list_has(now->flight, now->flights, was->call[i])) {
            left(actor, now->endpoint, was->call[i], now->closed);
        }
    }
    for (uint32_t i = 0; i < was->flights; i++) {
        if (!list_has(now->flight, now->flights, was->flight[i])) {
            left(actor, now->endpoint, was->flight[i], now->closed);
        }
    }
    for (uint32_t i = 0; i < was->receivers; i++) {
        if (!list_has(now->receiver, now->receivers, was->receiver[i])) {
            left(actor, now->endpoint, was->receiver[i], now->closed);
        }
    }
    watches_compare(actor, was, now);
    view_check(now);
    *was = *now;
}

bool model_endpoint_rests(uint64_t name)
{
    const struct endpoint *endpoint = endpoint_find(name);

    return endpoint == NULL || !endpoint->view.closed ||
           endpoint->view.calls + endpoint->view.receivers + endpoint->view.flights == 0;
}

void model_endpoint_gone(uint64_t name)
{
    struct endpoint *endpoint = endpoint_find(name);

    if (endpoint == NULL) {
        return;
    }
    if (endpoint->view.calls + endpoint->view.receivers + endpoint->view.flights > 0) {
        model_disagree("endpoint %llu is destroyed and not empty", (unsigned long long)name);
    }
    endpoint->gone = true;
}

/* ---- what programs read ---------------------------------------------------------------------- */

void model_received(uint64_t submission, const struct endpoint_message *head, uint64_t stamp)
{
    const struct model_submission *receive = model_find(submission);
    const struct model_submission *call = receive == NULL ? NULL : model_find(receive->delivered);
    struct model_history history;

    if (head->kind == ENDPOINT_MESSAGE_CLOSED && receive->told_closed) {
        return;
    }
    if (call == NULL) {
        model_disagree("submission %llu received a call that nobody delivered",
                       (unsigned long long)submission);
        return;
    }
    history = model_history(call->pid, call->sqe.cap.raw, call->begun, model_now);
    if (head->token != call->token ||
        head->badge != (call->fault ? call->told.badge : history.held->edge.badge) ||
        head->interface_id != call->sqe.interface_id || head->method != call->sqe.method ||
        head->message_bytes != call->sqe.message_bytes ||
        head->result_bytes != call->sqe.result_bytes || head->caps != call->sqe.transfers ||
        head->kind != ENDPOINT_MESSAGE_CALL) {
        model_disagree("submission %llu received a head that is not call %llu's",
                       (unsigned long long)submission, (unsigned long long)receive->delivered);
    }
    if (stamp != 0 && stamp != receive->delivered) {
        model_disagree("submission %llu received the message of call %llu, not of %llu",
                       (unsigned long long)submission, (unsigned long long)stamp,
                       (unsigned long long)receive->delivered);
    }
}

void model_answered(uint64_t submission, uint64_t stamp)
{
    const struct model_submission *call = model_find(submission);

    if (call == NULL || call->answered_by == 0) {
        model_disagree("call %llu reads an answer that nobody returned",
                       (unsigned long long)submission);
    } else if (stamp != 0 && stamp != call->answered_by) {
        model_disagree("call %llu reads the answer of %llu, not of %llu",
                       (unsigned long long)submission, (unsigned long long)stamp,
                       (unsigned long long)call->answered_by);
    }
}
