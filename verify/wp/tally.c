/* SPDX-License-Identifier: MIT */
/*
 * How many slots of a table are in one state, by induction over the slots: each function here is a
 * lemma, its contract the statement, its loop the induction. verify/wp/whole.c takes them as
 * axioms.
 *
 * wp: verify/wp/slots.h
 * solver: patterns
 * prove: tally_range tally_least tally_most tally_only
 * twin: tally_range | verify/wp/slots.h
 *     | 0 <= tally(t, k) <= LIMIT_TABLE_SLOTS
 *     | 0 <= tally(t, k) < LIMIT_TABLE_SLOTS
 * twin: tally_least | verify/wp/slots.h
 *     | 1 <= tally(t, kind(t, s))
 *     | 2 <= tally(t, kind(t, s))
 * twin: tally_most | verify/wp/slots.h
 *     | there(t, s) ==> kind(t, s) != k ==> tally(t, k)
 *     | there(t, s) ==> tally(t, k)
 * twin: tally_only | verify/wp/slots.h
 *     | \at(tally(t, k), A) - (\at(kind(t, s), A) == k ? 1 : 0)
 *     | \at(tally(t, k), A)
 */
#include "verify/wp/slots.h"

/*@ axiomatic TallyIs {
      logic integer upto{L}(struct cap_table *t, integer k, integer n)
        reads at(t, 0)->name, at(t, 0)->edge.object;
      axiom upto_none{L}: \forall struct cap_table *t, integer k; upto(t, k, 0) == 0;
      axiom upto_next{L}: \forall struct cap_table *t, integer k, n, m; 0 <= n ==> m == n + 1 ==>
        upto(t, k, m) == upto(t, k, n) + (kind(t, n) == k ? 1 : 0);
      axiom tally_is{L}: \forall struct cap_table *t, integer k;
        tally(t, k) == upto(t, k, LIMIT_TABLE_SLOTS);
      axiom kind_else{L}: \forall struct cap_table *t, integer s; !there(t, s) ==>
        kind(t, s) == KIND_NONE;
    }
 */

/* Whatever else happens to the slots. */
/*@ ensures only{Pre, Post}(t, s);
 */
void change(struct cap_table *t, uint32_t s);

/*@ assigns \nothing;
    ensures TALLY_RANGE(t, k);
 */
void tally_range(struct cap_table *t, uint32_t k)
{
    /*@ loop invariant 0 <= i <= LIMIT_TABLE_SLOTS && 0 <= upto(t, k, i) <= i;
        loop assigns i;
        loop variant LIMIT_TABLE_SLOTS - i;
     */
    for (uint32_t i = 0; i < LIMIT_TABLE_SLOTS; i++) {
    }
}

/*@ requires s < LIMIT_TABLE_SLOTS;
    assigns \nothing;
    ensures TALLY_LEAST(t, s);
 */
void tally_least(struct cap_table *t, uint32_t s)
{
    /*@ loop invariant 0 <= i <= LIMIT_TABLE_SLOTS && 0 <= upto(t, kind(t, s), i) &&
          (s < i ==> 1 <= upto(t, kind(t, s), i));
        loop assigns i;
        loop variant LIMIT_TABLE_SLOTS - i;
     */
    for (uint32_t i = 0; i < LIMIT_TABLE_SLOTS; i++) {
    }
}

/*@ requires s < LIMIT_TABLE_SLOTS;
    assigns \nothing;
    ensures TALLY_MOST(t, s, k);
 */
void tally_most(struct cap_table *t, uint32_t s, uint32_t k)
{
    /*@ loop invariant 0 <= i <= LIMIT_TABLE_SLOTS && upto(t, k, i) <= i &&
          (s < i && kind(t, s) != k ==> upto(t, k, i) < i);
        loop assigns i;
        loop variant LIMIT_TABLE_SLOTS - i;
     */
    for (uint32_t i = 0; i < LIMIT_TABLE_SLOTS; i++) {
    }
}

/*@ requires s < LIMIT_TABLE_SLOTS;
    ensures TALLY_ONLY(Pre, Post, t, s, k);
 */
void tally_only(struct cap_table *t, uint32_t s, uint32_t k)
{
    change(t, s);
    /*@ loop invariant 0 <= i <= LIMIT_TABLE_SLOTS;
        loop invariant moved: \let n = i; upto(t, k, n) - \at(upto(t, k, n), Pre) ==
          (s < n ? (kind(t, s) == k ? 1 : 0) - (\at(kind(t, s), Pre) == k ? 1 : 0) : 0);
        loop assigns i;
        loop variant LIMIT_TABLE_SLOTS - i;
     */
    for (uint32_t i = 0; i < LIMIT_TABLE_SLOTS; i++) {
    }
}
