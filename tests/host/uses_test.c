/* SPDX-License-Identifier: MIT */
/*
 * Sweeps through work under way: random work begins and ends while several revocations go through
 * it, against a list of what each has to wait for and to count. No step looks at more than it may.
 */
#include "tests/host/support.h"

#include "core/uses.h"

enum {
    NODES = 6,
    WORKS = 300,
    SWEEPS = 3,
    MANY = 1000,
};

static struct grant_tree tree;
static struct grant_node node[NODES];

static struct work {
    struct use use;
    bool alive;
    bool counted;
} work[WORKS];

/* 0 and 1 at the root; 2, 3 below 0; 4 below 2; 5 below 1. */
static void grants_make(void)
{
    static const int parent[NODES] = {-1, -1, 0, 0, 2, 1};

    memset(node, 0, sizeof(node));
    grant_tree_init(&tree);
    for (unsigned i = 0; i < NODES; i++) {
        assert_int_equal(grant_delegate(&tree, parent[i] < 0 ? NULL : &node[parent[i]], &node[i]),
                         TRANSPORT_OK);
    }
}

static bool is_own(const struct use *use, const struct grant_node *above)
{
    return use->through != NULL && grant_is_below(use->through, above);
}

/* What is not its own is passed, however much of it there is, a bounded number in each step. */
static void test_steps_are_bounded(void **state)
{
    static struct use many[MANY];
    struct uses list;
    struct uses_sweep sweep = {.waits = false};
    struct use *awaited = NULL;
    uint32_t found = 0;
    unsigned steps = 1;

    (void)state;
    grants_make();
    uses_init(&list);
    for (unsigned i = 0; i < MANY; i++) {
        uses_add(&list, &many[i], i % 3 == 0 ? NULL : &node[1]);
    }
    while (uses_sweep(&list, &sweep, &node[0], &found, &awaited) == USES_MORE) {
        steps++;
        assert_int_equal(uses_check(&list, MANY + 2), 0);
    }
    assert_int_equal(found, 0);
    assert_null(awaited);
    assert_true(steps >= 2 * MANY / USES_LOOKS);
    for (unsigned i = 0; i < MANY; i++) {
        uses_remove(&many[i]);
    }
    assert_true(list_is_empty(&list.nodes));
}

/* All are counted before the first is waited for; the sweep is over when the last one is. */
static void test_waits_for_its_own(void **state)
{
    struct uses list;
    struct uses_sweep sweep = {.waits = false};
    struct use use[3] = {{.found = false}};
    struct use late = {.found = false};
    struct use *awaited = NULL;
    uint32_t found = 0;

    (void)state;
    grants_make();
    uses_init(&list);
    uses_add(&list, &use[0], &node[0]);
    uses_add(&list, &use[1], &node[1]);
    uses_add(&list, &use[2], &node[4]);
    assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_WAITS);
    assert_int_equal(found, 2);
    assert_ptr_equal(awaited, &use[0]);
    uses_add(&list, &late, &node[1]);
    assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_WAITS);
    assert_ptr_equal(awaited, &use[0]);
    uses_remove(&use[0]);
    assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_WAITS);
    assert_ptr_equal(awaited, &use[2]);
    uses_remove(&use[2]);
    assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_OVER);
    assert_int_equal(found, 2);
    uses_remove(&use[1]);
    uses_remove(&late);
    assert_true(list_is_empty(&list.nodes));
}

/* Random work below nodes that are not revoked, and sweeps of those that are. */
static void random_life(uint64_t seed)
{
    static const unsigned swept[SWEEPS] = {2, 0, 5};
    struct test_random random;
    struct uses list;
    struct uses_sweep sweep[SWEEPS] = {{.waits = false}};
    uint32_t found[SWEEPS] = {0};
    uint32_t expected = 0;
    bool over[SWEEPS] = {false};
    unsigned left = SWEEPS;

    test_random_init(&random, seed);
    grants_make();
    uses_init(&list);
    memset(work, 0, sizeof(work));
    for (unsigned i = 0; i < WORKS; i++) {
        unsigned below = (unsigned)test_random_below(&random, NODES + 1);

        work[i].alive = true;
        uses_add(&list, &work[i].use, below == NODES ? NULL : &node[below]);
    }
    for (unsigned i = 0; i < SWEEPS; i++) {
        struct use *awaited;

        /* Begins each, so that nothing has ended before it is counted. */
        while (!sweep[i].waits) {
            assert_int_not_equal(uses_sweep(&list, &sweep[i], &node[swept[i]], &found[i], &awaited),
                                 USES_OVER);
        }
    }
    for (unsigned i = 0; i < WORKS; i++) {
        for (unsigned j = 0; j < SWEEPS && !work[i].counted; j++) {
            work[i].counted = is_own(&work[i].use, &node[swept[j]]);
        }
        expected += work[i].counted;
    }
    assert_int_equal(found[0] + found[1] + found[2], expected);
    while (left > 0) {
        unsigned i = (unsigned)test_random_below(&random, SWEEPS);
        struct work *one = &work[test_random_below(&random, WORKS)];
        struct use *awaited = NULL;

        if (one->alive) {
            uses_remove(&one->use);
            one->alive = false;
        } else if (test_random_below(&random, 2) == 0) {
            one->alive = true; /* through what nobody has revoked */
            uses_add(&list, &one->use, test_random_below(&random, 2) == 0 ? NULL : &node[1]);
        }
        assert_int_equal(uses_check(&list, WORKS + 2 * SWEEPS), 0);
        if (over[i]) {
            continue;
        }
        switch (uses_sweep(&list, &sweep[i], &node[swept[i]], &found[i], &awaited)) {
        case USES_WAITS:
            assert_true(is_own(awaited, &node[swept[i]]));
            assert_true(list_node_is_linked(&awaited->node));
            break;
        case USES_OVER:
            over[i] = true;
            left--;
            for (unsigned k = 0; k < WORKS; k++) {
                assert_false(work[k].alive && is_own(&work[k].use, &node[swept[i]]));
            }
            break;
        case USES_MORE:
            break;
        }
    }
    assert_int_equal(found[0] + found[1] + found[2], expected);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        random_life(seed);
    }
}

/* A piece of work lies in memory that was one before, and a revocation has counted that. */
static void test_work_begun_again_is_counted_again(void **state)
{
    struct uses list;
    struct use use;
    struct uses_sweep sweep = {.waits = false};
    struct use *awaited = NULL;
    uint32_t found = 0;

    (void)state;
    grants_make();
    uses_init(&list);
    memset(&use, 0xff, sizeof(use));
    list_node_init(&use.node);
    for (unsigned time = 1; time < 4; time++) {
        uses_add(&list, &use, &node[0]);
        assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_WAITS);
        assert_ptr_equal(awaited, &use);
        assert_int_equal(found, time);
        uses_remove(&use);
        assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_OVER);
        assert_true(list_is_empty(&list.nodes));
    }
}

/* The second pass waits at the first piece: only the first counts those behind it. */
static void test_a_sweep_used_again_counts_before_it_waits(void **state)
{
    struct uses list;
    struct use use[2] = {{.found = false}, {.found = false}};
    struct uses_sweep sweep = {.waits = false};
    struct use *awaited = NULL;
    uint32_t found = 0;

    (void)state;
    grants_make();
    uses_init(&list);
    assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_OVER);
    uses_add(&list, &use[0], &node[0]);
    uses_add(&list, &use[1], &node[0]);
    assert_int_equal(uses_sweep(&list, &sweep, &node[0], &found, &awaited), USES_WAITS);
    assert_int_equal(found, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_bounded),
        cmocka_unit_test(test_waits_for_its_own),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_work_begun_again_is_counted_again),
        cmocka_unit_test(test_a_sweep_used_again_counts_before_it_waits),
    };

    return cmocka_run_group_tests_name("uses", tests, NULL, NULL);
}
