/* SPDX-License-Identifier: MIT */
/* What the files of this program share. */
#ifndef TESTS_PROGRAMS_RACES_H
#define TESTS_PROGRAMS_RACES_H

#include "tests/programs/support/giving.h"
#include "tests/programs/support/rounds.h"

enum {
    RACE_FRAMES = 160, /* of a process of size 1 */
};

/* Starts a process of this program with what `size` threads need. */
int32_t race_spawn(struct rt *rt, struct cap_id spawner, const char *name, uint32_t size,
                   const struct process_grant *grants, uint32_t count,
                   struct process_handle *handle);

void takers(struct check *check); /* revocations.c */
void taker(struct check *check);
void sources(struct check *check);
void crowd(struct check *check);
void pinned(struct check *check); /* ends.c */
void watchers(struct check *check);
void loans(struct check *check);  /* loans.c */
void askers(struct check *check); /* promises.c */
void asker(struct check *check, bool ends);
void leavers(struct check *check);

#endif
