/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line. It comes from whoever starts the machine, so a misspelt word must be
 * found and said, not ignored; command_line_next_unknown() is for that. Every function walks the
 * line from its begin or a position and keeps nothing.
 */
#include "core/command_line.h"

#include "core/assert.h"
#include "core/checked.h"
#include "core/string.h"

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

bool command_line_next(const char *line, size_t *position, struct command_line_word *word)
{
    size_t at = *position;

    while (is_blank(line[at])) {
        at++;
    }
    *word = (struct command_line_word){.key = line + at};
    while (line[at] != '\0' && line[at] != '=' && !is_blank(line[at])) {
        word->key_length++;
        at++;
    }
    if (line[at] == '=') {
        at++;
        word->value = line + at;
        while (line[at] != '\0' && !is_blank(line[at])) {
            word->value_length++;
            at++;
        }
    }
    ASSERT(at >= *position && word->key_length <= at - *position);
    *position = at;
    return word->key_length != 0 || word->value != NULL;
}

enum status command_line_find(const char *line, const char *key, struct command_line_word *word)
{
    struct command_line_word next;
    size_t position = 0;
    bool found = false;

    while (command_line_next(line, &position, &next)) {
        if (!string_matches(next.key, next.key_length, key)) {
            continue;
        }
        if (found) {
            return STATUS_EXISTS;
        }
        found = true;
        *word = next;
    }
    return found ? STATUS_OK : STATUS_NOT_FOUND;
}

bool command_line_next_unknown(const char *line, const char *const *keys, size_t key_count,
                               size_t *position, struct command_line_word *word)
{
    while (command_line_next(line, position, word)) {
        size_t i = 0;

        while (i < key_count && !string_matches(word->key, word->key_length, keys[i])) {
            i++;
        }
        if (i == key_count) {
            return true;
        }
    }
    return false;
}

/* The value of a digit, or 16. */
static uint64_t digit_value(char character)
{
    if (character >= '0' && character <= '9') {
        return (uint64_t)(character - '0');
    }
    if (character >= 'a' && character <= 'f') {
        return (uint64_t)(character - 'a') + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return (uint64_t)(character - 'A') + 10;
    }
    return 16;
}

enum status command_line_number(const struct command_line_word *word, uint64_t *number)
{
    uint64_t base = 10;
    uint64_t value = 0;
    size_t i = 0;

    if (word->value_length > 2 && word->value[0] == '0' && word->value[1] == 'x') {
        base = 16;
        i = 2;
    }
    if (i == word->value_length) {
        return STATUS_INVALID_ARGUMENT;
    }
    for (; i < word->value_length; i++) {
        uint64_t digit = digit_value(word->value[i]);

        if (digit >= base) {
            return STATUS_INVALID_ARGUMENT;
        }
        if (!checked_mul(value, base, &value) || !checked_add(value, digit, &value)) {
            return STATUS_OVERFLOW;
        }
    }
    *number = value;
    return STATUS_OK;
}
