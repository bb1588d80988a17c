/* SPDX-License-Identifier: MIT */
/*
 * What the pages of docs/abi say of the form of a submission, written apart from core/ring.c and
 * by other means: a list of fields with their places, a list of the fields that each opcode has, a
 * generator of valid submissions, and every way to spoil one field with the refusal it must get.
 * The fuzz targets `sqe` and `dispatch` use it.
 */
#ifndef FUZZ_SQE_ORACLE_H
#define FUZZ_SQE_ORACLE_H

#include "abi/ring.h"
#include "fuzz/dice.h"

/* The refusal that a submission must get. error TRANSPORT_OK: none. */
struct sqe_verdict {
    enum transport_error error;
    enum refusal_argument argument;
    uint32_t limit;
    uint64_t amount;
};

/* A valid submission of an opcode below OPCODE_FORWARD; fields that the pages leave free are any.
 */
void sqe_generate(struct sqe *sqe, uint8_t opcode, struct dice *dice);

enum {
    SQE_FIELDS = 12, /* that can be spoilt, the opcode last */
};

/* Puts what is forbidden into one field, below SQE_FIELDS, of a valid submission; the refusal that
 * follows. Where every value of that field is allowed, the spare bytes are spoilt. */
struct sqe_verdict sqe_spoil(struct sqe *sqe, unsigned field, struct dice *dice);

/* Whether `error` with `refusal` is an answer that the pages allow for any 64 bytes: which of
 * several wrong fields is named is not said, that it is a wrong one is. NULL, or what is wrong. */
const char *sqe_judge(const struct sqe *sqe, enum transport_error error,
                      const struct refusal *refusal);

#endif
