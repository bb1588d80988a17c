/* SPDX-License-Identifier: MIT */
/*
 * One program for all the things a process must not be able to do. It does the one that its name in
 * the manifest asks for; if it is still there afterwards, it says so and exits with SURVIVED.
 */
#include "tests/programs/hostile/hostile.h"

#include "core/string.h"

enum {
    SURVIVED = 99,
    UNKNOWN_ACT = 98,
};

static const struct act *act_find(const struct act *acts, const char *name)
{
    for (; acts->name != NULL; acts++) {
        if (string_matches(name, string_length(name, LIMIT_NAME_BYTES), acts->name)) {
            return acts;
        }
    }
    return NULL;
}

int main(struct rt *rt)
{
    const struct act *const lists[] = {privileged_acts, memory_acts, instruction_acts};
    const char *name = rt->start->process_name;

    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        const struct act *act = act_find(lists[i], name);

        if (act != NULL) {
            act->run(rt);
            (void)rt_print(rt, "hostile: %.32s SURVIVED\n", name);
            return SURVIVED;
        }
    }
    (void)rt_print(rt, "hostile: %.32s is no act\n", name);
    return UNKNOWN_ACT;
}
