/* SPDX-License-Identifier: MIT */
/*
 * Memory objects.
 *
 * Purpose: memory that can be named, mapped by several processes, read, written and passed on, and
 * whose every use can be found and ended. No message ever says where it lies.
 *
 * A contiguous one is the exception: its frames are a run that was searched for, so they are all
 * there before anybody sees it (memory_allocator.c).
 *
 * An object is a length and a promise: its frames are reserved in its maker's account when it is
 * made, all of them, and come into being one by one when they are first mapped, read or written. So
 * making an object takes constant time, using it never meets a quota, and what the account calls
 * used is what there really is. The account pays until the last frame is back, however long its
 * process has been gone.
 *
 * What a holder may do is the facet of its own edge: read and write are calls; mapRead, mapWrite
 * and mapExecute are tested by VirtualMemory when the edge is an argument. A mapping keeps a copy
 * of that edge with references of its own: object and delegation live as long as it does.
 *
 * Revocation finds mappings here, in the object's list:
 *
 *   published, changing --settle--> mapped --revoke--> leaving, page by page --> unlinked
 *                                     |  ^
 *                             change  v  |  settle
 *                                   changing
 *
 * A mapping is published before its first page is mapped and asks after that whether its edge is
 * alive, so a revocation either finds it or was seen. While an address space is at work on it the
 * revocation only marks it; whoever is at work stops at the mark, settles, and the revocation takes
 * it from there. It takes out VSPACE_STEP_PAGES at a time and goes on when every CPU has dropped
 * them: it is over only when no translation is left anywhere. Then the mapping gives up object and
 * delegation, whatever its holder does with the region: what was taken back is pinned by nobody it
 * was taken from.
 *
 * Invariants (the simulator sums up 1 over all objects, sim/hunt/memory_look.c):
 *  1. frames is the root, the tables and the pages that exist; that many are used in the account,
 *     and the rest of what memory_object_frames_most says is reserved.
 *  2. mapping_count is the length of the list; each names this object.
 *
 * Locks: the object's (LOCK_RANK_MEMORY_OBJECT), around list and changes of frame tables, whose
 * entries come once and stay: they are read without it. Frames are made and zeroed outside of it:
 * who loses a race for a page gives its frame back.
 *
 * What can fail: making an object (quota), a frame (memory).
 */
#include "kernel/object/memory_object.h"

#include "core/assert.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"

enum {
    RECLAIM_PAGES = 8,  /* each goes to the bitmap in the end: about 500 instructions */
    CREATE_WORK = 5120, /* of cpu->effects: some 2,400 instructions, 700 to zero a frame */
};

_Static_assert((uint64_t)MEMORY_PAGES_MAX <= (uint64_t)MEMORY_TABLE_ENTRIES * MEMORY_TABLE_ENTRIES,
               "one root names all tables");

static struct kmem_cache memory_cache;
static uint64_t dying; /* atomic */

void memory_objects_init(void)
{
    dying = 0;
    memory_runs_init();
    kmem_cache_init(&memory_cache, "memory object", sizeof(struct memory_object));
}

uint64_t memory_objects_dying(void)
{
    return atomic_load_acquire_u64(&dying) + memory_runs_under_way();
}

/* Frames that an object of so many pages can come to have. */
uint64_t memory_object_frames_most(uint64_t pages)
{
    return 1 + (pages + MEMORY_TABLE_ENTRIES - 1) / MEMORY_TABLE_ENTRIES + pages;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* The entry of `page`, or NULL when its table does not exist. Lock held. */
static paddr_t *page_entry(const struct memory_object *memory, uint64_t page)
{
    const paddr_t *root = arch_frame_pointer(memory->root);
    paddr_t table = root[page / MEMORY_TABLE_ENTRIES];

    ASSERT(page < memory->pages);
    return table == 0 ? NULL : (paddr_t *)arch_frame_pointer(table) + page % MEMORY_TABLE_ENTRIES;
}

/* Puts `frame` where 0 is in *entry; else it goes to *rest. Lock held. */
static void entry_fill(struct memory_object *memory, paddr_t *entry, paddr_t frame, paddr_t *rest)
{
    if (*entry == 0) {
        atomic_store_release_u64(entry, frame); /* with what it holds */
        memory->frames++;
    } else {
        *rest = frame;
    }
}

/* One new frame, for the table of `page` if there is none, else for the page. */
static enum status frame_add(struct memory_object *memory, uint64_t page)
{
    paddr_t frame;
    paddr_t rest = 0;
    paddr_t *entry;

    if (frame_alloc(&frame) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    spinlock_lock(&memory->lock);
    entry = page_entry(memory, page);
    if (entry == NULL) {
        paddr_t *root = arch_frame_pointer(memory->root);

        entry = &root[page / MEMORY_TABLE_ENTRIES];
    }
    entry_fill(memory, entry, frame, &rest);
    spinlock_unlock(&memory->lock);
    if (rest != 0) {
        frame_free(rest);
    } else {
        account_commit(memory->account, LEDGER_FRAMES, 1);
    }
    return STATUS_OK;
}

enum status memory_object_frame(struct memory_object *memory, uint64_t page, paddr_t *frame)
{
    ASSERT(page < memory->pages);
    for (;;) {
        enum status status;

        *frame = memory_object_frame_there(memory, page);
        if (LIKELY(*frame != 0)) {
            return STATUS_OK;
        }
        status = frame_add(memory, page); /* at most twice: table, page */
        if (status != STATUS_OK) {
            return status;
        }
    }
}

enum status memory_object_table(struct memory_object *memory, uint64_t page)
{
    return page_entry(memory, page) != NULL ? STATUS_OK : frame_add(memory, page);
}

void memory_object_enter(struct memory_object *memory, uint64_t page, paddr_t frame)
{
    paddr_t rest = 0;

    spinlock_lock(&memory->lock);
    entry_fill(memory, page_entry(memory, page), frame, &rest);
    spinlock_unlock(&memory->lock);
    ASSERT(rest == 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

enum status memory_object_create(struct account *account, uint64_t pages,
                                 struct memory_object **created)
{
    uint64_t most = memory_object_frames_most(pages);
    struct memory_object *memory;
    enum status status = account_reserve(account, LEDGER_FRAMES, most);

    if (status != STATUS_OK) {
        return status;
    }
    memory = kmem_alloc(&memory_cache);
    if (memory == NULL || frame_alloc(&memory->root) != STATUS_OK) {
        account_unreserve(account, LEDGER_FRAMES, most);
        if (memory != NULL) {
            kmem_free(&memory_cache, memory);
        }
        return STATUS_NO_MEMORY;
    }
    account_commit(account, LEDGER_FRAMES, 1);
    object_init(&memory->object, &memory_object_type);
    spinlock_init(&memory->lock, LOCK_RANK_MEMORY_OBJECT, 0);
    memory->account = account;
    memory->pages = pages;
    memory->frames = 1;
    list_init(&memory->mappings);
    park_waits_init(&memory->waits);
    arch_cpu_this()->effects += CREATE_WORK;
    *created = memory;
    return STATUS_OK;
}

/* Gives back the page at the cursor, and its table after the last of it. Nobody else has the
 * object. */
static void page_reclaim(struct memory_object *memory)
{
    paddr_t *root = arch_frame_pointer(memory->root);
    paddr_t *table = &root[memory->reclaim_page / MEMORY_TABLE_ENTRIES];
    const paddr_t *entry = page_entry(memory, memory->reclaim_page);

    if (entry == NULL) {
        memory->reclaim_page += MEMORY_TABLE_ENTRIES;
        return;
    }
    if (*entry != 0) {
        account_frame_free(memory->account, *entry);
    }
    memory->reclaim_page++;
    if (memory->reclaim_page % MEMORY_TABLE_ENTRIES == 0 || memory->reclaim_page == memory->pages) {
        account_frame_free(memory->account, *table);
        *table = 0;
    }
}

static bool reclaim_step(struct job *job)
{
    struct memory_object *memory = CONTAINER_OF(job, struct memory_object, reclaim);

    for (unsigned i = 0; i < RECLAIM_PAGES && memory->reclaim_page < memory->pages; i++) {
        page_reclaim(memory);
    }
    if (memory->reclaim_page < memory->pages) {
        return true;
    }
    account_unreserve(memory->account, LEDGER_FRAMES,
                      memory_object_frames_most(memory->pages) - memory->frames);
    account_frame_free(memory->account, memory->root);
    kmem_free(&memory_cache, memory);
    atomic_add_u64(&dying, UINT64_MAX);
    return false;
}

/* The last reference may go anywhere; the frames go back in steps. */
void memory_object_destroy(struct object *object)
{
    struct memory_object *memory = memory_object_of(object);

    ASSERT(list_is_empty(&memory->mappings));
    ASSERT(list_is_empty(&memory->waits.operations));
    atomic_add_u64(&dying, 1);
    memory->reclaim.step = reclaim_step;
    job_start(&memory->reclaim, arch_cpu_this(), PRIORITY_DEFAULT);
}
