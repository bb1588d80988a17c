/* SPDX-License-Identifier: MIT */
/* What the acts of the hostile program share: each does one forbidden thing and should not return.
 */
#ifndef TESTS_PROGRAMS_HOSTILE_HOSTILE_H
#define TESTS_PROGRAMS_HOSTILE_HOSTILE_H

#include "user/rt/rt.h"

struct act {
    const char *name; /* the process's name in the manifest chooses the act */
    void (*run)(struct rt *rt);
};

/* Each list ends with an empty entry. */
extern const struct act privileged_acts[];
extern const struct act memory_acts[];
extern const struct act instruction_acts[];

/* An address in the kernel's half, mapped or not: programs cannot tell. */
#define KERNEL_ADDRESS UINT64_C(0xffffffff80100000)

#endif
