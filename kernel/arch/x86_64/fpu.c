/* SPDX-License-Identifier: MIT */
/*
 * Floating point and vector registers belong to the thread on the CPU; the kernel uses none. They
 * are saved and loaded eagerly at each change of thread, whole: no trap on first use, nothing
 * written to CR0, and no moment at which one thread's values can be read by another.
 *
 * XSAVEOPT and XRSTOR where they exist, XSAVE else, FXSAVE on CPUs without any. XCR0 allows x87,
 * SSE and AVX, so that the area has 832 bytes. A thread begins with XSTATE_BV 0 (everything
 * initial), but FCW and MXCSR filled in, which XRSTOR and FXRSTOR read in any case.
 *
 * XSAVEOPT may leave out what did not change since the last XRSTOR from the same area. A thread is
 * always loaded on a CPU before it is saved there, so the CPU's memory of "the same area" is right
 * even when an area was freed and given to a new thread meanwhile.
 *
 * AMD CPUs without "always save error pointers" keep the last x87 instruction and data pointers
 * when they load a state without a pending exception: one thread could read another's addresses.
 * An x87 load from a fixed address before each load of a state overwrites them.
 */
#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/fpu.h"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/registers.h"

enum {
    AREA_FCW = 0, /* offsets in the legacy part */
    AREA_MXCSR = 24,
    FCW_INITIAL = 0x37f,    /* all exceptions masked, 64-bit precision */
    MXCSR_INITIAL = 0x1f80, /* all exceptions masked */
};

SECTION(".sealed") enum fpu_way fpu_way;

void fpu_init(void)
{
    if (!cpu_features.xsave) {
        fpu_way = FPU_FXSAVE;
        return;
    }
    fpu_way = cpu_features.xsaveopt ? FPU_XSAVEOPT : FPU_XSAVE;
    /* The size for what XCR0 enables now (AMD64 vol. 2, 11.5.4). */
    ASSERT(cpuid_read(0xd, 0).ebx <= CONTEXT_FPU_BYTES);
}

void fpu_clear(uint8_t *area)
{
    ASSERT(is_aligned((uint64_t)area, 64));
    memset(area, 0, CONTEXT_FPU_BYTES);
    area[AREA_FCW] = FCW_INITIAL & 0xff;
    area[AREA_FCW + 1] = FCW_INITIAL >> 8;
    area[AREA_MXCSR] = MXCSR_INITIAL & 0xff;
    area[AREA_MXCSR + 1] = MXCSR_INITIAL >> 8;
}
