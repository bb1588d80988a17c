/* SPDX-License-Identifier: MIT */
/* Instructions that are allowed and fail. */
#include "tests/programs/hostile/hostile.h"

enum {
    FLAG_TRAP = 1 << 8,
    X87_UNMASK_ALL = 0x340, /* control word: extended precision, no exception masked */
};

static void act_divide_by_zero(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("xorl %%ecx, %%ecx\n\t"
                     "movl $1, %%eax\n\t"
                     "xorl %%edx, %%edx\n\t"
                     "divl %%ecx"
                     :
                     :
                     : "eax", "ecx", "edx");
}

static void act_divide_overflow(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("movl $0x80000000, %%eax\n\t"
                     "cltd\n\t"
                     "movl $-1, %%ecx\n\t"
                     "idivl %%ecx"
                     :
                     :
                     : "eax", "ecx", "edx");
}

static void act_undefined(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("ud2");
}

static void act_breakpoint(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("int3");
}

static void act_unaligned_sse(struct rt *rt)
{
    uint8_t block[64] ALIGNED(16) = {0};

    (void)rt;
    __asm__ volatile("movaps %0, %%xmm0" : : "m"(block[1]) : "xmm0");
}

static void act_x87_exception(struct rt *rt)
{
    uint16_t control = X87_UNMASK_ALL;

    (void)rt;
    __asm__ volatile("fldcw %0\n\t"
                     "fld1\n\t"
                     "fldz\n\t"
                     "fdivrp\n\t"
                     "fwait"
                     :
                     : "m"(control));
}

static void act_trap_flag(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("pushfq\n\t"
                     "orq %0, (%%rsp)\n\t"
                     "popfq\n\t"
                     "nop\n\t"
                     "nop"
                     :
                     : "i"(FLAG_TRAP)
                     : "memory", "cc");
}

const struct act instruction_acts[] = {
    {"divide-by-zero", act_divide_by_zero}, {"divide-overflow", act_divide_overflow},
    {"undefined", act_undefined},           {"breakpoint", act_breakpoint},
    {"unaligned-sse", act_unaligned_sse},   {"x87-exception", act_x87_exception},
    {"trap-flag", act_trap_flag},           {NULL, NULL},
};
