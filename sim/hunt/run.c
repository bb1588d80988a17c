/* SPDX-License-Identifier: MIT */
/* One run: a machine in a child process, its report in shared memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/host/host.h"
#include "sim/hunt/hunt.h"

enum {
    MEMORY_BYTES = 24 * 1024 * 1024,
    STEPS_PER_ACT = 4000, /* far more than any act takes: what runs on is stuck */
    STEPS_FIXED = 2 * 1000 * 1000,
    CPUS_MAX = 4,
};

/* The manifest, as the build made it (mk/sim.mk). */
extern const uint8_t hunt_manifest[];
extern const uint8_t hunt_manifest_end[];

struct hunt_report *hunt_report;
struct hunt_options hunt_options;

bool hunt_failed(void)
{
    return hunt_report->end != HOST_END_SUCCESS;
}

/* What belongs to one run. What is kept over runs stands behind it. */
static void report_clear(void)
{
    memset(hunt_report, 0, offsetof(struct hunt_report, act));
    if (hunt_options.twin) {
        memset(&hunt_report->twin, 0, sizeof(hunt_report->twin));
    }
    hunt_report->story_count = 0;
    hunt_report->end = HOST_END_CRASH;
}

/* The last lines of the console, for what the kernel itself found. */
static void console_keep(const char *console)
{
    const char *line = strstr(console, "panic");

    if (line == NULL) {
        line = strstr(console, "census: ");
        line = line != NULL && strstr(line, "leaked") != NULL ? line : NULL;
    }
    if (line != NULL && !hunt_report->disagreed) {
        (void)snprintf(hunt_report->text, HUNT_TEXT, "the kernel says: %.300s", line);
    }
}

unsigned hunt_cpus(const struct hunt_options *options)
{
    return options->cpus != 0 ? options->cpus : 1 + (unsigned)(options->seed % CPUS_MAX);
}

void hunt_run(const struct hunt_options *options)
{
    static const struct host_program program = {"actor", hunt_actor};
    /* How fast time goes: a quantum is 10 ms, so that at first nobody is ever interrupted. */
    static const uint64_t step_ns[] = {400, 400, 5 * 1000, 50 * 1000};
    uint64_t schedule = options->schedule != 0 ? options->schedule : options->seed;
    struct host_options machine = {.cpus = hunt_cpus(options),
                                   .seed = schedule,
                                   .memory_bytes = MEMORY_BYTES,
                                   .module = hunt_manifest,
                                   .module_bytes = (size_t)(hunt_manifest_end - hunt_manifest),
                                   .command_line = "log=1",
                                   .programs = &program,
                                   .program_count = 1,
                                   .steps_max =
                                       STEPS_FIXED + (uint64_t)options->steps * STEPS_PER_ACT,
                                   .switch_percent = options->switch_percent,
                                   .watch = &hunt_watch};
    struct host_result result;

    hunt_options = *options;
    report_clear();
    hunt_faults_reset(schedule);
    model_reset();
    if (machine.switch_percent == 0) {
        static const unsigned percents[] = {3, 10, 25, 50};

        machine.switch_percent = percents[schedule / CPUS_MAX % ARRAY_COUNT(percents)];
    }
    machine.step_ns_max = step_ns[schedule / 16 % ARRAY_COUNT(step_ns)];
    host_machine_run(&machine, &result);
    hunt_report->end = hunt_report->disagreed ? HOST_END_FAILURE : result.end;
    hunt_report->signal = result.signal;
    if (hunt_failed()) {
        console_keep(result.console);
        if (hunt_report->text[0] == '\0') {
            (void)snprintf(hunt_report->text, HUNT_TEXT, "the machine ended: %s (signal %d)",
                           host_end_name(result.end), result.signal);
        }
    }
    free(result.console);
}
