/* SPDX-License-Identifier: MIT */
/*
 * The faults that the hunt makes: allocations that fail, interrupts between CPUs that come late.
 * The linker puts these functions in the place of the kernel's, as those of observe.c.
 */
#include "kernel/arch/host/machine.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "sim/hunt/hunt.h"
#include "sim/hunt/look.h"

enum {
    LATE_STEPS_MAX = 200,
};

static uint64_t random_state;
static uint32_t memory_after; /* allocations that succeed before some fail; with memory_fail */
static uint32_t memory_fail;
static uint64_t late_step[LIMIT_CPUS]; /* a delayed interrupt comes at this step; 0: none */

enum status __real_frame_alloc(paddr_t *frame);
enum status __wrap_frame_alloc(paddr_t *frame);
void *__real_kmem_alloc(struct kmem_cache *cache);
void *__wrap_kmem_alloc(struct kmem_cache *cache);
void __real_arch_ipi_send(struct cpu *cpu);
void __wrap_arch_ipi_send(struct cpu *cpu);

uint64_t hunt_random(void)
{
    uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void hunt_faults_reset(uint64_t seed)
{
    random_state = seed;
}

void hunt_fault(enum hunt_fault fault)
{
    hunt_report->faults++;
    hunt_report->fault_count[fault]++;
}

void hunt_arm_memory(uint32_t after, uint32_t count)
{
    memory_after = after;
    memory_fail = count;
    hunt_note(HUNT_EVENT_FAULT, HUNT_FAULT_MEMORY, after, count, 0);
}

/* Whether this allocation fails. */
static bool memory_fails(void)
{
    if (memory_fail == 0) {
        return false;
    }
    if (memory_after > 0) {
        memory_after--;
        return false;
    }
    memory_fail--;
    hunt_fault(HUNT_FAULT_MEMORY);
    return true;
}

enum status __wrap_frame_alloc(paddr_t *frame)
{
    enum status status;

    inside_begin();
    status = memory_fails() ? STATUS_NO_MEMORY : __real_frame_alloc(frame);
    inside_end();
    return status;
}

void *__wrap_kmem_alloc(struct kmem_cache *cache)
{
    return memory_fails() ? NULL : __real_kmem_alloc(cache);
}

void __wrap_arch_ipi_send(struct cpu *cpu)
{
    uint64_t *late = &late_step[cpu->index];

    if (*late == 0 && hunt_random() % 4 == 0) {
        *late = machine.steps + 1 + hunt_random() % LATE_STEPS_MAX;
        hunt_fault(HUNT_FAULT_IPI);
        return;
    }
    if (*late == 0) {
        __real_arch_ipi_send(cpu);
    }
}

bool late_interrupts(bool all)
{
    bool any = false;

    for (unsigned i = 0; i < machine.count; i++) {
        if (late_step[i] != 0 && (all || late_step[i] <= machine.steps)) {
            late_step[i] = 0;
            __real_arch_ipi_send(cpus[i]);
            any = true;
        }
    }
    return any;
}
