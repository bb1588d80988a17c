/* SPDX-License-Identifier: MIT */
/*
 * A small machine under kernel/mem: 16 MiB of memory in which address 0 is machine_memory[0], four
 * CPUs that run when the test says so, and address spaces with a translation buffer for each CPU,
 * so that a stale translation is something a test can see and use. It stands in for an
 * architecture, and for what kernel/mem needs of the portable kernel, and defines all of that:
 * exactly one file of a test program includes it.
 *
 * Time passes, and other CPUs can act, where machine_hook is called.
 */
#ifndef TESTS_HOST_MEM_MACHINE_H
#define TESTS_HOST_MEM_MACHINE_H

#include "tests/host/support.h"

#include "abi/atomic.h"
#include "core/assert.h"
#include "core/boot_info.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/memory_debug.h"
#include "kernel/mem/shootdown.h"
#include "kernel/mem/vspace.h"

enum {
    MACHINE_FRAMES = 4096,
    MACHINE_CPUS = 4,
    MACHINE_SPACES = 4,
    MACHINE_PAGES = 1024, /* of one space */
    MACHINE_TABLES = 1024,
    MACHINE_BUFFER = 128, /* translations that one CPU keeps */
    MACHINE_MODULE = 0x200000,
    MACHINE_MODULE_BYTES = 0x5123,
    MACHINE_KERNEL = 0x100000,
    MACHINE_KERNEL_END = 0x180000,
    MACHINE_LOG_BYTES = 4096,
};

#define MACHINE_BYTES ((uint64_t)MACHINE_FRAMES * FRAME_BYTES)

/* One page of a space. `word` is what a walk reads at once: present, flags, frame, version. */
struct machine_entry {
    vaddr_t page;
    uint64_t word; /* 0: the entry is unused */
};

struct machine_translation {
    const struct machine_space *space;
    vaddr_t page;
    paddr_t frame;
    unsigned flags;
    uint64_t version; /* of the entry when it was read: each change counts one up */
};

struct machine_table {
    vaddr_t first; /* the addresses it covers begin here */
    unsigned level;
    paddr_t frame;
};

struct machine_space {
    const struct arch_vspace *key; /* NULL: unused */
    paddr_t root;
    uint64_t version;
    unsigned entry_count; /* used ones are below it */
    struct machine_entry entry[MACHINE_PAGES];
    unsigned table_count;
    struct machine_table table[MACHINE_TABLES];
};

struct machine_cpu {
    struct cpu cpu;
    struct machine_space *space; /* loaded */
    unsigned buffer_count;
    struct machine_translation buffer[MACHINE_BUFFER];
    bool interrupt; /* an IPI is pending */
    unsigned flushes;
};

static ALIGNED(4096) uint8_t machine_memory[MACHINE_FRAMES * FRAME_BYTES];
static struct machine_space machine_space[MACHINE_SPACES];
static struct machine_cpu machine_cpu[MACHINE_CPUS];
static unsigned machine_this; /* the CPU that runs */
static uint64_t machine_now_ns;
static char machine_log[MACHINE_LOG_BYTES];
static struct boot_info machine_boot;
static jmp_buf machine_refusal;
static const char *machine_refusal_reason;
/* What happens at a place where other CPUs may act; NULL: nothing. `place` is for traces. */
static void (*machine_hook)(const char *place);

/* How the CPU that runs reads and writes a space's entries and tables. */
static uint64_t machine_load_directly(const uint64_t *word)
{
    return *word;
}

static void machine_store_directly(uint64_t *word, uint64_t value)
{
    *word = value;
}

static void machine_serialize_nothing(void)
{
}

/* What this CPU stored is in memory from here on: what flushing a translation does on x86-64. */
static void (*machine_serialize)(void) = machine_serialize_nothing;
static uint64_t (*machine_load)(const uint64_t *word) = machine_load_directly;
static void (*machine_store)(uint64_t *word, uint64_t value) = machine_store_directly;

struct cpu *cpus[LIMIT_CPUS];
unsigned cpu_count;

static void machine_place(const char *place)
{
    if (machine_hook != NULL) {
        machine_hook(place);
    }
}

/* ---- what the portable kernel supplies ------------------------------------------------------- */

struct cpu *arch_cpu_this(void)
{
    return &machine_cpu[machine_this].cpu;
}

void arch_ipi_send(struct cpu *cpu)
{
    machine_cpu[cpu->index].interrupt = true;
}

void cpu_notify(struct cpu *cpu, uint64_t reasons)
{
    atomic_or_u64(&cpu->ipi_reasons, reasons);
    arch_ipi_send(cpu);
}

void log_line(enum kernel_log_level level, const char *format, ...)
{
    size_t used = strlen(machine_log);
    va_list arguments;

    (void)level;
    va_start(arguments, format);
    vsnprintf(machine_log + used, sizeof machine_log - used, format, arguments);
    va_end(arguments);
    used = strlen(machine_log);
    snprintf(machine_log + used, sizeof machine_log - used, "\n");
}

NORETURN void kernel_boot_refused(const char *reason)
{
    machine_refusal_reason = reason;
    longjmp(machine_refusal, 1);
}

void arch_lock_point(void)
{
}

uint64_t arch_clock_ns(void)
{
    machine_now_ns += 1000;
    return machine_now_ns;
}

void arch_spin_hint(void)
{
    machine_now_ns += 1000;
    machine_place("spin");
}

/* ---- memory ---------------------------------------------------------------------------------- */

void *arch_frame_pointer(paddr_t frame)
{
    assert_true(frame < MACHINE_BYTES);
    return machine_memory + frame;
}

paddr_t arch_pointer_frame(const void *pointer)
{
    uint64_t offset = (uint64_t)((const uint8_t *)pointer - machine_memory);

    assert_true(offset < MACHINE_BYTES);
    return offset - offset % FRAME_BYTES;
}

bool arch_memory_reserved(unsigned index, paddr_t *start, paddr_t *end)
{
    switch (index) {
    case 0:
        *start = MACHINE_KERNEL;
        *end = MACHINE_KERNEL_END;
        return true;
    case 1: /* not whole frames, on purpose */
        *start = 0x8010;
        *end = 0x9001;
        return true;
    default:
        return false;
    }
}

/* ---- address spaces -------------------------------------------------------------------------- */

static struct machine_space *space_of(const struct arch_vspace *vspace)
{
    for (unsigned i = 0; i < MACHINE_SPACES; i++) {
        if (machine_space[i].key == vspace) {
            return &machine_space[i];
        }
    }
    fail_msg("no such space");
    return NULL;
}

static uint64_t word_make(struct arch_mapping mapping, uint64_t version)
{
    return 1 | (uint64_t)mapping.flags << 1 | mapping.frame | version << 40;
}

static struct arch_mapping word_mapping(uint64_t word)
{
    return (struct arch_mapping){
        .frame = word & UINT64_C(0xfffffff000),
        .flags = (unsigned)(word >> 1 & 7),
    };
}

/* The used entry of `page`, or NULL; with page 0, the first unused one. */
static struct machine_entry *space_find(struct machine_space *space, vaddr_t page)
{
    for (unsigned i = 0; i < space->entry_count; i++) {
        bool used = machine_load(&space->entry[i].word) != 0;

        if (page != 0 ? used && space->entry[i].page == page : !used) {
            return &space->entry[i];
        }
    }
    return NULL;
}

/* The mapping of page `index` of the used ones; false: there are not so many. */
UNUSED static bool space_get(const struct machine_space *space, unsigned index,
                             struct machine_translation *page)
{
    for (unsigned i = 0; i < space->entry_count; i++) {
        uint64_t word = machine_load(&space->entry[i].word);
        struct arch_mapping mapping = word_mapping(word);

        if (word != 0 && index-- == 0) {
            *page = (struct machine_translation){
                .page = space->entry[i].page, .frame = mapping.frame, .flags = mapping.flags};
            return true;
        }
    }
    return false;
}

UNUSED static unsigned space_page_count(const struct machine_space *space)
{
    struct machine_translation page;
    unsigned count = 0;

    while (space_get(space, count, &page)) {
        count++;
    }
    return count;
}

static void buffer_drop(struct machine_cpu *cpu, vaddr_t page)
{
    for (unsigned i = 0; i < cpu->buffer_count; i++) {
        if (cpu->buffer[i].page == page) {
            cpu->buffer[i--] = cpu->buffer[--cpu->buffer_count];
        }
    }
}

void arch_vspace_init(struct arch_vspace *vspace, paddr_t root)
{
    struct machine_space *space = space_of(NULL);

    *space = (struct machine_space){.key = vspace, .root = root};
    machine_memory[root] = 0xee; /* a root is not zero for long */
}

paddr_t arch_vspace_root(const struct arch_vspace *vspace)
{
    struct machine_space *space = space_of(vspace);
    paddr_t root = space->root;

    assert_int_equal(space_page_count(space) + space->table_count, 0);
    space->key = NULL; /* asked for once, by the last step of a teardown */
    return root;
}

static bool space_has_table(const struct machine_space *space, vaddr_t first, unsigned level)
{
    for (unsigned i = 0; i < space->table_count; i++) {
        if (space->table[i].first == first && space->table[i].level == level) {
            return true;
        }
    }
    return false;
}

/* Tables as on x86-64: 512 entries each, three levels below the root. */
static vaddr_t table_first(vaddr_t page, unsigned level)
{
    return page >> (12 + 9 * level) << (12 + 9 * level);
}

static void space_add_table(struct machine_space *space, vaddr_t first, unsigned level,
                            paddr_t frame)
{
    for (unsigned i = 0; i < FRAME_BYTES; i++) {
        assert_int_equal(machine_memory[frame + i], 0);
    }
    machine_memory[frame + 8 * level] = 0xee;
    assert_true(space->table_count < MACHINE_TABLES);
    space->table[space->table_count++] =
        (struct machine_table){.first = first, .level = level, .frame = frame};
}

enum status arch_vspace_map(struct arch_vspace *vspace, vaddr_t page, struct arch_mapping mapping,
                            struct frame_reserve *reserve)
{
    struct machine_space *space = space_of(vspace);
    struct machine_entry *entry;
    unsigned needed = 0;

    machine_place("map");
    if ((mapping.flags & ARCH_PAGE_WRITE) != 0 && (mapping.flags & ARCH_PAGE_EXECUTE) != 0) {
        return STATUS_INVALID_ARGUMENT;
    }
    if (space_find(space, page) != NULL) {
        return STATUS_EXISTS;
    }
    for (unsigned level = 1; level <= ARCH_TABLES_PER_MAP; level++) {
        needed += space_has_table(space, table_first(page, level), level) ? 0 : 1;
    }
    if (reserve->count < needed) {
        return STATUS_NO_MEMORY;
    }
    for (unsigned level = 1; level <= ARCH_TABLES_PER_MAP; level++) {
        if (!space_has_table(space, table_first(page, level), level)) {
            space_add_table(space, table_first(page, level), level,
                            reserve->frame[--reserve->count]);
        }
    }
    entry = space_find(space, 0);
    if (entry == NULL) {
        assert_true(space->entry_count < MACHINE_PAGES);
        entry = &space->entry[space->entry_count++];
    }
    entry->page = page;
    machine_store(&entry->word, word_make(mapping, ++space->version));
    return STATUS_OK;
}

/* Stores an entry's new word and drops this CPU's translation of the page. */
static void entry_change(struct machine_space *space, struct machine_entry *entry, uint64_t word)
{
    machine_store(&entry->word, word);
    if (machine_cpu[machine_this].space == space) {
        machine_serialize();
        buffer_drop(&machine_cpu[machine_this], entry->page);
    }
}

bool arch_vspace_unmap(struct arch_vspace *vspace, vaddr_t page, struct arch_mapping *mapping)
{
    struct machine_space *space = space_of(vspace);
    struct machine_entry *entry;

    machine_place("unmap");
    entry = space_find(space, page);
    if (entry == NULL) {
        return false;
    }
    *mapping = word_mapping(machine_load(&entry->word));
    space->version++;
    entry_change(space, entry, 0);
    return true;
}

bool arch_vspace_protect(struct arch_vspace *vspace, vaddr_t page, unsigned flags)
{
    struct machine_space *space = space_of(vspace);
    struct machine_entry *entry;
    struct arch_mapping mapping;

    machine_place("protect");
    entry = space_find(space, page);
    if (entry == NULL) {
        return false;
    }
    mapping = word_mapping(machine_load(&entry->word));
    mapping.flags = flags;
    entry_change(space, entry, word_make(mapping, ++space->version));
    return true;
}

bool arch_vspace_query(const struct arch_vspace *vspace, vaddr_t address,
                       struct arch_mapping *mapping)
{
    struct machine_entry *entry = space_find(space_of(vspace), address - address % FRAME_BYTES);

    if (entry == NULL) {
        return false;
    }
    *mapping = word_mapping(machine_load(&entry->word));
    return true;
}

unsigned arch_vspace_drain(struct arch_vspace *vspace, paddr_t *frames, unsigned limit, bool *empty)
{
    struct machine_space *space = space_of(vspace);
    unsigned count = 0;

    while (count < limit && space->entry_count > 0) {
        uint64_t word = machine_load(&space->entry[--space->entry_count].word);
        struct arch_mapping mapping = word_mapping(word);

        if (word != 0 && (mapping.flags & ARCH_PAGE_SHARED) == 0) {
            frames[count++] = mapping.frame;
        }
    }
    while (count < limit && space->table_count > 0) {
        frames[count++] = space->table[--space->table_count].frame;
    }
    *empty = space->entry_count + space->table_count == 0;
    return count;
}

void arch_vspace_census_take(const struct arch_vspace *vspace, struct arch_vspace_census *census)
{
    const struct machine_space *space = space_of(vspace);
    struct machine_translation page;

    *census = (struct arch_vspace_census){.owned = 1 + space->table_count};
    for (unsigned i = 0; space_get(space, i, &page); i++) {
        bool both = (page.flags & ARCH_PAGE_WRITE) != 0 && (page.flags & ARCH_PAGE_EXECUTE) != 0;

        if ((page.flags & ARCH_PAGE_SHARED) != 0) {
            census->shared++;
        } else {
            census->owned++;
        }
        if (both || page.page < LIMIT_USER_MIN || page.page >= LIMIT_USER_MAX) {
            census->forbidden++;
        }
    }
}

void arch_tlb_flush(void)
{
    machine_place("flush");
    machine_serialize();
    machine_cpu[machine_this].buffer_count = 0;
    machine_cpu[machine_this].flushes++;
}

void arch_vspace_activate(struct arch_vspace *vspace)
{
    machine_place("load root");
    machine_serialize();
    machine_cpu[machine_this].space = vspace != NULL ? space_of(vspace) : NULL;
    machine_cpu[machine_this].buffer_count = 0;
    machine_place("root loaded");
}

/*
 * What the processor of CPU `index` does with an access by a program (or by a copy): the buffered
 * translation, else a walk that buffers what it finds. NULL: a page fault.
 */
static const struct machine_translation *machine_translate(unsigned index, vaddr_t address,
                                                           bool write)
{
    struct machine_cpu *cpu = &machine_cpu[index];
    vaddr_t page = address - address % FRAME_BYTES;
    struct machine_translation *found = NULL;
    struct machine_entry *entry;

    for (unsigned i = 0; i < cpu->buffer_count; i++) {
        found = cpu->buffer[i].page == page ? &cpu->buffer[i] : found;
    }
    if (found == NULL && cpu->space != NULL) {
        entry = space_find(cpu->space, page);
        if (entry != NULL) {
            uint64_t word = machine_load(&entry->word);
            struct arch_mapping mapping = word_mapping(word);

            assert_true(cpu->buffer_count < MACHINE_BUFFER);
            found = &cpu->buffer[cpu->buffer_count++];
            *found = (struct machine_translation){.space = cpu->space,
                                                  .page = page,
                                                  .frame = mapping.frame,
                                                  .flags = mapping.flags,
                                                  .version = word >> 40};
        }
    }
    if (found == NULL || (write && (found->flags & ARCH_PAGE_WRITE) == 0)) {
        return NULL;
    }
    return found;
}

bool arch_copy_from_user(void *to, vaddr_t from, size_t bytes)
{
    const struct machine_translation *page = machine_translate(machine_this, from, false);

    assert_true(from % FRAME_BYTES + bytes <= FRAME_BYTES); /* the portable code cuts at pages */
    if (page == NULL) {
        return false;
    }
    memcpy(to, machine_memory + page->frame + from % FRAME_BYTES, bytes);
    return true;
}

bool arch_copy_to_user(vaddr_t to, const void *from, size_t bytes)
{
    const struct machine_translation *page = machine_translate(machine_this, to, true);

    assert_true(to % FRAME_BYTES + bytes <= FRAME_BYTES);
    if (page == NULL) {
        return false;
    }
    memcpy(machine_memory + page->frame + to % FRAME_BYTES, from, bytes);
    return true;
}

/* ---- what tests do with it ------------------------------------------------------------------- */

static void machine_cpus_reset(void)
{
    memset(machine_cpu, 0, sizeof machine_cpu);
    memset(machine_space, 0, sizeof machine_space);
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        machine_cpu[i].cpu.index = i;
        machine_cpu[i].cpu.online = true;
        cpus[i] = &machine_cpu[i].cpu;
    }
    cpu_count = MACHINE_CPUS;
    machine_this = 0;
    machine_hook = NULL;
    machine_load = machine_load_directly;
    machine_store = machine_store_directly;
    machine_serialize = machine_serialize_nothing;
    machine_log[0] = '\0';
}

static void machine_boot_default(const char *command_line)
{
    const struct boot_range range[] = {
        {0, 0x9f800, BOOT_RANGE_USABLE},
        {0x9f800, 0x60800, BOOT_RANGE_RESERVED},
        {0x100000, MACHINE_BYTES - 0x110000, BOOT_RANGE_USABLE},
        {MACHINE_BYTES - 0x10000, 0x10000, BOOT_RANGE_ACPI_RECLAIM},
    };

    boot_info_init(&machine_boot, BOOT_SOURCE_HOST);
    for (unsigned i = 0; i < ARRAY_COUNT(range); i++) {
        assert_int_equal(boot_info_add_range(&machine_boot, &range[i]), BOOT_OK);
    }
    assert_int_equal(boot_info_add_module(&machine_boot, MACHINE_MODULE, MACHINE_MODULE_BYTES),
                     BOOT_OK);
    assert_int_equal(boot_info_validate(&machine_boot, 1 << 20), BOOT_OK);
    snprintf(machine_boot.command_line, sizeof machine_boot.command_line, "%s", command_line);
}

/* A machine after frames_init and shootdown_init, every frame full of rubbish. */
UNUSED static void machine_start(const char *command_line)
{
    machine_cpus_reset();
    memset(machine_memory, 0x5a, sizeof machine_memory);
    machine_boot_default(command_line);
    frames_init(&machine_boot);
    shootdown_init();
    user_copy_race_arm(command_line);
}

/* Runs the interrupt that is pending on CPU `index`, if any, as the kernel's handler does. */
static bool machine_interrupt_take(unsigned index)
{
    struct machine_cpu *cpu = &machine_cpu[index];
    unsigned was = machine_this;
    uint64_t reasons;

    if (!cpu->interrupt) {
        return false;
    }
    machine_this = index;
    cpu->interrupt = false;
    reasons = atomic_exchange_u64(&cpu->cpu.ipi_reasons, 0);
    if ((reasons & IPI_SHOOTDOWN) != 0) {
        shootdown_acknowledge(&cpu->cpu);
    }
    machine_this = was;
    return true;
}

/* Until no CPU has an interrupt pending. */
UNUSED static void machine_settle(void)
{
    bool any;

    do {
        any = false;
        for (unsigned i = 0; i < MACHINE_CPUS; i++) {
            any = machine_interrupt_take(i) || any;
        }
    } while (any);
}

/* No translation buffer names a frame that could be handed out. */
static void machine_check_buffers(void)
{
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        for (unsigned t = 0; t < machine_cpu[i].buffer_count; t++) {
            assert_false(frame_is_available(machine_cpu[i].buffer[t].frame));
        }
    }
}

UNUSED static void machine_check(void)
{
    assert_int_equal(frames_check(), 0);
    assert_int_equal(shootdown_check(), 0);
    machine_check_buffers();
}

/* Takes every frame there is but `left`; machine_memory_return gives them back. */
static paddr_t machine_taken[MACHINE_FRAMES];
static unsigned machine_taken_count;

UNUSED static void machine_memory_leave(unsigned left)
{
    while (frame_alloc(&machine_taken[machine_taken_count]) == STATUS_OK) {
        machine_taken_count++;
    }
    assert_true(machine_taken_count >= left);
    while (left-- > 0) {
        frame_free(machine_taken[--machine_taken_count]);
    }
}

UNUSED static void machine_memory_return(void)
{
    while (machine_taken_count > 0) {
        frame_free(machine_taken[--machine_taken_count]);
    }
}

/* Frames nobody owns: what must be the same before and after. */
UNUSED static uint64_t machine_free_frames(void)
{
    struct frames_census census;

    frames_census_take(&census);
    assert_int_equal(census.total, census.reserved + census.free + census.cached +
                                       census.quarantine + census.owned);
    return census.free + census.cached + census.quarantine;
}

#endif
