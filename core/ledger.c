/* SPDX-License-Identifier: MIT */
/*
 * The ledger.
 *
 * Purpose: to bound what each process can take from the machine, and to be able to say at any time
 * where everything is. A process that uses something up harms itself and those it gave to, nobody
 * else.
 *
 * Words: a *line* is one resource of one ledger, with a hard *limit*. Of the limit a part is
 * *used*, a part *reserved* (an operation under way has set it aside, so that its commit cannot
 * fail), a part *donated* to children; the rest is *available*.
 *
 *   available --reserve--> reserved --commit--> used --release--> available
 *                             '-----unreserve------> available
 *   available --donate--> the child's limit (and so the child's available)
 *   the child's available --close and settle--> available
 *
 * States: OPEN -> CLOSED, once, when the process has ended; then out of the tree when it is over.
 * A closed ledger takes nothing new. What it had to spare goes up at once; what is still used (an
 * object that others hold, a page in quarantine) stays charged to it, that is to its parent's
 * donation, and goes up piece by piece as it is released. Its children move to its parent together
 * with their donations, one in each step, so that a dead process in the middle holds nothing back,
 * and no chain of dead ledgers grows.
 *
 * The conservation law: over the whole tree, used + reserved + available of a line is the root's
 * limit. Every operation keeps it, because each moves an amount from one word to another; what is
 * local of it (1, 2) is checked under the lock of the ledger, the sum at rest (ledger_census).
 *
 * Invariants (ledger_check):
 *  1. used + reserved + donated <= limit in every line, and peak is at least used.
 *  2. donated is the sum of the children's limits; in a share it is 0, and no child's limit is
 *     above its own.
 *  3. Each child names this ledger as its parent, and the list of children is well linked.
 *  4. The root is open.
 *  5. (ledger_census) The conservation law.
 *
 * A share (CPU time) is not handed out but bounded: ten children may each have half a CPU. Its used
 * and reserved stay 0 as far as anybody but the scheduler is concerned.
 *
 * Locks are the caller's: a lock for each ledger around its lines, one for the tree around parent,
 * children, limit and donated, which change only with both held.
 *
 * What can fail: reserve, charge and donate, each before anything has changed. Asking for more back
 * than was taken is our own mistake and asserts. No sum can wrap: each is bounded by a limit, by 1.
 */
#include "core/ledger.h"

#include "core/checked.h"

enum {
    CHECK_CHILDREN_MAX = 1 << 20, /* only makes the check end on a broken list */
};

const char *ledger_line_text(enum ledger_line_name line)
{
    static const char *const text[LEDGER_LINES] = {
#define LEDGER(name, text, kind) text,
#include "abi/ledgers.def"
#undef LEDGER
    };

    ASSERT(line < LEDGER_LINES);
    return text[line];
}

bool ledger_line_is_sum(enum ledger_line_name line)
{
    enum { SUM = 1, SHARE = 0 };
    static const bool is_sum[LEDGER_LINES] = {
#define LEDGER(name, text, kind) kind,
#include "abi/ledgers.def"
#undef LEDGER
    };

    ASSERT(line < LEDGER_LINES);
    return is_sum[line];
}

void ledger_init_root(struct ledger *ledger, const struct ledger_amounts *total)
{
    *ledger = (struct ledger){.state = LEDGER_OPEN};
    list_init(&ledger->children);
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        ledger->line[i].limit = total->amount[i];
    }
}

void ledger_init_child(struct ledger *ledger, struct ledger *parent)
{
    ASSERT(parent->state == LEDGER_OPEN);
    *ledger = (struct ledger){.parent = parent, .state = LEDGER_OPEN};
    list_init(&ledger->children);
    list_push_back(&parent->children, &ledger->sibling_node);
}

static struct ledger *ledger_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct ledger, sibling_node);
}

/* What the owner may use itself. */
static uint64_t line_own(const struct ledger_line *line)
{
    ASSERT(line->donated <= line->limit);
    return line->limit - line->donated;
}

static uint64_t line_available(const struct ledger_line *line)
{
    uint64_t own = line_own(line);

    ASSERT(line->used <= own && line->reserved <= own - line->used); /* invariant 1 */
    return own - line->used - line->reserved;
}

uint64_t ledger_available(const struct ledger *ledger, enum ledger_line_name line)
{
    ASSERT(line < LEDGER_LINES);
    return line_available(&ledger->line[line]);
}

static enum status refuse(const struct ledger *ledger, enum ledger_line_name line, uint64_t amount,
                          struct ledger_refusal *refusal)
{
    if (refusal != NULL) {
        *refusal = (struct ledger_refusal){.line = line,
                                           .limit = line_own(&ledger->line[line]),
                                           .available = line_available(&ledger->line[line]),
                                           .amount = amount};
    }
    return STATUS_LIMIT;
}

enum status ledger_reserve(struct ledger *ledger, enum ledger_line_name line, uint64_t amount,
                           struct ledger_refusal *refusal)
{
    ASSERT(line < LEDGER_LINES);
    if (ledger->state != LEDGER_OPEN) {
        return STATUS_DEAD;
    }
    if (amount > line_available(&ledger->line[line])) {
        return refuse(ledger, line, amount, refusal);
    }
    ledger->line[line].reserved += amount;
    return STATUS_OK;
}

void ledger_commit(struct ledger *ledger, enum ledger_line_name line, uint64_t amount)
{
    struct ledger_line *entry = &ledger->line[line];

    ASSERT(line < LEDGER_LINES);
    ASSERT(amount <= entry->reserved);
    entry->reserved -= amount;
    entry->used += amount;
    entry->peak = entry->used > entry->peak ? entry->used : entry->peak;
}

void ledger_unreserve(struct ledger *ledger, enum ledger_line_name line, uint64_t amount)
{
    ASSERT(line < LEDGER_LINES);
    ASSERT(amount <= ledger->line[line].reserved);
    ledger->line[line].reserved -= amount;
}

void ledger_release(struct ledger *ledger, enum ledger_line_name line, uint64_t amount)
{
    ASSERT(line < LEDGER_LINES);
    ASSERT(amount <= ledger->line[line].used);
    ledger->line[line].used -= amount;
}

enum status ledger_charge(struct ledger *ledger, enum ledger_line_name line, uint64_t amount,
                          struct ledger_refusal *refusal)
{
    enum status status = ledger_reserve(ledger, line, amount, refusal);

    if (status == STATUS_OK) {
        ledger_commit(ledger, line, amount);
    }
    return status;
}

uint64_t ledger_charge_most(struct ledger *ledger, enum ledger_line_name line, uint64_t most)
{
    struct ledger_line *entry = &ledger->line[line];
    uint64_t available;

    ASSERT(line < LEDGER_LINES);
    if (ledger->state != LEDGER_OPEN) {
        return 0;
    }
    available = line_available(entry);
    most = available < most ? available : most;
    entry->used += most;
    entry->peak = entry->used > entry->peak ? entry->used : entry->peak;
    return most;
}

/* Whether the parent can give the amount of this line. */
static bool line_can_give(const struct ledger_line *parent, bool sum, uint64_t amount)
{
    return amount <= (sum ? line_available(parent) : parent->limit);
}

enum status ledger_donate(struct ledger *child, const struct ledger_amounts *amounts,
                          struct ledger_refusal *refusal)
{
    struct ledger *parent = child->parent;

    ASSERT(parent != NULL);
    if (child->state != LEDGER_OPEN || parent->state != LEDGER_OPEN) {
        return STATUS_DEAD;
    }
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        if (!line_can_give(&parent->line[i], ledger_line_is_sum(i), amounts->amount[i])) {
            return refuse(parent, i, amounts->amount[i], refusal);
        }
    }
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        if (ledger_line_is_sum(i)) {
            parent->line[i].donated += amounts->amount[i];
            child->line[i].limit += amounts->amount[i];
        } else if (amounts->amount[i] > child->line[i].limit) {
            child->line[i].limit = amounts->amount[i];
        }
    }
    return STATUS_OK;
}

/* Moves `amount` of a sum that the child has to spare back to the parent. */
static void line_give_back(struct ledger_line *parent, struct ledger_line *child, uint64_t amount)
{
    ASSERT(amount <= line_available(child));
    ASSERT(amount <= parent->donated);
    child->limit -= amount;
    parent->donated -= amount;
}

struct ledger *ledger_settle(struct ledger *ledger)
{
    struct ledger *parent = ledger->parent;

    ASSERT(parent != NULL && ledger->state == LEDGER_CLOSED);
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        if (ledger_line_is_sum(i)) {
            line_give_back(&parent->line[i], &ledger->line[i], line_available(&ledger->line[i]));
        }
    }
    return parent->state == LEDGER_CLOSED ? parent : NULL;
}

void ledger_close(struct ledger *ledger)
{
    ASSERT(ledger->parent != NULL); /* invariant 4 */
    ASSERT(ledger->state == LEDGER_OPEN);
    ledger->state = LEDGER_CLOSED;
    (void)ledger_settle(ledger);
}

bool ledger_close_step(struct ledger *ledger)
{
    struct list_node *node = list_pop_front(&ledger->children);
    struct ledger *child;

    ASSERT(ledger->state == LEDGER_CLOSED);
    if (node == NULL) {
        return false;
    }
    child = ledger_of(node);
    ASSERT(child->parent == ledger);
    /* The parent's donation does not change: what it gave to the closed ledger it now gives, in
     * this part, to the child itself. */
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        struct ledger_line *line = &ledger->line[i];

        if (ledger_line_is_sum(i)) {
            ASSERT(child->line[i].limit <= line->donated);
            line->donated -= child->line[i].limit;
            line->limit -= child->line[i].limit;
        }
    }
    child->parent = ledger->parent;
    list_push_back(&ledger->parent->children, &child->sibling_node);
    return true;
}

bool ledger_is_over(const struct ledger *ledger)
{
    if (ledger->state != LEDGER_CLOSED || !list_is_empty(&ledger->children)) {
        return false;
    }
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        if (ledger->line[i].used != 0 || ledger->line[i].reserved != 0 ||
            (ledger_line_is_sum(i) && ledger->line[i].limit != 0)) {
            return false;
        }
    }
    return true;
}

void ledger_detach(struct ledger *ledger)
{
    ASSERT(ledger_is_over(ledger));
    list_remove(&ledger->sibling_node);
    ledger->parent = NULL;
}

/* The next ledger of the tree after `at`, parents first, or NULL; begins with `root` itself. For
 * walks while nothing changes. */
static struct ledger *ledger_next(const struct ledger *root, const struct ledger *at)
{
    struct list_node *node = list_first(&at->children);

    while (node == NULL && at != root) {
        node = list_next(&at->parent->children, &at->sibling_node);
        at = at->parent;
    }
    return node == NULL ? NULL : ledger_of(node);
}

unsigned ledger_census(const struct ledger *root, enum ledger_line_name line,
                       struct ledger_census *census)
{
    const struct ledger *ledger = root;
    uint64_t sum;

    ASSERT(line < LEDGER_LINES);
    *census = (struct ledger_census){.ledgers = 0};
    do {
        unsigned broken = ledger_check(ledger);

        if (broken != 0) {
            return broken;
        }
        census->used += ledger->line[line].used;
        census->reserved += ledger->line[line].reserved;
        census->available += line_available(&ledger->line[line]);
        census->ledgers++;
        ledger = ledger_next(root, ledger);
    } while (ledger != NULL);
    sum = census->used + census->reserved + census->available;
    return !ledger_line_is_sum(line) || sum == root->line[line].limit ? 0 : 5;
}

/* Invariant 1, without the assertions of line_available: the line may be broken. */
static bool line_holds(const struct ledger_line *line)
{
    uint64_t sum;

    return checked_add(line->used, line->reserved, &sum) && checked_add(sum, line->donated, &sum) &&
           sum <= line->limit && line->peak >= line->used;
}

/* Invariant 2 of one line. */
static bool line_matches_children(const struct ledger *ledger, enum ledger_line_name line)
{
    const struct list_node *node;
    uint64_t sum = 0;

    for (node = list_first(&ledger->children); node != NULL;
         node = list_next(&ledger->children, node)) {
        const struct ledger *child = CONTAINER_OF(node, const struct ledger, sibling_node);

        if (!ledger_line_is_sum(line)) {
            if (child->line[line].limit > ledger->line[line].limit) {
                return false;
            }
        } else if (!checked_add(sum, child->line[line].limit, &sum)) {
            return false;
        }
    }
    return sum == ledger->line[line].donated;
}

/* Invariant 3. */
static bool children_are_linked(const struct ledger *ledger)
{
    const struct list_node *node;
    size_t count;

    if (list_check(&ledger->children, CHECK_CHILDREN_MAX, &count) != 0) {
        return false;
    }
    for (node = list_first(&ledger->children); node != NULL;
         node = list_next(&ledger->children, node)) {
        if (CONTAINER_OF(node, const struct ledger, sibling_node)->parent != ledger) {
            return false;
        }
    }
    return true;
}

unsigned ledger_check(const struct ledger *ledger)
{
    if (!children_are_linked(ledger)) {
        return 3;
    }
    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        if (!line_holds(&ledger->line[i])) {
            return 1;
        }
        if (!line_matches_children(ledger, i)) {
            return 2;
        }
    }
    return ledger->parent == NULL && ledger->state != LEDGER_OPEN ? 4 : 0;
}
