/* SPDX-License-Identifier: MIT */
/* What other ISAs have inline (kernel/arch/arch.h); here they are functions like all others. */
#ifndef KERNEL_ARCH_HOST_ARCH_INLINE_H
#define KERNEL_ARCH_HOST_ARCH_INLINE_H

struct cpu *arch_cpu_this(void);
void arch_spin_hint(void);
void arch_lock_point(void); /* a switch point */
void *arch_frame_pointer(paddr_t frame);
uint64_t arch_clock_ns(void);

static inline void arch_copy_words(void *to, const void *from, size_t words)
{
    __builtin_memmove(to, from, words * sizeof(uint64_t));
}

static inline void arch_call_rarely(void (*function)(void *), void *argument)
{
    function(argument);
}

#endif
