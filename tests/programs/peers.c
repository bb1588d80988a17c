/* SPDX-License-Identifier: MIT */
/*
 * What peers see of each other's end. The manifest's names choose the parts; every service but the
 * first pair's holds a client's edge "greeter" of a server that does not behave:
 *
 *   server-exits     takes a call and exits without answering
 *   server-faults    takes a call and faults
 *   server-silent    takes calls and never answers; it is killed with calls in flight
 *   caller-of-NAME   calls twice and expects that the server is gone
 *   caller-killed    calls server-silent and is killed while it waits
 *   caller-exits     submits calls to server-silent and exits without waiting
 *
 * covers: CALL/PEER_RESTARTED, CALL/PEER_GONE
 */
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/client.h"
#include "user/rt/call.h"

enum {
    MESSAGE_BYTES = 4096,
    CALLS = 16,
};

static bool name_begins(const struct rt *rt, const char *prefix)
{
    return memcmp(rt->start->process_name, prefix, string_length(prefix, LIMIT_NAME_BYTES)) == 0;
}

/* Takes calls for ever, or one and then `end`s. */
static int serve(struct rt *rt, struct cap_id endpoint, bool once)
{
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));

    for (;;) {
        struct rt_request request = rt_receive(&rt->ring, endpoint, inbox);

        if (request.status < 0) {
            return 1;
        }
        if (once) {
            return 0;
        }
    }
}

static int32_t call_once(struct rt *rt, struct cap_id greeter)
{
    struct client client;

    client_open(&client, rt, greeter, CLIENT_ROOM_SMALL);
    (void)greeter_finish_request(&client.call);
    (void)greeter_finish_invoke(&client.call);
    return client_close(&client);
}

/* Leaves with calls of its own queued and in flight. */
static int submit_and_exit(struct rt *rt, struct cap_id greeter)
{
    struct rt_buffer buffer = rt_buffer_alloc(&rt->ring, 64);
    struct sqe entry = {.opcode = OPCODE_CALL,
                        .method = GREETER_METHOD_FINISH,
                        .cap = greeter,
                        .interface_id = GREETER_INTERFACE_ID,
                        .message = (uint64_t)(uintptr_t)buffer.bytes,
                        .message_bytes = 8};
    struct rt_operation operation;

    rt->ring.checks = false; /* one message for all of them */
    for (unsigned i = 0; i < CALLS; i++) {
        if (rt_ring_submit(&rt->ring, &entry, &operation) != TRANSPORT_OK) {
            return 1;
        }
    }
    return rt_ring_enter(&rt->ring, 0, 0) == TRANSPORT_OK ? 0 : 2;
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct cap_id edge;

    if (rt_find(rt, "greeter", GREETER_INTERFACE_ID, &edge) == TRANSPORT_OK) {
        if (name_begins(rt, "caller-exits")) {
            return submit_and_exit(rt, edge);
        }
        /* The supervisor owns the endpoint too, until it ends: a call that the dead server had
         * taken is lost, a later one waits for a successor that does not come. */
        CHECK_EQUAL(&check, call_once(rt, edge),
                    name_begins(rt, "caller-of-silent") ? TRANSPORT_PEER_GONE
                                                        : TRANSPORT_PEER_RESTARTED);
        CHECK_EQUAL(&check, call_once(rt, edge), TRANSPORT_PEER_GONE);
        return check_end(&check);
    }
    for (uint16_t i = 0; i < rt->capset->count; i++) {
        if (rt->capset->entry[i].interface_id == ENDPOINT_INTERFACE_ID) {
            int code = serve(rt, rt->capset->entry[i].cap, !name_begins(rt, "server-silent"));

            if (name_begins(rt, "server-faults")) {
                __asm__ volatile("ud2");
            }
            return code;
        }
    }
    return 1;
}
