/* SPDX-License-Identifier: MIT */
/* Parking against a model: one array of waiters in the order in which they came; and keys that
 * somebody chose who knows the seed. */
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
        park_bucket_init(&buckets[i], SEED);
    }
    return 0;
}

static void check_all(void)
{
    for (unsigned i = 0; i < PARK_BUCKETS; i++) {
        assert_int_equal(park_check(&buckets[i], i), 0);
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

/* ---- keys of one's choice -------------------------------------------------------------------- */

/* What an odd number has to be multiplied with to give 1. */
static uint64_t inverse(uint64_t odd)
{
    uint64_t found = odd;

    for (unsigned i = 0; i < 6; i++) {
        found *= 2 - odd * found; /* twice as many of the low bits are right */
    }
    return found;
}

/* The key of this space whose mixed value is `mix`: what an attacker could do who knew the seed and
 * could wait at any address. */
static struct park_key key_mixed(uint64_t space, uint64_t mix)
{
    const uint64_t back = inverse(UINT64_C(0xd6e8feb86659fd93));
    uint64_t mixed = (space ^ SEED) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t address = mix * back;
    struct park_key key = {.space = space};

    address = (address ^ address >> 32) * back;
    key.address = address ^ mixed ^ mixed >> 32;
    assert_int_equal(park_mix(key, SEED), mix);
    return key;
}

/* How many firsts a search for the last of the bucket's passes. */
static unsigned depth_of(struct park_bucket *bucket)
{
    struct park_waiter *next[PARK_DEPTH + 2] = {bucket->root};
    unsigned depth[PARK_DEPTH + 2] = {1};
    unsigned left = bucket->root != NULL;
    unsigned most = 0;

    while (left > 0) {
        struct park_waiter *first = next[--left];
        unsigned down = depth[left];

        most = down > most ? down : most;
        for (unsigned side = 0; side < 2; side++) {
            if (first->child[side] != NULL) {
                next[left] = first->child[side];
                depth[left++] = down + 1;
            }
        }
    }
    return most;
}

/* All in one bucket, each as deep as can be: no search is longer than the digits of a key, and all
 * are found, whichever goes first. */
static void test_the_worst_keys(void **state)
{
    static struct park_waiter worst[PARK_DEPTH + 1];
    struct park_bucket *bucket = &buckets[0];

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i <= PARK_DEPTH; i++) {
            /* The first i digits are 1. */
            uint64_t mix = i >= PARK_MIX_SHIFT ? (UINT64_C(1) << PARK_MIX_SHIFT) - 1
                                               : ((UINT64_C(1) << i) - 1) << (PARK_MIX_SHIFT - i);
            unsigned rest = i > PARK_MIX_SHIFT ? i - PARK_MIX_SHIFT : 0;
            uint64_t space = rest == 0 ? 0 : UINT64_MAX << (64 - rest);

            park_add(bucket, &worst[i], key_mixed(space, mix));
            assert_true(worst[i].first);
        }
        assert_int_equal(depth_of(bucket), PARK_DEPTH + 1);
        assert_int_equal(park_check(bucket, 0), 0);
        for (unsigned i = 0; i <= PARK_DEPTH; i++) {
            unsigned at = round == 0   ? i
                          : round == 1 ? PARK_DEPTH - i
                                       : (i * 37) % (PARK_DEPTH + 1);

            assert_ptr_equal(park_take(bucket, worst[at].key), &worst[at]);
            assert_false(park_waits(&worst[at]));
            assert_int_equal(park_check(bucket, 0), 0);
        }
        assert_null(bucket->root);
    }
}

/* Spaces whose keys mix to one value, more than a mixed key has digits: told apart by the space's.
 */
static void test_keys_that_mix_alike(void **state)
{
    static struct park_waiter alike[1000];
    struct park_bucket *bucket = &buckets[3];

    (void)state;
    memset(alike, 0, sizeof(alike));
    for (uint64_t i = 0; i < ARRAY_COUNT(alike); i++) {
        park_add(bucket, &alike[i],
                 key_mixed(i * UINT64_C(0x9e3779b97f4a7c15), UINT64_C(3) << PARK_MIX_SHIFT));
    }
    assert_int_equal(park_check(bucket, 3), 0);
    assert_in_range(depth_of(bucket), PARK_MIX_SHIFT, PARK_MIX_SHIFT + 30);
    for (uint64_t i = 0; i < ARRAY_COUNT(alike); i++) {
        assert_ptr_equal(park_take(bucket, alike[i].key), &alike[i]);
    }
    assert_null(bucket->root);
}

/* As many keys in one bucket as 4,096 for each would be, which nobody chose there: a search passes
 * few. */
static void test_many_keys_are_shallow(void **state)
{
    static struct park_waiter many[4096];
    struct park_bucket *bucket = &buckets[9];
    uint64_t address = 0;

    (void)state;
    memset(many, 0, sizeof(many));
    for (size_t i = 0; i < ARRAY_COUNT(many); i++) {
        do {
            address += 4;
        } while (park_bucket_of((struct park_key){7, address}, SEED) != 9);
        park_add(bucket, &many[i], (struct park_key){7, address});
    }
    assert_int_equal(park_check(bucket, 9), 0);
    assert_in_range(depth_of(bucket), 12, 32);
    for (size_t i = 0; i < ARRAY_COUNT(many); i++) {
        assert_ptr_equal(park_take(bucket, many[i].key), &many[i]);
    }
    assert_null(bucket->root);
}

/* ---- the model ------------------------------------------------------------------------------- */

/* One of a few keys; in every other run of 4,096 steps they are all in one bucket. */
static struct park_key key_any(struct test_random *random, unsigned step)
{
    uint64_t space = test_random_below(random, SPACES);
    uint64_t which = test_random_below(random, ADDRESSES);

    return step / 4096 % 2 == 0 ? (struct park_key){.space = space, .address = which * 4}
                                : key_mixed(space, UINT64_C(3) << PARK_MIX_SHIFT | which << 52);
}

static void test_against_the_model(void **state)
{
    struct test_random random;

    (void)state;
    test_random_init(&random, 0x9a4b);
    for (unsigned step = 0; step < STEPS; step++) {
        struct park_waiter *waiter = &waiters[test_random_below(&random, WAITERS)];
        struct park_key key = key_any(&random, step);

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
    assert_int_equal(park_check(bucket_of(key), park_bucket_of(key, SEED)), 2);
}

static void test_check_sees_what_is_broken(void **state)
{
    struct park_key key = {.space = 1, .address = 4};
    unsigned index = park_bucket_of(key, SEED);

    (void)state;
    park_add(bucket_of(key), &waiters[0], key);
    park_add(bucket_of(key), &waiters[1], key);
    waiters[1].first = true;
    assert_int_equal(park_check(bucket_of(key), index), 3);
    waiters[1].first = false;
    waiters[1].key.address = 8;
    assert_int_equal(park_check(bucket_of(key), index), 2);
    waiters[1].key.address = 4;
    waiters[1].node.previous = &waiters[1].node;
    assert_int_equal(park_check(bucket_of(key), index), 1);
    waiters[1].node.previous = &waiters[0].node;
    waiters[0].first = false;
    assert_int_equal(park_check(bucket_of(key), index), 3);
    waiters[0].first = true;
    assert_int_equal(park_check(bucket_of(key), index), 0);
}

static void test_who_is_woken_is_nobodys_first(void **state)
{
    const struct park_key key = {.space = 1, .address = 64};
    struct park_bucket *bucket = bucket_of(key);

    (void)state;
    park_add(bucket, &waiters[0], key);
    park_add(bucket, &waiters[1], key);
    assert_ptr_equal(park_take(bucket, key), &waiters[0]);
    assert_false(waiters[0].first);
    assert_true(waiters[1].first);
    assert_ptr_equal(park_take(bucket, key), &waiters[1]);
    assert_false(waiters[1].first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_against_the_model, setup),
        cmocka_unit_test_setup(test_the_worst_keys, setup),
        cmocka_unit_test_setup(test_keys_that_mix_alike, setup),
        cmocka_unit_test_setup(test_many_keys_are_shallow, setup),
        cmocka_unit_test(test_buckets_are_used),
        cmocka_unit_test_setup(test_check_sees_a_waiter_in_the_wrong_bucket, setup),
        cmocka_unit_test_setup(test_check_sees_what_is_broken, setup),
        cmocka_unit_test_setup(test_who_is_woken_is_nobodys_first, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
