/* SPDX-License-Identifier: MIT */
/* Calls that differ in one thing: the capability, the method, the form, buffers, descriptors,
 * scratch. */
#include "abi/ledgers.h"
#include "core/string.h"
#include "tests/programs/unusual/unusual.h"
#include "user/rt/cap.h"

enum {
    ECHO_WORDS = 40, /* of a payload whose echo needs more than LIMIT_ANSWER_ROOM */
};

/* ---- the capability and the method ----------------------------------------------------------- */

/* Calls through a stale id that are refused for their form, which is looked at first, or whose
 * answer is kept: broken, until it is given back. */
static void stale_calls_differ(struct bench *bench, struct cap_id stale)
{
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe finish = {.opcode = OPCODE_FINISH, .answer = id.raw};
    struct sqe entry = usual(bench);

    entry.cap = stale;
    REFUSED(bench, &entry, STALE_CAP, CAP);
    entry.spare = 1;
    REFUSED(bench, &entry, BAD_FIELD, SPARE);
    entry.spare = 0;
    entry.message_bytes = 12;
    REFUSED(bench, &entry, TOO_LARGE, MESSAGE_BYTES);
    entry.message_bytes = 8;
    entry.answer = id.raw;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                TRANSPORT_STALE_CAP);
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
    rt_answer_release(bench->ring, id);
}

static void capabilities_differ(struct bench *bench)
{
    struct sqe entry = usual(bench);
    struct rt_delegated made = {.cap = {0}};

    entry.cap.raw += UINT64_C(1) << CAP_SLOT_BITS;
    REFUSED(bench, &entry, BAD_CAP, CAP);
    CHECK_EQUAL(bench->check, rt_duplicate_same(bench->ring, bench->null, &entry.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, entry.cap), 0);
    stale_calls_differ(bench, entry.cap);
    CHECK_EQUAL(bench->check, rt_delegate(bench->ring, bench->null, RT_FACET_SAME, &made, NULL), 0);
    CHECK_EQUAL(bench->check, rt_revoke(bench->ring, made.handle, NULL, NULL), 1);
    entry.cap = made.cap;
    REFUSED(bench, &entry, REVOKED, CAP);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, made.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, made.handle), 0);
}

static void methods_differ(struct bench *bench)
{
    struct sqe entry = usual(bench);
    struct rt_duplicate narrow = {.cap = bench->null, .facet = NULL_OBJECT_FACET_ECHO};

    entry.interface_id ^= 1;
    REFUSED(bench, &entry, WRONG_INTERFACE, INTERFACE);
    entry = usual(bench);
    for (unsigned method = 33; method < UINT8_MAX; method += 31) {
        entry.method = (uint8_t)method; /* 64 among them, whose bit is that of 0 in a word */
        EXCEPTED(bench, &entry, UNKNOWN_METHOD, 0, method);
    }
    entry.method = 64 + NULL_OBJECT_METHOD_NOTHING;
    EXCEPTED(bench, &entry, UNKNOWN_METHOD, 0, entry.method);
    entry.method = NULL_OBJECT_METHOD_ECHO; /* without its argument */
    EXCEPTED(bench, &entry, MISSING_ARGUMENT, 0, 0);
    CHECK_EQUAL(bench->check, rt_duplicate(bench->ring, &narrow, &narrow.cap, NULL), 0);
    entry = usual(bench);
    entry.cap = narrow.cap;
    REFUSED(bench, &entry, NO_METHOD, METHOD);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, narrow.cap), 0);
}

/* ---- form and buffers ------------------------------------------------------------------------ */

static void forms_differ(struct bench *bench)
{
    struct sqe entry = usual(bench);

    entry.flags = SQE_MOVE;
    REFUSED(bench, &entry, BAD_FIELD, FLAGS);
    entry = usual(bench);
    entry.opcode = OPCODE_COUNT;
    REFUSED(bench, &entry, BAD_OPCODE, OPCODE);
    entry = usual(bench);
    entry.spare = 1;
    REFUSED(bench, &entry, BAD_FIELD, SPARE);
    entry = usual(bench);
    entry.message_bytes = 12;
    REFUSED(bench, &entry, TOO_LARGE, MESSAGE_BYTES); /* no whole words */
    entry.message_bytes = LIMIT_CALL_BYTES + 8;
    REFUSED(bench, &entry, TOO_LARGE, MESSAGE_BYTES);
    entry = usual(bench);
    entry.result_bytes = LIMIT_ANSWER_ROOM - 8;
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
    entry.result_bytes = 0;
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
}

static void buffers_differ(struct bench *bench)
{
    const uint64_t nowhere = UINT64_C(0x123456789000);
    uint64_t arena_end = address_of(bench->ring->arena) + bench->ring->arena_bytes;
    uint8_t own[ROOM] ALIGNED(8) = {0};
    struct sqe entry = usual(bench);
    struct cqe alone;

    entry.message = nowhere;
    REFUSED(bench, &entry, BAD_BUFFER, MESSAGE);
    entry.message = UINT64_MAX - 7;
    REFUSED(bench, &entry, BAD_BUFFER, MESSAGE);
    entry = usual(bench);
    entry.result = nowhere;
    REFUSED(bench, &entry, BAD_BUFFER, RESULT);
    entry.result = arena_end - LIMIT_ANSWER_ROOM + 8;
    entry.result_bytes = LIMIT_ANSWER_ROOM;
    REFUSED(bench, &entry, BAD_BUFFER, RESULT); /* from the arena into nothing */
    entry = usual(bench);
    entry.message = address_of(own);
    CHECK_EQUAL(bench->check, behind(bench, &entry, &alone).result, 8);
    CHECK_EQUAL(bench->check, alone.result, 8);
    entry = usual(bench);
    memset(own, 0xff, sizeof(own));
    entry.result = address_of(own);
    CHECK_EQUAL(bench->check, behind(bench, &entry, &alone).result, 8);
    CHECK_EQUAL(bench->check, alone.result, 8);
    CHECK(bench->check, own[0] == 0xfc && own[7] == 0 && own[8] == 0xff);
    /* Across the border of two pages of the arena, which are two frames. */
    entry.result = (address_of(bench->message.bytes) + LIMIT_PAGE_BYTES) / LIMIT_PAGE_BYTES *
                       LIMIT_PAGE_BYTES -
                   4;
    memset((void *)(uintptr_t)entry.result, 0xff, 8); /* what is written elsewhere stays so */
    CHECK_EQUAL(bench->check, behind(bench, &entry, &alone).result, 8);
    CHECK(bench->check, memcmp((const void *)(uintptr_t)entry.result, own, 8) == 0);
    memset(bench->message.bytes, 0, bench->message.size);
}

/* A call whose answer is kept: its id is good afterwards, once. */
static void answer_kept(struct bench *bench)
{
    struct sqe entry = usual(bench);

    for (unsigned i = 0; i < 2; i++) {
        struct rt_answer_id id = rt_answer_take(bench->ring);
        struct sqe finish = {.opcode = OPCODE_FINISH, .answer = id.raw};
        struct sqe first = usual(bench);
        struct rt_operation operation = {.id = 0};

        entry.answer = id.raw;
        if (i == 1) {
            operation = check_submit(bench->check, bench->ring, &first);
        }
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 8);
        if (i == 1) {
            CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation).result,
                        8);
        }
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result,
                    TRANSPORT_BAD_ANSWER);
        rt_answer_release(bench->ring, id);
    }
}

/* A thread that has all it waits for has the rest of its batch carried out all the same, behind a
 * call that keeps its answer and goes a short way. */
static void the_rest_of_a_batch(struct bench *bench)
{
    const struct sqe nothing = {.opcode = OPCODE_NOP};
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe entry = usual(bench);
    struct rt_operation operation[6];
    struct cqe completion;

    entry.method = NULL_OBJECT_METHOD_NEXT;
    entry.answer = id.raw;
    for (unsigned i = 0; i < ARRAY_COUNT(operation); i++) {
        if (i == 3) {
            CHECK_EQUAL(bench->check, rt_syscall_cap_enter(0, 0), 3);
        }
        operation[i] = check_submit(bench->check, bench->ring, i == 3 ? &entry : &nothing);
    }
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(3, TIMEOUT_NONE), 6);
    for (unsigned i = 0; i < ARRAY_COUNT(operation); i++) {
        completion = check_completion(bench->check, bench->ring, operation[i]);
        CHECK(bench->check, completion.result >= 0);
    }
    CHECK_EQUAL(bench->check, rt_finish_release(bench->ring, id), TRANSPORT_OK);
}

/* A call that keeps its answer and its FINISH, in a thread that waits for three; behind them the
 * ring still has a FINISH of another answer, of a batch that is over. */
static void the_batch_is_over(struct bench *bench)
{
    const uint32_t id[2] = {1U << ANSWER_SLOT_BITS | 5, 1U << ANSWER_SLOT_BITS | 6};
    const struct sqe nothing = {.opcode = OPCODE_NOP};
    struct rt_operation operation[3];
    struct sqe keep = usual(bench);
    struct sqe finish = {.opcode = OPCODE_FINISH, .flags = SQE_RELEASE};

    keep.method = NULL_OBJECT_METHOD_NEXT;
    for (unsigned round = 0; round < 2; round++) {
        keep.answer = finish.answer = id[0];
        operation[0] = check_submit(bench->check, bench->ring, &keep);
        operation[1] = check_submit(bench->check, bench->ring, &finish);
        finish.answer = id[1];
        if (round == 0) {
            operation[2] = check_submit(bench->check, bench->ring, &finish);
        }
        CHECK_EQUAL(bench->check, rt_syscall_cap_enter(3, TIMEOUT_NONE), 3);
        CHECK(bench->check, check_completion(bench->check, bench->ring, operation[0]).result > 0);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[1]).result,
                    0);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[2]).result,
                    round == 0 ? TRANSPORT_BAD_ANSWER : 0);
        if (round == 0) { /* once around the ring; the last NOP is not read yet */
            keep.answer = id[1];
            CHECK(bench->check, check_done(bench->check, bench->ring, &keep).result > 0);
            for (uint32_t i = 4; i < bench->ring->header->sq_entries - 1; i++) {
                CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &nothing).result,
                            0);
            }
            operation[2] = check_submit(bench->check, bench->ring, &nothing);
            CHECK_EQUAL(bench->check, rt_syscall_cap_enter(0, 0), 1);
        }
    }
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
}

/* ---- descriptors, scratch, room -------------------------------------------------------------- */

static void descriptors_refused(struct bench *bench)
{
    struct transfer *descriptor = (struct transfer *)(void *)(bench->message.bytes + 8);
    struct sqe entry = usual(bench);

    entry.transfers = 1;
    *descriptor = (struct transfer){.cap = bench->null, .mode = TRANSFER_COPY};
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 8);
    descriptor->mode = TRANSFER_MOVE; /* the kernel takes nothing away */
    REFUSED(bench, &entry, BAD_FIELD, TRANSFERS);
    *descriptor = (struct transfer){.cap = bench->null, .mode = TRANSFER_COPY};
    memset((uint8_t *)descriptor + sizeof(*descriptor) - 1, 1, 1); /* its spare bytes */
    REFUSED(bench, &entry, BAD_FIELD, TRANSFERS);
    memset(descriptor, 0, sizeof(*descriptor));
    /* The message is the last of the arena, its descriptor lies behind. */
    entry.message = address_of(bench->ring->arena) + bench->ring->arena_bytes - 8;
    REFUSED(bench, &entry, BAD_BUFFER, TRANSFERS);
}

/* A message that needs more scratch than the quota has, and one that needs none of it. */
static void scratch_short(struct bench *bench)
{
    struct sqe entry = usual(bench);

    entry.method = NULL_OBJECT_METHOD_ECHO; /* the shortest way copies nothing */
    entry.message_bytes = LIMIT_CALL_BYTES;
    refused_at(bench, &entry, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SCRATCH_BYTES, __LINE__);
    entry.message_bytes = 8;
    EXCEPTED(bench, &entry, MISSING_ARGUMENT, 0, 0); /* carried out */
}

/* An answer longer than the room for it is not written, not even in part. */
static void answer_too_long(struct bench *bench)
{
    uint64_t *word = (uint64_t *)(void *)bench->message.bytes;
    struct sqe entry = usual(bench);
    unsigned changed = 0;

    /* A structure of one pointer, to one of ECHO_WORDS words (encoding, "Structs"). */
    word[0] = UINT64_C(1) << 48;
    word[1] = (uint64_t)ECHO_WORDS << 32;
    memset(&word[2], 1, ECHO_WORDS * sizeof(*word));
    entry.method = NULL_OBJECT_METHOD_ECHO;
    entry.message_bytes = (2 + ECHO_WORDS) * sizeof(*word);
    entry.result_bytes = LIMIT_ANSWER_ROOM;
    memset(bench->result.bytes, 0xc3, ROOM);
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                TRANSPORT_NO_ROOM);
    for (unsigned i = 0; i < ROOM; i++) {
        changed += bench->result.bytes[i] != 0xc3;
    }
    CHECK_EQUAL(bench->check, changed, 0);
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
    entry.result_bytes = ROOM;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                (2 + ECHO_WORDS) * sizeof(*word));
    memset(bench->message.bytes, 0, bench->message.size);
}

void calls_differ(struct bench *bench)
{
    capabilities_differ(bench);
    methods_differ(bench);
    forms_differ(bench);
    buffers_differ(bench);
    answer_kept(bench);
    the_rest_of_a_batch(bench);
    the_batch_is_over(bench);
    descriptors_refused(bench);
    scratch_short(bench);
    answer_too_long(bench);
}
