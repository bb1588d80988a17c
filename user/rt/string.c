/* SPDX-License-Identifier: MIT */
/* The four memory functions that the compiler may call by itself. */
#include "core/string.h"

enum {
    WORD_BYTES = sizeof(uint64_t),
};

static uint64_t word_load(const uint8_t *from)
{
    uint64_t word;

    __builtin_memcpy(&word, from, sizeof(word));
    return word;
}

static void word_store(uint8_t *to, uint64_t word)
{
    __builtin_memcpy(to, &word, sizeof(word));
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;

    for (; length >= WORD_BYTES; length -= WORD_BYTES) {
        word_store(target, word_load(source));
        target += WORD_BYTES;
        source += WORD_BYTES;
    }
    for (; length > 0; length--) {
        *target++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;

    if (target <= source || target >= source + length) {
        for (size_t i = 0; i < length; i++) {
            target[i] = source[i];
        }
    } else {
        for (size_t i = length; i > 0; i--) {
            target[i - 1] = source[i - 1];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t length)
{
    uint8_t *target = to;
    uint64_t word = (uint8_t)value * UINT64_C(0x0101010101010101);

    for (; length >= WORD_BYTES; length -= WORD_BYTES) {
        word_store(target, word);
        target += WORD_BYTES;
    }
    for (; length > 0; length--) {
        *target++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t length)
{
    const uint8_t *a = left;
    const uint8_t *b = right;

    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}
