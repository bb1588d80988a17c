/* SPDX-License-Identifier: MIT */
/*
 * Accounts.
 *
 * Purpose: core/ledger for many processors. The law and the states are there; here are the locks
 * and the lifetime.
 *
 * Lifetime: an account is created with its process and named by it until account_close_step has
 * said false. From then on only charges keep it: whoever holds a charge (a page in quarantine, a
 * memory object) releases it through the account, and the release that leaves nothing takes the
 * account out of the tree and frees it. A charge is never released twice, so the account that a
 * release names is there until that release has done its work.
 *
 * Invariants:
 *  1. core/ledger's own.
 *  2. A closed account is named by its owner, or has something used, reserved or a child.
 *  3. log_bytes is at most what is used of LEDGER_LOG_BYTES.
 *
 * Locks: `accounts.lock` (LOCK_RANK_ACCOUNTS) for the shape of the tree; each account's own
 * (LOCK_RANK_ACCOUNT, ordered by birth, so that a parent's always comes first) for its lines. What
 * changes limit or donated holds the tree's lock and those of the two accounts; what reserves and
 * releases in an open account holds its own alone. A release in a closed account may change its
 * parent, so it is done under the tree's lock from the start. `state` changes with both held, so
 * either suffices to read it.
 *
 * What can fail: what core/ledger says, and memory for a new account.
 */
#include "kernel/mem/account.h"

#include "core/assert.h"
#include "core/manifest.h"
#include "core/string.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"

static struct {
    struct spinlock lock;
    /* lock: */
    uint64_t born;
    struct account root;
} accounts = {.lock = SPINLOCK_INIT(LOCK_RANK_ACCOUNTS)};

static struct kmem_cache account_cache;
uint64_t accounts_kernel_frames;

static struct account *account_of(struct ledger *ledger)
{
    return CONTAINER_OF(ledger, struct account, ledger);
}

void accounts_init(const struct ledger_amounts *total)
{
    kmem_cache_init(&account_cache, "account", sizeof(struct account));
    spinlock_init(&accounts.lock, LOCK_RANK_ACCOUNTS, 0);
    accounts.born = 0;
    accounts.root = (struct account){.name = "machine", .named = true};
    spinlock_init(&accounts.root.lock, LOCK_RANK_ACCOUNT, 0);
    ledger_init_root(&accounts.root.ledger, total);
}

struct account *account_root(void)
{
    return &accounts.root;
}

static enum status donate(struct account *parent, struct account *account,
                          const struct account_plan *plan, struct ledger_refusal *refusal)
{
    enum status status;

    spinlock_lock(&accounts.lock);
    spinlock_init(&account->lock, LOCK_RANK_ACCOUNT, ++accounts.born);
    spinlock_lock(&parent->lock);
    if (parent->ledger.state != LEDGER_OPEN) {
        status = STATUS_DEAD;
    } else {
        ledger_init_child(&account->ledger, &parent->ledger);
        status = ledger_donate(&account->ledger, &plan->amounts, refusal);
        if (status != STATUS_OK) {
            ledger_close(&account->ledger);
            ledger_detach(&account->ledger);
        }
    }
    spinlock_unlock(&parent->lock);
    spinlock_unlock(&accounts.lock);
    return status;
}

enum status account_create(const struct account_plan *plan, struct account **created,
                           struct ledger_refusal *refusal)
{
    struct account *account = kmem_alloc(&account_cache);
    enum status status;

    if (account == NULL) {
        return STATUS_NO_MEMORY;
    }
    ASSERT(plan->name_bytes <= LIMIT_NAME_BYTES);
    memcpy(account->name, plan->name, plan->name_bytes);
    account->named = true;
    status = donate(plan->parent == NULL ? &accounts.root : plan->parent, account, plan, refusal);
    if (status != STATUS_OK) {
        kmem_free(&account_cache, account);
        return status;
    }
    *created = account;
    return STATUS_OK;
}

enum status account_reserve(struct account *account, enum ledger_line_name line, uint64_t amount)
{
    enum status status = STATUS_OK;

    if (account != NULL) {
        spinlock_lock(&account->lock);
        status = ledger_reserve(&account->ledger, line, amount, NULL);
        spinlock_unlock(&account->lock);
    }
    return status;
}

enum status account_charge(struct account *account, enum ledger_line_name line, uint64_t amount)
{
    enum status status = STATUS_OK;

    if (account != NULL) {
        spinlock_lock(&account->lock);
        status = ledger_charge(&account->ledger, line, amount, NULL);
        spinlock_unlock(&account->lock);
    }
    return status;
}

uint64_t account_reserve_most(struct account *account, enum ledger_line_name line, uint64_t most)
{
    uint64_t available;

    if (account == NULL) {
        return most;
    }
    spinlock_lock(&account->lock);
    available = ledger_available(&account->ledger, line);
    most = available < most ? available : most;
    if (ledger_reserve(&account->ledger, line, most, NULL) != STATUS_OK) {
        most = 0;
    }
    spinlock_unlock(&account->lock);
    return most;
}

uint64_t account_charge_most(struct account *account, enum ledger_line_name line, uint64_t most)
{
    if (account != NULL) {
        spinlock_lock(&account->lock);
        most = ledger_charge_most(&account->ledger, line, most);
        spinlock_unlock(&account->lock);
    }
    return most;
}

void account_commit(struct account *account, enum ledger_line_name line, uint64_t amount)
{
    if (account != NULL) {
        spinlock_lock(&account->lock);
        ledger_commit(&account->ledger, line, amount);
        spinlock_unlock(&account->lock);
    }
}

/* Gives what a closed account has to spare to its parents, as far up as they are closed; frees each
 * that is over. Tree lock held, no account's. */
static void settle_locked(struct account *account)
{
    struct ledger *next = &account->ledger;

    while (next != NULL) {
        struct ledger *ledger = next;
        struct account *parent = account_of(ledger->parent);
        bool over;

        account = account_of(ledger);
        spinlock_lock(&parent->lock);
        spinlock_lock(&account->lock);
        next = ledger_settle(ledger);
        over = !account->named && ledger_is_over(ledger);
        if (over) {
            ledger_detach(ledger);
        }
        spinlock_unlock(&account->lock);
        spinlock_unlock(&parent->lock);
        if (over) {
            kmem_free(&account_cache, account);
        }
    }
}

typedef void (*give_back)(struct ledger *ledger, enum ledger_line_name line, uint64_t amount);

static void give_back_closed(struct account *account, enum ledger_line_name line, uint64_t amount,
                             give_back act)
{
    spinlock_lock(&accounts.lock);
    spinlock_lock(&account->lock);
    act(&account->ledger, line, amount);
    spinlock_unlock(&account->lock);
    settle_locked(account);
    spinlock_unlock(&accounts.lock);
}

static void give_back_any(struct account *account, enum ledger_line_name line, uint64_t amount,
                          give_back act)
{
    bool open;

    if (account == NULL || amount == 0) {
        return;
    }
    spinlock_lock(&account->lock);
    open = account->ledger.state == LEDGER_OPEN;
    if (open) {
        act(&account->ledger, line, amount);
    }
    spinlock_unlock(&account->lock);
    if (!open) {
        give_back_closed(account, line, amount, act);
    }
}

void account_unreserve(struct account *account, enum ledger_line_name line, uint64_t amount)
{
    give_back_any(account, line, amount, ledger_unreserve);
}

void account_release(struct account *account, enum ledger_line_name line, uint64_t amount)
{
    give_back_any(account, line, amount, ledger_release);
}

enum status account_log_charge(struct account *account, uint64_t bytes, uint64_t now_ns)
{
    enum status status;

    if (account == NULL) {
        return STATUS_OK;
    }
    spinlock_lock(&account->lock);
    if (now_ns - account->log_window_ns >= ACCOUNT_LOG_WINDOW_NS) {
        ledger_release(&account->ledger, LEDGER_LOG_BYTES, account->log_bytes);
        account->log_bytes = 0;
        account->log_window_ns = now_ns;
    }
    status = ledger_charge(&account->ledger, LEDGER_LOG_BYTES, bytes, NULL);
    account->log_bytes += status == STATUS_OK ? bytes : 0;
    spinlock_unlock(&account->lock);
    return status;
}

enum status account_frame_alloc(struct account *account, paddr_t *frame)
{
    enum status status = account_charge(account, LEDGER_FRAMES, 1);

    if (status == STATUS_OK) {
        status = frame_alloc(frame);
        if (status != STATUS_OK) {
            account_release(account, LEDGER_FRAMES, 1);
        }
    }
    return status;
}

void account_frame_free(struct account *account, paddr_t frame)
{
    frame_free(frame);
    account_release(account, LEDGER_FRAMES, 1);
}

struct ledger_line account_line(struct account *account, enum ledger_line_name line)
{
    struct ledger_line entry = {.limit = UINT64_MAX};

    ASSERT(line < LEDGER_LINES);
    if (account != NULL) {
        spinlock_lock(&account->lock);
        entry = account->ledger.line[line];
        spinlock_unlock(&account->lock);
    }
    return entry;
}

struct ledger_refusal account_refusal(struct account *account, enum ledger_line_name line,
                                      uint64_t amount)
{
    struct ledger_line entry = account_line(account, line);
    uint64_t own = entry.limit - entry.donated;

    return (struct ledger_refusal){.line = line,
                                   .limit = own,
                                   .available = own - entry.used - entry.reserved,
                                   .amount = amount};
}

enum transport_error account_refuse(const struct ledger_refusal *ledger, struct refusal *refusal)
{
    refusal->reason = (uint16_t)-TRANSPORT_LIMIT;
    refusal->argument = (uint16_t)(ARGUMENT_LEDGER + (unsigned)ledger->line);
    refusal->limit = ledger->limit < UINT32_MAX ? (uint32_t)ledger->limit : UINT32_MAX;
    refusal->amount = ledger->amount;
    return TRANSPORT_LIMIT;
}

void account_close(struct account *account)
{
    struct account *parent;

    spinlock_lock(&accounts.lock);
    parent = account_of(account->ledger.parent);
    spinlock_lock(&parent->lock);
    spinlock_lock(&account->lock);
    ledger_release(&account->ledger, LEDGER_LOG_BYTES, account->log_bytes);
    account->log_bytes = 0;
    ledger_close(&account->ledger);
    spinlock_unlock(&account->lock);
    spinlock_unlock(&parent->lock);
    spinlock_unlock(&accounts.lock);
}

bool account_close_step(struct account *account)
{
    bool more;

    spinlock_lock(&accounts.lock);
    spinlock_lock(&account->lock);
    more = ledger_close_step(&account->ledger);
    account->named = more;
    spinlock_unlock(&account->lock);
    if (!more) {
        settle_locked(account);
    }
    spinlock_unlock(&accounts.lock);
    return more;
}

struct ledger_amounts account_amounts(const struct manifest_quotas *quotas)
{
    return (struct ledger_amounts){{
        [LEDGER_SLOTS] = quotas->slots,
        [LEDGER_FRAMES] = quotas->frames,
        [LEDGER_RING_BYTES] = quotas->ring_bytes,
        [LEDGER_ENDPOINT_QUEUE] = quotas->endpoint_queue,
        [LEDGER_OUTSTANDING_CALLS] = quotas->outstanding_calls,
        [LEDGER_SCRATCH_BYTES] = quotas->scratch_bytes,
        [LEDGER_THREADS] = quotas->threads,
        [LEDGER_LOG_BYTES] = quotas->log_bytes,
        [LEDGER_GRANT_NODES] = quotas->grant_nodes,
        [LEDGER_CPU_PERMILLE] = quotas->cpu_permille,
    }};
}

unsigned accounts_census(enum ledger_line_name line, struct ledger_census *census)
{
    unsigned broken;

    spinlock_lock(&accounts.lock);
    broken = ledger_census(&accounts.root.ledger, line, census);
    spinlock_unlock(&accounts.lock);
    return broken;
}

unsigned account_check(const struct account *account)
{
    if (ledger_check(&account->ledger) != 0) {
        return 1;
    }
    if (account->ledger.state == LEDGER_CLOSED && !account->named &&
        ledger_is_over(&account->ledger)) {
        return 2;
    }
    return account->log_bytes <= account->ledger.line[LEDGER_LOG_BYTES].used ? 0 : 3;
}
