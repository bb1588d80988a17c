/* SPDX-License-Identifier: MIT */
/*
 * The words of the frame bitmap, for every word, every bit and every range of frames: each
 * operation on a word changes or finds the bits that it says, and the count of what it changed is
 * right.
 *
 * What is said of counts is proved by induction over the bits: it holds of no bits, and if it holds
 * of the first i it holds with the next one.
 *
 * bound: none; each word of 64 bits, each frame below 2^36
 * cbmc: core/frame_bitmap.c
 * options: -I verify/shim --unwind 66
 * prove: prove_functions prove_bytes prove_sum prove_counts prove_mask prove_full prove_align
 * quick: prove_functions prove_bytes prove_sum prove_counts prove_mask prove_full prove_align
 * twin: prove_functions | core/frame_bitmap.c
 *     | return used ? word | mask : word & ~mask;
 *     | return used ? word | mask : word & mask;
 * twin: prove_functions | core/frame_bitmap.c
 *     | return ~word & ~bits_below(from);
 *     | return ~word & ~bits_below(from + 1);
 * twin: prove_bytes | core/bits.h
 *     | ((word >> 2) & 0x3333333333333333u);
 *     | ((word >> 2) & 0x3333333333333331u);
 * twin: prove_sum | core/bits.h
 *     | ((word * 0x0101010101010101u) >> 56);
 *     | ((word * 0x0101010101010100u) >> 56);
 * twin: prove_counts | core/frame_bitmap.c
 *     | return old ^ value;
 *     | return old | value;
 * twin: prove_mask | core/frame_bitmap.c
 *     | if (end < base + WORD_BITS) {
 *     | if (end < base + WORD_BITS - 1) {
 * twin: prove_full | core/frame_bitmap.c
 *     | #define WORD_FULL UINT64_MAX
 *     | #define WORD_FULL INT64_MAX
 * twin: prove_align | core/checked.h
 *     | *result = raised & ~(alignment - 1);
 *     | *result = raised & ~alignment;
 */
#include "verify/prover.h"

#include "core/frame_bitmap.c"

void prove_functions(void);
void prove_bytes(void);
void prove_sum(void);
void prove_counts(void);
void prove_mask(void);
void prove_full(void);
void prove_align(void);

static bool bit(uint64_t word, unsigned i)
{
    return (word >> i & 1) != 0;
}

/* Whether the bits from `low` to below `high` are all as `set` says. */
static bool all(uint64_t word, unsigned low, unsigned high, bool set)
{
    bool found = true;

    for (unsigned i = 0; i < 64; i++) {
        found = found && (i < low || i >= high || bit(word, i) == set);
    }
    return found;
}

void prove_functions(void)
{
    uint64_t word = nondet_u64();
    uint64_t mask = nondet_u64();
    bool used = nondet_bool();
    unsigned i = nondet_u8();
    unsigned from = nondet_u8();

    __CPROVER_assume(i < 64 && from < 64);
    __CPROVER_assert(word_has(word, i) == bit(word, i), "word_has");
    __CPROVER_assert(bit(word_clear_from(word, from), i) == (i >= from && !bit(word, i)),
                     "word_clear_from");
    __CPROVER_assert(bit(word_pick(word, mask, used), i) == (bit(mask, i) && bit(word, i) == used),
                     "word_pick");
    __CPROVER_assert(bit(word_with(word, mask, used), i) == (bit(mask, i) ? used : bit(word, i)),
                     "word_with");
    __CPROVER_assert(bit(word_bit(from), i) == (i == from), "word_bit");
    __CPROVER_assert(bit(word_change(word, mask), i) == (bit(word, i) != bit(mask, i)),
                     "word_change");
    if (word != 0) {
        unsigned lowest = bit_lowest(word);

        __CPROVER_assert(lowest < 64 && bit(word, lowest), "bit_lowest: a set bit");
        __CPROVER_assert(i >= lowest || !bit(word, i), "bit_lowest: the first");
    }
}

/* bit_count: each byte has its count, and they are added. */
void prove_bytes(void)
{
    uint64_t word = nondet_u64();

    for (unsigned i = 0; i < 64; i += 8) {
        unsigned count = 0;

        for (unsigned j = i; j < i + 8; j++) {
            count += bit(word, j);
        }
        __CPROVER_assert((bit_count_bytes(word) >> i & 0xff) == count, "the bits of a byte");
    }
}

void prove_sum(void)
{
    uint64_t word = nondet_u64();
    unsigned sum = 0;

    for (unsigned i = 0; i < 64; i += 8) {
        __CPROVER_assume((word >> i & 0xff) <= 8);
        sum += word >> i & 0xff;
    }
    __CPROVER_assert(byte_sum(word) == sum, "the sum of the bytes");
}

/* Of the first `n` bits of two words: the clear ones of either, and those that differ. */
struct counts {
    unsigned old_zeros, value_zeros, moved;
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* What is known of counts from the bits alone, of the first n bits. */
static bool counts_hold(struct counts counts, uint64_t old, uint64_t value, unsigned low,
                        unsigned high, unsigned n)
{
    uint64_t change = word_change(old, value);
    unsigned range = least(high, n) - least(low, n);

    return counts.old_zeros <= n && (!all(old, low, n, true) || counts.old_zeros <= low) &&
           (!all(old, low, least(high, n), false) || counts.old_zeros >= range) &&
           ((old & ~value & bits_below(n)) != 0 ||
            counts.value_zeros + counts.moved == counts.old_zeros) &&
           ((value & ~old & bits_below(n)) != 0 ||
            counts.old_zeros + counts.moved == counts.value_zeros) &&
           (!all(change, low, least(high, n), true) || !all(change, 0, least(low, n), false) ||
            !all(change, high, n, false) || counts.moved == range);
}

void prove_counts(void)
{
    uint64_t old = nondet_u64();
    uint64_t value = nondet_u64();
    unsigned low = nondet_u8();
    unsigned high = nondet_u8();
    unsigned i = nondet_u8();
    struct counts counts = {0, 0, 0};

    __CPROVER_assume(low <= high && high <= 64 && i < 64);
    __CPROVER_assert(counts_hold(counts, old, value, low, high, 0), "of no bits");
    counts = (struct counts){nondet_u8(), nondet_u8(), nondet_u8()};
    __CPROVER_assume(counts_hold(counts, old, value, low, high, i));
    counts.old_zeros += !bit(old, i);
    counts.value_zeros += !bit(value, i);
    counts.moved += bit(word_change(old, value), i);
    __CPROVER_assert(counts_hold(counts, old, value, low, high, i + 1), "and of one more");
}

void prove_mask(void)
{
    uint64_t index = nondet_u64();
    uint64_t first = nondet_u64();
    uint64_t end = nondet_u64();
    unsigned i = nondet_u8();

    __CPROVER_assume(i < 64 && index < FRAME_BITMAP_FRAMES_MAX / 64 &&
                     end <= FRAME_BITMAP_FRAMES_MAX);
    __CPROVER_assume(first < end && index * 64 < end && index * 64 + 64 > first);
    __CPROVER_assert(bit(range_mask(index, first, end), i) ==
                         (first <= index * 64 + i && index * 64 + i < end),
                     "the frames of the range");
}

/* checked_align_up: the first multiple that is not below, of every power of two. */
void prove_align(void)
{
    uint64_t value = nondet_u64();
    uint64_t alignment = nondet_u64();
    uint64_t other = nondet_u64();
    uint64_t result = 0;

    __CPROVER_assume(is_power_of_two(alignment) && other >= value && is_aligned(other, alignment));
    if (checked_align_up(value, alignment, &result)) {
        __CPROVER_assert(result >= value && is_aligned(result, alignment), "a multiple");
        __CPROVER_assert(result <= other, "the first");
    } else {
        __CPROVER_assert(false, "there is none");
    }
}

void prove_full(void)
{
    uint64_t word = nondet_u64();

    __CPROVER_assert((word == WORD_FULL) == all(word, 0, 64, true), "full");
    __CPROVER_assert((word == 0) == all(word, 0, 64, false), "empty");
}
