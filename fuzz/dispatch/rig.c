/* SPDX-License-Identifier: MIT */
/*
 * The kernel on strings.
 *
 * The host kernel (kernel/arch/host) runs programs on their own stacks, by turns with the kernel.
 * Here no program runs: the linker puts functions of this file in the place of arch_context_resume
 * and arch_idle, and where the kernel would enter a program it comes back to the fuzz target, which
 * makes the program's next move itself. A kernel stack that was left is never returned to, as on
 * hardware: each way into the kernel begins at its top.
 *
 * Going back. All the kernel knows lies in the static data of its objects, which the linker gathers
 * in one section (state.ld), and in the machine's memory, which is a private map of a file that
 * nobody writes after rig_keep. rig_reset copies the section back and drops the pages that were
 * written. So every input meets the same machine to the last bit, and costs no boot.
 *
 * Pages of programs are not shown at host addresses: nothing runs there, and the kernel's copies go
 * through page tables. Signals stay the fuzzer's.
 */
#include "fuzz/dispatch/rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/arch/host/machine.h"
#include "kernel/arch/host/sanitizer.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/work_check.h"

enum {
    MEMORY_BYTES = 12 * 1024 * 1024,
    CONSOLE_BYTES = 16 * 1024,
};

/* state.ld */
extern uint64_t kernel_state_start[];
extern uint64_t kernel_state_end[];

static struct {
    uint64_t *state; /* of the kernel's data, as rig_keep found it */
    uint8_t windows[4096];
    enum rig_turn turn;
    uint64_t number;
    uint64_t argument[2];
    uint32_t starve_after;
    uint32_t starve_count;
    size_t console_bytes;
    char console[CONSOLE_BYTES];
} rig;

void __asan_unpoison_memory_region(const volatile void *start, size_t bytes) __attribute__((weak));
void __wrap_arch_context_resume(struct arch_context *context);
void __wrap_arch_idle(void);
void __wrap_arch_console_write(const char *bytes, size_t count);
bool __wrap_host_page_show(vaddr_t page, paddr_t frame, bool write);
void __wrap_host_page_hide(vaddr_t page);
void __wrap_host_signals_init(void);
enum status __real_frame_alloc(paddr_t *frame);
enum status __wrap_frame_alloc(paddr_t *frame);
void *__real_kmem_alloc(struct kmem_cache *cache);
void *__wrap_kmem_alloc(struct kmem_cache *cache);

/* ---- in and out ------------------------------------------------------------------------------ */

static NORETURN void leave(enum rig_turn turn)
{
    void *gone;

    rig.turn = turn;
    sanitizer_leave_main();
    host_switch(&gone, machine.main_stack_pointer);
    host_fatal("a kernel stack that was left went on");
}

static void enter(void (*way)(struct cpu *cpu))
{
    struct cpu *cpu = machine.current;

    if (__asan_unpoison_memory_region !=
        NULL) { /* what lay on the stack when it was left is gone */
        __asan_unpoison_memory_region(cpu->arch.stack_low,
                                      (size_t)(cpu->arch.stack_top - cpu->arch.stack_low));
    }
    cpu->arch.state = HOST_CPU_OFF;
    host_cpu_start(cpu, way);
    sanitizer_switch_begin(&machine.main_sanitizer_stack, cpu->arch.stack_low, cpu->arch.stack_top);
    host_switch(&machine.main_stack_pointer, cpu->arch.stack_pointer);
    sanitizer_switch_end(machine.main_sanitizer_stack);
}

void __wrap_arch_context_resume(struct arch_context *context)
{
    ASSERT(machine.current->context == context);
    leave(RIG_PROGRAM);
}

/* Sleeping takes no time: the next timer's is now. */
void __wrap_arch_idle(void)
{
    struct cpu *cpu = machine.current;
    enum arch_interrupt kind;

    if (!cpu->arch.ipi_pending && cpu->arch.deadline_ns == UINT64_MAX) {
        leave(RIG_ASLEEP);
    }
    if (!cpu->arch.ipi_pending && cpu->arch.deadline_ns > machine.now_ns) {
        machine.now_ns = cpu->arch.deadline_ns;
    }
    if (host_interrupt_take(cpu, &kind)) {
        kernel_interrupt(cpu, kind);
    }
}

static void ended(enum host_end end)
{
    (void)end;
    rig.turn = RIG_ENDED;
}

/* ---- stand-ins ------------------------------------------------------------------------------- */

void __wrap_arch_console_write(const char *bytes, size_t count)
{
    size_t room = CONSOLE_BYTES - 1 - rig.console_bytes;

    if (count > room) { /* the end is what matters */
        memmove(rig.console, rig.console + CONSOLE_BYTES / 2, CONSOLE_BYTES / 2);
        rig.console_bytes =
            rig.console_bytes < CONSOLE_BYTES / 2 ? 0 : rig.console_bytes - CONSOLE_BYTES / 2;
        room = CONSOLE_BYTES - 1 - rig.console_bytes;
    }
    count = count < room ? count : room;
    memcpy(rig.console + rig.console_bytes, bytes, count);
    rig.console_bytes += count;
    rig.console[rig.console_bytes] = '\0';
}

bool __wrap_host_page_show(vaddr_t page, paddr_t frame, bool write)
{
    (void)page;
    (void)write;
    ASSERT(frame < machine.options.memory_bytes);
    return true;
}

void __wrap_host_page_hide(vaddr_t page)
{
    (void)page;
}

void __wrap_host_signals_init(void)
{
}

static bool is_starved(void)
{
    if (rig.starve_count == 0) {
        return false;
    }
    if (rig.starve_after > 0) {
        rig.starve_after--;
        return false;
    }
    rig.starve_count--;
    return true;
}

enum status __wrap_frame_alloc(paddr_t *frame)
{
    return is_starved() ? STATUS_NO_MEMORY : __real_frame_alloc(frame);
}

void *__wrap_kmem_alloc(struct kmem_cache *cache)
{
    return is_starved() ? NULL : __real_kmem_alloc(cache);
}

/* ---- keeping and going back ------------------------------------------------------------------ */

static size_t state_words(void)
{
    return (size_t)(kernel_state_end - kernel_state_start);
}

/* Word by word, since what lies between two objects is forbidden ground for every other copy. */
__attribute__((no_sanitize("address", "undefined", "coverage"))) static void
words_copy(uint64_t *to, const uint64_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        ((volatile uint64_t *)to)[i] = ((const volatile uint64_t *)from)[i];
    }
}

void rig_boot(const uint8_t *manifest, size_t bytes)
{
    static const struct host_watch watch = {.ended = ended};
    static const struct host_program program = {"actor",
                                                (void (*)(const struct start_info *))abort};
    const struct host_options options = {.cpus = 1,
                                         .seed = 1,
                                         .memory_bytes = MEMORY_BYTES,
                                         .module = manifest,
                                         .module_bytes = bytes,
                                         .command_line = "log=0",
                                         .programs = &program,
                                         .program_count = 1,
                                         .steps_max = UINT64_MAX,
                                         .switch_percent = 1,
                                         .watch = &watch};

    (void)host_boot(&options, -1);
}

void rig_keep(void)
{
    rig.state = malloc(state_words() * sizeof(uint64_t));
    if (rig.state == NULL ||
        mmap(machine.memory, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
             machine.memory_file, 0) != (void *)machine.memory) {
        host_fatal("the machine cannot be kept");
    }
    words_copy(rig.state, kernel_state_start, state_words());
    memcpy(rig.windows, machine.windows_used, sizeof(rig.windows));
}

void rig_reset(void)
{
    words_copy(kernel_state_start, rig.state, state_words());
    if (madvise(machine.memory, MEMORY_BYTES, MADV_DONTNEED) != 0) {
        host_fatal("the machine's memory cannot be put back");
    }
    memcpy(machine.windows_used, rig.windows, sizeof(rig.windows));
    rig.turn = RIG_PROGRAM;
    rig.starve_count = 0;
    rig.console_bytes = 0;
    rig.console[0] = '\0';
}

/* ---- moves ----------------------------------------------------------------------------------- */

enum rig_turn rig_turn(void)
{
    return rig.turn;
}

struct thread *rig_thread(void)
{
    ASSERT(rig.turn == RIG_PROGRAM && machine.current->current != NULL);
    return machine.current->current;
}

static void way_syscall(struct cpu *cpu)
{
    int64_t result = kernel_syscall(rig.argument[0], rig.argument[1], cpu, rig.number);

    arch_context_set_result(cpu->context, result);
    leave(RIG_PROGRAM);
}

void rig_syscall(uint64_t number, uint64_t argument0, uint64_t argument1)
{
    rig.number = number;
    rig.argument[0] = argument0;
    rig.argument[1] = argument1;
    enter(way_syscall);
}

static void way_fault(struct cpu *cpu)
{
    const struct arch_fault fault = {.kind = ARCH_FAULT_PAGE, .address = rig.argument[0]};

    kernel_user_fault(cpu, &fault);
    leave(RIG_PROGRAM);
}

void rig_fault(uint64_t address)
{
    rig.argument[0] = address;
    enter(way_fault);
}

static void way_interrupt(struct cpu *cpu)
{
    enum arch_interrupt kind;

    while (host_interrupt_take(cpu, &kind)) {
        kernel_interrupt(cpu, kind);
    }
    leave(RIG_PROGRAM);
}

void rig_wait(uint64_t at_most_ns)
{
    struct arch_cpu *cpu = &machine.current->arch;

    if (cpu->deadline_ns <= machine.now_ns || cpu->deadline_ns - machine.now_ns <= at_most_ns) {
        machine.now_ns = cpu->deadline_ns > machine.now_ns ? cpu->deadline_ns : machine.now_ns;
        enter(way_interrupt);
    } else {
        machine.now_ns += at_most_ns;
    }
}

static void way_end_init(struct cpu *cpu)
{
    struct process *init;

    work_begin();
    init = process_find(1);
    if (init != NULL) {
        process_kill(init, &(struct process_exit){.kind = EXIT_KIND_EXITED});
        object_unref(&init->object);
    }
    if (cpu->current != NULL) {
        sched_requeue(cpu, cpu->current);
    }
    cpu_run(cpu);
}

void rig_end_init(void)
{
    enter(way_end_init);
}

void rig_starve(uint32_t after, uint32_t count)
{
    rig.starve_after = after;
    rig.starve_count = count;
}

uint8_t *rig_user_byte(struct thread *thread, uint64_t address)
{
    struct arch_mapping mapping;

    if (address >= LIMIT_USER_MAX ||
        !arch_vspace_query(&thread->process->vspace.arch, address, &mapping) ||
        (mapping.flags & ARCH_PAGE_WRITE) == 0) {
        return NULL;
    }
    return (uint8_t *)arch_frame_pointer(mapping.frame) + address % LIMIT_PAGE_BYTES;
}

const char *rig_console(void)
{
    return rig.console;
}
