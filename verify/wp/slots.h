/* SPDX-License-Identifier: MIT */
/*
 * What is said of a table's slots, for verify/wp/slots.c, which proves it of each step,
 * verify/wp/whole.c and verify/wp/tally.c.
 *
 * Each slot has its place, at(), the same for ever; those above the window whose page is not there
 * yet have the one that they will have, and only what lies below `paged` is looked at.
 *
 * The free list (invariant 1): each free slot has its place in an order, one behind its neighbour,
 * from `base` at the head to base + free_count - 1 at the tail, no two the same; the neighbours
 * know each other. So the list holds each free slot once and is as long as free_count says. `out`
 * is a slot that was taken off and has no other name yet, or -1; `pushed` one that has the last
 * place, whatever its place was, or -1.
 *
 * Z3 follows the patterns of quantifiers only: any() is true of every slot and there for that.
 */
#ifndef VERIFY_WP_SLOTS_H
#define VERIFY_WP_SLOTS_H

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
      axiom links: \forall integer a; 0 <= link(a) <= 0xfffff;
      axiom generations: \forall integer a; 0 <= a <= 0xffffffffffffffff ==>
        0 <= generation(a) <= 0xfffffffffff;
    }

    axiomatic Bits {
      predicate has(integer word, integer s);
      logic integer word_of(integer s);
      axiom word_is: \forall integer s; 0 <= s < CAP_TABLE_WINDOW ==> 0 <= word_of(s) < 4;
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

      predicate any(integer s);
      axiom any_is: \forall integer s; 0 <= s ==> any(s);
    }
 */

/*@ axiomatic Slots {
      logic struct cap_slot *at(struct cap_table *t, integer s);
      logic struct provenance *cold(struct cap_table *t, integer s);
      predicate there(struct cap_table *t, integer s);
      axiom there_is: \forall struct cap_table *t, integer s; there(t, s) ==>
        0 <= s < LIMIT_TABLE_SLOTS;
      axiom there_above: \forall struct cap_table *t, integer s;
        CAP_TABLE_WINDOW <= s < LIMIT_TABLE_SLOTS ==> there(t, s);
    }

    predicate here{L}(struct cap_table *t, integer s) =
      there(t, s) && (s < CAP_TABLE_WINDOW || s < t->paged);

    axiomatic Places {
      predicate separate(struct cap_table *t);
      predicate filed(struct cap_table *t);
      predicate beside(struct cap_table *t, struct hold_edge *e);
    }

    predicate apart{L}(struct cap_table *t) =
      \valid(t) && (\forall integer s; there(t, s) ==> \valid(at(t, s))) && separate(t);

    predicate recorded{L}(struct cap_table *t) =
      (\forall integer s; there(t, s) ==> \valid(cold(t, s))) && filed(t);

    predicate window_bit{L}(struct cap_table *t, integer s) = has(t->window_free[word_of(s)], s);

    predicate used_name(integer s, integer name) =
      (name != 0 && link(name) == s) || link(name) == LINK_MOVING;

    predicate free_name(integer s, integer name) =
      name != 0 && link(name) != s && link(name) != LINK_MOVING && link(name) != LINK_RETIRED;

    predicate is_free{L}(struct cap_table *t, integer s) =
      any(s) && CAP_TABLE_WINDOW <= s && there(t, s) && free_name(s, at(t, s)->name);

    logic integer place(integer s, integer pushed, integer where) = s == pushed ? where : pos(s);

    logic integer pushed(integer slot, integer name) =
      slot >= CAP_TABLE_WINDOW && generation(name) < 0xfffffffffff ? slot : -1;

    predicate behind{L}(struct cap_table *t, integer s, integer out, integer pushed,
                        integer fresh, integer tail, integer end) =
      link(at(t, s)->name) == LINK_END ? tail == s && place(s, pushed, end - 1) == end - 1 :
        CAP_TABLE_WINDOW <= link(at(t, s)->name) < fresh &&
        link(at(t, s)->name) != out && there(t, link(at(t, s)->name)) &&
        free_name(link(at(t, s)->name), at(t, link(at(t, s)->name))->name) &&
        at(t, link(at(t, s)->name))->edge.interface_id == s &&
        place(link(at(t, s)->name), pushed, end - 1) == place(s, pushed, end - 1) + 1 &&
        place(s, pushed, end - 1) + 1 < end;

    predicate before{L}(struct cap_table *t, integer s, integer out, integer pushed,
                        integer fresh, integer head, integer base, integer end) =
      at(t, s)->edge.interface_id == LINK_END ?
        head == s && place(s, pushed, end - 1) == base :
        CAP_TABLE_WINDOW <= at(t, s)->edge.interface_id < fresh &&
        at(t, s)->edge.interface_id != out && there(t, at(t, s)->edge.interface_id) &&
        free_name(at(t, s)->edge.interface_id, at(t, at(t, s)->edge.interface_id)->name) &&
        link(at(t, at(t, s)->edge.interface_id)->name) == s;

    predicate within{L}(struct cap_table *t, integer s, integer pushed, integer fresh,
                        integer base, integer end) =
      s < fresh && base <= place(s, pushed, end - 1) < end &&
      at(t, s)->edge.object == \null && generation(at(t, s)->name) >= 1;

    predicate sole{L}(struct cap_table *t, integer s, integer out, integer pushed, integer end) =
      \forall integer o; any(o) && is_free(t, o) && o != out &&
        place(o, pushed, end - 1) == place(s, pushed, end - 1) ==> o == s;

    axiomatic List {
      predicate ends{L}(struct cap_table *t, integer out, integer head, integer tail,
          integer count)
        reads at(t, 0)->name, at(t, 0)->edge.object, at(t, 0)->edge.interface_id;
      predicate behinds{L}(struct cap_table *t, integer out, integer pushed, integer fresh,
          integer tail, integer base, integer count)
        reads at(t, 0)->name, at(t, 0)->edge.object, at(t, 0)->edge.interface_id;
      predicate befores{L}(struct cap_table *t, integer out, integer pushed, integer fresh,
          integer head, integer base, integer count)
        reads at(t, 0)->name, at(t, 0)->edge.object, at(t, 0)->edge.interface_id;
      predicate withins{L}(struct cap_table *t, integer out, integer pushed, integer fresh,
          integer base, integer count)
        reads at(t, 0)->name, at(t, 0)->edge.object, at(t, 0)->edge.interface_id;
      predicate soles{L}(struct cap_table *t, integer out, integer pushed, integer base,
          integer count)
        reads at(t, 0)->name, at(t, 0)->edge.object, at(t, 0)->edge.interface_id;
    }

    predicate linked{L}(struct cap_table *t, integer out, integer pushed, integer fresh,
                        integer head, integer tail, integer base, integer count) =
      ends(t, out, head, tail, count) && behinds(t, out, pushed, fresh, tail, base, count) &&
      befores(t, out, pushed, fresh, head, base, count) &&
      withins(t, out, pushed, fresh, base, count) && soles(t, out, pushed, base, count);

    predicate list{L}(struct cap_table *t, integer base, integer out, integer pushed) =
      CAP_TABLE_WINDOW <= t->fresh <= t->paged <= LIMIT_TABLE_SLOTS &&
      (t->free_head == LINK_END <==> t->free_count == 0) &&
      linked(t, out, pushed, t->fresh, t->free_head, t->free_tail, base, t->free_count);

    predicate same_edge{A, B}(struct hold_edge *from, struct hold_edge *to) =
      \at(from->object, A) == \at(to->object, B) &&
      \at(from->interface_id, A) == \at(to->interface_id, B) &&
      \at(from->facet, A) == \at(to->facet, B) && \at(from->badge, A) == \at(to->badge, B) &&
      \at(from->grant, A) == \at(to->grant, B) && \at(from->epoch, A) == \at(to->epoch, B) &&
      \at(from->mode, A) == \at(to->mode, B) &&
      \at(from->grantable, A) == \at(to->grantable, B) &&
      \at(from->flags, A) == \at(to->flags, B);

    predicate left{A, B}(struct cap_table *t, integer slot, integer name) =
      generation(name) == 0xfffffffffff ?
        \at(link(at(t, slot)->name), B) == LINK_RETIRED &&
        \at(generation(at(t, slot)->name), B) == 0xfffffffffff &&
        \at(t->retired, B) == \at(t->retired, A) + 1 &&
        \at(t->free_count, B) == \at(t->free_count, A) :
        \at(link(at(t, slot)->name), B) == (slot < CAP_TABLE_WINDOW ? LINK_FREE : LINK_END) &&
        \at(generation(at(t, slot)->name), B) == generation(name) + 1 &&
        \at(t->retired, B) == \at(t->retired, A) &&
        \at(t->free_count, B) == \at(t->free_count, A) + (slot < CAP_TABLE_WINDOW ? 0 : 1);

    predicate window_gets{A, B}(struct cap_table *t, integer slot) =
      \forall integer s; 0 <= s < CAP_TABLE_WINDOW ==>
        (\at(window_bit(t, s), B) <==> s == slot || \at(window_bit(t, s), A));

    predicate kept_slot{A, B}(struct cap_table *t, integer s) =
      \at(generation(at(t, s)->name), A) == \at(generation(at(t, s)->name), B) &&
      \at(at(t, s)->edge.object, A) == \at(at(t, s)->edge.object, B) &&
      (s >= CAP_TABLE_WINDOW && free_name(s, \at(at(t, s)->name, A)) ?
        free_name(s, \at(at(t, s)->name, B)) :
        \at(at(t, s)->name, A) == \at(at(t, s)->name, B) &&
        same_edge{A, B}(\at(&at(t, s)->edge, A), \at(&at(t, s)->edge, A)));

    predicate kept{A, B}(struct cap_table *t, integer slot) =
      \forall integer s; there(t, s) && s != slot ==> kept_slot{A, B}(t, s);

    logic integer next_slot{L}(struct cap_table *t) =
      t->free_head == LINK_END ? t->fresh : t->free_head;
 */

/* ---- how many slots are in each state */

enum kind {
    KIND_NONE,
    KIND_HELD,
    KIND_BURIED,
    KIND_MOVING,
    KIND_MOVING_BURIED,
    KIND_RETIRED,
    KIND_WINDOW,
    KIND_FREE
};

/*@ logic integer kind_of(integer s, integer name, void *object) =
      name == 0 ? KIND_NONE :
      link(name) == s ? (object == \null ? KIND_BURIED : KIND_HELD) :
      link(name) == LINK_MOVING ? (object == \null ? KIND_MOVING_BURIED : KIND_MOVING) :
      link(name) == LINK_RETIRED ? KIND_RETIRED :
      s < CAP_TABLE_WINDOW ? KIND_WINDOW : KIND_FREE;

    axiomatic Kinds {
      logic integer kind{L}(struct cap_table *t, integer s)
        reads at(t, s)->name, at(t, s)->edge.object;
      axiom kind_is{L}: \forall struct cap_table *t, integer s; there(t, s) ==>
        kind(t, s) == kind_of(s, at(t, s)->name, at(t, s)->edge.object);

      predicate only{A, B}(struct cap_table *t, integer s)
        reads \at(at(t, s)->name, A), \at(at(t, s)->edge.object, A), \at(at(t, s)->name, B),
          \at(at(t, s)->edge.object, B);
      axiom only_is{A, B}: \forall struct cap_table *t, integer s; only{A, B}(t, s) <==>
        (\forall integer o; there(t, o) && o != s ==>
          \at(kind(t, o), A) == \at(kind(t, o), B));

      logic integer tally{L}(struct cap_table *t, integer kind)
        reads at(t, 0)->name, at(t, 0)->edge.object;
    }
 */

/* What verify/wp/tally.c proves and verify/wp/whole.c uses. */
/* clang-format off */
#define TALLY_ONLY(A, B, t, s, k) \
    only{A, B}(t, s) ==> there(t, s) ==> \
    \at(tally(t, k), B) - (\at(kind(t, s), B) == k ? 1 : 0) == \
    \at(tally(t, k), A) - (\at(kind(t, s), A) == k ? 1 : 0)
#define TALLY_LEAST(t, s) there(t, s) ==> 1 <= tally(t, kind(t, s))
#define TALLY_MOST(t, s, k) there(t, s) ==> kind(t, s) != k ==> tally(t, k) < LIMIT_TABLE_SLOTS
#define TALLY_RANGE(t, k) 0 <= tally(t, k) <= LIMIT_TABLE_SLOTS
/* clang-format on */

/*@ requires \valid_read(entry);
    assigns \nothing;
    ensures \result <==> entry->name != 0 && link(entry->name) == slot;
 */
static inline bool slot_is_held(const struct cap_slot *entry, uint32_t slot);

/*@ requires \valid_read(entry);
    assigns \nothing;
    ensures \result <==> used_name(slot, entry->name);
 */
static inline bool slot_is_used(const struct cap_slot *entry, uint32_t slot);

/*@ requires \valid_read(table) && here(table, slot);
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
    ensures ends: ends(table, \old(table->free_head), table->free_head, table->free_tail,
      table->free_count);
    ensures behind: behinds(table, \old(table->free_head), -1, table->fresh, table->free_tail,
      base + 1, table->free_count);
    ensures before: befores(table, \old(table->free_head), -1, table->fresh, table->free_head,
      base + 1, table->free_count);
    ensures within: withins(table, \old(table->free_head), -1, table->fresh,
      base + 1, table->free_count);
    ensures sole: soles(table, \old(table->free_head), -1, base + 1, table->free_count);
 */
static ALWAYS_INLINE void free_pop(struct cap_table *table, const struct cap_slot *entry);

/*@ requires apart(table) && list(table, base, -1, -1);
    requires CAP_TABLE_WINDOW <= slot < table->fresh;
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
    ensures ends: ends(table, -1, table->free_head, table->free_tail, table->free_count);
    ensures slot_behind: behind(table, slot, -1, slot, table->fresh, table->free_tail,
      base + table->free_count);
    ensures tail_behind: \old(table->free_tail) != LINK_END ==>
      behind(table, \old(table->free_tail), -1, slot, table->fresh, table->free_tail,
        base + table->free_count);
    ensures rest_behind: \forall integer s; any(s) && is_free(table, s) && s != slot &&
      s != \old(table->free_tail) ==>
      behind(table, s, -1, slot, table->fresh, table->free_tail, base + table->free_count);
    ensures before: befores(table, -1, slot, table->fresh, table->free_head,
      base, table->free_count);
    ensures within: withins(table, -1, slot, table->fresh,
      base, table->free_count);
    ensures sole: soles(table, -1, slot, base, table->free_count);
 */
static inline void free_push(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                             uint64_t name);

/*@ requires slot < CAP_TABLE_WINDOW && \valid(table);
    assigns table->window_free[0 .. 3];
    ensures \forall integer s; 0 <= s < CAP_TABLE_WINDOW ==>
      (window_bit(table, s) <==> (s == slot ? is_free != 0 : \old(window_bit(table, s))));
 */
static inline void window_set(struct cap_table *table, uint32_t slot, bool is_free);

/*@ requires apart(table) && list(table, base, -1, -1) && here(table, slot);
    requires entry == at(table, slot) && table->retired < LIMIT_TABLE_SLOTS;
    requires table->free_count < LIMIT_TABLE_SLOTS;
    requires slot >= CAP_TABLE_WINDOW ==> slot < table->fresh;
    requires 1 <= generation(name) <= 0xfffffffffff && !free_name(slot, entry->name);
    assigns table->retired, table->window_free[0 .. 3], table->free_head,
      table->free_tail, table->free_count, *entry,
      at(table, table->free_tail == LINK_END ? slot : table->free_tail)->name;
    ensures empty: entry->edge.object == \null && entry->edge.grant == \null;
    ensures left: left{Pre, Post}(table, slot, name);
    ensures ends: CAP_TABLE_WINDOW <= table->fresh <= table->paged <= LIMIT_TABLE_SLOTS &&
      ends(table, -1, table->free_head, table->free_tail, table->free_count);
    ensures behind: behinds(table, -1, pushed(slot, name), table->fresh, table->free_tail,
      base, table->free_count);
    ensures before: befores(table, -1, pushed(slot, name), table->fresh, table->free_head,
      base, table->free_count);
    ensures within: withins(table, -1, pushed(slot, name), table->fresh,
      base, table->free_count);
    ensures sole: soles(table, -1, pushed(slot, name), base, table->free_count);
    ensures window: window_gets{Pre, Post}(table,
      generation(name) < 0xfffffffffff ? slot : -1);
    ensures kept: kept{Pre, Post}(table, slot);
    ensures only: only{Pre, Post}(table, slot);
 */
static inline void slot_free(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                             uint64_t name);

/*@ requires apart(table) && list(table, base, -1, -1) && here(table, slot);
    requires entry == at(table, slot) && table->used > 0 && table->retired < LIMIT_TABLE_SLOTS;
    requires table->free_count < LIMIT_TABLE_SLOTS;
    requires slot >= CAP_TABLE_WINDOW ==> slot < table->fresh;
    requires 1 <= generation(name) <= 0xfffffffffff && !free_name(slot, entry->name);
    assigns table->used, table->retired, table->window_free[0 .. 3], table->free_head,
      table->free_tail, table->free_count, *entry,
      at(table, table->free_tail == LINK_END ? slot : table->free_tail)->name;
    ensures used: table->used == \old(table->used) - 1;
    ensures empty: entry->edge.object == \null && entry->edge.grant == \null;
    ensures left: left{Pre, Post}(table, slot, name);
    ensures list: list(table, base, -1, pushed(slot, name));
    ensures window: window_gets{Pre, Post}(table,
      generation(name) < 0xfffffffffff ? slot : -1);
    ensures kept: kept{Pre, Post}(table, slot);
    ensures only: only{Pre, Post}(table, slot);
 */
static inline void slot_leave(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                              uint64_t name);

/*@ requires apart(table) && list(table, base, -1, -1) && here(table, slot);
    requires entry == at(table, slot) && table->used > 0 && table->retired < LIMIT_TABLE_SLOTS;
    requires table->free_count < LIMIT_TABLE_SLOTS;
    requires slot >= CAP_TABLE_WINDOW ==> slot < table->fresh;
    requires generation(entry->name) >= 1 && used_name(slot, entry->name);
    requires entry->edge.object == \null ==> table->buried > 0;
    assigns table->used, table->buried, table->retired, table->window_free[0 .. 3],
      table->free_head, table->free_tail, table->free_count, *entry,
      at(table, table->free_tail == LINK_END ? slot : table->free_tail)->name;
    ensures used: table->used == \old(table->used) - 1;
    ensures buried: table->buried ==
      \old(table->buried) - \old(entry->edge.object == \null ? 1 : 0);
    ensures empty: entry->edge.object == \null && entry->edge.grant == \null;
    ensures left: left{Pre, Post}(table, slot, \old(entry->name));
    ensures list: list(table, base, -1, pushed(slot, \old(entry->name)));
    ensures window: window_gets{Pre, Post}(table,
      \old(generation(entry->name)) < 0xfffffffffff ? slot : -1);
    ensures kept: kept{Pre, Post}(table, slot);
    ensures only: only{Pre, Post}(table, slot);
 */
static inline void slot_vacate(struct cap_table *table, uint32_t slot, struct cap_slot *entry);

/*@ requires apart(table) && list(table, base, -1, -1);
    requires table->free_head == LINK_END ==> table->fresh < table->paged &&
      at(table, table->fresh)->name == 0;
    assigns table->free_head, table->free_tail, table->free_count, table->fresh,
      at(table, table->free_head == LINK_END ? table->fresh :
        link(at(table, table->free_head)->name) == LINK_END ? table->free_head :
        link(at(table, table->free_head)->name))->edge.interface_id;
    ensures oldest: \old(table->free_head) != LINK_END ==>
      \result == \old(table->free_head) && table->fresh == \old(table->fresh) &&
      table->free_count == \old(table->free_count) - 1 &&
      free_name(\result, at(table, \result)->name) &&
      at(table, \result)->edge.object == \null;
    ensures next: \old(table->free_head) == LINK_END ==>
      \result == \old(table->fresh) && table->fresh == \old(table->fresh) + 1 &&
      table->free_count == \old(table->free_count);
    ensures slot: CAP_TABLE_WINDOW <= \result < table->fresh <= table->paged;
    ensures names: \forall integer s; there(table, s) ==>
      at(table, s)->name == \old(at(table, s)->name);
    ensures list_oldest: \old(table->free_head) != LINK_END ==>
      list(table, base + 1, \result, -1);
    ensures list_next: \old(table->free_head) == LINK_END ==> list(table, base, \result, -1);
    ensures beside: \forall struct hold_edge *e; beside(table, e) ==>
      same_edge{Pre, Post}(e, e);
    ensures window: window_gets{Pre, Post}(table, -1);
    ensures kept: kept{Pre, Post}(table, -1);
    ensures only: only{Pre, Post}(table, \result);
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

/*@ requires here(table, slot) && \valid(cold(table, slot));
    requires origin == \null || \valid_read(origin);
    assigns *cold(table, slot);
 */
static inline void slot_set_origin(struct cap_table *table, uint32_t slot,
                                   const struct provenance *origin);

/*@ requires apart(table) && recorded(table) && here(table, slot) && \valid_read(edge);
    requires edge->object != \null && (origin == \null || \valid_read(origin));
    requires beside(table, edge);
    requires at(table, slot)->edge.object == \null && table->used < LIMIT_TABLE_SLOTS;
    assigns table->used, *at(table, slot), *cold(table, slot);
    ensures used: table->used == \old(table->used) + 1;
    ensures id: \result.raw == at(table, slot)->name && link(\result.raw) == slot;
    ensures generation: generation(\result.raw) ==
      (generation(\old(at(table, slot)->name)) == 0 ? 1 :
        generation(\old(at(table, slot)->name)));
    ensures edge: same_edge{Pre, Post}(edge, &at(table, slot)->edge);
    ensures others: \forall integer s; there(table, s) && s != slot ==>
      at(table, s)->name == \old(at(table, s)->name) &&
      at(table, s)->edge.interface_id == \old(at(table, s)->edge.interface_id);
    ensures ends: \forall integer h, l, c; \old(ends(table, slot, h, l, c)) ==>
      ends(table, -1, h, l, c);
    ensures behind: \forall integer f, l, b, c; \old(behinds(table, slot, -1, f, l, b, c)) ==>
      behinds(table, -1, -1, f, l, b, c);
    ensures before: \forall integer f, h, b, c; \old(befores(table, slot, -1, f, h, b, c)) ==>
      befores(table, -1, -1, f, h, b, c);
    ensures within: \forall integer f, b, c; \old(withins(table, slot, -1, f, b, c)) ==>
      withins(table, -1, -1, f, b, c);
    ensures sole: \forall integer b, c; \old(soles(table, slot, -1, b, c)) ==>
      soles(table, -1, -1, b, c);
    ensures window: window_gets{Pre, Post}(table, -1);
    ensures kept: kept{Pre, Post}(table, slot);
    ensures only: only{Pre, Post}(table, slot);
 */
static inline struct cap_id slot_fill(struct cap_table *table, uint32_t slot,
                                      const struct hold_edge *edge,
                                      const struct provenance *origin);

/*@ requires apart(table) && recorded(table) && list(table, base, -1, -1);
    requires \valid_read(edge) && edge->object != \null && beside(table, edge);
    requires origin == \null || \valid_read(origin);
    requires table->used < LIMIT_TABLE_SLOTS;
    requires table->free_head == LINK_END ==> table->fresh < table->paged &&
      at(table, table->fresh)->name == 0 && at(table, table->fresh)->edge.object == \null;
    assigns table->used, table->free_head, table->free_tail, table->free_count, table->fresh,
      *at(table, next_slot(table)), *cold(table, next_slot(table)),
      at(table, table->free_head == LINK_END ? table->fresh :
        link(at(table, table->free_head)->name) == LINK_END ? table->free_head :
        link(at(table, table->free_head)->name))->edge.interface_id;
    ensures used: table->used == \old(table->used) + 1;
    ensures place: link(\result.raw) == \old(next_slot(table));
    ensures slot: CAP_TABLE_WINDOW <= link(\result.raw) < table->fresh <= table->paged;
    ensures id: \result.raw == at(table, link(\result.raw))->name;
    ensures generation: \let n = \result.raw; generation(n) ==
      (\at(generation(at(table, link(n))->name), Pre) == 0 ? 1 :
        \at(generation(at(table, link(n))->name), Pre));
    ensures oldest: \old(table->free_head) != LINK_END ==>
      table->fresh == \old(table->fresh) && table->free_count == \old(table->free_count) - 1 &&
      (\let n = \result.raw; free_name(link(n), \at(at(table, link(n))->name, Pre))) &&
      (\let n = \result.raw; \at(at(table, link(n))->edge.object, Pre) == \null);
    ensures next: \old(table->free_head) == LINK_END ==>
      table->fresh == \old(table->fresh) + 1 && table->free_count == \old(table->free_count);
    ensures edge: same_edge{Pre, Post}(edge, &at(table, link(\result.raw))->edge);
    ensures list_oldest: \old(table->free_head) != LINK_END ==> list(table, base + 1, -1, -1);
    ensures list_next: \old(table->free_head) == LINK_END ==> list(table, base, -1, -1);
    ensures window: window_gets{Pre, Post}(table, -1);
    ensures kept: kept{Pre, Post}(table, link(\result.raw));
    ensures only: only{Pre, Post}(table, link(\result.raw));
 */
static struct cap_id slot_insert(struct cap_table *table, const struct hold_edge *edge,
                                 const struct provenance *origin);

#endif
