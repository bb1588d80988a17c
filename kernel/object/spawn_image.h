/* SPDX-License-Identifier: MIT */
/* The program of a spawn, for kernel/object/spawn.c alone. Theory in spawn_image.c. */
#ifndef KERNEL_OBJECT_SPAWN_IMAGE_H
#define KERNEL_OBJECT_SPAWN_IMAGE_H

#include "kernel/object/spawn.h"

/* Notes in `spawn` the program that `plan` names, and what it asks to be mapped. STATUS_NOT_FOUND:
 * the boot package has no such binary; STATUS_CORRUPT: *why says it in words; STATUS_NO_MEMORY. */
enum status spawn_image_plan(const struct spawn_plan *plan, struct spawn *spawn,
                             const char **why) MUST_USE;

/* Maps the next pages of the image into the child; *done: that was the last. STATUS_REVOKED: the
 * object that it comes from is out of reach; STATUS_LIMIT, STATUS_NO_MEMORY: the spawn fails. */
enum status spawn_image_step(struct spawn *spawn, bool *done) MUST_USE;

#endif
