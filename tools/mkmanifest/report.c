/* SPDX-License-Identifier: MIT */
/* Words a refusal and finds the name that was probably meant. */
#include "tools/mkmanifest/report.h"

#include <string.h>

#include "core/assert.h"

enum {
    NAME_LENGTH_MAX = 64, /* longer ones are compared by their beginning */
    LIST_SHOWN_MAX = 24,
};

bool report_refuse(struct report *report, struct refusal_text refusal)
{
    ASSERT(refusal.path != NULL && refusal.rule != NULL);
    ASSERT(refusal.found != NULL && refusal.suggestion != NULL);
    if (report->text == NULL) {
        report->text = pool_format(report->pool, "%s: %s\n  rule:  %s\n  found: %s\n  try:   %s\n",
                                   report->file, refusal.path, refusal.rule, refusal.found,
                                   refusal.suggestion);
    }
    return false;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Insertions, removals, replacements and swaps of neighbours that turn `a` into `b`. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][NAME_LENGTH_MAX + 1];
    size_t a_length = strnlen(a, NAME_LENGTH_MAX);
    size_t b_length = strnlen(b, NAME_LENGTH_MAX);

    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above_that = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = smallest(above[j] + 1, row[j - 1] + 1,
                              above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above_that[j - 2] + 1 < row[j]) {
                row[j] = above_that[j - 2] + 1;
            }
        }
    }
    return rows[a_length % 3][b_length];
}

const char *nearest_name(const char *name, struct name_list candidates)
{
    const char *best = NULL;
    size_t best_distance = strnlen(name, NAME_LENGTH_MAX) / 3 + 2;

    for (size_t i = 0; i < candidates.count; i++) {
        size_t distance = edit_distance(name, candidates.names[i]);

        if (distance < best_distance) {
            best_distance = distance;
            best = candidates.names[i];
        }
    }
    return best;
}

const char *suggest_name(struct pool *pool, const char *name, struct name_list candidates)
{
    const char *nearest = nearest_name(name, candidates);
    const char *text = "one of:";

    if (nearest != NULL) {
        return pool_format(pool, "\"%s\"", nearest);
    }
    if (candidates.count == 0) {
        return "leave it out: there is nothing to choose from";
    }
    for (size_t i = 0; i < candidates.count && i < LIST_SHOWN_MAX; i++) {
        text = pool_format(pool, "%s %s", text, candidates.names[i]);
    }
    return candidates.count > LIST_SHOWN_MAX ? pool_format(pool, "%s ...", text) : text;
}
