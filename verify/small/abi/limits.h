/* SPDX-License-Identifier: MIT */
/*
 * abi/limits.h for provers: tables so small that any state of them can be looked at, everything
 * else as it ships.
 */
#ifndef ABI_LIMITS_H
#define ABI_LIMITS_H

enum {
    LIMIT_TABLE_SLOTS = 4,
    LIMIT_DESCRIPTORS = 1,
    LIMIT_GRANT_DEPTH = 16,
    LIMIT_TRANSFERS = 2,

    LIMIT_PAGE_BYTES = 64, /* a table has one slot in each page */
    LIMIT_NAME_BYTES = 32,
    LIMIT_SQ_ENTRIES = 64,
    LIMIT_CQ_ENTRIES = 128,
    LIMIT_ARENA_BYTES = 64 * 1024,
};

#endif
