/* SPDX-License-Identifier: MIT */
/*
 * Physical memory by frames of 4096 bytes: core/frame_bitmap under one lock, a cache for each CPU
 * above it. A frame is zeroed before it changes owner: every frame handed out is zero. The theory
 * is in frames.c.
 */
#ifndef KERNEL_MEM_FRAMES_H
#define KERNEL_MEM_FRAMES_H

#include "kernel/arch/arch.h"

enum {
    FRAME_BYTES = 4096,
    FRAME_RESERVE_MAX = 8, /* frames in a struct frame_reserve */
    RUN_FRAMES_MAX = 4096, /* in a row: 65 words of the bitmap */
};

/*
 * Builds the bitmap from the validated memory map and puts it in usable memory; what the
 * architecture, the boot module and the bitmap itself occupy is marked used. Boot-fatal
 * (kernel_boot_refused): no room for the bitmap, or less than 1 MiB left.
 */
void frames_init(const struct boot_info *info);

/* One zeroed frame, owned by the caller until frame_free. STATUS_NO_MEMORY: none is left, not even
 * in another CPU's cache. */
enum status frame_alloc(paddr_t *frame) MUST_USE;

/* `count` zeroed frames in a row, the first aligned to `align` frames (a power of two). Boot only:
 * neither the search nor the zeroing is bounded by a step. */
enum status frame_alloc_contiguous(unsigned count, unsigned align, paddr_t *first) MUST_USE;

/*
 * `count` frames in a row (RUN_FRAMES_MAX at most) that are not zeroed, owned by the caller; each
 * is given back by frame_free. One bounded step of the search: STATUS_BUSY, and the next goes on at
 * *from, 0 at the first. STATUS_NO_MEMORY: there is no such run.
 */
enum status frame_run_take(unsigned count, uint64_t *from, paddr_t *first) MUST_USE;

/* Zeroes an owned frame. */
void frame_clear(paddr_t frame);

/* Gives a frame back. Freeing what is free is an assertion failure, in a debug kernel at once, in a
 * release kernel when the frame leaves the CPU's cache. */
void frame_free(paddr_t frame);

/* Fills `reserve` up to `count` zeroed frames (at most FRAME_RESERVE_MAX); all or nothing. */
enum status frame_reserve_fill(struct frame_reserve *reserve, unsigned count) MUST_USE;

/* Gives back what was not used. Those frames are still zero, because nobody but the architecture's
 * table code takes frames of a reserve, and it takes them out: they are not zeroed again. */
void frame_reserve_release(struct frame_reserve *reserve);

struct frames_census {
    uint64_t total;      /* whole frames of usable memory */
    uint64_t reserved;   /* of those, taken before the allocator stood: image, module, bitmap */
    uint64_t free;       /* in the bitmap */
    uint64_t cached;     /* in the CPUs' caches */
    uint64_t quarantine; /* unmapped, not yet out of every translation buffer */
    uint64_t owned;      /* handed out: total less all of the above */
    uint64_t bitmap_bytes;
};

/* Exact when no other CPU is inside the allocator or the shootdown; else off by what they move. */
void frames_census_take(struct frames_census *census);

/* Empties this CPU's cache into the bitmap. */
void frames_cache_drain(void);

/* Whether `frame` is in the bitmap as free or in a cache: for checks. */
bool frame_is_available(paddr_t frame);

/* Boot module's and bitmap's share of `reserved`, frames; for the memory report. */
uint64_t frames_reserved_for_data(void);

/* 0, or the number of the first broken invariant of frames.c. Reads the whole bitmap and every
 * cache: for tests and debug kernels. Exact as frames_census_take is. */
unsigned frames_check(void);

#endif
