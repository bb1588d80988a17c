/* SPDX-License-Identifier: MIT */
/*
 * Litmus programs, read from the same files that herd7 reads: threads P0, P1, ... of loads, stores,
 * read-modify-writes and fences, one statement a line. All outcomes (registers, and at last the
 * words) that the explorer finds are compared with those herd7 finds under rc11.cat, which stand in
 * litmus/verdicts.txt.
 */
#include "sim/explore/litmus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/explore/explore.h"

enum {
    WORDS = 4, /* x y z w */
    REGISTERS = 4,
    STATEMENTS = 8,
    OUTCOMES = 256,
    OUTCOME_TEXT = 160,
};

enum verb { VERB_LOAD, VERB_STORE, VERB_ADD, VERB_EXCHANGE, VERB_FENCE };

struct statement {
    enum verb verb;
    unsigned word;
    unsigned target; /* register */
    unsigned value;
    char order[32]; /* behind memory_order_ */
};

static struct statement statements[EXPLORE_THREADS][STATEMENTS];
static unsigned statement_count[EXPLORE_THREADS];
static unsigned thread_count;
static uint32_t words[WORDS];
static uint32_t registers[EXPLORE_THREADS][REGISTERS];
static char condition[256]; /* what it does not name is not shown, as herd7 does it */
static char outcomes[OUTCOMES][OUTCOME_TEXT];
static unsigned outcome_count;

static unsigned word_of(char letter)
{
    return letter == 'w' ? 3 : (unsigned)(letter - 'x');
}

/* One line; false: it is no statement. */
static bool statement_read(const char *line, struct statement *statement)
{
    char letter;

    if (sscanf(line, " atomic_store_explicit(%c, %u, memory_order_%31[a-z_])", &letter,
               &statement->value, statement->order) == 3) {
        statement->verb = VERB_STORE;
    } else if (sscanf(line, " int r%u = atomic_load_explicit(%c, memory_order_%31[a-z_])",
                      &statement->target, &letter, statement->order) == 3) {
        statement->verb = VERB_LOAD;
    } else if (sscanf(line, " int r%u = atomic_fetch_add_explicit(%c, %u, memory_order_%31[a-z_])",
                      &statement->target, &letter, &statement->value, statement->order) == 4) {
        statement->verb = VERB_ADD;
    } else if (sscanf(line, " int r%u = atomic_exchange_explicit(%c, %u, memory_order_%31[a-z_])",
                      &statement->target, &letter, &statement->value, statement->order) == 4) {
        statement->verb = VERB_EXCHANGE;
    } else if (sscanf(line, " atomic_thread_fence(memory_order_%31[a-z_])", statement->order) ==
               1) {
        statement->verb = VERB_FENCE;
        return true;
    } else {
        return false;
    }
    statement->word = word_of(letter);
    return statement->word < WORDS;
}

static bool program_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256];

    memset(statement_count, 0, sizeof(statement_count));
    thread_count = 0;
    condition[0] = '\0';
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        struct statement statement = {0};

        if (line[0] == 'P') {
            thread_count++;
        } else if (thread_count > 0 && statement_read(line, &statement)) {
            statements[thread_count - 1][statement_count[thread_count - 1]++] = statement;
        } else if (strncmp(line, "exists", 6) == 0) {
            strcpy(condition, line);
        }
    }
    fclose(file);
    return thread_count > 0;
}

static enum explore_order order_of(const char *order)
{
    if (strcmp(order, "acquire") == 0) {
        return EXPLORE_ACQUIRE;
    }
    if (strcmp(order, "release") == 0) {
        return EXPLORE_RELEASE;
    }
    return strcmp(order, "acq_rel") == 0 ? EXPLORE_ACQ_REL : EXPLORE_RELAXED;
}

static uint64_t replace(uint64_t old, uint64_t operand)
{
    (void)old;
    return operand;
}

static uint64_t add(uint64_t old, uint64_t operand)
{
    return old + operand;
}

static void fence(const char *order)
{
    if (strcmp(order, "acquire") == 0) {
        explore_fence_acquire();
    } else if (strcmp(order, "release") == 0) {
        explore_fence_release();
    } else {
        explore_fence();
    }
}

static void begin(void)
{
    memset(words, 0, sizeof(words));
    memset(registers, 0, sizeof(registers));
}

static void run(unsigned self)
{
    for (unsigned i = 0; i < statement_count[self]; i++) {
        const struct statement *statement = &statements[self][i];
        uint32_t *word = &words[statement->word];
        enum explore_order order = order_of(statement->order);
        uint32_t *target = &registers[self][statement->target];

        switch (statement->verb) {
        case VERB_LOAD:
            *target = (uint32_t)explore_load(word, sizeof(*word), order);
            break;
        case VERB_STORE:
            explore_store(word, sizeof(*word), statement->value, order);
            break;
        case VERB_ADD:
            *target = (uint32_t)explore_change(word, sizeof(*word), statement->value, add, order);
            break;
        case VERB_EXCHANGE:
            *target =
                (uint32_t)explore_change(word, sizeof(*word), statement->value, replace, order);
            break;
        case VERB_FENCE:
            fence(statement->order);
            break;
        }
    }
}

/* Adds `name=value;` if the condition names it. */
static void show(char *text, const char *name, uint32_t value)
{
    size_t at = strlen(text);

    if (strstr(condition, name) != NULL) {
        (void)snprintf(text + at, OUTCOME_TEXT - at, "%s%s=%u;", at == 0 ? "" : " ", name, value);
    }
}

/* The outcome in herd7's words: `0:r0=1; 1:r0=0; [x]=1;`. */
static void end(void)
{
    char text[OUTCOME_TEXT] = "";
    char name[16];

    for (unsigned t = 0; t < thread_count; t++) {
        for (unsigned r = 0; r < REGISTERS; r++) {
            (void)snprintf(name, sizeof(name), "%u:r%u", t, r);
            show(text, name, registers[t][r]);
        }
    }
    for (unsigned i = 0; i < WORDS; i++) {
        (void)snprintf(name, sizeof(name), "[%c]", "xyzw"[i]);
        show(text, name, words[i]);
    }
    for (unsigned i = 0; i < outcome_count; i++) {
        if (strcmp(outcomes[i], text) == 0) {
            return;
        }
    }
    if (outcome_count < OUTCOMES) {
        strcpy(outcomes[outcome_count++], text);
    }
}

static int compare(const void *one, const void *other)
{
    return strcmp(one, other);
}

bool litmus_run(const char *folder, const char *name, const struct litmus_verdict *verdict,
                uint64_t *executions)
{
    const struct explore_program program = {
        .name = name, .threads = 0, .begin = begin, .thread = run, .end = end};
    struct explore_program sized = program;
    struct explore_result result;
    char path[512];
    bool same;

    (void)snprintf(path, sizeof(path), "%s/%s.litmus", folder, name);
    if (!program_read(path)) {
        printf("%s: cannot be read\n", path);
        return false;
    }
    sized.threads = thread_count;
    outcome_count = 0;
    explore(&sized, 1000000, &result);
    *executions += result.executions;
    qsort(outcomes, outcome_count, sizeof(outcomes[0]), compare);
    same = result.complete && outcome_count == verdict->count;
    for (unsigned i = 0; same && i < outcome_count; i++) {
        same = strcmp(outcomes[i], verdict->outcome[i]) == 0;
    }
    if (!same) {
        printf("%s: herd7 has %u outcomes, the explorer %u:\n", name, verdict->count,
               outcome_count);
        for (unsigned i = 0; i < outcome_count; i++) {
            printf("  %s\n", outcomes[i]);
        }
    }
    return same;
}
