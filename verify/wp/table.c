/* SPDX-License-Identifier: MIT */
/*
 * The steps of a table's insertions, without bounds: any counts, slots and generations.
 *
 * Quota, reservations and the question for room keep the counts of invariant 2, as sums that do not
 * wrap. A slot that gets its name keeps its generation, or begins with 1, and counts as used once.
 * The free list and what is written into slots: verify/wp/slots.c.
 *
 * wp: core/cap_table.c core/cap_table.h core/cap_slot.h
 * inline: slot_link,slot_generation,cap_id_make,slot_is_held,slot_is_used,slot_name_in
 * prove: cap_table_set_quota cap_table_unreserve room_is_there slot_name
 * twin: cap_table_set_quota | core/cap_table.c
 *     | if (quota < table->used + table->reserved) {
 *     | if (quota < table->used) {
 * twin: cap_table_unreserve | core/cap_table.c
 *     | table->reserved -= count;
 *     | table->reserved = 0;
 * twin: room_is_there | core/cap_slot.h
 *     | table->free_count + (table->paged - table->fresh) > table->reserved
 *     | table->free_count + (table->paged - table->fresh) >= table->reserved
 * twin: slot_name | core/cap_slot.h
 *     | slot_name_in(table, slot, entry, generation == 0 ? 1 : generation)
 *     | slot_name_in(table, slot, entry, 1)
 */
#include "core/cap_table.h"

/*@ requires \false;
    assigns \nothing;
    exits \false;
 */
void assert_failed(const char *expression, const char *file, unsigned line);

/*@ predicate counts{L}(struct cap_table *table) =
      table->used + table->reserved <= table->quota <= LIMIT_TABLE_SLOTS &&
      CAP_TABLE_WINDOW <= table->fresh <= table->paged <= LIMIT_TABLE_SLOTS &&
      table->free_count <= LIMIT_TABLE_SLOTS &&
      table->reserved <= table->free_count + (table->paged - table->fresh);
 */

/*@ requires \valid(table) && counts(table) && quota <= LIMIT_TABLE_SLOTS;
    assigns table->quota;
    ensures counts(table);
    ensures \result == TRANSPORT_OK <==> quota >= table->used + table->reserved;
    ensures table->quota == (\result == TRANSPORT_OK ? quota : \old(table->quota));
 */
enum transport_error cap_table_set_quota(struct cap_table *table, uint32_t quota);

/*@ requires \valid(table) && counts(table) && count <= table->reserved;
    assigns table->reserved;
    ensures counts(table) && table->reserved == \old(table->reserved) - count;
 */
void cap_table_unreserve(struct cap_table *table, uint32_t count);

/*@ requires \valid_read(table) && counts(table);
    assigns \nothing;
    ensures \result <==> table->used + table->reserved < table->quota &&
      table->reserved < table->free_count + (table->paged - table->fresh);
 */
static inline bool room_is_there(const struct cap_table *table);

/*@ requires \valid(table) && \valid(entry) && \separated(table, entry);
    requires slot < LIMIT_TABLE_SLOTS && entry->edge.object != \null;
    requires table->used < LIMIT_TABLE_SLOTS;
    assigns table->used, entry->name;
    ensures table->used == \old(table->used) + 1;
    ensures \result.raw == entry->name;
    ensures (\old(entry->name) >> 20) != 0 ==>
      entry->name == (uint64_t)((uint64_t)((\old(entry->name) >> 20) << 20) | (slot & 1048575));
    ensures (\old(entry->name) >> 20) == 0 ==>
      entry->name == (uint64_t)(1048576 | (slot & 1048575));
 */
static inline struct cap_id slot_name(struct cap_table *table, uint32_t slot,
                                      struct cap_slot *entry);

#include "core/cap_table.c"
