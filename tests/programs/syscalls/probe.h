/* SPDX-License-Identifier: MIT */
/* One system call with every register chosen; the offsets are probe.S's too. */
#ifndef TESTS_PROGRAMS_SYSCALLS_PROBE_H
#define TESTS_PROGRAMS_SYSCALLS_PROBE_H

#include "abi/compiler.h"

struct probe_registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t flags;
};

struct probe {
    struct probe_registers before;
    struct probe_registers after;
    uint64_t saved_stack;
    uint64_t keep_stack; /* 0: before.rsp is loaded, whatever it is */
    uint64_t spin;       /* iterations to wait with these registers; at least 1 */
};

_Static_assert(offsetof(struct probe, after) == 136 && offsetof(struct probe, saved_stack) == 272 &&
                   sizeof(struct probe) == 296,
               "probe.S has these offsets");

extern struct probe probe_block;

void syscall_probe(void);
void syscall_probe_return(void);
void segments_set(uint64_t selector);
uint64_t segments_get(void);

#endif
