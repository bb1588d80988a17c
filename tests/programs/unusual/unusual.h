/* SPDX-License-Identifier: MIT */
/* What the files of this program share. */
#ifndef TESTS_PROGRAMS_UNUSUAL_H
#define TESTS_PROGRAMS_UNUSUAL_H

#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"

enum {
    UNUSUAL_IDLE_NS = 1000 * 1000 * 1000,
    ROOM = 512, /* for any answer */
};

struct bench {
    struct check *check;
    struct rt *rt;
    struct rt_ring *ring;
    struct cap_id null;
    struct rt_buffer message; /* zeros: an empty message of any length */
    struct rt_buffer result;
};

static inline uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

struct sqe usual(const struct bench *bench);

/* The completion of `entry` behind a usual call in one batch; *alone is that without one. */
struct cqe behind(struct bench *bench, const struct sqe *entry, struct cqe *alone);

/* `entry` ends with `error` about `argument`, both times. */
void refused_at(struct bench *bench, const struct sqe *entry, int32_t error, unsigned argument,
                unsigned line);
#define REFUSED(bench, entry, error, argument)                                                     \
    refused_at((bench), (entry), TRANSPORT_##error, ARGUMENT_##argument, __LINE__)

/* What an exception says beside which call it is about. */
struct excepted {
    uint16_t reason;
    uint64_t limit;
    uint64_t amount;
};

/* The completion is such an exception, of the call `entry`. */
void exception_at(struct bench *bench, const struct sqe *entry, const struct cqe *completion,
                  struct excepted expected, unsigned line);
#define EXCEPTION(bench, entry, completion, reason, limit, amount)                                 \
    exception_at((bench), (entry), (completion),                                                   \
                 (struct excepted){EXCEPTION_REASON_##reason, (limit), (amount)}, __LINE__)

/* `entry` ends with such an exception of the callee, both times. */
void excepted_at(struct bench *bench, const struct sqe *entry, struct excepted expected,
                 unsigned line);
#define EXCEPTED(bench, entry, reason, limit, amount)                                              \
    excepted_at((bench), (entry), (struct excepted){EXCEPTION_REASON_##reason, (limit), (amount)}, \
                __LINE__)

/* An endpoint for one short call with one capability at a time. */
struct endpoint_owner endpoint_made(struct bench *bench);

void calls_differ(struct bench *bench);                /* calls.c */
void operations_and_edges_differ(struct bench *bench); /* edges.c */
void slots_used_up(struct bench *bench);               /* the same, and nothing has room after it */
void waits_differ(struct bench *bench);                /* pairs.c */
void answers_differ(struct bench *bench);              /* handed.c */

#endif
