/* SPDX-License-Identifier: MIT */
/*
 * Accounts: the ledgers of core/ledger behind locks, one for each process and one for the machine.
 * A structure that is charged remembers the account, not the process: an account lives until the
 * last charge is released, however long its process has been gone. The theory is in account.c.
 *
 * NULL is nobody's account: nothing is charged and everything is granted. The kernel's own memory
 * and the tests of single parts use it.
 *
 * Any lock of a rank below LOCK_RANK_ACCOUNTS may be held by the caller of anything here.
 */
#ifndef KERNEL_MEM_ACCOUNT_H
#define KERNEL_MEM_ACCOUNT_H

#include "abi/errors.h"
#include "abi/limits.h"
#include "core/ledger.h"
#include "kernel/arch/arch.h"
#include "kernel/lock.h"

struct manifest_quotas;

struct account {
    struct spinlock lock;
    /* lock; parent, children, limit and donated change with the tree's lock held too: */
    struct ledger ledger;
    uint64_t log_window_ns; /* when the present window of log bytes began */
    uint64_t log_bytes;     /* charged in it */
    bool named;             /* by its owner, until the last step of the closing */
    char name[LIMIT_NAME_BYTES + 1];
};

/* The cache and the machine's account: `total` is what there is. Boot only. */
void accounts_init(const struct ledger_amounts *total);

/* Frames that no account pays for, besides those of the caches of kernel objects: what the kernel
 * had when the machine's account was opened. Fixed then; 0: not opened yet. */
extern uint64_t accounts_kernel_frames;

/* The machine's account. */
struct account *account_root(void);

/* A child account with `amounts` of the parent's (kernel/mem/account.c: NULL parent is the root).
 * STATUS_LIMIT (*refusal names the line), STATUS_NO_MEMORY, STATUS_DEAD. */
struct account_plan {
    struct account *parent;
    struct ledger_amounts amounts;
    const char *name;
    size_t name_bytes; /* at most LIMIT_NAME_BYTES */
};
enum status account_create(const struct account_plan *plan, struct account **account,
                           struct ledger_refusal *refusal) MUST_USE;

/* Reserve, commit, unreserve, release, charge: as core/ledger.h. STATUS_LIMIT, STATUS_DEAD. */
enum status account_reserve(struct account *account, enum ledger_line_name line,
                            uint64_t amount) MUST_USE;
void account_commit(struct account *account, enum ledger_line_name line, uint64_t amount);
void account_unreserve(struct account *account, enum ledger_line_name line, uint64_t amount);
void account_release(struct account *account, enum ledger_line_name line, uint64_t amount);
enum status account_charge(struct account *account, enum ledger_line_name line,
                           uint64_t amount) MUST_USE;

/* Reserves as much as there is, `most` at most, and returns that. */
uint64_t account_reserve_most(struct account *account, enum ledger_line_name line, uint64_t most);

/* The same, charged. */
uint64_t account_charge_most(struct account *account, enum ledger_line_name line, uint64_t most);

/* Charges `bytes` of console or log output at `now_ns`: at most the limit in each window of
 * ACCOUNT_LOG_WINDOW_NS. STATUS_LIMIT. */
#define ACCOUNT_LOG_WINDOW_NS UINT64_C(1000000000)
enum status account_log_charge(struct account *account, uint64_t bytes, uint64_t now_ns) MUST_USE;

/* One zeroed frame charged to the account, and its way back. STATUS_LIMIT, STATUS_DEAD,
 * STATUS_NO_MEMORY. */
enum status account_frame_alloc(struct account *account, paddr_t *frame) MUST_USE;
void account_frame_free(struct account *account, paddr_t frame);

/* What a refusal of `amount` of this line would say now. */
struct ledger_refusal account_refusal(struct account *account, enum ledger_line_name line,
                                      uint64_t amount);

/* A snapshot of one line. */
struct ledger_line account_line(struct account *account, enum ledger_line_name line);

/* Fills the refusal detail of a submission that is refused with the TRANSPORT_LIMIT returned. */
enum transport_error account_refuse(const struct ledger_refusal *ledger, struct refusal *refusal);

/* The owner has ended: what it has to spare goes to the parent. Then account_close_step until it is
 * false; the account must not be named by its owner any more after that. */
void account_close(struct account *account);
bool account_close_step(struct account *account) MUST_USE;

/* The amounts that a manifest or a SpawnRequest says. */
struct ledger_amounts account_amounts(const struct manifest_quotas *quotas);

/* Sums of one line over all accounts, the law checked on the way; 0, or the number of the first
 * broken invariant of core/ledger.c. For moments when nobody else changes an account. */
unsigned accounts_census(enum ledger_line_name line, struct ledger_census *census) MUST_USE;

/* 0, or the number of the first broken invariant of account.c. For moments when nobody holds an
 * account's lock or the tree's. */
unsigned account_check(const struct account *account) MUST_USE;

#endif
