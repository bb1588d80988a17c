/* SPDX-License-Identifier: MIT */
/*
 * Sessions and capabilities between processes. The manifest's names choose the parts; the keeper
 * owns the export "keeper", the others hold a client's edge of it, each with a badge of its own.
 *
 *   keeper          mints a session for each call and gives it away with the answer; uses a console
 *                   that comes with a call; ends when every session has ended, each once
 *   client-passes   passes its console by copy, calls through what it gets, exits with all of it
 *   client-moves    moves its console away
 *   client-faults   faults with a call under way that moves a capability
 *   client-leaves   exits at once
 *   client-drops    waits for the end of all others' sessions, then drops its edge with a call
 *                   under way: what ends its session is the answer, and nothing else happens
 *                   afterwards
 */
#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/client.h"
#include "user/lib/console.h"
#include "user/lib/endpoint.h"
#include "user/lib/server.h"

enum {
    MESSAGE_BYTES = 1024,
    CLIENTS = 5,
    BADGE_FIRST = 11, /* of the clients, by the manifest */
    MINTED_STEP = 1000,
    SESSIONS_MAX = 16,
};

struct keeper {
    struct server server;
    struct check *check;
    uint32_t minted;
    uint32_t closed;
    uint64_t minted_badge[SESSIONS_MAX];
    uint64_t closed_badge[SESSIONS_MAX];
};

/* ---- keeper ---------------------------------------------------------------------------------- */

static enum capn_dispatch greet(void *object, struct capn_request *request,
                                struct greeter_greet_params_reader params,
                                struct greeter_greet_results_builder results)
{
    static const char text[] = "keeper: through a console that came with a call\n";
    struct keeper *keeper = object;
    struct rt *rt = keeper->server.rt;
    struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .badge = keeper->server.badge + MINTED_STEP,
                                       .mode = AUTHORITY_TRANSFER_MODE_MOVE};
    struct cap_id minted;
    struct cap_id came = server_borrow(&keeper->server, 0);

    (void)request;
    (void)params;
    if (came.raw != 0 && keeper->server.caps[0].interface_id == CONSOLE_INTERFACE_ID) {
        CHECK_EQUAL(keeper->check,
                    console_client_write(rt, (struct console){.cap = came}, text, sizeof(text) - 1),
                    TRANSPORT_OK);
    }
    CHECK_EQUAL(keeper->check,
                endpoint_client_mint(rt, (struct endpoint_owner){.cap = keeper->server.endpoint},
                                     &session, &minted),
                TRANSPORT_OK);
    CHECK_EQUAL(keeper->check, server_pass(&keeper->server, minted, TRANSFER_MOVE, NULL), 0);
    if (CHECK(keeper->check, keeper->minted < SESSIONS_MAX)) {
        keeper->minted_badge[keeper->minted++] = session.badge;
    }
    greeter_greet_results_set_calls(results, keeper->minted);
    return CAPN_DISPATCH_ANSWERED;
}

/* Answers how many sessions of others have not ended. */
static enum capn_dispatch finish(void *object, struct capn_request *request,
                                 struct greeter_finish_params_reader params,
                                 struct greeter_finish_results_builder results)
{
    struct keeper *keeper = object;

    (void)request;
    (void)params;
    greeter_finish_results_set_calls(results, CLIENTS - 1 + keeper->minted - keeper->closed);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch dispatch(void *object, struct capn_request *request)
{
    static const struct greeter_server server = {.greet = greet, .finish = finish};

    return greeter_dispatch(&server, object, request);
}

static void closed(void *object, uint64_t badge)
{
    struct keeper *keeper = object;
    bool known = badge >= BADGE_FIRST && badge < BADGE_FIRST + CLIENTS;

    for (uint32_t i = 0; i < keeper->closed; i++) {
        CHECK(keeper->check, keeper->closed_badge[i] != badge);
    }
    for (uint32_t i = 0; i < keeper->minted; i++) {
        known |= keeper->minted_badge[i] == badge;
    }
    CHECK(keeper->check, known);
    if (CHECK(keeper->check, keeper->closed < SESSIONS_MAX)) {
        keeper->closed_badge[keeper->closed++] = badge;
    }
    keeper->server.stopping = keeper->closed == CLIENTS + keeper->minted;
}

/* Whether the endpoint says that no badge is open. */
static void no_badge_open(struct keeper *keeper)
{
    struct client client;
    struct endpoint_info_results_reader info;

    client_open(&client, keeper->server.rt, keeper->server.endpoint, CLIENT_ROOM_SMALL);
    (void)endpoint_info_request(&client.call);
    info = endpoint_info_invoke(&client.call);
    CHECK_EQUAL(keeper->check, endpoint_info_results_get_open_badges(info), 0);
    CHECK_EQUAL(keeper->check, endpoint_info_results_get_waiting_calls(info), 0);
    CHECK_EQUAL(keeper->check, client_close(&client), TRANSPORT_OK);
}

static int keep(struct rt *rt, struct check *check)
{
    struct keeper keeper = {.server = {.rt = rt,
                                       .message_bytes = MESSAGE_BYTES,
                                       .dispatch = dispatch,
                                       .closed = closed},
                            .check = check};

    keeper.server.object = &keeper;
    CHECK_EQUAL(check, rt_find(rt, "keeper", ENDPOINT_INTERFACE_ID, &keeper.server.endpoint),
                TRANSPORT_OK);
    CHECK_EQUAL(check, server_run(&keeper.server), TRANSPORT_OK);
    no_badge_open(&keeper);
    (void)rt_print(rt, "keeper: every session ended once\n");
    return check_end(check);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* Calls greet through `cap` with one capability beside it; the session that comes back. */
static struct cap_id greet_with(struct rt *rt, struct check *check, struct cap_id cap,
                                struct cap_id passed, enum transfer_mode mode)
{
    struct client client;
    struct cap_id session;

    client_open(&client, rt, cap, CLIENT_ROOM_SMALL);
    (void)greeter_greet_request(&client.call);
    (void)client_pass(&client, passed, mode);
    (void)greeter_greet_invoke(&client.call);
    session = client_received(&client, 0);
    CHECK_EQUAL(check, client_close(&client), TRANSPORT_OK);
    CHECK(check, session.raw != 0);
    return session;
}

static int client_passes(struct rt *rt, struct check *check, struct cap_id keeper)
{
    const struct cap_id none = {.raw = 0};
    struct cap_id session = greet_with(rt, check, keeper, rt->console, TRANSFER_COPY);

    session = greet_with(rt, check, session, rt->console, TRANSFER_COPY);
    (void)greet_with(rt, check, session, none, TRANSFER_COPY);
    return check_end(check);
}

static int client_moves(struct rt *rt, struct check *check, struct cap_id keeper)
{
    struct cap_id console = rt->console;
    struct cap_id session = greet_with(rt, check, keeper, console, TRANSFER_MOVE);

    CHECK_EQUAL(check, rt_release(&rt->ring, console), TRANSPORT_STALE_CAP);
    CHECK_EQUAL(check, rt_release(&rt->ring, session), TRANSPORT_OK);
    return check->failed == 0 ? 0 : 1; /* there is nothing left to print through */
}

/* Sessions of others that are there, asked through `cap`, which is released while the call is under
 * way if `last`. */
static uint32_t others_left(struct rt *rt, struct check *check, struct cap_id cap, bool last)
{
    struct client client;
    uint32_t left;

    client_open(&client, rt, cap, CLIENT_ROOM_SMALL);
    (void)greeter_finish_request(&client.call);
    CHECK_EQUAL(check, client_submit(&client), TRANSPORT_OK);
    if (last) {
        CHECK_EQUAL(check, rt_release(&rt->ring, cap), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, client_finish(&client), TRANSPORT_OK);
    left = greeter_finish_results_get_calls(greeter_finish_response(&client.call));
    CHECK_EQUAL(check, client_close(&client), TRANSPORT_OK);
    return left;
}

/* Clients are counted from their start, which may be yet to come: hence the waiting. */
static int client_drops(struct rt *rt, struct check *check, struct cap_id keeper)
{
    uint32_t word = 0;

    while (others_left(rt, check, keeper, false) != 0) {
        struct sqe park = {.opcode = OPCODE_PARK,
                           .address = (uint64_t)(uintptr_t)&word,
                           .timeout_ns = 1000 * 1000};
        struct cqe completion;

        CHECK_EQUAL(check, rt_ring_do(&rt->ring, &park, &completion), TRANSPORT_OK);
        CHECK_EQUAL(check, completion.result, TRANSPORT_TIMEOUT);
    }
    CHECK_EQUAL(check, others_left(rt, check, keeper, true), 0);
    return check_end(check);
}

static int client_faults(struct rt *rt, struct check *check, struct cap_id keeper)
{
    struct client client;
    struct cap_id null;

    CHECK_EQUAL(check, rt_find(rt, "null", NULL_OBJECT_INTERFACE_ID, &null), TRANSPORT_OK);
    client_open(&client, rt, keeper, CLIENT_ROOM_SMALL);
    (void)greeter_greet_request(&client.call);
    (void)client_pass(&client, null, TRANSFER_MOVE);
    CHECK_EQUAL(check, client_submit(&client), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(&rt->ring, 0, 0), TRANSPORT_OK);
    __asm__ volatile("ud2");
    return 1;
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct cap_id edge = {.raw = 0};

    if (rt_name_is(rt, "keeper")) {
        return keep(rt, &check);
    }
    if (rt_name_is(rt, "client-leaves")) {
        return 0;
    }
    CHECK_EQUAL(&check, rt_find(rt, "keeper", GREETER_INTERFACE_ID, &edge), TRANSPORT_OK);
    if (rt_name_is(rt, "client-passes")) {
        return client_passes(rt, &check, edge);
    }
    if (rt_name_is(rt, "client-moves")) {
        return client_moves(rt, &check, edge);
    }
    if (rt_name_is(rt, "client-drops")) {
        return client_drops(rt, &check, edge);
    }
    return client_faults(rt, &check, edge);
}
