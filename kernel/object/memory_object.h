/* SPDX-License-Identifier: MIT */
/* MemoryObject and FrameAllocator. The theory is in memory_object.c. */
#ifndef KERNEL_OBJECT_MEMORY_OBJECT_H
#define KERNEL_OBJECT_MEMORY_OBJECT_H

#include "core/slice.h"
#include "kernel/ipc/park_waits.h"
#include "kernel/mem/account.h"
#include "kernel/mem/shootdown.h"
#include "kernel/object/object.h"
#include "kernel/sched/task.h"
#include "schema/generated/memory.capnp.h"

enum {
    MEMORY_TABLE_ENTRIES = LIMIT_PAGE_BYTES / sizeof(paddr_t),
    MEMORY_PAGES_MAX = LIMIT_OBJECT_PAGES,
};

struct memory_object {
    struct object object;
    struct account *account; /* pays for its frames, from their making to their end; fixed */
    uint64_t pages;          /* fixed */
    bool contiguous;         /* its frames are one run; fixed before it has an edge */
    paddr_t root; /* fixed: frame of the addresses of table frames, each of addresses of pages; who
                     holds the lock makes an entry of 0 a frame, which then stays as long as the
                     object, and anybody may read it */
    struct spinlock lock;
    /* lock: */
    uint64_t frames;      /* that exist: root, tables, pages; the rest is reserved in the account */
    struct list mappings; /* struct mapping.node */
    uint32_t mapping_count;
    struct park_waits waits; /* at its words; its own lock */
    struct job reclaim;      /* after the last reference */
    uint64_t reclaim_page;
};

/* One mapping of an object, a part of what its address space knows about it. */
struct mapping {
    /* That it was mapped through, with references of its own. Object NULL once a revocation has
     * taken out the last page: the object is charged for it no longer. That happens under
     * space_lock, and never while `changing`; the rest is fixed. */
    struct hold_edge edge;
    struct spinlock *space_lock; /* of the address space */
    struct vspace *vspace;       /* while it is linked */
    uint64_t address;            /* user address of its first page */
    uint64_t pages;
    uint64_t object_page; /* of the first page, in the whole object */
    /* lock of the object: */
    struct list_node node; /* linked while any page of it may be in the tables */
    bool changing;         /* a change of its address space is at work on it */
    bool revoked;          /* no page comes back */
    bool leaving;          /* an unmap for the revocation is under way */
    uint64_t cursor;       /* pages that the revocation has taken out */
    struct unmap unmap;
};

extern const struct object_type memory_object_type;

void memory_objects_init(void);

static inline struct memory_object *memory_object_of(void *object)
{
    return CONTAINER_OF((struct object *)object, struct memory_object, object);
}

/* Frames that an object of so many pages can come to have. */
uint64_t memory_object_frames_most(uint64_t pages);

/* A new object, its one reference the caller's, with all its frames reserved in `account`.
 * STATUS_LIMIT (frames), STATUS_NO_MEMORY. */
enum status memory_object_create(struct account *account, uint64_t pages,
                                 struct memory_object **created) MUST_USE;

/* For whoever makes a contiguous one, before it has an edge: the table that `page` is to be in
 * exists afterwards (STATUS_NO_MEMORY), and `frame`, which is charged already, is the page. */
enum status memory_object_table(struct memory_object *memory, uint64_t page) MUST_USE;
void memory_object_enter(struct memory_object *memory, uint64_t page, paddr_t frame);

/* Of FrameAllocator: contiguous objects that are being made. */
void memory_runs_init(void);
uint64_t memory_runs_under_way(void);

/* Of object_type. */
bool memory_object_revoke(struct object *object, struct revoke_step *step);
void memory_object_destroy(struct object *object);

/* Objects whose last reference is gone and whose frames are not all back, and those that are being
 * made. */
uint64_t memory_objects_dying(void);

/*
 * Links a mapping, edge and place filled in and `changing` set, so that a revocation finds it.
 * STATUS_LIMIT: the object has LIMIT_MAPPINGS; STATUS_REVOKED: the edge died meanwhile.
 */
enum status mapping_publish(struct mapping *mapping) MUST_USE;

/* The change is over. `gone`: no page of the mapping is left in the tables, and it is unlinked. */
void mapping_settle(struct mapping *mapping, bool gone);

/* Begins a change; false: one is under way, or a revocation. `*revoked` says whether it is. The
 * space's lock is held. */
bool mapping_change(struct mapping *mapping, bool *revoked) MUST_USE;

/*
 * Cuts a mapping that a change was begun of before its page `at` (1 to pages - 1): `rest`, zeroed,
 * becomes the part from there on, of the same change and with references of its own. STATUS_LIMIT:
 * the object has LIMIT_MAPPINGS; nothing changed. The space's lock is held.
 */
enum status mapping_split(struct mapping *mapping, uint64_t at, struct mapping *rest) MUST_USE;

/*
 * Makes `rest`, which shows what comes after the pages of `before`, a part of that again, if both
 * are of one edge and nobody is at work on them. True: `rest` is in no list any more and only has
 * its references left. The space's lock is held.
 */
bool mapping_join(struct mapping *before, struct mapping *rest) MUST_USE;

/* Whether the mapping was revoked. The space's lock is held, or a change was begun. */
bool mapping_is_revoked(struct mapping *mapping);

/* A dying process unlinks it; false: a revocation still works on it, ask again. The space's lock is
 * held. */
bool mapping_leave(struct mapping *mapping) MUST_USE;

/* How many mappings show a page of the slice. At most LIMIT_MAPPINGS are looked at. */
uint32_t memory_object_mappings(struct memory_object *memory, struct slice slice);

/* Whether the facet of this very edge allows a mapping of this protection: a MemoryObject method
 * stands for each kind of access. */
bool memory_edge_permits(const struct hold_edge *edge, enum memory_protection protection) MUST_USE;

/* The frame of the object's page; 0: it was never needed. Locks do not matter. */
static inline paddr_t memory_object_frame_there(const struct memory_object *memory, uint64_t page)
{
    const paddr_t *entries = arch_frame_pointer(memory->root);
    paddr_t table = atomic_load_acquire_u64(&entries[page / MEMORY_TABLE_ENTRIES]);

    if (UNLIKELY(table == 0)) {
        return 0;
    }
    entries = arch_frame_pointer(table);
    return atomic_load_acquire_u64(&entries[page % MEMORY_TABLE_ENTRIES]);
}

/* The frame of the object's page, made now if it was never needed. STATUS_NO_MEMORY. */
enum status memory_object_frame(struct memory_object *memory, uint64_t page,
                                paddr_t *frame) MUST_USE;

/* Bytes of the slice that `edge`, of a memory object, is for. */
uint64_t memory_edge_bytes(const struct hold_edge *edge);

/* Copies `bytes` from `offset` of that slice on, which reach no further than its end.
 * STATUS_NO_MEMORY: a page that nobody has touched could not be made; nothing was copied. */
enum status memory_edge_read(const struct hold_edge *edge, uint64_t offset, uint8_t *to,
                             uint64_t bytes) MUST_USE;

#endif
