/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line: words separated by blanks, each `key` or `key=value`. No quoting. The
 * line is the caller's NUL-terminated string and everything returned points into it.
 */
#ifndef CORE_COMMAND_LINE_H
#define CORE_COMMAND_LINE_H

#include "core/status.h"

struct command_line_word {
    const char *key;
    size_t key_length;
    const char *value; /* NULL when the word has no '=' */
    size_t value_length;
};

/*
 * The next word at or after *position, which begins at 0 and moves past it. False at the end. A
 * word that begins with '=' has key_length 0.
 */
MUST_USE bool command_line_next(const char *line, size_t *position, struct command_line_word *word);

/* The word with this key. Errors: NOT_FOUND, EXISTS (given twice). */
MUST_USE enum status command_line_find(const char *line, const char *key,
                                       struct command_line_word *word);

/*
 * Finds the first word at or after *position whose key is none of `keys`, so that a boot can report
 * every misspelt option. False when there is none (left).
 */
MUST_USE bool command_line_next_unknown(const char *line, const char *const *keys, size_t key_count,
                                        size_t *position, struct command_line_word *word);

/*
 * The word's value as a number: decimal, or hexadecimal after 0x. Errors: INVALID_ARGUMENT (no
 * value, another character), OVERFLOW.
 */
MUST_USE enum status command_line_number(const struct command_line_word *word, uint64_t *number);

#endif
