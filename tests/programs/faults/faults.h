/* SPDX-License-Identifier: MIT */
/* What the files of this program share. */
#ifndef TESTS_PROGRAMS_FAULTS_H
#define TESTS_PROGRAMS_FAULTS_H

#include "core/string.h"
#include "tests/programs/support/giving.h"
#include "user/lib/endpoint.h"
#include "user/lib/fault.h"
#include "user/rt/cap.h"

enum {
    FAULTS_BINARY = 1, /* this program, in the boot package */
    UNMAPPED = LIMIT_USER_MIN + LIMIT_PAGE_BYTES,
    BROKEN_CODE = 5,   /* of "breaks" */
    LARGE_BYTES = 512, /* more than an answer may have */
};

struct endpoint_owner endpoint_make(struct check *check, uint32_t bytes, uint32_t queue);

/* ---- desk.c: an endpoint that faults come to ---- */
struct desk {
    struct check *check;
    struct endpoint_owner owner;
    struct rt_buffer inbox;
};

void desk_open(struct desk *desk, struct check *check, uint32_t queue);
void desk_close(struct desk *desk);

/* The next fault. */
struct fault fault_take(struct desk *desk);
void fault_decide(struct desk *desk, const struct fault *fault, enum fault_action action);

/* Until so many faults wait at the endpoint; a lost one would hang here. */
void faults_await(struct desk *desk, uint32_t count);

/* ---- children.c ---- */

/* What a child is made of besides its name. */
struct making {
    const struct process_grant *grants;
    uint32_t count;
    unsigned threads;
    struct cap_id told;
};

int32_t child_spawn(struct check *check, const char *name, const struct making *making,
                    struct process_handle *handle);

/* One with a console alone. */
struct process_handle simple_spawn(struct check *check, const char *name, struct cap_id told);

/* Waits for its end; it must have ended by what reads() does. */
struct process_end child_end(struct check *check, struct process_handle handle);
void child_faulted(struct check *check, struct process_handle handle);

/* What a child does that is told by its name. */
NORETURN void reads(void);
NORETURN void later(struct rt *rt);
NORETURN void divides(void);
NORETURN void undefined(void);
int breaks(void);

/* ---- the parts: those of the handler, then those of its children ---- */
void handler_mends(struct check *check); /* mended.c */
void handler_ends(struct check *check);  /* causes.c */
void handler_steps(struct check *check);
void handler_serves(struct check *check);
void handler_halves(struct check *check);
void endpoint_vanishes(struct check *check); /* unanswered.c */
void queue_is_full(struct check *check);
void killed(struct check *check);
void revoked(struct check *check);
void answered_badly(struct check *check);
void handler_fails(struct check *check, const char *name);
void refusals(struct check *check); /* refusals.c */

int mended(struct check *check);
int asks(struct check *check);
int halves(struct check *check);
int keeper(struct check *check, bool faults);

#endif
