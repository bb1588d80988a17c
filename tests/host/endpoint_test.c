/* SPDX-License-Identifier: MIT */
/*
 * Endpoints: limits, order, tokens that are good once, cancellation told once, watches, sessions
 * whose end is told once, the direct-switch decision. endpoint_walk_test.c walks at random.
 */
#include "tests/host/endpoint_fixture.h"

#include "abi/ring.h"

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
    limits.capabilities = LIMIT_ENDPOINT_CAPABILITIES;
    assert_true(endpoint_limits_valid(&limits));
    limits.capabilities = LIMIT_ENDPOINT_CAPABILITIES + 1;
    assert_false(endpoint_limits_valid(&limits));
    limits = plain;
    limits.message_bytes = 0;
    assert_false(endpoint_limits_valid(&limits));
    for (uint32_t more = 0; more <= 64; more++) {
        limits.message_bytes = 4096 + more;
        assert_int_equal(endpoint_limits_valid(&limits), more % 8 == 0); /* whole words */
    }
    limits.message_bytes = LIMIT_MESSAGE_BYTES;
    assert_true(endpoint_limits_valid(&limits));
    limits.message_bytes = LIMIT_MESSAGE_BYTES + 8;
    assert_false(endpoint_limits_valid(&limits));
    limits = plain;
    limits.queue_length = 0;
    assert_false(endpoint_limits_valid(&limits));
    limits.queue_length = LIMIT_ENDPOINT_QUEUE;
    assert_true(endpoint_limits_valid(&limits));
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

/* Meeting and handing out do what adding and matching do, in one step; and nothing when something
 * else comes first. */
static void test_meeting_at_once(void **state)
{
    struct endpoint_record *call = &records[0];
    struct endpoint_record *receiver = &records[1];
    struct endpoint_end end;
    uint64_t token;
    uint64_t next;

    (void)state;
    assert_true(endpoint_add_receiver(&queues, receiver));
    assert_true(endpoint_add_receiver(&queues, &records[2]));
    assert_true(endpoint_can_meet(&queues));
    token = endpoint_fly(&queues, call);
    assert_ptr_equal(endpoint_take_receiver(&queues), receiver);
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
    assert_false(endpoint_can_meet(&queues));
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
    assert_false(endpoint_can_meet(&queues));
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

static void test_whatever_is_left_is_found(void **state)
{
    (void)state;
    assert_null(endpoint_any(&queues));
    (void)in_flight(&records[0], &records[1]);
    assert_ptr_equal(endpoint_any(&queues), &records[0]);
    assert_true(endpoint_add_receiver(&queues, &records[2]));
    assert_ptr_equal(endpoint_any(&queues), &records[2]);
    assert_true(endpoint_add_call(&queues, &records[3]));
    assert_ptr_equal(endpoint_any(&queues), &records[3]);
    for (unsigned left = 3; left > 0; left--) {
        assert_null(endpoint_remove(&queues, endpoint_any(&queues)));
    }
    assert_null(endpoint_any(&queues));
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
        cmocka_unit_test_setup(test_whatever_is_left_is_found, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
