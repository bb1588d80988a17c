/* SPDX-License-Identifier: MIT */
/* What every part of the output of one schema file shares. */
#ifndef CAPNPC_C_EMITTER_H
#define CAPNPC_C_EMITTER_H

#include "capnp/capnpc-c/model.h"
#include "capnp/capnpc-c/text.h"

struct emitter {
    struct model *model;
    const struct requested_file *file;
    struct output *header;
    struct output *source; /* NULL until something needs it */
};

/* NAME.capnp.c, started when first asked for. */
struct output *emitter_source(struct emitter *emitter);

/* Claims a name made by a format, for the declaration `origin`; gives the name. */
const char *emitter_claim(struct emitter *emitter, const char *origin, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Finds the files whose types this one uses. */
void emitter_find_includes(struct emitter *emitter);

/* They, in the order of their headers; after emitter_find_includes. */
const struct node *const *emitter_includes(struct emitter *emitter, size_t *count);

/* How this file's header names another's. */
const char *include_path(const struct emitter *emitter, const struct node *file);

/* "a/b.capnp" -> "a/b". */
const char *file_path_stem(const char *path);

/* Calls `visit` for every node below the file, parents first. */
void emitter_each(struct emitter *emitter, void (*visit)(struct emitter *, struct node *));

#endif
