/* SPDX-License-Identifier: MIT */
/*
 * Capability tables and grants against a model that knows neither slots' states nor trees: it keeps
 * every id ever given out, what it was given for, and the list of delegations that each edge came
 * through. An edge is alive if none of these was revoked; where the next edge goes it predicts from
 * a queue of slots that became free. Three tables and two objects; copies, moves that are committed
 * or cancelled, duplicates, delegations, revocations with and without the sweep, handles dropped,
 * memory that runs out. cap_table_tiny_test.c runs the same with tables of a few slots.
 */
#include "tests/host/support.h"

#include "core/cap_table.h"
#include "tests/host/slot_pages.h"

enum {
    TABLES = 3,
    OBJECTS = 2,
    EDGES = 6000,
    DELEGATIONS = 1500,
    STEPS = 30000,
    SLOTS = LIMIT_TABLE_SLOTS,
    WINDOW = LIMIT_DESCRIPTORS,
    QUOTA = SLOTS - 1 < 300 ? SLOTS - 1 : 300,
};

/* ---- the model ------------------------------------------------------------------------------- */

enum place {
    GONE,
    HELD,
    MOVING,
};

struct model_edge {
    enum place place;
    bool buried;
    unsigned table;
    unsigned object;
    struct cap_id id;
    uint64_t facet;
    uint64_t badge;
    uint8_t mode;
    uint8_t grantable;
    unsigned lineage_count;
    unsigned lineage[LIMIT_GRANT_DEPTH + 1]; /* delegations it came through */
};

struct model_delegation {
    bool handle;
    bool revoked;
    unsigned object;
    struct grant_node *node; /* the handle's reference */
};

struct model_table {
    bool used[SLOTS];
    uint64_t generation[SLOTS]; /* of the next edge, or of the one there */
    unsigned queue[EDGES];      /* slots above the window, in the order in which they became free */
    unsigned first, last;
    unsigned fresh;
    unsigned count;
};

static struct model_edge edges[EDGES];
static unsigned edge_count;
static struct model_delegation delegations[DELEGATIONS];
static unsigned delegation_count;
static struct model_table models[TABLES];

/* ---- what is tested -------------------------------------------------------------------------- */

struct subject {
    struct grant_tree tree;
    uint64_t references;
};

static struct cap_table tables[TABLES];
static struct subject objects[OBJECTS];
static struct slot_pages supply;
static uint64_t nodes_out;
static struct test_random random_source;

static void node_free(struct grant_node *node)
{
    nodes_out--;
    free(node);
}

static void edge_take(const struct hold_edge *edge)
{
    ((struct subject *)edge->object)->references++;
    grant_ref(edge->grant);
}

static void edge_give(const struct hold_edge *edge)
{
    if (edge->object != NULL) {
        ((struct subject *)edge->object)->references--;
        grant_unref(edge->grant, node_free);
    }
}

static uint64_t pick(uint64_t bound)
{
    return test_random_below(&random_source, bound);
}

static void setup(unsigned pages)
{
    memset(models, 0, sizeof(models));
    edge_count = 0;
    delegation_count = 0;
    supply.left = pages;
    for (unsigned i = 0; i < TABLES; i++) {
        cap_table_init(&tables[i], QUOTA, slot_memory(&supply));
        models[i].fresh = WINDOW;
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            models[i].generation[slot] = 1;
        }
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        grant_tree_init(&objects[i].tree);
        objects[i].references = 1;
    }
}

static bool edge_is_alive(const struct model_edge *edge)
{
    for (unsigned i = 0; i < edge->lineage_count; i++) {
        if (delegations[edge->lineage[i]].revoked) {
            return false;
        }
    }
    return true;
}

static enum transport_error expected_lookup(const struct model_edge *edge)
{
    if (edge->place != HELD) {
        return TRANSPORT_STALE_CAP;
    }
    return edge_is_alive(edge) ? TRANSPORT_OK : TRANSPORT_REVOKED;
}

static void compare(const struct model_edge *expected)
{
    struct cap_table *table = &tables[expected->table];
    const struct hold_edge *found = NULL;
    struct cap_id id;

    assert_int_equal(cap_table_lookup(table, expected->id, &found), expected_lookup(expected));
    if (found != NULL) {
        assert_ptr_equal(found->object, &objects[expected->object]);
        assert_int_equal(found->facet, expected->facet);
        assert_int_equal(found->badge, expected->badge);
        assert_int_equal(found->mode, expected->mode);
        assert_int_equal(found->grantable, expected->grantable);
        assert_int_equal(cap_table_token(table, cap_id_slot(expected->id), 7, &id), TRANSPORT_OK);
        assert_int_equal(id.raw, expected->id.raw);
    } else if (expected->place == HELD) {
        assert_int_equal(cap_table_token(table, cap_id_slot(expected->id), 7, &id),
                         TRANSPORT_REVOKED);
    }
}

/* A slot was left by its edge. */
static void model_vacate(struct model_edge *edge)
{
    struct model_table *model = &models[edge->table];
    unsigned slot = cap_id_slot(edge->id);

    edge->place = GONE;
    model->used[slot] = false;
    model->generation[slot]++;
    model->count--;
    if (slot >= WINDOW) {
        model->queue[model->last++ % EDGES] = slot;
    }
}

/* Takes `slot` out of the queue wherever it is; false: it is not there. */
static bool queue_take(struct model_table *model, unsigned slot)
{
    for (unsigned i = model->first; i < model->last; i++) {
        if (model->queue[i % EDGES] == slot) {
            for (unsigned k = i; k > model->first; k--) {
                model->queue[k % EDGES] = model->queue[(k - 1) % EDGES];
            }
            model->first++;
            return true;
        }
    }
    return false;
}

enum where {
    ANYWHERE,
    IN_WINDOW,
    EXACTLY,
};

/* The slot where the next edge goes; SLOTS: it is refused with *error. */
static unsigned model_slot(struct model_table *model, enum where where, unsigned exact,
                           enum transport_error *error)
{
    unsigned slot = SLOTS;

    *error = TRANSPORT_LIMIT;
    if (where == EXACTLY) {
        bool reachable = exact < SLOTS && (exact < WINDOW || exact < model->fresh);

        if (!reachable || model->used[exact]) {
            *error = TRANSPORT_SLOT_IN_USE;
        } else if (model->count < QUOTA && (exact < WINDOW || queue_take(model, exact))) {
            slot = exact;
        }
    } else if (model->count == QUOTA) {
        return SLOTS;
    } else if (where == IN_WINDOW) {
        for (slot = 0; slot < WINDOW && model->used[slot]; slot++) {
        }
        slot = slot == WINDOW ? SLOTS : slot;
    } else if (model->first != model->last) {
        slot = model->queue[model->first++ % EDGES];
    } else if (model->fresh < SLOTS) {
        slot = model->fresh++;
    }
    return slot;
}

/* Inserts `edge`, whose references are given back when it is refused, and compares where it went.
 */
static bool insert(unsigned at, enum where where, const struct hold_edge *edge,
                   const struct model_edge *like)
{
    struct cap_table *table = &tables[at];
    struct model_table *model = &models[at];
    unsigned exact = (unsigned)pick(SLOTS + 2);
    struct cap_id id = {0};
    enum transport_error error;
    enum transport_error expected;
    struct model_table before = *model;
    unsigned slot = model_slot(model, where, exact, &expected);

    error = where == EXACTLY     ? cap_table_insert_at(table, exact, edge, NULL, &id)
            : where == IN_WINDOW ? cap_table_insert_window(table, edge, NULL, &id)
                                 : cap_table_insert(table, edge, NULL, &id);
    if (slot == SLOTS || error == TRANSPORT_NO_MEMORY) {
        if (error == TRANSPORT_NO_MEMORY) {
            assert_true(supply.left < 2);
            *model = before;
        } else {
            assert_int_equal(error, expected);
        }
        edge_give(edge);
        return false;
    }
    assert_int_equal(error, TRANSPORT_OK);
    assert_int_equal(cap_id_slot(id), slot);
    assert_int_equal(cap_id_generation(id), model->generation[slot]);
    model->used[slot] = true;
    model->count++;
    edges[edge_count] = *like;
    edges[edge_count].table = at;
    edges[edge_count].id = id;
    edges[edge_count].place = HELD;
    edges[edge_count].buried = false;
    if (slot < WINDOW) {
        edges[edge_count].grantable = 0; /* a descriptor goes one hop */
    }
    edge_count++;
    return true;
}

static enum where where_any(void)
{
    return pick(10) == 0 ? EXACTLY : pick(4) == 0 ? IN_WINDOW : ANYWHERE;
}

/* ---- the operations -------------------------------------------------------------------------- */

static void step_mint(void)
{
    struct model_edge like = {.object = (unsigned)pick(OBJECTS),
                              .facet = test_random_u64(&random_source),
                              .badge = pick(100),
                              .mode = (uint8_t)pick(3),
                              .grantable = (uint8_t)pick(2)};
    struct hold_edge edge = {.object = &objects[like.object],
                             .interface_id = 7,
                             .facet = like.facet,
                             .badge = like.badge,
                             .mode = like.mode,
                             .grantable = like.grantable};

    edge_take(&edge);
    (void)insert((unsigned)pick(TABLES), where_any(), &edge, &like);
}

/* The edge behind `source` if it is held and alive, checked against the model either way. */
static bool source_find(const struct model_edge *source, struct hold_edge *edge)
{
    const struct hold_edge *found;
    enum transport_error error = cap_table_lookup(&tables[source->table], source->id, &found);

    assert_int_equal(error, expected_lookup(source));
    if (error == TRANSPORT_OK) {
        *edge = *found;
    }
    return error == TRANSPORT_OK;
}

static void step_duplicate(struct model_edge *source)
{
    struct model_edge like = *source;
    struct hold_edge from;
    struct hold_edge edge;
    bool wider;

    if (!source_find(source, &from)) {
        return;
    }
    like.facet = pick(2) == 0 ? source->facet & test_random_u64(&random_source)
                              : test_random_u64(&random_source);
    wider = (like.facet & ~source->facet) != 0;
    assert_int_equal(hold_edge_duplicate(&from, like.facet, &edge),
                     wider ? TRANSPORT_NO_METHOD : TRANSPORT_OK);
    if (!wider) {
        edge_take(&edge);
        (void)insert(source->table, where_any(), &edge, &like);
    }
}

static void step_pass(struct model_edge *source)
{
    struct edge_passing passing = {
        .facet = source->facet, .leaving = pick(2) == 0, .keep_grant = pick(2) == 0};
    struct model_edge like = *source;
    struct hold_edge from;
    struct hold_edge edge;
    bool allowed =
        source->mode == EDGE_MODE_COPY || (source->mode == EDGE_MODE_MOVE && passing.leaving);

    if (!source_find(source, &from)) {
        return;
    }
    allowed = allowed && (!passing.keep_grant || source->grantable == 1);
    assert_int_equal(hold_edge_pass(&from, &passing, &edge),
                     allowed ? TRANSPORT_OK : TRANSPORT_NOT_GRANTABLE);
    if (!allowed) {
        return;
    }
    if (!passing.keep_grant) {
        like.mode = EDGE_MODE_NONE;
        like.grantable = 0;
    }
    if (!passing.leaving) {
        edge_take(&edge);
        (void)insert((unsigned)pick(TABLES), ANYWHERE, &edge, &like);
        return;
    }
    assert_int_equal(cap_table_move_begin(&tables[source->table], source->id, &from), TRANSPORT_OK);
    source->place = MOVING;
}

/* The other half of a move, some steps later: arrives, or comes back. */
static void step_move_end(struct model_edge *source)
{
    struct hold_edge edge;
    struct model_edge like = *source;

    if (source->place != MOVING) {
        return;
    }
    if (pick(3) == 0) {
        cap_table_move_cancel(&tables[source->table], source->id);
        source->place = HELD;
        return;
    }
    cap_table_move_commit(&tables[source->table], source->id, &edge);
    model_vacate(source);
    if (source->buried) {
        assert_null(edge.object);
    } else {
        assert_ptr_equal(edge.object, &objects[source->object]);
        (void)insert((unsigned)pick(TABLES), ANYWHERE, &edge, &like);
    }
}

/* The place in the edge's lineage of the youngest delegation that still has a handle, plus one; 0:
 * there is none. A new delegation hangs below that one. */
static unsigned parent_place(const struct model_edge *edge)
{
    unsigned place = edge->lineage_count;

    while (place > 0 && !delegations[edge->lineage[place - 1]].handle) {
        place--;
    }
    return place;
}

static void step_delegate(struct model_edge *source)
{
    struct model_edge like = *source;
    unsigned place = parent_place(source);
    struct grant_node *node;
    struct hold_edge edge;
    enum transport_error error;

    if (delegation_count == DELEGATIONS || !source_find(source, &edge)) {
        return;
    }
    node = calloc(1, sizeof(*node));
    error = grant_delegate(&objects[source->object].tree, edge.grant, node);
    if (place == LIMIT_GRANT_DEPTH) {
        assert_int_equal(error, TRANSPORT_LIMIT);
        free(node);
        return;
    }
    assert_int_equal(error, TRANSPORT_OK);
    assert_int_equal(node->depth, place + 1);
    nodes_out++;
    delegations[delegation_count] =
        (struct model_delegation){.handle = true, .object = source->object, .node = node};
    like.lineage[place] = delegation_count++;
    like.lineage_count = place + 1;
    if (edge.grant == NULL) {
        edge.epoch = node->tree->epoch;
    }
    edge.grant = node;
    edge_take(&edge);
    (void)insert(source->table, ANYWHERE, &edge, &like);
}

/* The sweep of a revocation over all tables, in stretches. */
static void sweep(unsigned revoked)
{
    for (unsigned i = 0; i < TABLES; i++) {
        uint32_t cursor = 0;
        struct hold_edge edge;
        bool found;

        while (cap_table_bury_next(&tables[i], &cursor, 1 + (uint32_t)pick(40),
                                   delegations[revoked].node, &edge, &found)) {
            if (found) {
                edge_give(&edge);
            }
        }
    }
    for (unsigned i = 0; i < edge_count; i++) {
        for (unsigned k = 0; k < edges[i].lineage_count; k++) {
            edges[i].buried |= edges[i].place != GONE && edges[i].lineage[k] == revoked;
        }
    }
}

static void step_revoke(unsigned which)
{
    struct model_delegation *delegation = &delegations[which];

    if (!delegation->handle) {
        return;
    }
    assert_int_equal(grant_revoke(delegation->node), !delegation->revoked);
    delegation->revoked = true;
    if (pick(2) == 0) {
        sweep(which);
    }
}

static void step_handle_drop(unsigned which)
{
    struct model_delegation *delegation = &delegations[which];

    if (delegation->handle) {
        grant_splice(delegation->node);
        grant_unref(delegation->node, node_free);
        delegation->handle = false;
    }
}

static void step_remove(struct model_edge *edge)
{
    struct hold_edge out;
    enum transport_error error = cap_table_remove(&tables[edge->table], edge->id, &out);

    assert_int_equal(error, edge->place == HELD ? TRANSPORT_OK : TRANSPORT_STALE_CAP);
    if (error == TRANSPORT_OK) {
        assert_int_equal(out.object == NULL, edge->buried);
        edge_give(&out);
        model_vacate(edge);
    }
}

static void check_all(void)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < TABLES; i++) {
        assert_int_equal(cap_table_check(&tables[i]), 0);
        assert_int_equal(tables[i].used, models[i].count);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        nodes += objects[i].tree.nodes;
    }
    assert_int_equal(nodes, nodes_out);
}

/* Everything that is held, in order, each once; and nothing else. */
static void walk_compare(unsigned at)
{
    unsigned seen = 0;
    uint32_t cursor = 0;
    uint32_t last = 0;
    struct cap_entry entry;
    bool found;

    while (cap_table_next(&tables[at], &cursor, 1 + (uint32_t)pick(50), &entry, &found)) {
        if (found) {
            assert_true(seen == 0 || cap_id_slot(entry.id) > last);
            last = cap_id_slot(entry.id);
            assert_true(models[at].used[last]);
            seen++;
        }
    }
    assert_int_equal(seen, models[at].count);
}

static void end_all(void)
{
    for (unsigned i = 0; i < edge_count; i++) {
        compare(&edges[i]);
    }
    for (unsigned i = 0; i < edge_count; i++) {
        if (edges[i].place == MOVING) {
            cap_table_move_cancel(&tables[edges[i].table], edges[i].id);
        }
    }
    for (unsigned i = 0; i < delegation_count; i++) {
        step_handle_drop(i);
    }
    for (unsigned i = 0; i < TABLES; i++) {
        struct hold_edge edge;
        uint32_t cursor = 0;

        while (cap_table_remove_next(&tables[i], &cursor, &edge)) {
            edge_give(&edge);
        }
        cap_table_free(&tables[i]);
    }
    assert_int_equal(supply.out, 0);
    assert_int_equal(nodes_out, 0);
    for (unsigned i = 0; i < OBJECTS; i++) {
        assert_int_equal(objects[i].references, 1);
        assert_int_equal(objects[i].tree.nodes, 0);
    }
}

static void step(void)
{
    struct model_edge *edge =
        edge_count == 0 ? NULL : &edges[edge_count - 1 - pick(edge_count < 400 ? edge_count : 400)];
    unsigned which = delegation_count == 0 ? 0 : (unsigned)pick(delegation_count);

    if (edge == NULL || pick(100) < 15) {
        step_mint();
        return;
    }
    switch (pick(12)) {
    case 0:
    case 1:
        step_duplicate(edge);
        break;
    case 2:
    case 3:
        step_pass(edge);
        break;
    case 4:
    case 5:
        step_move_end(edge);
        break;
    case 6:
    case 7:
        step_delegate(edge);
        break;
    case 8:
        if (delegation_count > 0 && pick(4) == 0) {
            step_revoke(which);
        }
        break;
    case 9:
        if (delegation_count > 0) {
            step_handle_drop(which);
        }
        break;
    default:
        step_remove(edge);
        break;
    }
}

static void run(uint64_t seed, unsigned pages)
{
    test_random_init(&random_source, seed);
    setup(pages);
    for (unsigned i = 0; i < STEPS && edge_count < EDGES - 1; i++) {
        step();
        if (i % 16 == 0 || SLOTS < 100) {
            check_all();
        }
        for (unsigned k = 0; k < 4 && edge_count > 0; k++) {
            compare(&edges[pick(edge_count)]);
        }
        if (i % 256 == 0) {
            walk_compare(i / 256 % TABLES);
        }
    }
    end_all();
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run(seed, 1000);
    }
}

/* covers: DUP/NO_MEMORY, TRANSFER/NO_MEMORY, DELEGATE/NO_MEMORY, CALL/NO_MEMORY, RECV/NO_MEMORY */
/* The same with memory for 0, 1, 2, ... pages only: a refusal changes nothing. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    for (unsigned pages = 0; pages < 14; pages++) {
        run(100 + pages, pages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
