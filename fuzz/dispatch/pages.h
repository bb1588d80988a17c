/* SPDX-License-Identifier: MIT */
/* What the pages of docs/abi list, as the build read them (tools/check_opcodes.py). */
#ifndef FUZZ_DISPATCH_PAGES_H
#define FUZZ_DISPATCH_PAGES_H

#include "abi/ring.h"

/* For each opcode, bit n: the page lists the error with value -n. */
extern const uint64_t page_errors[OPCODE_COUNT];

static inline bool page_lists(uint8_t opcode, int32_t error)
{
    uint64_t errors =
        opcode < OPCODE_COUNT ? page_errors[opcode] : UINT64_C(1) << -TRANSPORT_BAD_OPCODE;

    /* What nobody meant for an opcode can be any opcode of none: BAD_OPCODE. */
    return error < 0 && error > -64 && (errors >> -error & 1) != 0;
}

#endif
