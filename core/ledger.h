/* SPDX-License-Identifier: MIT */
/*
 * Ledgers: what a process may use at most, what it uses, and what it gave to its children. One tree
 * for the whole machine, one conservation law. Pure: no locks and no allocation; the theory and the
 * invariants are in ledger.c, the kernel's locks in kernel/mem/account.c.
 *
 * Use in pairs: reserve, then commit or unreserve; a committed amount ends with release. Amounts of
 * 0 are allowed everywhere and change nothing.
 */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include "abi/ledgers.h"
#include "core/list.h"
#include "core/status.h"

enum ledger_state {
    LEDGER_OPEN,
    LEDGER_CLOSED, /* its owner has ended: nothing new is taken, what is released goes up */
};

/* One resource of one ledger, in the resource's unit. */
struct ledger_line {
    uint64_t limit;    /* given by the parent; all that may be had */
    uint64_t used;     /* committed */
    uint64_t reserved; /* set aside, not committed */
    uint64_t donated;  /* the limits of the children together; 0 for a share */
    uint64_t peak;     /* most that was ever used */
};

struct ledger {
    struct ledger *parent;         /* NULL: the root */
    struct list_node sibling_node; /* of the parent's children */
    struct list children;
    enum ledger_state state;
    struct ledger_line line[LEDGER_LINES];
};

struct ledger_amounts {
    uint64_t amount[LEDGER_LINES];
};

/* Why something could not be had: the first line that had too little. */
struct ledger_refusal {
    enum ledger_line_name line;
    uint64_t limit;     /* of the ledger that refused, less what it gave to its children */
    uint64_t available; /* of that, not used and not reserved */
    uint64_t amount;    /* asked */
};

/* The line's name in the schema, for limitName. Static. */
const char *ledger_line_text(enum ledger_line_name line);

/* Whether children draw the line from one sum; false: a share, bounded only. */
bool ledger_line_is_sum(enum ledger_line_name line);

/* The machine's ledger, which owns everything. It never closes. */
void ledger_init_root(struct ledger *ledger, const struct ledger_amounts *total);

/* A child of an open `parent` with nothing: ledger_donate comes next. */
void ledger_init_child(struct ledger *ledger, struct ledger *parent);

/* Limit less used, reserved and donated. */
uint64_t ledger_available(const struct ledger *ledger, enum ledger_line_name line);

/*
 * Sets `amount` aside. STATUS_LIMIT: the line has less (*refusal says so, if not NULL);
 * STATUS_DEAD: the ledger is closed. Nothing changed then. Constant time, as all that follows but
 * the census.
 */
enum status ledger_reserve(struct ledger *ledger, enum ledger_line_name line, uint64_t amount,
                           struct ledger_refusal *refusal) MUST_USE;

/* A part of what was reserved is used now. */
void ledger_commit(struct ledger *ledger, enum ledger_line_name line, uint64_t amount);

/* A part of what was reserved is not needed. A closed ledger wants ledger_settle afterwards. */
void ledger_unreserve(struct ledger *ledger, enum ledger_line_name line, uint64_t amount);

/* A part of what was used is free again. A closed ledger wants ledger_settle afterwards. */
void ledger_release(struct ledger *ledger, enum ledger_line_name line, uint64_t amount);

/* Reserves and commits as much as there is, `most` at most, and returns that; nothing of a ledger
 * that is not open. */
uint64_t ledger_charge_most(struct ledger *ledger, enum ledger_line_name line, uint64_t most);

/* Reserve and commit in one. Errors as ledger_reserve. */
enum status ledger_charge(struct ledger *ledger, enum ledger_line_name line, uint64_t amount,
                          struct ledger_refusal *refusal) MUST_USE;

/*
 * Gives `amounts` of the parent's to the open child, all or nothing: a sum adds to the child's
 * limit, a share raises it to the amount. STATUS_LIMIT: the parent has less of a line (the first is
 * named, in the order of ledgers.def); STATUS_DEAD: one of the two is closed.
 */
enum status ledger_donate(struct ledger *child, const struct ledger_amounts *amounts,
                          struct ledger_refusal *refusal) MUST_USE;

/* The owner of a ledger that is not the root has ended: all that is to spare goes to the parent.
 * ledger_close_step comes next. */
void ledger_close(struct ledger *ledger);

/* Moves one child of a closed ledger, with its donation, to the parent; false: there is none. */
bool ledger_close_step(struct ledger *ledger) MUST_USE;

/* A closed ledger gives what was released to its parent. Returns the parent if that is closed too
 * and has to settle next (only between the steps of its closing); NULL: done. */
struct ledger *ledger_settle(struct ledger *ledger);

/* A closed and settled ledger with nothing used and no children: may be detached. */
bool ledger_is_over(const struct ledger *ledger);

/* Takes a ledger that is over out of the tree; its memory is the caller's again. */
void ledger_detach(struct ledger *ledger);

/* Sums of one line over the tree under a ledger, itself included. */
struct ledger_census {
    uint64_t used;
    uint64_t reserved;
    uint64_t available;
    uint64_t ledgers; /* how many there are */
};

/* Takes the census of one line and checks each ledger on the way (ledger_check). Returns 0, or the
 * number of the first broken invariant; 5: the sums are not the root's limit. */
unsigned ledger_census(const struct ledger *root, enum ledger_line_name line,
                       struct ledger_census *census) MUST_USE;

/* 0, or the number of the first broken invariant of ledger.c, of this ledger and its links to its
 * children. */
unsigned ledger_check(const struct ledger *ledger) MUST_USE;

#endif
