/* SPDX-License-Identifier: MIT */
/*
 * Memory objects.
 *
 * Purpose: memory that can be named, mapped by several processes, read, written and passed on, and
 * whose every use can be found and ended. No message ever says where it lies.
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
 * Invariants (memory_check):
 *  1. frames is the root, the tables and the pages that exist; that many are used in the account,
 *     and the rest of what memory_frames_most says is reserved.
 *  2. mapping_count is the length of the list; each names this object.
 *
 * Locks: the object's (LOCK_RANK_MEMORY_OBJECT), around frame tables and list. Frames are made and
 * zeroed outside of it: who loses a race for a page gives its frame back.
 *
 * What can fail: making an object (quota), a frame (memory).
 */
#include "kernel/object/memory_object.h"

#include "core/assert.h"
#include "core/checked.h"
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/facet.h"
#include "kernel/object/kernel_objects.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/memory.capnp.h"

enum {
    RECLAIM_PAGES = 8, /* each goes to the bitmap in the end: about 500 instructions */
};

_Static_assert((uint64_t)MEMORY_PAGES_MAX <= (uint64_t)MEMORY_TABLE_ENTRIES * MEMORY_TABLE_ENTRIES,
               "one root names all tables");

static struct kmem_cache memory_cache;
static uint64_t dying; /* atomic */

static struct memory_object *memory_of(void *object)
{
    return CONTAINER_OF((struct object *)object, struct memory_object, object);
}

void memory_objects_init(void)
{
    dying = 0;
    kmem_cache_init(&memory_cache, "memory object", sizeof(struct memory_object));
}

uint64_t memory_objects_dying(void)
{
    return atomic_load_acquire_u64(&dying);
}

/* Frames that an object of so many pages can come to have. */
static uint64_t memory_frames_most(uint64_t pages)
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
        *entry = frame;
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
    for (;;) {
        enum status status;
        const paddr_t *entry;

        spinlock_lock(&memory->lock);
        entry = page_entry(memory, page);
        *frame = entry == NULL ? 0 : *entry;
        spinlock_unlock(&memory->lock);
        if (*frame != 0) {
            return STATUS_OK;
        }
        status = frame_add(memory, page); /* at most twice: table, page */
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static enum status memory_create(struct account *account, uint64_t pages,
                                 struct memory_object **created)
{
    uint64_t most = memory_frames_most(pages);
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
                      memory_frames_most(memory->pages) - memory->frames);
    account_frame_free(memory->account, memory->root);
    kmem_free(&memory_cache, memory);
    atomic_add_u64(&dying, UINT64_MAX);
    return false;
}

/* The last reference may go anywhere; the frames go back in steps. */
static void memory_destroy(struct object *object)
{
    struct memory_object *memory = memory_of(object);

    ASSERT(list_is_empty(&memory->mappings));
    ASSERT(list_is_empty(&memory->waits.operations));
    atomic_add_u64(&dying, 1);
    memory->reclaim.step = reclaim_step;
    job_start(&memory->reclaim, arch_cpu_this(), PRIORITY_DEFAULT);
}

bool memory_edge_permits(const struct hold_edge *edge, enum memory_protection protection)
{
    bool permitted = hold_edge_permits(edge, MEMORY_OBJECT_INTERFACE_ID,
                                       MEMORY_OBJECT_METHOD_MAP_READ) == TRANSPORT_OK;

    if (protection == MEMORY_PROTECTION_READ_WRITE) {
        permitted = permitted && hold_edge_permits(edge, MEMORY_OBJECT_INTERFACE_ID,
                                                   MEMORY_OBJECT_METHOD_MAP_WRITE) == TRANSPORT_OK;
    } else if (protection == MEMORY_PROTECTION_READ_EXECUTE) {
        permitted =
            permitted && hold_edge_permits(edge, MEMORY_OBJECT_INTERFACE_ID,
                                           MEMORY_OBJECT_METHOD_MAP_EXECUTE) == TRANSPORT_OK;
    }
    return permitted;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static struct memory_object *object_of(const struct mapping *mapping)
{
    return memory_of(mapping->edge.object);
}

enum status mapping_publish(struct mapping *mapping)
{
    struct memory_object *memory = object_of(mapping);
    enum status status = STATUS_OK;

    spinlock_lock(&memory->lock);
    if (memory->mapping_count == LIMIT_MAPPINGS) {
        status = STATUS_LIMIT;
    } else {
        list_push_back(&memory->mappings, &mapping->node);
        memory->mapping_count++;
        mapping->changing = true;
        if (!hold_edge_is_alive(&mapping->edge)) {
            list_remove(&mapping->node);
            memory->mapping_count--;
            status = STATUS_REVOKED;
        }
    }
    spinlock_unlock(&memory->lock);
    return status;
}

/* Object lock held. */
static void mapping_unlink(struct memory_object *memory, struct mapping *mapping)
{
    if (list_node_is_linked(&mapping->node)) {
        ASSERT(memory->mapping_count > 0);
        list_remove(&mapping->node);
        memory->mapping_count--;
    }
}

/* Whether a revocation has ended the mapping for good. Space lock held, or a change was begun. */
static bool mapping_is_over(const struct mapping *mapping)
{
    return mapping->edge.object == NULL;
}

void mapping_settle(struct mapping *mapping, bool gone)
{
    struct memory_object *memory = object_of(mapping);

    if (mapping_is_over(mapping)) {
        return;
    }
    spinlock_lock(&memory->lock);
    mapping->changing = false;
    if (gone) {
        mapping_unlink(memory, mapping);
    }
    spinlock_unlock(&memory->lock);
}

bool mapping_change(struct mapping *mapping, bool *revoked)
{
    struct memory_object *memory = object_of(mapping);
    bool free;

    if (mapping_is_over(mapping)) {
        *revoked = true;
        return true;
    }
    spinlock_lock(&memory->lock);
    *revoked = mapping->revoked;
    free = !mapping->changing && (!mapping->revoked || !list_node_is_linked(&mapping->node));
    if (free) {
        mapping->changing = true;
    }
    spinlock_unlock(&memory->lock);
    return free;
}

bool mapping_is_revoked(struct mapping *mapping)
{
    struct memory_object *memory = object_of(mapping);
    bool revoked;

    if (mapping_is_over(mapping)) {
        return true;
    }
    spinlock_lock(&memory->lock);
    revoked = mapping->revoked;
    spinlock_unlock(&memory->lock);
    return revoked;
}

bool mapping_leave(struct mapping *mapping)
{
    struct memory_object *memory = object_of(mapping);
    bool left;

    if (mapping_is_over(mapping)) {
        return true;
    }
    spinlock_lock(&memory->lock);
    left = !mapping->leaving;
    if (left) {
        mapping_unlink(memory, mapping);
    }
    spinlock_unlock(&memory->lock);
    return left;
}

/* Every CPU has dropped the pages of one step of a revocation. */
static void mapping_left(struct unmap *unmap)
{
    struct mapping *mapping = CONTAINER_OF(unmap, struct mapping, unmap);
    struct memory_object *memory = object_of(mapping);

    spinlock_lock(&memory->lock);
    mapping->leaving = false;
    spinlock_unlock(&memory->lock);
}

/* Whether the revocation may work on the mapping now: nobody else does. Marks it in any case. Lock
 * held. */
static bool mapping_seize(struct mapping *mapping, struct revoke_step *step)
{
    if (!mapping->revoked) {
        mapping->revoked = true;
        step->receipt.mappings += (uint32_t)mapping->pages;
    }
    if (mapping->changing || mapping->leaving) {
        return false;
    }
    mapping->leaving = true;
    return true;
}

/* The first mapping of the list that is dead; *seized: the caller has it. At most LIMIT_MAPPINGS
 * are looked at, each through GRANT_DEPTH_MAX delegations. */
static struct mapping *mapping_find_dead(struct memory_object *memory, struct revoke_step *step,
                                         bool *seized)
{
    struct list_node *node;
    struct mapping *dead = NULL;

    *seized = false;
    spinlock_lock(&memory->lock);
    for (node = list_first(&memory->mappings); node != NULL && !*seized;
         node = list_next(&memory->mappings, node)) {
        struct mapping *mapping = CONTAINER_OF(node, struct mapping, node);

        if (mapping->edge.grant != NULL && grant_is_below(mapping->edge.grant, step->above)) {
            dead = mapping;
            *seized = mapping_seize(mapping, step);
        }
    }
    spinlock_unlock(&memory->lock);
    return dead;
}

/* No translation of the mapping is left: what it held goes, the region stays its holder's. It is
 * `leaving` until then, so neither a change nor the end of its process is at it. */
static void mapping_release(struct memory_object *memory, struct mapping *mapping)
{
    struct spinlock *space_lock = mapping->space_lock;
    struct hold_edge edge = mapping->edge;

    ASSERT(mapping->leaving && !mapping->changing);
    spinlock_lock(space_lock);
    spinlock_lock(&memory->lock);
    mapping_unlink(memory, mapping);
    mapping->leaving = false;
    spinlock_unlock(&memory->lock);
    mapping->edge.object = NULL;
    mapping->edge.grant = NULL;
    spinlock_unlock(space_lock);
    edge_drop(&edge); /* not the last of the object: the revocation pins it */
}

static bool memory_revoke(struct object *object, struct revoke_step *step)
{
    struct memory_object *memory = memory_of(object);
    bool seized;
    struct mapping *mapping = mapping_find_dead(memory, step, &seized);
    enum status status;
    uint64_t pages;
    vaddr_t address;

    if (mapping == NULL) {
        return park_waits_revoke(&memory->waits, &step->cursor, step);
    }
    if (!seized) {
        step->priority = 0; /* a change of any priority is at it */
        return true;
    }
    if (mapping->cursor == mapping->pages) {
        mapping_release(memory, mapping);
        return true;
    }
    pages = mapping->pages - mapping->cursor;
    pages = pages < VSPACE_STEP_PAGES ? pages : VSPACE_STEP_PAGES;
    address = mapping->address + mapping->cursor * LIMIT_PAGE_BYTES;
    mapping->cursor += pages;
    mapping->unmap.complete = mapping_left;
    status = vspace_unmap(mapping->vspace, address, (unsigned)pages, &mapping->unmap);
    ASSERT(status == STATUS_OK);
    return true;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static enum capn_dispatch memory_info(void *object, struct capn_request *request,
                                      struct memory_object_info_params_reader params,
                                      struct memory_object_info_results_builder results)
{
    struct memory_object *memory = memory_of(object);

    (void)request;
    (void)params;
    memory_object_info_results_set_size_bytes(results, memory->pages * LIMIT_PAGE_BYTES);
    memory_object_info_results_set_contiguous(results, memory->pages == 1);
    spinlock_lock(&memory->lock);
    memory_object_info_results_set_mappings(results, memory->mapping_count);
    spinlock_unlock(&memory->lock);
    return CAPN_DISPATCH_ANSWERED;
}

/* Copies between the object and the kernel's memory, all or nothing: every frame exists before the
 * first byte moves. The range was checked. */
struct memory_copy {
    uint8_t *to;         /* or */
    const uint8_t *from; /* of the kernel; the other is NULL */
    uint64_t offset;
    uint64_t bytes;
};

static enum status memory_copy(struct memory_object *memory, struct memory_copy copy)
{
    uint64_t last = copy.bytes == 0 ? 0 : (copy.offset + copy.bytes - 1) / LIMIT_PAGE_BYTES;
    paddr_t frame;

    for (uint64_t page = copy.offset / LIMIT_PAGE_BYTES; copy.bytes > 0 && page <= last; page++) {
        if (memory_object_frame(memory, page, &frame) != STATUS_OK) {
            return STATUS_NO_MEMORY;
        }
    }
    while (copy.bytes > 0) {
        uint64_t within = copy.offset % LIMIT_PAGE_BYTES;
        uint64_t chunk = LIMIT_PAGE_BYTES - within;
        enum status status = memory_object_frame(memory, copy.offset / LIMIT_PAGE_BYTES, &frame);
        uint8_t *bytes = (uint8_t *)arch_frame_pointer(frame) + within;

        ASSERT(status == STATUS_OK);
        chunk = chunk < copy.bytes ? chunk : copy.bytes;
        if (copy.to != NULL) {
            memcpy(copy.to, bytes, chunk);
            copy.to += chunk;
        } else {
            memcpy(bytes, copy.from, chunk);
            copy.from += chunk;
        }
        copy.offset += chunk;
        copy.bytes -= chunk;
    }
    return STATUS_OK;
}

enum status memory_object_read(struct memory_object *memory, uint64_t offset, uint8_t *to,
                               uint64_t bytes)
{
    return memory_copy(memory, (struct memory_copy){.to = to, .offset = offset, .bytes = bytes});
}

static enum capn_dispatch memory_read(void *object, struct capn_request *request,
                                      struct memory_object_read_params_reader params,
                                      struct memory_object_read_results_builder results)
{
    struct memory_object *memory = memory_of(object);
    uint64_t size = memory->pages * LIMIT_PAGE_BYTES;
    uint64_t offset = memory_object_read_params_get_offset(params);
    uint64_t bytes = memory_object_read_params_get_max_bytes(params);
    uint8_t *to;

    if (offset > size) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, size, offset);
    }
    if (bytes == 0 || bytes > MEMORY_OBJECT_READ_MAX) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, MEMORY_OBJECT_READ_MAX, bytes);
    }
    bytes = bytes < size - offset ? bytes : size - offset;
    to = memory_object_read_results_init_bytes(results, bytes);
    if (to == NULL && bytes != 0) {
        return CAPN_DISPATCH_BAD_RESULTS;
    }
    if (bytes != 0 &&
        memory_copy(memory, (struct memory_copy){.to = to, .offset = offset, .bytes = bytes}) !=
            STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, bytes);
    }
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch memory_write(void *object, struct capn_request *request,
                                       struct memory_object_write_params_reader params,
                                       struct memory_object_write_results_builder results)
{
    struct memory_object *memory = memory_of(object);
    uint64_t size = memory->pages * LIMIT_PAGE_BYTES;
    uint64_t offset = memory_object_write_params_get_offset(params);
    struct capn_data bytes = memory_object_write_params_get_bytes(params);

    (void)results;
    if (!memory_object_write_params_has_bytes(params)) {
        return call_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, 0, 0);
    }
    if (!range_fits(offset, bytes.length, size)) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, size, offset);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    if (memory_copy(memory, (struct memory_copy){.from = bytes.bytes,
                                                 .offset = offset,
                                                 .bytes = bytes.length}) != STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, bytes.length);
    }
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch memory_map_read(void *object, struct capn_request *request,
                                          struct memory_object_map_read_params_reader params,
                                          struct memory_object_map_read_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

static enum capn_dispatch memory_map_write(void *object, struct capn_request *request,
                                           struct memory_object_map_write_params_reader params,
                                           struct memory_object_map_write_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

static enum capn_dispatch
memory_map_execute(void *object, struct capn_request *request,
                   struct memory_object_map_execute_params_reader params,
                   struct memory_object_map_execute_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

/* Refused: a slice would be an object with a tree of delegations of its own, out of reach of a
 * revocation of the edge that it was cut through. */
static enum capn_dispatch memory_slice(void *object, struct capn_request *request,
                                       struct memory_object_slice_params_reader params,
                                       struct memory_object_slice_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_UNSUPPORTED, 0, 0);
}

static enum capn_dispatch memory_call(struct object *object, struct capn_request *request)
{
    static const struct memory_object_server server = {.info = memory_info,
                                                       .read = memory_read,
                                                       .write = memory_write,
                                                       .map_read = memory_map_read,
                                                       .map_write = memory_map_write,
                                                       .map_execute = memory_map_execute,
                                                       .slice = memory_slice};

    return memory_object_dispatch(&server, object, request);
}

static const uint32_t *memory_word(struct object *object, uint64_t offset)
{
    struct memory_object *memory = CONTAINER_OF(object, struct memory_object, object);
    paddr_t frame;

    if (offset / LIMIT_PAGE_BYTES >= memory->pages ||
        memory_object_frame(memory, offset / LIMIT_PAGE_BYTES, &frame) != STATUS_OK) {
        return NULL;
    }
    return (const uint32_t *)(const void *)((const uint8_t *)arch_frame_pointer(frame) +
                                            offset % LIMIT_PAGE_BYTES);
}

static struct park_waits *memory_waits(struct object *object)
{
    return &memory_of(object)->waits;
}

const struct object_type memory_object_type = {
    .name = "memory object",
    .call = memory_call,
    .makes = UINT64_C(1) << MEMORY_OBJECT_METHOD_READ | UINT64_C(1) << MEMORY_OBJECT_METHOD_WRITE |
             UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_READ |
             UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_WRITE |
             UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_EXECUTE |
             UINT64_C(1) << MEMORY_OBJECT_METHOD_SLICE,
    .word = memory_word,
    .waits = memory_waits,
    .revoke = memory_revoke,
    .destroy = memory_destroy};

/* ---- FrameAllocator -------------------------------------------------------------------------- */

static enum capn_dispatch
allocator_allocate(void *object, struct capn_request *request,
                   struct frame_allocator_allocate_params_reader params,
                   struct frame_allocator_allocate_results_builder results)
{
    struct account *account = call_of(request)->caller->process->account;
    uint64_t bytes = frame_allocator_allocate_params_get_size_bytes(params);
    uint64_t most = (uint64_t)MEMORY_PAGES_MAX * LIMIT_PAGE_BYTES;
    struct memory_object *memory;
    struct hold_edge edge;
    enum status status;

    (void)object;
    if (bytes == 0 || bytes > most) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, most, bytes);
    }
    if (bytes % LIMIT_PAGE_BYTES != 0) {
        return call_refuse(request, EXCEPTION_REASON_MISALIGNED, LIMIT_PAGE_BYTES, bytes);
    }
    if (frame_allocator_allocate_params_get_contiguous(params) && bytes > LIMIT_PAGE_BYTES) {
        return call_refuse(request, EXCEPTION_REASON_UNSUPPORTED, LIMIT_PAGE_BYTES, bytes);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    status = memory_create(account, bytes / LIMIT_PAGE_BYTES, &memory);
    if (status == STATUS_LIMIT) {
        return call_refuse_ledger(request, LEDGER_FRAMES,
                                  memory_frames_most(bytes / LIMIT_PAGE_BYTES));
    }
    if (status != STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, bytes);
    }
    edge = object_edge(&memory->object, MEMORY_OBJECT_INTERFACE_ID, CAP_FACET_ALL, 0);
    edge_mode_set(&edge, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    object_unref(&memory->object);
    frame_allocator_allocate_results_set_object(
        results, call_result_cap(call_of(request), &edge, FRAME_ALLOCATOR_ALLOCATE_PATH_OBJECT));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch allocator_info(void *object, struct capn_request *request,
                                         struct frame_allocator_info_params_reader params,
                                         struct frame_allocator_info_results_builder results)
{
    struct ledger_line line =
        account_line(call_of(request)->caller->process->account, LEDGER_FRAMES);
    struct frames_census census;

    (void)object;
    (void)params;
    frames_census_take(&census);
    frame_allocator_info_results_set_free_frames(results, census.free + census.cached);
    frame_allocator_info_results_set_charged_frames(results, line.used + line.reserved);
    frame_allocator_info_results_set_limit_frames(results, line.limit - line.donated);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch allocator_call(struct object *object, struct capn_request *request)
{
    static const struct frame_allocator_server server = {.allocate = allocator_allocate,
                                                         .info = allocator_info};

    return frame_allocator_dispatch(&server, object, request);
}

static const struct object_type allocator_type = {.name = "frame allocator",
                                                  .call = allocator_call,
                                                  .gives = UINT64_C(1)
                                                           << FRAME_ALLOCATOR_METHOD_ALLOCATE};

struct object frame_allocator_object = OBJECT_STATIC(&allocator_type);
