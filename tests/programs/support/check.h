/* SPDX-License-Identifier: MIT */
/*
 * Checks of test programs: each failed one is printed with its place, and the number of all of them
 * is the program's verdict.
 */
#ifndef TESTS_PROGRAMS_SUPPORT_CHECK_H
#define TESTS_PROGRAMS_SUPPORT_CHECK_H

#include "core/manifest.h"
#include "user/rt/rt.h"

struct check {
    struct rt *rt;
    unsigned passed;
    unsigned failed;
};

/* Counts; prints when `good` is false. Returns `good`. */
bool check_note(struct check *check, bool good, const char *expression, unsigned line);

#define CHECK(check, expression) check_note((check), (expression), #expression, __LINE__)

/* Counts whether two numbers are equal; prints both when they are not. */
bool check_numbers(struct check *check, int64_t found, int64_t expected, unsigned line);

#define CHECK_EQUAL(check, found, expected)                                                        \
    check_numbers((check), (int64_t)(found), (int64_t)(expected), __LINE__)

/* Submits an entry that must be taken in; one that must complete. In a program with several threads
 * `ring` is the calling one's. */
struct rt_operation check_submit(struct check *check, struct rt_ring *ring,
                                 const struct sqe *entry);
struct cqe check_completion(struct check *check, struct rt_ring *ring,
                            struct rt_operation operation);

/* What every refusal of `entry` owes: it names an argument, unless the error is about none, and
 * says what the entry has there, or what it met instead. */
void check_refusal(struct check *check, const struct sqe *entry, const struct cqe *completion);

/* The same of one entry: submits it and waits for what it completes with; check_refusal. */
struct cqe check_done(struct check *check, struct rt_ring *ring, const struct sqe *entry);

/* The capability that the program was started with under `name`. */
struct cap_id check_held(struct check *check, const char *name);

/* What a small child needs: half of what its parent's manifest line should have. */
struct manifest_quotas check_quotas(void);

/* Prints the totals; the program's exit code. */
int check_end(const struct check *check);

#endif
