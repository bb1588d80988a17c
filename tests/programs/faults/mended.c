/* SPDX-License-Identifier: MIT */
/* A child whose faults are mended: its other thread puts memory where the first found none. */
#include "schema/generated/null.capnp.h"
#include "tests/programs/faults/faults.h"
#include "user/lib/memory.h"
#include "user/lib/server.h"
#include "user/lib/thread_spawner.h"

enum {
    BADGE = 77,
    MENDED_PAGES = 5,
    MENDED_CODE = 3,
    PATTERN = 0x5a,
    ODD_BYTE = 8, /* in each page: the address of a fault is exact */
};

static struct cap_id session(struct desk *desk, uint64_t badge)
{
    struct cap_id cap = {.raw = 0};

    CHECK_EQUAL(desk->check,
                endpoint_client_mint(desk->check->rt, desk->owner, &FAULT_SESSION(badge), &cap),
                TRANSPORT_OK);
    return cap;
}

static int toucher(struct rt *rt, void *argument)
{
    volatile uint8_t *bytes = *(volatile uint8_t **)argument;
    double sum = 0.5; /* in a register of its own across the faults */

    (void)rt;
    for (unsigned i = 0; i < MENDED_PAGES; i++) {
        bytes[i * LIMIT_PAGE_BYTES + ODD_BYTE] = PATTERN;
        sum += bytes[i * LIMIT_PAGE_BYTES + ODD_BYTE];
    }
    return sum == MENDED_PAGES * PATTERN + 0.5 ? MENDED_CODE : 0;
}

struct mending {
    struct check *check;
    struct server server;
    unsigned left;
};

/* An order: memory for the page of the address. */
static enum capn_dispatch mend(void *object, struct capn_request *request,
                               struct null_object_echo_params_reader params,
                               struct null_object_echo_results_builder results)
{
    struct mending *mending = object;
    struct virtual_memory memory = {check_held(mending->check, "virtual-memory")};
    uint64_t address =
        null_payload_get_a(null_object_echo_params_get_payload(params)) / LIMIT_PAGE_BYTES;

    (void)request;
    (void)results;
    CHECK_EQUAL(
        mending->check,
        memory_client_commit(mending->check->rt, memory, MEMORY_PROTECTION_READ_WRITE,
                             (struct memory_range){address * LIMIT_PAGE_BYTES, LIMIT_PAGE_BYTES}),
        TRANSPORT_OK);
    mending->server.stopping = --mending->left == 0;
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch mend_dispatch(void *object, struct capn_request *request)
{
    static const struct null_object_server server = {.echo = mend};

    return null_object_dispatch(&server, object, request);
}

int mended(struct check *check)
{
    struct thread_spawner spawner = {check_held(check, "thread-spawner")};
    struct virtual_memory memory = {check_held(check, "virtual-memory")};
    struct memory_range range = {.bytes = (uint64_t)MENDED_PAGES * LIMIT_PAGE_BYTES};
    uint8_t *bytes;
    struct rt_thread_start begin = {.function = toucher, .argument = &bytes};
    struct mending mending = {.check = check,
                              .server = {.rt = check->rt,
                                         .endpoint = check_held(check, "orders"),
                                         .message_bytes = LARGE_BYTES,
                                         .dispatch = mend_dispatch,
                                         .object = &mending},
                              .left = MENDED_PAGES};
    struct thread_handle handle;
    struct thread_end end;

    CHECK_EQUAL(check, memory_client_reserve(check->rt, memory, &range), TRANSPORT_OK);
    bytes = (uint8_t *)(uintptr_t)range.address;
    CHECK_EQUAL(
        check,
        thread_client_make(check->rt, spawner, &(struct thread_make){.begin = &begin}, &handle),
        TRANSPORT_OK);
    CHECK_EQUAL(check, server_run(&mending.server), TRANSPORT_OK);
    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, MENDED_CODE);
    for (unsigned i = 0; i < MENDED_PAGES; i++) {
        CHECK_EQUAL(check, bytes[i * LIMIT_PAGE_BYTES + ODD_BYTE], PATTERN);
    }
    return check_end(check);
}

static void order(struct check *check, struct cap_id orders, uint64_t address)
{
    struct client client;

    client_open(&client, check->rt, orders, CLIENT_ROOM_SMALL);
    null_payload_set_a(null_object_echo_params_init_payload(null_object_echo_request(&client.call)),
                       address);
    (void)null_object_echo_invoke(&client.call);
    CHECK_EQUAL(check, client_close(&client), TRANSPORT_OK);
}

void handler_mends(struct check *check)
{
    struct endpoint_owner orders = endpoint_make(check, LARGE_BYTES, 4);
    struct endpoint_session taker = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                     .facet = MANIFEST_FACET_ALL};
    struct process_grant grants[] = {
        giving_held(check, "console"),
        giving_held(check, "virtual-memory"),
        giving_held(check, "thread-spawner"),
        {.name = giving_text("orders"), .cap = orders.cap, .facet = MANIFEST_FACET_ALL}};
    struct making making = {grants, ARRAY_COUNT(grants), 2, {.raw = 0}};
    struct process_handle child = {.cap = {.raw = 0}};
    struct process_info info;
    struct rt_request message;
    struct cap_id sends;
    uint64_t first = 0;
    struct desk desk;

    desk_open(&desk, check, 4);
    making.told = session(&desk, BADGE);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, orders, &taker, &sends), TRANSPORT_OK);
    CHECK_EQUAL(check, child_spawn(check, "mended", &making, &child), TRANSPORT_OK);
    giving_release(check, making.told);
    CHECK_EQUAL(check, process_client_info(check->rt, child, &info), TRANSPORT_OK);
    message = rt_receive(&check->rt->ring, desk.owner.cap, desk.inbox);
    for (unsigned i = 0; i < MENDED_PAGES; i++) {
        struct fault fault = {.token = 0};

        CHECK(check, fault_read(&message, &fault));
        first = i == 0 ? fault.address - ODD_BYTE : first;
        CHECK_EQUAL(check, fault.badge, BADGE);
        CHECK_EQUAL(check, fault.pid, info.pid);
        CHECK_EQUAL(check, fault.thread_id, 2);
        CHECK(check, string_equal(fault.process, "mended"));
        CHECK_EQUAL(check, fault.cause, PROCESS_FAULT_CAUSE_PAGE);
        CHECK_EQUAL(check, fault.access, PROCESS_FAULT_ACCESS_WRITE);
        CHECK(check, !fault.mapped);
        CHECK_EQUAL(check, first % LIMIT_PAGE_BYTES, 0);
        CHECK_EQUAL(check, fault.address, first + i * LIMIT_PAGE_BYTES + ODD_BYTE);
        CHECK(check, fault.instruction_pointer != 0 && fault.stack_pointer != 0);
        order(check, sends, fault.address);
        message = fault_answer_receive(check->rt, desk.owner, fault.token, FAULT_ACTION_RESUME,
                                       desk.inbox);
    }
    /* The process held the last edge of the badge. */
    CHECK(check, message.status >= 0 && message.head->kind == ENDPOINT_MESSAGE_CLOSED);
    CHECK_EQUAL(check, message.head->badge, BADGE);
    CHECK_EQUAL(check, child_end(check, child).code, 0);
    giving_release(check, sends);
    giving_release(check, orders.cap);
    desk_close(&desk);
}
