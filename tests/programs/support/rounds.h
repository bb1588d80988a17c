/* SPDX-License-Identifier: MIT */
/* Two threads of a program that do something to the same thing, round by round. */
#ifndef TESTS_PROGRAMS_SUPPORT_ROUNDS_H
#define TESTS_PROGRAMS_SUPPORT_ROUNDS_H

#include "tests/programs/support/check.h"
#include "user/lib/thread_spawner.h"

/* Starts a thread with the program's "thread-spawner"; `begin` is lent to it for good. */
void thread_start(struct check *check, struct rt_thread_start *begin, rt_thread_function function);

/* Sleeps until the word, which another thread stores to, is at least so much. */
void wait_until(struct rt *rt, const uint64_t *word, uint64_t value);

/*
 * A round: the first thread delegates "null", sets `cap` and begins the round; the other uses it
 * until the first, having revoked, sets `dead`, and then in its own way; then it sets `done`. All
 * atomic.
 */
struct rounds {
    uint64_t cap;
    uint64_t round;
    uint64_t dead;
    uint64_t done;
    uint64_t failed; /* the last round in which something was wrong; 0: none */
    struct rt_thread_start begin;
};

/* What the first thread does in round n, from 1 to `count`: it calls n * `step` % `below` times
 * before it revokes, so that the rounds differ. */
struct rounds_plan {
    rt_thread_function other;
    uint64_t count;
    uint64_t step;
    uint64_t below;
};

/* The first thread's part, which starts the other one; all rounds must be good. */
void rounds_revoked(struct check *check, struct rounds *rounds, const struct rounds_plan *plan);

#endif
