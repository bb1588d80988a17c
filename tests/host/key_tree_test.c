/* SPDX-License-Identifier: MIT */
/* core/key_tree: against an array of which keys are there, with keys counted up, random ones, and
 * those that make the longest path. */
#include "support.h"

#include "core/key_tree.h"

enum {
    NODES = 4096,
    STEPS = 40000,
    DIGITS = 64,
};

struct model {
    struct key_tree tree;
    struct key_node node[NODES];
    bool there[NODES];
    size_t count;
};

static struct model model;

static void model_begin(bool counted)
{
    uint64_t random = 7;

    memset(&model, 0, sizeof(model));
    for (size_t i = 0; i < NODES; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        model.node[i].key = counted ? i + 1 : (random & ~(uint64_t)(NODES - 1)) | i;
    }
}

static void model_flip(size_t i)
{
    if (model.there[i]) {
        key_tree_remove(&model.tree, &model.node[i]);
        model.count--;
    } else {
        key_tree_insert(&model.tree, &model.node[i]);
        model.count++;
    }
    model.there[i] = !model.there[i];
}

static void model_compare(void)
{
    size_t count;

    assert_int_equal(key_tree_check(&model.tree, &count), 0);
    assert_int_equal(count, model.count);
    for (size_t i = 0; i < NODES; i++) {
        assert_ptr_equal(key_tree_find(&model.tree, model.node[i].key),
                         model.there[i] ? &model.node[i] : NULL);
    }
}

static void test_against_the_model(void **state)
{
    (void)state;
    for (unsigned counted = 0; counted < 2; counted++) {
        uint64_t random = 42;

        model_begin(counted != 0);
        for (unsigned step = 0; step < STEPS; step++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            model_flip((size_t)(random >> 33) % NODES);
            if (step % (STEPS / 8) == 0) {
                model_compare();
            }
        }
        for (size_t i = 0; i < NODES; i++) {
            if (model.there[i]) {
                model_flip(i);
            }
        }
        assert_null(model.tree.root);
    }
}

static unsigned depth_of(uint64_t key)
{
    const struct key_node *node = model.tree.root;
    unsigned depth = 0;

    while (node->key != key) {
        node = node->child[key >> depth & 1];
        depth++;
    }
    return depth;
}

/* Keys counted up fill the tree evenly; those that differ late lie on one path, which ends. */
static void test_depth(void **state)
{
    (void)state;
    model_begin(true);
    for (size_t i = 0; i < NODES; i++) {
        model_flip(i);
    }
    for (size_t i = 0; i < NODES; i++) {
        assert_in_range(depth_of(model.node[i].key), 0, 12);
    }
    model_begin(true);
    for (size_t i = 0; i < NODES; i++) {
        model.node[i].key = i == 0 ? 0 : i < DIGITS ? UINT64_C(1) << i : UINT64_MAX - i;
    }
    for (size_t i = 0; i < DIGITS; i++) {
        model_flip(i);
    }
    assert_int_equal(depth_of(model.node[DIGITS - 1].key), DIGITS - 1);
    model_compare();
    for (size_t i = 0; i < DIGITS; i++) {
        model_flip(i); /* the root first: a leaf takes its place each time */
        model_compare();
    }
}

static void insert_again(void *node)
{
    key_tree_insert(&model.tree, node);
}

static void remove_absent(void *node)
{
    key_tree_remove(&model.tree, node);
}

static void test_mistakes_are_caught(void **state)
{
    struct key_node same = {.key = 3};
    size_t count;

    (void)state;
    model_begin(true);
    model_flip(2);
    assert_true(test_asserts(insert_again, &same));
    assert_true(test_asserts(remove_absent, &model.node[5]));
    model_flip(4);
    model.node[4].key = 4; /* stands where odd ones do */
    assert_int_equal(key_tree_check(&model.tree, &count), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_model),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_mistakes_are_caught),
    };

    return cmocka_run_group_tests_name("key_tree", tests, NULL, NULL);
}
