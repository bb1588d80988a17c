/* SPDX-License-Identifier: MIT */
/*
 * Submissions: the decision on their form is total, accepts nothing with a forbidden field, refuses
 * nothing without one, and the short way past it (sqe_doubtful) lets through only what it accepts.
 *
 * What is forbidden is stated here once more, byte by byte and from the pages of docs/abi, not from
 * core/ring.c: for each opcode the bytes of an entry that may be other than zero, and what is asked
 * of the values in them. The entry is any 64 bytes, so no bound is needed; the ring under ring_copy
 * has any indices and any size of completion queue, four submissions, and any bytes in them.
 *
 * bound: none on entries; rings of 4 submissions
 * cbmc: core/ring.c
 * options: -I verify/shim --unwind 65
 * prove: prove_decision prove_short_way
 * quick: prove_decision prove_short_way
 * twin: prove_decision | core/ring.c
 *     | X(OPCODE_RECV, KNOWN | USES_CAP | USES_IN, 0)
 *     | X(OPCODE_RECV, KNOWN | USES_CAP | USES_IN | USES_METHOD, 0)
 * twin: prove_decision | core/ring.c
 *     | (sqe->flags & ~wire->flags) != 0
 *     | (sqe->flags & ~wire->flags) > 31
 * twin: prove_decision | core/ring.c
 *     | placed && (sqe->flags & SQE_EXACT_SLOT) == 0 && sqe->slot != 0
 *     | sqe->opcode == OPCODE_DUP && (sqe->flags & SQE_EXACT_SLOT) == 0 && sqe->slot != 0
 * twin: prove_decision | core/ring.c
 *     | if (sqe->opcode >= OPCODE_COUNT ||
 *     | if (sqe->opcode > OPCODE_COUNT ||
 * twin: prove_short_way | core/ring.c
 *     | DOUBT((fields)&USES_TRANSFERS, 0xf0, 8, 24)
 *     | DOUBT((fields)&USES_TRANSFERS, 0xe0, 8, 24)
 * twin: prove_short_way | core/ring.h
 *     | doubt |= sqe_word_take(sqe, shared, doubtful, 7);
 *     | (void)sqe_word_take(sqe, shared, doubtful, 7);
 */
#include "verify/prover.h"

#include "core/ring.h"

void prove_decision(void);
void prove_short_way(void);

/* Bytes of an entry: docs/abi names each field, abi/ring.h says where it lies. */
enum {
    OPCODE = 0x1,
    FLAGS = 0x2,
    METHOD = 0x4,
    TRANSFERS = 0x8,
    MESSAGE_BYTES = 0xf0,
    USER_DATA = 0xff00,
    CAP = 0xff0000, /* or a promise */
};
#define SECOND       UINT64_C(0xff000000) /* interface, token, facet, target */
#define MESSAGE      UINT64_C(0xff00000000)
#define RESULT       UINT64_C(0xff0000000000)
#define RESULT_BYTES UINT64_C(0xf000000000000)
#define LAST         UINT64_C(0xf0000000000000) /* answer, slot, value */

/* The bytes that a page of docs/abi names; false: there is no such page, or it says that nothing of
 * this opcode is accepted. Bit i: byte i of the entry. */
static bool page_of(uint8_t opcode, uint64_t *bytes, uint8_t *flags)
{
    const uint64_t all = OPCODE | USER_DATA;
    const uint64_t message = MESSAGE | MESSAGE_BYTES | TRANSFERS;
    const uint64_t result = RESULT | RESULT_BYTES;

    *flags = 0;
    switch (opcode) {
    case 0: /* NOP */
        *bytes = all;
        return true;
    case 1: /* CALL */
        *bytes = all | FLAGS | METHOD | message | CAP | SECOND | result | LAST;
        *flags = 2;
        return true;
    case 2: /* RECV */
        *bytes = all | CAP | result;
        return true;
    case 3: /* RETURN */
        *bytes = all | FLAGS | message | CAP | SECOND;
        *flags = 1;
        return true;
    case 4: /* RETURN_RECV */
        *bytes = all | FLAGS | message | CAP | SECOND | result;
        *flags = 1;
        return true;
    case 5: /* RELEASE */
    case 9: /* REVOKE */
        *bytes = all | CAP;
        return true;
    case 6: /* DUP */
        *bytes = all | FLAGS | CAP | SECOND | LAST;
        *flags = 4 | 8 | 64;
        return true;
    case 7: /* TRANSFER */
        *bytes = all | FLAGS | CAP | SECOND | LAST;
        *flags = 4 | 16 | 32;
        return true;
    case 8:  /* DELEGATE */
    case 13: /* WATCH */
        *bytes = all | CAP | SECOND;
        return true;
    case 10: /* TOKEN */
        *bytes = all | SECOND | LAST;
        return true;
    case 11: /* FINISH */
        *bytes = all | FLAGS | LAST;
        *flags = 128;
        return true;
    case 12: /* CANCEL */
        *bytes = all | SECOND;
        return true;
    case 14: /* PARK */
        *bytes = all | CAP | MESSAGE | RESULT | LAST;
        return true;
    case 15: /* UNPARK */
        *bytes = all | CAP | MESSAGE | LAST;
        return true;
    default:
        return false;
    }
}

static uint32_t u32_at(const uint8_t *byte)
{
    return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

/* Whether the pages allow these 64 bytes. */
static bool pages_allow(const uint8_t *byte)
{
    uint64_t bytes;
    uint8_t flags;

    if (!page_of(byte[0], &bytes, &flags)) {
        return false;
    }
    for (unsigned i = 0; i < 64; i++) {
        if ((bytes >> i & 1) == 0 && byte[i] != 0) {
            return false;
        }
    }
    if ((byte[1] & ~flags) != 0 || byte[3] > 16 || u32_at(byte + 4) > 60 * 1024 ||
        (byte[4] & 7) != 0) {
        return false;
    }
    if (byte[0] == 1 && (byte[1] & 2) != 0) { /* a promise: an answer, and a path of its steps */
        return u32_at(byte + 16) != 0 && byte[20] != 0 && (byte[21] != 0 || byte[22] == 0) &&
               (byte[22] != 0 || byte[23] == 0);
    }
    if (byte[0] == 6 && (byte[1] & 12) == 12) { /* one place, not two */
        return false;
    }
    /* A slot that no flag asks for. */
    return (byte[0] != 6 && byte[0] != 7) || (byte[1] & 4) != 0 || u32_at(byte + 52) == 0;
}

static void any_entry(struct sqe *sqe)
{
    uint64_t word[8] = {nondet_u64(), nondet_u64(), nondet_u64(), nondet_u64(),
                        nondet_u64(), nondet_u64(), nondet_u64(), nondet_u64()};

    memcpy(sqe, word, sizeof(*sqe));
}

/* Total: any 64 bytes have an answer, no assertion of core is reached, nothing overflows. */
void prove_decision(void)
{
    struct sqe sqe;
    struct sqe before;
    struct refusal refusal;
    enum transport_error error;
    bool allowed;

    any_entry(&sqe);
    before = sqe;
    allowed = pages_allow((const uint8_t *)&before);
    error = sqe_wire_validation_error(&sqe, &refusal);
    __CPROVER_assert(error != TRANSPORT_OK || allowed, "no forbidden field is accepted");
    __CPROVER_assert(error == TRANSPORT_OK || !allowed, "nothing else is refused");
    __CPROVER_assert(error == TRANSPORT_OK || error == TRANSPORT_BAD_OPCODE ||
                         error == TRANSPORT_BAD_FIELD || error == TRANSPORT_TOO_LARGE,
                     "the errors of the pages");
    __CPROVER_assert(error == TRANSPORT_OK ? refusal.argument == ARGUMENT_NONE
                                           : refusal.argument != ARGUMENT_NONE,
                     "a refusal names its field");
}

/* Any ring: what ring_copy calls valid beyond doubt is what the pages allow. */
void prove_short_way(void)
{
    static struct ring_header header;
    static struct sqe shared[LIMIT_SQ_ENTRIES_MIN];
    struct ring ring = {.header = &header,
                        .sq = shared,
                        .sq_entries = LIMIT_SQ_ENTRIES_MIN,
                        .cq_entries = nondet_u32(),
                        .sq_head = nondet_u32(),
                        .cq_tail = nondet_u32(),
                        .cq_head = nondet_u32(),
                        .corrupt = nondet_bool()};
    struct sqe sqe;
    struct refusal refusal;
    enum ring_take take;

    header.sq_tail = nondet_u32();
    header.cq_head = nondet_u32();
    __CPROVER_assume(ring_check(&ring) == 0);
    any_entry(&shared[ring.sq_head & (ring.sq_entries - 1)]);
    take = ring_copy(&ring, &sqe);
    __CPROVER_assert(ring_check(&ring) == 0, "the ring's invariants");
    if (take == RING_TAKE_ENTRY) {
        __CPROVER_assert(pages_allow((const uint8_t *)&sqe), "beyond doubt");
        __CPROVER_assert(sqe_wire_validation_error(&sqe, &refusal) == TRANSPORT_OK, "valid");
    }
}
