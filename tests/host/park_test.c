/* SPDX-License-Identifier: MIT */
/* Parking against a model: one array of waiters in the order in which they came. */
#include "tests/host/support.h"

#include "core/park.h"

enum {
    WAITERS = 200,
    SPACES = 3,
    ADDRESSES = 12,
    STEPS = 40000,
};

#define SEED UINT64_C(0x5eed)

static struct park_bucket buckets[PARK_BUCKETS];
static struct park_waiter waiters[WAITERS];
static struct park_waiter *order[WAITERS]; /* the model: who waits, the longest first */
static size_t count;

static int setup(void **state)
{
    (void)state;
    memset(waiters, 0, sizeof(waiters));
    count = 0;
    for (unsigned i = 0; i < PARK_BUCKETS; i++) {
        park_bucket_init(&buckets[i]);
    }
    return 0;
}

static void check_all(void)
{
    for (unsigned i = 0; i < PARK_BUCKETS; i++) {
        assert_int_equal(park_check(&buckets[i], i, SEED), 0);
    }
}

static struct park_bucket *bucket_of(struct park_key key)
{
    unsigned index = park_bucket_of(key, SEED);

    assert_in_range(index, 0, PARK_BUCKETS - 1);
    return &buckets[index];
}

static void model_drop(size_t at)
{
    count--;
    for (; at < count; at++) {
        order[at] = order[at + 1];
    }
}

static struct park_waiter *model_take(struct park_key key)
{
    for (size_t i = 0; i < count; i++) {
        struct park_waiter *waiter = order[i];

        if (waiter->key.space == key.space && waiter->key.address == key.address) {
            model_drop(i);
            return waiter;
        }
    }
    return NULL;
}

static void test_against_the_model(void **state)
{
    struct test_random random;

    (void)state;
    test_random_init(&random, 0x9a4b);
    for (unsigned step = 0; step < STEPS; step++) {
        struct park_waiter *waiter = &waiters[test_random_below(&random, WAITERS)];
        struct park_key key = {.space = test_random_below(&random, SPACES),
                               .address = test_random_below(&random, ADDRESSES) * 4};

        if (test_random_one_in(&random, 3)) {
            assert_ptr_equal(park_take(bucket_of(key), key), model_take(key));
        } else if (!park_waits(waiter)) {
            park_add(bucket_of(key), waiter, key);
            order[count++] = waiter;
        } else if (test_random_one_in(&random, 8)) {
            size_t at = 0;

            while (order[at] != waiter) {
                at++;
            }
            model_drop(at);
            park_remove(bucket_of(waiter->key), waiter);
        }
        if (step % 256 == 0) {
            check_all();
        }
    }
    while (count > 0) {
        struct park_key key = order[0]->key;

        assert_ptr_equal(park_take(bucket_of(key), key), model_take(key));
    }
    check_all();
}

/* Neighbouring words, equal words of different spaces, and one word under different seeds: no
 * bucket has more than a few times its share. */
static void test_buckets_are_used(void **state)
{
    unsigned used[3][PARK_BUCKETS] = {{0}};

    (void)state;
    for (uint64_t i = 0; i < PARK_BUCKETS * 16; i++) {
        used[0][park_bucket_of((struct park_key){7, i * 4}, SEED)]++;
        used[1][park_bucket_of((struct park_key){i, 0x10000}, SEED)]++;
        used[2][park_bucket_of((struct park_key){7, 0x10000}, i)]++;
    }
    for (unsigned i = 0; i < PARK_BUCKETS; i++) {
        for (unsigned j = 0; j < 3; j++) {
            assert_in_range(used[j][i], 1, 64);
        }
    }
}

static void test_check_sees_a_waiter_in_the_wrong_bucket(void **state)
{
    struct park_key key = {.space = 1, .address = 4};

    (void)state;
    park_add(bucket_of(key), &waiters[0], key);
    check_all();
    while (park_bucket_of(waiters[0].key, SEED) == park_bucket_of(key, SEED)) {
        waiters[0].key.address += 4;
    }
    assert_int_equal(park_check(bucket_of(key), park_bucket_of(key, SEED), SEED), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_against_the_model, setup),
        cmocka_unit_test(test_buckets_are_used),
        cmocka_unit_test_setup(test_check_sees_a_waiter_in_the_wrong_bucket, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
