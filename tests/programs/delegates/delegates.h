/* SPDX-License-Identifier: MIT */
/* What the files of this program share. */
#ifndef TESTS_PROGRAMS_DELEGATES_H
#define TESTS_PROGRAMS_DELEGATES_H

#include "tests/programs/support/giving.h"

enum {
    DELEGATES_BINARY = 1, /* this program, in the boot package */
};

bool name_begins(const struct rt *rt, const char *prefix);

/* Quotas for a process that starts `below` more, one behind the other. */
struct manifest_quotas delegate_quotas(uint32_t below);

/* Starts a process of this program; one whose name ends in a number, with room for those below. */
int32_t delegate_spawn(struct rt *rt, struct cap_id spawner, const char *name,
                       const struct process_grant *grants, uint32_t count,
                       struct process_handle *handle);

void chains(struct check *check); /* chains.c */
void hop(struct check *check);
void uses(struct check *check);     /* uses.c */
void crossing(struct check *check); /* contests.c */
void cross(struct check *check);
void races(struct check *check);
void inherits(struct check *check); /* descriptors.c */
void heir(struct check *check);
void unmarked(struct check *check);

#endif
