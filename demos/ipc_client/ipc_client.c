/* SPDX-License-Identifier: MIT */
/*
 * A client: it calls the greeter that the manifest connects it with, twice rightly and once with a
 * name that is too long, and then asks the server to end.
 */
#include "user/lib/text.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "user/lib/client.h"

enum {
    LONG_NAME_BYTES = 100,
};

/* Calls greet() and prints the answer. */
static int32_t greet(struct rt *rt, struct cap_id greeter, struct capn_text name)
{
    struct client client;
    struct greeter_greet_results_reader results;
    struct capn_text greeting;

    client_open(&client, rt, greeter, CLIENT_ROOM_SMALL);
    greeter_greet_params_set_name(greeter_greet_request(&client.call), name);
    results = greeter_greet_invoke(&client.call);
    greeting = greeter_greet_results_get_greeting(results);
    if (client.call.status == TRANSPORT_OK) {
        (void)rt_print(rt, "ipc_client: the server says \"%.*s\" (its call %u)\n",
                       (int)greeting.length, greeting.bytes,
                       greeter_greet_results_get_calls(results));
    } else {
        (void)rt_print(rt, "ipc_client: refused: %s\n", client_outcome_name(client.call.status));
    }
    return client_close(&client);
}

static int32_t finish(struct rt *rt, struct cap_id greeter)
{
    struct client client;

    client_open(&client, rt, greeter, CLIENT_ROOM_SMALL);
    (void)greeter_finish_request(&client.call);
    (void)greeter_finish_invoke(&client.call);
    return client_close(&client);
}

int main(struct rt *rt)
{
    char long_name[LONG_NAME_BYTES];
    struct cap_id greeter;

    memset(long_name, 'x', sizeof(long_name));
    if (rt_find(rt, "greeter", GREETER_INTERFACE_ID, &greeter) != TRANSPORT_OK) {
        return 1;
    }
    if (greet(rt, greeter, (struct capn_text){"world", 5}) != TRANSPORT_OK) {
        return 2;
    }
    if (greet(rt, greeter, (struct capn_text){"capOS", 5}) != TRANSPORT_OK) {
        return 3;
    }
    if (greet(rt, greeter, (struct capn_text){long_name, sizeof(long_name)}) !=
        EXCEPTION_REASON_LIMIT_EXCEEDED) {
        return 4;
    }
    return finish(rt, greeter) == TRANSPORT_OK ? 0 : 5;
}
