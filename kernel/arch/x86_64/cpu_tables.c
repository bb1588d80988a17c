/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables and stacks. Segmentation is off but for what the ISA insists on: one code and
 * one data segment for each privilege level, in the order SYSCALL and SYSRET compute with, and a
 * task state segment that names stacks. There is no 32-bit code segment and no LDT, so no program
 * can leave 64-bit mode.
 *
 * Each CPU has four stacks, each with an unmapped guard page below it: the main one, on which every
 * entry begins afresh, and one each for double fault, NMI and machine check (interrupt stack
 * table), which can come while the main one is unusable. The boot CPU's lie in the image, the
 * others' at LAYOUT_STACKS_BASE.
 */
#include "core/assert.h"
#include "kernel/arch/x86_64/cpu_tables.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/x86_64/traps.h"

enum {
    VECTORS = 256,
    STUB_BYTES = 16,
    GATE_INTERRUPT = 0x8e,      /* present, interrupts off */
    GATE_INTERRUPT_USER = 0xee, /* and INT from user mode allowed */
};

struct gate {
    uint16_t offset0;
    uint16_t selector;
    uint8_t stack;
    uint8_t type;
    uint16_t offset16;
    uint32_t offset32;
    uint32_t spare;
};

struct PACKED table_pointer {
    uint16_t limit;
    uint64_t base;
};

_Static_assert(offsetof(struct arch_cpu, self) == CPU_SELF, "offset in layout.h");
_Static_assert(offsetof(struct arch_cpu, stack_top) == CPU_STACK_TOP, "offset in layout.h");
_Static_assert(offsetof(struct arch_cpu, clock_offset) == CPU_CLOCK, "offset in layout.h");
_Static_assert(offsetof(struct arch_cpu, tables) == CPU_TABLES, "offset in layout.h");
_Static_assert(offsetof(struct cpu, arch) == 0, "GS names both struct cpu and struct arch_cpu");
_Static_assert(offsetof(struct cpu, context) == CPU_CONTEXT, "offset in layout.h");
_Static_assert(sizeof(struct task_state) == 104, "size in the ISA");
_Static_assert(sizeof(struct gate) == 16, "size in the ISA");
_Static_assert(sizeof(struct cpu_stacks) <= STACKS_STRIDE, "one set of stacks in a stride");
_Static_assert(offsetof(struct cpu_stacks, double_fault_guard) == STACKS_MAIN_TOP,
               "boot.S computes the first stack's top");

extern const char entry_stubs[];

SECTION(".bss.pages") ALIGNED(4096) struct cpu_stacks boot_stacks;
SECTION(".sealed") static struct gate interrupt_table[VECTORS];

struct stack_range cpu_stack_range(const struct cpu_stacks *stacks, unsigned index)
{
    static const struct stack_range offset[STACK_COUNT] = {
#define STACK(name)                                                                                \
    {offsetof(struct cpu_stacks, name##_guard), offsetof(struct cpu_stacks, name),                 \
     offsetof(struct cpu_stacks, name) + sizeof(((struct cpu_stacks *)0)->name)}
        STACK(main),
        STACK(double_fault),
        STACK(nmi),
        STACK(machine_check),
#undef STACK
    };
    uint64_t base = (uint64_t)stacks;

    ASSERT(index < STACK_COUNT);
    return (struct stack_range){
        .guard = base + offset[index].guard,
        .start = base + offset[index].start,
        .end = base + offset[index].end,
    };
}

bool cpu_stack_contains(const struct cpu *cpu, uint64_t address)
{
    for (unsigned i = 0; i < STACK_COUNT; i++) {
        struct stack_range range = cpu_stack_range(cpu->arch.stacks, i);

        if (address >= range.start && address <= range.end - sizeof(uint64_t)) {
            return true;
        }
    }
    return false;
}

bool cpu_guard_contains(uint64_t address)
{
    const struct cpu_stacks *stacks = &boot_stacks;

    if (address >= LAYOUT_STACKS_BASE &&
        address < LAYOUT_STACKS_BASE + (uint64_t)LIMIT_CPUS * STACKS_STRIDE) {
        stacks = (const struct cpu_stacks *)(address & ~(uint64_t)(STACKS_STRIDE - 1));
    }
    for (unsigned i = 0; i < STACK_COUNT; i++) {
        uint64_t guard = cpu_stack_range(stacks, i).guard;

        if (address >= guard && address < guard + STACK_GUARD_BYTES) {
            return true;
        }
    }
    return false;
}

static void gate_set(unsigned vector, unsigned stack, uint8_t type)
{
    uint64_t offset = (uint64_t)entry_stubs + (uint64_t)vector * STUB_BYTES;

    interrupt_table[vector] = (struct gate){
        .offset0 = (uint16_t)offset,
        .selector = SELECTOR_KERNEL_CODE,
        .stack = (uint8_t)stack,
        .type = type,
        .offset16 = (uint16_t)(offset >> 16),
        .offset32 = (uint32_t)(offset >> 32),
    };
}

void interrupt_table_init(void)
{
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        gate_set(vector, 0, GATE_INTERRUPT);
    }
    gate_set(VECTOR_BREAKPOINT, 0, GATE_INTERRUPT_USER);
    gate_set(VECTOR_DOUBLE_FAULT, IST_DOUBLE_FAULT, GATE_INTERRUPT);
    gate_set(VECTOR_NMI, IST_NMI, GATE_INTERRUPT);
    gate_set(VECTOR_MACHINE_CHECK, IST_MACHINE_CHECK, GATE_INTERRUPT);
}

static void segments_load(struct arch_cpu *arch)
{
    struct table_pointer pointer = {.limit = sizeof(arch->gdt) - 1, .base = (uint64_t)arch->gdt};

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movw %w2, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movw %%ax, %%ds\n\t"
                     "movw %%ax, %%es\n\t"
                     "movw %%ax, %%fs\n\t"
                     "movw %%ax, %%gs\n\t"
                     "lldt %%ax\n\t"
                     "ltr %w3"
                     :
                     : "m"(pointer), "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA),
                       "r"(SELECTOR_TASK)
                     : "rax", "memory");
    pointer = (struct table_pointer){.limit = sizeof(interrupt_table) - 1,
                                     .base = (uint64_t)interrupt_table};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void cpu_tables_load(struct cpu *cpu, struct cpu_stacks *stacks)
{
    struct arch_cpu *arch = &cpu->arch;
    uint64_t task = (uint64_t)&arch->tss;
    uint64_t task_limit = sizeof(arch->tss) - 1;

    arch->self = cpu;
    arch->stacks = stacks;
    arch->stack_top = cpu_stack_range(stacks, 0).end;
    arch->tables = cr3_read();
    arch->timer_deadline = UINT64_MAX;
    arch->tss = (struct task_state){.io_map = sizeof(arch->tss)};
    arch->tss.stack[0] = arch->stack_top;
    arch->tss.exception_stack[IST_DOUBLE_FAULT - 1] = cpu_stack_range(stacks, 1).end;
    arch->tss.exception_stack[IST_NMI - 1] = cpu_stack_range(stacks, 2).end;
    arch->tss.exception_stack[IST_MACHINE_CHECK - 1] = cpu_stack_range(stacks, 3).end;

    arch->gdt[0] = 0;
    arch->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00209b0000000000u;
    arch->gdt[SELECTOR_KERNEL_DATA / 8] = 0x0000930000000000u;
    arch->gdt[SELECTOR_USER_DATA / 8] = 0x0000f30000000000u;
    arch->gdt[SELECTOR_USER_CODE / 8] = 0x0020fb0000000000u;
    arch->gdt[SELECTOR_TASK / 8] =
        task_limit | (task & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (task >> 24 & 0xff) << 56;
    arch->gdt[SELECTOR_TASK / 8 + 1] = task >> 32;

    segments_load(arch);
    msr_write(MSR_FS_BASE, 0);
    msr_write(MSR_GS_BASE, (uint64_t)cpu);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_SYSENTER_CS, 0);
}
