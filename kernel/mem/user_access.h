/* SPDX-License-Identifier: MIT */
/*
 * The kernel's access to user memory by user addresses: range check, page-permission check
 * (present, user, write), then a fault-safe copy inside a short window. Nothing else touches it.
 */
#ifndef KERNEL_MEM_USER_ACCESS_H
#define KERNEL_MEM_USER_ACCESS_H

#include "kernel/mem/vspace.h"

/* A range whose bounds were checked: it lies in the user half and does not wrap. What it does not
 * prove: that pages are there, or stay. One constructor: user_range_make. */
struct user_range {
    vaddr_t address;
    size_t bytes;
};

bool user_range_make(vaddr_t address, uint64_t bytes, struct user_range *range) MUST_USE;

/* Copies from/to the *active* address space, which is `vspace`. STATUS_FAULT: a page is missing or
 * not permitted, found by the check or by the copy; nothing defined about the part copied. */
enum status user_copy_in(struct vspace *vspace, void *to, struct user_range from) MUST_USE;
enum status user_copy_out(struct vspace *vspace, struct user_range to, const void *from) MUST_USE;

/* The page-permission check alone. */
bool user_range_permitted(struct vspace *vspace, struct user_range range, bool write);

#endif
