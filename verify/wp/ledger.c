/* SPDX-License-Identifier: MIT */
/*
 * One line of a ledger, without bounds: any amounts of 64 bits.
 *
 * Every operation within a ledger keeps used + reserved + donated at most the limit, as true sums
 * that do not wrap, moves exactly the amount that was asked for, and changes nothing when it
 * refuses (of the line, by what it assigns). What the owner may still have is limit - used -
 * reserved - donated, so that each operation keeps the conservation law. No assertion of
 * core/ledger.c can fail.
 *
 * wp: core/ledger.c
 * inline: line_own,line_available,refuse
 * prove: ledger_reserve ledger_commit ledger_unreserve ledger_release ledger_charge line_give_back
 * twin: ledger_reserve | core/ledger.c
 *     | if (amount > line_available(&ledger->line[line])) {
 *     | if (amount > line_own(&ledger->line[line])) {
 * twin: ledger_commit | core/ledger.c
 *     | entry->reserved -= amount;
 *     | ;
 * twin: line_give_back | core/ledger.c
 *     | parent->donated -= amount;
 *     | ;
 */
#include "core/ledger.h"

/*@ requires \false;
    assigns \nothing;
    exits \false;
 */
void assert_failed(const char *expression, const char *file, unsigned line);

/*@ predicate holds{L}(struct ledger_line *line) =
      line->used + line->reserved + line->donated <= line->limit && line->used <= line->peak;

    predicate sound{L}(struct ledger *ledger, integer line) =
      \valid(ledger) && 0 <= line < LEDGER_LINES && holds(&ledger->line[line]);
 */

/*@ requires sound(ledger, line) && \valid(refusal) && \separated(refusal, ledger);
    assigns ledger->line[line].reserved, *refusal;
    ensures \result == STATUS_OK ==> holds(&ledger->line[line]);
    ensures \result == STATUS_OK || \result == STATUS_DEAD || \result == STATUS_LIMIT;
    ensures \result == STATUS_OK ==>
      ledger->line[line].reserved == \old(ledger->line[line].reserved) + amount;
    ensures \result != STATUS_OK ==>
      ledger->line[line].reserved == \old(ledger->line[line].reserved);
 */
enum status ledger_reserve(struct ledger *ledger, enum ledger_line_name line, uint64_t amount,
                           struct ledger_refusal *refusal);

/*@ requires sound(ledger, line) && amount <= ledger->line[line].reserved;
    assigns ledger->line[line].reserved, ledger->line[line].used, ledger->line[line].peak;
    ensures holds(&ledger->line[line]);
    ensures ledger->line[line].used == \old(ledger->line[line].used) + amount;
    ensures ledger->line[line].reserved == \old(ledger->line[line].reserved) - amount;
 */
void ledger_commit(struct ledger *ledger, enum ledger_line_name line, uint64_t amount);

/*@ requires sound(ledger, line) && amount <= ledger->line[line].reserved;
    assigns ledger->line[line].reserved;
    ensures holds(&ledger->line[line]);
    ensures ledger->line[line].reserved == \old(ledger->line[line].reserved) - amount;
 */
void ledger_unreserve(struct ledger *ledger, enum ledger_line_name line, uint64_t amount);

/*@ requires sound(ledger, line) && amount <= ledger->line[line].used;
    assigns ledger->line[line].used;
    ensures holds(&ledger->line[line]);
    ensures ledger->line[line].used == \old(ledger->line[line].used) - amount;
 */
void ledger_release(struct ledger *ledger, enum ledger_line_name line, uint64_t amount);

/*@ requires sound(ledger, line) && \valid(refusal) && \separated(refusal, ledger);
    assigns ledger->line[line].reserved, ledger->line[line].used, ledger->line[line].peak, *refusal;
    ensures \result == STATUS_OK ==> holds(&ledger->line[line]);
    ensures ledger->line[line].reserved == \old(ledger->line[line].reserved);
    ensures \result == STATUS_OK ==>
      ledger->line[line].used == \old(ledger->line[line].used) + amount;
    ensures \result != STATUS_OK ==> ledger->line[line].used == \old(ledger->line[line].used);
 */
enum status ledger_charge(struct ledger *ledger, enum ledger_line_name line, uint64_t amount,
                          struct ledger_refusal *refusal);

/*@ requires \valid(parent) && \valid(child) && \separated(parent, child);
    requires holds(parent) && holds(child);
    requires amount <= child->limit - child->used - child->reserved - child->donated;
    requires amount <= parent->donated;
    assigns child->limit, parent->donated;
    ensures holds(parent) && holds(child);
    ensures child->limit == \old(child->limit) - amount;
    ensures parent->donated == \old(parent->donated) - amount;
    ensures parent->donated - child->limit == \old(parent->donated - child->limit);
 */
static void line_give_back(struct ledger_line *parent, struct ledger_line *child, uint64_t amount);

#include "core/ledger.c"
