/* SPDX-License-Identifier: MIT */
/*
 * Inserting into a table and releasing, without bounds: any number of slots, any free list, any
 * generation.
 *
 * Taking the oldest slot off the free list (free_pop), putting one behind the last (free_push), and
 * what is made of the two keep the whole list, as verify/wp/slots.h says what it is.
 *
 * Inserting (slot_insert: slot_fill into what free_take took): the slot written is the one taken,
 * it has the edge, its name is its number with its generation, or 1 when it is fresh; `used` is one
 * more.
 * Releasing (slot_free, slot_leave, slot_vacate): the slot's edge is gone, its generation one more,
 * so that no id that was ever given out for it is its name; or there is none more, and it is
 * retired and not free. `used` is one less, free_count or `retired` one more. Every other slot
 * keeps its generation, its name and its edge, but for the links of those that are free, and is in
 * the same state.
 *
 * What is taken for granted here: of words, places and the window's bits, what verify/slot_word.c
 * proves of each; that the slots' pages stay, which no function here assigns; slot_set_origin
 * writes its record and nothing else.
 *
 * wp: core/cap_table.c core/cap_slot.h verify/wp/slots.h
 * solver: patterns split
 * prove: free_pop free_push free_take slot_name_in slot_name slot_fill slot_insert slot_free
 *     slot_leave slot_vacate slot_is_held slot_is_used slot_set_previous slot_previous
 * eager: slot_insert
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
 * twin: slot_insert | core/cap_table.c
 *     | return slot_fill(table, free_take(table), edge, origin);
 *     | return slot_fill(table, table->fresh++, edge, origin);
 * twin: slot_free | core/cap_slot.h
 *     | if (UNLIKELY(next == 0)) {
 *     | if (false) {
 * twin: slot_free | core/cap_slot.h
 *     | entry->edge.grant = NULL;
 *     | ;
 * twin: slot_leave:used | core/cap_slot.h
 *     | table->used--;
 *     | ;
 * twin: slot_vacate:buried | core/cap_slot.h
 *     | table->buried--;
 *     | ;
 */
#include "verify/wp/slots.h"

/*@ predicate alone(struct cap_table *t, integer s) =
      \separated(t, at(t, s)) &&
      \forall integer o; there(t, o) && o != s ==> \separated(at(t, o), at(t, s));

    axiomatic PlacesAre {
      axiom separate_is: \forall struct cap_table *t; separate(t) <==>
        (\forall integer s; there(t, s) ==> alone(t, s));
      axiom filed_is: \forall struct cap_table *t; filed(t) <==>
        (\forall integer s; there(t, s) ==> \separated(t, cold(t, s)) &&
          \forall integer o; there(t, o) ==> \separated(at(t, o), cold(t, s)));
      axiom beside_is: \forall struct cap_table *t, struct hold_edge *e; beside(t, e) <==>
        (\separated(e, t) && \forall integer s; there(t, s) ==>
          \separated(e, at(t, s)) && \separated(e, cold(t, s)));
    }

    axiomatic ListIs {
      axiom ends_is{L}: \forall struct cap_table *t,
          integer out, head, tail, count;
        ends(t, out, head, tail, count) <==>
      ((head == LINK_END <==> tail == LINK_END) && (head == LINK_END <==> count == 0) &&
      (head != LINK_END ==>
        is_free(t, head) && head != out && at(t, head)->edge.interface_id == LINK_END &&
        is_free(t, tail) && tail != out && link(at(t, tail)->name) == LINK_END));
      axiom behinds_is{L}: \forall struct cap_table *t,
          integer out, pushed, fresh, tail, base, count;
        behinds(t, out, pushed, fresh, tail, base, count) <==>
      (\forall integer s; any(s) && is_free(t, s) && s != out ==>
        behind(t, s, out, pushed, fresh, tail, base + count));
      axiom befores_is{L}: \forall struct cap_table *t,
          integer out, pushed, fresh, head, base, count;
        befores(t, out, pushed, fresh, head, base, count) <==>
      (\forall integer s; any(s) && is_free(t, s) && s != out ==>
        before(t, s, out, pushed, fresh, head, base, base + count));
      axiom withins_is{L}: \forall struct cap_table *t,
          integer out, pushed, fresh, base, count;
        withins(t, out, pushed, fresh, base, count) <==>
      (\forall integer s; any(s) && is_free(t, s) && s != out ==>
        within(t, s, pushed, fresh, base, base + count));
      axiom soles_is{L}: \forall struct cap_table *t,
          integer out, pushed, base, count;
        soles(t, out, pushed, base, count) <==>
      (\forall integer s; any(s) && is_free(t, s) && s != out ==>
        sole(t, s, out, pushed, base + count));
    }
 */

#include "core/cap_table.c"
