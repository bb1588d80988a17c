/* SPDX-License-Identifier: MIT */
/*
 * What a revocation costs however much hangs below it, and what delegation costs a lookup; each as
 * a ratio of two times of this run, shortest of many rounds. Machine-independent enough to be
 * judged.
 *
 *   revoke_mark:      the mark with 100,000 edges below, over the mark with one
 *   revoke_step:      one step of the search through tables with 100,000 edges, which do not fit
 *                     into the processor's caches, over one with 1,000, which do
 *   lookup_delegated: a lookup of a delegated edge, over one of an edge that was never delegated
 *   lookup_walk:      the first lookup after a revoke elsewhere at GRANT_DEPTH_MAX, over the next
 */
#include <string.h>

#include "bench/host_bench.h"
#include "core/cap_table.h"
#include "tests/host/slot_pages.h"

enum {
    TABLE_EDGES = 700,
    TABLES = 143, /* 100,100 edges */
    ROUNDS = 41,
    LOOKUPS = 20000,
    STEP_SLOTS = 64,
};

static struct cap_table *tables;
static int object;

static void node_free(struct grant_node *node)
{
    (void)node;
}

/* `count` edges of `node`, in as many tables as it takes; the last one's id. */
static struct cap_id fill(struct grant_node *node, unsigned count)
{
    struct hold_edge edge = {.object = &object,
                             .interface_id = 7,
                             .facet = CAP_FACET_ALL,
                             .grant = node,
                             .epoch = node == NULL ? 0 : node->tree->epoch};
    struct cap_id id = {0};

    for (unsigned i = 0; i < count; i++) {
        grant_ref(node);
        check(cap_table_insert(&tables[i / TABLE_EDGES], &edge, NULL, &id) == TRANSPORT_OK);
    }
    return id;
}

static void empty(void)
{
    for (unsigned i = 0; i < TABLES; i++) {
        struct hold_edge edge;
        uint32_t cursor = 0;

        while (cap_table_remove_next(&tables[i], &cursor, &edge)) {
            grant_unref(edge.grant, node_free);
        }
        cap_table_free(&tables[i]);
    }
}

static double shortest(double found, double time)
{
    return time < found ? time : found;
}

/* The longest chain of delegations there may be. */
static void chain_make(struct grant_tree *tree, struct grant_node *chain)
{
    grant_tree_init(tree);
    for (unsigned i = 0; i < GRANT_DEPTH_MAX; i++) {
        check(grant_delegate(tree, i == 0 ? NULL : &chain[i - 1], &chain[i]) == TRANSPORT_OK);
    }
}

struct times {
    double mark;
    double step;
};

/* The mean mark of a chain of nodes, all of them above the same edges, and the mean step of a
 * search of all tables. */
static struct times revoke(unsigned count)
{
    struct times best = {1e18, 1e18};
    struct grant_tree tree;
    unsigned rounds = count > 10000 ? ROUNDS / 4 : ROUNDS;

    for (unsigned round = 0; round < rounds; round++) {
        struct grant_node chain[GRANT_DEPTH_MAX];
        unsigned steps = 0;
        double begin;

        chain_make(&tree, chain);
        (void)fill(&chain[GRANT_DEPTH_MAX - 1], count);
        /* The filling swept the caches; it is the marks that are measured, not that. */
        for (unsigned i = 0; i < LOOKUPS / 10; i++) {
            check(grant_walk(&chain[GRANT_DEPTH_MAX - 1]) && now_ns() > 0);
        }
        begin = now_ns();
        for (unsigned i = GRANT_DEPTH_MAX; i-- > 0;) {
            (void)grant_revoke(&chain[i]);
        }
        best.mark = shortest(best.mark, (now_ns() - begin) / GRANT_DEPTH_MAX);
        begin = now_ns();
        for (unsigned i = 0; i <= (count - 1) / TABLE_EDGES; i++) {
            uint32_t cursor = 0;
            struct hold_edge edge;
            bool found;

            while (cap_table_bury_next(&tables[i], &cursor, STEP_SLOTS, &chain[0], &edge, &found)) {
                grant_unref(found ? edge.grant : NULL, node_free);
                steps++;
            }
        }
        best.step = shortest(best.step, (now_ns() - begin) / steps);
        empty();
    }
    return best;
}

static double lookups(struct cap_id id, unsigned count)
{
    double begin = now_ns();
    const struct hold_edge *edge;

    for (unsigned i = 0; i < count; i++) {
        check(cap_table_lookup(&tables[0], id, &edge) == TRANSPORT_OK);
    }
    return (now_ns() - begin) / count;
}

/* Lookups of an edge at the end of the longest chain, of a plain one, and each right after a revoke
 * of a sibling. */
static void lookup_times(double *plain, double *delegated, double *walk)
{
    struct grant_node chain[GRANT_DEPTH_MAX];
    struct grant_tree tree;
    struct cap_id plain_id;
    struct cap_id id;

    chain_make(&tree, chain);
    plain_id = fill(NULL, 1);
    id = fill(&chain[GRANT_DEPTH_MAX - 1], 1);
    *plain = *delegated = *walk = 1e18;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double begin;

        *plain = shortest(*plain, lookups(plain_id, LOOKUPS));
        *delegated = shortest(*delegated, lookups(id, LOOKUPS));
        begin = now_ns();
        for (unsigned i = 0; i < LOOKUPS; i++) {
            const struct hold_edge *edge;

            tree.epoch++; /* as a revoke of a sibling does */
            check(cap_table_lookup(&tables[0], id, &edge) == TRANSPORT_OK);
        }
        *walk = shortest(*walk, (now_ns() - begin) / LOOKUPS);
    }
    empty();
}

int main(void)
{
    struct times one;
    struct times thousand;
    struct times many;
    double plain;
    double delegated;
    double walk;

    tables = calloc(TABLES, sizeof(*tables));
    check(tables != NULL);
    for (unsigned i = 0; i < TABLES; i++) {
        cap_table_init(&tables[i], LIMIT_TABLE_SLOTS, slot_memory(NULL));
    }
    one = revoke(1);
    thousand = revoke(1000);
    many = revoke(TABLES * TABLE_EDGES);
    lookup_times(&plain, &delegated, &walk);
    printf("bench: revoke_mark %.2f ratio\n", many.mark / one.mark);
    printf("bench: revoke_step %.2f ratio\n", many.step / thousand.step);
    printf("bench: lookup_delegated %.2f ratio\n", delegated / plain);
    printf("bench: lookup_walk %.2f ratio\n", walk / delegated);
    free(tables);
    return 0;
}
