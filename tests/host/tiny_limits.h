/* SPDX-License-Identifier: MIT */
/*
 * Limits so small that every one is met within a few steps, in place of abi/limits.h: a source file
 * that includes this first and then the core files it tests gets its own copies of them.
 */
#ifndef ABI_LIMITS_H
#define ABI_LIMITS_H

enum {
    LIMIT_PAGE_BYTES = 4096,
    LIMIT_NAME_BYTES = 32,
    LIMIT_TABLE_SLOTS = 6,
    LIMIT_DESCRIPTORS = 2,
    LIMIT_GRANT_DEPTH = 2,
};

#endif
