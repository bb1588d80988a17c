/* SPDX-License-Identifier: MIT */
/* Chains of four against a server in a thread of its own. */
#include "abi/atomic.h"
#include "core/string.h"
#include "tests/programs/pipeline/pipeline.h"
#include "user/lib/thread_spawner.h"

enum {
    RACE_ROUNDS = 120,
};

/* A server in another thread, which answers every call with a capability until FINISH, mostly by
 * the submission that asks for the next one. */
struct server {
    struct cap_id owner;
    struct cap_id client;
    uint32_t done; /* atomic */
};

static int serve(struct rt *rt, void *argument)
{
    struct server *server = argument;
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES) + 64);
    struct rt_buffer reply = rt_buffer_alloc(&rt->ring, sizeof(struct transfer));
    struct transfer transfer = {
        .cap = server->client, .mode = TRANSFER_COPY, .path = RT_PATH(first_path)};
    struct rt_request request;
    unsigned answered = 0;
    bool over = false;

    rt->ring.checks = false;
    memcpy(reply.bytes, &transfer, sizeof(transfer));
    request = rt_receive(&rt->ring, server->owner, inbox);
    while (!over && request.status > 0) {
        struct rt_reply answer = {.endpoint = server->owner,
                                  .token = request.head->token,
                                  .message = reply.bytes,
                                  .transfers = 1};

        over = request.head->method == GREETER_METHOD_FINISH;
        answer.transfers = !over;
        /* CANCELLED: the caller has given up; that is its right. */
        if (over) {
            (void)!rt_return(&rt->ring, &answer);
        } else if (++answered % 5 == 0) {
            (void)!rt_return(&rt->ring, &answer);
            request = rt_receive(&rt->ring, server->owner, inbox);
        } else {
            request = rt_return_receive(&rt->ring, &answer, inbox);
            if (request.status == TRANSPORT_CANCELLED) {
                request = rt_receive(&rt->ring, server->owner, inbox);
            }
        }
    }
    atomic_store_release_u32(&server->done, 1);
    return 0;
}

enum race {
    RACE_TOGETHER,   /* all four submitted, then one crossing */
    RACE_ONE_BY_ONE, /* each promised while the server may be answering what it is promised from */
    RACE_CANCEL,     /* one of them taken back meanwhile */
    RACE_FINISH,     /* and their answers finished meanwhile, */
    RACE_RELEASE,    /* with what they give */
    RACES,
};

/* The end of a chain against a server on another CPU: what came is whole, and behind the first link
 * that broke everything is broken. */
static void race_ended(struct bench *bench, const struct rt_operation *link, const uint8_t *results,
                       enum race race)
{
    struct check *check = bench->check;
    bool broken = false;

    for (unsigned i = 0; i < 4; i++) {
        struct cqe completion = check_completion(bench->check, bench->ring, link[i]);

        if (completion.result == 0) {
            CHECK(check, !broken);
            CHECK_EQUAL(
                check,
                rt_release(bench->ring, answer_cap(bench, &completion, results + (size_t)128 * i)),
                race == RACE_RELEASE ? TRANSPORT_STALE_CAP : TRANSPORT_OK);
        } else {
            CHECK(check, race == RACE_CANCEL);
            CHECK(check, completion.result == TRANSPORT_CANCELLED ||
                             (broken && completion.result == TRANSPORT_BROKEN));
            broken = true;
        }
    }
}

static void race_run(struct bench *bench, uint8_t *results, unsigned round)
{
    enum race race = (enum race)(round % RACES);
    struct rt_answer_id id[4];
    struct rt_operation link[4];
    int32_t status;

    memset(results, 0, 4 * (size_t)128); /* what is found there came in this round */
    for (unsigned i = 0; i < 4; i++) {
        struct sqe entry;

        id[i] = rt_answer_take(bench->ring);
        entry = i == 0 ? greet(bench, id[0]) : promised(bench, id[i - 1], id[i]);
        entry.result = (uint64_t)(uintptr_t)results + 128 * i;
        entry.result_bytes = 128;
        link[i] = check_submit(bench->check, bench->ring, &entry);
        if (race == RACE_ONE_BY_ONE) {
            CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
        }
    }
    if (race == RACE_TOGETHER) {
        CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 4, TIMEOUT_NONE), TRANSPORT_OK);
    } else if (race == RACE_CANCEL) {
        status = rt_cancel(bench->ring, link[round / RACES % 4]);
        CHECK(bench->check, status == TRANSPORT_OK || status == TRANSPORT_NOT_FOUND);
    }
    if (race < RACE_FINISH) {
        race_ended(bench, link, results, race);
    }
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQUAL(bench->check,
                    race == RACE_RELEASE ? rt_finish_release(bench->ring, id[i])
                                         : rt_finish(bench->ring, id[i]),
                    TRANSPORT_OK);
    }
    if (race >= RACE_FINISH) {
        race_ended(bench, link, results, race);
    }
    CHECK_EQUAL(bench->check, bench->ring->in_flight, 0);
}

void races(struct bench *bench)
{
    static struct server server;
    static struct rt_thread_start begin = {.function = serve, .argument = &server};
    struct rt_buffer results = rt_buffer_alloc(bench->ring, 4 * 128);
    struct thread_spawner spawner;
    struct sqe entry;

    server = (struct server){.owner = bench->owner.cap, .client = bench->client};
    CHECK_EQUAL(bench->check,
                rt_find(bench->rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, thread_client_spawn(bench->rt, spawner, &begin), TRANSPORT_OK);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_run(bench, results.bytes, round);
    }
    entry = greet(bench, (struct rt_answer_id){.raw = 0});
    entry.method = GREETER_METHOD_FINISH;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 0);
    while (atomic_load_acquire_u32(&server.done) == 0) {
        rt_sleep(bench->rt, 1000000);
    }
    rt_buffer_free(bench->ring, results);
}
