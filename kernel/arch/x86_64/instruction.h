/* SPDX-License-Identifier: MIT */
/*
 * What an instruction that raised a general-protection fault was up to. The processor gives one
 * vector for privileged instructions, unaligned vector operands and impossible addresses; people
 * want to know which.
 */
#ifndef KERNEL_ARCH_X86_64_INSTRUCTION_H
#define KERNEL_ARCH_X86_64_INSTRUCTION_H

#include "abi/compiler.h"

enum {
    INSTRUCTION_BYTES_MAX = 15,
};

enum instruction_kind {
    INSTRUCTION_OTHER,      /* needs no privilege and no alignment: its address was impossible */
    INSTRUCTION_PRIVILEGED, /* or reaches for a segment or gate */
    INSTRUCTION_ALIGNED,    /* wants a vector operand aligned */
};

/* Judges the instruction at `code`, of which `length` bytes are known. Bytes that end too early are
 * INSTRUCTION_OTHER. AMD64 manual vol. 3, appendix A. */
enum instruction_kind instruction_classify(const uint8_t *code, size_t length);

#endif
