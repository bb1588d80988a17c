/* SPDX-License-Identifier: MIT */
/*
 * Scratch: a bounded buffer in which one operation after another works, for whoever's process. What
 * one leaves behind the next cannot see. Pure; one CPU uses a scratch at a time. The theory is in
 * scratch.c.
 */
#ifndef CORE_SCRATCH_H
#define CORE_SCRATCH_H

#include "core/status.h"

enum {
    SCRATCH_FREE_BYTES = 1024, /* of one operation, which nobody is charged for */
};

struct scratch {
    uint8_t *bytes; /* the owner's, as long as the scratch is used */
    uint32_t capacity;
    uint32_t dirty; /* bytes from here on are zero, except what is taken */
    uint32_t taken; /* room of the operation under way; 0: none */
};

/* Over `capacity` bytes (at least 1), whatever they hold. */
void scratch_init(struct scratch *scratch, uint8_t *bytes, uint32_t capacity);

/*
 * Takes `bytes` (at least 1) of room. The taker overwrites the first `filled` of them before it
 * reads; all others are zero. STATUS_BUSY: it is taken; STATUS_TOO_LARGE: more than the capacity.
 * Time: what the last user wrote beyond `filled`.
 */
enum status scratch_take(struct scratch *scratch, uint32_t bytes, uint32_t filled) MUST_USE;

/* Ends the use; at most the first `written` bytes were written. */
void scratch_give(struct scratch *scratch, uint32_t written);

/* What an operation of `bytes` in all is charged in LEDGER_SCRATCH_BYTES while it is under way. */
uint64_t scratch_charge(uint64_t bytes);

/* 0, or the number of the first broken invariant of scratch.c. Reads the whole buffer. */
unsigned scratch_check(const struct scratch *scratch) MUST_USE;

#endif
