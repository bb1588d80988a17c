/* SPDX-License-Identifier: MIT */
/* Ids, buffers and answer slots that a promised call may not have. */
#include "core/string.h"
#include "tests/programs/pipeline/pipeline.h"

/* Ids that name nothing, are in use, or stand for the call itself. */
void ids_refused(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct rt_answer_id beyond = {.raw = 1U << ANSWER_SLOT_BITS | LIMIT_ANSWERS};
    struct sqe entry = greet(bench, id);
    struct sqe again = greet(bench, id);
    struct rt_operation first;
    struct cqe completion;

    first = check_submit(bench->check, bench->ring, &entry);
    completion = check_done(bench->check, bench->ring, &again);
    CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_ANSWER);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_ANSWER);
    again = greet(bench, beyond);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    again = promised(bench, beyond, (struct rt_answer_id){.raw = 0});
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    beyond.raw = id.raw ^ 1U << ANSWER_SLOT_BITS;
    again = promised(bench, beyond, (struct rt_answer_id){.raw = 0});
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    again = rt_finish_entry(beyond);
    completion = check_done(bench->check, bench->ring, &again);
    CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_ANSWER);
    CHECK_EQUAL(check, completion.refusal.amount, beyond.raw);
    answer(bench, received(bench), false);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result, 0);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
    again = rt_finish_entry(id);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    /* A call cannot be promised from itself; what it leaves is a broken answer. */
    id = rt_answer_take(bench->ring);
    again = promised(bench, id, id);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    again = promised(bench, id, (struct rt_answer_id){.raw = 0});
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BROKEN);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
}

/* Buffers of a promised call lie in the arena. */
void buffers_refused(struct bench *bench)
{
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe first = greet(bench, id);
    struct sqe entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    uint64_t outside[8] = {0};
    struct rt_operation operation = check_submit(bench->check, bench->ring, &first);
    struct cqe completion;

    entry.message = (uint64_t)(uintptr_t)outside;
    entry.message_bytes = sizeof(outside);
    completion = check_done(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_MESSAGE);
    entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    entry.result = (uint64_t)(uintptr_t)outside;
    completion = check_done(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_RESULT);
    answer(bench, received(bench), false);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation).result, 0);
    CHECK_EQUAL(bench->check, rt_finish(bench->ring, id), TRANSPORT_OK);
}

/* A promised call without message and answer is refused for where they would be when it is sent,
 * which is when a server that waits on answers what it is promised from. */
void empty_buffers_refused(struct bench *bench)
{
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct rt_buffer result = rt_buffer_alloc(bench->ring, 128);
    struct transfer transfer = {
        .cap = bench->client, .mode = TRANSFER_COPY, .path = RT_PATH(first_path)};
    struct sqe first = greet(bench, id);
    struct sqe entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    struct sqe answers = {.opcode = OPCODE_RETURN_RECV,
                          .cap = bench->owner.cap,
                          .transfers = 1,
                          .message = (uint64_t)(uintptr_t)bench->buffer.bytes,
                          .result = (uint64_t)(uintptr_t)bench->inbox.bytes,
                          .result_bytes = bench->inbox.size};
    struct rt_operation operation[4];
    struct cqe completion;

    first.result = (uint64_t)(uintptr_t)result.bytes;
    first.result_bytes = 128;
    entry.message_bytes = entry.result_bytes = 0;
    entry.message = entry.result = first.result + UINT32_MAX / 8 * 8;
    operation[0] = check_submit(bench->check, bench->ring, &first);
    operation[1] = check_submit(bench->check, bench->ring, &entry);
    answers.token = received(bench);
    memcpy(bench->buffer.bytes, &transfer, sizeof(transfer));
    operation[2] = check_submit(bench->check, bench->ring, &answers);
    completion = check_completion(bench->check, bench->ring, operation[1]);
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_MESSAGE);
    completion = check_completion(bench->check, bench->ring, operation[0]);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, answer_cap(bench, &completion, result.bytes)),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, rt_finish(bench->ring, id), TRANSPORT_OK);
    entry = greet(bench, (struct rt_answer_id){.raw = 0}); /* for whom the server waited */
    operation[3] = check_submit(bench->check, bench->ring, &entry);
    CHECK(bench->check, check_completion(bench->check, bench->ring, operation[2]).result > 0);
    answer(bench, ((const struct endpoint_message *)(const void *)bench->inbox.bytes)->token,
           false);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[3]).result, 0);
    rt_buffer_free(bench->ring, result);
}

/* Every answer slot in use; the ids come back. */
void slots_used_up(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id[LIMIT_ANSWERS];
    struct sqe entry;

    for (unsigned i = 0; i < LIMIT_ANSWERS; i++) {
        id[i] = rt_answer_take(bench->ring);
        CHECK(check, id[i].raw != 0);
        entry = greet(bench, id[i]);
        entry.cap.raw = 1;
        CHECK_EQUAL(check, check_done(bench->check, bench->ring, &entry).result, TRANSPORT_BAD_CAP);
    }
    CHECK_EQUAL(check, rt_answer_take(bench->ring).raw, 0);
    for (unsigned i = 0; i < LIMIT_ANSWERS; i++) {
        CHECK_EQUAL(check, rt_finish(bench->ring, id[i]), TRANSPORT_OK);
    }
}
