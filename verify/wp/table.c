/* SPDX-License-Identifier: MIT */
/*
 * The counts of a table, without bounds: any counts, slots and generations.
 *
 * Quota, reservations and the question for room keep the counts of invariant 2, as sums that do not
 * wrap. A reservation is refused for its quota, when no slot is left or when there is no page, and
 * nothing is reserved then; pages that came before stay. A slot that gets its name keeps its
 * generation, or begins with 1, and counts as used once. The free list and what is written into
 * slots: verify/wp/slots.c; an insertion and a removal as a whole: verify/wp/whole.c.
 *
 * What is taken for granted here: page_ensure, which calls the table's owner for memory, writes
 * the two places for that page and nothing else.
 *
 * wp: core/cap_table.c core/cap_table.h core/cap_slot.h verify/wp/table.h
 * inline: slot_link,slot_generation,cap_id_make,slot_is_held,slot_is_used,slot_name_in
 * prove: cap_table_set_quota cap_table_unreserve cap_table_reserve page_add room_is_there
 *     room_make slot_name
 * twin: cap_table_set_quota | core/cap_table.c
 *     | if (quota < table->used + table->reserved) {
 *     | if (quota < table->used) {
 * twin: cap_table_unreserve | core/cap_table.c
 *     | table->reserved -= count;
 *     | table->reserved = 0;
 * twin: cap_table_reserve | core/cap_table.c
 *     | if (count > table->quota - table->used - table->reserved) {
 *     | if (count > table->quota - table->used) {
 * twin: cap_table_reserve | core/cap_table.c
 *     | if (!page_add(table)) {
 *     | if (page_add(table)) {
 * twin: page_add | core/cap_table.c
 *     | table->paged = (index + 1) * CAP_TABLE_PAGE_SLOTS;
 *     | table->paged = index * CAP_TABLE_PAGE_SLOTS;
 * twin: room_is_there | core/cap_slot.h
 *     | table->free_count + (table->paged - table->fresh) > table->reserved
 *     | table->free_count + (table->paged - table->fresh) >= table->reserved
 * twin: room_make | core/cap_table.c
 *     | if (LIKELY(room_is_there(table))) {
 *     | if (table->used + table->reserved < table->quota) {
 * twin: slot_name | core/cap_slot.h
 *     | slot_name_in(table, slot, entry, generation == 0 ? 1 : generation)
 *     | slot_name_in(table, slot, entry, 1)
 */
#include "verify/wp/table.h"

/*@ requires \false;
    assigns \nothing;
    exits \false;
 */
void assert_failed(const char *expression, const char *file, unsigned line);

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

/*@ requires \valid(table) && index < CAP_TABLE_PAGES;
    assigns \nothing;
 */
static bool page_ensure(struct cap_table *table, uint32_t index);

/*@ requires \valid(table) && CAP_TABLE_WINDOW <= table->paged < LIMIT_TABLE_SLOTS;
    assigns table->paged;
    ensures \result != 0 ==> \old(table->paged) < table->paged <= LIMIT_TABLE_SLOTS;
    ensures \result == 0 ==> table->paged == \old(table->paged);
 */
static bool page_add(struct cap_table *table);

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
