/* SPDX-License-Identifier: MIT */
/*
 * What the host tests share: cmocka with the headers it wants, a seeded random source, and
 * assertions of core/ that can be expected. Include it first.
 */
#ifndef TESTS_HOST_SUPPORT_H
#define TESTS_HOST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"

/* A xorshift64* generator: the same seed gives the same numbers everywhere. */
struct test_random {
    uint64_t state;
};

/* `seed` may be anything, 0 too. */
void test_random_init(struct test_random *random, uint64_t seed);
uint64_t test_random_u64(struct test_random *random);
/* Uniform enough in [0, bound); `bound` is not 0. */
uint64_t test_random_below(struct test_random *random, uint64_t bound);
/* True once in `n` on average. */
bool test_random_one_in(struct test_random *random, uint64_t n);
void test_random_fill(struct test_random *random, void *to, size_t length);

/*
 * Whether calling `function(argument)` fails an assertion of core/. An assertion that fails outside
 * of this ends the test program with its text.
 */
bool test_asserts(void (*function)(void *argument), void *argument);

#endif
