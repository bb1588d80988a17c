/* SPDX-License-Identifier: MIT */
/* What a checked manifest means, for people: words about one service, a picture of all. */
#ifndef TOOLS_MKMANIFEST_VIEW_H
#define TOOLS_MKMANIFEST_VIEW_H

#include <stdio.h>

#include "core/manifest.h"
#include "tools/mkmanifest/interfaces.h"

/* "never", "on-failure", ... and "none", "copy", ... as the JSON spells them; never NULL. */
const char *restart_word(enum manifest_restart_mode mode);
const char *transfer_word(enum authority_transfer_mode mode);

/* Says what service `index` may do and through whom. */
void explain_write(FILE *to, struct pool *pool, struct manifest *manifest, uint32_t index);

/* The authority graph in the language of Graphviz. */
void graph_write(FILE *to, struct pool *pool, struct manifest *manifest);

/*
 * Turns DOT text into SVG by Graphviz's `dot`, found in PATH and started with an argument vector.
 * NULL: it is not there or failed, and *problem says which. The result is the caller's to free().
 */
char *graph_svg(const char *dot, size_t dot_bytes, size_t *svg_bytes, const char **problem);

#endif
