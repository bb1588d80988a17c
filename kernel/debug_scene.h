/* SPDX-License-Identifier: MIT */
/* Scenes that make the kernel itself misbehave: kernel/debug/scene.c or kernel/release/scene.c. */
#ifndef KERNEL_DEBUG_SCENE_H
#define KERNEL_DEBUG_SCENE_H

/* Looks for "debug=..." on the command line and does what it says: exec-user, read-user, panic,
 * assert, stack-overflow, undefined, lock-order. A release kernel refuses to boot with one. */
void debug_scene_start(const char *command_line);

#endif
