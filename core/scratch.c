/* SPDX-License-Identifier: MIT */
/*
 * Scratch.
 *
 * Purpose: the private copy of a message and the place where its answer is built, without an
 * allocation for each call and without a way for one process's bytes into another's answer.
 *
 *   free --take--> taken --give--> free
 *
 * Cleared lazily: a use tells how much it wrote, and the next one clears of that what it does not
 * overwrite itself. So a buffer of 32 KiB costs a small call nothing, and a run of equal calls
 * clears nothing at all.
 *
 * Bounded and charged: the capacity is fixed, and an operation that needs more than
 * SCRATCH_FREE_BYTES is charged all of it while it lasts. Pressure is an error with a name (the
 * ledger's line scratchBytes, or TOO_LARGE here), never a wait and never an allocation.
 *
 * Invariants (scratch_check):
 *  1. dirty and taken are at most the capacity.
 *  2. While it is free, every byte at dirty and above is zero.
 *
 * Locks: none; a scratch belongs to one CPU, which runs one operation at a time.
 */
#include "core/scratch.h"

#include "core/assert.h"
#include "core/string.h"

void scratch_init(struct scratch *scratch, uint8_t *bytes, uint32_t capacity)
{
    ASSERT(bytes != NULL && capacity > 0);
    *scratch = (struct scratch){.bytes = bytes, .capacity = capacity, .dirty = capacity};
}

enum status scratch_take(struct scratch *scratch, uint32_t bytes, uint32_t filled)
{
    ASSERT(bytes > 0 && filled <= bytes);
    if (scratch->taken != 0) {
        return STATUS_BUSY;
    }
    if (bytes > scratch->capacity) {
        return STATUS_TOO_LARGE;
    }
    if (scratch->dirty > filled) {
        memset(scratch->bytes + filled, 0, scratch->dirty - filled);
    }
    scratch->taken = bytes;
    return STATUS_OK;
}

void scratch_give(struct scratch *scratch, uint32_t written)
{
    ASSERT(scratch->taken != 0);
    ASSERT(written <= scratch->taken);
    scratch->dirty = written;
    scratch->taken = 0;
}

uint64_t scratch_charge(uint64_t bytes)
{
    return bytes > SCRATCH_FREE_BYTES ? bytes : 0;
}

unsigned scratch_check(const struct scratch *scratch)
{
    if (scratch->dirty > scratch->capacity || scratch->taken > scratch->capacity) {
        return 1;
    }
    if (scratch->taken == 0 &&
        !bytes_all(scratch->bytes + scratch->dirty, scratch->capacity - scratch->dirty, 0)) {
        return 2;
    }
    return 0;
}
