/* SPDX-License-Identifier: MIT */
/* An endpoint at which a program learns that another one has come so far, and lets it go on. */
#ifndef TESTS_PROGRAMS_SUPPORT_GATE_H
#define TESTS_PROGRAMS_SUPPORT_GATE_H

#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"

enum {
    GATE_MESSAGE_BYTES = 64, /* of a call through it */
};

/* The endpoint, and a client's edge of it, which may be passed on: it is called as NullObject. */
struct gate {
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_buffer inbox;
    struct rt_buffer reply; /* of GATE_MESSAGE_BYTES */
};

/* Makes one, with the program's "endpoint-factory"; gate_end() lets go of all of it. */
struct gate gate_make(struct check *check);
void gate_end(struct check *check, struct gate *gate);

/* Takes the next call, which is waited for; its token. */
uint64_t gate_take(struct check *check, struct gate *gate);

/* Answers that call with the first eight bytes of the reply. */
void gate_answer(struct check *check, struct gate *gate, uint64_t token);

/* Takes the next call and answers it; its method, UINT16_MAX if there is none. */
uint16_t gate_pass(struct check *check, struct gate *gate);

#endif
