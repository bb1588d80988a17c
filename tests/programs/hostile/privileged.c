/* SPDX-License-Identifier: MIT */
/* Instructions that only a kernel may execute (AMD64 manual vol. 3, "privileged"), and those that
 * UMIP, CR4.PCE and the I/O permission map keep from programs. */
#include "tests/programs/hostile/hostile.h"

/* An act of one instruction without operands to set up. */
#define PLAIN_ACT(name, instruction)                                                               \
    static void name(struct rt *rt)                                                                \
    {                                                                                              \
        (void)rt;                                                                                  \
        __asm__ volatile(instruction : : : "memory");                                              \
    }

PLAIN_ACT(act_cli, "cli")
PLAIN_ACT(act_sti, "sti")
PLAIN_ACT(act_hlt, "hlt")
PLAIN_ACT(act_swapgs, "swapgs")
PLAIN_ACT(act_clts, "clts")
PLAIN_ACT(act_wbinvd, "wbinvd")
PLAIN_ACT(act_sysret, "sysretq")
PLAIN_ACT(act_interrupt, "int $0x30")
PLAIN_ACT(act_stac, "stac")

static void act_mov_cr0(struct rt *rt)
{
    uint64_t value = 0;

    (void)rt;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
}

static void act_mov_cr3(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("mov %0, %%cr3" : : "r"(UINT64_C(0)));
}

static void act_mov_cr4(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("mov %0, %%cr4" : : "r"(UINT64_C(0)));
}

static void act_mov_dr7(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("mov %0, %%dr7" : : "r"(UINT64_C(0)));
}

static void act_rdmsr(struct rt *rt)
{
    uint32_t low = 0;
    uint32_t high = 0;

    (void)rt;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xc0000080));
}

static void act_wrmsr(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("wrmsr" : : "a"(0), "d"(0), "c"(0xc0000082));
}

static void act_rdpmc(struct rt *rt)
{
    uint32_t low = 0;
    uint32_t high = 0;

    (void)rt;
    __asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(0));
}

static void act_in(struct rt *rt)
{
    uint8_t value = 0;

    (void)rt;
    __asm__ volatile("inb $0x64, %0" : "=a"(value));
}

static void act_out(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("outl %0, %1" : : "a"(0x10), "d"((uint16_t)0xf4));
}

static void act_lgdt(struct rt *rt)
{
    static const uint8_t table[10];

    (void)rt;
    __asm__ volatile("lgdt %0" : : "m"(table));
}

static void act_lidt(struct rt *rt)
{
    static const uint8_t table[10];

    (void)rt;
    __asm__ volatile("lidt %0" : : "m"(table));
}

static void act_sgdt(struct rt *rt)
{
    uint8_t table[10] = {0};

    (void)rt;
    __asm__ volatile("sgdt %0" : "=m"(table));
}

static void act_smsw(struct rt *rt)
{
    uint64_t value = 0;

    (void)rt;
    __asm__ volatile("smsw %0" : "=r"(value));
}

static void act_ltr(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("ltr %0" : : "r"((uint16_t)0x28));
}

static void act_invlpg(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("invlpg (%0)" : : "r"(&privileged_acts) : "memory");
}

static void act_xsetbv(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("xsetbv" : : "a"(1), "d"(0), "c"(0));
}

/* Returns "from an interrupt" to kernel code segment. */
static void act_iret_kernel(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("pushq $0\n\t"    /* ss */
                     "pushq %%rsp\n\t" /* rsp */
                     "pushfq\n\t"      /* rflags */
                     "pushq $0x08\n\t" /* cs: the kernel's */
                     "pushq %0\n\t"    /* rip */
                     "iretq"
                     :
                     : "r"((uint64_t)(uintptr_t)privileged_acts)
                     : "memory");
}

/* Loads a data segment of the kernel's privilege. */
static void act_kernel_segment(struct rt *rt)
{
    (void)rt;
    __asm__ volatile("mov %0, %%ss" : : "r"(0x10));
}

const struct act privileged_acts[] = {
    {"cli", act_cli},
    {"sti", act_sti},
    {"hlt", act_hlt},
    {"swapgs", act_swapgs},
    {"clts", act_clts},
    {"wbinvd", act_wbinvd},
    {"sysret", act_sysret},
    {"interrupt", act_interrupt},
    {"stac", act_stac},
    {"mov-cr0", act_mov_cr0},
    {"mov-cr3", act_mov_cr3},
    {"mov-cr4", act_mov_cr4},
    {"mov-dr7", act_mov_dr7},
    {"rdmsr", act_rdmsr},
    {"wrmsr", act_wrmsr},
    {"rdpmc", act_rdpmc},
    {"in", act_in},
    {"out", act_out},
    {"lgdt", act_lgdt},
    {"lidt", act_lidt},
    {"sgdt", act_sgdt},
    {"smsw", act_smsw},
    {"ltr", act_ltr},
    {"invlpg", act_invlpg},
    {"xsetbv", act_xsetbv},
    {"iret-kernel", act_iret_kernel},
    {"kernel-segment", act_kernel_segment},
    {NULL, NULL},
};
