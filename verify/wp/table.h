/* SPDX-License-Identifier: MIT */
/*
 * What is said of a table's counts, for verify/wp/table.c, which proves it, and verify/wp/whole.c.
 */
#ifndef VERIFY_WP_TABLE_H
#define VERIFY_WP_TABLE_H

#include "core/cap_table.h"

/*@ predicate counts{L}(struct cap_table *t) =
      t->used + t->reserved <= t->quota <= LIMIT_TABLE_SLOTS &&
      CAP_TABLE_WINDOW <= t->fresh <= t->paged <= LIMIT_TABLE_SLOTS &&
      t->free_count <= LIMIT_TABLE_SLOTS &&
      t->reserved <= t->free_count + (t->paged - t->fresh);
 */

/*@ requires \valid_read(table) && counts(table);
    assigns \nothing;
    ensures \result <==> table->used + table->reserved < table->quota &&
      table->reserved < table->free_count + (table->paged - table->fresh);
 */
static inline bool room_is_there(const struct cap_table *table);

/*@ requires \valid(table) && counts(table);
    assigns table->reserved, table->paged;
    ensures counts: counts(table) && table->paged >= \old(table->paged);
    ensures answer: \result == TRANSPORT_OK || \result == TRANSPORT_LIMIT ||
      \result == TRANSPORT_NO_MEMORY;
    ensures limit: \result == TRANSPORT_LIMIT ==>
      count > table->quota - table->used - table->reserved ||
      table->free_count + (LIMIT_TABLE_SLOTS - table->fresh) < table->reserved + count;
    ensures reserved: table->reserved ==
      \old(table->reserved) + (\result == TRANSPORT_OK ? count : 0);
 */
enum transport_error cap_table_reserve(struct cap_table *table, uint32_t count);

/*@ requires \valid(table) && counts(table);
    assigns table->reserved, table->paged;
    ensures counts: counts(table) && table->paged >= \old(table->paged);
    ensures answer: \result == TRANSPORT_OK || \result == TRANSPORT_LIMIT ||
      \result == TRANSPORT_NO_MEMORY;
    ensures reserved: table->reserved == \old(table->reserved);
    ensures room: \result == TRANSPORT_OK ==> table->used + table->reserved < table->quota &&
      table->reserved < table->free_count + (table->paged - table->fresh);
 */
static enum transport_error room_make(struct cap_table *table);

#endif
