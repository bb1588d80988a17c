/* SPDX-License-Identifier: MIT */
/* Litmus programs in the explorer, against what herd7 says of them. */
#ifndef SIM_EXPLORE_LITMUS_H
#define SIM_EXPLORE_LITMUS_H

#include "abi/compiler.h"

enum {
    LITMUS_OUTCOMES = 64,
    LITMUS_TEXT = 160,
};

/* All outcomes of one program, sorted. */
struct litmus_verdict {
    char name[32];
    unsigned count;
    char outcome[LITMUS_OUTCOMES][LITMUS_TEXT];
};

/* Explores folder/NAME.litmus; false, with a line of why: not the same outcomes. */
bool litmus_run(const char *folder, const char *name, const struct litmus_verdict *verdict,
                uint64_t *executions);

#endif
