/* SPDX-License-Identifier: MIT */
/*
 * Finding a capability, without bounds: any table of LIMIT_TABLE_SLOTS slots, any id, any chain of
 * delegations.
 *
 * An id resolves to the slot that it names and only while that slot bears this very name, so an id
 * whose slot has moved on resolves to nothing. The walk answers whether no delegation above is
 * revoked, and the one compare gives the same answer for every edge that remembers what it may. A
 * lookup is these three: resolve, then grant_is_alive (verify/table.c proves it as a whole).
 *
 * wp: core/grant.c core/cap_table.h core/grant.h
 * inline: state_of,atomic_load_acquire_u64,cap_id_slot,cap_table_slot
 * prove: cap_table_resolve grant_walk grant_is_alive
 * twin: cap_table_resolve | core/cap_table.h
 *     | slot->name == id.raw && id.raw >> CAP_SLOT_BITS
 *     | slot->name >= id.raw && id.raw >> CAP_SLOT_BITS
 * twin: grant_walk | core/grant.c
 *     | if ((state_of(node) & GRANT_REVOKED) != 0) {
 *     | if (state_of(node) == GRANT_REVOKED) {
 * twin: grant_is_alive | core/grant.h
 *     | if (!grant_walk(node)) {
 *     | if (false) {
 */
#include "core/cap_table.h"

/*@ requires \false;
    assigns \nothing;
    exits \false;
 */
void assert_failed(const char *expression, const char *file, unsigned line);

/*@ predicate chain{L}(struct grant_node *node) =
      node == \null ||
      (\valid_read(node) && 1 <= node->depth <= GRANT_DEPTH_MAX && chain(node->parent) &&
       (node->parent != \null ==> node->parent->depth == node->depth - 1));

    predicate revoked{L}(struct grant_node *node) =
      node != \null && ((node->state & GRANT_REVOKED) != 0 || revoked(node->parent));

    predicate remembers{L}(struct grant_node *node, integer epoch) =
      node != \null ==>
        (\valid_read(node->tree) && (epoch == node->tree->epoch ==> !revoked(node)));
 */

/*@ requires chain(node);
    assigns \nothing;
    ensures \result <==> !revoked(node);
 */
bool grant_walk(const struct grant_node *node);

/*@ requires chain(node) && \valid(epoch) && remembers(node, *epoch);
    requires node != \null ==> \separated(epoch, node->tree);
    assigns *epoch;
    ensures \result <==> !revoked{Pre}(node);
 */
static inline bool grant_is_alive(const struct grant_node *node, uint64_t *epoch);

/*@ requires \valid_read(table);
    requires \forall integer i; 0 <= i < CAP_TABLE_PAGES ==> table->page[i] == \null ||
      \valid(table->page[i] + (0 .. CAP_TABLE_PAGE_SLOTS - 1));
    assigns \nothing;
    ensures \result != \null ==> \result->name == id.raw;
 */
static inline struct cap_slot *cap_table_resolve(const struct cap_table *table, struct cap_id id);

#include "core/grant.c"
