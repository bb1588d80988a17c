/* SPDX-License-Identifier: MIT */
/*
 * sim: runs a system on the host kernel under one seed or many. A seed whose run does not end as it
 * should is printed with its transcript; the same seed and options repeat it exactly.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/host/host.h"

struct sim_options {
    struct host_options machine;
    const char *system;
    uint64_t runs;
    bool show; /* every transcript */
};

static void usage(FILE *to)
{
    fputs("usage: sim [--system NAME] [--cpus N] [--seed N] [--runs N] [--memory MIB]\n"
          "           [--switch PERCENT] [--steps N] [--command-line TEXT] [--show]\n"
          "  runs the system under seeds N, N+1, ...; status 1 if a run did not succeed\n",
          to);
}

static bool system_find(struct sim_options *options)
{
    for (size_t i = 0; i < host_system_count; i++) {
        const struct host_system *system = &host_systems[i];

        if (strcmp(system->name, options->system) == 0) {
            options->machine.module = system->bytes;
            options->machine.module_bytes = (size_t)(system->end - system->bytes);
            return true;
        }
    }
    fprintf(stderr, "sim: no system is called \"%s\"; there are:", options->system);
    for (size_t i = 0; i < host_system_count; i++) {
        fprintf(stderr, " %s", host_systems[i].name);
    }
    fputs("\n", stderr);
    return false;
}

/* A whole number that `text` is, at most `maximum`; ends the program otherwise. */
static uint64_t number(const char *text, uint64_t maximum)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (*text == '\0' || *end != '\0' || value > maximum) {
        fprintf(stderr, "sim: \"%s\" is no number up to %" PRIu64 "\n", text, maximum);
        exit(2);
    }
    return value;
}

static bool option_apply(struct sim_options *options, int option, const char *value)
{
    switch (option) {
    case 's':
        options->system = value;
        return true;
    case 'c':
        options->machine.cpus = (unsigned)number(value, 64);
        return options->machine.cpus != 0;
    case 'e':
        options->machine.seed = number(value, UINT64_MAX);
        return true;
    case 'r':
        options->runs = number(value, UINT64_MAX);
        return true;
    case 'm':
        options->machine.memory_bytes = number(value, 1024) * 1024 * 1024;
        return true;
    case 'w':
        options->machine.switch_percent = (unsigned)number(value, 100);
        return true;
    case 't':
        options->machine.steps_max = number(value, UINT64_MAX);
        return true;
    case 'l':
        options->machine.command_line = value;
        return true;
    case 'v':
        options->show = true;
        return true;
    default:
        return false;
    }
}

static bool options_read(int count, char **arguments, struct sim_options *options)
{
    static const struct option longs[] = {
        {"system", required_argument, NULL, 's'},
        {"cpus", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 'e'},
        {"runs", required_argument, NULL, 'r'},
        {"memory", required_argument, NULL, 'm'},
        {"switch", required_argument, NULL, 'w'},
        {"steps", required_argument, NULL, 't'},
        {"command-line", required_argument, NULL, 'l'},
        {"show", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    *options = (struct sim_options){.machine = {.cpus = 4,
                                                .seed = 1,
                                                .memory_bytes = 64 * 1024 * 1024,
                                                .programs = host_programs,
                                                .program_count = host_program_count},
                                    .system = "default",
                                    .runs = 1};
    while ((option = getopt_long(count, arguments, "", longs, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            exit(EXIT_SUCCESS);
        }
        if (!option_apply(options, option, optarg)) {
            return false;
        }
    }
    return optind == count;
}

/* Runs one seed; whether it succeeded. */
static bool run_one(const struct sim_options *options, uint64_t seed)
{
    struct host_options machine = options->machine;
    struct host_result result;
    bool good;

    machine.seed = seed;
    host_machine_run(&machine, &result);
    good = result.end == HOST_END_SUCCESS;
    if (!good || options->show) {
        fwrite(result.console, 1, result.console_bytes, stdout);
        printf("seed %" PRIu64 ": %s", seed, host_end_name(result.end));
        if (result.signal != 0) {
            printf(", signal %d", result.signal);
        }
        printf(" after %" PRIu64 " steps, %" PRIu64 " switches, %" PRIu64 " ns\n", result.steps,
               result.switches, result.virtual_ns);
    }
    free(result.console);
    return good;
}

int main(int count, char **arguments)
{
    struct sim_options options;
    uint64_t failed = 0;

    if (!options_read(count, arguments, &options)) {
        usage(stderr);
        return 2;
    }
    if (!system_find(&options)) {
        return 2;
    }
    for (uint64_t i = 0; i < options.runs; i++) {
        failed += !run_one(&options, options.machine.seed + i);
    }
    printf("%" PRIu64 " runs, %" PRIu64 " failed\n", options.runs, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
