/* SPDX-License-Identifier: MIT */
/*
 * What every harness needs: values that may be anything, and the one way in which core/ gives up.
 */
#ifndef VERIFY_PROVER_H
#define VERIFY_PROVER_H

#include "abi/compiler.h"

bool nondet_bool(void);
uint8_t nondet_u8(void);
uint16_t nondet_u16(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);

/* An ASSERT of core/ that can fail is a failure of the proof. */
NORETURN void assert_failed(const char *expression, const char *file, unsigned line)
{
    (void)expression;
    (void)file;
    (void)line;
    __CPROVER_assert(false, "an assertion of core");
    __CPROVER_assume(false);
}

#endif
