/* SPDX-License-Identifier: MIT */
/*
 * The frame bitmap, without bounds: any number of frames up to 2^36, any levels, any range.
 *
 * Of an allocation: what it takes was free, is taken now, and nothing else changes, so that no
 * frame is given out twice; free_count falls by just as many. One frame is refused only when none
 * is free, a run only when there is no run as asked for. Of a release: it is refused unless all of
 * it was taken, so that none is released twice; then just that is free, and free_count grows by as
 * many. What is refused changes nothing. Each keeps the invariants of core/frame_bitmap.c, of which
 * 4, the count, is that free_count is the number of clear bits, as verify/wp/frame_count.c counts
 * them. No assertion can fail and nothing undefined happens.
 *
 * That the invariants hold at first is for verify/wp/frame_init.c. The struct and what is handed in
 * by address are taken to lie apart from the words, as WP's model `ref` has it. Where each level
 * begins is any layout of one block, start(), in which levels do not overlap.
 *
 * wp: core/frame_bitmap.c core/bits.h
 * inline: range_fits
 * model: Typed+ref
 * solver: patterns
 * prove: word_of place_of number_of word_get word_put word_store frame_is_used frame_find_free
 *     range_find mask_store range_store hint_set frame_bitmap_alloc frame_bitmap_add_free_range
 *     frame_bitmap_mark_used frame_bitmap_free frame_bitmap_free_contiguous
 *     frame_bitmap_alloc_contiguous frame_bitmap_is_free
 * twin: word_store:value | core/frame_bitmap.c
 *     | value = word_with(old, bit, value == WORD_FULL);
 *     | value = word_with(old, bit, true);
 * twin: frame_find_free:none | core/frame_bitmap.c
 *     | index = word + 1;
 *     | index = word + 2;
 * twin: frame_find_free:below | core/frame_bitmap.c
 *     | word_clear_from(word_get(bitmap, level, word), place_of(index));
 *     | word_clear_from(word_get(bitmap, level, word), 0);
 * twin: range_find:none | core/frame_bitmap.c
 *     | word_pick(word_get(bitmap, 0, word), mask, used);
 *     | word_pick(word_get(bitmap, 0, word), mask, !used);
 * twin: mask_store:counted | core/frame_bitmap.c
 *     | bitmap->free_count -= moved;
 *     | bitmap->free_count += moved;
 * twin: range_store:bits | core/frame_bitmap.c
 *     | mask_store(bitmap, word, range_mask(word, first, end), used);
 *     | mask_store(bitmap, word, range_mask(word, first, end), true);
 * twin: frame_bitmap_alloc:free | core/frame_bitmap.c
 *     | found = frame_find_free(bitmap, 0);
 *     | found = 0;
 * twin: frame_bitmap_alloc:none | core/frame_bitmap.c
 *     | found = frame_find_free(bitmap, 0);
 *     | ;
 * twin: frame_bitmap_alloc:taken | core/frame_bitmap.c
 *     | range_store(bitmap, found, found + 1, true);
 *     | range_store(bitmap, found, found, true);
 * twin: frame_bitmap_alloc_contiguous:free | core/frame_bitmap.c
 *     | used = range_find(bitmap, candidate, candidate + request->count, true);
 *     | used = candidate + request->count;
 * twin: frame_bitmap_alloc_contiguous:none | core/frame_bitmap.c
 *     | candidate = used + 1;
 *     | candidate = used + 2;
 * twin: frame_bitmap_mark_used:taken | core/frame_bitmap.c
 *     | range_store(bitmap, first, first + count, true);
 *     | range_store(bitmap, first, first + count, false);
 * twin: frame_bitmap_add_free_range:used | core/frame_bitmap.c
 *     | if (range_find(bitmap, first, first + count, false) != first + count) {
 *     | if (false) {
 * twin: frame_bitmap_free:given | core/frame_bitmap.c
 *     | frame_bitmap_free_contiguous(bitmap, frame, 1);
 *     | frame_bitmap_free_contiguous(bitmap, frame, 2);
 */
#include "verify/wp/frame_levels.h"

#include "core/bits.h"
#include "core/checked.h"

/*@ requires \false;
    assigns \nothing;
    exits \false;
 */
void assert_failed(const char *expression, const char *file, unsigned line);

/* ---- words: assumed here, proved of every word by verify/frame_word.c ------------------------ */

/*@ requires word != 0;
    assigns \nothing;
    ensures 0 <= \result < 64 && bit(word, \result);
    ensures \forall integer i; 0 <= i < \result ==> !bit(word, i);
 */
static inline unsigned bit_lowest(uint64_t word);

/*@ requires bit < 64;
    assigns \nothing;
    ensures \result <==> bit(word, bit);
 */
static bool word_has(uint64_t word, unsigned bit);

/*@ requires from < 64;
    assigns \nothing;
    ensures \forall integer i; 0 <= i < 64 ==> (bit(\result, i) <==> from <= i && !bit(word, i));
 */
static uint64_t word_clear_from(uint64_t word, unsigned from);

/*@ assigns \nothing;
    ensures \forall integer i; 0 <= i < 64 ==>
      (bit(\result, i) <==> bit(mask, i) && (bit(word, i) <==> used));
 */
static uint64_t word_pick(uint64_t word, uint64_t mask, bool used);

/*@ assigns \nothing;
    ensures \forall integer i; 0 <= i < 64 ==>
      (bit(\result, i) <==> (bit(mask, i) ? used != 0 : bit(word, i)));
 */
static uint64_t word_with(uint64_t word, uint64_t mask, bool used);

/*@ requires bit < 64;
    assigns \nothing;
    ensures \forall integer i; 0 <= i < 64 ==> (bit(\result, i) <==> i == bit);
 */
static uint64_t word_bit(unsigned bit);

/*@ assigns \nothing;
    ensures (\forall integer i; 0 <= i < 64 ==> bit(old, i) ==> bit(value, i)) ==>
      zeros(value) == zeros(old) - \result;
    ensures (\forall integer i; 0 <= i < 64 ==> bit(value, i) ==> bit(old, i)) ==>
      zeros(value) == zeros(old) + \result;
    ensures \forall integer mask; (\forall integer i; 0 <= i < 64 ==>
      (bit(mask, i) <==> (bit(old, i) <==> !bit(value, i)))) ==> \result == ones(mask);
 */
static unsigned word_moved(uint64_t old, uint64_t value);

/*@ requires first < end <= 68719476736 && index * 64 < end && index * 64 + 64 > first;
    assigns \nothing;
    ensures \forall integer i; 0 <= i < 64 ==>
      (bit(\result, i) <==> first <= index * 64 + i < end);
    ensures ones(\result) == \min(end, index * 64 + 64) - \max(first, index * 64);
 */
static uint64_t range_mask(uint64_t index, uint64_t first, uint64_t end);

/*@ assigns \nothing;
    ensures \result <==> power(value);
 */
static inline bool is_power_of_two(uint64_t value);

/*@ requires power(alignment);
    assigns *result;
    ensures \result ==> *result >= value && aligned(*result, alignment);
    ensures \result ==> \forall integer c; value <= c < *result ==> !aligned(c, alignment);
    ensures !\result ==>
      \forall integer c; value <= c <= 18446744073709551615 ==> !aligned(c, alignment);
 */
static inline bool checked_align_up(uint64_t value, uint64_t alignment, uint64_t *result);

/* How many are free: verify/wp/frame_count.c proves these. */
/*@ axiomatic CountHas {
      axiom within{L}: \forall uint64_t *words, integer n; CLEARS_WITHIN(words, n);
      axiom of_word{L}: \forall uint64_t *words, integer n, index; CLEARS_OF_WORD(words, n, index);
      axiom moved{A, B}: \forall uint64_t *words, integer n, index;
        CLEARS_MOVED(A, B, words, n, index);
      axiom at_most{L}: \forall uint64_t *words, integer n, first, end;
        CLEARS_AT_MOST(words, n, first, end);
      axiom begins{L}: \forall uint64_t *words, integer first, end;
        RANGE_BEGINS(words, first, end);
      axiom at_least{L}: \forall uint64_t *words, integer n, first, end;
        CLEARS_AT_LEAST(words, n, first, end);
    }
 */

/*@ assigns \nothing;
    ensures \result == row(number);
 */
static uint64_t word_of(uint64_t number);

/*@ assigns \nothing;
    ensures \result == col(number);
 */
static unsigned place_of(uint64_t number);

/*@ requires word <= 1073741824 && place < 64;
    assigns \nothing;
    ensures \result == 64 * word + place && row(\result) == word && col(\result) == place;
 */
static uint64_t number_of(uint64_t word, unsigned place);

/* ---- the functions --------------------------------------------------------------------------- */

/*@ requires layout(*bitmap) && level < bitmap->level_count && index < bitmap->level_words[level];
    assigns \nothing;
    ensures \result == word_at(bitmap->level[level], index);
 */
static uint64_t word_get(const struct frame_bitmap *bitmap, uint32_t level, uint64_t index);

/*@ requires layout(*bitmap) && level < bitmap->level_count && index < bitmap->level_words[level];
    assigns bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures word: word_at(bitmap->level[level], index) == value;
    ensures others: \forall integer l, i; 0 <= l < bitmap->level_count ==>
      0 <= i < bitmap->level_words[l] ==> l != level || i != index ==>
      word_at(bitmap->level[l], i) == \old(word_at(bitmap->level[l], i));
 */
static void word_put(struct frame_bitmap *bitmap, uint32_t level, uint64_t index, uint64_t value);

/*@ requires layout(*bitmap) && summary(*bitmap) && index < bitmap->level_words[0];
    assigns bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures summary: summary(*bitmap);
    ensures word: word_at(bitmap->level[0], index) == value;
    ensures others: same_but{Pre, Post}(bitmap->level[0], bitmap->level_words[0], index);
 */
static void word_store(struct frame_bitmap *bitmap, uint64_t index, uint64_t value);

/*@ requires layout(*bitmap) && summary(*bitmap) && tail(*bitmap);
    assigns \nothing;
    ensures found: \result != 18446744073709551615 ==>
      from <= \result < bitmap->frame_count && is_clear(*bitmap, 0, \result);
    ensures first: \forall integer f; from <= f < \result ==> f < bitmap->frame_count ==>
      marked(bitmap->level[0], f);
    ensures none: \result == 18446744073709551615 ==>
      range_marked(bitmap->level[0], from, 64 * bitmap->level_words[0]);
 */
static uint64_t frame_find_free(const struct frame_bitmap *bitmap, uint64_t from);

/*@ requires layout(*bitmap) && frame < bitmap->frame_count;
    assigns \nothing;
    ensures \result <==> marked(bitmap->level[0], frame);
 */
static bool frame_is_used(const struct frame_bitmap *bitmap, uint64_t frame);

/*@ requires layout(*bitmap) && first <= end <= bitmap->frame_count;
    assigns \nothing;
    ensures place: first <= \result <= end;
    ensures none: range_is(*bitmap, first, \result, used == 0 ? 1 : 0);
    ensures hit: \result < end ==> (marked(bitmap->level[0], \result) <==> used != 0);
 */
static uint64_t range_find(const struct frame_bitmap *bitmap, uint64_t first, uint64_t end,
                           bool used);

/*@ requires kept(*bitmap) && index < bitmap->level_words[0];
    requires inside: \forall integer i; 0 <= i < 64 ==> bit(mask, i) ==>
      64 * index + i < bitmap->frame_count;
    assigns bitmap->free_count,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures layout: layout(*bitmap);
    ensures summary: summary(*bitmap);
    ensures tail: tail(*bitmap);
    ensures counted: counted(*bitmap);
    ensures bits: \forall integer f; 0 <= f < 64 * bitmap->level_words[0] ==>
      (marked(bitmap->level[0], f) <==> (row(f) == index && bit(mask, col(f)) ? used != 0 :
       \old(marked(bitmap->level[0], f))));
    ensures count: (\forall integer i; 0 <= i < 64 ==> bit(mask, i) ==>
      (\old(bit(word_at(bitmap->level[0], index), i)) <==> used == 0)) ==>
      bitmap->free_count == \old(bitmap->free_count) + (used != 0 ? -1 : 1) * ones(mask);
 */
static void mask_store(struct frame_bitmap *bitmap, uint64_t index, uint64_t mask, bool used);

/*@ requires kept(*bitmap) && first <= end <= bitmap->frame_count;
    assigns bitmap->free_count,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures kept: kept(*bitmap);
    ensures bits: became{Pre, Post}(*bitmap, first, end, used);
    ensures count: \old(range_is(*bitmap, first, end, 1 - used)) ==>
      bitmap->free_count == \old(bitmap->free_count) + (used != 0 ? -1 : 1) * (end - first);
 */
static void range_store(struct frame_bitmap *bitmap, uint64_t first, uint64_t end, bool used);

/*@ requires end <= bitmap->frame_count && 0 < bitmap->frame_count;
    assigns bitmap->next;
    ensures bitmap->next < bitmap->frame_count;
 */
static void hint_set(struct frame_bitmap *bitmap, uint64_t end);

/*@ requires sound(*bitmap);
    assigns bitmap->free_count, bitmap->next, *frame,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures sound: sound(*bitmap);
    ensures answer: \result == STATUS_OK || \result == STATUS_NO_MEMORY;
    ensures free: \result == STATUS_OK ==>
      \let f = *frame; f < bitmap->frame_count && \at(is_clear(*bitmap, 0, f), Pre);
    ensures taken: \result == STATUS_OK ==> became{Pre, Post}(*bitmap, *frame, *frame + 1, 1);
    ensures count: \result == STATUS_OK ==> bitmap->free_count == \old(bitmap->free_count) - 1;
    ensures none: \result == STATUS_NO_MEMORY ==>
      range_marked(bitmap->level[0], 0, bitmap->frame_count) && bitmap->free_count == 0;
    ensures refused: \result != STATUS_OK ==> unchanged{Pre, Post}(*bitmap) &&
      bitmap->free_count == \old(bitmap->free_count) && bitmap->next == \old(bitmap->next);
 */
enum status frame_bitmap_alloc(struct frame_bitmap *bitmap, uint64_t *frame);

/*@ requires sound(*bitmap);
    assigns bitmap->free_count,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures sound: sound(*bitmap);
    ensures answer: \result == STATUS_OK || \result == STATUS_OUT_OF_RANGE ||
      \result == STATUS_NOT_ALLOCATED;
    ensures outside: \result == STATUS_OUT_OF_RANGE <==> first + count > bitmap->frame_count;
    ensures used: \result == STATUS_OK ==> \old(range_is(*bitmap, first, first + count, 1));
    ensures double: \result == STATUS_NOT_ALLOCATED ==>
      \exists integer f; first <= f < first + count && \old(is_clear(*bitmap, 0, f));
    ensures given: \result == STATUS_OK ==>
      became{Pre, Post}(*bitmap, first, first + count, 0);
    ensures count: \result == STATUS_OK ==>
      bitmap->free_count == \old(bitmap->free_count) + count;
    ensures refused: \result != STATUS_OK ==> unchanged{Pre, Post}(*bitmap) &&
      bitmap->free_count == \old(bitmap->free_count);
 */
enum status frame_bitmap_add_free_range(struct frame_bitmap *bitmap, uint64_t first,
                                        uint64_t count);

/*@ requires sound(*bitmap);
    assigns bitmap->free_count,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures sound: sound(*bitmap);
    ensures outside: \result == STATUS_OUT_OF_RANGE <==> first + count > bitmap->frame_count;
    ensures taken: \result == STATUS_OK ==>
      became{Pre, Post}(*bitmap, first, first + count, 1);
    ensures refused: \result != STATUS_OK ==> unchanged{Pre, Post}(*bitmap) &&
      bitmap->free_count == \old(bitmap->free_count);
 */
enum status frame_bitmap_mark_used(struct frame_bitmap *bitmap, uint64_t first, uint64_t count);

/*@ requires sound(*bitmap);
    assigns bitmap->free_count,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures sound: sound(*bitmap);
    ensures answer: \result == STATUS_OK || \result == STATUS_OUT_OF_RANGE ||
      \result == STATUS_NOT_ALLOCATED;
    ensures outside: \result == STATUS_OUT_OF_RANGE <==> first + count > bitmap->frame_count;
    ensures used: \result == STATUS_OK ==> \old(range_is(*bitmap, first, first + count, 1));
    ensures double: \result == STATUS_NOT_ALLOCATED ==>
      \exists integer f; first <= f < first + count && \old(is_clear(*bitmap, 0, f));
    ensures given: \result == STATUS_OK ==>
      became{Pre, Post}(*bitmap, first, first + count, 0);
    ensures count: \result == STATUS_OK ==>
      bitmap->free_count == \old(bitmap->free_count) + count;
    ensures refused: \result != STATUS_OK ==> unchanged{Pre, Post}(*bitmap) &&
      bitmap->free_count == \old(bitmap->free_count);
 */
enum status frame_bitmap_free_contiguous(struct frame_bitmap *bitmap, uint64_t first,
                                         uint64_t count);

/*@ requires sound(*bitmap);
    assigns bitmap->free_count,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures sound: sound(*bitmap);
    ensures outside: \result == STATUS_OUT_OF_RANGE <==> frame >= bitmap->frame_count;
    ensures double: \result == STATUS_NOT_ALLOCATED <==>
      frame < bitmap->frame_count && \old(is_clear(*bitmap, 0, frame));
    ensures used: \result == STATUS_OK <==>
      frame < bitmap->frame_count && \old(marked(bitmap->level[0], frame));
    ensures given: \result == STATUS_OK ==> became{Pre, Post}(*bitmap, frame, frame + 1, 0);
    ensures count: \result == STATUS_OK ==> bitmap->free_count == \old(bitmap->free_count) + 1;
    ensures refused: \result != STATUS_OK ==> unchanged{Pre, Post}(*bitmap) &&
      bitmap->free_count == \old(bitmap->free_count);
 */
enum status frame_bitmap_free(struct frame_bitmap *bitmap, uint64_t frame);

/*@ requires sound(*bitmap);
    assigns bitmap->free_count, *first,
      bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
    ensures sound: sound(*bitmap);
    ensures answer: \result == STATUS_OK || \result == STATUS_INVALID_ARGUMENT ||
      \result == STATUS_NO_MEMORY || \result == STATUS_BUSY;
    ensures place: \result == STATUS_OK ==> run_fits(*bitmap, *request, *first);
    ensures free: \result == STATUS_OK ==>
      \let f = *first; \at(range_clear(bitmap->level[0], f, f + request->count), Pre);
    ensures taken: \result == STATUS_OK ==>
      became{Pre, Post}(*bitmap, *first, *first + request->count, 1);
    ensures count: \result == STATUS_OK ==>
      bitmap->free_count == \old(bitmap->free_count) - request->count;
    ensures none: \result == STATUS_NO_MEMORY ==>
      no_run(*bitmap, *request, 18446744073709551616);
    ensures refused: \result != STATUS_OK ==> unchanged{Pre, Post}(*bitmap) &&
      bitmap->free_count == \old(bitmap->free_count);
 */
enum status frame_bitmap_alloc_contiguous(struct frame_bitmap *bitmap,
                                          const struct frame_run_request *request, uint64_t *first);

/*@ requires layout(*bitmap);
    assigns \nothing;
    ensures \result <==> frame < bitmap->frame_count && !marked(bitmap->level[0], frame);
 */
bool frame_bitmap_is_free(const struct frame_bitmap *bitmap, uint64_t frame);

#include "core/frame_bitmap.c"
