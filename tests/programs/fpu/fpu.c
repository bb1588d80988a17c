/* SPDX-License-Identifier: MIT */
/*
 * Floating-point state belongs to a thread. By its name in the manifest the program
 *   fpu-fill    leaves a pattern in every vector register and ends,
 *   fpu-fresh   begins with an empty state, whoever ran before it,
 *   fpu-a, -b   keep a pattern of their own while they take turns on one CPU; each counts how often
 *               it was interrupted and says whether that was often. On one CPU it must have been,
 *               and the scene looks for that; on several they may run apart.
 */
#include "core/string.h"
#include "tests/programs/support/check.h"
#include "user/rt/call.h"

enum {
    PATTERN_BYTES = 256,
    MXCSR_INITIAL = 0x1f80,
    MXCSR_ROUND_UP = 0x5f80,
    X87_INITIAL = 0x037f,
    ROUNDS = 20,
    STRETCHES = 150,
    GAP_US = 200, /* longer than any interrupt, shorter than any turn of another process */
    TURNS_WANTED = 3,
    SEED_A = 0x11,
    SEED_B = 0x77,
    UPPER_HALF = 128, /* xmm8 and up: nothing between entry and main uses them */
};

void fpu_load(const uint8_t pattern[PATTERN_BYTES], uint32_t mxcsr);
uint32_t fpu_store(uint8_t pattern[PATTERN_BYTES], uint64_t *x87);
uint64_t fpu_spin(uint64_t stretches, uint64_t gap);
uint16_t fpu_control(void);

static void pattern_make(uint8_t pattern[PATTERN_BYTES], uint8_t seed)
{
    for (unsigned i = 0; i < PATTERN_BYTES; i++) {
        pattern[i] = (uint8_t)(seed + i * 7);
    }
    pattern[7] = 0; /* the x87 number stays exact */
}

static void fresh(struct check *check, const uint8_t found[PATTERN_BYTES], uint32_t mxcsr,
                  uint16_t control)
{
    unsigned residue = 0;

    for (unsigned i = UPPER_HALF; i < PATTERN_BYTES; i++) {
        residue += found[i] != 0;
    }
    CHECK_EQUAL(check, residue, 0);
    CHECK_EQUAL(check, mxcsr, MXCSR_INITIAL);
    CHECK_EQUAL(check, control, X87_INITIAL);
}

static void keep(struct check *check, uint8_t seed)
{
    uint64_t gap = check->rt->start->clock_hertz / 1000000 * GAP_US;
    uint8_t pattern[PATTERN_BYTES];
    uint8_t found[PATTERN_BYTES];
    uint64_t turns = 0;

    pattern_make(pattern, seed);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t expected;
        uint64_t x87 = 0;
        uint32_t mxcsr;

        fpu_load(pattern, MXCSR_ROUND_UP);
        turns += fpu_spin(STRETCHES, gap);
        mxcsr = fpu_store(found, &x87);
        __builtin_memcpy(&expected, pattern, sizeof(expected));
        CHECK(check, memcmp(pattern, found, sizeof(pattern)) == 0);
        CHECK_EQUAL(check, mxcsr & ~UINT32_C(0x3f), MXCSR_ROUND_UP);
        CHECK_EQUAL(check, x87, expected);
    }
    (void)rt_print(check->rt, "%s: %s\n", seed == SEED_A ? "fpu-a" : "fpu-b",
                   turns >= TURNS_WANTED ? "took turns" : "ran alone");
}

int main(struct rt *rt)
{
    uint8_t found[PATTERN_BYTES];
    uint32_t mxcsr = fpu_store(found, NULL);
    uint16_t control = fpu_control();
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "fpu-fill")) {
        uint8_t pattern[PATTERN_BYTES];

        pattern_make(pattern, 1);
        fpu_load(pattern, MXCSR_ROUND_UP);
        rt_exit(0);
    }
    if (rt_name_is(rt, "fpu-fresh")) {
        fresh(&check, found, mxcsr, control);
    } else {
        keep(&check, rt_name_is(rt, "fpu-a") ? SEED_A : SEED_B);
    }
    return check_end(&check);
}
