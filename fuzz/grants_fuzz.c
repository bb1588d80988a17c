/* SPDX-License-Identifier: MIT */
/*
 * Tables, delegations and transfers against a model. An input is a list of moves: make an edge,
 * duplicate, delegate, release, revoke (the mark, and the sweep a few slots at a time), drop a
 * handle, begin a transfer of some edges, let it arrive or come back, hand an edge on, reserve,
 * change a quota, run out of memory.
 *
 * The model knows no slots, lists or trees. It remembers every id that was ever given out with what
 * it was given for, and of each edge the set of delegations it came through, as bits of a word. An
 * edge is dead if that set meets the set of those revoked. After each move every id of every table
 * must answer as the model says, the tables must hold what it says and nothing else, and every
 * x_check() must hold; at the end every reference and every page must have come back.
 */
#include <stdlib.h>

#include "fuzz/grants/model.h"

static void drops_give(const struct transfer_drops *drops)
{
    for (uint32_t i = 0; i < drops->count; i++) {
        edge_give(&drops->edge[i]);
    }
}

/* ---- moves ----------------------------------------------------------------------------------- */

/* One of the ids that were given out; NULL: there is none. */
static struct given *given_draw(struct dice *dice)
{
    uint64_t choice = dice_word(dice, 1);

    if (model.given_count == 0) {
        return NULL;
    }
    return &model.given[(choice & 0x80) != 0
                            ? (model.given_count - 1 - (choice & 0x7f) % model.given_count)
                            : choice % model.given_count];
}

/* The edge of an id that must answer; NULL: it answers an error, the right one. */
static const struct hold_edge *edge_of(const struct given *given)
{
    const struct hold_edge *edge;

    demand(cap_table_lookup(&tables[given->table], given->id, &edge) == answer_for(given),
           "an id does not answer as it should");
    return edge;
}

/* Puts an edge into a table in one of three ways; takes references when that works. */
static void insert(unsigned table, const struct hold_edge *edge, const struct given *what,
                   struct dice *dice)
{
    uint64_t way = dice_word(dice, 1);
    uint32_t slot = (uint32_t)(way >> 2) * 5;
    struct cap_id id = {0};
    enum transport_error error;
    bool in_use = false;

    if ((way & 3) == 0) {
        error = cap_table_insert_window(&tables[table], edge, NULL, &id);
        demand(error != TRANSPORT_OK || cap_id_slot(id) < CAP_TABLE_WINDOW, "not in the window");
    } else if ((way & 3) == 1) {
        in_use = at_slot(table, slot) != NULL || slot >= LIMIT_TABLE_SLOTS ||
                 (slot >= CAP_TABLE_WINDOW && !was_used(table, slot));
        error = cap_table_insert_at(&tables[table], slot, edge, NULL, &id);
        demand((error == TRANSPORT_SLOT_IN_USE) == in_use, "a slot in use, or not");
        demand(error != TRANSPORT_OK || cap_id_slot(id) == slot, "not in the slot asked for");
    } else {
        error = cap_table_insert(&tables[table], edge, NULL, &id);
        demand(error != TRANSPORT_OK || cap_id_slot(id) >= CAP_TABLE_WINDOW, "in the window");
    }
    demand(in_use || (error == TRANSPORT_LIMIT) == !has_room(table, 1), "the quota is not kept");
    demand(error != TRANSPORT_NO_MEMORY || starving, "memory ran out where there is some");
    if (error == TRANSPORT_OK) {
        edge_take(edge);
        give_out(table, id, what);
    }
}

static void move_make(struct dice *dice)
{
    static const uint64_t facets[] = {CAP_FACET_ALL, 7, 3};
    uint64_t how = dice_word(dice, 1);
    struct given what = {.object = how & 1,
                         .facet = facets[(how >> 1 & 3) % ARRAY_COUNT(facets)],
                         .badge = how >> 3 & 3,
                         .mode = (uint8_t)((how >> 5 & 3) % 3),
                         .grantable = (uint8_t)(how >> 7),
                         .youngest = NOBODY};
    struct hold_edge edge = {.object = &objects[what.object],
                             .interface_id = INTERFACE,
                             .facet = what.facet,
                             .badge = what.badge,
                             .mode = what.mode,
                             .grantable = what.grantable};

    insert((unsigned)dice_below(dice, TABLES), &edge, &what, dice);
}

static void move_duplicate(struct dice *dice)
{
    static const uint64_t facets[] = {CAP_FACET_ALL, 7, 1, 8};
    const struct given *given = given_draw(dice);
    uint64_t facet = facets[dice_word(dice, 1) % ARRAY_COUNT(facets)];
    const struct hold_edge *edge = given == NULL ? NULL : edge_of(given);
    struct hold_edge to;
    struct given what;
    enum transport_error error;

    if (edge == NULL) {
        return;
    }
    what = *given;
    error = hold_edge_duplicate(edge, facet, &to);
    demand((error == TRANSPORT_OK) == (facet == CAP_FACET_ALL || (facet & ~given->facet) == 0),
           "a duplicate is wider than its source, or a good one is refused");
    if (error == TRANSPORT_OK) {
        what.facet = facet == CAP_FACET_ALL ? given->facet : facet;
        insert(given->table, &to, &what, dice);
    }
}

/* The youngest delegation from `index` upwards that has a handle or was revoked. */
static unsigned revocable(unsigned index)
{
    while (index != NOBODY && !model.delegation[index].handle &&
           (model.revoked >> index & 1) == 0) {
        index = model.delegation[index].parent;
    }
    return index;
}

static void move_delegate(struct dice *dice)
{
    const struct given *given = given_draw(dice);
    const struct hold_edge *edge = given == NULL ? NULL : edge_of(given);
    struct delegation *delegation = &model.delegation[model.delegation_count];
    struct hold_edge delegated;
    struct given what;
    enum transport_error error;
    unsigned parent;

    if (edge == NULL || model.delegation_count == DELEGATIONS) {
        return;
    }
    parent = revocable(given->youngest);
    *delegation =
        (struct delegation){.node = malloc(sizeof(struct grant_node)),
                            .parent = parent,
                            .depth = parent == NOBODY ? 1 : model.delegation[parent].depth + 1,
                            .object = given->object,
                            .handle = true};
    demand(delegation->node != NULL, "no memory for the fuzzer");
    error = grant_delegate(&objects[given->object].tree, edge->grant, delegation->node);
    demand((error == TRANSPORT_LIMIT) == (delegation->depth > GRANT_DEPTH_MAX),
           "a delegation too deep, or not");
    if (error != TRANSPORT_OK) {
        free(delegation->node);
        return;
    }
    node_made();
    what = *given;
    what.youngest = model.delegation_count++;
    what.through |= UINT64_C(1) << what.youngest;
    delegated = *edge;
    delegated.grant = delegation->node;
    insert(given->table, &delegated, &what, dice);
}

static struct delegation *delegation_draw(struct dice *dice, unsigned *index)
{
    if (model.delegation_count == 0) {
        return NULL;
    }
    *index = (unsigned)dice_below(dice, model.delegation_count);
    return model.delegation[*index].handle ? &model.delegation[*index] : NULL;
}

static void move_revoke(struct dice *dice)
{
    unsigned index;
    struct delegation *delegation = delegation_draw(dice, &index);

    if (delegation != NULL) {
        demand(grant_revoke(delegation->node) == ((model.revoked >> index & 1) == 0),
               "revoked twice for the first time");
        model.revoked |= UINT64_C(1) << index;
        if (model.sweep == NOBODY) {
            model.sweep = index;
            model.sweep_table = 0;
            model.sweep_cursor = 0;
        }
    }
}

/* The handle goes: one that is being swept for stays. */
static void move_drop(struct dice *dice)
{
    unsigned index;
    struct delegation *delegation = delegation_draw(dice, &index);

    if (delegation != NULL && model.sweep != index) {
        grant_splice(delegation->node);
        delegation->handle = false;
        grant_unref(delegation->node, node_free);
    }
}

/* The copies beside messages that came through delegation `through` are taken, each once. */
static void copies_sweep(unsigned through)
{
    struct transfer_search search = {.item = items, .count = ITEMS};
    uint32_t expected = 0;
    struct hold_edge edge;

    for (unsigned i = 0; i < BUNDLES; i++) {
        struct bundle *bundle = &model.bundle[i];

        for (uint32_t j = 0; bundle->under_way && j < bundle->count; j++) {
            const struct given *given = &model.given[bundle->carries[j]];

            if (!bundle->moves[j] && !bundle->buried[j] && (given->through >> through & 1) != 0) {
                bundle->buried[j] = true;
                expected++;
            }
        }
    }
    while (transfer_bury_next(&search, model.delegation[through].node, &edge)) {
        demand(expected-- > 0, "the sweep took a copy that was not delegated, or no copy");
        edge_give(&edge);
    }
    demand(expected == 0, "the sweep left a copy beside a message");
}

/* A step of the sweep: what it finds comes from the delegation; at the end nothing of it is left.
 */
static void move_sweep(struct dice *dice)
{
    uint32_t steps = 1 + (uint32_t)dice_below(dice, 255);
    struct cap_table *table = &tables[model.sweep_table];
    struct hold_edge edge;
    bool found;

    if (model.sweep == NOBODY) {
        return;
    }
    if (cap_table_bury_next(table, &model.sweep_cursor, steps, model.delegation[model.sweep].node,
                            &edge, &found)) {
        if (found) {
            struct given *given = at_slot(model.sweep_table, model.sweep_cursor - 1);

            demand(given != NULL && !given->buried && (given->through >> model.sweep & 1) != 0,
                   "the sweep took what was not delegated");
            edge_compare(given, &edge);
            given->buried = true;
            edge_give(&edge);
        }
        return;
    }
    demand(!found, "the sweep found something behind the end");
    model.sweep_cursor = 0;
    if (++model.sweep_table == TABLES) {
        copies_sweep(model.sweep);
        model.sweep = NOBODY;
    }
}

static void move_release(struct dice *dice)
{
    struct given *given = given_draw(dice);
    struct hold_edge edge;

    if (given == NULL) {
        return;
    }
    demand(cap_table_remove(&tables[given->table], given->id, &edge) ==
               (given->place == HELD ? TRANSPORT_OK : TRANSPORT_STALE_CAP),
           "an edge is released that is not held, or cannot be");
    if (given->place == HELD) {
        demand((edge.object == NULL) == given->buried, "buried, or not");
        if (!given->buried) {
            edge_compare(given, &edge);
        }
        edge_give(&edge);
        given->place = GONE;
    }
}

static void move_token(struct dice *dice)
{
    unsigned table = (unsigned)dice_below(dice, TABLES);
    const struct given *of = given_draw(dice);
    uint64_t how = dice_word(dice, 1);
    uint32_t slot = of == NULL || how >= 0x80 ? (uint32_t)how * 9 : cap_id_slot(of->id);
    uint64_t interface_id = INTERFACE + (how & 1);
    const struct given *given = at_slot(table, slot);
    enum transport_error expected = TRANSPORT_OK;
    struct cap_id id;

    if (given == NULL || given->place != HELD) {
        expected = TRANSPORT_BAD_CAP;
    } else if (answer_for(given) == TRANSPORT_REVOKED) {
        expected = TRANSPORT_REVOKED;
    } else if (interface_id != INTERFACE) {
        expected = TRANSPORT_WRONG_INTERFACE;
    }
    demand(cap_table_token(&tables[table], slot, interface_id, &id) == expected,
           "a slot's id is told or not");
    demand(expected != TRANSPORT_OK || id.raw == given->id.raw, "a slot's id is another");
}

/* Ids that nobody was ever given. */
static void move_invent(struct dice *dice)
{
    struct cap_table *table = &tables[dice_below(dice, TABLES)];
    struct cap_id id = {dice_word(dice, 8)};
    const struct hold_edge *edge;

    for (unsigned i = 0; i < model.given_count; i++) {
        if (model.given[i].id.raw == id.raw) {
            return;
        }
    }
    demand(cap_table_lookup(table, id, &edge) == TRANSPORT_BAD_CAP && edge == NULL,
           "an invented id is not BAD_CAP");
}

static void move_quota(struct dice *dice)
{
    unsigned table = (unsigned)dice_below(dice, TABLES);
    uint32_t quota = (uint32_t)dice_below(dice, 2 * QUOTA);
    bool fits = used(table) + model.reserved[table] <= quota;

    demand(cap_table_set_quota(&tables[table], quota) == (fits ? TRANSPORT_OK : TRANSPORT_LIMIT),
           "a quota below what is used, or a good one refused");
    if (fits) {
        model.quota[table] = quota;
    }
}

/* ---- transfers ------------------------------------------------------------------------------- */

static enum transport_error descriptor_error(const struct transfer *descriptor, bool answers,
                                             const struct given *given)
{
    enum transport_error error = answer_for(given);
    bool path_is_good = true;

    for (unsigned i = 1; i < PATH_STEPS; i++) {
        path_is_good =
            path_is_good && (descriptor->path.step[i] == 0 || descriptor->path.step[i - 1] != 0);
    }
    if ((descriptor->mode != TRANSFER_COPY && descriptor->mode != TRANSFER_MOVE) ||
        descriptor->flags != 0 || descriptor->spare != 0 ||
        (answers ? !path_is_good
                 : descriptor->path.step[0] != 0 || descriptor->path.step[1] != 0 ||
                       descriptor->path.step[2] != 0)) {
        return TRANSPORT_BAD_FIELD;
    }
    if (error != TRANSPORT_OK) {
        return error;
    }
    return given->mode == EDGE_MODE_COPY ||
                   (given->mode == EDGE_MODE_MOVE && descriptor->mode == TRANSFER_MOVE)
               ? TRANSPORT_OK
               : TRANSPORT_NOT_GRANTABLE;
}

/* What begin must say of the whole bundle: each alone, then none moved twice. */
static enum transport_error bundle_error(const struct bundle *bundle,
                                         const struct transfer *descriptors, bool answers,
                                         uint32_t *refused)
{
    for (*refused = 0; *refused < bundle->count; ++*refused) {
        enum transport_error error = descriptor_error(&descriptors[*refused], answers,
                                                      &model.given[bundle->carries[*refused]]);

        if (error != TRANSPORT_OK) {
            return error;
        }
    }
    for (*refused = 0; *refused < bundle->count; ++*refused) {
        for (uint32_t i = 0; i < *refused; i++) {
            if (bundle->moves[i] && bundle->moves[*refused] &&
                bundle->carries[i] == bundle->carries[*refused]) {
                return TRANSPORT_STALE_CAP;
            }
        }
    }
    return TRANSPORT_OK;
}

/* Draws descriptors for ids of the sender's table. */
static void descriptors_draw(struct bundle *bundle, struct transfer *descriptors, struct dice *dice)
{
    uint32_t wanted = 1 + (uint32_t)dice_below(dice, CARRIED);

    bundle->count = 0;
    for (uint32_t i = 0; i < wanted; i++) {
        const struct given *given = given_draw(dice);
        uint64_t how = dice_word(dice, 1);
        struct transfer *to = &descriptors[bundle->count];

        if (given == NULL || given->table != bundle->from) {
            continue;
        }
        *to = (struct transfer){.cap = given->id,
                                .mode = (how & 1) != 0 ? TRANSFER_MOVE : TRANSFER_COPY};
        to->path.step[0] = (uint8_t)(how >> 1 & 1);
        to->path.step[1] = (uint8_t)(how >> 2 & 1);
        if (how >= 0xf8) {
            to->mode = (uint8_t)(how & 7);
            to->flags = (uint8_t)((how & 3) == 3);
            to->spare = (uint8_t)((how & 5) == 5);
        }
        bundle->carries[bundle->count] = (unsigned)(given - model.given);
        bundle->moves[bundle->count++] = to->mode == TRANSFER_MOVE;
    }
}

static void bundle_begun(struct bundle *bundle)
{
    const struct transfer_item *item = bundle->bundle.first;

    bundle->under_way = true;
    for (uint32_t i = 0; i < bundle->count; i++, item = item->next) {
        struct given *given = &model.given[bundle->carries[i]];

        demand(item->moves == bundle->moves[i] && item->from.raw == given->id.raw,
               "another thing travels");
        if (bundle->moves[i]) {
            given->place = MOVING;
        } else {
            bundle->buried[i] = false;
            edge_take(&item->edge);
        }
    }
}

static void move_begin(struct dice *dice)
{
    uint64_t how = dice_word(dice, 1);
    struct bundle *bundle = &model.bundle[how & 1];
    struct transfer descriptors[CARRIED];
    struct transfer_request request = {.descriptor = descriptors, .answers = (how & 2) != 0};
    enum transport_error expected;
    uint32_t expected_at;
    uint32_t refused = 0;

    if (bundle->under_way) {
        return;
    }
    bundle->from = (unsigned)(how >> 2 & 3) % TABLES;
    bundle->to = (unsigned)(how >> 4 & 3) % TABLES;
    descriptors_draw(bundle, descriptors, dice);
    expected = has_room(bundle->to, bundle->count) ? TRANSPORT_OK : TRANSPORT_LIMIT;
    if (cap_table_reserve(&tables[bundle->to], bundle->count) != TRANSPORT_OK) {
        demand(expected == TRANSPORT_LIMIT || starving, "room is refused that is there");
        return;
    }
    demand(expected == TRANSPORT_OK, "more room than the quota");
    model.reserved[bundle->to] += bundle->count;
    if (transfer_pool_take(&pool, bundle->count, &bundle->bundle) != TRANSPORT_OK) {
        demand(model.free_items < bundle->count, "items are refused that are there");
    } else {
        demand(model.free_items >= bundle->count, "items out of nothing");
        model.free_items -= bundle->count;
        expected = bundle_error(bundle, descriptors, request.answers, &expected_at);
        demand(transfer_begin(&tables[bundle->from], &request, &bundle->bundle, &refused) ==
                   expected,
               "a transfer begins, or is refused, against the rules");
        if (expected == TRANSPORT_OK) {
            bundle_begun(bundle);
            return;
        }
        demand(refused == expected_at, "another descriptor is refused");
        transfer_pool_give(&pool, &bundle->bundle);
        model.free_items += bundle->count;
    }
    cap_table_unreserve(&tables[bundle->to], bundle->count);
    model.reserved[bundle->to] -= bundle->count;
}

/* Everything of a bundle that is alive is the receiver's now. */
static void bundle_arrived(struct bundle *bundle, const struct received_cap *records,
                           uint32_t filled)
{
    uint32_t arrived = 0;

    model.reserved[bundle->to] -= bundle->count;
    for (uint32_t i = 0; i < bundle->count; i++) {
        struct given *given = &model.given[bundle->carries[i]];
        struct given what = *given;

        if (bundle->moves[i]) {
            given->place = GONE;
        }
        demand((records[i].cap.raw != 0) == is_alive(&what),
               "a revoked edge arrives, or a good one does not");
        if (records[i].cap.raw == 0) {
            continue;
        }
        demand(records[i].facet == what.facet && records[i].badge == what.badge &&
                   records[i].interface_id == INTERFACE,
               "the receiver is told something else");
        what.mode = EDGE_MODE_NONE;
        what.grantable = 0;
        give_out(bundle->to, records[i].cap, &what);
        arrived++;
    }
    demand(arrived == filled, "slots filled are not edges arrived");
    cap_table_unreserve(&tables[bundle->to], bundle->count - filled);
}

static void bundle_end(struct bundle *bundle, bool arrives)
{
    static const struct provenance origin;
    struct transfer_drops drops = {.count = 0};
    struct received_cap records[CARRIED];

    bundle->under_way = false;
    model.free_items += bundle->count;
    if (arrives && model.given_count + bundle->count <= GIVEN) {
        struct transfer_ends ends = {&tables[bundle->from], &tables[bundle->to]};

        bundle_arrived(bundle, records,
                       transfer_commit(&ends, &bundle->bundle, &origin, records, &drops));
    } else {
        transfer_cancel(&tables[bundle->from], &bundle->bundle, &drops);
        for (uint32_t i = 0; i < bundle->count; i++) {
            if (bundle->moves[i]) {
                model.given[bundle->carries[i]].place = HELD;
            }
        }
        cap_table_unreserve(&tables[bundle->to], bundle->count);
        model.reserved[bundle->to] -= bundle->count;
    }
    drops_give(&drops);
    transfer_pool_give(&pool, &bundle->bundle);
}

static void move_end(struct dice *dice)
{
    uint64_t how = dice_word(dice, 1);
    struct bundle *bundle = &model.bundle[how & 1];

    if (bundle->under_way) {
        bundle_end(bundle, (how & 6) != 0);
    }
}

/* Into another table at once, perhaps with the right to pass it on. */
static void move_pass(struct dice *dice)
{
    struct given *given = given_draw(dice);
    uint64_t how = dice_word(dice, 1);
    struct edge_passing passing = {.facet = (how & 8) != 0 ? (how >> 4) : 1,
                                   .leaving = (how & 1) != 0,
                                   .keep_grant = (how & 2) != 0};
    const struct hold_edge *edge = given == NULL ? NULL : edge_of(given);
    struct hold_edge to;
    struct given what;
    enum transport_error error;
    enum transport_error expected = TRANSPORT_OK;

    if (edge == NULL) {
        return;
    }
    what = *given;
    if (!(what.mode == EDGE_MODE_COPY || (what.mode == EDGE_MODE_MOVE && passing.leaving)) ||
        (passing.keep_grant && what.grantable == 0)) {
        expected = TRANSPORT_NOT_GRANTABLE;
    } else if ((passing.facet & ~what.facet) != 0) {
        expected = TRANSPORT_NO_METHOD;
    }
    error = hold_edge_pass(edge, &passing, &to);
    demand(error == expected, "passed on against the rules");
    if (error == TRANSPORT_OK) {
        what.facet = passing.facet;
        what.mode = passing.keep_grant ? what.mode : EDGE_MODE_NONE;
        what.grantable = passing.keep_grant ? what.grantable : 0;
        insert((unsigned)(how >> 2 & 1) + (given->table == 0), &to, &what, dice);
    }
}

/* ---- an input -------------------------------------------------------------------------------- */

static void (*const moves[])(struct dice *dice) = {
    move_make,  move_duplicate, move_delegate, move_revoke, move_drop,
    move_sweep, move_release,   move_token,    move_invent, move_quota,
    move_begin, move_begin,     move_end,      move_pass,   move_delegate,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice dice = {data, size};

    model_begin();
    for (unsigned i = 0; i < MOVES_MAX && dice.left > 0 && model.given_count + 1 < GIVEN; i++) {
        uint64_t byte = dice_word(&dice, 1);

        starving = (byte & 0xf0) == 0xf0;
        moves[(byte & 15) % ARRAY_COUNT(moves)](&dice);
        model_compare();
    }
    for (unsigned i = 0; i < BUNDLES; i++) {
        if (model.bundle[i].under_way) {
            bundle_end(&model.bundle[i], false);
        }
    }
    model_compare();
    model_end();
    return 0;
}
