/* SPDX-License-Identifier: MIT */
/* Refusals for people: file, JSON path, rule, what was found, and what may have been meant. */
#ifndef TOOLS_MKMANIFEST_REPORT_H
#define TOOLS_MKMANIFEST_REPORT_H

#include "tools/mkmanifest/pool.h"

struct report {
    struct pool *pool;
    const char *file; /* the JSON file, as it was named */
    char *text;       /* the first refusal; NULL: none */
};

struct refusal_text {
    const char *path;       /* like "$.services[1].grants[0].facet" */
    const char *rule;       /* what must hold */
    const char *found;      /* what was there */
    const char *suggestion; /* what would do; no refusal is without one */
};

/* Notes a refusal; the first one stays. Always false, so that a check can end in it. No text is
 * NULL. */
bool report_refuse(struct report *report, struct refusal_text refusal);

/* Names to choose a suggestion from. */
struct name_list {
    const char **names;
    size_t count;
};

/* The name closest to `name`, if it is close enough to have been meant; NULL: none is. */
const char *nearest_name(const char *name, struct name_list candidates);

/* The nearest name, or the whole list when nothing is near, or that there is none; never NULL. */
const char *suggest_name(struct pool *pool, const char *name, struct name_list candidates);

#endif
