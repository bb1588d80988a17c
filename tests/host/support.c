/* SPDX-License-Identifier: MIT */
/* The random source and the assertion catcher of the host tests. */
#include "tests/host/support.h"

#include "core/assert.h"

void test_random_init(struct test_random *random, uint64_t seed)
{
    random->state = seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x2545f4914f6cdd1d);
    if (random->state == 0) {
        random->state = 1;
    }
}

uint64_t test_random_u64(struct test_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t test_random_below(struct test_random *random, uint64_t bound)
{
    return test_random_u64(random) % bound;
}

bool test_random_one_in(struct test_random *random, uint64_t n)
{
    return test_random_below(random, n) == 0;
}

void test_random_fill(struct test_random *random, void *to, size_t length)
{
    uint8_t *byte = to;

    for (size_t i = 0; i < length; i++) {
        byte[i] = (uint8_t)(test_random_u64(random) >> 32);
    }
}

static jmp_buf catcher;
static bool catching;

bool test_asserts(void (*function)(void *argument), void *argument)
{
    if (setjmp(catcher) != 0) {
        catching = false;
        return true;
    }
    catching = true;
    function(argument);
    catching = false;
    return false;
}

void assert_failed(const char *expression, const char *file, unsigned line)
{
    if (catching) {
        longjmp(catcher, 1);
    }
    fprintf(stderr, "assertion failed: %s (%s:%u)\n", expression, file, line);
    abort();
}
