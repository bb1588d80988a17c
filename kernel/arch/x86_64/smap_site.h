/* SPDX-License-Identifier: MIT */
/*
 * For assembly files. STAC and CLAC exist only on CPUs with SMAP and are undefined instructions
 * elsewhere. Each site is a three-byte NOP that cpu_features.c turns into the instruction at boot,
 * before the text is made read-only, when SMAP is there: no branch on the way of a copy or an
 * interrupt.
 */
#ifndef KERNEL_ARCH_X86_64_SMAP_SITE_H
#define KERNEL_ARCH_X86_64_SMAP_SITE_H

/* The third byte of each instruction; the first two are 0f 01. */
#define SMAP_CLAC 0xca
#define SMAP_STAC 0xcb

/* clang-format off */
.macro SMAP_SITE instruction:req
.Lsmap_site_\@:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_sites, "a"
    .quad .Lsmap_site_\@
    .quad \instruction
    .popsection
.endm
/* clang-format on */

#endif
