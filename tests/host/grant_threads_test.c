/* SPDX-License-Identifier: MIT */
/*
 * One grant tree and several threads, each with a table of its own: they look up, copy and delegate
 * further while another thread revokes. What starts after the revoke has returned finds every edge
 * dead; when all is over, no node and no reference is left. Run under the thread sanitizer, this is
 * also the proof that the tree needs no lock.
 */
#include "tests/host/support.h"

#include <pthread.h>

#include "core/cap_table.h"
#include "tests/host/slot_pages.h"

enum {
    THREADS = 3,
    ROUNDS = 60,
    DEPTH = 4,
};

struct worker {
    pthread_t thread;
    struct cap_table table;
    unsigned uses;
    unsigned escapes; /* an edge that answered although it must be dead */
};

static struct grant_tree tree;
static struct grant_node *chain[DEPTH];
static struct worker workers[THREADS];
static uint64_t marked;    /* atomic: the revoke has returned */
static uint64_t started;   /* atomic */
static uint64_t nodes_out; /* atomic */
static int object;

static struct grant_node *node_make(struct grant_node *parent)
{
    struct grant_node *node = calloc(1, sizeof(*node));

    if (grant_delegate(&tree, parent, node) != TRANSPORT_OK) {
        free(node);
        return NULL;
    }
    atomic_add_u64(&nodes_out, 1);
    return node;
}

static void node_free(struct grant_node *node)
{
    atomic_add_u64(&nodes_out, UINT64_MAX);
    free(node);
}

static struct cap_id insert(struct cap_table *table, const struct hold_edge *edge)
{
    struct cap_id id = {0};

    grant_ref(edge->grant);
    if (cap_table_insert(table, edge, NULL, &id) != TRANSPORT_OK) {
        abort();
    }
    return id;
}

static void drop(struct cap_table *table, struct cap_id id)
{
    struct hold_edge edge;

    if (cap_table_remove(table, id, &edge) != TRANSPORT_OK) {
        abort();
    }
    grant_unref(edge.grant, node_free);
}

/* One lookup, and a copy and a delegation of what it found; whether the source was alive. */
static bool use(struct worker *worker, struct cap_id source)
{
    bool dead = atomic_load_acquire_u64(&marked) != 0;
    const struct hold_edge *found;
    struct grant_node *below;
    struct hold_edge edge;
    struct cap_id id;

    if (cap_table_lookup(&worker->table, source, &found) != TRANSPORT_OK) {
        return false;
    }
    worker->escapes += dead;
    worker->uses++;
    edge = *found;
    id = insert(&worker->table, &edge);
    dead = atomic_load_acquire_u64(&marked) != 0;
    worker->escapes += cap_table_lookup(&worker->table, id, &found) == TRANSPORT_OK && dead;
    drop(&worker->table, id);
    below = node_make(edge.grant);
    if (below != NULL) {
        edge.grant = below;
        id = insert(&worker->table, &edge);
        dead = atomic_load_acquire_u64(&marked) != 0;
        worker->escapes += cap_table_lookup(&worker->table, id, &found) == TRANSPORT_OK && dead;
        grant_splice(below);
        grant_unref(below, node_free);
        drop(&worker->table, id);
    }
    return true;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct hold_edge edge = {.object = &object,
                             .interface_id = 7,
                             .facet = CAP_FACET_ALL,
                             .grant = chain[DEPTH - 1],
                             .epoch = 1};
    struct cap_id id;

    cap_table_init(&worker->table, 16, slot_memory(NULL));
    id = insert(&worker->table, &edge);
    atomic_add_u64(&started, 1);
    while (use(worker, id)) {
    }
    drop(&worker->table, id);
    cap_table_free(&worker->table);
    return NULL;
}

static void round_run(unsigned round)
{
    grant_tree_init(&tree);
    atomic_store_release_u64(&marked, 0);
    atomic_store_release_u64(&started, 0);
    for (unsigned i = 0; i < DEPTH; i++) {
        chain[i] = node_make(i == 0 ? NULL : chain[i - 1]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.uses = 0};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    while (atomic_load_acquire_u64(&started) < THREADS) {
    }
    assert_true(grant_revoke(chain[round % DEPTH]));
    atomic_store_release_u64(&marked, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].escapes, 0);
    }
    for (unsigned i = 0; i < DEPTH; i++) {
        grant_unref(chain[i], node_free);
    }
    assert_int_equal(nodes_out, 0);
    assert_int_equal(tree.nodes, 0);
}

static void test_nothing_escapes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        round_run(round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
