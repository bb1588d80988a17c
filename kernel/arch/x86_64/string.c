/* SPDX-License-Identifier: MIT */
/*
 * The kernel's memory functions (core/string.h): string instructions by words, then the rest by
 * bytes. Interrupts of the kernel never use the direction flag, which is clear.
 */
#include "core/string.h"

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    void *at = to;
    size_t words = length / 8;

    __asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
    words = length % 8;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *last_to = (uint8_t *)to + length - 1;
    const uint8_t *last_from = (const uint8_t *)from + length - 1;

    if ((uintptr_t)to - (uintptr_t)from >= length) {
        return memcpy(to, from, length);
    }
    /* The target begins inside the source: from the end, so that nothing is overwritten unread. */
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+D"(last_to), "+S"(last_from), "+c"(length)
                     :
                     : "memory");
    return to;
}

void *memset(void *to, int value, size_t length)
{
    void *at = to;
    size_t words = length / 8;
    uint64_t pattern = (uint8_t)value * UINT64_C(0x0101010101010101);

    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    words = length % 8;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
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
