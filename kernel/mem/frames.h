/* SPDX-License-Identifier: MIT */
/*
 * Physical memory by frames of 4096 bytes: core/frame_bitmap under one lock, a cache for each CPU
 * above it. A frame is zeroed before it changes owner: every frame handed out is zero.
 */
#ifndef KERNEL_MEM_FRAMES_H
#define KERNEL_MEM_FRAMES_H

#include "kernel/arch/arch.h"

enum {
    FRAME_BYTES = 4096,
};

/* Builds the bitmap from the memory map; everything the architecture, the kernel image and the
 * boot module occupy is marked used. Panics (boot-fatal) without 1 MiB to spare. */
void frames_init(const struct boot_info *info);

/* One zeroed frame, owned by the caller until frame_free. STATUS_NO_MEMORY: none is left. */
enum status frame_alloc(paddr_t *frame) MUST_USE;

/* `count` zeroed frames in a row, the first aligned to `align` frames (a power of two). Boot only:
 * zeroing is not bounded by a step. */
enum status frame_alloc_contiguous(unsigned count, unsigned align, paddr_t *first) MUST_USE;

/* Gives a frame back. Freeing what is free is an assertion failure. */
void frame_free(paddr_t frame);

/* Fills `reserve` up to `count` frames; all or nothing. */
enum status frame_reserve_fill(struct frame_reserve *reserve, unsigned count) MUST_USE;
void frame_reserve_release(struct frame_reserve *reserve);

struct frames_census {
    uint64_t total;      /* frames of usable memory */
    uint64_t free;       /* in the bitmap */
    uint64_t cached;     /* in the CPUs' caches */
    uint64_t quarantine; /* unmapped, not yet out of every translation buffer */
    uint64_t bitmap_bytes;
};
void frames_census_take(struct frames_census *census);

/* Empties this CPU's cache into the bitmap. */
void frames_cache_drain(void);

#endif
