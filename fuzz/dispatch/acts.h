/* SPDX-License-Identifier: MIT */
/* What programs do: an input's bytes as moves. */
#ifndef FUZZ_DISPATCH_ACTS_H
#define FUZZ_DISPATCH_ACTS_H

#include "fuzz/dispatch/play.h"
#include "fuzz/dispatch/words.h"

/* A new input begins. */
void act_reset(void);

/* The next move of whoever is current, from the input. */
void act_next(struct dice *dice);

/* A CALL on a kernel object with capabilities beside it, waited for; what came back. For the
 * beginning, which must succeed. */
struct cqe act_call(enum word_name name, uint64_t cap, const uint64_t *transfers);

/* The id of the first capability that came with the answer of act_call. */
uint64_t act_received(void);

#endif
