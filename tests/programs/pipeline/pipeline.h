/* SPDX-License-Identifier: MIT */
/* What the files of this program share. */
#ifndef TESTS_PROGRAMS_PIPELINE_H
#define TESTS_PROGRAMS_PIPELINE_H

#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"

enum {
    MESSAGE_BYTES = 4096,
};

struct bench {
    struct check *check;
    struct rt *rt;
    struct rt_ring *ring;
    struct endpoint_factory factory;
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_buffer inbox;
    struct rt_buffer buffer; /* requests and answers: nothing here reads them */
};

static const struct capn_path first_path = {.length = 1, .index = {0}};

/* Whether it has come, after one look at the kernel. */
bool has_come(struct bench *bench, struct rt_operation operation, struct cqe *completion);

/* A call of the endpoint; one promised from an answer. */
struct sqe greet(const struct bench *bench, struct rt_answer_id answer);
struct sqe promised(const struct bench *bench, struct rt_answer_id from,
                    struct rt_answer_id answer);

/* Takes the oldest call that waits at the endpoint; its token. */
uint64_t received(struct bench *bench);
void answer(struct bench *bench, uint64_t token, bool exception);

/* Answers a call with the client's edge at `path`. */
void answer_with_cap(struct bench *bench, uint64_t token, struct answer_path path);

/* The single capability that came with an answer of no bytes; it is given up again. */
struct cap_id answer_cap(struct bench *bench, const struct cqe *completion, const uint8_t *result);

void kernel_chain(struct bench *bench); /* chains.c */
void server_chain(struct bench *bench);
void order_kept(struct bench *bench);
void ids_refused(struct bench *bench); /* refusals.c */
void buffers_refused(struct bench *bench);
void empty_buffers_refused(struct bench *bench);
void slots_used_up(struct bench *bench);
/* How the first call of a chain may end. */
enum chain_end {
    CHAIN_NO_CAPABILITY, /* it answers, with nothing at the path */
    CHAIN_EXCEPTION,
    CHAIN_CANCELLED, /* the first call is taken back */
    CHAIN_REFUSED,   /* at submission */
    CHAIN_ENDS,
};

void chain_breaks(struct bench *bench, enum chain_end end); /* ends.c */
void finish_early(struct bench *bench);
void finish_releases(struct bench *bench);
void cancels(struct bench *bench);
void races(struct bench *bench); /* races.c */

#endif
