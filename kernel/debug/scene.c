/* SPDX-License-Identifier: MIT */
/* Debug kernels: the kernel does on purpose what it must never do, to show that it is caught. */
#include "kernel/debug_scene.h"

#include "core/assert.h"
#include "core/command_line.h"
#include "core/string.h"
#include "kernel/arch/arch.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/mem/vspace.h"

enum {
    SCENE_PAGE = 0x400000,
};

/* Makes a user page active on this CPU for the scene to trip over. */
static void scene_page_map(unsigned flags)
{
    static struct vspace vspace;

    if (vspace_create(&vspace) != STATUS_OK ||
        vspace_map_new(&vspace, SCENE_PAGE, flags, NULL) != STATUS_OK) {
        panic("debug scene: no memory");
    }
    vspace_activate(&vspace);
}

/* A sum beyond its type, which the debug build traps. */
static void scene_undefined(void)
{
    volatile int32_t number = INT32_MAX;

    number = number + 1;
}

/* Two locks against the order of kernel/lock.h, which the debug build asserts. */
static void scene_lock_order(void)
{
    static struct spinlock first, second;

    spinlock_init(&first, LOCK_RANK_FRAMES, 0);
    spinlock_init(&second, LOCK_RANK_VSPACE, 0);
    spinlock_lock(&first);
    spinlock_lock(&second);
}

void debug_scene_start(const char *command_line)
{
    struct command_line_word word;

    if (command_line_find(command_line, "debug", &word) != STATUS_OK) {
        return;
    }
    if (string_matches(word.value, word.value_length, "exec-user")) {
        scene_page_map(ARCH_PAGE_EXECUTE);
        arch_debug_execute(SCENE_PAGE);
    } else if (string_matches(word.value, word.value_length, "read-user")) {
        scene_page_map(0);
        arch_debug_read(SCENE_PAGE);
    } else if (string_matches(word.value, word.value_length, "panic")) {
        panic("debug scene: asked for");
    } else if (string_matches(word.value, word.value_length, "assert")) {
        ASSERT(word.value == NULL);
    } else if (string_matches(word.value, word.value_length, "stack-overflow")) {
        arch_debug_overflow();
    } else if (string_matches(word.value, word.value_length, "undefined")) {
        scene_undefined();
    } else if (string_matches(word.value, word.value_length, "lock-order")) {
        scene_lock_order();
    } else {
        kernel_boot_refused("debug= names no scene");
    }
    panic("debug scene: it was let through");
}
