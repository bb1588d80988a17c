/* SPDX-License-Identifier: MIT */
/*
 * The number of clear bits of any number of words, by induction: each function here is a lemma, its
 * contract the statement, its loop the induction. verify/wp/frame_bitmap.c and
 * verify/wp/frame_init.c take them as axioms.
 *
 * wp: verify/wp/frame_bitmap.h
 * model: Typed+ref
 * solver: patterns
 * prove: within of_word moved at_most begins at_least part
 * twin: within | verify/wp/frame_bitmap.h
 *     | 0 <= clears(words, n) <= 64 * n
 *     | 0 <= clears(words, n) <= 63 * n
 * twin: of_word | verify/wp/frame_bitmap.h
 *     | zeros(word_at(words, index)) <= clears(words, n)
 *     | zeros(word_at(words, index)) < clears(words, n)
 * twin: moved | verify/wp/frame_bitmap.h
 *     | \at(clears(words, n), A) - \at(zeros(word_at(words, index)), A)
 *     | \at(clears(words, n), A)
 * twin: at_most | verify/wp/frame_bitmap.h
 *     | clears(words, n) <= first
 *     | clears(words, n) < first
 * twin: at_least | verify/wp/frame_bitmap.h
 *     | end - first <= clears(words, n)
 *     | end - first < clears(words, n)
 */
#include "verify/wp/frame_bitmap.h"

/*@ axiomatic CountIs {
      axiom clears_none{L}: \forall uint64_t *words; clears(words, 0) == 0;
      axiom clears_next{L}: \forall uint64_t *words, integer n, m; 0 <= n ==> m == n + 1 ==>
        clears(words, m) == clears(words, n) + zeros(word_at(words, n));
    }
 */

/* What verify/frame_word.c proves of every word. */
/*@ requires from <= 64;
    assigns \nothing;
    ensures (\forall integer i; from <= i < 64 ==> bit(word, i)) ==> zeros(word) <= from;
 */
void zeros_most(uint64_t word, uint64_t from);

/*@ requires low <= high <= 64;
    assigns \nothing;
    ensures (\forall integer i; low <= i < high ==> !bit(word, i)) ==> high - low <= zeros(word);
 */
void zeros_least(uint64_t word, uint64_t low, uint64_t high);

/* Whatever else happens to the words. */
/*@ assigns words[0 .. n - 1];
    ensures same_but{Pre, Post}(words, n, index);
 */
void change(uint64_t *words, uint64_t n, uint64_t index);

/*@ requires n <= 1073741824;
    assigns \nothing;
    ensures CLEARS_WITHIN(words, n);
 */
void within(const uint64_t *words, uint64_t n)
{
    /*@ loop invariant 0 <= i <= n && (CLEARS_WITHIN(words, i));
        loop assigns i;
        loop variant n - i;
     */
    for (uint64_t i = 0; i < n; i++) {
    }
}

/*@ requires n <= 1073741824;
    assigns \nothing;
    ensures CLEARS_OF_WORD(words, n, index);
 */
void of_word(const uint64_t *words, uint64_t n, uint64_t index)
{
    /*@ loop invariant 0 <= i <= n && 0 <= clears(words, i) && (CLEARS_OF_WORD(words, i, index));
        loop assigns i;
        loop variant n - i;
     */
    for (uint64_t i = 0; i < n; i++) {
    }
}

/*@ requires n <= 1073741824;
    assigns words[0 .. n - 1];
    ensures CLEARS_MOVED(Pre, Post, words, n, index);
 */
void moved(uint64_t *words, uint64_t n, uint64_t index)
{
    change(words, n, index);
    /*@ loop invariant 0 <= i <= n;
        loop invariant moved: \let k = i; clears(words, k) - \at(clears(words, k), Pre) ==
          (index < k ? zeros(word_at(words, index)) - \at(zeros(word_at(words, index)), Pre) : 0);
        loop assigns i;
        loop variant n - i;
     */
    for (uint64_t i = 0; i < n; i++) {
    }
}

/*@ requires n <= 1073741824 && \valid_read(words + (0 .. n - 1));
    assigns \nothing;
    ensures CLEARS_AT_MOST(words, n, first, end);
 */
void at_most(const uint64_t *words, uint64_t n, uint64_t first, uint64_t end)
{
    /*@ loop invariant 0 <= i <= n && clears(words, i) <= 64 * i;
        loop invariant most: 64 * n <= end ==> range_marked(words, first, end) ==>
          clears(words, i) <= first;
        loop assigns i;
        loop variant n - i;
     */
    for (uint64_t i = 0; i < n; i++) {
        /*@ assert place: \forall integer j; 0 <= j < 64 ==>
              (bit(word_at(words, i), j) <==> marked(words, 64 * i + j)); */
        zeros_most(words[i], first <= 64 * i ? 0 : first >= 64 * i + 64 ? 64 : first - 64 * i);
    }
}

/*@ assigns \nothing;
    ensures RANGE_BEGINS(words, first, end);
 */
void begins(const uint64_t *words, uint64_t first, uint64_t end)
{
}

/*@ requires n <= 1073741824 && \valid_read(words + (0 .. n - 1));
    assigns \nothing;
    ensures CLEARS_AT_LEAST(words, n, first, end);
 */
void at_least(const uint64_t *words, uint64_t n, uint64_t first, uint64_t end)
{
    /*@ loop invariant 0 <= i <= n && 0 <= clears(words, i);
        loop invariant least: first <= end <= 64 * n ==> range_clear(words, first, end) ==>
          (64 * i < end ? 64 * i : end) - first <= clears(words, i);
        loop assigns i;
        loop variant n - i;
     */
    for (uint64_t i = 0; i < n; i++) {
        /*@ assert place: \forall integer j; 0 <= j < 64 ==>
              (bit(word_at(words, i), j) <==> marked(words, 64 * i + j)); */
        if (first < end && 64 * i < end && first < 64 * i + 64) {
            zeros_least(words[i], first <= 64 * i ? 0 : first - 64 * i,
                        end >= 64 * i + 64 ? 64 : end - 64 * i);
        }
    }
}

/*@ assigns \nothing;
    ensures WORD_OF_PART(words, first, i);
 */
void part(const uint64_t *words, uint64_t first, uint64_t i)
{
}
