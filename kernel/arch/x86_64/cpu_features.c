/* SPDX-License-Identifier: MIT */
/*
 * Processor features: found once on the boot CPU, switched on alike on every CPU.
 *
 * Control registers are written whole, never by setting a bit in what firmware left, so that a bit
 * that is not named here is off on every machine: user FSGSBASE (a user must not write GS), PCE,
 * LA57, protection keys. A CR4 bit that CPUID does not announce is not tried: some emulators hang
 * on it instead of faulting.
 *
 * NX and write protection are required. Without SMEP, SMAP or UMIP the system runs and says so in
 * one line each.
 *
 * Not covered: speculation (no page table isolation, no fences at entry).
 */
#include "core/assert.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/log.h"

enum {
    RANDOM_ATTEMPTS = 10, /* Intel's advice for RDRAND: ten misses in a row mean it is broken */
    XCR0_X87 = 1,
    XCR0_SSE = 2,
    XCR0_AVX = 4,
};

/* Memory types by page attributes as after reset (AMD64 vol. 2, 7.8.2), whatever firmware chose:
 * no attribute is write-back, both cache attributes together are not cached. */
#define PAT_RESET UINT64_C(0x0007040600070406)

struct smap_site {
    uint64_t address;
    uint64_t third_byte;
};

extern const struct smap_site smap_sites_start[], smap_sites_end[];
extern const char entry_syscall[], entry_compat[];

SECTION(".sealed") struct cpu_features cpu_features;

static bool bit_set(uint32_t word, unsigned bit)
{
    return (word >> bit & 1) != 0;
}

static void smap_sites_patch(void)
{
    for (const struct smap_site *site = smap_sites_start; site < smap_sites_end; site++) {
        uint8_t *code = (uint8_t *)site->address;

        code[1] = 0x01;
        code[2] = (uint8_t)site->third_byte;
    }
    cpuid_read(0, 0); /* serialises: what was fetched before is forgotten */
}

void cpu_features_detect(void)
{
    struct cpu_features *features = &cpu_features;
    uint32_t leaf_max = cpuid_read(0, 0).eax;
    uint32_t extended_max = cpuid_read(0x80000000u, 0).eax;
    bool amd = cpuid_read(0, 0).ebx == 0x68747541u; /* "Auth" */
    struct cpuid leaf = cpuid_read(1, 0);

    features->machine_check = bit_set(leaf.edx, 7);
    features->xsave = bit_set(leaf.ecx, 26);
    features->avx = features->xsave && bit_set(leaf.ecx, 28);
    features->rdrand = bit_set(leaf.ecx, 30);
    features->emulated = bit_set(leaf.ecx, 31);
    if (leaf_max >= 7) {
        leaf = cpuid_read(7, 0);
        features->smep = bit_set(leaf.ebx, 7);
        features->smap = bit_set(leaf.ebx, 20);
        features->umip = bit_set(leaf.ecx, 2);
    }
    if (features->xsave && leaf_max >= 0xd) {
        features->xsaveopt = bit_set(cpuid_read(0xd, 1).eax, 0);
    }
    leaf = cpuid_read(0x80000001u, 0);
    features->no_execute = bit_set(leaf.edx, 20);
    features->pages_1g = bit_set(leaf.edx, 26);
    features->float_pointers_leak = amd;
    if (extended_max >= 0x80000008u) {
        leaf = cpuid_read(0x80000008u, 0);
        features->float_pointers_leak = amd && !bit_set(leaf.ebx, 2);
    }
    features->kernel_flags_clear = RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT;
    if (features->smap) {
        smap_sites_patch();
        features->kernel_flags_clear |= RFLAGS_AC; /* without SMAP an interrupt keeps it */
    }
}

static uint64_t cr4_wanted(void)
{
    const struct cpu_features *features = &cpu_features;

    return CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT |
           (features->machine_check ? CR4_MCE : 0) | (features->xsave ? CR4_OSXSAVE : 0) |
           (features->smep ? CR4_SMEP : 0) | (features->smap ? CR4_SMAP : 0) |
           (features->umip ? CR4_UMIP : 0);
}

static void xcr0_write(uint32_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"(value), "d"(0));
}

void cpu_features_enable(void)
{
    ASSERT(cpu_features.no_execute);
    msr_write(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    cr4_write(cr4_wanted());
    cr0_write(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    if (cpu_features.xsave) {
        xcr0_write(XCR0_X87 | XCR0_SSE | (cpu_features.avx ? XCR0_AVX : 0));
    }
    /* SYSCALL: cs 0x08, ss 0x10; SYSRET: ss 0x18 + 3, cs 0x20 + 3. */
    msr_write(MSR_STAR,
              (uint64_t)(SELECTOR_KERNEL_DATA | 3) << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
    msr_write(MSR_LSTAR, (uint64_t)entry_syscall);
    msr_write(MSR_CSTAR, (uint64_t)entry_compat);
    msr_write(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_PAT, PAT_RESET);
}

void cpu_features_check(void)
{
    uint64_t cr4 = cr4_read();

    ASSERT((cr0_read() & CR0_WP) != 0);
    ASSERT((msr_read(MSR_EFER) & EFER_NXE) != 0);
    ASSERT(!cpu_features.smep || (cr4 & CR4_SMEP) != 0);
    ASSERT(!cpu_features.smap || (cr4 & CR4_SMAP) != 0);
    ASSERT(!cpu_features.umip || (cr4 & CR4_UMIP) != 0);
    ASSERT(cr4 == cr4_wanted());
}

void arch_protection_report(void)
{
    const struct cpu_features *features = &cpu_features;

    cpu_features_check();
    log_line(LOG_NOTICE, "protection: NX, write protection%s%s%s on",
             features->smep ? ", SMEP" : "", features->smap ? ", SMAP" : "",
             features->umip ? ", UMIP" : "");
    if (!features->smep) {
        log_line(LOG_WARNING, "protection: SMEP absent, the kernel could execute user pages");
    }
    if (!features->smap) {
        log_line(LOG_WARNING, "protection: SMAP absent, the kernel could read user pages unasked");
    }
    if (!features->umip) {
        log_line(LOG_WARNING, "protection: UMIP absent, programs can read descriptor addresses");
    }
}

bool arch_random_u64(uint64_t *value)
{
    if (!cpu_features.rdrand) {
        return false;
    }
    for (unsigned attempt = 0; attempt < RANDOM_ATTEMPTS; attempt++) {
        bool valid;

        __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(valid));
        if (valid) {
            return true;
        }
    }
    return false;
}
