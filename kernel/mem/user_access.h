/* SPDX-License-Identifier: MIT */
/*
 * The kernel's access to user memory by user addresses: range check, page-permission check
 * (present, user, write), then a fault-safe copy inside short windows, one for each page. Nothing
 * else touches it. The theory is in user_access.c.
 */
#ifndef KERNEL_MEM_USER_ACCESS_H
#define KERNEL_MEM_USER_ACCESS_H

#include "kernel/mem/vspace.h"

enum {
    USER_COPY_BYTES_MAX = 64 * 1024, /* in one call: 8,192 moves of a word */
};

/* A range whose bounds were checked: it lies in the user half and does not wrap. What it does not
 * prove: that pages are there, or stay. One constructor: user_range_make. */
struct user_range {
    vaddr_t address;
    size_t bytes;
};

/* False: the range is not wholly in [LIMIT_USER_MIN, LIMIT_USER_MAX). An empty range has to begin
 * there too. */
bool user_range_make(vaddr_t address, uint64_t bytes, struct user_range *range) MUST_USE;

/*
 * Copies from/to the *active* address space, which is `vspace`. The caller may hold locks of a
 * lower rank than LOCK_RANK_VSPACE. STATUS_TOO_LARGE: more than USER_COPY_BYTES_MAX, nothing
 * copied. STATUS_FAULT: a page is missing or not permitted, found by the check (nothing copied) or
 * by the copy, because another CPU unmapped it meanwhile (a part may have been copied; what was
 * copied out is in pages the program may see, what was copied in is not to be used).
 */
enum status user_copy_in(struct vspace *vspace, void *to, struct user_range from) MUST_USE;
enum status user_copy_out(struct vspace *vspace, struct user_range to, const void *from) MUST_USE;

/* The word at `address`, a multiple of 4, in the *active* address space. False: it cannot be read.
 * The copy's own check is the permission here: one page, and every page of the user half that is
 * there may be read by its program. */
bool user_word_read(vaddr_t address, uint32_t *word) MUST_USE;

/* The page-permission check alone, at most USER_COPY_BYTES_MAX; true for an empty range. */
bool user_range_permitted(struct vspace *vspace, struct user_range range, bool write) MUST_USE;

#endif
