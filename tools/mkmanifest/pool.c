/* SPDX-License-Identifier: MIT */
/* A list of malloc blocks that are freed together. */
#include "tools/mkmanifest/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
    struct pool_block *next;
    ALIGNED(16) unsigned char bytes[];
};

void *pool_alloc(struct pool *pool, size_t count, size_t bytes)
{
    struct pool_block *block;
    size_t total;

    if (MUL_OVERFLOWS(count, bytes, &total) || ADD_OVERFLOWS(total, sizeof(*block), &total)) {
        total = SIZE_MAX;
    }
    block = calloc(1, total);
    if (block == NULL) {
        fprintf(stderr, "mkmanifest: no memory for %zu bytes\n", total);
        exit(EXIT_FAILURE);
    }
    block->next = pool->first;
    pool->first = block;
    return block->bytes;
}

char *pool_string(struct pool *pool, const char *text)
{
    size_t bytes = strlen(text) + 1;

    return memcpy(pool_alloc(pool, bytes, 1), text, bytes);
}

char *pool_format(struct pool *pool, const char *format, ...)
{
    va_list arguments;
    va_list again;
    size_t bytes;
    char *text;

    va_start(arguments, format);
    va_copy(again, arguments);
    bytes = (size_t)vsnprintf(NULL, 0, format, arguments) + 1;
    va_end(arguments);
    text = pool_alloc(pool, bytes, 1);
    vsnprintf(text, bytes, format, again);
    va_end(again);
    return text;
}

void pool_free(struct pool *pool)
{
    while (pool->first != NULL) {
        struct pool_block *next = pool->first->next;

        free(pool->first);
        pool->first = next;
    }
}
