/* SPDX-License-Identifier: MIT */
/*
 * Which 4 KiB frames of physical memory are free. A frame is named by its number, physical address
 * divided by 4096. The caller owns the words and the lock; nothing here touches the frames.
 * The theory is in frame_bitmap.c.
 */
#ifndef CORE_FRAME_BITMAP_H
#define CORE_FRAME_BITMAP_H

#include "core/status.h"

#define FRAME_SIZE              4096u
#define FRAME_BITMAP_LEVELS_MAX 6u
/* 2^36 frames: the 2^48 bytes that six levels of 64-way words can cover. */
#define FRAME_BITMAP_FRAMES_MAX (UINT64_C(1) << 36)

struct frame_bitmap {
    uint64_t *level[FRAME_BITMAP_LEVELS_MAX];
    uint64_t level_words[FRAME_BITMAP_LEVELS_MAX];
    uint32_t level_count;
    uint64_t frame_count;
    uint64_t free_count;
    uint64_t next; /* where the next single allocation begins to look */
};

/* What frame_bitmap_alloc_contiguous looks for. Zero `align` means 1, zero `end` the whole bitmap.
 */
struct frame_run_request {
    uint64_t count;     /* frames, at least 1 */
    uint64_t align;     /* frames, a power of two */
    uint64_t start;     /* first frame that may be used */
    uint64_t end;       /* first frame that may not */
    uint64_t tries_max; /* candidate runs to look at before giving up with BUSY; 0: no bound */
};

/*
 * The number of 64-bit words that `frame_count` frames need, summary levels included (about 1/63
 * more than one bit each). 0 when there are none or more than FRAME_BITMAP_FRAMES_MAX.
 */
MUST_USE uint64_t frame_bitmap_words_needed(uint64_t frame_count);

/*
 * Makes a bitmap of the frames 0 to frame_count - 1, all used. `words` stays the bitmap's until the
 * bitmap is dropped. Errors: INVALID_ARGUMENT (no frame, or too many), TOO_LARGE (fewer words than
 * needed).
 */
MUST_USE enum status frame_bitmap_init(struct frame_bitmap *bitmap, uint64_t *words,
                                       uint64_t word_count, uint64_t frame_count);

/*
 * Makes used frames free: for the boot's memory map. Takes time for each word of the range. Errors:
 * OUT_OF_RANGE, NOT_ALLOCATED (one of them is free already; nothing changed).
 */
MUST_USE enum status frame_bitmap_add_free_range(struct frame_bitmap *bitmap, uint64_t first,
                                                 uint64_t count);

/*
 * Makes frames used, whether they were free or not: kernel image, module, firmware. Errors:
 * OUT_OF_RANGE (nothing changed).
 */
MUST_USE enum status frame_bitmap_mark_used(struct frame_bitmap *bitmap, uint64_t first,
                                            uint64_t count);

/* Takes one free frame, in at most two steps for each level. Errors: NO_MEMORY. */
MUST_USE enum status frame_bitmap_alloc(struct frame_bitmap *bitmap, uint64_t *frame);

/*
 * Takes `count` frames in a row. Looks at one candidate after the other, so its time grows with the
 * fragmentation; a caller with a bound sets tries_max, and on BUSY calls again with `start` =
 * *first. Errors: INVALID_ARGUMENT (count 0, align not a power of two), NO_MEMORY (no such run),
 * BUSY.
 */
MUST_USE enum status frame_bitmap_alloc_contiguous(struct frame_bitmap *bitmap,
                                                   const struct frame_run_request *request,
                                                   uint64_t *first);

/* Gives one frame back. Errors: OUT_OF_RANGE, NOT_ALLOCATED (it is free: a double free). */
MUST_USE enum status frame_bitmap_free(struct frame_bitmap *bitmap, uint64_t frame);

/* Gives a run back, all or nothing. Errors as for one. */
MUST_USE enum status frame_bitmap_free_contiguous(struct frame_bitmap *bitmap, uint64_t first,
                                                  uint64_t count);

/* Whether `frame` is inside the bitmap and free. */
MUST_USE bool frame_bitmap_is_free(const struct frame_bitmap *bitmap, uint64_t frame);

MUST_USE static inline uint64_t frame_bitmap_free_count(const struct frame_bitmap *bitmap)
{
    return bitmap->free_count;
}

/* 0, or the number of the first broken invariant of frame_bitmap.c. Reads every word. */
MUST_USE unsigned frame_bitmap_check(const struct frame_bitmap *bitmap);

#endif
