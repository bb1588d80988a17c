/* SPDX-License-Identifier: MIT */
/*
 * The portable kernel as a host process: the thin whole on one and on four virtual CPUs under many
 * seeds, runs that repeat exactly, and what becomes of programs that fault, sleep or find no
 * memory.
 */
#include "support.h"

#include <sys/mman.h>

#include "kernel/arch/arch.h"
#include "kernel/arch/host/host.h"
#include "manifest_fixture.h"
#include "abi/errors.h"
#include "user/rt/syscall.h"

enum {
    SEEDS = 24,
    MEMORY_BYTES = 32 * 1024 * 1024,
};

static struct host_options thin_options(void)
{
    struct host_options options = {.cpus = 1,
                                   .seed = 1,
                                   .memory_bytes = MEMORY_BYTES,
                                   .programs = host_programs,
                                   .program_count = host_program_count};

    for (size_t i = 0; i < host_system_count; i++) {
        if (strcmp(host_systems[i].name, "default") == 0) {
            options.module = host_systems[i].bytes;
            options.module_bytes = (size_t)(host_systems[i].end - host_systems[i].bytes);
        }
    }
    assert_non_null(options.module);
    return options;
}

static void expect(const struct host_result *result, const char *text)
{
    if (strstr(result->console, text) == NULL) {
        fail_msg("no \"%s\" in:\n%s", text, result->console);
    }
}

static void expect_thin(const struct host_options *options)
{
    struct host_result result;

    host_machine_run(options, &result);
    if (result.end != HOST_END_SUCCESS) {
        fail_msg("seed %llu, %u CPUs: %s\n%s", (unsigned long long)options->seed, options->cpus,
                 host_end_name(result.end), result.console);
    }
    expect(&result, "ipc_client: the server says \"Hello, capOS!\" (its call 2)\n");
    expect(&result, "init: stranger exited with 0\n");
    expect(&result, "census: frames balanced");
    free(result.console);
}

static void thin_whole_on_one_cpu(void **state)
{
    struct host_options options = thin_options();

    (void)state;
    for (options.seed = 0; options.seed < SEEDS / 4; options.seed++) {
        expect_thin(&options);
    }
}

static void thin_whole_on_four_cpus(void **state)
{
    static const unsigned percents[] = {2, 25, 90};
    struct host_options options = thin_options();

    (void)state;
    options.cpus = 4;
    for (options.seed = 0; options.seed < SEEDS; options.seed++) {
        options.switch_percent = percents[options.seed % ARRAY_COUNT(percents)];
        expect_thin(&options);
    }
}

static void thin_whole_on_many_cpus(void **state)
{
    struct host_options options = thin_options();

    (void)state;
    options.cpus = 64;
    expect_thin(&options);
}

static void same_seed_same_run(void **state)
{
    struct host_options options = thin_options();
    struct host_result first;
    struct host_result second;
    struct host_result other;

    (void)state;
    options.cpus = 4;
    options.seed = 77;
    host_machine_run(&options, &first);
    host_machine_run(&options, &second);
    options.seed = 78;
    host_machine_run(&options, &other);
    assert_int_equal(first.steps, second.steps);
    assert_int_equal(first.switches, second.switches);
    assert_int_equal(first.virtual_ns, second.virtual_ns);
    assert_string_equal(first.console, second.console);
    assert_true(first.switches > 100);
    assert_true(first.switches != other.switches || first.virtual_ns != other.virtual_ns);
    free(first.console);
    free(second.console);
    free(other.console);
}

static void *volatile *direct_map; /* where the last machine's memory lay; its parent sees it too */

static void note_memory(enum host_end end)
{
    (void)end;
    *direct_map = arch_frame_pointer(0);
}

/*
 * A kernel's object lies at the same address in every run, whatever else is mapped, because what
 * the kernel makes of addresses (the bucket of an object's words) must not tell two runs apart.
 */
static void memory_lies_where_it_did(void **state)
{
    static const struct host_watch watch = {.ended = note_memory};
    struct host_options options = thin_options();
    void *first = NULL;

    (void)state;
    options.watch = &watch;
    direct_map =
        mmap(NULL, sizeof(*direct_map), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true((void *)direct_map != MAP_FAILED);
    for (unsigned run = 0; run < 2; run++) {
        struct host_result result;

        host_machine_run(&options, &result);
        assert_int_equal(result.end, HOST_END_SUCCESS);
        free(result.console);
        if (run == 0) {
            first = *direct_map;
            /* Where Linux would have put the next machine's. */
            assert_true(mmap(NULL, MEMORY_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                        MAP_FAILED);
        }
    }
    assert_non_null(first);
    assert_ptr_equal(*direct_map, first);
}

/* However little memory there is: the machine ends by itself, and says why. */
static void little_memory_is_said(void **state)
{
    struct host_options options = thin_options();
    bool succeeded = false;

    (void)state;
    options.cpus = 2;
    for (unsigned pages = 300; pages < 1600; pages += 37) {
        struct host_result result;

        options.memory_bytes = (uint64_t)pages * 4096;
        if (options.memory_bytes < 1024 * 1024 + options.module_bytes + 65536) {
            continue;
        }
        host_machine_run(&options, &result);
        if (result.end == HOST_END_FAILURE) {
            assert_null(strstr(result.console, "panic"));
            assert_null(strstr(result.console, "leaked"));
        } else if (result.end != HOST_END_SUCCESS) {
            fail_msg("%u pages: %s\n%s", pages, host_end_name(result.end), result.console);
        }
        succeeded = succeeded || result.end == HOST_END_SUCCESS;
        free(result.console);
    }
    assert_true(succeeded);
}

/* ---- programs of this test ------------------------------------------------------------------- */

/* A program's stack is no stack that a sanitizer knows. */
#define PROGRAM __attribute__((no_sanitize("address", "undefined"))) static

PROGRAM void exit_with(uint64_t code)
{
    for (;;) {
        (void)rt_syscall_exit(code, EXIT_PROCESS);
    }
}

PROGRAM void program_ends(const struct start_info *start)
{
    (void)start;
    exit_with(0);
}

PROGRAM void program_fails(const struct start_info *start)
{
    (void)start;
    exit_with(3);
}

PROGRAM void program_sleeps(const struct start_info *start)
{
    (void)start;
    (void)rt_syscall_cap_enter(1, TIMEOUT_NONE);
    exit_with(0);
}

PROGRAM void program_waits(const struct start_info *start)
{
    uint64_t before = rt_cycle_counter();

    (void)start;
    (void)rt_syscall_cap_enter(1, 5000000);
    exit_with(rt_cycle_counter() - before < 5000000);
}

PROGRAM void program_spins(const struct start_info *start)
{
    (void)start;
    for (;;) {
        rt_cpu_pause();
    }
}

PROGRAM void program_reads_nothing(const struct start_info *start)
{
    (void)start;
    exit_with(*(volatile uint8_t *)(uintptr_t)(start->stack_low - 1));
}

PROGRAM void program_writes_capset(const struct start_info *start)
{
    *(volatile uint8_t *)(uintptr_t)start->capset = 0;
    exit_with(0);
}

PROGRAM void program_divides(const struct start_info *start)
{
    volatile int one = 1;
    volatile int zero = 0;

    (void)start;
    exit_with((uint64_t)(one / zero));
}

PROGRAM void program_traps(const struct start_info *start)
{
    (void)start;
    __builtin_trap();
}

PROGRAM uint64_t deeper(uint64_t depth)
{
    volatile uint8_t frame[512];

    frame[depth % sizeof(frame)] = (uint8_t)depth;
    return depth > 1000 ? depth : deeper(depth + 1) + frame[0];
}

PROGRAM void program_overflows(const struct start_info *start)
{
    (void)start;
    exit_with(deeper(0));
}

PROGRAM void program_calls_all(const struct start_info *start)
{
    (void)start;
    for (uint64_t number = 0; number < 1000; number++) {
        if (number != SYSCALL_CAP_ENTER && number != SYSCALL_EXIT &&
            rt_syscall_raw(number, ~number, number) != TRANSPORT_NO_SYSCALL) {
            exit_with(1);
        }
    }
    exit_with(rt_syscall_exit(0, 2) != TRANSPORT_BAD_ARGUMENT);
}

static const struct host_program programs[] = {
    {"ends", program_ends},
    {"fails", program_fails},
    {"sleeps", program_sleeps},
    {"waits", program_waits},
    {"spins", program_spins},
    {"reads-nothing", program_reads_nothing},
    {"writes-capset", program_writes_capset},
    {"divides", program_divides},
    {"traps", program_traps},
    {"overflows", program_overflows},
    {"calls-all", program_calls_all},
};

/* Runs a machine whose init is this program. */
static void run_init(const char *program, struct host_options options, struct host_result *result)
{
    static uint8_t image[512];
    struct fixture *fixture = fixture_make();
    size_t length;
    uint8_t *bytes;

    memcpy(image, fixture_elf, fixture_elf_bytes);
    snprintf((char *)image + fixture_elf_bytes, sizeof(image) - fixture_elf_bytes,
             "capos-host-program:%s", program);
    fixture->binary[0] = (struct fixture_binary){"init", image, sizeof(image)};
    fixture->binary_count = 1;
    fixture->service_count = 1;
    bytes = fixture_encode(fixture, &length);
    options.module = bytes;
    options.module_bytes = length;
    options.programs = programs;
    options.program_count = ARRAY_COUNT(programs);
    host_machine_run(&options, result);
    free(bytes);
    free(fixture);
}

struct ending {
    const char *program;
    enum host_end end;
    const char *text;
};

static void programs_end_as_they_should(void **state)
{
    static const struct ending endings[] = {
        {"ends", HOST_END_SUCCESS, "census: frames balanced"},
        {"fails", HOST_END_FAILURE, "init ended by itself with code 3"},
        {"sleeps", HOST_END_ASLEEP, "online"},
        {"waits", HOST_END_SUCCESS, "census: frames balanced"},
        {"reads-nothing", HOST_END_FAILURE, "stack overflow: read unmapped memory at address"},
        {"writes-capset", HOST_END_FAILURE, "wrote read-only memory at address"},
        {"divides", HOST_END_FAILURE, "divided by zero"},
        {"traps", HOST_END_FAILURE, "undefined instruction"},
        {"overflows", HOST_END_FAILURE, "stack overflow: wrote unmapped memory at address"},
        {"calls-all", HOST_END_SUCCESS, "census: frames balanced"},
        {"no-such-program", HOST_END_FAILURE, "capOS cannot boot: the entry point"},
    };
    struct host_options options = {.cpus = 2, .seed = 5, .memory_bytes = MEMORY_BYTES};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        struct host_result result;

        run_init(endings[i].program, options, &result);
        if (result.end != endings[i].end) {
            fail_msg("%s: %s\n%s", endings[i].program, host_end_name(result.end), result.console);
        }
        expect(&result, endings[i].text);
        assert_null(strstr(result.console, "leaked"));
        free(result.console);
    }
}

/* A spinning init never ends; the machine is given up, not hung. */
static void spinning_uses_up_the_steps(void **state)
{
    struct host_options options = {
        .cpus = 2, .seed = 5, .memory_bytes = MEMORY_BYTES, .steps_max = 20000};
    struct host_result result;

    (void)state;
    run_init("spins", options, &result);
    assert_int_equal(result.end, HOST_END_STEPS);
    assert_int_equal(result.steps, 20000);
    free(result.console);
}

static void a_bad_module_is_refused(void **state)
{
    static const uint8_t junk[64] = "this is no manifest";
    struct host_options options = thin_options();
    struct host_result result;

    (void)state;
    options.module = junk;
    options.module_bytes = sizeof(junk);
    host_machine_run(&options, &result);
    assert_int_equal(result.end, HOST_END_FAILURE);
    expect(&result, "capOS cannot boot: the manifest is refused at manifest: ");
    free(result.console);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thin_whole_on_one_cpu),      cmocka_unit_test(thin_whole_on_four_cpus),
        cmocka_unit_test(thin_whole_on_many_cpus),    cmocka_unit_test(same_seed_same_run),
        cmocka_unit_test(little_memory_is_said),      cmocka_unit_test(programs_end_as_they_should),
        cmocka_unit_test(spinning_uses_up_the_steps), cmocka_unit_test(a_bad_module_is_refused),
        cmocka_unit_test(memory_lies_where_it_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
