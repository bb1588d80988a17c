/* SPDX-License-Identifier: MIT */
/* An input as choices: its bytes, one after another; zeros when they are used up. */
#ifndef FUZZ_DICE_H
#define FUZZ_DICE_H

#include "abi/compiler.h"

struct dice {
    const uint8_t *bytes;
    size_t left;
};

/* The next `bytes` bytes, at most 8, the first the lowest. */
static inline uint64_t dice_word(struct dice *dice, unsigned bytes)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < bytes && dice->left > 0; i++) {
        word |= (uint64_t)*dice->bytes++ << (8 * i);
        dice->left--;
    }
    return word;
}

/* 0 to bound - 1, of as few bytes as that takes; bound > 0. */
static inline uint64_t dice_below(struct dice *dice, uint64_t bound)
{
    unsigned bytes = 1;

    while (bytes < sizeof(bound) && (bound - 1) >> (8 * bytes) != 0) {
        bytes++;
    }
    return dice_word(dice, bytes) % bound;
}

#endif
