/* SPDX-License-Identifier: MIT */
/* See text.h. Output is collected in memory and written at the end, or not at all. */
#include "text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct output *outputs;
static struct output **outputs_end = &outputs;

/* Memory comes in blocks that are kept to the end, so that nothing needs to be given back. */
struct block {
    struct block *next;
    size_t used;
    size_t size;
    max_align_t bytes[];
};
static struct block *blocks;

void *memory_take(size_t count, size_t size)
{
    const size_t align = sizeof(max_align_t);
    if (size != 0 && count > SIZE_MAX / 4 / size) {
        count = SIZE_MAX / 4 / size; /* more than there is: refused below */
    }
    size_t bytes = (count * size / align + 1) * align;
    if (!blocks || blocks->size - blocks->used < bytes) {
        size_t room = bytes > (1u << 20) ? bytes : 1u << 20;
        struct block *block = calloc(1, sizeof(*block) + room);
        if (!block) {
            fprintf(stderr, "capnpc-c: out of memory\n");
            exit(1);
        }
        *block = (struct block){.next = blocks, .size = room};
        blocks = block;
    }
    void *memory = (char *)blocks->bytes + blocks->used;
    blocks->used += bytes;
    return memory;
}

static char *text_vformat(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) {
        fprintf(stderr, "capnpc-c: a string cannot be formatted\n");
        exit(1);
    }
    char *text = memory_take((size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

char *text_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_vformat(format, arguments);
    va_end(arguments);
    return text;
}

char *text_copy(const char *bytes, size_t length)
{
    char *text = memory_take(length + 1, 1);
    if (length) {
        memcpy(text, bytes, length);
    }
    return text;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

char *text_snake(const char *name)
{
    size_t length = strlen(name);
    char *snake = memory_take(2 * length + 1, 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        if (is_upper(c)) {
            bool after_word = i > 0 && (is_lower(name[i - 1]) || is_digit(name[i - 1]));
            bool last_of_acronym = i > 0 && is_upper(name[i - 1]) && is_lower(name[i + 1]);
            if (after_word || last_of_acronym) {
                snake[used++] = '_';
            }
            snake[used++] = (char)(c - 'A' + 'a');
        } else {
            snake[used++] = is_lower(c) || is_digit(c) ? c : '_';
        }
    }
    return snake;
}

char *text_upper(const char *name)
{
    char *upper = text_copy(name, strlen(name));
    for (char *c = upper; *c; c++) {
        *c = is_lower(*c) ? (char)(*c - 'a' + 'A') : *c;
    }
    return upper;
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

struct output *output_open(const char *path)
{
    struct output *output = memory_take(1, sizeof(*output));
    output->path = text_copy(path, strlen(path));
    *outputs_end = output;
    outputs_end = &output->next;
    return output;
}

/* Makes room for `length` bytes and a NUL. */
static char *output_room(struct output *output, size_t length)
{
    if (output->capacity - output->length <= length) {
        size_t capacity = 2 * (output->capacity + length) + 4096;
        char *larger = memory_take(capacity, 1);
        if (output->length) {
            memcpy(larger, output->bytes, output->length);
        }
        output->bytes = larger;
        output->capacity = capacity;
    }
    return output->bytes + output->length;
}

static void output_append(struct output *output, const char *bytes, size_t length)
{
    char *to = output_room(output, length);
    if (length) {
        memcpy(to, bytes, length);
    }
    output->length += length;
}

void output_print(struct output *output, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length >= 0) {
        vsnprintf(output_room(output, (size_t)length), (size_t)length + 1, format, arguments);
        output->length += (size_t)length;
    }
    va_end(arguments);
}

/* One line of a comment; what would end or nest a comment gets a blank in the middle. */
static void output_comment_line(struct output *output, const char *line, size_t length)
{
    char previous = 0;
    for (size_t i = 0; i < length; i++) {
        char c = line[i];
        bool closes = previous == '*' && c == '/';
        bool opens = previous == '/' && c == '*';
        if (closes || opens) {
            output_append(output, " ", 1);
        }
        bool printable = (unsigned char)c >= 0x20 && c != 0x7f;
        output_append(output, printable ? &c : "?", 1);
        previous = c;
    }
}

void output_comment(struct output *output, const char *indent, const char *text)
{
    if (!text || !*text) {
        return;
    }
    const char *line = text;
    bool single = !strchr(text, '\n') || strchr(text, '\n')[1] == 0;
    output_print(output, single ? "%s/* " : "%s/*\n", indent);
    while (*line) {
        size_t length = strcspn(line, "\n");
        if (!single) {
            output_print(output, length ? "%s * " : "%s *", indent);
        }
        output_comment_line(output, line, length);
        if (!single) {
            output_print(output, "\n");
        }
        line += length + (line[length] == '\n');
    }
    output_print(output, single ? " */\n" : "%s */\n", single ? "" : indent);
}

void output_string(struct output *output, const char *bytes, size_t length)
{
    output_append(output, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char last = i ? bytes[i - 1] : 0;
        if (c == '"' || c == '\\' || (c == '?' && last == '?')) {
            output_print(output, "\\%c", c);
        } else if (c == '\n') {
            output_print(output, "\\n");
        } else if (c >= 0x20 && c < 0x7f) {
            output_print(output, "%c", c);
        } else {
            output_print(output, "\\%03o", c);
        }
    }
    output_append(output, "\"", 1);
}

/* Makes the folders that lead to a file. */
static bool folders_make(const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (slash == path) {
            continue;
        }
        char *folder = text_copy(path, (size_t)(slash - path));
        if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
            fprintf(stderr, "capnpc-c: %s: %s\n", folder, strerror(errno));
            return false;
        }
    }
    return true;
}

bool output_write_all(void)
{
    for (struct output *output = outputs; output; output = output->next) {
        if (!folders_make(output->path)) {
            return false;
        }
        FILE *file = fopen(output->path, "wb");
        bool written = file && fwrite(output->bytes, 1, output->length, file) == output->length;
        bool closed = file && fclose(file) == 0;
        if (!written || !closed) {
            fprintf(stderr, "capnpc-c: %s: %s\n", output->path, strerror(errno));
            return false;
        }
    }
    return true;
}
