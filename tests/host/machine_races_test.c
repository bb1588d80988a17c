/* SPDX-License-Identifier: MIT */
/*
 * The races that seed 004 names, and those that reviews found, under many schedules of the host
 * kernel: crossing transfers; a revocation against drop, copy, move, transfer, spawn and new edges;
 * the last edge of an object against its use; a loan against who makes its lender ready; promised
 * calls against the end of their thread; a fault that is told against the ends of who is told. The
 * programs are those of the scenes "races", "delegation" and "fault-endpoint", which say what may
 * come out; here the schedule is chosen, and repeats by its seed.
 */
#include "support.h"

#include "kernel/arch/host/host.h"

enum {
    SEEDS = 24,
    MEMORY_BYTES = 64 * 1024 * 1024,
};

static const struct host_system *system_find(const char *name)
{
    for (size_t i = 0; i < host_system_count; i++) {
        if (strcmp(host_systems[i].name, name) == 0) {
            return &host_systems[i];
        }
    }
    fail_msg("no system %s", name);
    return NULL;
}

static void expect_sound(const struct host_options *options, const struct host_result *result)
{
    static const char *const forbidden[] = {"FAILED", "UNEXPECTED", "SURVIVED", "leaked", "panic"};
    bool sound = result->end == HOST_END_SUCCESS &&
                 strstr(result->console, "census: ledgers balanced") != NULL;

    for (size_t i = 0; i < ARRAY_COUNT(forbidden); i++) {
        sound = sound && strstr(result->console, forbidden[i]) == NULL;
    }
    if (!sound) {
        fail_msg("seed %llu, %u CPUs, %u%%: %s\n%s", (unsigned long long)options->seed,
                 options->cpus, options->switch_percent, host_end_name(result->end),
                 result->console);
    }
}

static void races_hold(void **state)
{
    static const unsigned percents[] = {3, 15, 40, 80};
    const struct host_system *system = system_find(*state);

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct host_options options = {.cpus = 2 + (unsigned)(seed % 3),
                                       .seed = seed,
                                       .memory_bytes = MEMORY_BYTES,
                                       .switch_percent = percents[seed % ARRAY_COUNT(percents)],
                                       .module = system->bytes,
                                       .module_bytes = (size_t)(system->end - system->bytes),
                                       .programs = host_programs,
                                       .program_count = host_program_count};
        struct host_result result;

        host_machine_run(&options, &result);
        expect_sound(&options, &result);
        free(result.console);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {.name = "races", .test_func = races_hold, .initial_state = (void *)(uintptr_t) "races"},
        {.name = "delegation",
         .test_func = races_hold,
         .initial_state = (void *)(uintptr_t) "delegation"},
        {.name = "fault-endpoint",
         .test_func = races_hold,
         .initial_state = (void *)(uintptr_t) "fault-endpoint"},
    };

    return cmocka_run_group_tests_name("machine_races", tests, NULL, NULL);
}
