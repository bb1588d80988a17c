/* SPDX-License-Identifier: MIT */
/*
 * Endpoint queues: order, tokens that are good once, removal from every place, and a random walk
 * against a model, checked after each step.
 */
#include "tests/host/support.h"

#include "core/endpoint.h"

#define RECORDS 112u

static struct endpoint_queues queues;
static struct endpoint_record records[RECORDS];
static uint64_t tokens[RECORDS]; /* of the record in flight */

static int setup(void **state)
{
    (void)state;
    memset(records, 0, sizeof(records));
    endpoint_queues_init(&queues);
    return 0;
}

static size_t index_of(const struct endpoint_record *record)
{
    return (size_t)(record - records);
}

static void test_order(void **state)
{
    struct endpoint_record *call;
    struct endpoint_record *receiver;
    uint64_t token;

    (void)state;
    assert_true(endpoint_add_call(&queues, &records[0]));
    assert_true(endpoint_add_call(&queues, &records[1]));
    assert_false(endpoint_match(&queues, &call, &receiver, &token));
    assert_true(endpoint_add_receiver(&queues, &records[2]));
    assert_true(endpoint_add_receiver(&queues, &records[3]));
    assert_true(endpoint_match(&queues, &call, &receiver, &token));
    assert_ptr_equal(call, &records[0]);
    assert_ptr_equal(receiver, &records[2]);
    assert_true(endpoint_match(&queues, &call, &receiver, &token));
    assert_ptr_equal(call, &records[1]);
    assert_ptr_equal(receiver, &records[3]);
    assert_false(endpoint_match(&queues, &call, &receiver, &token));
    assert_int_equal(endpoint_check(&queues), 0);
}

static void test_token_is_good_once(void **state)
{
    struct endpoint_record *call;
    struct endpoint_record *receiver;
    uint64_t token;
    uint64_t second;

    (void)state;
    assert_true(endpoint_add_call(&queues, &records[0]));
    assert_true(endpoint_add_receiver(&queues, &records[1]));
    assert_true(endpoint_match(&queues, &call, &receiver, &token));
    assert_null(endpoint_finish(&queues, token + 1));
    assert_null(endpoint_finish(&queues, token + (UINT64_C(1) << 32)));
    assert_null(endpoint_finish(&queues, UINT64_MAX));
    assert_ptr_equal(endpoint_find(&queues, token), call);
    assert_ptr_equal(endpoint_finish(&queues, token), call);
    assert_null(endpoint_finish(&queues, token));
    assert_true(endpoint_add_call(&queues, &records[0]));
    assert_true(endpoint_add_receiver(&queues, &records[1]));
    assert_true(endpoint_match(&queues, &call, &receiver, &second));
    assert_true(second != token);
    assert_null(endpoint_finish(&queues, token));
    endpoint_remove(&queues, call);
    assert_null(endpoint_finish(&queues, second));
}

static void test_limits(void **state)
{
    struct endpoint_record *call;
    struct endpoint_record *receiver;
    unsigned matched = 0;
    uint64_t token = 0;

    (void)state;
    for (unsigned i = 0; i < LIMIT_TOKEN_SLOTS; i++) {
        assert_true(endpoint_add_call(&queues, &records[i]));
    }
    assert_false(endpoint_add_call(&queues, &records[LIMIT_ENDPOINT_QUEUE]));
    for (unsigned i = 0; i < LIMIT_ENDPOINT_RECEIVERS; i++) {
        assert_true(endpoint_add_receiver(&queues, &records[LIMIT_TOKEN_SLOTS + i]));
    }
    assert_false(endpoint_add_receiver(&queues, &records[RECORDS - 2]));
    while (endpoint_match(&queues, &call, &receiver, &token)) {
        matched++;
    }
    assert_int_equal(matched, LIMIT_TOKEN_SLOTS);
    assert_true(endpoint_add_receiver(&queues, &records[RECORDS - 2]));
    assert_true(endpoint_add_call(&queues, &records[RECORDS - 1]));
    assert_false(endpoint_match(&queues, &call, &receiver, &token));
    assert_non_null(endpoint_finish(&queues, token));
    assert_true(endpoint_match(&queues, &call, &receiver, &token));
    assert_ptr_equal(call, &records[RECORDS - 1]);
}

static void step(struct test_random *random)
{
    struct endpoint_record *record = &records[test_random_below(random, RECORDS)];
    enum endpoint_place before = record->place;
    struct endpoint_record *call;
    struct endpoint_record *receiver;
    uint64_t token;

    switch (test_random_below(random, 5)) {
    case 0:
        if (before == ENDPOINT_NOWHERE && endpoint_add_call(&queues, record)) {
            assert_int_equal(record->place, ENDPOINT_CALL_WAITS);
        }
        break;
    case 1:
        if (before == ENDPOINT_NOWHERE && endpoint_add_receiver(&queues, record)) {
            assert_int_equal(record->place, ENDPOINT_RECEIVER_WAITS);
        }
        break;
    case 2:
        if (endpoint_match(&queues, &call, &receiver, &token)) {
            assert_int_equal(receiver->place, ENDPOINT_NOWHERE);
            tokens[index_of(call)] = token;
        }
        break;
    case 3:
        assert_ptr_equal(endpoint_finish(&queues, tokens[index_of(record)]),
                         before == ENDPOINT_IN_FLIGHT ? record : NULL);
        break;
    default:
        if (test_random_one_in(random, 4)) {
            endpoint_remove(&queues, record);
            assert_int_equal(record->place, ENDPOINT_NOWHERE);
        }
    }
}

static void test_random_walk(void **state)
{
    struct test_random random;
    struct endpoint_record *left;

    (void)state;
    test_random_init(&random, 11);
    memset(tokens, 0, sizeof(tokens));
    for (unsigned i = 0; i < 200000; i++) {
        step(&random);
        assert_int_equal(endpoint_check(&queues), 0);
    }
    while ((left = endpoint_any(&queues)) != NULL) {
        endpoint_remove(&queues, left);
    }
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_int_equal(records[i].place, ENDPOINT_NOWHERE);
    }
    assert_int_equal(endpoint_check(&queues), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order, setup),
        cmocka_unit_test_setup(test_token_is_good_once, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_random_walk, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
