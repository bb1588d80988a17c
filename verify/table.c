/* SPDX-License-Identifier: MIT */
/*
 * The capability table: an id that went stale never resolves again, by induction.
 *
 * From any state that the invariants allow, one operation with any arguments, memory that may be
 * short at any time, and any one id looked at before and after. Proved of each operation: the
 * invariants hold again; an id changes its state only as the diagram of cap_table.c allows, and
 * only if the operation was asked to; one that was never given out becomes held only by being the
 * answer of an insert; one that is held keeps its edge; a stale one stays stale. prove_find: what
 * is held resolves, to its own edge, unless it was revoked, and nothing else does. prove_bury: a
 * sweep empties the edges below a delegation and no other, and leaves none behind. So, step by step
 * from cap_table_init, for tables of every age; generations are the real 44 bits.
 *
 * bound: 4 slots, 1 of them the window; one delegation, or two in the sweep
 * cbmc: core/cap_table.c core/grant.c
 * options: -I verify/shim -I verify/small --unwind 6
 * prove: prove_init prove_find prove_reserve prove_insert prove_repeat prove_insert_window
 *     prove_insert_at
 *     prove_remove prove_move_begin prove_move_end prove_check prove_bury prove_walk
 * quick: prove_init prove_find prove_move_begin
 * twin: prove_init | core/cap_table.c
 *     | table->fresh = CAP_TABLE_WINDOW;
 *     | table->fresh = 0;
 * twin: prove_check | core/cap_table.c
 *     | counts.above + table->free_count != table->fresh - CAP_TABLE_WINDOW
 *     | counts.above + table->free_count != table->fresh
 * twin: prove_find | core/cap_table.h
 *     | slot->name == id.raw && id.raw >> CAP_SLOT_BITS
 *     | slot->name >= id.raw && id.raw >> CAP_SLOT_BITS
 * twin: prove_find | core/cap_table.h
 *     | entry->edge.object == NULL || !hold_edge_is_alive(&entry->edge)
 *     | entry->edge.object == NULL
 * twin: prove_reserve | core/cap_table.c
 *     | count > table->quota - table->used - table->reserved
 *     | count > table->quota - table->used
 * twin: prove_insert | core/cap_slot.h
 *     | slot_name_in(table, slot, entry, generation == 0 ? 1 : generation)
 *     | slot_name_in(table, slot, entry, 1)
 * twin: prove_repeat | core/cap_slot.h
 *     | table->free_count + (table->paged - table->fresh) > table->reserved
 *     | table->free_count + (table->paged - table->fresh) >= table->reserved
 * twin: prove_insert_window | core/cap_table.c
 *     | window_set(table, slot, false);
 *     | ;
 * twin: prove_insert_at | core/cap_table.c
 *     | if (slot_is_used(entry, slot) || slot_link(entry) == LINK_RETIRED) {
 *     | if (slot_is_used(entry, slot)) {
 * twin: prove_remove | core/cap_slot.h
 *     | uint64_t next = name_behind(name);
 *     | uint64_t next = name & ~(uint64_t)CAP_SLOT_MAX;
 * twin: prove_remove | core/cap_slot.h
 *     | if (UNLIKELY(next == 0)) {
 *     | if (false) {
 * twin: prove_move_begin | core/cap_table.c
 *     | slot_at(table, cap_id_slot(id))->name = (id.raw & ~(uint64_t)CAP_SLOT_MAX) | LINK_MOVING;
 *     | ;
 * twin: prove_move_end | core/cap_table.c
 *     | slot_moving(table, id)->name = id.raw;
 *     | slot_moving(table, id)->name = id.raw + (UINT64_C(1) << CAP_SLOT_BITS);
 * twin: prove_bury | core/cap_table.c
 *     | slot->edge.grant = NULL;
 *     | ;
 * twin: prove_bury | core/cap_table.c
 *     | slot->edge.object != NULL && grant_is_below(slot->edge.grant, above)
 *     | slot->edge.object != NULL && slot->edge.grant == above
 * twin: prove_bury | core/cap_table.c
 *     | return *cursor < LIMIT_TABLE_SLOTS;
 *     | return false;
 * twin: prove_walk | core/cap_table.c
 *     | *cursor = (slot / CAP_TABLE_PAGE_SLOTS + 1) * CAP_TABLE_PAGE_SLOTS;
 *     | *cursor = (slot / CAP_TABLE_PAGE_SLOTS + 2) * CAP_TABLE_PAGE_SLOTS;
 */
#include "abi/compiler.h"

static void *edge_or_table_zero(void *to, int value, size_t length);
#define memset edge_or_table_zero
#include "core/cap_table.c"
#undef memset
#include "verify/any_table.h"

void prove_init(void);
void prove_check(void);
void prove_find(void);
void prove_reserve(void);
void prove_insert(void);
void prove_repeat(void);
void prove_insert_window(void);
void prove_insert_at(void);
void prove_remove(void);
void prove_move_begin(void);
void prove_move_end(void);
void prove_bury(void);
void prove_walk(void);

static struct cap_table table;
PAGES(own);
static unsigned pages_given;

/* One id, before the operation. */
static struct {
    struct cap_id id;
    enum id_state state;
    struct hold_edge edge;
} watched;

static void any_state(void)
{
    any_grants();
    any_table(&table, (struct table_pages){own_slots, own_colds}, &pages_given);
    watched.id.raw = nondet_u64();
    watched.state = id_state(&table, watched.id);
    watched.edge = edge_in(&table, cap_id_slot(watched.id));
}

/* The table holds again, and the id watched is in state `wanted`, with the edge that it had. */
static void state_assert(enum id_state wanted)
{
    enum id_state now = id_state(&table, watched.id);
    struct hold_edge edge = edge_in(&table, cap_id_slot(watched.id));

    __CPROVER_assert(table_holds(&table), "the invariants hold");
    __CPROVER_assert(now == wanted, "an id changes its state only when asked to");
    __CPROVER_assert(watched.state != ID_STALE || now == ID_STALE, "stale for ever");
    if (watched.state != ID_NEVER && (now == ID_HELD || now == ID_MOVING)) {
        __CPROVER_assert(edges_equal(&edge, &watched.edge), "the edge it was made for");
    }
}

void prove_init(void)
{
    uint32_t quota = nondet_u32();

    __CPROVER_assume(quota <= LIMIT_TABLE_SLOTS);
    cap_table_init(&table, quota, (struct cap_table_memory){pages_alloc, pages_free, &pages_given});
    watched.id.raw = nondet_u64();
    state_assert(ID_NEVER);
}

/* What the harness takes for the invariants implies what the kernel's own check looks at. */
void prove_check(void)
{
    any_state();
    __CPROVER_assert(cap_table_check(&table) == 0, "the kernel's own check");
}

/* Finding changes nothing but the epochs that edges remember, and says why it finds nothing. */
void prove_find(void)
{
    const struct hold_edge *found;
    const struct cap_slot *slot;
    enum transport_error error;
    bool gone;

    any_state();
    gone = watched.state == ID_STALE || watched.state == ID_MOVING;
    error = cap_table_lookup(&table, watched.id, &found);
    __CPROVER_assert(watched.state != ID_NEVER || error == TRANSPORT_BAD_CAP, "never given out");
    __CPROVER_assert(!gone || error == TRANSPORT_STALE_CAP, "gone");
    __CPROVER_assert(watched.state != ID_HELD ||
                         error ==
                             (edge_is_revoked(&watched.edge) ? TRANSPORT_REVOKED : TRANSPORT_OK),
                     "held, and revoked or not");
    __CPROVER_assert(error != TRANSPORT_OK || edges_equal(found, &watched.edge), "its own edge");
    __CPROVER_assert(error == TRANSPORT_OK || found == NULL, "nothing with an error");
    slot = cap_table_slot(&table, watched.id);
    __CPROVER_assert(!cap_slot_is_plain(slot, watched.id) || found == &slot->edge,
                     "what is plain is found");
    __CPROVER_assert(!cap_slot_is_past(slot, watched.id) || error == TRANSPORT_STALE_CAP,
                     "what is past is stale");
    state_assert(watched.state);
}

void prove_reserve(void)
{
    uint32_t count = nondet_u32();

    any_state();
    if (nondet_bool()) {
        uint32_t before = table.reserved;
        enum transport_error error = cap_table_reserve(&table, count);

        __CPROVER_assert(table.reserved == (error == TRANSPORT_OK ? before + count : before),
                         "reserved, or nothing");
    } else if (nondet_bool()) {
        __CPROVER_assume(count <= LIMIT_TABLE_SLOTS);
        (void)cap_table_set_quota(&table, count);
    } else {
        __CPROVER_assume(count <= table.reserved);
        cap_table_unreserve(&table, count);
    }
    state_assert(watched.state);
}

/* What an insert may make of the id watched. */
static void inserted_assert(enum transport_error error, struct cap_id id,
                            const struct hold_edge *edge, uint32_t used)
{
    bool is_new = error == TRANSPORT_OK && id.raw == watched.id.raw;
    struct hold_edge now = edge_in(&table, cap_id_slot(id));
    struct hold_edge wanted = *edge;

    if (cap_id_slot(id) < CAP_TABLE_WINDOW) {
        wanted.grantable = 0; /* a descriptor goes one hop */
    }
    __CPROVER_assert(!is_new || watched.state == ID_NEVER, "no id is given out twice");
    state_assert(is_new ? ID_HELD : watched.state);
    __CPROVER_assert(table.used == used + (error == TRANSPORT_OK), "one edge more, or none");
    __CPROVER_assert(!is_new || edges_equal(&now, &wanted), "the edge it was made for");
}

static struct hold_edge edge_to_insert(void)
{
    struct hold_edge edge = any_edge();

    __CPROVER_assume(edge.object != NULL && edge_is_sound(&edge));
    return edge;
}

void prove_insert(void)
{
    struct hold_edge edge;
    struct cap_id id;
    uint32_t used;

    any_state();
    edge = edge_to_insert();
    used = table.used;
    __CPROVER_assume(table.reserved > 0);
    id = cap_table_insert_reserved(&table, &edge, NULL);
    inserted_assert(TRANSPORT_OK, id, &edge, used);
}

/* A copy of an edge for its own holder, to be passed on or not, into room that is there. */
void prove_repeat(void)
{
    struct cap_id id;
    struct hold_edge edge;
    struct provenance *origin;
    bool passable = nondet_bool();
    uint32_t used;

    any_state();
    used = table.used;
    __CPROVER_assume(watched.state == ID_HELD && watched.edge.object != NULL);
    edge = watched.edge;
    edge.flags = 0;
    if (passable) {
        __CPROVER_assume(room_is_there(&table));
        id = slot_repeat(&table, cap_table_resolve(&table, watched.id), true, &origin);
    } else {
        edge.mode = EDGE_MODE_NONE;
        edge.grantable = 0;
        id = cap_table_repeat(&table, cap_table_resolve(&table, watched.id), &origin);
    }
    __CPROVER_assert(id_state(&table, watched.id) == ID_HELD && id.raw != watched.id.raw,
                     "another");
    __CPROVER_assert(id.raw == 0 || id_state(&table, id) == ID_HELD, "held");
    __CPROVER_assert(id.raw != 0 || !passable, "where there is room");
    __CPROVER_assert(table.used == used + (id.raw != 0), "one edge more, or none");
    __CPROVER_assert(table_holds(&table), "the invariants hold");
    if (id.raw != 0) {
        struct hold_edge now = edge_in(&table, cap_id_slot(id));

        __CPROVER_assert(edges_equal(&now, &edge), "the source's edge, without flags");
        __CPROVER_assert(origin == slot_origin(&table, cap_id_slot(id)), "its provenance");
    }
}

void prove_insert_window(void)
{
    struct hold_edge edge;
    struct cap_id id = {0};
    enum transport_error error;
    uint32_t used;

    any_state();
    edge = edge_to_insert();
    used = table.used;
    error = cap_table_insert_window(&table, &edge, NULL, &id);
    inserted_assert(error, id, &edge, used);
    __CPROVER_assert(error != TRANSPORT_OK || cap_id_slot(id) < CAP_TABLE_WINDOW, "a descriptor");
}

void prove_insert_at(void)
{
    struct hold_edge edge;
    struct cap_id id = {0};
    uint32_t chosen = nondet_u32();
    enum transport_error error;
    uint32_t used;

    any_state();
    edge = edge_to_insert();
    used = table.used;
    error = cap_table_insert_at(&table, chosen, &edge, NULL, &id);
    inserted_assert(error, id, &edge, used);
    __CPROVER_assert(error != TRANSPORT_OK || cap_id_slot(id) == chosen, "where it was asked");
}

void prove_remove(void)
{
    struct cap_id id = {nondet_u64()};
    struct hold_edge edge;
    enum transport_error error;
    bool asked;

    any_state();
    if (nondet_bool()) {
        struct cap_slot *entry = cap_table_resolve(&table, id);

        __CPROVER_assume(entry != NULL && entry->edge.object != NULL);
        edge = entry->edge;
        cap_table_vacate(&table, entry);
        error = TRANSPORT_OK;
    } else {
        error = cap_table_remove(&table, id, &edge);
    }
    asked = id.raw == watched.id.raw && watched.state == ID_HELD;
    __CPROVER_assert(!asked || error == TRANSPORT_OK, "what is held can be released");
    state_assert(asked ? ID_STALE : watched.state);
    __CPROVER_assert(!asked || edges_equal(&edge, &watched.edge), "its own edge is handed over");
}

void prove_move_begin(void)
{
    struct cap_id id = {nondet_u64()};
    struct hold_edge edge;
    enum transport_error error;

    any_state();
    error = cap_table_move_begin(&table, id, &edge);
    state_assert(error == TRANSPORT_OK && id.raw == watched.id.raw ? ID_MOVING : watched.state);
}

void prove_move_end(void)
{
    struct cap_id id = {nondet_u64()};
    struct hold_edge edge;
    bool asked;

    any_state();
    __CPROVER_assume(id_state(&table, id) == ID_MOVING);
    asked = id.raw == watched.id.raw;
    if (nondet_bool()) {
        cap_table_move_commit(&table, id, &edge);
        state_assert(asked ? ID_STALE : watched.state);
        __CPROVER_assert(!asked || edges_equal(&edge, &watched.edge),
                         "its own edge is handed over");
    } else {
        cap_table_move_cancel(&table, id);
        state_assert(asked ? ID_HELD : watched.state);
    }
}

/* The delegation that is swept for: that of the table's edges, one above it, or another. */
static struct grant_node *any_swept(void)
{
    static struct grant_node above;
    static struct grant_node other;

    above = (struct grant_node){.tree = &any_tree, .references = 2, .depth = 1};
    other = (struct grant_node){.tree = &any_tree, .references = 1, .depth = nondet_bool() ? 1 : 2};
    if (nondet_bool()) {
        any_node.parent = &above;
        any_node.depth = 2;
    }
    return nondet_bool() ? &any_node : nondet_bool() ? &above : &other;
}

static bool edge_is_swept(const struct hold_edge *edge, const struct grant_node *swept)
{
    return edge->object != NULL && edge->grant != NULL &&
           (swept == edge->grant || swept == edge->grant->parent);
}

/*
 * One step of the sweep: it empties an edge below the delegation and no other, hands it over, and
 * leaves none behind its cursor. Every id still names what it named, and whoever sweeps until it
 * says that the table is over has been at every slot.
 */
void prove_bury(void)
{
    const struct grant_node *swept;
    struct hold_edge edge;
    struct hold_edge now;
    uint32_t cursor = nondet_u32();
    uint32_t steps = nondet_u32();
    uint32_t begin = cursor;
    uint32_t buried;
    bool found;
    bool more;
    bool asked;

    any_state();
    swept = any_swept();
    buried = table.buried;
    __CPROVER_assume(cursor <= LIMIT_TABLE_SLOTS && steps > 0);
    more = cap_table_bury_next(&table, &cursor, steps, swept, &edge, &found);
    asked = found && cap_id_slot(watched.id) == cursor - 1;
    now = edge_in(&table, cap_id_slot(watched.id));
    __CPROVER_assert(table_holds(&table), "the invariants hold");
    __CPROVER_assert(id_state(&table, watched.id) == watched.state, "every id names what it named");
    __CPROVER_assert(table.buried == buried + found, "one is buried, or none");
    __CPROVER_assert(!found || (more && edge_is_swept(&edge, swept)), "only what is below");
    if (watched.state == ID_HELD || watched.state == ID_MOVING) {
        __CPROVER_assert(!asked || edges_equal(&edge, &watched.edge),
                         "its own edge is handed over");
        __CPROVER_assert(!asked || (now.object == NULL && now.grant == NULL), "and is the table's"
                                                                              " no more");
        __CPROVER_assert(asked || edges_equal(&now, &watched.edge), "no other changed");
        __CPROVER_assert(cap_id_slot(watched.id) < begin || cap_id_slot(watched.id) >= cursor ||
                             !edge_is_swept(&now, swept),
                         "none is left behind");
    }
    __CPROVER_assert(cursor <= LIMIT_TABLE_SLOTS && cursor - begin <= steps, "so many slots");
    __CPROVER_assert(more ? cursor > begin : cursor == LIMIT_TABLE_SLOTS,
                     "until the table is over");
}

/* One step of a walk: the next slot that is used, with its edge and its name, none left out. */
void prove_walk(void)
{
    struct cap_entry entry;
    uint32_t cursor = nondet_u32();
    uint32_t steps = nondet_u32();
    uint32_t begin = cursor;
    bool found;
    bool more;
    bool passed;

    any_state();
    __CPROVER_assume(cursor <= LIMIT_TABLE_SLOTS && steps > 0);
    more = cap_table_next(&table, &cursor, steps, &entry, &found);
    passed = cap_id_slot(watched.id) >= begin && cap_id_slot(watched.id) < cursor &&
             (watched.state == ID_HELD || watched.state == ID_MOVING);
    __CPROVER_assert(passed == (found && entry.id.raw == watched.id.raw), "each once, none else");
    __CPROVER_assert(!passed || edges_equal(&entry.edge, &watched.edge), "with its edge");
    __CPROVER_assert(!passed || entry.revoked == edge_is_revoked(&watched.edge), "revoked or not");
    __CPROVER_assert(!found || more, "there may be more");
    __CPROVER_assert(more ? cursor > begin : cursor == LIMIT_TABLE_SLOTS,
                     "until the table is over");
    state_assert(watched.state);
}
