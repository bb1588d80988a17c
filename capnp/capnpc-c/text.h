/* SPDX-License-Identifier: MIT */
/*
 * Strings and files of the generator. Memory is taken and never given back: the program reads one
 * request, writes its files and ends.
 */
#ifndef CAPNPC_C_TEXT_H
#define CAPNPC_C_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Zeroed memory; ends the program with a message when there is none. */
void *memory_take(size_t count, size_t size);

/* A new string. */
char *text_format(const char *format, ...) PRINTF_LIKE(1, 2);
char *text_copy(const char *bytes, size_t length);

/* "bytesMax" -> "bytes_max", "DMAPool" -> "dma_pool": the naming rule of capnp/names.md.
 */
char *text_snake(const char *name);
char *text_upper(const char *name);

bool text_starts_with(const char *text, const char *prefix);

/* One file being written; kept in memory until every file of the run is known to be good. */
struct output {
    char *path;
    char *bytes;
    size_t length;
    size_t capacity;
    struct output *next;
};

/* Starts a file of this run. */
struct output *output_open(const char *path);
void output_print(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);

/* Writes the text as the lines of a C comment, each indented; nothing for NULL or "". */
void output_comment(struct output *output, const char *indent, const char *text);

/* Writes a C string literal of these bytes, quotes included. */
void output_string(struct output *output, const char *bytes, size_t length);

/* Writes every file of the run below the current folder; false after a message. */
bool output_write_all(void);

#endif
