/* SPDX-License-Identifier: MIT */
/* Release kernels have no debug scenes. */
#include "kernel/debug_scene.h"

#include "core/command_line.h"
#include "kernel/arch/arch.h"

void debug_scene_start(const char *command_line)
{
    struct command_line_word word;

    if (command_line_find(command_line, "debug", &word) == STATUS_OK) {
        kernel_boot_refused("debug= needs a debug kernel");
    }
}
