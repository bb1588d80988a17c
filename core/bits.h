/* SPDX-License-Identifier: MIT */
/* Bit searches, alignment and little-endian reads: the small arithmetic the other modules share. */
#ifndef CORE_BITS_H
#define CORE_BITS_H

#include "core/assert.h"

/* The index of the lowest set bit; `word` is not 0. */
static inline unsigned bit_lowest(uint64_t word)
{
    ASSERT(word != 0);
    return (unsigned)COUNT_TRAILING_ZEROS_U64(word);
}

/* The index of the highest set bit; `word` is not 0. */
static inline unsigned bit_highest(uint64_t word)
{
    ASSERT(word != 0);
    return 63u - (unsigned)COUNT_LEADING_ZEROS_U64(word);
}

/* A word whose bytes are the numbers of set bits of the bytes of `word`. */
static inline uint64_t bit_count_bytes(uint64_t word)
{
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    return (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
}

/* The sum of the bytes of `word`, which is below 256. */
static inline unsigned byte_sum(uint64_t word)
{
    return (unsigned)((word * 0x0101010101010101u) >> 56);
}

/* The number of set bits. Written out, because the builtin is a library call on plain x86_64. */
static inline unsigned bit_count(uint64_t word)
{
    return byte_sum(bit_count_bytes(word));
}

/* A word whose `count` lowest bits are set; `count` is 0 to 64. */
static inline uint64_t bits_below(unsigned count)
{
    ASSERT(count <= 64);
    return count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

static inline bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
    ASSERT(is_power_of_two(alignment));
    return value & ~(alignment - 1);
}

/* The caller knows that the result fits; for foreign values see checked_align_up. */
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    ASSERT(is_power_of_two(alignment));
    ASSERT(value <= UINT64_MAX - (alignment - 1));
    return (value + alignment - 1) & ~(alignment - 1);
}

static inline bool is_aligned(uint64_t value, uint64_t alignment)
{
    ASSERT(is_power_of_two(alignment));
    return (value & (alignment - 1)) == 0;
}

/* Little-endian reads from any address: foreign tables are not aligned to their fields. */
static inline uint16_t read_u16(const void *from)
{
    const uint8_t *byte = from;

    return (uint16_t)(byte[0] | byte[1] << 8);
}

static inline uint32_t read_u32(const void *from)
{
    const uint8_t *byte = from;

    return (uint32_t)read_u16(byte) | (uint32_t)read_u16(byte + 2) << 16;
}

static inline uint64_t read_u64(const void *from)
{
    const uint8_t *byte = from;

    return (uint64_t)read_u32(byte) | (uint64_t)read_u32(byte + 4) << 32;
}

#endif
