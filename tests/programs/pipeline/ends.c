/* SPDX-License-Identifier: MIT */
/* Chains that break, and calls that are given up: FINISH and CANCEL at every moment. */
#include "tests/programs/pipeline/pipeline.h"

enum {
    CHAIN = 20,
};

/* A chain of calls, each promised from the one before, breaks from its first link to its last, each
 * told once; which argument is refused says why. */
void chain_breaks(struct bench *bench, enum chain_end end)
{
    struct check *check = bench->check;
    struct rt_answer_id id[CHAIN];
    struct rt_operation link[CHAIN];
    struct cqe completion;
    struct sqe entry;

    for (unsigned i = 0; i < CHAIN; i++) {
        id[i] = rt_answer_take(bench->ring);
        entry = i == 0 ? greet(bench, id[0]) : promised(bench, id[i - 1], id[i]);
        if (end == CHAIN_REFUSED && i == 0) {
            entry.cap = bench->owner.cap;
        }
        link[i] = check_submit(bench->check, bench->ring, &entry);
    }
    if (end == CHAIN_CANCELLED) {
        CHECK_EQUAL(check, rt_cancel(bench->ring, link[0]), TRANSPORT_OK);
    } else if (end != CHAIN_REFUSED) {
        CHECK(check, !has_come(bench, link[0], &completion));
        CHECK(check, !has_come(bench, link[CHAIN - 1], &completion));
        answer(bench, received(bench), end == CHAIN_EXCEPTION);
    }
    completion = check_completion(bench->check, bench->ring, link[0]);
    CHECK_EQUAL(check, completion.result,
                end == CHAIN_REFUSED     ? TRANSPORT_WRONG_INTERFACE
                : end == CHAIN_CANCELLED ? TRANSPORT_CANCELLED
                                         : 0);
    for (unsigned i = 1; i < CHAIN; i++) {
        completion = check_completion(bench->check, bench->ring, link[i]);
        CHECK_EQUAL(check, completion.result, TRANSPORT_BROKEN);
        CHECK_EQUAL(check, completion.refusal.argument,
                    i == 1 && end == CHAIN_NO_CAPABILITY ? ARGUMENT_PATH : ARGUMENT_ANSWER);
    }
    for (unsigned i = 0; i < CHAIN; i++) {
        CHECK_EQUAL(check, rt_finish(bench->ring, id[i]), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, bench->ring->in_flight, 0);
}

/* FINISH before the answer has come: the id is gone at once, who waits is told all the same. */
void finish_early(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe entry = greet(bench, id);
    struct rt_operation first = check_submit(bench->check, bench->ring, &entry);
    struct rt_operation second;
    struct rt_operation third;

    entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    second = check_submit(bench->check, bench->ring, &entry);
    third = check_submit(bench->check, bench->ring,
                         &(struct sqe){.opcode = OPCODE_FINISH, .answer = id.raw});
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, third).result, TRANSPORT_OK);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &entry).result, TRANSPORT_BAD_ANSWER);
    /* The slot is free once the call is over. */
    entry = greet(bench, id);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &entry).result, TRANSPORT_BAD_ANSWER);
    answer(bench, received(bench), false);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result, 0);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, second).result,
                TRANSPORT_BROKEN);
    first = check_submit(bench->check, bench->ring, &entry);
    answer(bench, received(bench), false);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result, 0);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
}

/* Submits a call that keeps its answer, one promised from it if `waits`, and a FINISH that releases
 * what comes, which is answered first; the call's answer comes then. */
static struct cap_id release_early(struct bench *bench, const uint8_t *result, bool waits)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe entry = greet(bench, id);
    struct rt_operation second = {0};
    struct rt_operation first;
    struct cqe completion;
    struct cap_id cap;

    entry.result = (uint64_t)(uintptr_t)result;
    entry.result_bytes = 128;
    first = check_submit(check, bench->ring, &entry);
    if (waits) {
        entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
        second = check_submit(check, bench->ring, &entry);
    }
    CHECK_EQUAL(check, rt_finish_release(bench->ring, id), TRANSPORT_OK);
    answer_with_cap(bench, received(bench), RT_PATH(first_path));
    completion = check_completion(check, bench->ring, first);
    cap = answer_cap(bench, &completion, result);
    CHECK_EQUAL(check, rt_release(bench->ring, cap), TRANSPORT_STALE_CAP);
    if (waits) { /* it found its target */
        answer(bench, received(bench), false);
        CHECK_EQUAL(check, check_completion(check, bench->ring, second).result, 0);
    }
    return cap;
}

/* FINISH with SQE_RELEASE: what came with the answer goes with it, whenever it comes; what cannot
 * be promised stays. covers: FINISH/BAD_ANSWER */
void finish_releases(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_buffer result = rt_buffer_alloc(bench->ring, 128);
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe finish = rt_finish_release_entry(id);
    struct sqe entry = greet(bench, id);
    struct rt_operation call;
    struct cqe completion;
    struct cap_id cap;

    CHECK_EQUAL(check, check_done(check, bench->ring, &finish).result, TRANSPORT_BAD_ANSWER);
    for (unsigned round = 0; round < 3; round++) {
        entry.result = (uint64_t)(uintptr_t)result.bytes;
        entry.result_bytes = 128;
        call = check_submit(check, bench->ring, &entry);
        /* In the last round at no path. */
        answer_with_cap(bench, received(bench),
                        round < 2 ? RT_PATH(first_path) : (struct answer_path){.step = {0}});
        completion = check_completion(check, bench->ring, call);
        cap = answer_cap(bench, &completion, result.bytes);
        if (round == 1) { /* gone already */
            CHECK_EQUAL(check, rt_release(bench->ring, cap), TRANSPORT_OK);
        }
        CHECK_EQUAL(check, check_done(check, bench->ring, &finish).result, TRANSPORT_OK);
        CHECK_EQUAL(check, check_done(check, bench->ring, &finish).result, TRANSPORT_BAD_ANSWER);
        CHECK_EQUAL(check, rt_release(bench->ring, cap),
                    round < 2 ? TRANSPORT_STALE_CAP : TRANSPORT_OK);
    }
    rt_answer_release(bench->ring, id);
    for (unsigned round = 0; round < 4; round++) {
        cap = release_early(bench, result.bytes, round % 2 == 0);
        CHECK(check, cap.raw != 0);
    }
    rt_buffer_free(bench->ring, result);
}

/* CANCEL of a call that waits for its promise, with so many capabilities: what is promised from its
 * own answer breaks. */
static struct rt_operation waiting_cancelled(struct bench *bench, struct rt_answer_id id,
                                             uint8_t transfers)
{
    const struct transfer given = {.cap = bench->client, .mode = TRANSFER_COPY};
    struct check *check = bench->check;
    struct rt_answer_id kept = rt_answer_take(bench->ring);
    struct sqe entry = promised(bench, id, kept);
    struct rt_operation waiting;
    struct rt_operation behind;
    struct cqe completion;

    memcpy(bench->buffer.bytes, &given, sizeof(given));
    entry.message = (uint64_t)(uintptr_t)bench->buffer.bytes;
    entry.message_bytes = 0;
    entry.transfers = transfers;
    waiting = check_submit(bench->check, bench->ring, &entry);
    entry = promised(bench, kept, (struct rt_answer_id){.raw = 0});
    behind = check_submit(bench->check, bench->ring, &entry);
    CHECK_EQUAL(check, rt_cancel(bench->ring, waiting), TRANSPORT_OK);
    completion = check_completion(check, bench->ring, behind);
    CHECK_EQUAL(check, completion.result, TRANSPORT_BROKEN);
    check_refusal(check, &entry, &completion);
    CHECK_EQUAL(check, rt_finish(bench->ring, kept), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, waiting).result,
                TRANSPORT_CANCELLED);
    return waiting;
}

/* CANCEL of a call that waits for its promise, waits at the endpoint, or is in flight; of a RECV;
 * and of what is over. */
void cancels(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe entry = greet(bench, id);
    struct rt_operation first = check_submit(bench->check, bench->ring, &entry);
    struct rt_operation second;
    struct rt_operation receive;
    uint64_t token;

    (void)waiting_cancelled(bench, id, 0);
    second = waiting_cancelled(bench, id, 1);
    CHECK_EQUAL(check, rt_cancel(bench->ring, second), TRANSPORT_NOT_FOUND);
    CHECK_EQUAL(check, rt_cancel(bench->ring, first), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
    entry = greet(bench, (struct rt_answer_id){.raw = 0});
    first = check_submit(bench->check, bench->ring, &entry);
    token = received(bench);
    CHECK_EQUAL(check, rt_cancel(bench->ring, first), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result,
                TRANSPORT_CANCELLED);
    CHECK(check, rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->owner.cap,
                                                           .token = token,
                                                           .message = bench->buffer.bytes}) < 0);
    entry = (struct sqe){.opcode = OPCODE_RECV,
                         .cap = bench->owner.cap,
                         .result = (uint64_t)(uintptr_t)bench->inbox.bytes,
                         .result_bytes = bench->inbox.size};
    receive = check_submit(bench->check, bench->ring, &entry);
    CHECK_EQUAL(check, rt_cancel(bench->ring, receive), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, receive).result,
                TRANSPORT_CANCELLED);
}
