/* SPDX-License-Identifier: MIT */
/* What the files of this program share. */
#ifndef TESTS_PROGRAMS_RACES_H
#define TESTS_PROGRAMS_RACES_H

#include "tests/programs/support/giving.h"
#include "user/lib/thread_spawner.h"

enum {
    RACE_FRAMES = 160, /* of a process of size 1 */
};

/* Starts a process of this program with what `size` threads need. */
int32_t race_spawn(struct rt *rt, struct cap_id spawner, const char *name, uint32_t size,
                   const struct process_grant *grants, uint32_t count,
                   struct process_handle *handle);

/* Starts a thread, which `begin` is lent to. */
void thread_start(struct check *check, struct rt_thread_start *begin, rt_thread_function function);

/* Sleeps until the word is at least so much. */
void wait_until(struct rt *rt, const uint64_t *word, uint64_t value);

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
