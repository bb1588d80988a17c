/* SPDX-License-Identifier: MIT */
/*
 * What must never change in a schema, one line for each field, enumerant, method and parent:
 * number, place, type, default. tests/vintage/README.md says what for.
 */
#ifndef TESTS_CAPNP_VINTAGE_H
#define TESTS_CAPNP_VINTAGE_H

#include "capnp/runtime/capn_meta.h"

#include <stdbool.h>
#include <stddef.h>

/* Lines without their ends, as strings in order; to be freed with vintage_free. */
struct vintage {
    char **lines;
    size_t count;
    size_t capacity;
};

/* Of today's schemas. */
void vintage_of_index(struct vintage *vintage, const struct capn_meta_index *index);

/* Of a file; false when it cannot be read. */
bool vintage_of_file(struct vintage *vintage, const char *path);

/* NULL, or the first line of `old` that `today` does not have. */
const char *vintage_missing(const struct vintage *old, const struct vintage *today);

void vintage_free(struct vintage *vintage);

#endif
