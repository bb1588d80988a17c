/* SPDX-License-Identifier: MIT */
/*
 * Scenes of tests/scenes on the host kernel: the programs that ask for what is refused, in a
 * fraction of a second and under several schedules. What a scene expects beside its end is judged
 * when it boots; here every program must count as many checks as it makes.
 */
#include "support.h"

#include "kernel/arch/host/host.h"

enum {
    MEMORY_BYTES = 64 * 1024 * 1024,
    SCENES_MAX = 64,
};

static void refuse_text(const struct host_system *scene, const struct host_options *options,
                        const struct host_result *result, const char *text)
{
    if (strstr(result->console, text) != NULL) {
        fail_msg("%s, seed %llu, %u CPUs: \"%s\" in:\n%s", scene->name,
                 (unsigned long long)options->seed, options->cpus, text, result->console);
    }
}

static void scene_run(const struct host_system *scene, unsigned cpus, uint64_t seed)
{
    struct host_options options = {.cpus = cpus,
                                   .seed = seed,
                                   .memory_bytes = MEMORY_BYTES,
                                   .module = scene->bytes,
                                   .module_bytes = (size_t)(scene->end - scene->bytes),
                                   .programs = host_programs,
                                   .program_count = host_program_count};
    struct host_result result;

    host_machine_run(&options, &result);
    refuse_text(scene, &options, &result, "FAILED");
    refuse_text(scene, &options, &result, "UNEXPECTED");
    refuse_text(scene, &options, &result, "SURVIVED");
    refuse_text(scene, &options, &result, "leaked");
    if (result.end != HOST_END_SUCCESS) {
        fail_msg("%s, seed %llu, %u CPUs: %s\n%s", scene->name, (unsigned long long)seed, cpus,
                 host_end_name(result.end), result.console);
    }
    free(result.console);
}

static void scene_holds(void **state)
{
    const struct host_system *scene = *state;

    scene_run(scene, 1, 1);
    scene_run(scene, 2, 2);
    scene_run(scene, 4, 3);
}

int main(void)
{
    struct CMUnitTest tests[SCENES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < host_system_count && count < SCENES_MAX; i++) {
        tests[count++] = (struct CMUnitTest){.name = host_systems[i].name,
                                             .test_func = scene_holds,
                                             .initial_state = (void *)(uintptr_t)&host_systems[i]};
    }
    return _cmocka_run_group_tests("scenes", tests, count, NULL, NULL);
}
