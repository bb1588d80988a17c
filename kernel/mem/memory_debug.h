/* SPDX-License-Identifier: MIT */
/*
 * What a debug kernel does beyond a release kernel in kernel/mem: kernel/debug/memory_debug.c and
 * copy_race.c have the checks, kernel/release/memory_debug.c has empty functions.
 */
#ifndef KERNEL_MEM_MEMORY_DEBUG_H
#define KERNEL_MEM_MEMORY_DEBUG_H

#include "kernel/arch/arch.h"

struct unmap;
struct vspace;

/* Whether free kernel objects are filled with SLAB_POISON and verified. */
bool memory_debug_poison(void);

/* `frame` is about to be freed: asserts that no CPU's cache holds it. */
void memory_debug_frame_freed(paddr_t frame);

/* `frame` is about to be handed out without being zeroed: asserts that it is zero. */
void memory_debug_frame_is_zero(paddr_t frame);

/* One step of the teardown of `vspace` is about to begin: asserts vspace_check. */
void memory_debug_teardown(struct vspace *vspace);

/*
 * The periodic census: every 50 ms CPU 0 calls all others to a rendezvous, in
 * which none is inside an allocator, and asserts every x_check() of kernel/mem. Called for each
 * interrupt with the reasons that were pending; the caller holds no lock.
 */
void memory_debug_interrupt(struct cpu *cpu, uint64_t reasons);

/*
 * The race of a copy with an unmap, forced. The word user_copy_race=ADDRESS on a debug kernel's
 * command line names a page (and turns the periodic census off). The first copy that comes to that
 * page, or the one after N with user_copy_race_pass=N, waits between its permission check and the
 * page's bytes until another CPU has taken the page out of the same space; an unmap of that page
 * waits, before it changes anything, until that copy has come. Then both go on. At the copy's end
 * the kernel asserts that the page's frame is nobody's yet, and says in one log line which of the
 * two permitted outcomes it was. Both waits end after two seconds with a warning in the log. In any
 * other case, and in release kernels, these do nothing.
 */
bool user_copy_race_is_armed(void);
void user_copy_race_arm(const char *command_line);
void user_copy_rendezvous(struct vspace *vspace, vaddr_t address);
void user_copy_rendezvous_end(struct vspace *vspace, enum status status);
void unmap_rendezvous(struct vspace *vspace, vaddr_t page, unsigned pages);
void unmap_rendezvous_end(struct vspace *vspace, const struct unmap *unmap);

#endif
