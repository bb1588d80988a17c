/* SPDX-License-Identifier: MIT */
/*
 * Runs the explorer: its own check against herd7's verdicts, the protocols as shipped, and each of
 * them with one ordering made weaker, which some protocol must notice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/explore/litmus.h"
#include "sim/explore/protocols.h"

enum {
    LIMIT = 100 * 1000, /* executions of one protocol */
};

static unsigned passed;
static unsigned failed;

static void count(bool good)
{
    passed += good;
    failed += !good;
}

/* Every program of verdicts.txt. */
static void litmus_all(const char *folder)
{
    static struct litmus_verdict verdict;
    char path[512];
    FILE *file;
    uint64_t executions = 0;
    unsigned programs = 0;

    (void)snprintf(path, sizeof(path), "%s/verdicts.txt", folder);
    file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while (fscanf(file, "%31s %u\n", verdict.name, &verdict.count) == 2 &&
           verdict.count <= LITMUS_OUTCOMES) {
        for (unsigned i = 0; i < verdict.count; i++) {
            if (fscanf(file, " %159[^\n]\n", verdict.outcome[i]) != 1) {
                exit(2);
            }
        }
        programs++;
        count(litmus_run(folder, verdict.name, &verdict, &executions));
    }
    fclose(file);
    printf("litmus: %u programs, %" PRIu64 " executions, outcomes as herd7's\n", programs,
           executions);
}

static const char *const weak_names[] = {
    [EXPLORE_AS_SHIPPED] = "as shipped",
    [EXPLORE_WEAK_LOAD] = "loads do not acquire",
    [EXPLORE_WEAK_STORE] = "stores do not release",
    [EXPLORE_WEAK_EXCHANGE] = "exchanges are relaxed",
    [EXPLORE_WEAK_OR] = "ors are relaxed",
};

static const struct explore_program *program_at(unsigned index)
{
    if (index < protocol_count) {
        return &protocols[index];
    }
    index -= protocol_count;
    return index < wait_protocol_count ? &wait_protocols[index]
                                       : &alone_protocols[index - wait_protocol_count];
}

static unsigned program_count(void)
{
    return protocol_count + wait_protocol_count + alone_protocol_count;
}

static void protocols_shipped(void)
{
    for (unsigned i = 0; i < program_count(); i++) {
        struct explore_result result;

        explore(program_at(i), LIMIT, &result);
        printf("%-20s %8" PRIu64 " executions, %s%s%s\n", program_at(i)->name, result.executions,
               result.wrong      ? "wrong: "
               : result.complete ? "all"
                                 : "a part",
               "", result.text);
        count(!result.wrong);
    }
}

/* With one ordering weakened, some protocol must go wrong. */
static void protocols_weakened(enum explore_weak weak)
{
    bool noticed = false;

    explore_weak = weak;
    for (unsigned i = 0; i < program_count(); i++) {
        struct explore_result result;

        explore(program_at(i), LIMIT, &result);
        if (result.wrong) {
            noticed = true;
            printf("%s: %s notices: %s\n", weak_names[weak], program_at(i)->name, result.text);
        }
    }
    if (!noticed) {
        printf("%s: NOBODY NOTICES\n", weak_names[weak]);
    }
    count(noticed);
    explore_weak = EXPLORE_AS_SHIPPED;
}

int main(int argument_count, char **arguments)
{
    litmus_all(argument_count > 1 ? arguments[1] : "sim/explore/litmus");
    protocols_shipped();
    for (unsigned weak = EXPLORE_WEAK_LOAD; weak < EXPLORE_WEAK_COUNT; weak++) {
        protocols_weakened((enum explore_weak)weak);
    }
    printf("[  PASSED  ] %u test(s).\n", passed);
    if (failed != 0) {
        printf("[  FAILED  ] %u test(s), listed below:\n", failed);
    }
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
