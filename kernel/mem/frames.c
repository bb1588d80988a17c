/* SPDX-License-Identifier: MIT */
/*
 * Physical memory.
 *
 * Purpose: to hand out frames of 4096 bytes, zeroed, in bounded time, and to account for each of
 * them at any moment.
 *
 * Words: the *bitmap* (core/frame_bitmap) says which frames are free. A CPU's *cache* holds up to
 * CPU_FRAME_CACHE frames that the bitmap counts as used; most allocations and frees touch only it.
 * A cached frame is *clean* when it is known to be zero. A frame that a user's space gave up is in
 * *quarantine* (kernel/mem/shootdown.c) until no translation buffer names it.
 *
 *   free --refill--> cached --frame_alloc--> owned --frame_free--> cached --drain--> free
 *                      |  ^                   |  ^
 *                      |  +-- reserve_release-+  +---- shootdown completes
 *                      +---- taken by a CPU whose refill found nothing
 *
 * Zeroing: a frame is zeroed when it is handed out, by the CPU that hands it out, outside the lock;
 * a clean one is not zeroed again. What a dead process left in a free frame stays there until then,
 * and no one can read it: the direct map is the kernel's, and no other path leads to a frame.
 * Zeroing at the free instead would charge a teardown for memory nobody may ever want, and would
 * have to zero all memory at boot.
 *
 * Invariants:
 * 1. core/frame_bitmap's own (frame_bitmap_check).
 * 2. A frame in a cache is used in the bitmap, inside it, and in no cache twice.
 * 3. A clean frame in a cache is zero.
 * 4. total = reserved + free + cached + quarantine + owned, and none is negative.
 * 5. Slots of a cache at and above frame_cache_count are empty. Below it a slot may be empty too:
 *    another CPU took the frame.
 * 6. Frame 0 is never handed out: address 0 means "no frame" in every structure.
 *
 * Locks: frames.lock (LOCK_RANK_FRAMES) guards the bitmap; moves between bitmap and caches happen
 * under it, so under it free + cached changes only by frames handed out and given back. A cache
 * slot is one word: the owner takes and puts by exchange and store, and a CPU that finds the bitmap
 * empty takes from the others' slots by exchange, so each frame comes out exactly once. The
 * exchange acquires what the store released: the new owner sees the frame as the old one left it.
 * frame_cache_count is its CPU's alone.
 *
 * Bounds: a refill or drain moves CACHE_BATCH frames, each in at most two steps for each of the
 * bitmap's six levels. One step of the search for a run looks at RUN_TRIES candidates of
 * RUN_FRAMES_MAX frames at most. Taking from other caches looks at CPU_FRAME_CACHE slots of each
 * CPU; it happens only when memory is exhausted.
 *
 * What can fail: STATUS_NO_MEMORY, with nothing changed.
 */
#include "kernel/mem/frames.h"

#include "abi/atomic.h"
#include "core/bits.h"
#include "core/boot_info.h"
#include "core/frame_bitmap.h"
#include "core/string.h"
#include "kernel/cpu.h"
#include "kernel/mem/memory_debug.h"
#include "kernel/mem/shootdown.h"
#include "kernel/work_check.h"

enum {
    CACHE_BATCH = CPU_FRAME_CACHE / 2,
    SPARE_FRAMES_MIN = 256, /* 1 MiB */
    RUN_TRIES = 4,          /* candidates in one step, up to 1,000 instructions each */
};

/* In a cache slot, beside the frame's address: the frame is known to be zero. */
#define SLOT_CLEAN UINT64_C(1)
#define SLOT_FLAGS (FRAME_BYTES - UINT64_C(1))

_Static_assert(FRAME_BYTES == FRAME_SIZE, "the bitmap counts the same frames");

static struct {
    struct spinlock lock;
    struct frame_bitmap bitmap; /* lock */
    /* fixed after frames_init: */
    uint64_t total;
    uint64_t reserved;
    uint64_t reserved_for_data;
    uint64_t bitmap_bytes;
} frames = {.lock = SPINLOCK_INIT(LOCK_RANK_FRAMES)};

/* ---- boot ------------------------------------------------------------------------------------ */

struct region {
    uint64_t start;
    uint64_t end;
};

/* Memory that is in use before the allocator stands; index 0.. until it returns false. */
static bool region_taken(const struct boot_info *info, unsigned index, struct region *region)
{
    switch (index) {
    case 0: /* invariant 6 */
        *region = (struct region){0, FRAME_BYTES};
        return true;
    case 1:
        *region = (struct region){info->module_start, info->module_start + info->module_length};
        return true;
    default:
        return arch_memory_reserved(index - 2, &region->start, &region->end);
    }
}

/* Moves *start up until `bytes` from it on touch no taken region. Ends: it only grows, and each
 * region can push it once. */
static void region_avoid_taken(const struct boot_info *info, uint64_t bytes, uint64_t *start)
{
    struct region taken;
    bool moved;

    do {
        moved = false;
        for (unsigned i = 0; region_taken(info, i, &taken); i++) {
            if (*start < taken.end && taken.start < *start + bytes) {
                *start = align_up(taken.end, FRAME_BYTES);
                moved = true;
            }
        }
    } while (moved);
}

/* The lowest place in usable memory for `bytes`. */
static bool bitmap_place(const struct boot_info *info, uint64_t bytes, uint64_t *place)
{
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->range[i];
        uint64_t start = align_up(range->start, FRAME_BYTES);

        if (range->type != BOOT_RANGE_USABLE) {
            continue;
        }
        region_avoid_taken(info, bytes, &start);
        if (start + bytes <= range->start + range->length) {
            *place = start;
            return true;
        }
    }
    return false;
}

/* Marks the frames that `region` touches as used; true frames only, so it is clipped. Returns how
 * many of them were free. */
static uint64_t region_mark_used(struct region region)
{
    uint64_t first = region.start / FRAME_BYTES;
    uint64_t end = region.end / FRAME_BYTES + (region.end % FRAME_BYTES != 0 ? 1u : 0u);
    uint64_t free_before = frame_bitmap_free_count(&frames.bitmap);
    enum status status;

    end = end < frames.bitmap.frame_count ? end : frames.bitmap.frame_count;
    if (first >= end) {
        return 0;
    }
    status = frame_bitmap_mark_used(&frames.bitmap, first, end - first);
    ASSERT(status == STATUS_OK);
    return free_before - frame_bitmap_free_count(&frames.bitmap);
}

static void bitmap_add_usable(const struct boot_info *info)
{
    for (uint32_t i = 0; i < info->range_count; i++) {
        enum status status;
        uint64_t first;
        uint64_t count;

        boot_range_frames(&info->range[i], &first, &count);
        if (info->range[i].type != BOOT_RANGE_USABLE || first >= frames.bitmap.frame_count) {
            continue;
        }
        if (count > frames.bitmap.frame_count - first) {
            count = frames.bitmap.frame_count - first;
        }
        if (count != 0) {
            status = frame_bitmap_add_free_range(&frames.bitmap, first, count);
            ASSERT(status == STATUS_OK); /* boot_info's ranges are disjoint */
        }
    }
}

void frames_init(const struct boot_info *info)
{
    uint64_t frame_count = boot_info_usable_end(info) / FRAME_BYTES;
    struct region region;
    enum status status;
    uint64_t words;
    uint64_t place;

    frame_count = frame_count < FRAME_BITMAP_FRAMES_MAX ? frame_count : FRAME_BITMAP_FRAMES_MAX;
    words = frame_bitmap_words_needed(frame_count);
    if (words == 0 || !bitmap_place(info, words * sizeof(uint64_t), &place)) {
        kernel_boot_refused("no usable memory is large enough for the frame bitmap");
    }
    spinlock_init(&frames.lock, LOCK_RANK_FRAMES, 0);
    status = frame_bitmap_init(&frames.bitmap, arch_frame_pointer(place), words, frame_count);
    ASSERT(status == STATUS_OK);
    bitmap_add_usable(info);
    frames.total = frame_bitmap_free_count(&frames.bitmap);
    frames.bitmap_bytes = words * sizeof(uint64_t);

    frames.reserved_for_data =
        region_mark_used((struct region){place, place + frames.bitmap_bytes});
    for (unsigned i = 0; region_taken(info, i, &region); i++) {
        uint64_t marked = region_mark_used(region);

        frames.reserved_for_data += i == 1 ? marked : 0;
    }
    frames.reserved = frames.total - frame_bitmap_free_count(&frames.bitmap);
    if (frame_bitmap_free_count(&frames.bitmap) < SPARE_FRAMES_MIN) {
        kernel_boot_refused("less than 1 MiB of memory is left beside the kernel and the module");
    }
}

/* ---- caches ---------------------------------------------------------------------------------- */

/* Puts a frame into this CPU's cache, which has room. */
static void cache_push(struct cpu *cpu, uint64_t slot)
{
    ASSERT(cpu->frame_cache_count < CPU_FRAME_CACHE);
    atomic_store_release_u64(&cpu->frame_cache[cpu->frame_cache_count++], slot);
}

/* Takes the newest frame of this CPU's cache; 0: it is empty. */
static uint64_t cache_pop(struct cpu *cpu)
{
    uint64_t slot = 0;

    while (slot == 0 && cpu->frame_cache_count > 0) {
        slot = atomic_exchange_u64(&cpu->frame_cache[--cpu->frame_cache_count], 0);
    }
    return slot;
}

/* Moves up to CACHE_BATCH frames from the bitmap to this CPU's empty cache. */
static void cache_refill(struct cpu *cpu)
{
    uint64_t number;

    spinlock_lock(&frames.lock);
    for (unsigned i = 0; i < CACHE_BATCH; i++) {
        if (frame_bitmap_alloc(&frames.bitmap, &number) != STATUS_OK) {
            break;
        }
        cache_push(cpu, number * FRAME_BYTES);
    }
    spinlock_unlock(&frames.lock);
}

/* Moves up to `count` frames from this CPU's cache to the bitmap. */
static void cache_drain(struct cpu *cpu, unsigned count)
{
    spinlock_lock(&frames.lock);
    for (unsigned i = 0; i < count; i++) {
        uint64_t slot = cache_pop(cpu);
        enum status status;

        if (slot == 0) {
            break;
        }
        status = frame_bitmap_free(&frames.bitmap, slot / FRAME_BYTES);
        ASSERT(status == STATUS_OK); /* invariant 2; NOT_ALLOCATED: it was freed twice */
    }
    spinlock_unlock(&frames.lock);
}

/* Takes one frame out of another CPU's cache; 0: all are empty. */
static uint64_t cache_take_foreign(const struct cpu *self)
{
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        if (cpus[i] == NULL || cpus[i] == self) {
            continue;
        }
        for (unsigned s = 0; s < CPU_FRAME_CACHE; s++) {
            uint64_t *word = &cpus[i]->frame_cache[s];
            uint64_t slot = atomic_load_relaxed_u64(word);

            slot = slot != 0 ? atomic_exchange_u64(word, 0) : 0;
            if (slot != 0) {
                return slot;
            }
        }
    }
    return 0;
}

void frames_cache_drain(void)
{
    cache_drain(arch_cpu_this(), CPU_FRAME_CACHE);
}

/* ---- allocation ------------------------------------------------------------------------------ */

/* Written out: stores of one word each, eight to a turn, so that a step's cost is known. */
void frame_clear(paddr_t frame)
{
    uint64_t *word = arch_frame_pointer(frame);

    for (unsigned i = 0; i < FRAME_BYTES / sizeof(uint64_t); i += 8) {
        word[i] = 0;
        word[i + 1] = 0;
        word[i + 2] = 0;
        word[i + 3] = 0;
        word[i + 4] = 0;
        word[i + 5] = 0;
        word[i + 6] = 0;
        word[i + 7] = 0;
    }
}

enum status frame_alloc(paddr_t *frame)
{
    struct cpu *cpu = arch_cpu_this();
    uint64_t slot = cache_pop(cpu);

    work_allocation();
    if (slot == 0) {
        cache_refill(cpu);
        slot = cache_pop(cpu);
    }
    if (slot == 0) {
        slot = cache_take_foreign(cpu);
    }
    if (slot == 0) {
        return STATUS_NO_MEMORY;
    }
    *frame = slot & ~SLOT_FLAGS;
    if ((slot & SLOT_CLEAN) != 0) {
        memory_debug_frame_is_zero(*frame);
    } else {
        frame_clear(*frame);
    }
    return STATUS_OK;
}

enum status frame_alloc_contiguous(unsigned count, unsigned align, paddr_t *first)
{
    struct frame_run_request request = {.count = count, .align = align};
    enum status status;
    uint64_t number;

    work_allocation();
    spinlock_lock(&frames.lock);
    status = frame_bitmap_alloc_contiguous(&frames.bitmap, &request, &number);
    spinlock_unlock(&frames.lock);
    if (status != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    *first = number * FRAME_BYTES;
    for (unsigned i = 0; i < count; i++) {
        frame_clear(*first + (paddr_t)i * FRAME_BYTES);
    }
    return STATUS_OK;
}

enum status frame_run_take(unsigned count, uint64_t *from, paddr_t *first)
{
    struct frame_run_request request = {.count = count, .start = *from, .tries_max = RUN_TRIES};
    enum status status;
    uint64_t number;

    ASSERT(count > 0 && count <= RUN_FRAMES_MAX);
    work_allocation();
    if (*from == 0) {
        frames_cache_drain(); /* they may lie in between */
    }
    spinlock_lock(&frames.lock);
    status = frame_bitmap_alloc_contiguous(&frames.bitmap, &request, &number);
    spinlock_unlock(&frames.lock);
    if (status == STATUS_OK) {
        *first = number * FRAME_BYTES;
    } else if (status == STATUS_BUSY) {
        *from = number;
    }
    return status;
}

static void frame_give_back(paddr_t frame, uint64_t flags)
{
    struct cpu *cpu = arch_cpu_this();

    ASSERT(frame != 0 && frame % FRAME_BYTES == 0);
    ASSERT(frame / FRAME_BYTES < frames.bitmap.frame_count);
    memory_debug_frame_freed(frame);
    if (cpu->frame_cache_count == CPU_FRAME_CACHE) {
        cache_drain(cpu, CACHE_BATCH);
    }
    cache_push(cpu, frame | flags);
}

void frame_free(paddr_t frame)
{
    frame_give_back(frame, 0);
}

enum status frame_reserve_fill(struct frame_reserve *reserve, unsigned count)
{
    unsigned had = reserve->count;

    ASSERT(count <= FRAME_RESERVE_MAX && had <= FRAME_RESERVE_MAX);
    while (reserve->count < count) {
        if (frame_alloc(&reserve->frame[reserve->count]) != STATUS_OK) {
            while (reserve->count > had) {
                frame_give_back(reserve->frame[--reserve->count], SLOT_CLEAN);
            }
            return STATUS_NO_MEMORY;
        }
        reserve->count++;
    }
    return STATUS_OK;
}

void frame_reserve_release(struct frame_reserve *reserve)
{
    ASSERT(reserve->count <= FRAME_RESERVE_MAX);
    while (reserve->count > 0) {
        frame_give_back(reserve->frame[--reserve->count], SLOT_CLEAN);
    }
}

/* ---- accounts -------------------------------------------------------------------------------- */

static uint64_t caches_count(void)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        for (unsigned s = 0; cpus[i] != NULL && s < CPU_FRAME_CACHE; s++) {
            count += atomic_load_relaxed_u64(&cpus[i]->frame_cache[s]) != 0 ? 1u : 0u;
        }
    }
    return count;
}

void frames_census_take(struct frames_census *census)
{
    *census = (struct frames_census){
        .total = frames.total,
        .reserved = frames.reserved,
        .quarantine = shootdown_quarantine_frames(),
        .bitmap_bytes = frames.bitmap_bytes,
    };
    spinlock_lock(&frames.lock);
    census->free = frame_bitmap_free_count(&frames.bitmap);
    census->cached = caches_count();
    spinlock_unlock(&frames.lock);
    census->owned =
        census->total - census->reserved - census->free - census->cached - census->quarantine;
}

/* Whether a slot of the caches before slot `index` of CPU `cpu` holds `frame`. */
static bool cache_has_before(unsigned cpu, unsigned index, paddr_t frame)
{
    for (unsigned i = 0; i < LIMIT_CPUS && i <= cpu; i++) {
        for (unsigned s = 0; cpus[i] != NULL && s < CPU_FRAME_CACHE; s++) {
            if (i == cpu && s == index) {
                return false;
            }
            if ((atomic_load_relaxed_u64(&cpus[i]->frame_cache[s]) & ~SLOT_FLAGS) == frame) {
                return true;
            }
        }
    }
    return false;
}

bool frame_is_available(paddr_t frame)
{
    bool available;

    spinlock_lock(&frames.lock);
    available = frame_bitmap_is_free(&frames.bitmap, frame / FRAME_BYTES) ||
                cache_has_before(LIMIT_CPUS, 0, frame);
    spinlock_unlock(&frames.lock);
    return available;
}

uint64_t frames_reserved_for_data(void)
{
    return frames.reserved_for_data;
}

/* Invariants 2, 3, 5 and 6 of one slot. */
static unsigned slot_check(unsigned cpu, unsigned index)
{
    uint64_t slot = atomic_load_relaxed_u64(&cpus[cpu]->frame_cache[index]);
    paddr_t frame = slot & ~SLOT_FLAGS;

    if (slot == 0) {
        return 0;
    }
    if (index >= cpus[cpu]->frame_cache_count) {
        return 5;
    }
    if (frame == 0) {
        return 6;
    }
    if (frame / FRAME_BYTES >= frames.bitmap.frame_count ||
        frame_bitmap_is_free(&frames.bitmap, frame / FRAME_BYTES) ||
        cache_has_before(cpu, index, frame)) {
        return 2;
    }
    return (slot & SLOT_CLEAN) != 0 && !bytes_all(arch_frame_pointer(frame), FRAME_BYTES, 0) ? 3
                                                                                             : 0;
}

unsigned frames_check(void)
{
    uint64_t quarantine = shootdown_quarantine_frames();
    unsigned broken;

    spinlock_lock(&frames.lock);
    broken = frame_bitmap_check(&frames.bitmap) != 0 ? 1 : 0;
    for (unsigned i = 0; i < LIMIT_CPUS && broken == 0; i++) {
        for (unsigned s = 0; cpus[i] != NULL && s < CPU_FRAME_CACHE && broken == 0; s++) {
            broken = slot_check(i, s);
        }
    }
    if (broken == 0 &&
        frames.reserved + frame_bitmap_free_count(&frames.bitmap) + caches_count() + quarantine >
            frames.total) {
        broken = 4;
    }
    spinlock_unlock(&frames.lock);
    return broken;
}
