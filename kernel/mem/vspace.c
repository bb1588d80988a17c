/* SPDX-License-Identifier: MIT */
/*
 * User address spaces.
 *
 * Purpose: to map, narrow and remove pages of a program in bounded steps, never writable and
 * executable at once, and to know which frames a space owns and which CPUs may hold translations
 * of it.
 *
 * A page is absent, owned (its frame belongs to the space and is counted) or shared (the frame is
 * somebody else's). A guard page is simply absent.
 *
 *   absent --map_new--> owned  --unmap--> absent, frame in quarantine, then free
 *   absent --map_shared--> shared --unmap--> absent, frame still its owner's
 *   owned, shared --protect--> the same with other flags
 *   owned --teardown_step--> absent, frame free at once: no CPU has the space
 *
 * Invariants:
 * 1. `frames` is 1 (the root) + the tables + the owned pages; 0 after the teardown.
 * 2. No page is writable and executable, and every mapped page lies in [LIMIT_USER_MIN,
 *    LIMIT_USER_MAX). (That two spaces may share a frame, one to write, one to
 *    execute, is for the memory object's owner to decide.)
 * 3. A CPU's bit is in `active` from before its first walk of the tables until after the flush with
 *    which it leaves; cpu->vspace names the space in between.
 * 4. Tables are freed by the teardown alone, while `active` is 0: a walk never meets a freed table,
 *    and vspace_unmap takes constant time for each page.
 *
 * Adding a page needs no shootdown: an absent page is in no translation buffer (Intel SDM volume
 * 3A, 4.10.2.3; an architecture that caches absence flushes in arch_vspace_map). Everything else
 * does, widening too: a buffer that still says read-only would make a fault, or a failed copy, of a
 * permitted write.
 *
 * Locks: `lock` guards tables and count. `active` is changed by the CPU whose bit it is, without
 * the lock; kernel/mem/shootdown.c has the ordering argument. Frames are taken before the lock and
 * given back after it.
 *
 * Frames are charged to the space's account before the lock is taken, and released when they leave
 * quarantine: the account pays for what nobody else can have yet.
 *
 * What can fail: mapping, for want of quota or memory; each reserve is filled before the tables
 * change.
 */
#include "kernel/mem/vspace.h"

#include "abi/atomic.h"
#include "core/bits.h"
#include "kernel/cpu.h"
#include "kernel/mem/account.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/memory_debug.h"
#include "kernel/mem/shootdown.h"
#include "kernel/mem/vspace_change.h"

enum {
    TEARDOWN_FRAMES = 8, /* each goes to the bitmap in the end: about 500 instructions */
};

#define FLAGS_ALLOWED ((unsigned)ARCH_PAGE_WRITE | (unsigned)ARCH_PAGE_EXECUTE)

static enum status pages_validate(vaddr_t page, unsigned pages)
{
    if (page % FRAME_BYTES != 0) {
        return STATUS_MISALIGNED;
    }
    if (pages > VSPACE_STEP_PAGES) {
        return STATUS_TOO_LARGE;
    }
    if (page < LIMIT_USER_MIN || page > LIMIT_USER_MAX ||
        (uint64_t)pages * FRAME_BYTES > LIMIT_USER_MAX - page) {
        return STATUS_OUT_OF_RANGE;
    }
    return STATUS_OK;
}

static enum status flags_validate(unsigned flags)
{
    if ((flags & ~FLAGS_ALLOWED) != 0 || flags == FLAGS_ALLOWED) {
        return STATUS_INVALID_ARGUMENT;
    }
    return STATUS_OK;
}

enum status vspace_create(struct vspace *vspace)
{
    return vspace_create_charged(vspace, NULL);
}

enum status vspace_create_charged(struct vspace *vspace, struct account *account)
{
    paddr_t root;
    enum status status = account_frame_alloc(account, &root);

    if (status != STATUS_OK) {
        return status;
    }
    vspace->account = account;
    spinlock_init(&vspace->lock, LOCK_RANK_VSPACE, 0);
    vspace->frames = 1;
    vspace->active = 0;
    arch_vspace_init(&vspace->arch, root);
    return STATUS_OK;
}

/*
 * The frames for one page and its tables, `wanted` at most, set aside in the account and in memory.
 * An account that has fewer left gives what it has, one at least: most pages need no new table.
 * STATUS_LIMIT, STATUS_NO_MEMORY: nothing is set aside.
 */
static enum status frames_set_aside(struct vspace *vspace, unsigned wanted, unsigned needed,
                                    struct frame_reserve *reserve)
{
    unsigned granted = (unsigned)account_reserve_most(vspace->account, LEDGER_FRAMES, wanted);
    enum status status = granted < needed ? STATUS_LIMIT : frame_reserve_fill(reserve, granted);

    if (status != STATUS_OK) {
        account_unreserve(vspace->account, LEDGER_FRAMES, granted);
    }
    return status;
}

/* Of the `aside` frames those not in `reserve` any more were used; the rest goes back. */
static void frames_settle(struct vspace *vspace, unsigned aside, struct frame_reserve *reserve)
{
    unsigned rest = reserve->count;

    frame_reserve_release(reserve);
    account_commit(vspace->account, LEDGER_FRAMES, aside - rest);
    account_unreserve(vspace->account, LEDGER_FRAMES, rest);
}

/* Maps with the frames of `reserve`, tables first; counts those used and the `owned` pages.
 * STATUS_LIMIT: the account gave too few for the tables. */
static enum status page_map(struct vspace *vspace, vaddr_t page, struct arch_mapping mapping,
                            struct frame_reserve *reserve)
{
    unsigned reserved = reserve->count;
    enum status status;

    spinlock_lock(&vspace->lock);
    status = arch_vspace_map(&vspace->arch, page, mapping, reserve);
    if (status == STATUS_OK) {
        vspace->frames += reserved - reserve->count;
        vspace->frames += (mapping.flags & ARCH_PAGE_SHARED) == 0 ? 1u : 0u;
    }
    spinlock_unlock(&vspace->lock);
    ASSERT(status == STATUS_OK || reserve->count == reserved);
    return status == STATUS_NO_MEMORY && reserved < ARCH_TABLES_PER_MAP ? STATUS_LIMIT : status;
}

enum status vspace_map_new(struct vspace *vspace, vaddr_t page, unsigned flags, paddr_t *frame)
{
    struct frame_reserve reserve = {.count = 0};
    struct arch_mapping mapping = {.flags = flags};
    enum status status = pages_validate(page, 1);
    unsigned aside;

    status = status == STATUS_OK ? flags_validate(flags) : status;
    if (status == STATUS_OK) {
        status = frames_set_aside(vspace, ARCH_TABLES_PER_MAP + 1, 1, &reserve);
    }
    if (status != STATUS_OK) {
        return status;
    }
    aside = reserve.count;
    mapping.frame = reserve.frame[--reserve.count];
    status = page_map(vspace, page, mapping, &reserve);
    if (status != STATUS_OK) {
        reserve.frame[reserve.count++] = mapping.frame;
    } else if (frame != NULL) {
        *frame = mapping.frame;
    }
    frames_settle(vspace, aside, &reserve);
    return status;
}

enum status vspace_map_shared(struct vspace *vspace, vaddr_t page, unsigned flags, paddr_t frame)
{
    struct frame_reserve reserve = {.count = 0};
    struct arch_mapping mapping = {.frame = frame, .flags = flags | ARCH_PAGE_SHARED};
    enum status status = pages_validate(page, 1);
    unsigned aside;

    ASSERT(frame % FRAME_BYTES == 0);
    status = status == STATUS_OK ? flags_validate(flags) : status;
    if (status == STATUS_OK) {
        status = frames_set_aside(vspace, ARCH_TABLES_PER_MAP, 0, &reserve);
    }
    if (status != STATUS_OK) {
        return status;
    }
    aside = reserve.count;
    status = page_map(vspace, page, mapping, &reserve);
    frames_settle(vspace, aside, &reserve);
    return status;
}

/* Makes an unmap that lists nothing; its callback is the caller's. */
static void unmap_clear(struct unmap *unmap)
{
    unmap->count = 0;
    unmap->frame_count = 0;
    unmap->account = NULL;
}

/* The CPUs that may still use what was just taken out of the tables: read after those stores
 * (ordering point 1 of kernel/mem/shootdown.c). */
static uint64_t active_after_change(struct vspace *vspace)
{
    atomic_fence();
    return atomic_load_acquire_u64(&vspace->active);
}

enum status vspace_unmap(struct vspace *vspace, vaddr_t page, unsigned pages, struct unmap *unmap)
{
    enum status status = pages_validate(page, pages);
    struct arch_mapping mapping;
    uint64_t active;

    if (status != STATUS_OK) {
        return status;
    }
    unmap_rendezvous(vspace, page, pages);
    unmap_clear(unmap);
    unmap->account = vspace->account;
    spinlock_lock(&vspace->lock);
    for (unsigned i = 0; i < pages; i++) {
        if (!arch_vspace_unmap(&vspace->arch, page + (vaddr_t)i * FRAME_BYTES, &mapping)) {
            continue;
        }
        unmap->count++;
        if ((mapping.flags & ARCH_PAGE_SHARED) == 0) {
            ASSERT(vspace->frames > 1);
            vspace->frames--;
            unmap->frame[unmap->frame_count++] = mapping.frame;
        }
    }
    active = active_after_change(vspace);
    spinlock_unlock(&vspace->lock);
    unmap_rendezvous_end(vspace, unmap);
    shootdown_start(unmap, active);
    return STATUS_OK;
}

/* Whether all pages are mapped. */
static bool pages_are_mapped(const struct vspace *vspace, vaddr_t page, unsigned pages)
{
    struct arch_mapping mapping;

    for (unsigned i = 0; i < pages; i++) {
        if (!arch_vspace_query(&vspace->arch, page + (vaddr_t)i * FRAME_BYTES, &mapping)) {
            return false;
        }
    }
    return true;
}

/* Gives one mapped page the flags; true: they were others. */
static bool page_protect(struct vspace *vspace, vaddr_t page, unsigned flags)
{
    struct arch_mapping mapping;
    bool mapped = arch_vspace_query(&vspace->arch, page, &mapping);

    ASSERT(mapped);
    flags |= mapping.flags & ARCH_PAGE_SHARED;
    if (mapping.flags == flags) {
        return false;
    }
    mapped = arch_vspace_protect(&vspace->arch, page, flags);
    ASSERT(mapped);
    return true;
}

enum status vspace_protect(struct vspace *vspace, vaddr_t page, unsigned pages, unsigned flags,
                           struct unmap *unmap)
{
    enum status status = pages_validate(page, pages);
    uint64_t active;

    status = status == STATUS_OK ? flags_validate(flags) : status;
    if (status != STATUS_OK) {
        return status;
    }
    spinlock_lock(&vspace->lock);
    if (!pages_are_mapped(vspace, page, pages)) {
        spinlock_unlock(&vspace->lock);
        return STATUS_NOT_FOUND;
    }
    unmap_clear(unmap);
    for (unsigned i = 0; i < pages; i++) {
        if (page_protect(vspace, page + (vaddr_t)i * FRAME_BYTES, flags)) {
            unmap->count++;
        }
    }
    active = active_after_change(vspace);
    spinlock_unlock(&vspace->lock);
    shootdown_start(unmap, active);
    return STATUS_OK;
}

void vspace_activate(struct vspace *vspace)
{
    struct cpu *cpu = arch_cpu_this();

    if (vspace != cpu->vspace) {
        vspace_change(cpu, cpu->vspace, vspace);
    }
}

bool vspace_teardown_step(struct vspace *vspace)
{
    paddr_t frame[TEARDOWN_FRAMES];
    unsigned count;
    bool empty;

    ASSERT(atomic_load_acquire_u64(&vspace->active) == 0);
    memory_debug_teardown(vspace);
    spinlock_lock(&vspace->lock);
    count = arch_vspace_drain(&vspace->arch, frame, TEARDOWN_FRAMES, &empty);
    ASSERT(count <= TEARDOWN_FRAMES && count < vspace->frames);
    vspace->frames -= count;
    spinlock_unlock(&vspace->lock);
    for (unsigned i = 0; i < count; i++) {
        frame_free(frame[i]);
    }
    account_release(vspace->account, LEDGER_FRAMES, count);
    if (!empty) {
        return true;
    }
    ASSERT(vspace->frames == 1); /* invariant 1 */
    account_frame_free(vspace->account, arch_vspace_root(&vspace->arch));
    vspace->frames = 0;
    return false;
}

/* Invariant 3. */
static bool active_names_the_cpus(const struct vspace *vspace)
{
    uint64_t active = atomic_load_acquire_u64(&vspace->active);

    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        bool named = cpus[i] != NULL && cpus[i]->vspace == vspace;

        if (named != ((active >> i & 1) != 0)) {
            return false;
        }
    }
    return true;
}

unsigned vspace_check(struct vspace *vspace)
{
    struct arch_vspace_census census;
    unsigned broken = 0;

    spinlock_lock(&vspace->lock);
    arch_vspace_census_take(&vspace->arch, &census);
    if (census.owned != vspace->frames) {
        broken = 1;
    } else if (census.forbidden != 0) {
        broken = 2;
    } else if (!active_names_the_cpus(vspace)) {
        broken = 3;
    }
    spinlock_unlock(&vspace->lock);
    return broken;
}
