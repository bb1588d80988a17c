/* SPDX-License-Identifier: MIT */
/*
 * A server: it owns the endpoint behind its export `greeter`, answers greet() with a greeting, and
 * ends after finish(). It holds two capabilities, that endpoint and a console.
 */
#include "user/lib/text.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "user/lib/client.h"
#include "user/lib/server.h"

enum {
    NAME_BYTES_MAX = 64,
    MESSAGE_BYTES = 4096,
};

struct greeter {
    struct server server;
    uint32_t calls;
};

static enum capn_dispatch greet(void *object, struct capn_request *request,
                                struct greeter_greet_params_reader params,
                                struct greeter_greet_results_builder results)
{
    struct greeter *greeter = object;
    struct capn_text name = greeter_greet_params_get_name(params);
    char greeting[NAME_BYTES_MAX + 16];

    if (!greeter_greet_params_has_name(params)) {
        return capn_request_refuse(
            request, (struct capn_refuse_reason){.reason = EXCEPTION_REASON_MISSING_ARGUMENT});
    }
    if (name.length > NAME_BYTES_MAX) {
        return capn_request_refuse(
            request, (struct capn_refuse_reason){.reason = EXCEPTION_REASON_LIMIT_EXCEEDED,
                                                 .limit = NAME_BYTES_MAX,
                                                 .amount = name.length});
    }
    greeter->calls++;
    (void)rt_print(greeter->server.rt, "ipc_server: call %u, badge %llu: greet(\"%.*s\")\n",
                   greeter->calls, (unsigned long long)greeter->server.badge, (int)name.length,
                   name.bytes);
    (void)format_text(greeting, sizeof(greeting), "Hello, %.*s!", (int)name.length, name.bytes);
    greeter_greet_results_set_greeting(
        results, (struct capn_text){greeting, string_length(greeting, sizeof(greeting))});
    greeter_greet_results_set_calls(results, greeter->calls);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch finish(void *object, struct capn_request *request,
                                 struct greeter_finish_params_reader params,
                                 struct greeter_finish_results_builder results)
{
    struct greeter *greeter = object;

    (void)request;
    (void)params;
    greeter->calls++;
    greeter->server.stopping = true;
    greeter_finish_results_set_calls(results, greeter->calls);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch dispatch(void *object, struct capn_request *request)
{
    static const struct greeter_server server = {.greet = greet, .finish = finish};

    return greeter_dispatch(&server, object, request);
}

int main(struct rt *rt)
{
    struct greeter greeter = {
        .server = {.rt = rt, .message_bytes = MESSAGE_BYTES, .dispatch = dispatch}};
    int32_t status = rt_find(rt, "greeter", ENDPOINT_INTERFACE_ID, &greeter.server.endpoint);

    greeter.server.object = &greeter;
    if (status == TRANSPORT_OK) {
        status = server_run(&greeter.server);
    }
    (void)rt_print(rt, "ipc_server: %u calls answered, ending (%s)\n", greeter.calls,
                   rt_status_name(status));
    return status == TRANSPORT_OK ? 0 : 1;
}
