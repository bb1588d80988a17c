/* SPDX-License-Identifier: MIT */
/*
 * Floating-point and vector state, kept by hand so that no compiler touches it in between.
 */
    .section .note.GNU-stack, "", @progbits
    .text

/* void fpu_load(const uint8_t pattern[256], uint32_t mxcsr): 16 vector registers and MXCSR; the
 * x87 stack gets the pattern's first eight bytes as a number. */
    .globl fpu_load
    .type fpu_load, @function
fpu_load:
    fninit
    fildll (%rdi)
    pushq %rsi
    ldmxcsr (%rsp)
    popq %rsi
    movups (%rdi), %xmm0
    movups 16(%rdi), %xmm1
    movups 32(%rdi), %xmm2
    movups 48(%rdi), %xmm3
    movups 64(%rdi), %xmm4
    movups 80(%rdi), %xmm5
    movups 96(%rdi), %xmm6
    movups 112(%rdi), %xmm7
    movups 128(%rdi), %xmm8
    movups 144(%rdi), %xmm9
    movups 160(%rdi), %xmm10
    movups 176(%rdi), %xmm11
    movups 192(%rdi), %xmm12
    movups 208(%rdi), %xmm13
    movups 224(%rdi), %xmm14
    movups 240(%rdi), %xmm15
    ret
    .size fpu_load, . - fpu_load

/* uint32_t fpu_store(uint8_t pattern[256], uint64_t *x87): the same back; returns MXCSR. x87 0: the
 * x87 stack is left alone. */
    .globl fpu_store
    .type fpu_store, @function
fpu_store:
    movups %xmm0, (%rdi)
    movups %xmm1, 16(%rdi)
    movups %xmm2, 32(%rdi)
    movups %xmm3, 48(%rdi)
    movups %xmm4, 64(%rdi)
    movups %xmm5, 80(%rdi)
    movups %xmm6, 96(%rdi)
    movups %xmm7, 112(%rdi)
    movups %xmm8, 128(%rdi)
    movups %xmm9, 144(%rdi)
    movups %xmm10, 160(%rdi)
    movups %xmm11, 176(%rdi)
    movups %xmm12, 192(%rdi)
    movups %xmm13, 208(%rdi)
    movups %xmm14, 224(%rdi)
    movups %xmm15, 240(%rdi)
    testq %rsi, %rsi
    je 1f
    fistpll (%rsi)
1:
    pushq $0
    stmxcsr (%rsp)
    popq %rax
    ret
    .size fpu_store, . - fpu_store

/* uint64_t fpu_spin(uint64_t stretches, uint64_t gap): counts stretches of 20,000 instructions that
 * took more than `gap` cycles: the times that somebody else had the CPU. */
    .globl fpu_spin
    .type fpu_spin, @function
fpu_spin:
    xorl %r8d, %r8d
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, %r9
1:
    movl $10000, %ecx
2:
    decl %ecx
    jne 2b
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, %r10
    subq %r9, %r10
    movq %rax, %r9
    cmpq %rsi, %r10
    jb 3f
    incq %r8
3:
    decq %rdi
    jne 1b
    movq %r8, %rax
    ret
    .size fpu_spin, . - fpu_spin

/* uint16_t fpu_control(void): the x87 control word */
    .globl fpu_control
    .type fpu_control, @function
fpu_control:
    pushq $0
    fnstcw (%rsp)
    popq %rax
    ret
    .size fpu_control, . - fpu_control
