/* SPDX-License-Identifier: MIT */
/*
 * The frame bitmap: no frame is handed out twice, none is lost, and the count is right.
 *
 * Any bitmap that holds its invariants, of any number of frames up to the bound, so that one to
 * three words and both one and two levels are met; one operation with any arguments; and any one
 * frame looked at before and after. An operation changes that frame exactly if it was asked to, an
 * allocation takes frames that were free, a free restores what was there, and the free count moves
 * by the number of frames.
 *
 * bound: 1 to 130 frames, of which the two at each end of each 64 may be free
 * cbmc: core/frame_bitmap.c
 * options: -I verify/shim --unwind 5
 * prove: prove_init prove_alloc prove_free prove_alloc_free prove_contiguous
 * quick: prove_init
 * twin: prove_init | core/frame_bitmap.c
 *     | words[i] = WORD_FULL;
 *     | words[i] = 0;
 * twin: prove_alloc | core/frame_bitmap.c
 *     | range_store(bitmap, found, found + 1, true);
 *     | ;
 * twin: prove_alloc | core/frame_bitmap.c
 *     | value = word_with(old, bit, value == WORD_FULL);
 *     | value = word_with(old, bit, false);
 * twin: prove_free | core/frame_bitmap.c
 *     | if (range_find(bitmap, first, first + count, false) != first + count) {
 *     | if (false) {
 * twin: prove_alloc_free | core/frame_bitmap.c
 *     | word_store(bitmap, index, value);
 *     | word_store(bitmap, index, used ? value : 0);
 * twin: prove_contiguous | core/frame_bitmap.c
 *     | used = range_find(bitmap, candidate, candidate + request->count, true);
 *     | used = candidate + request->count;
 */
#include "verify/prover.h"

#include "core/bits.h"
#include "core/frame_bitmap.h"

void prove_init(void);
void prove_alloc(void);
void prove_free(void);
void prove_alloc_free(void);
void prove_contiguous(void);

enum {
    FRAMES_MAX = 130,
    WORDS = 3,
};

static struct frame_bitmap bitmap;
static uint64_t low[WORDS]; /* level 0 */
static uint64_t high[1];    /* level 1 */

static bool frame_is_free(uint64_t frame)
{
    return frame < bitmap.frame_count && (low[frame / 64] >> frame % 64 & 1) == 0;
}

/* The invariants of frame_bitmap.c, by the words that are there. */
static bool bitmap_holds(void)
{
    uint64_t words = (bitmap.frame_count + 63) / 64;
    uint64_t summary = UINT64_MAX;
    uint64_t free_count = 0;

    for (uint64_t i = 0; i < WORDS; i++) {
        if (i < words) {
            uint64_t beyond =
                bitmap.frame_count - i * 64 < 64 ? UINT64_MAX << (bitmap.frame_count - i * 64) : 0;

            if ((low[i] & beyond) != beyond) {
                return false;
            }
            summary = low[i] == UINT64_MAX ? summary : summary & ~(UINT64_C(1) << i);
            free_count += bit_count(~low[i]);
        }
    }
    return (words == 1 || high[0] == summary) && free_count == bitmap.free_count &&
           bitmap.next < bitmap.frame_count;
}

static void any_bitmap(void)
{
    uint64_t frames = nondet_u8();
    uint64_t words;

    __CPROVER_assume(frames >= 1 && frames <= FRAMES_MAX);
    words = (frames + 63) / 64;
    bitmap = (struct frame_bitmap){.level = {low, words == 1 ? NULL : high},
                                   .level_words = {words, words == 1 ? 0 : 1},
                                   .level_count = words == 1 ? 1 : 2,
                                   .frame_count = frames,
                                   .free_count = nondet_u8(),
                                   .next = nondet_u8()};
    for (unsigned i = 0; i < WORDS; i++) {
        low[i] = nondet_u64() | ~(UINT64_C(3) << 62 | 3);
    }
    high[0] = nondet_u64();
    __CPROVER_assume(bitmap_holds());
}

void prove_init(void)
{
    static uint64_t words[WORDS + 1];
    uint64_t frames = nondet_u64();
    uint64_t count = nondet_u64();
    enum status status;

    __CPROVER_assume(frames <= FRAMES_MAX || frames > FRAME_BITMAP_FRAMES_MAX);
    __CPROVER_assume(count <= ARRAY_COUNT(words));
    status = frame_bitmap_init(&bitmap, words, count, frames);
    __CPROVER_assert(status == STATUS_OK || frames == 0 || frames > FRAMES_MAX ||
                         count < frame_bitmap_words_needed(frames),
                     "refused for a reason");
    if (status == STATUS_OK) {
        __CPROVER_assert(!frame_bitmap_is_free(&bitmap, nondet_u64()), "all used");
        __CPROVER_assert(bitmap.free_count == 0 && bitmap.next == 0, "and counted");
        __CPROVER_assert(bitmap.level_count == (frames > 64 ? 2 : 1) &&
                             bitmap.level_words[0] == (frames + 63) / 64,
                         "levels for all frames");
    }
}

void prove_alloc(void)
{
    uint64_t watched = nondet_u8();
    uint64_t frame = 0;
    uint64_t count;
    bool was_free;
    enum status status;

    any_bitmap();
    was_free = frame_is_free(watched);
    count = bitmap.free_count;
    status = frame_bitmap_alloc(&bitmap, &frame);
    __CPROVER_assert((status == STATUS_OK) == (count != 0), "one, if there is one");
    __CPROVER_assert(status != STATUS_OK || watched != frame || was_free, "it was free");
    __CPROVER_assert(frame_is_free(watched) ==
                         (was_free && (status != STATUS_OK || watched != frame)),
                     "it is used, and no other changed");
    __CPROVER_assert(bitmap.free_count == count - (status == STATUS_OK), "counted");
    __CPROVER_assert(bitmap_holds(), "the invariants hold");
}

void prove_free(void)
{
    uint64_t watched = nondet_u8();
    uint64_t frame = nondet_u64();
    uint64_t count;
    bool was_free;
    bool is_used;
    enum status status;

    any_bitmap();
    was_free = frame_is_free(watched);
    is_used = frame < bitmap.frame_count && !frame_is_free(frame);
    count = bitmap.free_count;
    status = frame_bitmap_free(&bitmap, frame);
    __CPROVER_assert((status == STATUS_OK) == is_used, "only what is used: no double free");
    __CPROVER_assert(frame_is_free(watched) ==
                         (was_free || (status == STATUS_OK && watched == frame)),
                     "it is free, and no other changed");
    __CPROVER_assert(bitmap.free_count == count + (status == STATUS_OK), "counted");
    __CPROVER_assert(bitmap_holds(), "the invariants hold");
}

void prove_alloc_free(void)
{
    uint64_t watched = nondet_u8();
    uint64_t frame;
    uint64_t count;
    bool was_free;

    any_bitmap();
    was_free = frame_is_free(watched);
    count = bitmap.free_count;
    if (frame_bitmap_alloc(&bitmap, &frame) == STATUS_OK) {
        __CPROVER_assert(frame_bitmap_free(&bitmap, frame) == STATUS_OK, "back");
    }
    __CPROVER_assert(frame_is_free(watched) == was_free, "everything is as before");
    __CPROVER_assert(bitmap.free_count == count, "and the count");
}

/* One run, of which the first candidate is looked at. */
void prove_contiguous(void)
{
    struct frame_run_request request = {
        .count = nondet_u64(), .align = nondet_u64(), .start = nondet_u64(), .end = nondet_u64()};
    uint64_t watched = nondet_u8();
    uint64_t first = 0;
    bool was_free;
    bool taken;
    enum status status;

    request.tries_max = 1;
    any_bitmap();
    was_free = frame_is_free(watched);
    status = frame_bitmap_alloc_contiguous(&bitmap, &request, &first);
    taken = status == STATUS_OK && watched >= first && watched - first < request.count;
    __CPROVER_assert(!taken || was_free, "all of it was free");
    __CPROVER_assert(frame_is_free(watched) == (was_free && !taken), "no other changed");
    if (status == STATUS_OK) {
        __CPROVER_assert(first >= request.start && first + request.count <= bitmap.frame_count &&
                             (request.end == 0 || first + request.count <= request.end),
                         "where it was asked for");
        __CPROVER_assert(request.align == 0 || (first & (request.align - 1)) == 0, "aligned");
    }
}
