/* SPDX-License-Identifier: MIT */
/*
 * Endpoints: limits, order, tokens that are good once, cancellation told once, watches, sessions
 * whose end is told once, the direct-switch decision; and random walks against a naive model, with
 * small limits and large ones, every invariant checked after each step.
 */
#include "tests/host/support.h"

#include "abi/ring.h"
#include "core/endpoint.h"

#define RECORDS  160u
#define SESSIONS 24u

static const struct endpoint_limits plain = {
    .message_bytes = 4096, .capabilities = 4, .queue_length = 32};
static struct endpoint_queues queues;
static struct endpoint_record records[RECORDS];
static struct endpoint_session sessions[SESSIONS];

static void start(const struct endpoint_limits *limits)
{
    memset(records, 0, sizeof(records));
    memset(sessions, 0, sizeof(sessions));
    endpoint_queues_init(&queues, limits);
}

static int setup(void **state)
{
    (void)state;
    start(&plain);
    return 0;
}

/* Puts `call` in flight to `receiver`; its token. */
static uint64_t in_flight(struct endpoint_record *call, struct endpoint_record *receiver)
{
    struct endpoint_match match;

    assert_true(endpoint_add_call(&queues, call));
    assert_true(endpoint_add_receiver(&queues, receiver));
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CALL);
    assert_ptr_equal(match.call, call);
    assert_ptr_equal(match.receiver, receiver);
    return match.token;
}

static void test_limits_valid(void **state)
{
    struct endpoint_limits limits = plain;

    (void)state;
    assert_true(endpoint_limits_valid(&limits));
    assert_int_equal(endpoint_receive_bytes(&limits), 48 + 4096 + 4 * 32);
    assert_int_equal(endpoint_answer_slots(&limits, 31), 0);
    assert_int_equal(endpoint_answer_slots(&limits, 3 * 32 + 8), 3);
    assert_int_equal(endpoint_answer_slots(&limits, 4096), 4);
    limits.capabilities = 0;
    assert_true(endpoint_limits_valid(&limits));
    limits.capabilities = LIMIT_ENDPOINT_CAPABILITIES + 1;
    assert_false(endpoint_limits_valid(&limits));
    limits = plain;
    limits.message_bytes = 0;
    assert_false(endpoint_limits_valid(&limits));
    limits.message_bytes = 4097;
    assert_false(endpoint_limits_valid(&limits));
    limits.message_bytes = LIMIT_MESSAGE_BYTES;
    assert_true(endpoint_limits_valid(&limits));
    limits.message_bytes = LIMIT_MESSAGE_BYTES + 8;
    assert_false(endpoint_limits_valid(&limits));
    limits = plain;
    limits.queue_length = 0;
    assert_false(endpoint_limits_valid(&limits));
    limits.queue_length = LIMIT_ENDPOINT_QUEUE + 1;
    assert_false(endpoint_limits_valid(&limits));
}

static void test_order(void **state)
{
    struct endpoint_match match;

    (void)state;
    assert_true(endpoint_add_call(&queues, &records[0]));
    assert_true(endpoint_add_call(&queues, &records[1]));
    assert_null(endpoint_next_call(&queues));
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_NOTHING);
    assert_true(endpoint_add_receiver(&queues, &records[2]));
    assert_true(endpoint_add_receiver(&queues, &records[3]));
    assert_ptr_equal(endpoint_next_call(&queues), &records[0]);
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CALL);
    assert_ptr_equal(match.call, &records[0]);
    assert_ptr_equal(match.receiver, &records[2]);
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CALL);
    assert_ptr_equal(match.call, &records[1]);
    assert_ptr_equal(match.receiver, &records[3]);
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_NOTHING);
    assert_int_equal(endpoint_check(&queues), 0);
}

static void test_token_is_good_once(void **state)
{
    uint64_t token = in_flight(&records[0], &records[1]);
    struct endpoint_end end;
    uint64_t second;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_int_equal(endpoint_finish(&queues, token ^ (UINT64_C(1) << bit), &end),
                         TRANSPORT_BAD_TOKEN);
    }
    assert_int_equal(endpoint_finish(&queues, 0, &end), TRANSPORT_BAD_TOKEN);
    assert_int_equal(endpoint_finish(&queues, UINT64_MAX, &end), TRANSPORT_BAD_TOKEN);
    assert_ptr_equal(endpoint_find(&queues, token), &records[0]);
    assert_int_equal(endpoint_finish(&queues, token, &end), TRANSPORT_OK);
    assert_ptr_equal(end.call, &records[0]);
    assert_null(end.watch);
    assert_int_equal(endpoint_finish(&queues, token, &end), TRANSPORT_BAD_TOKEN);
    second = in_flight(&records[0], &records[1]);
    assert_true(second != token);
    assert_int_equal(endpoint_finish(&queues, token, &end), TRANSPORT_BAD_TOKEN);
    assert_int_equal(endpoint_finish(&queues, second, &end), TRANSPORT_OK);
}

/* A call taken back by its caller: its token says so once. */
static void test_cancelled_token(void **state)
{
    uint64_t token = in_flight(&records[0], &records[1]);
    struct endpoint_end end;
    uint64_t second;

    (void)state;
    assert_null(endpoint_remove(&queues, &records[0]));
    assert_int_equal(records[0].place, ENDPOINT_NOWHERE);
    assert_int_equal(endpoint_check(&queues), 0);
    assert_null(endpoint_find(&queues, token));
    assert_int_equal(endpoint_watch(&queues, token, &records[2]), TRANSPORT_CANCELLED);
    assert_int_equal(endpoint_finish(&queues, token, &end), TRANSPORT_CANCELLED);
    assert_int_equal(endpoint_finish(&queues, token, &end), TRANSPORT_BAD_TOKEN);
    /* The slot's next call is not mistaken for it, and a later cancellation replaces it. */
    second = in_flight(&records[0], &records[1]);
    assert_null(endpoint_remove(&queues, &records[0]));
    assert_int_equal(endpoint_finish(&queues, token, &end), TRANSPORT_BAD_TOKEN);
    assert_int_equal(endpoint_finish(&queues, second, &end), TRANSPORT_CANCELLED);
}

static void test_watch(void **state)
{
    uint64_t token = in_flight(&records[0], &records[1]);
    struct endpoint_end end;

    (void)state;
    assert_int_equal(endpoint_watch(&queues, token + 1, &records[2]), TRANSPORT_BAD_TOKEN);
    assert_int_equal(endpoint_watch(&queues, token, &records[2]), TRANSPORT_OK);
    assert_int_equal(endpoint_watch(&queues, token, &records[3]), TRANSPORT_LIMIT);
    assert_int_equal(records[3].place, ENDPOINT_NOWHERE);
    assert_int_equal(endpoint_check(&queues), 0);
    /* Answered: whoever finishes the call is given the watch to complete. */
    assert_int_equal(endpoint_finish(&queues, token, &end), TRANSPORT_OK);
    assert_ptr_equal(end.watch, &records[2]);
    assert_int_equal(records[2].place, ENDPOINT_NOWHERE);
    /* Taken back: the same. */
    token = in_flight(&records[0], &records[1]);
    assert_int_equal(endpoint_watch(&queues, token, &records[2]), TRANSPORT_OK);
    assert_ptr_equal(endpoint_remove(&queues, &records[0]), &records[2]);
    /* The watch goes first: the call stays. */
    token = in_flight(&records[0], &records[1]);
    assert_int_equal(endpoint_watch(&queues, token, &records[2]), TRANSPORT_OK);
    assert_null(endpoint_remove(&queues, &records[2]));
    assert_int_equal(records[2].place, ENDPOINT_NOWHERE);
    assert_ptr_equal(endpoint_find(&queues, token), &records[0]);
    assert_int_equal(endpoint_watch(&queues, token, &records[3]), TRANSPORT_OK);
    assert_int_equal(endpoint_check(&queues), 0);
}

static void test_limits(void **state)
{
    struct endpoint_match match;
    struct endpoint_end end;
    unsigned matched = 0;

    (void)state;
    for (unsigned i = 0; i < plain.queue_length; i++) {
        assert_true(endpoint_add_call(&queues, &records[i]));
    }
    assert_false(endpoint_add_call(&queues, &records[plain.queue_length]));
    for (unsigned i = 0; i < LIMIT_ENDPOINT_RECEIVERS; i++) {
        assert_true(endpoint_add_receiver(&queues, &records[plain.queue_length + i]));
    }
    assert_false(endpoint_add_receiver(&queues, &records[RECORDS - 2]));
    while (endpoint_match(&queues, &match) == ENDPOINT_DELIVERS_CALL) {
        matched++;
    }
    assert_int_equal(matched, LIMIT_TOKEN_SLOTS);
    assert_true(endpoint_add_call(&queues, &records[RECORDS - 1]));
    assert_null(endpoint_next_call(&queues));
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_NOTHING);
    assert_int_equal(endpoint_finish(&queues, match.token, &end), TRANSPORT_OK);
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CALL);
    assert_ptr_equal(match.call, &records[RECORDS - 1]);
}

static void test_sessions(void **state)
{
    struct endpoint_match match;

    (void)state;
    assert_int_equal(endpoint_session_open(&queues, &sessions[0], 7), ENDPOINT_SESSION_OK);
    assert_int_equal(endpoint_session_open(&queues, &sessions[1], 7), ENDPOINT_SESSION_EXISTS);
    assert_int_equal(endpoint_session_open(&queues, &sessions[1], 7 + ENDPOINT_BUCKETS),
                     ENDPOINT_SESSION_OK);
    assert_true(endpoint_add_call(&queues, &records[0]));
    endpoint_session_close(&queues, &sessions[1]);
    endpoint_session_close(&queues, &sessions[0]);
    /* Until the owner was told, the badge is in use. */
    assert_int_equal(endpoint_session_open(&queues, &sessions[2], 7), ENDPOINT_SESSION_EXISTS);
    assert_int_equal(endpoint_check(&queues), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(endpoint_add_receiver(&queues, &records[1]));
        assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CLOSED);
        assert_ptr_equal(match.session, &sessions[1 - i]);
        assert_ptr_equal(match.receiver, &records[1]);
        assert_int_equal(match.session->state, ENDPOINT_SESSION_NONE);
    }
    assert_true(endpoint_add_receiver(&queues, &records[1]));
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CALL);
    assert_int_equal(endpoint_session_open(&queues, &sessions[0], 7), ENDPOINT_SESSION_OK);
    endpoint_session_remove(&queues, &sessions[0]);
    assert_int_equal(queues.session_count, 0);
}

/* An end is told although every token slot is taken. */
static void test_closed_needs_no_token(void **state)
{
    struct endpoint_match match;

    (void)state;
    for (unsigned i = 0; i < LIMIT_TOKEN_SLOTS; i++) {
        (void)in_flight(&records[i], &records[RECORDS - 1]);
    }
    assert_int_equal(endpoint_session_open(&queues, &sessions[0], 1), ENDPOINT_SESSION_OK);
    endpoint_session_close(&queues, &sessions[0]);
    assert_true(endpoint_add_receiver(&queues, &records[RECORDS - 1]));
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CLOSED);
}

static void test_session_limit(void **state)
{
    static struct endpoint_session many[LIMIT_ENDPOINT_SESSIONS + 1];

    (void)state;
    memset(many, 0, sizeof(many));
    for (unsigned i = 0; i < LIMIT_ENDPOINT_SESSIONS; i++) {
        assert_int_equal(endpoint_session_open(&queues, &many[i], UINT64_C(1) + i * 32),
                         ENDPOINT_SESSION_OK);
    }
    assert_int_equal(endpoint_session_open(&queues, &many[LIMIT_ENDPOINT_SESSIONS], 0),
                     ENDPOINT_SESSION_LIMIT);
    assert_int_equal(endpoint_check(&queues), 0);
    for (unsigned i = 0; i < LIMIT_ENDPOINT_SESSIONS; i++) {
        endpoint_session_remove(&queues, &many[i]);
    }
    assert_int_equal(endpoint_check(&queues), 0);
}

/* The decision is the conjunction of its facts: from a case that switches, each alone turns it. */
static void test_may_switch(void **state)
{
    const struct endpoint_switch yes = {.caller_waits = true,
                                        .receiver_waits = true,
                                        .same_cpu = true,
                                        .caller_priority = 8,
                                        .receiver_priority = 4,
                                        .ready_priority = 8,
                                        .anyone_ready = true,
                                        .time_left_ns = 1};
    struct endpoint_switch facts = yes;

    (void)state;
    assert_true(endpoint_may_switch(&facts));
    facts.caller_waits = false;
    assert_false(endpoint_may_switch(&facts));
    facts = yes;
    facts.receiver_waits = false;
    assert_false(endpoint_may_switch(&facts));
    facts = yes;
    facts.same_cpu = false;
    assert_false(endpoint_may_switch(&facts));
    facts = yes;
    facts.ending = true;
    assert_false(endpoint_may_switch(&facts));
    facts = yes;
    facts.time_left_ns = 0;
    assert_false(endpoint_may_switch(&facts));
    facts = yes;
    facts.ready_priority = 9;
    assert_false(endpoint_may_switch(&facts));
    facts.receiver_priority = 9; /* the more urgent of the two counts */
    assert_true(endpoint_may_switch(&facts));
    facts.receiver_priority = 4;
    facts.anyone_ready = false;
    assert_true(endpoint_may_switch(&facts));
}

/* ---- a naive model: queues are arrays in order, tokens are remembered for ever -----------------
 */

enum fate {
    FATE_LIVE = 1,
    FATE_CANCELLED, /* not told yet, as long as its slot had no later cancellation */
    FATE_USED,
};

enum {
    TOKENS_MAX = 200000,
};

static struct {
    unsigned calls[RECORDS]; /* indices of records, oldest first */
    unsigned call_count;
    unsigned receivers[RECORDS];
    unsigned receiver_count;
    unsigned in_flight;
    unsigned closed[SESSIONS];
    unsigned closed_count;
    uint64_t token_of[RECORDS]; /* in flight: its token */
    int watched_by[RECORDS];    /* in flight: index of the watch, -1: none */
    int watches[RECORDS];       /* a watch: index of its call, -1: none */
    struct {
        uint64_t token;
        enum fate fate;
    } token[TOKENS_MAX];
    unsigned token_count;
} model;

static unsigned index_of(const struct endpoint_record *record)
{
    return (unsigned)(record - records);
}

static void model_take(unsigned *array, unsigned *count, unsigned value)
{
    unsigned i = 0;

    while (array[i] != value) {
        i++;
        assert_true(i < *count);
    }
    memmove(&array[i], &array[i + 1], (*count - i - 1) * sizeof(array[0]));
    (*count)--;
}

static enum fate *model_fate(uint64_t token)
{
    for (unsigned i = model.token_count; i-- > 0;) {
        if (model.token[i].token == token) {
            return &model.token[i].fate;
        }
    }
    return NULL;
}

/* The call at `index` left flight; `watch` is what the endpoint handed over. */
static void model_leave(unsigned index, const struct endpoint_record *watch, enum fate fate)
{
    uint64_t token = model.token_of[index];

    if (fate == FATE_CANCELLED) {
        /* One memory for each slot: the slot's number is the token's low five bits. */
        for (unsigned i = 0; i < model.token_count; i++) {
            if (model.token[i].token % 32 == token % 32 && model.token[i].fate == FATE_CANCELLED) {
                model.token[i].fate = FATE_USED;
            }
        }
    }
    *model_fate(token) = fate;
    assert_ptr_equal(watch, model.watched_by[index] < 0 ? NULL : &records[model.watched_by[index]]);
    if (watch != NULL) {
        model.watches[index_of(watch)] = -1;
        assert_int_equal(watch->place, ENDPOINT_NOWHERE);
    }
    model.watched_by[index] = -1;
    model.in_flight--;
}

static void step_match(void)
{
    bool has_closed = endpoint_has_closed(&queues);
    struct endpoint_match match;
    enum endpoint_delivery delivery = endpoint_match(&queues, &match);

    assert_int_equal(has_closed, model.closed_count != 0);
    if (model.receiver_count == 0 ||
        (model.closed_count == 0 &&
         (model.call_count == 0 || model.in_flight == LIMIT_TOKEN_SLOTS))) {
        assert_int_equal(delivery, ENDPOINT_DELIVERS_NOTHING);
        return;
    }
    assert_int_equal(index_of(match.receiver), model.receivers[0]);
    model_take(model.receivers, &model.receiver_count, model.receivers[0]);
    if (model.closed_count != 0) {
        assert_int_equal(delivery, ENDPOINT_DELIVERS_CLOSED);
        assert_ptr_equal(match.session, &sessions[model.closed[0]]);
        model_take(model.closed, &model.closed_count, model.closed[0]);
        return;
    }
    assert_int_equal(delivery, ENDPOINT_DELIVERS_CALL);
    assert_int_equal(index_of(match.call), model.calls[0]);
    assert_null(model_fate(match.token));
    model_take(model.calls, &model.call_count, model.calls[0]);
    assert_true(model.token_count < TOKENS_MAX);
    model.token[model.token_count].token = match.token;
    model.token[model.token_count++].fate = FATE_LIVE;
    model.token_of[index_of(match.call)] = match.token;
    model.in_flight++;
}

static void step_finish(struct test_random *random)
{
    uint64_t token = test_random_u64(random);
    struct endpoint_end end;
    enum fate *fate = NULL;
    enum transport_error error;

    if (model.token_count != 0 && !test_random_one_in(random, 8)) {
        unsigned recent = model.token_count < 64 ? model.token_count : 64;

        token = model.token[model.token_count - 1 - test_random_below(random, recent)].token;
        fate = model_fate(token);
    }
    error = endpoint_finish(&queues, token, &end);
    if (fate == NULL || *fate == FATE_USED) {
        assert_int_equal(error, TRANSPORT_BAD_TOKEN);
    } else if (*fate == FATE_CANCELLED) {
        assert_int_equal(error, TRANSPORT_CANCELLED);
        *fate = FATE_USED;
    } else {
        assert_int_equal(error, TRANSPORT_OK);
        assert_true(model.token_of[index_of(end.call)] == token);
        assert_int_equal(end.call->place, ENDPOINT_NOWHERE);
        model_leave(index_of(end.call), end.watch, FATE_USED);
    }
}

static void step_watch(struct test_random *random, unsigned watch)
{
    unsigned call = (unsigned)test_random_below(random, RECORDS);
    enum transport_error error;

    if (records[watch].place != ENDPOINT_NOWHERE || records[call].place != ENDPOINT_IN_FLIGHT) {
        return;
    }
    error = endpoint_watch(&queues, model.token_of[call], &records[watch]);
    assert_int_equal(error, model.watched_by[call] < 0 ? TRANSPORT_OK : TRANSPORT_LIMIT);
    if (error == TRANSPORT_OK) {
        model.watched_by[call] = (int)watch;
        model.watches[watch] = (int)call;
    }
}

static void step_remove(unsigned index)
{
    enum endpoint_place before = records[index].place;
    struct endpoint_record *watch = endpoint_remove(&queues, &records[index]);

    assert_int_equal(records[index].place, ENDPOINT_NOWHERE);
    switch (before) {
    case ENDPOINT_CALL_WAITS:
        model_take(model.calls, &model.call_count, index);
        break;
    case ENDPOINT_RECEIVER_WAITS:
        model_take(model.receivers, &model.receiver_count, index);
        break;
    case ENDPOINT_IN_FLIGHT:
        model_leave(index, watch, FATE_CANCELLED);
        return;
    case ENDPOINT_WATCHES:
        model.watched_by[model.watches[index]] = -1;
        model.watches[index] = -1;
        break;
    case ENDPOINT_NOWHERE:
        break;
    }
    assert_null(watch);
}

static void step_session(struct test_random *random)
{
    unsigned index = (unsigned)test_random_below(random, SESSIONS);
    struct endpoint_session *session = &sessions[index];
    uint64_t badge = test_random_below(random, SESSIONS) * 16;
    bool in_use = false;

    switch (session->state) {
    case ENDPOINT_SESSION_NONE:
        for (unsigned i = 0; i < SESSIONS; i++) {
            in_use |= sessions[i].state != ENDPOINT_SESSION_NONE && sessions[i].badge == badge;
        }
        assert_int_equal(endpoint_session_open(&queues, session, badge),
                         in_use ? ENDPOINT_SESSION_EXISTS : ENDPOINT_SESSION_OK);
        break;
    case ENDPOINT_SESSION_OPEN:
        endpoint_session_close(&queues, session);
        model.closed[model.closed_count++] = index;
        break;
    case ENDPOINT_SESSION_CLOSED:
        if (test_random_one_in(random, 16)) {
            endpoint_session_remove(&queues, session);
            model_take(model.closed, &model.closed_count, index);
        }
        break;
    }
}

static void step(struct test_random *random)
{
    unsigned index = (unsigned)test_random_below(random, RECORDS);
    struct endpoint_record *record = &records[index];

    switch (test_random_below(random, 8)) {
    case 0:
    case 1:
        if (record->place == ENDPOINT_NOWHERE) {
            bool room = model.call_count < queues.limits.queue_length;

            assert_int_equal(endpoint_add_call(&queues, record), room);
            if (room) {
                model.calls[model.call_count++] = index;
            }
        }
        break;
    case 2:
        if (record->place == ENDPOINT_NOWHERE) {
            bool room = model.receiver_count < LIMIT_ENDPOINT_RECEIVERS;

            assert_int_equal(endpoint_add_receiver(&queues, record), room);
            if (room) {
                model.receivers[model.receiver_count++] = index;
            }
        }
        break;
    case 3:
        step_match();
        break;
    case 4:
        step_finish(random);
        break;
    case 5:
        step_watch(random, index);
        break;
    case 6:
        step_session(random);
        break;
    default:
        if (test_random_one_in(random, 3)) {
            step_remove(index);
        }
    }
}

static void walk(const struct endpoint_limits *limits, uint64_t seed, unsigned steps)
{
    struct test_random random;
    struct endpoint_record *left;

    start(limits);
    memset(&model, 0, sizeof(model));
    for (unsigned i = 0; i < RECORDS; i++) {
        model.watched_by[i] = -1;
        model.watches[i] = -1;
    }
    test_random_init(&random, seed);
    for (unsigned i = 0; i < steps; i++) {
        step(&random);
        assert_int_equal(endpoint_check(&queues), 0);
        assert_int_equal(queues.call_count, model.call_count);
        assert_int_equal(__builtin_popcount(queues.in_flight), model.in_flight);
    }
    while ((left = endpoint_any(&queues)) != NULL) {
        step_remove(index_of(left));
    }
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_int_equal(records[i].place, ENDPOINT_NOWHERE);
    }
    assert_int_equal(endpoint_check(&queues), 0);
}

/* Meeting and handing out do what adding and matching do, in one step; and nothing when something
 * else comes first. */
static void test_meeting_at_once(void **state)
{
    struct endpoint_record *call = &records[0];
    struct endpoint_record *receiver = &records[1];
    struct endpoint_end end;
    uint64_t token = 0;
    uint64_t next;

    (void)state;
    assert_false(endpoint_meet(&queues, call, &token)); /* nobody receives */
    assert_int_equal(call->place, ENDPOINT_NOWHERE);
    assert_true(endpoint_add_receiver(&queues, receiver));
    assert_true(endpoint_add_receiver(&queues, &records[2]));
    assert_true(endpoint_meet(&queues, call, &token));
    assert_int_equal(call->place, ENDPOINT_IN_FLIGHT);
    assert_int_equal(receiver->place, ENDPOINT_NOWHERE); /* the oldest */
    assert_int_equal(records[2].place, ENDPOINT_RECEIVER_WAITS);
    assert_ptr_equal(endpoint_find(&queues, token), call);
    assert_int_equal(endpoint_check(&queues), 0);
    assert_null(endpoint_waiting_call(&queues));

    /* A call that came before, a session's end: the long way. */
    assert_null(endpoint_remove(&queues, &records[2]));
    assert_true(endpoint_add_call(&queues, &records[3]));
    assert_true(endpoint_add_call(&queues, &records[4]));
    assert_true(endpoint_add_receiver(&queues, receiver));
    assert_false(endpoint_meet(&queues, &records[5], &next));
    assert_true(endpoint_only_calls(&queues));
    assert_null(endpoint_remove(&queues, receiver));
    assert_ptr_equal(endpoint_waiting_call(&queues), &records[3]);
    next = endpoint_hand_out(&queues);
    assert_true(next != token);
    assert_ptr_equal(endpoint_find(&queues, next), &records[3]);
    assert_ptr_equal(endpoint_waiting_call(&queues), &records[4]);
    assert_int_equal(endpoint_finish(&queues, next, &end), TRANSPORT_OK);
    assert_ptr_equal(end.call, &records[3]);
    assert_int_equal(endpoint_check(&queues), 0);
    assert_null(endpoint_remove(&queues, &records[4]));

    assert_int_equal(endpoint_session_open(&queues, &sessions[0], 7), ENDPOINT_SESSION_OK);
    endpoint_session_close(&queues, &sessions[0]);
    assert_true(endpoint_add_receiver(&queues, receiver));
    assert_false(endpoint_only_calls(&queues));
    assert_false(endpoint_meet(&queues, &records[5], &next));
    assert_int_equal(endpoint_check(&queues), 0);
}

/* An answer and the call that comes in its place: in one step what landing and handing out do one
 * after the other, which would give another slot if a lower one were free. */
static void test_exchange(void **state)
{
    uint64_t token[3];
    uint64_t next;

    (void)state;
    assert_true(endpoint_is_packed(&queues));
    for (unsigned i = 0; i < 3; i++) {
        token[i] = in_flight(&records[i], &records[10]);
        assert_true(endpoint_is_packed(&queues));
    }
    for (unsigned i = 3; i < 6; i++) {
        assert_true(endpoint_add_call(&queues, &records[i]));
    }
    assert_ptr_equal(endpoint_oldest_call(&queues), &records[3]);
    next = endpoint_exchange(&queues, &records[1], token[1], &records[3]);
    assert_int_equal(endpoint_check(&queues), 0);
    assert_int_equal(records[1].place, ENDPOINT_NOWHERE);
    assert_null(endpoint_find(&queues, token[1]));
    assert_ptr_equal(endpoint_find(&queues, next), &records[3]);
    assert_ptr_equal(endpoint_oldest_call(&queues), &records[4]);
    assert_true(endpoint_is_packed(&queues));

    /* The same in two steps, in the same slot. */
    endpoint_land(&queues, &records[3], records[3].token_slot);
    assert_int_equal(endpoint_hand_out_oldest(&queues, &records[4]), next + LIMIT_TOKEN_SLOTS);
    assert_int_equal(endpoint_check(&queues), 0);

    endpoint_land(&queues, &records[0], records[0].token_slot);
    assert_false(endpoint_is_packed(&queues));
    endpoint_land(&queues, &records[4], records[4].token_slot);
    assert_int_equal(endpoint_token_slot(endpoint_hand_out_oldest(&queues, &records[5])), 0);
    assert_false(endpoint_is_packed(&queues));
    assert_int_equal(endpoint_check(&queues), 0);
    for (unsigned i = 0; i < LIMIT_TOKEN_SLOTS - 2; i++) {
        (void)in_flight(&records[20 + i], &records[10]);
    }
    assert_true(endpoint_is_packed(&queues)); /* all of them */
}

/* The oldest receiver comes last, alone or not, and stays one that waits. */
static void test_rotate(void **state)
{
    (void)state;
    assert_true(endpoint_add_receiver(&queues, &records[0]));
    endpoint_rotate_receivers(&queues);
    assert_ptr_equal(endpoint_next_receiver(&queues), &records[0]);
    assert_true(endpoint_add_receiver(&queues, &records[1]));
    assert_true(endpoint_add_receiver(&queues, &records[2]));
    endpoint_rotate_receivers(&queues);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(endpoint_check(&queues), 0);
        assert_ptr_equal(endpoint_take_receiver(&queues), &records[i % 3]);
    }
    assert_null(endpoint_next_receiver(&queues));
}

static void test_random_walk(void **state)
{
    (void)state;
    walk(&plain, 11, 60000);
}

/* One call may wait, and most are refused. */
static void test_random_walk_tiny(void **state)
{
    static const struct endpoint_limits tiny = {
        .message_bytes = 8, .capabilities = 0, .queue_length = 1};

    (void)state;
    walk(&tiny, 12, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_limits_valid, setup),
        cmocka_unit_test_setup(test_order, setup),
        cmocka_unit_test_setup(test_token_is_good_once, setup),
        cmocka_unit_test_setup(test_cancelled_token, setup),
        cmocka_unit_test_setup(test_watch, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_sessions, setup),
        cmocka_unit_test_setup(test_closed_needs_no_token, setup),
        cmocka_unit_test_setup(test_session_limit, setup),
        cmocka_unit_test_setup(test_may_switch, setup),
        cmocka_unit_test_setup(test_meeting_at_once, setup),
        cmocka_unit_test_setup(test_exchange, setup),
        cmocka_unit_test_setup(test_rotate, setup),
        cmocka_unit_test(test_random_walk),
        cmocka_unit_test(test_random_walk_tiny),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
