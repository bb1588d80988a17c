/* SPDX-License-Identifier: MIT */
/*
 * kernel/mem/vspace.c and shootdown.c under thousands of seeded schedules. Each CPU of the small
 * machine is a coroutine; every atomic operation, every lock and every step of the architecture is
 * a place where another may go on. Stores wait in a buffer for each CPU, first in, first out, and
 * reach memory at any later moment, or at an exchange or a fence of that CPU: the order that x86-64
 * promises (AMD64 manual volume 2, 7.2), so that a barrier left out is found. Processors also walk
 * the tables on their own, at any moment and for any page of the space that is loaded.
 *
 * What must hold at every step:
 * 1. An access that a processor permits goes to the frame that was mapped at that page and has not
 *    been given back since.
 * 2. When an unmap or protect completes, no CPU holds a translation older than its change.
 * 3. Every unmap completes once all CPUs have taken their interrupts, and every frame comes back.
 */
#define ABI_ATOMIC_H /* this file's operations take the place of abi/atomic.h */

#include <ucontext.h>

#include "tests/host/support.h"

enum {
    CPUS = 3,
    STORES = 64,         /* that one CPU's buffer holds */
    STACK_BYTES = 65536, /* of a coroutine */
    OPERATIONS = 24,     /* of each CPU in one schedule */
    SPACES = 2,
    PAGES = 2, /* few, so that CPUs meet */
    FRAMES_MAX = 4096,
};

struct store {
    void *word;
    uint64_t value;
    bool narrow; /* 32 bits */
};

struct runner {
    ucontext_t context;
    uint8_t *stack;
    struct store store[STORES];
    unsigned store_count;
    unsigned stalled; /* this often it is passed over: the others get far meanwhile */
    bool ended;
};

static struct runner runners[CPUS];
static ucontext_t scheduler;
static struct test_random choices;
static unsigned running;
static bool scheduling;      /* else the test's main thread runs the kernel's code directly */
static uint64_t stay_chance; /* a CPU goes on without a switch this many times in 16 */

/* ---- stores and steps ------------------------------------------------------------------------ */

static void store_apply(const struct store *store)
{
    if (store->narrow) {
        *(uint32_t *)store->word = (uint32_t)store->value;
    } else {
        *(uint64_t *)store->word = store->value;
    }
}

static void stores_drain(struct runner *runner, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        store_apply(&runner->store[i]);
    }
    runner->store_count -= count;
    memmove(runner->store, runner->store + count, runner->store_count * sizeof runner->store[0]);
}

static void store_put(void *word, uint64_t value, bool narrow)
{
    struct store store = {word, value, narrow};
    struct runner *runner = &runners[running];

    if (!scheduling) {
        store_apply(&store);
        return;
    }
    if (runner->store_count == STORES) {
        stores_drain(runner, 1);
    }
    runner->store[runner->store_count++] = store;
}

/* The newest value this CPU knows of. */
static uint64_t word_get(const void *word, bool narrow)
{
    const struct runner *runner = &runners[running];

    for (unsigned i = scheduling ? runner->store_count : 0; i > 0; i--) {
        if (runner->store[i - 1].word == word) {
            return runner->store[i - 1].value;
        }
    }
    return narrow ? *(const uint32_t *)word : *(const uint64_t *)word;
}

/* Lets the scheduler choose who goes on. */
static void step(void)
{
    if (scheduling && test_random_below(&choices, 16) >= stay_chance) {
        swapcontext(&runners[running].context, &scheduler);
    }
}

/* An operation that is a full barrier on x86-64. */
static void barrier(void)
{
    if (scheduling) {
        stores_drain(&runners[running], runners[running].store_count);
    }
}

static uint32_t atomic_load_relaxed_u32(const uint32_t *word)
{
    step();
    return (uint32_t)word_get(word, true);
}

static void atomic_store_release_u32(uint32_t *word, uint32_t value)
{
    step();
    store_put(word, value, true);
}

static uint32_t atomic_exchange_u32(uint32_t *word, uint32_t value)
{
    uint32_t old;

    step();
    barrier();
    old = *word;
    *word = value;
    return old;
}

static uint64_t atomic_load_relaxed_u64(const uint64_t *word)
{
    step();
    return word_get(word, false);
}

static uint64_t atomic_load_acquire_u64(const uint64_t *word)
{
    return atomic_load_relaxed_u64(word);
}

static void atomic_store_release_u64(uint64_t *word, uint64_t value)
{
    step();
    store_put(word, value, false);
}

static uint64_t atomic_exchange_u64(uint64_t *word, uint64_t value)
{
    uint64_t old;

    step();
    barrier();
    old = *word;
    *word = value;
    return old;
}

static uint64_t atomic_or_u64(uint64_t *word, uint64_t bits)
{
    uint64_t old;

    step();
    barrier();
    old = *word;
    *word |= bits;
    return old;
}

static uint64_t atomic_and_u64(uint64_t *word, uint64_t bits)
{
    uint64_t old;

    step();
    barrier();
    old = *word;
    *word &= bits;
    return old;
}

static void atomic_fence(void)
{
    step();
    barrier();
}

#include "tests/host/mem_machine.h"

#include "kernel/debug/lock_check.c"
#include "kernel/lock.c"
#include "kernel/mem/frames.c"
#include "kernel/mem/shootdown.c"
#include "kernel/mem/vspace.c"

/* ---- the oracle ------------------------------------------------------------------------------ */

/* Whose page a frame is, from arch_vspace_map to the frame's way back into a cache. */
struct owner {
    const struct machine_space *space;
    vaddr_t page;
};

static struct owner owners[FRAMES_MAX];

/* Statement 2, for what an unmap removed. */
void memory_debug_frame_freed(paddr_t frame)
{
    for (unsigned c = 0; c < CPUS; c++) {
        for (unsigned t = 0; t < machine_cpu[c].buffer_count; t++) {
            assert_true(machine_cpu[c].buffer[t].frame != frame);
        }
    }
    owners[frame / FRAME_BYTES] = (struct owner){NULL, 0};
}

void memory_debug_teardown(struct vspace *vspace)
{
    assert_int_equal(vspace_check(vspace), 0);
}

bool memory_debug_poison(void)
{
    return true;
}

void memory_debug_frame_is_zero(paddr_t frame)
{
    (void)frame;
}

void user_copy_race_arm(const char *command_line)
{
    (void)command_line;
}

void unmap_rendezvous(struct vspace *vspace, vaddr_t page, unsigned pages)
{
    (void)vspace;
    (void)page;
    (void)pages;
}

void unmap_rendezvous_end(struct vspace *vspace, const struct unmap *unmap)
{
    (void)vspace;
    (void)unmap;
}

/* The processor fetches a translation that nobody asked for. It reads memory, not the stores that
 * wait. */
static void speculate(unsigned cpu, vaddr_t page)
{
    scheduling = false;
    (void)machine_translate(cpu, page, false);
    scheduling = true;
}

/* An access by the program that runs on this CPU (statement 1). */
static void access_page(unsigned cpu, vaddr_t page, bool write)
{
    const struct machine_translation *found = machine_translate(cpu, page, write);
    const struct owner *owner;

    if (found != NULL) {
        owner = &owners[found->frame / FRAME_BYTES];
        assert_ptr_equal(owner->space, found->space);
        assert_int_equal(owner->page, page);
    }
}

/* ---- what a CPU does ------------------------------------------------------------------------- */

/* One of these for each operation of each CPU; it is in use once. */
struct change {
    struct unmap unmap;
    const struct machine_space *space;
    uint64_t version; /* of the space's last entry that it changed */
    bool protects;
    vaddr_t page;
    bool started;
    bool completed;
};

static struct vspace spaces[SPACES];
static struct change changes[CPUS][OPERATIONS];
static unsigned schedule_switches;

static vaddr_t page_at(uint64_t index)
{
    return UINT64_C(0x400000) + index * FRAME_BYTES;
}

/* Statement 2, for what a protect changed. */
static void change_completed(struct unmap *unmap)
{
    struct change *change = CONTAINER_OF(unmap, struct change, unmap);

    assert_true(change->started && !change->completed);
    change->completed = true;
    if (!change->protects || unmap->count == 0) {
        return;
    }
    for (unsigned c = 0; c < CPUS; c++) {
        for (unsigned t = 0; t < machine_cpu[c].buffer_count; t++) {
            const struct machine_translation *held = &machine_cpu[c].buffer[t];

            if (held->space == change->space && held->page == change->page) {
                assert_true(held->version >= change->version);
            }
        }
    }
}

static void cpu_change(struct change *change, struct vspace *vspace, vaddr_t page, bool write)
{
    unsigned flags = write ? ARCH_PAGE_WRITE : 0;
    enum status status;

    *change = (struct change){
        .unmap.complete = change_completed,
        .space = space_of(&vspace->arch),
        .page = page,
        .protects = test_random_one_in(&choices, 3),
        .started = true,
    };
    if (change->protects) {
        /* At least this: others may raise it before the entry is stored, none can lower it. */
        change->version = change->space->version + 1;
        status = vspace_protect(vspace, page, 1, flags, &change->unmap);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NOT_FOUND);
            change->completed = true;
        }
    } else {
        assert_int_equal(vspace_unmap(vspace, page, 1, &change->unmap), STATUS_OK);
    }
}

static void cpu_map(struct vspace *vspace, vaddr_t page, bool write)
{
    enum status status = vspace_map_new(vspace, page, write ? ARCH_PAGE_WRITE : 0, NULL);

    assert_true(status == STATUS_OK || status == STATUS_EXISTS);
}

static void cpu_operation(unsigned cpu, unsigned number)
{
    struct vspace *vspace = &spaces[test_random_one_in(&choices, 5) ? 1 : 0];
    vaddr_t page = page_at(test_random_below(&choices, PAGES));
    bool write = test_random_one_in(&choices, 2);

    switch (test_random_below(&choices, 12)) {
    case 0:
        vspace_activate(test_random_one_in(&choices, 5) ? NULL : vspace);
        break;
    case 1:
    case 2:
    case 3:
        cpu_change(&changes[cpu][number], vspace, page, write);
        break;
    case 4:
    case 5:
    case 6:
        cpu_map(vspace, page, write);
        break;
    default:
        (void)machine_interrupt_take(cpu);
        break;
    }
}

static void cpu_run_schedule(int cpu)
{
    for (unsigned i = 0; i < OPERATIONS; i++) {
        cpu_operation((unsigned)cpu, i);
        for (unsigned a = 0; a < 3; a++) { /* its program runs between entries to the kernel */
            access_page((unsigned)cpu, page_at(test_random_below(&choices, PAGES)),
                        test_random_one_in(&choices, 2));
            step();
        }
    }
    runners[cpu].ended = true;
    swapcontext(&runners[cpu].context, &scheduler);
}

/* ---- the scheduler --------------------------------------------------------------------------- */

static void note_place(const char *place)
{
    (void)place;
    step();
}

static void store_entry(uint64_t *word, uint64_t value)
{
    store_put(word, value, false);
}

static uint64_t load_entry(const uint64_t *word)
{
    return word_get(word, false);
}

/* Sets the owners that a map has just given: done where the machine stores an entry. */
static void owner_note(uint64_t *word, uint64_t value)
{
    for (unsigned s = 0; s < MACHINE_SPACES && value != 0; s++) {
        struct machine_space *space = &machine_space[s];

        if (word >= &space->entry[0].word && word <= &space->entry[MACHINE_PAGES - 1].word) {
            const struct machine_entry *entry = CONTAINER_OF(word, struct machine_entry, word);

            owners[word_mapping(value).frame / FRAME_BYTES] = (struct owner){space, entry->page};
        }
    }
    store_entry(word, value);
}

static void schedule_start(uint64_t seed)
{
    scheduling = false;
    test_random_init(&choices, seed);
    machine_cpus_reset();
    machine_boot_default("");
    frames_init(&machine_boot);
    shootdown_init();
    memset(owners, 0, sizeof owners);
    memset(changes, 0, sizeof changes);
    for (unsigned i = 0; i < SPACES; i++) {
        assert_int_equal(vspace_create(&spaces[i]), STATUS_OK);
    }
    stay_chance = seed % 4 * 5;
    machine_hook = note_place;
    machine_load = load_entry;
    machine_store = owner_note;
    machine_serialize = barrier;
    for (unsigned i = 0; i < CPUS; i++) {
        struct runner *runner = &runners[i];

        machine_this = i;
        vspace_activate(&spaces[0]);
        runner->store_count = 0;
        runner->stalled = 0;
        runner->ended = false;
        getcontext(&runner->context);
        runner->context.uc_stack.ss_sp = runner->stack;
        runner->context.uc_stack.ss_size = STACK_BYTES;
        runner->context.uc_link = NULL;
        makecontext(&runner->context, (void (*)(void))cpu_run_schedule, 1, (int)i);
    }
}

static bool any_unended(void)
{
    for (unsigned i = 0; i < CPUS; i++) {
        if (!runners[i].ended) {
            return true;
        }
    }
    return false;
}

static void schedule_run(void)
{
    scheduling = true;
    while (any_unended()) {
        unsigned cpu = (unsigned)test_random_below(&choices, CPUS);

        if (test_random_one_in(&choices, 4)) {
            struct runner *runner = &runners[cpu];

            stores_drain(runner, (unsigned)test_random_below(&choices, runner->store_count + 1));
        }
        speculate((unsigned)test_random_below(&choices, CPUS),
                  page_at(test_random_below(&choices, PAGES)));
        if (runners[cpu].ended) {
            continue;
        }
        if (runners[cpu].stalled > 0) {
            runners[cpu].stalled--;
            continue;
        }
        runners[cpu].stalled = test_random_one_in(&choices, 32) ? 100 : 0;
        running = cpu;
        machine_this = cpu;
        schedule_switches++;
        swapcontext(&scheduler, &runners[cpu].context);
    }
    for (unsigned i = 0; i < CPUS; i++) {
        stores_drain(&runners[i], runners[i].store_count);
    }
    scheduling = false;
}

/* Statement 3. */
static void schedule_end(uint64_t free_frames)
{
    machine_hook = NULL;
    assert_int_equal(shootdown_check(), 0);
    machine_settle();
    for (unsigned c = 0; c < CPUS; c++) {
        for (unsigned i = 0; i < OPERATIONS; i++) {
            assert_true(!changes[c][i].started || changes[c][i].completed);
        }
        machine_this = c;
        vspace_activate(NULL);
    }
    for (unsigned i = 0; i < SPACES; i++) {
        assert_int_equal(vspace_check(&spaces[i]), 0);
        while (vspace_teardown_step(&spaces[i])) {
        }
    }
    assert_int_equal(machine_free_frames(), free_frames);
    assert_int_equal(frames_check(), 0);
}

static void every_schedule_keeps_the_three_statements(void **state)
{
    uint64_t seeds = 2000;

    (void)state;
    for (unsigned i = 0; i < CPUS; i++) {
        runners[i].stack = test_malloc(STACK_BYTES);
        memset(runners[i].stack, 0, STACK_BYTES);
    }
    schedule_switches = 0;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        uint64_t before;

        schedule_start(seed);
        before = machine_free_frames() + SPACES;
        schedule_run();
        schedule_end(before);
    }
    assert_true(schedule_switches > seeds * 100); /* the places to switch are there */
    for (unsigned i = 0; i < CPUS; i++) {
        test_free(runners[i].stack);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_schedule_keeps_the_three_statements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
