/* SPDX-License-Identifier: MIT */
/*
 * The nth allocation of the kernel fails, for every n: while a program does each thing that may
 * need memory (tests/programs/starved.c, which says what may come back), frames and kernel objects
 * are asked for; one of them is not there. The program gets the documented error and, at its second
 * try, what it wanted; at the end frames and ledgers balance, as after any run.
 */
#include "support.h"

#include <sys/mman.h>

#include "kernel/arch/host/machine.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/sched/process.h"

enum {
    MEMORY_BYTES = 64 * 1024 * 1024,
    ALLOCATIONS_MAX = 4000,
};

/* Of the run that is under way, in the machine's process and in ours. */
static struct failing {
    bool begun;     /* the program has run */
    uint32_t count; /* allocations since */
    uint32_t fail_at;
} * failing;

enum status __real_frame_alloc(paddr_t *frame);
enum status __wrap_frame_alloc(paddr_t *frame);
enum status __real_frame_run_take(unsigned count, uint64_t *from, paddr_t *first);
enum status __wrap_frame_run_take(unsigned count, uint64_t *from, paddr_t *first);
void *__real_kmem_alloc(struct kmem_cache *cache);
void *__wrap_kmem_alloc(struct kmem_cache *cache);

static bool allocation_fails(void)
{
    const struct cpu *cpu = machine.current;

    if (failing == NULL) {
        return false;
    }
    if (cpu != NULL && cpu->current != NULL &&
        strcmp(cpu->current->process->name, "starved") == 0) {
        failing->begun = true;
    }
    return failing->begun && failing->count++ == failing->fail_at;
}

enum status __wrap_frame_alloc(paddr_t *frame)
{
    return allocation_fails() ? STATUS_NO_MEMORY : __real_frame_alloc(frame);
}

enum status __wrap_frame_run_take(unsigned count, uint64_t *from, paddr_t *first)
{
    return allocation_fails() ? STATUS_NO_MEMORY : __real_frame_run_take(count, from, first);
}

void *__wrap_kmem_alloc(struct kmem_cache *cache)
{
    return allocation_fails() ? NULL : __real_kmem_alloc(cache);
}

static void run(void)
{
    struct host_options options = {.cpus = 1,
                                   .seed = 7,
                                   .memory_bytes = MEMORY_BYTES,
                                   .programs = host_programs,
                                   .program_count = host_program_count};
    struct host_result result;

    for (size_t i = 0; i < host_system_count; i++) {
        if (strcmp(host_systems[i].name, "starved") == 0) {
            options.module = host_systems[i].bytes;
            options.module_bytes = (size_t)(host_systems[i].end - host_systems[i].bytes);
        }
    }
    assert_non_null(options.module);
    failing->begun = false;
    failing->count = 0;
    host_machine_run(&options, &result);
    if (result.end != HOST_END_SUCCESS || strstr(result.console, "FAILED") != NULL ||
        strstr(result.console, "census: ledgers balanced") == NULL) {
        fail_msg("allocation %u of %u: %s\n%s", failing->fail_at, failing->count,
                 host_end_name(result.end), result.console);
    }
    free(result.console);
}

static void nth_allocation_fails(void **state)
{
    uint32_t n = 0;

    (void)state;
    failing =
        mmap(NULL, sizeof(*failing), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(failing != MAP_FAILED);
    do {
        failing->fail_at = n;
        run();
    } while (failing->count > n++ && n < ALLOCATIONS_MAX);
    assert_in_range(n, 50, ALLOCATIONS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nth_allocation_fails),
    };

    return cmocka_run_group_tests_name("machine_failures", tests, NULL, NULL);
}
