/* SPDX-License-Identifier: MIT */
/*
 * The whole contract between portable kernel code and an ISA. Three folders implement it:
 * x86_64, host (the kernel as a process), and whatever is ported next. The folder is chosen by the
 * include path: each supplies `arch_types.h` with the four structures named below and the
 * definitions of everything declared here.
 *
 * Shape of the kernel: one kernel stack for each CPU, interrupts off while kernel code runs, no
 * blocking. The architecture saves a user's registers in the context that cpu->context names,
 * switches to the CPU's kernel stack and calls one of the four portable entries at the end of this
 * file. An entry either returns, and the architecture resumes that same context, or ends in
 * cpu_run(), which never returns and resumes another. The kernel stack starts afresh at each entry.
 *
 * User addresses are 64-bit values of their own, never pointers. `paddr_t` is a physical address of
 * memory; arch_frame_pointer makes kernel-visible memory of it.
 */
#ifndef KERNEL_ARCH_ARCH_H
#define KERNEL_ARCH_ARCH_H

#include "abi/compiler.h"
#include "core/elf.h"
#include "core/status.h"

typedef uint64_t paddr_t; /* physical address */
typedef uint64_t vaddr_t; /* address in a user's half */

struct cpu;          /* portable: kernel/cpu.h */
struct boot_info;    /* core/boot_info.h */
struct arch_cpu;     /* per-CPU part: first member of struct cpu */
struct arch_context; /* one thread's user registers, FPU state included */
struct arch_vspace;  /* one address space's tables */

#include "arch_types.h" /* kernel/arch/<isa>/ */

/* ---- processors ------------------------------------------------------------------------------ */

/*
 * arch_inline.h beside arch_types.h declares seven functions, inline where that is worth it:
 *
 *   struct cpu *arch_cpu_this(void)             the CPU this code runs on, from kernel_main on
 *   void arch_spin_hint(void)                   body of a spin loop
 *   void arch_lock_point(void)                  before a lock is taken: nothing on hardware; where
 *                                               virtual CPUs are scheduled by hand, another's turn
 *   void *arch_frame_pointer(paddr_t frame)     the kernel's view of a frame (direct map)
 *   void arch_copy_words(void *to, const void *from, size_t words)
 *                                               copies 8-byte words, by the fewest instructions;
 *                                               if the places overlap, what is written is
 *                                               unspecified, but within `to`
 *   void arch_call_rarely(void (*function)(void *), void *argument)
 *                                               calls it; for what is hardly ever called from where
 *                                               much is done: the caller loses no register by it;
 *                                               arch_call_saving, where that takes code of its own
 *   uint64_t arch_clock_ns(void)                nanoseconds since boot; the same on every CPU,
 *                                               never backwards on one; arch_clock_scale, where
 *                                               that takes a figure of its own
 */
#include "arch_inline.h"

/*
 * Starts every other CPU the firmware reports (at most `limit` in all). Each is given the struct
 * cpu that cpu_create(index) returns and enters kernel_secondary_main on it. Returns the number of
 * CPUs that run, this one included, once all have arrived; a CPU that does not arrive is reported
 * in the log and left out.
 */
unsigned arch_cpus_start(unsigned limit);

/* Interrupts `cpu`: it enters kernel_interrupt(ARCH_INTERRUPT_IPI) soon. Never waits. */
void arch_ipi_send(struct cpu *cpu);

/* Stops every other CPU for good (NMI on x86-64); for panic. Waits a bounded time. */
void arch_cpus_halt_others(void);

/* Waits, with interrupts on, until one interrupt was handled; returns with interrupts off. No
 * context is current while it waits. A wake-up that came before is not lost: the caller has
 * interrupts off from its last look at its queues to this call. */
void arch_idle(void);

/* Lets interrupts that are pending be handled now; none is current (between steps of a job). */
void arch_interrupt_window(void);

/* ---- time and entropy ------------------------------------------------------------------------ */

/* The cycle counter of this CPU. */
uint64_t arch_cycles(void);

/* Cycle counter rate and its value at system time 0, for StartInfo. */
void arch_clock_describe(uint64_t *hertz, uint64_t *start);

/* One shot on this CPU: kernel_interrupt(ARCH_INTERRUPT_TIMER) at or soon after `deadline_ns`;
 * UINT64_MAX: never. Replaces the deadline set before. */
void arch_timer_set(uint64_t deadline_ns);

/* A random word from the hardware; false: there is none. */
bool arch_random_u64(uint64_t *value);

/* ---- contexts -------------------------------------------------------------------------------- */

struct arch_start {
    vaddr_t entry;
    vaddr_t stack_top;      /* 16-aligned; the entry sees it as its ABI wants it */
    vaddr_t argument;       /* first argument register: the StartInfo page */
    vaddr_t thread_pointer; /* FS base on x86-64; 0: none */
};

/* A fresh context: registers zero but those of `start`, FPU in its initial state. */
void arch_context_init(struct arch_context *context, const struct arch_start *start);

/* Leaves the kernel and runs `context` (which is loaded) on this CPU. */
NORETURN void arch_context_resume(struct arch_context *context);

/* Restarts this CPU's kernel stack and calls cpu_run(cpu). */
NORETURN void arch_cpu_restart(struct cpu *cpu);

/* ---- address spaces -------------------------------------------------------------------------- */

enum arch_page {
    ARCH_PAGE_WRITE = 1,
    ARCH_PAGE_EXECUTE = 2,
    ARCH_PAGE_SHARED = 4, /* the frame belongs to somebody else; teardown does not free it */
};

struct arch_mapping {
    paddr_t frame;
    unsigned flags; /* ARCH_PAGE_*; present and user are implied */
};

/* Frames that a map may use for tables: taken from the end. The caller reserves them first and
 * frees those left over. */
struct frame_reserve {
    paddr_t frame[8];
    unsigned count;
};

enum {
    ARCH_TABLES_PER_MAP = 3, /* frames that mapping one page may need at most */
};

/* Makes an empty user half in tables rooted at the zeroed frame `root`. */
void arch_vspace_init(struct arch_vspace *vspace, paddr_t root);

/* The root frame, to be freed by the owner after the last drain. */
paddr_t arch_vspace_root(const struct arch_vspace *vspace);

/* Where kernel-chosen regions of this address space begin (0 but on the host, where every address
 * space is a window of one host process and user addresses are host pointers). */
vaddr_t arch_vspace_base(const struct arch_vspace *vspace);

/*
 * Maps one page. STATUS_EXISTS: a page is there; STATUS_NO_MEMORY: `reserve` ran out; nothing
 * changed in either case. Write together with execute: STATUS_INVALID_ARGUMENT.
 */
enum status arch_vspace_map(struct arch_vspace *vspace, vaddr_t page, struct arch_mapping mapping,
                            struct frame_reserve *reserve) MUST_USE;

/* Removes one page and tells what was there; false: nothing. Flushes this CPU's translation when
 * the space is active here; other CPUs are the caller's business (kernel/mem/shootdown.h). */
bool arch_vspace_unmap(struct arch_vspace *vspace, vaddr_t page, struct arch_mapping *mapping);

/* Changes a page's flags; false: nothing is mapped. Flushes as unmap does. */
bool arch_vspace_protect(struct arch_vspace *vspace, vaddr_t page, unsigned flags);

/* What the page table says of the page that holds `address`; false: not present for users. */
bool arch_vspace_query(const struct arch_vspace *vspace, vaddr_t address,
                       struct arch_mapping *mapping);

/*
 * Teardown of a space that is active nowhere: takes up to `limit` frames out of it (pages not
 * SHARED and tables, not the root) and returns how many, perhaps none; *empty: that was the last.
 * Work is bounded by `limit` and a constant, so that a job can call it in steps.
 */
unsigned arch_vspace_drain(struct arch_vspace *vspace, paddr_t *frames, unsigned limit,
                           bool *empty);

/* What a walk of all tables finds, for checks. Cost grows with the space; nobody changes it
 * meanwhile. */
struct arch_vspace_census {
    uint64_t owned;     /* frames: pages not SHARED, tables, root */
    uint64_t shared;    /* pages that are SHARED */
    uint64_t forbidden; /* pages writable and executable, or outside the user half */
};
void arch_vspace_census_take(const struct arch_vspace *vspace, struct arch_vspace_census *census);

/* Drops every user translation of this CPU. */
void arch_tlb_flush(void);

/* ---- memory ---------------------------------------------------------------------------------- */

/* The frame of a pointer that arch_frame_pointer returned (or into its page). */
paddr_t arch_pointer_frame(const void *pointer);

/* Fault-safe copies between kernel memory and the active address space; the range was checked to
 * lie in the user half. false: a page was missing or not permitted; part may have been copied. The
 * only code that touches user memory by user addresses. */
bool arch_copy_from_user(void *to, vaddr_t from, size_t bytes) MUST_USE;
bool arch_copy_to_user(vaddr_t to, const void *from, size_t bytes) MUST_USE;

/* ---- programs -------------------------------------------------------------------------------- */

/* A program file: its first bytes, all headers among them, and the length of the whole. */
struct arch_program {
    const uint8_t *bytes;
    uint64_t have;
    uint64_t length;
};

/* What it asks to be mapped: core/elf on an ISA; on the host the entry of the C function registered
 * under the file's content. Errors of core/elf.h. */
enum elf_error arch_program_parse(const struct arch_program *program,
                                  const struct elf_limits *limits,
                                  struct elf_image *image) MUST_USE;

/* ---- console, end, reports ------------------------------------------------------------------- */

/* Writes bytes to the boot console as they are. The caller holds the log lock, or panics. */
void arch_console_write(const char *bytes, size_t count);

/* Ends the machine: under an emulator with the given verdict, else powers off or halts. */
NORETURN void arch_power_off(bool success);

/* Stops this CPU for good. */
NORETURN void arch_halt(void);

enum arch_fault_kind {
    ARCH_FAULT_PAGE,
    ARCH_FAULT_PRIVILEGE,   /* an instruction, segment or gate that is the kernel's alone */
    ARCH_FAULT_ADDRESS,     /* an address that no program can have (x86-64: not canonical) */
    ARCH_FAULT_DIVIDE,      /* integer division */
    ARCH_FAULT_INSTRUCTION, /* undefined instruction */
    ARCH_FAULT_ALIGNMENT,
    ARCH_FAULT_FLOAT, /* x87 or SSE exception */
    ARCH_FAULT_BREAKPOINT,
    ARCH_FAULT_OTHER,
};

struct arch_fault {
    enum arch_fault_kind kind;
    unsigned vector; /* the ISA's own number, for the report */
    uint64_t code;   /* the ISA's error code, for the report */
    bool present;    /* PAGE: the page was there, the access was not allowed */
    bool write;
    bool execute;
    uint64_t address; /* PAGE: the address touched */
    uint64_t pc;
    uint64_t stack;
};

/* Prints the registers of a context (or, NULL, of the last kernel fault) with `print`, a few to a
 * line. */
void arch_registers_print(const struct arch_context *context,
                          void (*print)(const char *format, ...));

/* What a fault of the kernel itself was, in words: "executed a user page (SMEP)", "read user memory
 * outside a window (SMAP)", "kernel stack overflow (guard page)", ... Never NULL. */
const char *arch_fault_cause(const struct arch_fault *fault);

/* Return addresses of the calling kernel stack, innermost first; bounded and fault-safe. */
unsigned arch_backtrace(uint64_t *addresses, unsigned limit);

/* For kernel/debug/scene.c: run code at, or load from, a user address with the kernel's privilege
 * and no window open; use up the kernel stack. On sound hardware none returns. */
void arch_debug_execute(vaddr_t address);
void arch_debug_read(vaddr_t address);
void arch_debug_overflow(void);

/* One line for the boot log: which protections (SMEP, SMAP, UMIP, NX, write-protect) are on;
 * asserts that those the CPU has are on. */
void arch_protection_report(void);

/* Called once by kernel_main after the frames are up: rebuilds the kernel's own address space with
 * permissions for each section, direct map without execute. */
void arch_memory_finish(void);

/* Physical range [start, end) that the kernel image occupies, and any the architecture took before
 * the frame bitmap existed; called with index 0.. until it returns false. */
bool arch_memory_reserved(unsigned index, paddr_t *start, paddr_t *end);

/* ---- portable entries, called by the architecture -------------------------------------------- */

enum arch_interrupt {
    ARCH_INTERRUPT_TIMER,
    ARCH_INTERRUPT_IPI,
};

/* The boot CPU, once stacks, tables and console stand. `info` lives for ever. */
NORETURN void kernel_main(const struct boot_info *info);

/* A boot that cannot go on (no module, too little memory, no NX): one line and a halt. */
NORETURN void kernel_boot_refused(const char *reason);

/* Another CPU, on its kernel stack with its descriptor tables and local timer ready. */
NORETURN void kernel_secondary_main(struct cpu *cpu);

/* The per-CPU structure for CPU `index` (0: the boot CPU, static); NULL: no memory. Its kernel
 * stack is arch's. */
struct cpu *cpu_create(unsigned index);

/* A system call of the current thread. Returns its result, or does not return (cpu_run). */
int64_t kernel_syscall(uint64_t argument0, uint64_t argument1, struct cpu *cpu, uint64_t number);

/* An interrupt, already acknowledged. From a user: may not return (cpu_run). From arch_idle or
 * arch_interrupt_window (cpu->context is NULL): returns. */
void kernel_interrupt(struct cpu *cpu, enum arch_interrupt kind);

/* The current thread's program did something that the processor refuses. May return: then it is
 * resumed where it was. */
void kernel_user_fault(struct cpu *cpu, const struct arch_fault *fault);

/* The kernel did. */
NORETURN void kernel_fault(const struct arch_fault *fault);

/* ---- a change of thread ---------------------------------------------------------------------- */

/*
 * arch_switch.h beside arch_types.h declares four functions, inline where that is worth it:
 *
 *   void arch_context_set_result(struct arch_context *context, int64_t result)
 *                                               the value that the pending system call of `context`
 *                                               returns
 *   void arch_context_save(struct arch_context *context)
 *                                               saves what the entry path leaves in the CPU (FPU,
 *                                               segment bases), before another is entered
 *   void arch_context_load(struct arch_context *context)
 *                                               loads that; cpu->context is set by the caller
 *   void arch_vspace_activate(struct arch_vspace *vspace)
 *                                               makes it this CPU's user half; NULL: the kernel's
 *                                               alone. Flushes all user translations
 */
#include "arch_switch.h"

#endif
