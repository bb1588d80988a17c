/* SPDX-License-Identifier: MIT */
/*
 * The four memory functions that the compiler may call by itself, with C's own meaning, and the few
 * string functions core/ needs. The embedder supplies the four (kernel and runtime their own, host
 * programs the C library's); the rest is inline and every length is bounded.
 */
#ifndef CORE_STRING_H
#define CORE_STRING_H

#include "abi/compiler.h"

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);

/* Whether each of the `length` bytes is `value`. */
static inline bool bytes_all(const void *bytes, size_t length, uint8_t value)
{
    const uint8_t *first = bytes;

    return length == 0 || (first[0] == value && memcmp(first, first + 1, length - 1) == 0);
}

/* The number of bytes before the first NUL, at most `length_max`; reads no byte beyond that. */
static inline size_t string_length(const char *text, size_t length_max)
{
    size_t length = 0;

    while (length < length_max && text[length] != '\0') {
        length++;
    }
    return length;
}

/* Whether two NUL-terminated strings are equal. */
static inline bool string_equal(const char *left, const char *right)
{
    size_t i = 0;

    while (left[i] != '\0' && left[i] == right[i]) {
        i++;
    }
    return left[i] == right[i];
}

/* Whether the `length` bytes at `text` are exactly the NUL-terminated string `literal`. */
static inline bool string_matches(const char *text, size_t length, const char *literal)
{
    size_t i = 0;

    while (i < length && literal[i] != '\0' && text[i] == literal[i]) {
        i++;
    }
    return i == length && literal[i] == '\0';
}

/*
 * Copies the string at `from`, which ends at its NUL or after `length` bytes, into `to` and always
 * terminates it. False, with `to` empty, when it does not fit whole: no silent truncation. `size`
 * is at least 1.
 */
MUST_USE static inline bool string_copy(char *to, size_t size, const char *from, size_t length)
{
    size_t used = string_length(from, length);

    if (used >= size) {
        to[0] = '\0';
        return false;
    }
    memcpy(to, from, used);
    to[used] = '\0';
    return true;
}

#endif
