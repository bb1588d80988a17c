/* SPDX-License-Identifier: MIT */
/* What every id must answer, by a list of all that were ever given out. */
#include "fuzz/grants/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model model;
struct object objects[OBJECTS];
struct cap_table tables[TABLES];
struct transfer_item items[ITEMS];
struct transfer_pool pool;
bool starving;
static uint64_t nodes_out, pages_out;

void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "grants: %s\n", what);
        abort();
    }
}

/* ---- memory and references ------------------------------------------------------------------- */

static void *page_alloc(void *context)
{
    void *page = starving ? NULL : calloc(CAP_TABLE_PAGE_SLOTS, sizeof(struct cap_slot));

    (void)context;
    pages_out += page != NULL;
    return page;
}

static void page_free(void *context, void *page)
{
    (void)context;
    pages_out--;
    free(page);
}

void node_made(void)
{
    nodes_out++;
}

void node_free(struct grant_node *node)
{
    nodes_out--;
    free(node);
}

void edge_take(const struct hold_edge *edge)
{
    ((struct object *)edge->object)->references++;
    grant_ref(edge->grant);
}

void edge_give(const struct hold_edge *edge)
{
    if (edge->object != NULL) {
        ((struct object *)edge->object)->references--;
        grant_unref(edge->grant, node_free);
    }
}

/* ---- the model's answers --------------------------------------------------------------------- */

bool is_alive(const struct given *given)
{
    return (given->through & model.revoked) == 0;
}

enum transport_error answer_for(const struct given *given)
{
    if (given->place != HELD) {
        return TRANSPORT_STALE_CAP;
    }
    return given->buried || !is_alive(given) ? TRANSPORT_REVOKED : TRANSPORT_OK;
}

uint32_t used(unsigned table)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < model.given_count; i++) {
        count += model.given[i].table == table && model.given[i].place != GONE;
    }
    return count;
}

bool has_room(unsigned table, uint32_t count)
{
    return used(table) + model.reserved[table] + count <= model.quota[table];
}

struct given *at_slot(unsigned table, uint32_t slot)
{
    for (unsigned i = 0; i < model.given_count; i++) {
        struct given *given = &model.given[i];

        if (given->table == table && given->place != GONE && cap_id_slot(given->id) == slot) {
            return given;
        }
    }
    return NULL;
}

bool was_used(unsigned table, uint32_t slot)
{
    for (unsigned i = 0; i < model.given_count; i++) {
        if (model.given[i].table == table && cap_id_slot(model.given[i].id) == slot) {
            return true;
        }
    }
    return false;
}

void give_out(unsigned table, struct cap_id id, const struct given *what)
{
    struct given *given = &model.given[model.given_count];

    demand(at_slot(table, cap_id_slot(id)) == NULL, "an edge was put where another one is");
    for (unsigned i = 0; i < model.given_count; i++) {
        demand(model.given[i].table != table || model.given[i].id.raw != id.raw,
               "an id was given out twice");
    }
    *given = *what;
    given->id = id;
    given->table = table;
    given->place = HELD;
    given->buried = false;
    if (cap_id_slot(id) <
        CAP_TABLE_WINDOW) { /* a descriptor goes one hop, and what is made of it */
        given->grantable = 0;
    }
    model.given_count++;
}

void edge_compare(const struct given *given, const struct hold_edge *edge)
{
    demand(edge->object == &objects[given->object] && edge->interface_id == INTERFACE &&
               edge->facet == given->facet && edge->badge == given->badge &&
               edge->mode == given->mode && edge->grantable == given->grantable,
           "an edge is not what was given");
    demand(edge->grant ==
               (given->youngest == NOBODY ? NULL : model.delegation[given->youngest].node),
           "an edge names another delegation");
}

static void table_compare(unsigned table)
{
    struct cap_entry entry;
    uint32_t cursor = 0;
    uint32_t count = 0;
    uint32_t held = 0;
    bool found;

    demand(cap_table_check(&tables[table]) == 0, "a table breaks an invariant");
    while (cap_table_next(&tables[table], &cursor, 7, &entry, &found)) {
        struct given *given = found ? at_slot(table, cap_id_slot(entry.id)) : NULL;

        count += found;
        demand(!found || (given != NULL && given->id.raw == entry.id.raw &&
                          entry.revoked == (given->buried || !is_alive(given))),
               "the table tells of an edge that nobody gave it");
    }
    for (unsigned i = 0; i < model.given_count; i++) {
        const struct given *given = &model.given[i];
        const struct hold_edge *edge;

        if (given->table != table) {
            continue;
        }
        held += given->place != GONE; /* those on the move are told of too */
        demand(cap_table_lookup(&tables[table], given->id, &edge) == answer_for(given),
               "an id does not answer as it should");
        if (edge != NULL) {
            edge_compare(given, edge);
        }
    }
    demand(count == held, "the table hides an edge");
}

void model_compare(void)
{
    for (unsigned i = 0; i < TABLES; i++) {
        table_compare(i);
    }
    for (unsigned i = 0; i < model.delegation_count; i++) {
        const struct delegation *delegation = &model.delegation[i];

        if (delegation->handle) {
            demand(grant_check(delegation->node) == 0, "a delegation breaks an invariant");
        }
    }
    for (unsigned i = 0; i < BUNDLES; i++) {
        if (model.bundle[i].under_way) {
            demand(transfer_check(&tables[model.bundle[i].from], &model.bundle[i].bundle) == 0,
                   "a transfer breaks an invariant");
        }
    }
}

/* ---- begin and end --------------------------------------------------------------------------- */

void model_begin(void)
{
    struct cap_table_memory memory = {.page_alloc = page_alloc, .page_free = page_free};

    memset(&model, 0, sizeof(model));
    model.sweep = NOBODY;
    model.free_items = ITEMS;
    starving = false;
    transfer_pool_init(&pool, items, ITEMS);
    for (unsigned i = 0; i < TABLES; i++) {
        model.quota[i] = QUOTA;
        cap_table_init(&tables[i], QUOTA, memory);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        objects[i].references = 0;
        grant_tree_init(&objects[i].tree);
    }
}

void model_end(void)
{
    for (unsigned i = 0; i < TABLES; i++) {
        uint32_t cursor = 0;
        struct hold_edge edge;

        while (cap_table_remove_next(&tables[i], &cursor, &edge)) {
            edge_give(&edge);
        }
        demand(cap_table_check(&tables[i]) == 0 && tables[i].used == 0, "an empty table is not");
        cap_table_free(&tables[i]);
    }
    for (unsigned i = 0; i < model.delegation_count; i++) {
        if (model.delegation[i].handle) {
            grant_unref(model.delegation[i].node, node_free);
        }
    }
    demand(nodes_out == 0, "a delegation was not given back");
    demand(pages_out == 0, "a page was not given back");
    demand(objects[0].references == 0 && objects[1].references == 0,
           "a reference was not given back");
    demand(objects[0].tree.nodes == 0 && objects[1].tree.nodes == 0, "a tree has nodes left");
}
