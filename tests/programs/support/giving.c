/* SPDX-License-Identifier: MIT */
/* Programs that hand capabilities to each other. */
#include "tests/programs/support/giving.h"

#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/null.capnp.h"
#include "user/rt/cap.h"

enum {
    ROOM_BYTES = 512,
};

struct capn_text giving_text(const char *string)
{
    return (struct capn_text){string, string_length(string, LIMIT_NAME_BYTES)};
}

int32_t giving_call(struct rt *rt, struct cap_id cap, uint8_t method)
{
    struct rt_buffer request = rt_buffer_alloc(&rt->ring, 8);
    struct rt_buffer answer = rt_buffer_alloc(&rt->ring, ROOM_BYTES);
    struct rt_call entry = {.cap = cap,
                            .interface_id = NULL_OBJECT_INTERFACE_ID,
                            .method = method,
                            .message = request.bytes,
                            .message_bytes = 8,
                            .result = answer.bytes,
                            .result_bytes = answer.size};
    int32_t status = rt_call(&rt->ring, &entry).status;

    rt_buffer_free(&rt->ring, request);
    rt_buffer_free(&rt->ring, answer);
    return status < 0 ? status : TRANSPORT_OK;
}

int32_t giving_ask(struct rt *rt, struct cap_id cap)
{
    struct client client;

    client_open(&client, rt, cap, CLIENT_ROOM_SMALL);
    (void)null_object_nothing_request(&client.call);
    (void)null_object_nothing_invoke(&client.call);
    return client_close(&client);
}

void giving_release(struct check *check, struct cap_id cap)
{
    CHECK_EQUAL(check, rt_release(&check->rt->ring, cap), TRANSPORT_OK);
}

struct process_grant giving_grant(const char *name, struct cap_id cap)
{
    bool console = string_equal(name, "console"); /* the one of which less than all is held */

    return (struct process_grant){.name = giving_text(name),
                                  .cap = cap,
                                  .facet = console ? CONSOLE_FACET_WRITE : MANIFEST_FACET_ALL,
                                  .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
}

struct process_grant giving_held(struct check *check, const char *name)
{
    const struct capset_entry *entry = rt_find_entry(check->rt, name);

    return (struct process_grant){.name = giving_text(name),
                                  .cap = check_held(check, name),
                                  .facet = entry == NULL ? 0 : entry->facet};
}

void giving_good_end(struct check *check, struct process_handle handle)
{
    struct process_end end;

    CHECK_EQUAL(check, process_client_wait(check->rt, handle, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, 0);
    giving_release(check, handle.cap);
}
