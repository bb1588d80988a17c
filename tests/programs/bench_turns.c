/* SPDX-License-Identifier: MIT */
/* Two threads of one process, a client and its server, that take turns on one CPU; as init, for
 * the measuring kernel to time. */
#include "schema/generated/greeter.capnp.h"
#include "user/lib/endpoint.h"
#include "user/lib/server.h"
#include "user/lib/thread_spawner.h"

enum {
    TURNS = 64,
    MESSAGE_BYTES = 4096,
};

struct side {
    struct cap_id owner;
    struct cap_id client;
};

static enum capn_dispatch greet(void *object, struct capn_request *request,
                                struct greeter_greet_params_reader params,
                                struct greeter_greet_results_builder results)
{
    (void)object;
    (void)request;
    (void)params;
    (void)results;
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch finish(void *object, struct capn_request *request,
                                 struct greeter_finish_params_reader params,
                                 struct greeter_finish_results_builder results)
{
    struct server *server = object;

    (void)request;
    (void)params;
    (void)results;
    server->stopping = true;
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch dispatch(void *object, struct capn_request *request)
{
    static const struct greeter_server server = {.greet = greet, .finish = finish};

    return greeter_dispatch(&server, object, request);
}

static int serve(struct rt *rt, void *argument)
{
    const struct side *side = argument;
    struct server server = {
        .rt = rt, .endpoint = side->owner, .message_bytes = MESSAGE_BYTES, .dispatch = dispatch};

    server.object = &server;
    return server_run(&server) == TRANSPORT_OK ? 0 : 1;
}

static bool ask(struct rt *rt, struct cap_id cap, bool last)
{
    struct client client;

    client_open(&client, rt, cap, CLIENT_ROOM_SMALL);
    if (last) {
        (void)greeter_finish_request(&client.call);
        (void)greeter_finish_invoke(&client.call);
    } else {
        (void)greeter_greet_request(&client.call);
        (void)greeter_greet_invoke(&client.call);
    }
    return client_close(&client) == TRANSPORT_OK;
}

static bool prepare(struct rt *rt, struct side *side, const struct rt_thread_start *begin)
{
    const struct manifest_export limits = {.message_bytes = MESSAGE_BYTES, .queue_length = 4};
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = UINT64_MAX};
    struct endpoint_factory factory;
    struct endpoint_owner owner;
    struct thread_spawner spawner;

    if (rt_find(rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &factory.cap) !=
            TRANSPORT_OK ||
        rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap) != TRANSPORT_OK ||
        endpoint_client_create(rt, factory, &limits, &owner) != TRANSPORT_OK ||
        endpoint_client_mint(rt, owner, &session, &side->client) != TRANSPORT_OK) {
        return false;
    }
    side->owner = owner.cap;
    return thread_client_spawn(rt, spawner, begin) == TRANSPORT_OK;
}

int main(struct rt *rt)
{
    static struct side side;
    static const struct rt_thread_start begin = {.function = serve, .argument = &side};

    if (!prepare(rt, &side, &begin)) {
        return 1;
    }
    for (unsigned i = 0; i < TURNS; i++) {
        if (!ask(rt, side.client, i == TURNS - 1)) {
            return 2;
        }
    }
    return 0;
}
