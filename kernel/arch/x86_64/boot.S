/* SPDX-License-Identifier: MIT */
/*
 * First instructions. Two boot loader protocols enter here in 32-bit protected mode without paging:
 *
 *   multiboot2 (GRUB):  eax 0x36d76289, ebx the information structure (Multiboot2 3.3)
 *   PVH (QEMU -kernel): ebx the hvm_start_info structure, found by the ELF note below
 *
 * Both go the same way: is this a 64-bit CPU; tables that map the first 4 GiB at 0, at the direct
 * map and (the first GiB) at the image's base, by 2 MiB pages, all of it writable and executable;
 * long mode; boot_start() in C. kernel_map.c replaces these tables before any portable code runs;
 * afterwards only the secondary CPUs' trampoline uses them.
 *
 * There must be no multiboot1 magic in the first 8 KiB of the file, or QEMU refuses it.
 */
#include "kernel/arch/x86_64/layout.h"

#define MULTIBOOT2_MAGIC  0xe85250d6
#define MULTIBOOT2_LOADED 0x36d76289
#define PHYSICAL(symbol)  (symbol - LAYOUT_IMAGE_BASE)

#define COM1            0x3f8
#define EXIT_PORT       0xf4
#define EFLAGS_ID       0x200000
#define CR0_PE_PG       0x80000001
#define CR4_PAE         0x20
#define MSR_EFER        0xc0000080
#define EFER_LME        0x100
#define MEMORY_PROBE    0x5aa5c33c
#define TABLE_FLAGS     0x3  /* present, writable */
#define LARGE_FLAGS     0x83 /* and 2 MiB */

    .section .boot.header, "a"
    .balign 8
.Lheader_start:
    .long MULTIBOOT2_MAGIC
    .long 0
    .long .Lheader_end - .Lheader_start
    .long 0x100000000 - (MULTIBOOT2_MAGIC + (.Lheader_end - .Lheader_start))
    .word 6, 0 /* modules at page boundaries */
    .long 8
    .word 0, 0 /* end */
    .long 8
.Lheader_end:

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18 /* name and descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad boot_pvh

    .section .boot.text, "ax"
    .code32
    .global boot_multiboot2
    .type boot_multiboot2, @function
boot_multiboot2:
    movl $BOOT_ENTRY_MULTIBOOT2, %edi
    cmpl $MULTIBOOT2_LOADED, %eax
    je .Lboot_common
    movl $.Ltext_loader, %esi
    jmp .Lboot_refused

    .global boot_pvh
    .type boot_pvh, @function
boot_pvh:
    movl $BOOT_ENTRY_PVH, %edi

.Lboot_common:
    cli
    cld
    movl $PHYSICAL(boot_stacks) + STACKS_MAIN_TOP, %esp
    movl %ebx, %ebp

    /* Is there memory at the image's end? Nothing there keeps what is written. */
    movl $.Ltext_memory, %esi
    movl $image_end - 4, %ecx
    movl $MEMORY_PROBE, %eax
    movl %eax, (%ecx)
    xorl %eax, (%ecx)
    jnz .Lboot_refused
    cmpl $0, (%ecx)
    jne .Lboot_refused

    /* Zeros where the image has none of its own. The loader's may be gone: firmware that has little
     * memory uses what it was given last. */
    movl %edi, %edx
    movl $PHYSICAL(bss_start), %edi
    movl $image_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl
    movl %edx, %edi

    /* CPUID exists if the ID flag can be changed; long mode is bit 29 of leaf 0x80000001. */
    pushfl
    popl %eax
    movl %eax, %ecx
    xorl $EFLAGS_ID, %eax
    pushl %eax
    popfl
    pushfl
    popl %eax
    xorl %ecx, %eax
    testl $EFLAGS_ID, %eax
    jz .Lboot_no_long_mode
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb .Lboot_no_long_mode
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc .Lboot_no_long_mode

    /* Four directories of 2 MiB pages cover 4 GiB. */
    movl $PHYSICAL(boot_directories), %ebx
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $21, %eax
    orl $LARGE_FLAGS, %eax
    movl %eax, (%ebx, %ecx, 8)
    movl $0, 4(%ebx, %ecx, 8)
    incl %ecx
    cmpl $2048, %ecx
    jne 1b

    /* The low table names all four; the image's table names the first at the last but one GiB. */
    movl $PHYSICAL(boot_low), %eax
    leal TABLE_FLAGS(%ebx), %ecx
    movl %ecx, (%eax)
    addl $4096, %ecx
    movl %ecx, 8(%eax)
    addl $4096, %ecx
    movl %ecx, 16(%eax)
    addl $4096, %ecx
    movl %ecx, 24(%eax)
    movl $PHYSICAL(boot_high), %eax
    leal TABLE_FLAGS(%ebx), %ecx
    movl %ecx, 510*8(%eax)

    movl $PHYSICAL(boot_root), %eax
    movl $PHYSICAL(boot_low) + TABLE_FLAGS, (%eax)
    movl $PHYSICAL(boot_low) + TABLE_FLAGS, 256*8(%eax)
    movl $PHYSICAL(boot_high) + TABLE_FLAGS, 511*8(%eax)

    movl $CR4_PAE, %ecx
    movl %ecx, %cr4
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_PE_PG, %eax
    movl %eax, %cr0
    lgdt .Lboot_gdt_pointer
    ljmp $SELECTOR_KERNEL_CODE, $.Lboot_long

.Lboot_no_long_mode:
    movl $.Ltext_long_mode, %esi

/* esi: a line for the console. Without paging, stack or C: prints, fails, halts. */
.Lboot_refused:
    movw $COM1 + 3, %dx
    movb $0x80, %al
    outb %al, %dx
    movw $COM1, %dx
    movb $1, %al
    outb %al, %dx
    incw %dx
    movb $0, %al
    outb %al, %dx
    movw $COM1 + 3, %dx
    movb $3, %al
    outb %al, %dx
2:  movb (%esi), %bl
    testb %bl, %bl
    jz 4f
    movl $100000, %ecx
    movw $COM1 + 5, %dx
3:  inb %dx, %al
    testb $0x20, %al
    loopz 3b
    movw $COM1, %dx
    movb %bl, %al
    outb %al, %dx
    incl %esi
    jmp 2b
4:  movw $EXIT_PORT, %dx
    movl $1, %eax
    outl %eax, %dx
5:  cli
    hlt
    jmp 5b

    .code64
.Lboot_long:
    movabsq $boot_high_half, %rax
    jmpq *%rax

    .section .boot.rodata, "a"
.Ltext_long_mode:
    .asciz "\r\ncapOS cannot boot: this processor has no 64-bit mode (long mode)\r\n"
.Ltext_loader:
    .asciz "\r\ncapOS cannot boot: entered by something that is not a multiboot2 loader\r\n"
.Ltext_memory:
    .asciz "\r\ncapOS cannot boot: there is less memory than the kernel's image needs\r\n"
    .balign 8
.Lboot_gdt:
    .quad 0
    .quad 0x00209b0000000000 /* 64-bit code */
    .quad 0x0000930000000000 /* data */
.Lboot_gdt_pointer:
    .word .Lboot_gdt_pointer - .Lboot_gdt - 1
    .quad .Lboot_gdt

    .section .text.boot, "ax"
    .type boot_high_half, @function
boot_high_half:
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw $SELECTOR_KERNEL_DATA, %ax
    movw %ax, %ss
    movq $boot_stacks + STACKS_MAIN_TOP, %rsp
    movl %ebp, %esi
    movl %edi, %edi
    xorl %ebp, %ebp
    call boot_start
    ud2
    .size boot_high_half, . - boot_high_half

    .section .bss.pages, "aw", @nobits
    .balign 4096
    .global boot_root
boot_root:
    .skip 4096
boot_low:
    .skip 4096
boot_high:
    .skip 4096
boot_directories:
    .skip 4 * 4096

    .section .note.GNU-stack, "", @progbits
