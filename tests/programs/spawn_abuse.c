/* SPDX-License-Identifier: MIT */
/*
 * Hostile use of ProcessSpawner: names, grants, images and messages that must be refused, each with
 * its reason and with nothing changed: after every refusal the caller's table has as many edges as
 * before, which a rightful spawn at the end and the frame census confirm. Needs "process-spawner",
 * "null" (may be passed on) and "measure" (may not); the boot package's binary 0 must be `trial`
 * and binary 1 a program that ends by itself when it holds nothing, and there are three.
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/process.h"

enum {
    BINARY_QUIET = 1, /* spin: as "child" it is the sleeper */
    ROUNDS = 20,

    PRIORITY_TOO_HIGH = LIMIT_PRIORITIES - 1,
};

struct abuse {
    struct check *check;
    struct process_spawner spawner;
    struct cap_id grantable;
    struct cap_id ungrantable;
};

static struct capn_text text(const char *string)
{
    return (struct capn_text){string, string_length(string, LIMIT_CALL_BYTES)};
}

static struct process_grant grant(const char *name, struct cap_id cap)
{
    return (struct process_grant){.name = text(name), .cap = cap, .facet = MANIFEST_FACET_ALL};
}

static struct process_request request_of(const struct process_grant *grants, uint32_t count)
{
    return (struct process_request){.name = text("child"),
                                    .boot_binary = BINARY_QUIET,
                                    .grants = grants,
                                    .grant_count = count,
                                    .quotas = check_quotas(),
                                    .scheduling = {.cpu_mask = UINT64_MAX}};
}

static void refused_at(struct abuse *abuse, const struct process_request *request, int32_t expected,
                       unsigned line)
{
    struct process_handle handle;
    int32_t outcome = process_client_spawn(abuse->check->rt, abuse->spawner, request, &handle);

    if (outcome != expected) {
        (void)rt_print(abuse->check->rt, "spawn_abuse: line %u: %s, expected %s\n", line,
                       client_outcome_name(outcome), client_outcome_name(expected));
    }
    CHECK_EQUAL(abuse->check, outcome, expected);
}

#define REFUSED(abuse, request, expected) refused_at((abuse), (request), (expected), __LINE__)

static void names(struct abuse *abuse)
{
    static const char *const bad[] = {
        "", "Child", "a b", "child/", "../child", "kind\n", "123456789012345678901234567890123"};

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct process_grant named = grant(bad[i], abuse->grantable);
        struct process_request request = request_of(NULL, 0);

        request.name = text(bad[i]);
        REFUSED(abuse, &request, EXCEPTION_REASON_INVALID_NAME);
        request = request_of(&named, 1);
        REFUSED(abuse, &request, EXCEPTION_REASON_INVALID_NAME);
    }
}

static void grants(struct abuse *abuse)
{
    struct process_grant list[LIMIT_TRANSFERS + 1];
    struct process_request request;

    list[0] = grant("same", abuse->grantable);
    list[1] = grant("same", abuse->grantable);
    request = request_of(list, 2);
    REFUSED(abuse, &request, EXCEPTION_REASON_ALREADY_EXISTS);
    list[0] = grant("one", abuse->ungrantable);
    request = request_of(list, 1);
    REFUSED(abuse, &request, EXCEPTION_REASON_NOT_GRANTABLE);
    list[0] = grant("one", (struct cap_id){.raw = 0});
    REFUSED(abuse, &request, EXCEPTION_REASON_MISSING_CAPABILITY);
    list[0] = grant("one", cap_id_make(900, 5));
    REFUSED(abuse, &request, EXCEPTION_REASON_STALE_CAPABILITY);
    list[0] = grant("one", abuse->grantable);
    list[0].badge = 5;
    REFUSED(abuse, &request, EXCEPTION_REASON_WIDER_THAN_SOURCE);
    /* A good grant before a bad one: neither is kept. */
    list[0] = grant("one", abuse->grantable);
    list[1] = grant("two", abuse->ungrantable);
    request = request_of(list, 2);
    REFUSED(abuse, &request, EXCEPTION_REASON_NOT_GRANTABLE);
    for (size_t i = 0; i < ARRAY_COUNT(list); i++) {
        list[i] = grant("many", abuse->grantable);
    }
    request = request_of(list, ARRAY_COUNT(list));
    REFUSED(abuse, &request, TRANSPORT_TOO_LARGE);
}

static void images(struct abuse *abuse)
{
    static const uint32_t bad[] = {3, 1000, UINT32_MAX};

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct process_request request = request_of(NULL, 0);

        request.boot_binary = bad[i];
        REFUSED(abuse, &request, EXCEPTION_REASON_NOT_FOUND);
    }
}

static void priority(struct abuse *abuse)
{
    struct process_request request = request_of(NULL, 0);

    request.scheduling.priority = PRIORITY_TOO_HIGH;
    REFUSED(abuse, &request, EXCEPTION_REASON_WIDER_THAN_SOURCE);
    request.scheduling.priority = UINT8_MAX;
    REFUSED(abuse, &request, EXCEPTION_REASON_WIDER_THAN_SOURCE);
}

/* Requests that the typed client would never build. */
static void messages(struct abuse *abuse)
{
    struct rt *rt = abuse->check->rt;
    struct client client;

    client_open(&client, rt, abuse->spawner.cap, CLIENT_ROOM_SMALL);
    (void)process_spawner_spawn_request(&client.call);
    (void)process_spawner_spawn_invoke(&client.call);
    CHECK_EQUAL(abuse->check, client_close(&client), EXCEPTION_REASON_MISSING_ARGUMENT);
    client_open(&client, rt, abuse->spawner.cap, CLIENT_ROOM_SMALL);
    (void)process_spawner_spawn_params_init_request(process_spawner_spawn_request(&client.call));
    (void)process_spawner_spawn_invoke(&client.call);
    CHECK_EQUAL(abuse->check, client_close(&client), EXCEPTION_REASON_INVALID_NAME);
    client_open(&client, rt, abuse->spawner.cap, CLIENT_ROOM_SMALL);
    process_spawn_request_set_name(
        process_spawner_spawn_params_init_request(process_spawner_spawn_request(&client.call)),
        text("child"));
    (void)process_spawner_spawn_invoke(&client.call);
    CHECK_EQUAL(abuse->check, client_close(&client), EXCEPTION_REASON_MISSING_ARGUMENT);
}

/* An answer that must be written later needs an arena buffer with room; else nothing is spawned. */
static void answers(struct abuse *abuse)
{
    struct rt *rt = abuse->check->rt;
    struct client client;
    struct process_spawn_request_builder builder;

    client_open(&client, rt, abuse->spawner.cap,
                (struct client_room){.request_bytes = 256, .answer_bytes = 64});
    builder =
        process_spawner_spawn_params_init_request(process_spawner_spawn_request(&client.call));
    process_spawn_request_set_name(builder, text("child"));
    process_spawn_request_image_set_boot_binary(process_spawn_request_init_image(builder),
                                                BINARY_QUIET);
    (void)process_spawner_spawn_invoke(&client.call);
    CHECK(abuse->check, client_close(&client) != TRANSPORT_OK);
}

/* After all of that a rightful spawn works, and its handle tells the end. */
static void spawn_rightful(struct abuse *abuse)
{
    struct process_grant one = grant("one", abuse->grantable);
    struct process_request request = request_of(&one, 1);
    struct process_handle handle;
    struct process_end end;
    struct rt *rt = abuse->check->rt;

    CHECK_EQUAL(abuse->check, process_client_spawn(rt, abuse->spawner, &request, &handle),
                TRANSPORT_OK);
    CHECK_EQUAL(abuse->check, process_client_wait(rt, handle, &end), TRANSPORT_OK);
    CHECK_EQUAL(abuse->check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(abuse->check, process_client_kill(rt, handle, 1), TRANSPORT_OK); /* does nothing */
    CHECK_EQUAL(abuse->check, process_client_wait(rt, handle, &end), TRANSPORT_OK);
    CHECK_EQUAL(abuse->check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(abuse->check, rt_release(&rt->ring, handle.cap), TRANSPORT_OK);
    CHECK_EQUAL(abuse->check, process_client_wait(rt, handle, &end), TRANSPORT_STALE_CAP);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct abuse abuse = {.check = &check};

    CHECK_EQUAL(&check,
                rt_find(rt, "process-spawner", PROCESS_SPAWNER_INTERFACE_ID, &abuse.spawner.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(&check, rt_find(rt, "null", NULL_OBJECT_INTERFACE_ID, &abuse.grantable),
                TRANSPORT_OK);
    CHECK_EQUAL(&check, rt_find(rt, "measure", NULL_OBJECT_INTERFACE_ID, &abuse.ungrantable),
                TRANSPORT_OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        names(&abuse);
        grants(&abuse);
        images(&abuse);
        priority(&abuse);
        messages(&abuse);
        answers(&abuse);
    }
    spawn_rightful(&abuse);
    CHECK_EQUAL(&check, rt_ring_blocks_used(&rt->ring), 0);
    return check_end(&check);
}
