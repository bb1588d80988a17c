/* SPDX-License-Identifier: MIT */
/*
 * A user's address space: the architecture's tables, a lock, the set of CPUs it is active on, and
 * the count of frames it owns. The theory is in vspace.c.
 *
 * Checks come in this order, and the first that fails is the answer: alignment, number of pages,
 * range, flags, then what the tables say.
 */
#ifndef KERNEL_MEM_VSPACE_H
#define KERNEL_MEM_VSPACE_H

#include "kernel/arch/arch.h"
#include "kernel/lock.h"

enum {
    VSPACE_STEP_PAGES = 16, /* pages handled in one step: 16 zeroings are 12,000 instructions */
};

struct account; /* kernel/mem/account.h */

struct vspace {
    struct arch_vspace arch;
    struct account *account; /* pays for each frame the space owns; NULL: nobody. Fixed */
    struct spinlock lock;
    /* lock: */
    uint64_t frames; /* owned: pages, tables, root */
    /* atomic: */
    uint64_t active; /* mask of CPUs whose user half this is */
};

/* An empty address space that nobody pays for. STATUS_NO_MEMORY. */
enum status vspace_create(struct vspace *vspace) MUST_USE;

/* An empty address space whose frames are charged to `account`. STATUS_LIMIT (frames),
 * STATUS_NO_MEMORY. */
enum status vspace_create_charged(struct vspace *vspace, struct account *account) MUST_USE;

/*
 * Maps one new zeroed page; `flags` are ARCH_PAGE_WRITE or ARCH_PAGE_EXECUTE or neither; *frame
 * (`frame` may be NULL) tells its frame, which stays the space's. Errors: STATUS_MISALIGNED,
 * STATUS_OUT_OF_RANGE (not in the user half), STATUS_INVALID_ARGUMENT (write with execute, or
 * another flag), STATUS_LIMIT (the account's frames), STATUS_NO_MEMORY, STATUS_EXISTS. Nothing
 * changed on error.
 */
enum status vspace_map_new(struct vspace *vspace, vaddr_t page, unsigned flags,
                           paddr_t *frame) MUST_USE;

/* Maps a frame of somebody else's (flags gain ARCH_PAGE_SHARED), who frees it only after the
 * unmap's completion. Errors as above. */
enum status vspace_map_shared(struct vspace *vspace, vaddr_t page, unsigned flags,
                              paddr_t frame) MUST_USE;

struct unmap; /* kernel/mem/shootdown.h */

/*
 * Unmaps up to VSPACE_STEP_PAGES pages from `page` on. `unmap` is completed (its callback called)
 * once no CPU can use the old translations; frames owned by the space stay in quarantine until
 * then. Pages that are not mapped are passed over. The caller holds no lock; the completion may run
 * before this returns. STATUS_MISALIGNED, STATUS_TOO_LARGE, STATUS_OUT_OF_RANGE: nothing changed,
 * and no completion comes.
 */
enum status vspace_unmap(struct vspace *vspace, vaddr_t page, unsigned pages,
                         struct unmap *unmap) MUST_USE;

/* Changes flags in the same way; completed when every CPU sees the new ones. Errors as for unmap
 * and map, and STATUS_NOT_FOUND when one of the pages is not mapped (nothing changed). */
enum status vspace_protect(struct vspace *vspace, vaddr_t page, unsigned pages, unsigned flags,
                           struct unmap *unmap) MUST_USE;

/* Makes `vspace` (or, NULL, no user's) active on this CPU, which leaves the one it had. */
void vspace_activate(struct vspace *vspace);

/* One bounded step of giving back every frame of a space that is active nowhere; false: done, the
 * root is freed too and only the structure is left. */
bool vspace_teardown_step(struct vspace *vspace);

/* 0, or the number of the first broken invariant of vspace.c. For a space that nobody changes
 * meanwhile. */
unsigned vspace_check(struct vspace *vspace);

#endif
