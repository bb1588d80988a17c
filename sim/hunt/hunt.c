/* SPDX-License-Identifier: MIT */
/*
 * The hunt: seeds after seeds, each a whole system on the portable kernel, until one fails.
 *
 * A run boots the kernel on 1 to 4 virtual CPUs (kernel/arch/host). Its first process and every
 * process it spawns run the same program (actor.c), which draws what to do from the seed: create,
 * call, serve, release, spawn, kill, map, and much that is forbidden. At each lock, each atomic and
 * each way into or out of the kernel another CPU may go on, as the seed says. Memory runs out when
 * the seed says so, and interrupts come late.
 *
 * observe.c looks at every structure whenever its lock is given back: its own x_check(), and the
 * independent model of sim/model.c, which says what may have changed and who may have changed it.
 * After each operation look_all.c looks at everything there is, whoever touched it, at the ledgers'
 * law and at the census of capabilities. At the end the kernel's own census must balance.
 *
 * A seed that fails is run again without ever more of its acts (shrink.c), and what is left is told
 * as a story. Same seed, same options, same story, on any machine.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "sim/hunt/twin.h"

struct command {
    struct hunt_options hunt;
    uint64_t runs;
    uint64_t stride;     /* from one seed to the next */
    uint64_t operations; /* end after so many; 0: runs alone count */
    uint64_t seconds;    /* the same in time */
    bool story;          /* of every run */
    bool statistics;
    bool shrink;
    unsigned shrink_runs;
};

static void usage(FILE *to)
{
    fputs("usage: hunt [--seed N] [--steps N] [--runs N] [--operations N] [--seconds N]\n"
          "            [--schedule N] [--cpus N] [--switch PERCENT] [--story] [--statistics]\n"
          "            [--no-shrink] [--shrink-runs N] [--no-checks] [--keep ACTS]\n"
          "            [--way short|long] [--twin] [--look STEPS] [--rarely] [--stride N]\n"
          "  runs systems of generated programs under seeds N, N+1, ...; status 1 if one failed\n"
          "  (--steps 0: the seed chooses)\n",
          to);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "hunt: \"%s\" is no number\n", text);
        exit(2);
    }
    return value;
}

/* The acts to do, as a failing run's last line names them: LINEAGE.INDEX,LINEAGE.INDEX,... */
static void keep_read(const char *text)
{
    while (*text != '\0') {
        struct hunt_act act;
        int length = 0;

        if (hunt_report->keep_count == HUNT_ACTS ||
            sscanf(text, "%" SCNx64 ".%" SCNu32 "%n", &act.lineage, &act.index, &length) != 2) {
            fprintf(stderr, "hunt: \"%s\" names no act\n", text);
            exit(2);
        }
        hunt_report->keep[hunt_report->keep_count++] = act;
        text += length;
        text += *text == ',';
    }
}

static bool option_apply(struct command *command, int option, const char *value)
{
    switch (option) {
    case 'e':
        command->hunt.seed = number(value);
        return true;
    case 't':
        command->hunt.steps = (uint32_t)number(value);
        return true;
    case 'r':
        command->runs = number(value);
        return true;
    case 'o':
        command->operations = number(value);
        return true;
    case 's':
        command->seconds = number(value);
        return true;
    case 'd':
        command->hunt.schedule = number(value);
        return true;
    case 'c':
        command->hunt.cpus = (unsigned)number(value);
        return command->hunt.cpus <= 64;
    case 'w':
        command->hunt.switch_percent = (unsigned)number(value);
        return command->hunt.switch_percent <= 100;
    case 'v':
        command->story = true;
        return true;
    case 'a':
        command->statistics = true;
        return true;
    case 'n':
        command->shrink = false;
        return true;
    case 'm':
        command->shrink_runs = (unsigned)number(value);
        return true;
    case 'q':
        command->hunt.quiet_checks = true;
        return true;
    case 'y':
        command->hunt.way = strcmp(value, "long") == 0    ? HUNT_WAY_LONG
                            : strcmp(value, "short") == 0 ? HUNT_WAY_SHORT
                                                          : HUNT_WAY_SEED;
        return command->hunt.way != HUNT_WAY_SEED;
    case 'i':
        command->hunt.twin = true;
        return true;
    case 'l':
        command->hunt.look_steps = (uint32_t)number(value);
        return true;
    case 'f':
        command->hunt.look_rarely = true;
        return true;
    case 'p':
        command->stride = number(value);
        return command->stride > 0;
    case 'k':
        keep_read(value);
        command->hunt.keep = true;
        return true;
    default:
        return false;
    }
}

static bool options_read(int count, char **arguments, struct command *command)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 'e'},
        {"steps", required_argument, NULL, 't'},
        {"runs", required_argument, NULL, 'r'},
        {"operations", required_argument, NULL, 'o'},
        {"seconds", required_argument, NULL, 's'},
        {"schedule", required_argument, NULL, 'd'},
        {"cpus", required_argument, NULL, 'c'},
        {"switch", required_argument, NULL, 'w'},
        {"story", no_argument, NULL, 'v'},
        {"statistics", no_argument, NULL, 'a'},
        {"no-shrink", no_argument, NULL, 'n'},
        {"shrink-runs", required_argument, NULL, 'm'},
        {"no-checks", no_argument, NULL, 'q'},
        {"keep", required_argument, NULL, 'k'},
        {"way", required_argument, NULL, 'y'},
        {"twin", no_argument, NULL, 'i'},
        {"look", required_argument, NULL, 'l'},
        {"rarely", no_argument, NULL, 'f'},
        {"stride", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    *command = (struct command){.hunt = {.seed = 1, .steps = 400},
                                .runs = 1,
                                .stride = 1,
                                .shrink = true,
                                .shrink_runs = 400};
    while ((option = getopt_long(count, arguments, "", longs, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            exit(EXIT_SUCCESS);
        }
        if (!option_apply(command, option, optarg)) {
            return false;
        }
    }
    return optind == count;
}

static void failure_tell(const struct command *command, struct hunt_options *options)
{
    printf("seed %" PRIu64 " (%u acts): %s\n", options->seed, options->steps, hunt_report->text);
    if (command->shrink && !options->twin) {
        uint32_t before = hunt_report->act_count;

        hunt_shrink(options, command->shrink_runs);
        printf("shrunk from %u acts to %u: %s\n", before, hunt_report->act_count,
               hunt_report->text);
    }
    if (!options->twin || command->story) { /* each of two that differ is a long one */
        hunt_story_print();
    }
    printf("!! %s\n", hunt_report->text);
    printf("again: make sim SEED=%" PRIu64 " STEPS=%u%s", options->seed, options->steps,
           options->twin ? " TWIN=yes" : "");
    if (options->look_steps != 0) {
        printf(" LOOK=%" PRIu32, options->look_steps);
    }
    if (command->shrink && !options->twin) {
        printf(" SCHEDULE=%" PRIu64 " CPUS=%u KEEP=", options->schedule, options->cpus);
        for (uint32_t i = 0; i < hunt_report->keep_count; i++) {
            printf("%s%" PRIx64 ".%" PRIu32, i == 0 ? "" : ",", hunt_report->keep[i].lineage,
                   hunt_report->keep[i].index);
        }
    }
    putchar('\n');
}

/* Sums over all runs. */
struct total {
    uint64_t runs, failed, operations, checks, looks, laws, switches, processes, faults;
};

/* Whether each fault took place in a long hunt: what is never met proves nothing. */
static bool faults_are_good(const struct command *command, const struct total *total)
{
    static const char *const names[] = {
        [HUNT_FAULT_MEMORY] = "allocation failed",
        [HUNT_FAULT_IPI] = "interrupt came late",
        [HUNT_FAULT_RING] = "ring was corrupted",
        [HUNT_FAULT_KILL] = "process was killed",
        [HUNT_FAULT_PROGRAM] = "program faulted, its handler was told",
    };
    bool good = true;

    for (unsigned i = 0; i < HUNT_FAULT_COUNT; i++) {
        if (command->statistics) {
            printf("faults: %s %" PRIu64 " times\n", names[i], hunt_report->fault_count[i]);
        }
        if (hunt_report->fault_count[i] == 0 && !command->hunt.twin && total->runs >= 300) {
            printf("!! no %s\n", names[i]);
            good = false;
        }
    }
    return good;
}

static void results_print(void)
{
    printf("by the short ways: %" PRIu64 " quick, %" PRIu64 " with a switch, %" PRIu64
           " without, %" PRIu64 " of a batch, %" PRIu64 " alone, %" PRIu64 " pairs, %" PRIu64
           " sent on by answers, %" PRIu64 " by answers for them alone\n",
           hunt_report->short_count[HUNT_SHORT_QUICK], hunt_report->short_count[HUNT_SHORT_SWITCH],
           hunt_report->short_count[HUNT_SHORT_DONE], hunt_report->short_count[HUNT_SHORT_QUEUE],
           hunt_report->short_count[HUNT_SHORT_LONE], hunt_report->pairs,
           hunt_report->short_count[HUNT_SHORT_SENT], hunt_report->short_count[HUNT_SHORT_RELAY]);
    puts("completions by opcode and result:");
    for (unsigned opcode = 0; opcode <= OPCODE_COUNT; opcode++) {
        bool any = false;

        for (unsigned result = 0; result < 32; result++) {
            uint64_t count = hunt_report->result_count[opcode][result];

            if (count != 0) {
                printf("%s %d:%" PRIu64, any ? "" : hunt_opcode_name(opcode), -(int)result, count);
                any = true;
            }
        }
        if (any) {
            putchar('\n');
        }
    }
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Processor time of this process and its runs: what other work on the machine does not change. */
static double seconds_worked(void)
{
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    double seconds = 0;

    for (unsigned i = 0; i < ARRAY_COUNT(whose); i++) {
        struct rusage usage;

        getrusage(whose[i], &usage);
        seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    return seconds;
}

static void total_add(struct total *total)
{
    total->runs++;
    total->failed += hunt_failed();
    total->operations += hunt_report->operations;
    total->checks += hunt_report->checks;
    total->looks += hunt_report->looks;
    total->laws += hunt_report->laws;
    total->switches += hunt_report->switches;
    total->processes += hunt_report->processes;
    total->faults += hunt_report->faults;
}

static bool is_enough(const struct command *command, const struct total *total, double began)
{
    if (total->failed > 0) {
        return true;
    }
    if (command->operations != 0 || command->seconds != 0) {
        return (command->operations != 0 && total->operations >= command->operations) ||
               (command->seconds != 0 && seconds_now() - began >= (double)command->seconds);
    }
    return total->runs >= command->runs;
}

/* Whether every short way was taken: by many twins, so that comparing them says something, and by a
 * long hunt, so that the model has judged it. */
static bool ways_are_good(const struct command *command, const struct total *total)
{
    bool long_enough = total->runs >= (command->hunt.twin ? 20 : 300);
    bool good = true;

    for (unsigned i = 0; i < HUNT_SHORT_COUNT && long_enough; i++) {
        if (hunt_report->short_count[i] == 0 && command->hunt.way != HUNT_WAY_LONG) {
            printf("!! no submission went the short way %u\n", i);
            good = false;
        }
    }
    return good;
}

/* Whether the ledgers' law was asked in most looks at everything of a long hunt: it cannot be while
 * somebody holds an account's lock. */
static bool looks_are_good(const struct total *total)
{
    if (total->runs < 300 || total->laws > total->looks / 2) {
        return true;
    }
    printf("!! the law was asked in %" PRIu64 " of %" PRIu64 " looks at everything\n", total->laws,
           total->looks);
    return false;
}

int main(int count, char **arguments)
{
    struct total total = {0};
    struct command command;
    double began = seconds_now();
    double seconds;

    hunt_report =
        mmap(NULL, sizeof(*hunt_report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (hunt_report == MAP_FAILED || !options_read(count, arguments, &command)) {
        usage(stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    do {
        struct hunt_options options = command.hunt;

        options.seed += total.runs * command.stride;
        if (options.steps == 0) {
            static const uint32_t steps[] = {150, 400, 400, 1000, 150, 400, 2500};

            options.steps = steps[options.seed % ARRAY_COUNT(steps)];
        }
        if (options.twin) {
            (void)twin_run(&options);
        } else {
            hunt_run(&options);
        }
        total_add(&total);
        if (hunt_failed()) {
            failure_tell(&command, &options);
        } else if (command.story) {
            hunt_story_print();
        }
    } while (!is_enough(&command, &total, began));
    seconds = seconds_now() - began;
    printf("%" PRIu64 " runs, %" PRIu64 " failed; %" PRIu64 " operations, %" PRIu64
           " checks, %" PRIu64 " looks at everything, %" PRIu64 " at the law, %" PRIu64
           " switches, %" PRIu64 " processes, %" PRIu64 " faults, %" PRIu64
           " interleavings; %.1f s, %.0f operations a minute, %.0f of processor time\n",
           total.runs, total.failed, total.operations, total.checks, total.looks, total.laws,
           total.switches, total.processes, total.faults, hunt_report->windows, seconds,
           (double)total.operations / seconds * 60,
           (double)total.operations / seconds_worked() * 60);
    if (command.statistics) {
        results_print();
    }
    if (total.failed == 0 && command.hunt.quiet_checks) {
        return EXIT_SUCCESS; /* acts for which the model must know something are never drawn then */
    }
    return total.failed == 0 && ways_are_good(&command, &total) &&
                   faults_are_good(&command, &total) && looks_are_good(&total)
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}
