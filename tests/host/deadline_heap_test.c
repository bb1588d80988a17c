/* SPDX-License-Identifier: MIT */
/* The deadline heap against a linear search, and the misuse that must assert. */
#include "tests/host/support.h"

#include "core/deadline_heap.h"

#define NODES 120u

static struct deadline_node nodes[NODES];
static struct deadline_heap heap;

static void reset(void)
{
    memset(nodes, 0, sizeof(nodes));
    deadline_heap_init(&heap);
}

/* Counts the queued nodes and finds the earliest deadline among them. */
static uint32_t model_earliest(uint64_t *earliest_ns)
{
    uint32_t count = 0;

    *earliest_ns = UINT64_MAX;
    for (size_t i = 0; i < NODES; i++) {
        if (deadline_node_is_queued(&nodes[i])) {
            count++;
            if (nodes[i].deadline_ns < *earliest_ns) {
                *earliest_ns = nodes[i].deadline_ns;
            }
        }
    }
    return count;
}

static void compare(void)
{
    uint64_t earliest_ns = 0;

    assert_int_equal(deadline_heap_check(&heap), 0);
    assert_int_equal(model_earliest(&earliest_ns), heap.count);
    if (heap.count == 0) {
        assert_null(deadline_heap_peek(&heap));
    } else {
        assert_int_equal(deadline_heap_peek(&heap)->deadline_ns, earliest_ns);
    }
}

static void operations_agree_with_the_model(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0xdead11e);
    reset();
    for (unsigned step = 0; step < 60000; step++) {
        struct deadline_node *node = &nodes[test_random_below(&random, NODES)];
        uint64_t deadline_ns = test_random_below(&random, 1000);
        uint64_t earliest_ns = 0;
        uint32_t count = model_earliest(&earliest_ns);

        switch (test_random_below(&random, 4)) {
        case 0:
            if (deadline_node_is_queued(node)) {
                deadline_heap_remove(&heap, node);
                assert_false(deadline_node_is_queued(node));
            }
            break;
        case 1:
            if (test_random_one_in(&random, 3)) {
                struct deadline_node *due = deadline_heap_pop_due(&heap, deadline_ns);

                assert_int_equal(due != NULL, count != 0 && earliest_ns <= deadline_ns);
                if (due != NULL) {
                    assert_int_equal(due->deadline_ns, earliest_ns);
                    assert_false(deadline_node_is_queued(due));
                }
            }
            break;
        default:
            if (!deadline_node_is_queued(node)) {
                deadline_heap_insert(&heap, node, deadline_ns);
            }
            break;
        }
        compare();
    }
}

static void all_come_out_in_order(void **state)
{
    struct test_random random;
    uint64_t last_ns = 0;
    (void)state;

    test_random_init(&random, 3);
    reset();
    for (size_t i = 0; i < NODES; i++) {
        uint64_t deadline_ns = i == 0 ? UINT64_MAX : test_random_u64(&random);

        deadline_heap_insert(&heap, &nodes[i], deadline_ns);
    }
    for (size_t i = 0; i < NODES; i++) {
        struct deadline_node *node = deadline_heap_pop_due(&heap, UINT64_MAX);

        assert_non_null(node);
        assert_true(node->deadline_ns >= last_ns);
        last_ns = node->deadline_ns;
    }
    assert_null(deadline_heap_pop_due(&heap, UINT64_MAX));
    assert_int_equal(last_ns, UINT64_MAX);
}

static void insert_again(void *argument)
{
    deadline_heap_insert(&heap, argument, 2);
}

static void remove_node(void *argument)
{
    deadline_heap_remove(&heap, argument);
}

static void misuse_asserts(void **state)
{
    struct deadline_node foreign = {.deadline_ns = 1, .parent = &foreign};
    (void)state;

    reset();
    assert_true(test_asserts(remove_node, &nodes[0]));
    deadline_heap_insert(&heap, &nodes[0], 1);
    assert_true(test_asserts(insert_again, &nodes[0]));
    assert_true(test_asserts(remove_node, &foreign));
}

static void check_finds_damage(void **state)
{
    (void)state;
    reset();
    for (size_t i = 0; i < 10; i++) {
        deadline_heap_insert(&heap, &nodes[i], 100 + i);
    }
    heap.count = 9;
    assert_int_equal(deadline_heap_check(&heap), 1);
    heap.count = 11;
    assert_int_equal(deadline_heap_check(&heap), 1);
    heap.count = 10;
    nodes[9].deadline_ns = 0;
    assert_int_equal(deadline_heap_check(&heap), 2);
    nodes[9].deadline_ns = 109;
    nodes[4].parent = &nodes[3];
    assert_int_equal(deadline_heap_check(&heap), 3);
    nodes[4].parent = &nodes[1];
    assert_int_equal(deadline_heap_check(&heap), 0);
}

/* Every size, each node taken out of it once: no number is missing or doubled afterwards. */
static void any_node_leaves_any_size(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 40; size++) {
        for (uint32_t out = 0; out < size; out++) {
            reset();
            for (uint32_t i = 0; i < size; i++) {
                deadline_heap_insert(&heap, &nodes[i], (i * 7 + out) % 11);
            }
            deadline_heap_remove(&heap, &nodes[out]);
            assert_int_equal(heap.count, size - 1);
            compare();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_agree_with_the_model),
        cmocka_unit_test(all_come_out_in_order),
        cmocka_unit_test(any_node_leaves_any_size),
        cmocka_unit_test(misuse_asserts),
        cmocka_unit_test(check_finds_damage),
    };

    return cmocka_run_group_tests_name("deadline_heap", tests, NULL, NULL);
}
