/* SPDX-License-Identifier: MIT */
/*
 * The run queue against a model that is one array of (priority, order) pairs, and the misuse that
 * must assert.
 */
#include "tests/host/support.h"

#include "core/run_queue.h"

#define NODES 60u

static struct run_queue queue;
static struct run_node nodes[NODES];
static struct run_node
    *model[NODES]; /* as the queue must give them out: highest first, then order */
static size_t model_count;

static void reset(void)
{
    run_queue_init(&queue);
    memset(nodes, 0, sizeof(nodes));
    model_count = 0;
}

static void model_insert(size_t at, struct run_node *node)
{
    memmove(&model[at + 1], &model[at], (model_count - at) * sizeof(model[0]));
    model[at] = node;
    model_count++;
}

static void model_remove(const struct run_node *node)
{
    size_t at = 0;

    while (model[at] != node) {
        at++;
    }
    model_count--;
    memmove(&model[at], &model[at + 1], (model_count - at) * sizeof(model[0]));
}

static void step_push(struct run_node *node, unsigned priority, bool back)
{
    size_t at = 0;

    while (at < model_count &&
           (model[at]->priority > priority || (back && model[at]->priority == priority))) {
        at++;
    }
    model_insert(at, node);
    if (back) {
        run_queue_push_back(&queue, node, priority);
    } else {
        run_queue_push_front(&queue, node, priority);
    }
}

static void compare(void)
{
    assert_int_equal(run_queue_check(&queue), 0);
    assert_int_equal(queue.count, model_count);
    assert_ptr_equal(run_queue_peek(&queue), model_count == 0 ? NULL : model[0]);
    assert_int_equal(run_queue_highest(&queue),
                     model_count == 0 ? RUN_PRIORITY_NONE : model[0]->priority);
}

static void operations_agree_with_the_model(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0x2c11);
    reset();
    for (unsigned step = 0; step < 100000; step++) {
        struct run_node *node = &nodes[test_random_below(&random, NODES)];
        /* Phases with few and with many priorities: FIFO order and bitmap both get work. */
        unsigned priority = (unsigned)test_random_below(&random, step % 2000 < 1000 ? 3 : 32);

        if (test_random_one_in(&random, 5)) {
            struct run_node *popped = run_queue_pop(&queue);

            assert_ptr_equal(popped, model_count == 0 ? NULL : model[0]);
            if (popped != NULL) {
                assert_false(popped->queued);
                model_remove(popped);
            }
        } else if (node->queued) {
            model_remove(node);
            run_queue_remove(&queue, node);
            assert_false(node->queued);
        } else {
            step_push(node, priority, !test_random_one_in(&random, 4));
            assert_true(node->queued);
            assert_int_equal(node->priority, priority);
        }
        compare();
    }
}

static void equals_take_turns(void **state)
{
    (void)state;
    reset();
    for (unsigned i = 0; i < 3; i++) {
        run_queue_push_back(&queue, &nodes[i], 7);
    }
    run_queue_push_back(&queue, &nodes[3], 6);
    for (unsigned turn = 0; turn < 9; turn++) {
        struct run_node *node = run_queue_pop(&queue);

        assert_ptr_equal(node, &nodes[turn % 3]);
        run_queue_push_back(&queue, node, 7);
    }
    run_queue_push_back(&queue, &nodes[4], RUN_PRIORITIES - 1);
    assert_ptr_equal(run_queue_pop(&queue), &nodes[4]);
}

static void push_twice(void *argument)
{
    run_queue_push_back(&queue, argument, 1);
    run_queue_push_back(&queue, argument, 2);
}

static void push_too_high(void *argument)
{
    run_queue_push_back(&queue, argument, RUN_PRIORITIES);
}

static void remove_absent(void *argument)
{
    run_queue_remove(&queue, argument);
}

static void misuse_asserts(void **state)
{
    (void)state;
    reset();
    assert_true(test_asserts(push_too_high, &nodes[0]));
    assert_true(test_asserts(remove_absent, &nodes[1]));
    assert_true(test_asserts(push_twice, &nodes[2]));
}

static void check_finds_damage(void **state)
{
    (void)state;
    reset();
    run_queue_push_back(&queue, &nodes[0], 4);
    run_queue_push_back(&queue, &nodes[1], 4);
    queue.count = 3;
    assert_int_equal(run_queue_check(&queue), 1);
    queue.count = 2;
    nodes[1].link.previous = &nodes[1].link;
    assert_int_equal(run_queue_check(&queue), 1);
    nodes[1].link.previous = &nodes[0].link;
    queue.ready_mask |= 2;
    assert_int_equal(run_queue_check(&queue), 2);
    queue.ready_mask = 0;
    assert_int_equal(run_queue_check(&queue), 2);
    queue.ready_mask = 1u << 4;
    nodes[1].priority = 5;
    assert_int_equal(run_queue_check(&queue), 3);
    nodes[1].priority = 4;
    nodes[0].queued = false;
    assert_int_equal(run_queue_check(&queue), 3);
    nodes[0].queued = true;
    assert_int_equal(run_queue_check(&queue), 0);
}

static void an_empty_queue_has_nobody_whatever_was_in_its_memory(void **state)
{
    (void)state;
    memset(&queue, 0xff, sizeof(queue));
    reset();
    assert_int_equal(run_queue_check(&queue), 0);
    assert_int_equal(queue.count, 0);
    run_queue_push_back(&queue, &nodes[0], RUN_PRIORITIES - 1);
    assert_ptr_equal(run_queue_pop(&queue), &nodes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_agree_with_the_model),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(misuse_asserts),
        cmocka_unit_test(check_finds_damage),
        cmocka_unit_test(an_empty_queue_has_nobody_whatever_was_in_its_memory),
    };

    return cmocka_run_group_tests_name("run_queue", tests, NULL, NULL);
}
