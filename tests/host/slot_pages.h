/* SPDX-License-Identifier: MIT */
/*
 * Pages of slots for the capability tables of host programs: the C library's memory, counted and
 * refused when none is left if the test says so. Inline, so that a test may bring limits of its own
 * (tiny_limits.h).
 */
#ifndef TESTS_HOST_SLOT_PAGES_H
#define TESTS_HOST_SLOT_PAGES_H

#include <stdlib.h>

#include "core/cap_table.h"

/* How many pages may still be taken, and how many are; a page given back may be taken again. */
struct slot_pages {
    unsigned left;
    unsigned out;
};

static inline void *slot_page_alloc(void *context)
{
    struct slot_pages *pages = context;

    if (pages != NULL) {
        if (pages->left == 0) {
            return NULL;
        }
        pages->left--;
        pages->out++;
    }
    return calloc(CAP_TABLE_PAGE_SLOTS, sizeof(struct cap_slot));
}

static inline void slot_page_free(void *context, void *page)
{
    struct slot_pages *pages = context;

    if (pages != NULL) {
        pages->left++;
        pages->out--;
    }
    free(page);
}

/* A table's memory out of `pages`, which must outlive it; NULL: as much as there is, from any
 * thread. */
static inline struct cap_table_memory slot_memory(struct slot_pages *pages)
{
    return (struct cap_table_memory){
        .page_alloc = slot_page_alloc, .page_free = slot_page_free, .context = pages};
}

#endif
