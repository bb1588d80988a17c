/* SPDX-License-Identifier: MIT */
/*
 * Memory of one run: everything is given back at once. Running out ends the program with a message,
 * which for a tool on the building machine is the whole of what can be done.
 */
#ifndef TOOLS_MKMANIFEST_POOL_H
#define TOOLS_MKMANIFEST_POOL_H

#include "abi/compiler.h"

struct pool_block;

struct pool {
    struct pool_block *first;
};

/* Zeroed memory, aligned for anything, until pool_free. Never NULL. */
void *pool_alloc(struct pool *pool, size_t count, size_t bytes) MUST_USE;

/* A copy of a NUL-terminated string. */
char *pool_string(struct pool *pool, const char *text) MUST_USE;

char *pool_format(struct pool *pool, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

void pool_free(struct pool *pool);

#endif
