/* SPDX-License-Identifier: MIT */
/*
 * Numbers that C and assembly share: where things lie in the address space, selectors, and the
 * offsets by which entry.S reaches the C structures. Only plain #defines, because the assembler
 * reads this file too; every offset is asserted in context.c or cpu_tables.c, and the addresses
 * that kernel.ld repeats are asserted in kernel_map.c.
 */
#ifndef KERNEL_ARCH_X86_64_LAYOUT_H
#define KERNEL_ARCH_X86_64_LAYOUT_H

/* ---- the kernel's half of every address space (docs/memory-map.md) ---- */

#define LAYOUT_DIRECT_BASE  0xffff800000000000 /* physical memory, one to one */
#define LAYOUT_DIRECT_END   0xffffc00000000000 /* 64 TiB */
#define LAYOUT_IMAGE_BASE   0xffffffff80000000 /* image: physical address + this */
#define LAYOUT_IMAGE_LOAD   0x100000           /* physical address of the image's first byte */
#define LAYOUT_STACKS_BASE  0xffffffffc0000000 /* kernel stacks of all CPUs but the first */
#define LAYOUT_DEVICES_BASE 0xffffffffe0000000 /* device registers, not cached */
#define LAYOUT_DEVICES_END  0xfffffffff0000000

#define LAYOUT_BOOT_MAPPED 0x100000000 /* the boot tables map this much physical memory */

/* ---- kernel stacks of one CPU: each has a guard page below it ---- */

#define STACK_GUARD_BYTES     4096
#define STACK_MAIN_BYTES      16384
#define STACK_EXCEPTION_BYTES 8192
#define STACKS_STRIDE         65536 /* from one CPU's set to the next one's */
#define STACKS_MAIN_TOP       (STACK_GUARD_BYTES + STACK_MAIN_BYTES)

/* ---- segment selectors: the order is what SYSCALL and SYSRET want (AMD64 vol. 2, 6.1.1) ---- */

#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA   0x1b
#define SELECTOR_USER_CODE   0x23
#define SELECTOR_TASK        0x28

/* ---- vectors ---- */

#define VECTOR_PIC_FIRST 0x20 /* 16 vectors that the masked 8259s could still raise */
#define VECTOR_TIMER     0x40
#define VECTOR_IPI       0x41
#define VECTOR_SPURIOUS  0xff

/* ---- how a boot loader entered ---- */

#define BOOT_ENTRY_MULTIBOOT2 1
#define BOOT_ENTRY_PVH        2

/* ---- struct cpu as entry.S sees it through GS ---- */

#define CPU_SELF      0
#define CPU_STACK_TOP 8
#define CPU_CLOCK     24
#define CPU_TABLES    16
#define CPU_CONTEXT   256

/* ---- struct arch_context ---- */

#define CONTEXT_RBX     0
#define CONTEXT_RBP     8
#define CONTEXT_R12     16
#define CONTEXT_R13     24
#define CONTEXT_R14     32
#define CONTEXT_R15     40
#define CONTEXT_RSP     48
#define CONTEXT_RIP     56
#define CONTEXT_RFLAGS  64
#define CONTEXT_RAX     72
#define CONTEXT_RDI     80
#define CONTEXT_RSI     88
#define CONTEXT_RDX     96
#define CONTEXT_RCX     104
#define CONTEXT_R8      112
#define CONTEXT_R9      120
#define CONTEXT_R10     128
#define CONTEXT_R11     136
#define CONTEXT_SAVED   144
#define CONTEXT_FS_BASE 152
#define CONTEXT_FPU     192

/* Values of CONTEXT_SAVED: which registers hold something, and so which way out is right. */
#define CONTEXT_SAVED_ALL     0 /* by an interrupt or fault: all of them; leaves by IRETQ */
#define CONTEXT_SAVED_SYSCALL 1 /* callee-saved, rsp, rip, rflags, rax; leaves by SYSRETQ */

#define CONTEXT_FPU_BYTES 832 /* XSAVE: 512 legacy, 64 header, 256 AVX */

/* ---- parameters of the secondary CPUs' trampoline, at the end of its page ---- */

#define TRAMPOLINE_PARAMETERS 0xf00
#define TRAMPOLINE_CLAIM      0xf00 /* u32: 1 for the first CPU that takes it */
#define TRAMPOLINE_TABLES     0xf04 /* u32: CR3 with an identity map of low memory */
#define TRAMPOLINE_GDT        0xf08 /* u16 limit, u32 linear base */
#define TRAMPOLINE_JUMP       0xf10 /* u32 offset, u16 selector: the far jump to 64-bit code */
#define TRAMPOLINE_STACK      0xf18 /* u64 */
#define TRAMPOLINE_CPU        0xf20 /* u64: struct cpu */
#define TRAMPOLINE_ROOT       0xf28 /* u64: the kernel's CR3 */

#endif
