/* SPDX-License-Identifier: MIT */
/*
 * What a frame bitmap is, for verify/wp/frame_bitmap.c, which proves that it stays one, and
 * verify/wp/frame_init.c, which proves that it is one at first.
 *
 * start() is where a level begins in the block of words, size() how many words it has; above() is
 * how many words the levels need that are above one of so many words. up() is the number of a
 * frame's word, or of that word's word, so many levels up.
 */
#ifndef VERIFY_WP_FRAME_LEVELS_H
#define VERIFY_WP_FRAME_LEVELS_H

#include "verify/wp/frame_bitmap.h"

/*@ axiomatic Levels {
      logic integer start(integer frames, integer level);
      logic integer size(integer frames, integer level);
      logic integer above(integer words);
    }

    axiomatic Ups {
      logic integer up(integer frame, integer level);
      axiom up_none: \forall integer f; up(f, 0) == f;
      axiom up_next: \forall integer f, l; 1 <= l ==> up(f, l) == row(up(f, l - 1));
    }

    axiomatic Alignment {
      predicate power(integer value);
      predicate aligned(integer value, integer alignment);
    }

    predicate layout{L}(struct frame_bitmap b) =
      1 <= b.level_count <= 6 && 1 <= b.frame_count <= 68719476736 &&
      b.frame_count <= 64 * b.level_words[0] < b.frame_count + 64 &&
      b.level_words[b.level_count - 1] == 1 && start(b.frame_count, 0) == 0 &&
      \valid(b.level[0] + (0 .. start(b.frame_count, b.level_count) - 1)) &&
      (\forall integer l; 0 <= l < b.level_count ==> 1 <= b.level_words[l] <= 1073741824 &&
        b.level[l] == b.level[0] + start(b.frame_count, l)) &&
      (\forall integer l; 0 <= l < b.level_count - 1 ==>
        b.level_words[l] <= 64 * b.level_words[l + 1] < b.level_words[l] + 64) &&
      (\forall integer l, m; 0 <= l < m <= b.level_count ==>
        start(b.frame_count, l) + b.level_words[l] <= start(b.frame_count, m));

    predicate sum{L}(struct frame_bitmap b, integer l, integer k) =
      k >= b.level_words[l] || full(word_at(b.level[l], k));

    predicate summary{L}(struct frame_bitmap b) =
      \forall integer u, k; 1 <= u < b.level_count ==> 0 <= k < 64 * b.level_words[u] ==>
        (marked(b.level[u], k) <==> sum(b, u - 1, k));

    predicate tail{L}(struct frame_bitmap b) =
      range_marked(b.level[0], b.frame_count, 64 * b.level_words[0]);

    predicate counted{L}(struct frame_bitmap b) =
      b.free_count == clears(b.level[0], b.level_words[0]);

    predicate kept{L}(struct frame_bitmap b) =
      layout(b) && summary(b) && tail(b) && counted(b);

    predicate sound{L}(struct frame_bitmap b) = kept(b) && b.next < b.frame_count;

    predicate summed_but{L}(struct frame_bitmap b, integer level, integer index) =
      \forall integer u, k; 1 <= u < b.level_count ==> 0 <= k < 64 * b.level_words[u] ==>
        u != level || row(k) != index ==> (marked(b.level[u], k) <==> sum(b, u - 1, k));

    predicate sums{L}(struct frame_bitmap b, integer level, integer index, integer value) =
      \forall integer k; 0 <= k ==> row(k) == index ==>
        (bit(value, col(k)) <==> sum(b, level - 1, k));

    predicate is_clear{L}(struct frame_bitmap b, integer l, integer k) =
      0 <= k < 64 * b.level_words[l] && !marked(b.level[l], k);

    predicate range_is{L}(struct frame_bitmap b, integer first, integer end, integer used) =
      used != 0 ? range_marked(b.level[0], first, end) : range_clear(b.level[0], first, end);

    predicate became{A, B}(struct frame_bitmap b, integer first, integer end, integer used) =
      \forall integer f; 0 <= f < 64 * b.level_words[0] ==> (\at(marked(b.level[0], f), B) <==>
        (first <= f < end ? used != 0 : \at(marked(b.level[0], f), A)));

    logic integer until(integer first, integer word, integer end) =
      \max(first, \min(64 * word, end));

    logic integer run_align(struct frame_run_request r) = r.align == 0 ? 1 : r.align;

    predicate run_fits(struct frame_bitmap b, struct frame_run_request r, integer first) =
      r.start <= first && first + r.count <= b.frame_count &&
      (r.end == 0 || first + r.count <= r.end) && aligned(first, run_align(r));

    predicate no_run{L}(struct frame_bitmap b, struct frame_run_request r, integer below) =
      \forall integer c; c < below ==> run_fits(b, r, c) ==>
        !range_clear(b.level[0], c, c + r.count);

    predicate unchanged{A, B}(struct frame_bitmap b) = became{A, B}(b, 0, 0, 0);
 */

#endif
