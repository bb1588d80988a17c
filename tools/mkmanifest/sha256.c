/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 (FIPS 180-4). The round constants are computed as the standard defines them: the first 32
 * bits of the fractional parts of the cube roots of the first 64 primes.
 */
#include "tools/mkmanifest/sha256.h"

#include <string.h>

enum { ROUNDS = 64 };

static uint32_t rotate_right(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

static bool is_prime(unsigned number)
{
    for (unsigned divisor = 2; divisor * divisor <= number; divisor++) {
        if (number % divisor == 0) {
            return false;
        }
    }
    return true;
}

/* The fractional bits of the cube root of `number`: the largest r with r^3 <= number * 2^96, low
 * 32 bits. Products are kept within 128 bits by bounding r to 40 bits. */
static uint32_t cube_root_fraction(unsigned number)
{
    unsigned __int128 target = (unsigned __int128)number << 96;
    uint64_t root = 0;

    for (uint64_t bit = UINT64_C(1) << 36; bit != 0; bit >>= 1) {
        uint64_t trial = root | bit;

        if ((unsigned __int128)trial * trial * trial <= target) {
            root = trial;
        }
    }
    return (uint32_t)root;
}

static uint32_t square_root_fraction(unsigned number)
{
    unsigned __int128 target = (unsigned __int128)number << 64;
    uint64_t root = 0;

    for (uint64_t bit = UINT64_C(1) << 40; bit != 0; bit >>= 1) {
        uint64_t trial = root | bit;

        if ((unsigned __int128)trial * trial <= target) {
            root = trial;
        }
    }
    return (uint32_t)root;
}

static void round_constants(uint32_t constants[ROUNDS])
{
    unsigned prime = 1;

    for (unsigned i = 0; i < ROUNDS; i++) {
        do {
            prime++;
        } while (!is_prime(prime));
        constants[i] = cube_root_fraction(prime);
    }
}

static void schedule(const uint8_t block[SHA256_BLOCK_BYTES], uint32_t words[ROUNDS])
{
    for (unsigned i = 0; i < 16; i++) {
        words[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 |
                   (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
    }
    for (unsigned i = 16; i < ROUNDS; i++) {
        uint32_t a = words[i - 15];
        uint32_t b = words[i - 2];

        words[i] = words[i - 16] + words[i - 7] +
                   (rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3) +
                   (rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10);
    }
}

static void compress(struct sha256 *sha)
{
    uint32_t constants[ROUNDS];
    uint32_t words[ROUNDS];
    uint32_t s[8];

    round_constants(constants);
    schedule(sha->block, words);
    memcpy(s, sha->state, sizeof(s));
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t upper = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t first = s[7] + upper + choice + constants[i] + words[i];
        uint32_t lower = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);

        memmove(s + 1, s, 7 * sizeof(s[0]));
        s[4] += first;
        s[0] = first + lower + majority;
    }
    for (unsigned i = 0; i < 8; i++) {
        sha->state[i] += s[i];
    }
}

void sha256_init(struct sha256 *sha)
{
    unsigned prime = 1;

    *sha = (struct sha256){.length = 0};
    for (unsigned i = 0; i < 8; i++) {
        do {
            prime++;
        } while (!is_prime(prime));
        sha->state[i] = square_root_fraction(prime);
    }
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;

    for (size_t i = 0; i < length; i++) {
        sha->block[sha->length % SHA256_BLOCK_BYTES] = from[i];
        sha->length++;
        if (sha->length % SHA256_BLOCK_BYTES == 0) {
            compress(sha);
        }
    }
}

void sha256_finish(struct sha256 *sha, uint8_t digest[SHA256_BYTES])
{
    uint64_t bits = sha->length * 8;
    uint8_t byte = 0x80;

    do {
        sha256_add(sha, &byte, 1);
        byte = 0;
    } while (sha->length % SHA256_BLOCK_BYTES != SHA256_BLOCK_BYTES - 8);
    for (unsigned i = 0; i < 8; i++) {
        byte = (uint8_t)(bits >> (56 - 8 * i));
        sha256_add(sha, &byte, 1);
    }
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
