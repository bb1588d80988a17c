/* SPDX-License-Identifier: MIT */
/*
 * Putting an edge into a table and taking one out, cap_table_insert and cap_table_remove as a
 * whole, without bounds: any table that holds its invariants, any edge, any id.
 *
 * Of an insertion that succeeds: the id resolves, to a slot that has the edge; it did not resolve
 * before and was never spent, so it names no edge that was there. One that is refused changes no
 * slot and no count, but for pages of slots that stay. Of an id that is removed: its edge is handed
 * over as it was; the id does not resolve any more and is spent: its slot has a later generation,
 * or is retired. Of an id that does not resolve: it is refused, and no slot and no count has
 * changed. By both, every id that was spent is spent; every other id resolves just as before, and
 * the slot that it names has the same edge.
 *
 * What holds of the table before holds afterwards, of the invariants in core/cap_table.c: 1, the
 * free list (verify/wp/slots.h) and its count; 2; 3; 4, that each count is the number of slots in
 * that state, as verify/wp/tally.c counts them; 5; and 7. Of 6 it is that no edge changes.
 *
 * What is taken for granted here: what verify/wp/slots.c, verify/wp/table.c and verify/wp/tally.c
 * prove, and of cap_table_resolve and cap_id_slot what verify/slot_word.c proves of every id; that
 * each slot has a place of its own, apart from the table, and that a slot's page is zero when it
 * comes; that cap_table_id_error changes nothing and says BAD_CAP or STALE_CAP. What is handed in
 * by address lies apart from the table, as WP's model `ref` has it.
 *
 * wp: core/cap_table.c core/cap_table.h core/cap_slot.h verify/wp/slots.h
 * model: Typed+ref
 * solver: patterns split
 * prove: cap_table_insert cap_table_remove
 * twin: cap_table_insert:counts | core/cap_table.c
 *     | enum transport_error error = room_make(table);
 *     | enum transport_error error = TRANSPORT_OK;
 * twin: cap_table_insert:named | core/cap_table.c
 *     | *id = slot_insert(table, edge, origin);
 *     | slot_insert(table, edge, origin);
 * twin: cap_table_remove:found | core/cap_table.c
 *     | struct cap_slot *entry = cap_table_resolve(table, id);
 *     | struct cap_slot *entry = cap_table_slot(table, id);
 * twin: cap_table_remove:found | core/cap_table.c
 *     | if (entry == NULL) {
 *     | if (entry == NULL || entry->edge.object == NULL) {
 */
#include "verify/wp/slots.h"
#include "verify/wp/table.h"

/*@ predicate tallied{L}(struct cap_table *t) =
      t->used == tally(t, KIND_HELD) + tally(t, KIND_BURIED) + tally(t, KIND_MOVING) +
        tally(t, KIND_MOVING_BURIED) &&
      t->moving == tally(t, KIND_MOVING) + tally(t, KIND_MOVING_BURIED) &&
      t->buried == tally(t, KIND_BURIED) + tally(t, KIND_MOVING_BURIED) &&
      t->retired == tally(t, KIND_RETIRED) && t->free_count == tally(t, KIND_FREE);

    predicate slot_holds{L}(struct cap_table *t, integer s, integer fresh) =
      (at(t, s)->name != 0 ==> generation(at(t, s)->name) >= 1) &&
      (!used_name(s, at(t, s)->name) ==> at(t, s)->edge.object == \null) &&
      (link(at(t, s)->name) == LINK_RETIRED ==> generation(at(t, s)->name) == 0xfffffffffff) &&
      (s >= CAP_TABLE_WINDOW ? (s < fresh <==> at(t, s)->name != 0) :
        (at(t, s)->name == 0 || link(at(t, s)->name) == LINK_FREE ||
          link(at(t, s)->name) == LINK_RETIRED || used_name(s, at(t, s)->name)) &&
        (window_bit(t, s) <==> at(t, s)->name == 0 || link(at(t, s)->name) == LINK_FREE) &&
        (at(t, s)->edge.object != \null ==> at(t, s)->edge.grantable == 0));

    predicate slots_hold{L}(struct cap_table *t) =
      \forall integer s; there(t, s) ==> slot_holds(t, s, t->fresh);

    predicate holds{L}(struct cap_table *t) = counts(t) && tallied(t) && slots_hold(t);

    predicate resolves{L}(struct cap_table *t, integer id) =
      here(t, link(id)) && at(t, link(id))->name == id && generation(id) >= 1;

    predicate spent{L}(struct cap_table *t, integer id) =
      there(t, link(id)) && (generation(at(t, link(id))->name) > generation(id) ||
        (generation(at(t, link(id))->name) == generation(id) &&
         link(at(t, link(id))->name) == LINK_RETIRED));

    predicate same_counts{A, B}(struct cap_table *t) =
      \at(t->used, A) == \at(t->used, B) && \at(t->reserved, A) == \at(t->reserved, B) &&
      \at(t->fresh, A) == \at(t->fresh, B) && \at(t->free_count, A) == \at(t->free_count, B) &&
      \at(t->free_head, A) == \at(t->free_head, B) &&
      \at(t->free_tail, A) == \at(t->free_tail, B);
 */

/*@ axiomatic TallyIs {
      axiom only{A, B}: \forall struct cap_table *t, integer s, k; TALLY_ONLY(A, B, t, s, k);
      axiom least{L}: \forall struct cap_table *t, integer s; TALLY_LEAST(t, s);
      axiom most{L}: \forall struct cap_table *t, integer s, k; TALLY_MOST(t, s, k);
      axiom range{L}: \forall struct cap_table *t, integer k; TALLY_RANGE(t, k);
    }
 */

/*@ requires apart(table);
    assigns \nothing;
    ensures found: resolves(table, id.raw) ==> \result == at(table, link(id.raw)) &&
      \valid(\result) && kind(table, link(id.raw)) != KIND_NONE;
    ensures none: !resolves(table, id.raw) ==> \result == \null;
 */
static inline struct cap_slot *cap_table_resolve(const struct cap_table *table, struct cap_id id);

/*@ assigns \nothing;
    ensures \result == link(id.raw);
 */
static inline uint32_t cap_id_slot(struct cap_id id);

/*@ assigns \nothing;
    ensures \result == TRANSPORT_BAD_CAP || \result == TRANSPORT_STALE_CAP;
 */
enum transport_error cap_table_id_error(const struct cap_table *table, struct cap_id id);

/*@ requires apart(table) && recorded(table) && holds(table) && list(table, base, -1, -1);
    requires \valid_read(edge) && edge->object != \null && beside(table, edge);
    requires origin == \null || \valid_read(origin);
    assigns table->reserved, table->paged, table->used, table->free_head, table->free_tail,
      table->free_count, table->fresh, *at(table, next_slot(table)), *cold(table, next_slot(table)),
      *id,
      at(table, table->free_head == LINK_END ? table->fresh :
        link(at(table, table->free_head)->name) == LINK_END ? table->free_head :
        link(at(table, table->free_head)->name))->edge.interface_id;
    ensures answer: \result == TRANSPORT_OK || \result == TRANSPORT_LIMIT ||
      \result == TRANSPORT_NO_MEMORY;
    ensures counts: counts(table);
    ensures tallied: tallied(table);
    ensures slots: slots_hold(table);
    ensures list_oldest: \result == TRANSPORT_OK && \old(table->free_head) != LINK_END ==>
      list(table, base + 1, -1, -1);
    ensures list: \result != TRANSPORT_OK || \old(table->free_head) == LINK_END ==>
      list(table, base, -1, -1);
    ensures named: \result == TRANSPORT_OK ==>
      link(id->raw) == \old(next_slot(table)) && resolves(table, id->raw);
    ensures never: \result == TRANSPORT_OK ==> \let n = id->raw;
      !\at(resolves(table, n), Pre) && !\at(spent(table, n), Pre);
    ensures edge: \result == TRANSPORT_OK ==>
      same_edge{Pre, Post}(edge, &at(table, link(id->raw))->edge);
    ensures others: \result == TRANSPORT_OK ==> kept{Pre, Post}(table, \old(next_slot(table)));
    ensures no_more: \result == TRANSPORT_OK ==> \forall integer n; n != id->raw ==>
      resolves(table, n) ==> \old(resolves(table, n));
    ensures no_less: \result == TRANSPORT_OK ==> \forall integer n; n != id->raw ==>
      \old(resolves(table, n)) ==> resolves(table, n);
    ensures spent: \forall integer n; \old(spent(table, n)) ==> spent(table, n);
    ensures used: \result == TRANSPORT_OK ==> table->used == \old(table->used) + 1 &&
      table->reserved == \old(table->reserved);
    ensures refused: \result != TRANSPORT_OK ==> same_counts{Pre, Post}(table);
    ensures refused_slots: \result != TRANSPORT_OK ==> kept{Pre, Post}(table, -1);
 */
enum transport_error cap_table_insert(struct cap_table *table, const struct hold_edge *edge,
                                      const struct provenance *origin, struct cap_id *id);

/*@ requires apart(table) && holds(table) && list(table, base, -1, -1);
    assigns table->used, table->buried, table->retired, table->window_free[0 .. 3],
      table->free_head, table->free_tail, table->free_count, *at(table, link(id.raw)), *edge,
      at(table, table->free_tail == LINK_END ? link(id.raw) : table->free_tail)->name;
    ensures answer: \result == TRANSPORT_OK || \result == TRANSPORT_BAD_CAP ||
      \result == TRANSPORT_STALE_CAP;
    ensures found: \result == TRANSPORT_OK <==> \old(resolves(table, id.raw));
    ensures counts: counts(table);
    ensures tallied: tallied(table);
    ensures slots: slots_hold(table);
    ensures list: list(table, base, -1,
      \result == TRANSPORT_OK && link(id.raw) >= CAP_TABLE_WINDOW &&
      generation(id.raw) < 0xfffffffffff ? link(id.raw) : -1);
    ensures gone: \result == TRANSPORT_OK ==>
      spent(table, id.raw) && !resolves(table, id.raw);
    ensures edge: \result == TRANSPORT_OK ==>
      edge->object == \old(at(table, link(id.raw))->edge.object) &&
      edge->interface_id == \old(at(table, link(id.raw))->edge.interface_id) &&
      edge->facet == \old(at(table, link(id.raw))->edge.facet) &&
      edge->badge == \old(at(table, link(id.raw))->edge.badge) &&
      edge->grant == \old(at(table, link(id.raw))->edge.grant) &&
      edge->epoch == \old(at(table, link(id.raw))->edge.epoch) &&
      edge->mode == \old(at(table, link(id.raw))->edge.mode) &&
      edge->grantable == \old(at(table, link(id.raw))->edge.grantable) &&
      edge->flags == \old(at(table, link(id.raw))->edge.flags);
    ensures others: \result == TRANSPORT_OK ==> kept{Pre, Post}(table, link(id.raw));
    ensures no_more: \result == TRANSPORT_OK ==> \forall integer n; n != id.raw ==>
      resolves(table, n) ==> \old(resolves(table, n));
    ensures no_less: \result == TRANSPORT_OK ==> \forall integer n; n != id.raw ==>
      \old(resolves(table, n)) ==> resolves(table, n);
    ensures spent: \forall integer n; \old(spent(table, n)) ==> spent(table, n);
    ensures used: \result == TRANSPORT_OK ==> table->used == \old(table->used) - 1;
    ensures refused: \result != TRANSPORT_OK ==> same_counts{Pre, Post}(table);
    ensures refused_slots: \result != TRANSPORT_OK ==> kept{Pre, Post}(table, -1);
 */
enum transport_error cap_table_remove(struct cap_table *table, struct cap_id id,
                                      struct hold_edge *edge);

#include "core/cap_table.c"
