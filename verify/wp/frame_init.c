/* SPDX-License-Identifier: MIT */
/*
 * A frame bitmap at first, without bounds: any number of frames up to 2^36.
 *
 * frame_bitmap_init makes, of enough words, a bitmap of which the invariants in core/frame_bitmap.c
 * hold, with no frame free; it refuses no frame, more than 2^36, and fewer words than
 * frame_bitmap_words_needed says. What it refuses changes nothing. Its levels lie one behind the
 * other in the words, each with a word for 64 of the one below, at most six.
 *
 * What is taken for granted here: what verify/wp/frame_count.c proves; the struct lies apart from
 * the words, as WP's model `ref` has it.
 *
 * wp: core/frame_bitmap.c core/bits.h
 * model: Typed+ref
 * solver: patterns split
 * prove: words_for frame_bitmap_words_needed frame_bitmap_init
 * twin: words_for | core/frame_bitmap.c
 *     | return bits / WORD_BITS + (bits % WORD_BITS != 0);
 *     | return bits / WORD_BITS + 1;
 * twin: frame_bitmap_words_needed | core/frame_bitmap.c
 *     | words = words_for(words);
 *     | words = words / WORD_BITS;
 * twin: frame_bitmap_init | core/frame_bitmap.c
 *     | words[i] = WORD_FULL;
 *     | words[i] = 0;
 * twin: frame_bitmap_init | core/frame_bitmap.c
 *     | words += bits;
 *     | words += 1;
 */
#include "verify/wp/frame_levels.h"

#include "core/bits.h"
#include "core/checked.h"

/*@ requires \false;
    assigns \nothing;
    exits \false;
 */
void assert_failed(const char *expression, const char *file, unsigned line);

/*@ axiomatic Rounding {
      logic integer words(integer bits);
      predicate rounded(integer bits, integer words);
      axiom words_are: \forall integer b; 0 <= b ==> b <= 64 * words(b) < b + 64;
      axiom rounded_is: \forall integer b, w; rounded(b, w) <==> w == words(b);
    }

    axiomatic LevelsAre {
      axiom size_first: \forall integer f; size(f, 0) == words(f);
      axiom size_next: \forall integer f, l, m; 0 <= l ==> m == l + 1 ==>
        size(f, m) == words(size(f, l));
      axiom start_first: \forall integer f; start(f, 0) == 0;
      axiom start_next: \forall integer f, l, m; 0 <= l ==> m == l + 1 ==>
        start(f, m) == start(f, l) + size(f, l);
      axiom above_none: \forall integer w; w <= 1 ==> above(w) == 0;
      axiom above_more: \forall integer w, v; rounded(w, v) ==> 1 < w ==> above(w) == v + above(v);
    }

    axiomatic CountHas {
      axiom within{L}: \forall uint64_t *w, integer n; CLEARS_WITHIN(w, n);
      axiom at_most{L}: \forall uint64_t *w, integer n, first, end;
        CLEARS_AT_MOST(w, n, first, end);
      axiom part{L}: \forall uint64_t *w, integer first, i; WORD_OF_PART(w, first, i);
    }
 */

/*@ assigns \nothing;
    ensures \result == words(bits) && rounded(bits, \result);
 */
static uint64_t words_for(uint64_t bits);

/*@ assigns \nothing;
    ensures none: frame_count < 1 || frame_count > 68719476736 ==> \result == 0;
    ensures needed: 1 <= frame_count <= 68719476736 ==> 1 <= \result &&
      \result == size(frame_count, 0) + above(size(frame_count, 0));
 */
uint64_t frame_bitmap_words_needed(uint64_t frame_count);

/*@ requires \valid(words + (0 .. word_count - 1));
    assigns *bitmap, words[0 .. word_count - 1];
    ensures answer: \result == STATUS_OK || \result == STATUS_INVALID_ARGUMENT ||
      \result == STATUS_TOO_LARGE;
    ensures wrong: \result == STATUS_INVALID_ARGUMENT <==>
      frame_count < 1 || frame_count > 68719476736;
    ensures few: \result == STATUS_TOO_LARGE <==> 1 <= frame_count <= 68719476736 &&
      word_count < size(frame_count, 0) + above(size(frame_count, 0));
    ensures layout: \result == STATUS_OK ==> layout(*bitmap);
    ensures summary: \result == STATUS_OK ==> summary(*bitmap);
    ensures tail: \result == STATUS_OK ==> tail(*bitmap);
    ensures counted: \result == STATUS_OK ==> counted(*bitmap);
    ensures next: \result == STATUS_OK ==> bitmap->next == 0 && bitmap->free_count == 0 &&
      bitmap->frame_count == frame_count;
    ensures used: \result == STATUS_OK ==> range_marked(bitmap->level[0], 0, frame_count);
    ensures refused: \result != STATUS_OK ==> *bitmap == \old(*bitmap) &&
      \forall integer k; 0 <= k < word_count ==> words[k] == \old(words[k]);
 */
enum status frame_bitmap_init(struct frame_bitmap *bitmap, uint64_t *words, uint64_t word_count,
                              uint64_t frame_count);

#include "core/frame_bitmap.c"
