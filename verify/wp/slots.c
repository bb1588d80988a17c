/* SPDX-License-Identifier: MIT */
/*
 * Inserting into a table and releasing, without bounds: any number of slots, any free list, any
 * generation.
 *
 * The free list (invariant 1):
   each free slot has its place in an order, one behind its neighbour,
 * from `base` at the head to base + free_count - 1 at the tail, no two the same; the neighbours
 * know each other. So the list holds each free slot once and is as long as free_count says. Taking
 * the oldest slot off (free_pop) and putting one behind the last (free_push) keep this.
 *
 * Inserting (slot_fill into what free_take took): the slot written is the one taken, it has the
 * edge, its name is its number with its generation, or 1 when it is fresh; `used` is one more; no
 * other slot is another. Releasing (slot_leave):
   the slot's edge is gone, its generation one more,
 * so that no id that was ever given out for it is its name; or there is none more, and it is
 * retired and not free. Every other slot keeps its generation, and its name but for the last free
 * one's link. `used` is one less, free_count or `retired` one more.
 *
 * What is taken for granted here: of words and places, what verify/slot_word.c proves of each;
   that
 * the slots' pages stay, which no function here assigns;
   of window_set, that it writes its word and
 * nothing else is proved, not which bit; slot_set_origin writes its record and nothing else.
 *
 * wp: core/cap_table.c core/cap_slot.h
 * solver: patterns split
 * prove: free_pop free_push free_take slot_name_in slot_name slot_fill window_set slot_free
 *     slot_leave slot_set_previous slot_previous
 * twin: free_pop | core/cap_slot.h
 *     | table->free_tail = LINK_END;
 *     | ;
 * twin: free_push | core/cap_slot.h
 *     | entry->name = name_linked(name, LINK_END);
 *     | entry->name = name_linked(name, LINK_FREE);
 * twin: free_take | core/cap_slot.h
 *     | return table->fresh++;
 *     | return table->fresh;
 * twin: slot_name | core/cap_slot.h
 *     | slot_name_in(table, slot, entry, generation == 0 ? 1 : generation)
 *     | slot_name_in(table, slot, entry, 1)
 * twin: slot_fill | core/cap_slot.h
 *     | entry->edge = *edge;
 *     | entry->edge.object = edge->object;
 * twin: slot_free | core/cap_slot.h
 *     | if (UNLIKELY(next == 0)) {
 *     | if (false) {
 * twin: slot_free | core/cap_slot.h
 *     | entry->edge.grant = NULL;
 *     | ;
 * twin: slot_leave | core/cap_slot.h
 *     | table->used--;
 *     | ;
 */
#include "core/cap_slot.h"

/*@ requires \false;
    assigns \nothing;
    exits \false;
 */
void assert_failed(const char *expression, const char *file, unsigned line);

/* ---- words */

/*@ axiomatic Words {
      logic integer link(integer name);
      logic integer generation(integer name);
      axiom fresh: link(0) == 0 && generation(0) == 0;
      axiom whole: \forall integer a, b; link(a) == link(b) && generation(a) == generation(b) ==>
        a == b;
    }
 */

/*@ requires \valid_read(entry);
    assigns \nothing;
    ensures \result == link(entry->name) && \result <= 0xfffff;
 */
static inline uint32_t slot_link(const struct cap_slot *entry);

/*@ requires \valid_read(entry);
    assigns \nothing;
    ensures \result == generation(entry->name) && \result <= 0xfffffffffff;
 */
static inline uint64_t slot_generation(const struct cap_slot *entry);

/*@ requires \valid(entry) && link(entry->name) == from && to <= 0xfffff;
    assigns entry->name;
    ensures link(entry->name) == to && generation(entry->name) == generation(\old(entry->name));
 */
static inline void slot_relink(struct cap_slot *entry, uint32_t from, uint32_t to);

/*@ assigns \nothing;
    ensures generation(name) == 0xfffffffffff ==> \result == 0;
    ensures generation(name) != 0xfffffffffff ==>
      link(\result) == 0 && generation(\result) == generation(name) + 1 && \result != 0;
 */
static inline uint64_t name_behind(uint64_t name);

/*@ requires link(name) == 0 && link <= 0xfffff;
    assigns \nothing;
    ensures link(\result) == link && generation(\result) == generation(name);
 */
static inline uint64_t name_linked(uint64_t name, uint32_t link);

/*@ requires slot <= 0xfffff && generation <= 0xfffffffffff;
    assigns \nothing;
    ensures link(\result.raw) == slot && generation(\result.raw) == generation;
 */
static inline struct cap_id cap_id_make(uint32_t slot, uint64_t generation);

/* ---- slots */

/*@ axiomatic Order {
      logic integer pos(integer s);
      logic integer base;
    }
 */

/*@ axiomatic Slots {
      logic struct cap_slot *at(struct cap_table *t, integer s);
      predicate there(struct cap_table *t, integer s);
      logic struct provenance *cold(struct cap_table *t, integer s);
      axiom there_is: \forall struct cap_table *t, integer s; there(t, s) ==>
        0 <= s < LIMIT_TABLE_SLOTS;
    }

    predicate alone{L}(struct cap_table *t, integer s) =
      \valid(at(t, s)) && \separated(t, at(t, s)) &&
      \forall integer o; there(t, o) && o != s ==> \separated(at(t, o), at(t, s));

    predicate apart{L}(struct cap_table *t) =
      \valid(t) &&
      (\forall integer s; CAP_TABLE_WINDOW <= s < t->paged ==> there(t, s)) &&
      (\forall integer s; there(t, s) ==> alone(t, s));

    predicate used_name(integer s, integer name) =
      (name != 0 && link(name) == s) || link(name) == LINK_MOVING;

    predicate free_name(integer s, integer name) =
      name != 0 && link(name) != s && link(name) != LINK_MOVING && link(name) != LINK_RETIRED;

    predicate is_free{L}(struct cap_table *t, integer s) =
      CAP_TABLE_WINDOW <= s < t->fresh && there(t, s) && free_name(s, at(t, s)->name);

    logic integer place(integer s, integer pushed, integer where) = s == pushed ? where : pos(s);

    predicate behind{L}(struct cap_table *t, integer s, integer base, integer out, integer pushed) =
      link(at(t, s)->name) == LINK_END ?
        t->free_tail == s &&
          place(s, pushed, base + t->free_count - 1) == base + t->free_count - 1 :
        CAP_TABLE_WINDOW <= link(at(t, s)->name) < t->fresh &&
        link(at(t, s)->name) != out && there(t, link(at(t, s)->name)) &&
        free_name(link(at(t, s)->name), at(t, link(at(t, s)->name))->name) &&
        at(t, link(at(t, s)->name))->edge.interface_id == s &&
        place(link(at(t, s)->name), pushed, base + t->free_count - 1) ==
          place(s, pushed, base + t->free_count - 1) + 1 &&
        place(s, pushed, base + t->free_count - 1) + 1 < base + t->free_count;

    predicate before{L}(struct cap_table *t, integer s, integer base, integer out, integer pushed) =
      at(t, s)->edge.interface_id == LINK_END ?
        t->free_head == s && place(s, pushed, base + t->free_count - 1) == base :
        CAP_TABLE_WINDOW <= at(t, s)->edge.interface_id < t->fresh &&
        at(t, s)->edge.interface_id != out && there(t, at(t, s)->edge.interface_id) &&
        free_name(at(t, s)->edge.interface_id, at(t, at(t, s)->edge.interface_id)->name) &&
        link(at(t, at(t, s)->edge.interface_id)->name) == s;

    predicate within{L}(struct cap_table *t, integer s, integer base, integer pushed) =
      base <= place(s, pushed, base + t->free_count - 1) < base + t->free_count &&
      at(t, s)->edge.object == \null && generation(at(t, s)->name) >= 1;

    predicate sole{L}(struct cap_table *t, integer s, integer out, integer where, integer pushed) =
      \forall integer o; is_free(t, o) && o != out &&
        place(o, pushed, where) == place(s, pushed, where) ==> o == s;

    predicate ends{L}(struct cap_table *t, integer out) =
      CAP_TABLE_WINDOW <= t->fresh <= t->paged <= LIMIT_TABLE_SLOTS &&
      (t->free_head == LINK_END <==> t->free_tail == LINK_END) &&
      (t->free_head == LINK_END <==> t->free_count == 0) &&
      (t->free_head != LINK_END ==>
        is_free(t, t->free_head) && t->free_head != out &&
        at(t, t->free_head)->edge.interface_id == LINK_END &&
        is_free(t, t->free_tail) && t->free_tail != out &&
        link(at(t, t->free_tail)->name) == LINK_END);

    predicate list{L}(struct cap_table *t, integer base, integer out, integer pushed) =
      ends(t, out) &&
      \forall integer s; is_free(t, s) && s != out ==>
        behind(t, s, base, out, pushed) && before(t, s, base, out, pushed) &&
        within(t, s, base, pushed) && sole(t, s, out, base + t->free_count - 1, pushed);
 */

/*@ requires \valid_read(table) && there(table, slot);
    assigns \nothing;
    ensures \result == at(table, slot);
 */
static inline struct cap_slot *slot_at(const struct cap_table *table, uint32_t slot);

/*@ requires \valid_read(entry) && entry->edge.interface_id <= LINK_END;
    assigns \nothing;
    ensures \result == entry->edge.interface_id;
 */
static inline uint32_t slot_previous(const struct cap_slot *entry);

/*@ requires \valid(entry);
    assigns entry->edge.interface_id;
    ensures entry->edge.interface_id == previous;
 */
static inline void slot_set_previous(struct cap_slot *entry, uint32_t previous);

/*@ requires apart(table) && list(table, base, -1, -1);
    requires table->free_head != LINK_END && entry == at(table, table->free_head);
    assigns table->free_head, table->free_tail, table->free_count,
      at(table, link(entry->name) == LINK_END ? table->free_head :
        link(entry->name))->edge.interface_id;
    ensures table->free_count == \old(table->free_count) - 1;
    ensures table->free_head == link(\old(entry->name));
    ensures apart: apart(table);
    ensures names: \forall integer s; there(table, s) ==>
      at(table, s)->name == \old(at(table, s)->name);
    ensures free: \forall integer s; is_free(table, s) <==> \old(is_free(table, s));
    ensures ends: ends(table, \old(table->free_head));
    ensures behind: \forall integer s; is_free(table, s) && \old(is_free(table, s)) &&
      s != \old(table->free_head) ==> behind(table, s, base + 1, \old(table->free_head), -1);
    ensures before: \forall integer s; is_free(table, s) && \old(is_free(table, s)) &&
      s != \old(table->free_head) ==> before(table, s, base + 1, \old(table->free_head), -1);
    ensures within: \forall integer s; is_free(table, s) && \old(is_free(table, s)) &&
      s != \old(table->free_head) ==> within(table, s, base + 1, -1);
    ensures sole: \forall integer s, o; \old(is_free(table, s)) && \old(is_free(table, o)) &&
      place(s, -1, base) == place(o, -1, base) ==> s == o;
 */
static ALWAYS_INLINE void free_pop(struct cap_table *table, const struct cap_slot *entry);

/*@ requires apart(table) && list(table, base, slot, -1);
    requires CAP_TABLE_WINDOW <= slot < table->fresh && there(table, slot);
    requires entry == at(table, slot);
    requires entry->edge.object == \null && link(name) == 0 && generation(name) >= 1;
    requires !free_name(slot, entry->name);
    requires table->free_count < LIMIT_TABLE_SLOTS;
    assigns table->free_head, table->free_tail, table->free_count, entry->name,
      entry->edge.interface_id,
      at(table, table->free_tail == LINK_END ? slot : table->free_tail)->name;
    ensures table->free_count == \old(table->free_count) + 1;
    ensures table->free_tail == slot;
    ensures apart: apart(table);
    ensures name: generation(entry->name) == generation(name) && link(entry->name) == LINK_END;
    ensures generations: \forall integer s; there(table, s) && s != slot ==>
      generation(at(table, s)->name) == generation(\old(at(table, s)->name));
    ensures names: \forall integer s; there(table, s) && s != slot &&
      s != \old(table->free_tail) ==>
      at(table, s)->name == \old(at(table, s)->name);
    ensures free: \forall integer s; is_free(table, s) <==> s == slot || \old(is_free(table, s));
    ensures ends: ends(table, -1);
    ensures slot_behind: behind(table, slot, base, -1, slot);
    ensures tail_behind: \old(table->free_tail) != LINK_END ==>
      behind(table, \old(table->free_tail), base, -1, slot);
    ensures rest_behind: \forall integer s; \old(is_free(table, s)) && s != slot &&
      s != \old(table->free_tail) ==>
      behind(table, s, base, -1, slot);
    ensures slot_before: before(table, slot, base, -1, slot);
    ensures rest_before: \forall integer s; \old(is_free(table, s)) && s != slot ==>
      before(table, s, base, -1, slot);
    ensures sole: \forall integer s; \old(is_free(table, s)) && s != slot ==>
      place(s, slot, base + table->free_count - 1) !=
      place(slot, slot, base + table->free_count - 1);
    ensures within: \forall integer s; is_free(table, s) &&
      (s == slot || \old(is_free(table, s))) ==>
      within(table, s, base, slot);
 */
static inline void free_push(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                             uint64_t name);

/*@ requires slot < CAP_TABLE_WINDOW && \valid(table);
    assigns table->window_free[slot / 64];
 */
static inline void window_set(struct cap_table *table, uint32_t slot, bool is_free);

/*@ requires apart(table) && list(table, base, slot, -1) && there(table, slot);
    requires entry == at(table, slot) && table->retired < LIMIT_TABLE_SLOTS;
    requires table->free_count < LIMIT_TABLE_SLOTS;
    requires slot >= CAP_TABLE_WINDOW ==> slot < table->fresh;
    requires 1 <= generation(name) <= 0xfffffffffff && !free_name(slot, entry->name);
    assigns table->retired, table->window_free[slot / 64], table->free_head,
      table->free_tail, table->free_count, *entry,
      at(table, table->free_tail == LINK_END ? slot : table->free_tail)->name;
    ensures empty: entry->edge.object == \null && entry->edge.grant == \null;
    ensures retired: generation(name) == 0xfffffffffff ==> link(entry->name) == LINK_RETIRED &&
      generation(entry->name) == 0xfffffffffff && table->retired == \old(table->retired) + 1 &&
      table->free_count == \old(table->free_count);
    ensures raised: generation(name) < 0xfffffffffff ==> table->retired == \old(table->retired) &&
      generation(entry->name) == generation(name) + 1 &&
      link(entry->name) == (slot < CAP_TABLE_WINDOW ? LINK_FREE : LINK_END) &&
      table->free_count == \old(table->free_count) + (slot < CAP_TABLE_WINDOW ? 0 : 1);
    ensures stale: \forall integer id; link(id) == slot && generation(id) <= generation(name) ==>
      entry->name != id;
    ensures others: \forall integer s; there(table, s) && s != slot ==>
      generation(at(table, s)->name) == generation(\old(at(table, s)->name));
    ensures names: \forall integer s; there(table, s) && s != slot &&
      s != \old(table->free_tail) ==>
      at(table, s)->name == \old(at(table, s)->name);
 */
static inline void slot_free(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                             uint64_t name);

/*@ requires apart(table) && list(table, base, slot, -1) && there(table, slot);
    requires entry == at(table, slot) && table->used > 0 && table->retired < LIMIT_TABLE_SLOTS;
    requires table->free_count < LIMIT_TABLE_SLOTS;
    requires slot >= CAP_TABLE_WINDOW ==> slot < table->fresh;
    requires 1 <= generation(name) <= 0xfffffffffff && !free_name(slot, entry->name);
    assigns table->used, table->retired, table->window_free[slot / 64], table->free_head,
      table->free_tail, table->free_count, *entry,
      at(table, table->free_tail == LINK_END ? slot : table->free_tail)->name;
    ensures used: table->used == \old(table->used) - 1;
    ensures empty: entry->edge.object == \null && entry->edge.grant == \null;
    ensures retired: generation(name) == 0xfffffffffff ==> link(entry->name) == LINK_RETIRED &&
      generation(entry->name) == 0xfffffffffff && table->retired == \old(table->retired) + 1 &&
      table->free_count == \old(table->free_count);
    ensures raised: generation(name) < 0xfffffffffff ==> table->retired == \old(table->retired) &&
      generation(entry->name) == generation(name) + 1 &&
      link(entry->name) == (slot < CAP_TABLE_WINDOW ? LINK_FREE : LINK_END) &&
      table->free_count == \old(table->free_count) + (slot < CAP_TABLE_WINDOW ? 0 : 1);
    ensures stale: \forall integer id; link(id) == slot && generation(id) <= generation(name) ==>
      entry->name != id;
    ensures others: \forall integer s; there(table, s) && s != slot ==>
      generation(at(table, s)->name) == generation(\old(at(table, s)->name));
    ensures names: \forall integer s; there(table, s) && s != slot &&
      s != \old(table->free_tail) ==>
      at(table, s)->name == \old(at(table, s)->name);
 */
static inline void slot_leave(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                              uint64_t name);

/*@ requires apart(table) && list(table, base, -1, -1);
    requires table->free_head == LINK_END ==> table->fresh < table->paged;
    assigns table->free_head, table->free_tail, table->free_count, table->fresh,
      at(table, table->free_head == LINK_END ? table->fresh :
        link(at(table, table->free_head)->name) == LINK_END ? table->free_head :
        link(at(table, table->free_head)->name))->edge.interface_id;
    ensures oldest: \old(table->free_head) != LINK_END ==>
      \result == \old(table->free_head) && table->fresh == \old(table->fresh) &&
      table->free_count == \old(table->free_count) - 1;
    ensures next: \old(table->free_head) == LINK_END ==>
      \result == \old(table->fresh) && table->fresh == \old(table->fresh) + 1 &&
      table->free_count == \old(table->free_count);
    ensures slot: CAP_TABLE_WINDOW <= \result < table->fresh <= table->paged &&
      there(table, \result);
    ensures names: \forall integer s; there(table, s) ==>
      at(table, s)->name == \old(at(table, s)->name);
 */
static inline uint32_t free_take(struct cap_table *table);

/*@ requires \valid(table) && \valid(entry) && \separated(table, entry);
    requires slot < LIMIT_TABLE_SLOTS && 1 <= generation <= 0xfffffffffff;
    requires table->used < LIMIT_TABLE_SLOTS;
    assigns table->used, entry->name;
    ensures table->used == \old(table->used) + 1;
    ensures \result.raw == entry->name;
    ensures link(entry->name) == slot && generation(entry->name) == generation;
 */
static inline struct cap_id slot_name_in(struct cap_table *table, uint32_t slot,
                                         struct cap_slot *entry, uint64_t generation);

/*@ requires \valid(table) && \valid(entry) && \separated(table, entry);
    requires slot < LIMIT_TABLE_SLOTS && entry->edge.object != \null;
    requires table->used < LIMIT_TABLE_SLOTS && 0 <= generation(entry->name) <= 0xfffffffffff;
    assigns table->used, entry->name;
    ensures table->used == \old(table->used) + 1;
    ensures \result.raw == entry->name;
    ensures link(entry->name) == slot;
    ensures generation(entry->name) == (generation(\old(entry->name)) == 0 ? 1 :
      generation(\old(entry->name)));
 */
static inline struct cap_id slot_name(struct cap_table *table, uint32_t slot,
                                      struct cap_slot *entry);

/*@ requires \valid(cold(table, slot));
    assigns *cold(table, slot);
 */
static inline void slot_set_origin(struct cap_table *table, uint32_t slot,
                                   const struct provenance *origin);

/*@ requires apart(table) && there(table, slot) && \valid_read(edge) && edge->object != \null;
    requires \separated(edge, table) && \separated(edge, at(table, slot));
    requires \valid(cold(table, slot)) && \separated(cold(table, slot), table) &&
      \separated(cold(table, slot), edge);
    requires \forall integer s; there(table, s) ==> \separated(at(table, s), cold(table, slot));
    requires at(table, slot)->edge.object == \null && table->used < LIMIT_TABLE_SLOTS;
    requires 0 <= generation(at(table, slot)->name) <= 0xfffffffffff;
    assigns table->used, *at(table, slot), *cold(table, slot);
    ensures used: table->used == \old(table->used) + 1;
    ensures id: \result.raw == at(table, slot)->name && link(\result.raw) == slot;
    ensures generation: generation(\result.raw) ==
      (generation(\old(at(table, slot)->name)) == 0 ? 1 :
        generation(\old(at(table, slot)->name)));
    ensures object: at(table, slot)->edge.object == \old(edge->object) &&
      at(table, slot)->edge.grant == \old(edge->grant);
    ensures facet: at(table, slot)->edge.interface_id == \old(edge->interface_id) &&
      at(table, slot)->edge.facet == \old(edge->facet) &&
        at(table, slot)->edge.badge == \old(edge->badge) &&
          at(table, slot)->edge.epoch == \old(edge->epoch);
    ensures mode: at(table, slot)->edge.mode == \old(edge->mode) &&
      at(table, slot)->edge.grantable == \old(edge->grantable) &&
        at(table, slot)->edge.flags == \old(edge->flags);
    ensures others: \forall integer s; there(table, s) && s != slot ==>
      at(table, s)->name == \old(at(table, s)->name) &&
      at(table, s)->edge.interface_id == \old(at(table, s)->edge.interface_id) &&
      at(table, s)->edge.object == \old(at(table, s)->edge.object);
 */
static inline struct cap_id slot_fill(struct cap_table *table, uint32_t slot,
                                      const struct hold_edge *edge,
                                      const struct provenance *origin);

#include "core/cap_table.c"
