/* SPDX-License-Identifier: MIT */
/*
 * What the contracts of the frame bitmap say of words and of memory, for verify/wp/frame_bitmap.c
 * and verify/wp/frame_count.c.
 *
 * Z3 is not asked about bits: bit(), full(), zeros() and ones() are names, of which it knows these
 * axioms. verify/frame_word.c proves them of every word with CBMC.
 */
#ifndef VERIFY_WP_FRAME_BITMAP_H
#define VERIFY_WP_FRAME_BITMAP_H

#include "core/frame_bitmap.h"

/*@ axiomatic Words {
      predicate bit(integer word, integer i);
      predicate full(integer word);
      logic integer zeros(integer word);
      logic integer ones(integer word);

      axiom full_is: \forall integer word; full(word) <==> word == 18446744073709551615;
      axiom full_has_all: \forall integer word, i; full(word) ==> 0 <= i < 64 ==> bit(word, i);
      axiom not_full: \forall integer word; !full(word) ==>
        \exists integer i; 0 <= i < 64 && !bit(word, i);
      axiom zeros_range: \forall integer word; 0 <= zeros(word) <= 64;
      axiom zero_has_none: \forall integer i; 0 <= i < 64 ==> !bit(0, i);
    }

    axiomatic Numbers {
      logic integer row(integer number);
      logic integer col(integer number);
      axiom number_is: \forall integer number; 0 <= number ==>
        number == 64 * row(number) + col(number) && 0 <= col(number) < 64;
    }

    axiomatic Memory {
      logic integer word_at{L}(uint64_t *words, integer i) reads words[i];
      axiom word_is{L}: \forall uint64_t *words, integer i; word_at(words, i) == words[i];

      predicate marked{L}(uint64_t *words, integer k) reads words[row(k)];
      axiom marked_is{L}: \forall uint64_t *words, integer k; 0 <= k ==>
        (marked(words, k) <==> bit(word_at(words, row(k)), col(k)));
    }

    axiomatic Ranges {
      predicate range_marked{L}(uint64_t *words, integer first, integer end)
        reads words[row(first) .. row(end)];
      axiom range_marked_is{L}: \forall uint64_t *words, integer first, end;
        range_marked(words, first, end) <==>
          (\forall integer f; first <= f < end ==> marked(words, f));

      predicate range_clear{L}(uint64_t *words, integer first, integer end)
        reads words[row(first) .. row(end)];
      axiom range_clear_is{L}: \forall uint64_t *words, integer first, end;
        range_clear(words, first, end) <==>
          (\forall integer f; first <= f < end ==> !marked(words, f));
    }

    predicate same_but{A, B}(uint64_t *words, integer n, integer index) =
      \forall integer w; 0 <= w < n ==> w != index ==>
        \at(word_at(words, w), A) == \at(word_at(words, w), B);
 */

/* How many bits of the first n words are clear. */
/*@ axiomatic Count {
      logic integer clears{L}(uint64_t *words, integer n) reads words[0 .. n - 1];
    }
 */

/* What frame_count.c proves and frame_bitmap.c uses. */
/* clang-format off */
#define CLEARS_WITHIN(words, n) 0 <= n ==> 0 <= clears(words, n) <= 64 * n
#define CLEARS_OF_WORD(words, n, index) \
    0 <= index < n ==> zeros(word_at(words, index)) <= clears(words, n)
#define CLEARS_MOVED(A, B, words, n, index) \
    0 <= index < n ==> same_but{A, B}(words, n, index) ==> \
    \at(clears(words, n), B) - \at(zeros(word_at(words, index)), B) == \
    \at(clears(words, n), A) - \at(zeros(word_at(words, index)), A)
#define CLEARS_AT_MOST(words, n, first, end) \
    0 <= first ==> 0 <= 64 * n <= end ==> range_marked(words, first, end) ==> \
    clears(words, n) <= first
#define RANGE_BEGINS(words, first, end) \
    range_clear(words, first, end) ==> first < end ==> !marked(words, first)
#define CLEARS_AT_LEAST(words, n, first, end) \
    0 <= first <= end <= 64 * n ==> range_clear(words, first, end) ==> \
    end - first <= clears(words, n)
#define WORD_OF_PART(words, first, i) word_at(words + first, i) == word_at(words, first + i)
/* clang-format on */

#endif
