/* SPDX-License-Identifier: MIT */
/*
 * Endpoints: random walks against a naive model, with small limits and large ones, every invariant
 * checked after each step. The model's queues are arrays in order, and it remembers every token.
 */
#include "tests/host/endpoint_fixture.h"

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
        cmocka_unit_test(test_random_walk),
        cmocka_unit_test(test_random_walk_tiny),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
