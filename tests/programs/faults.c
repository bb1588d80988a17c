/* SPDX-License-Identifier: MIT */
/*
 * Faults told to an endpoint. The parent ("handler") spawns children that fault, each in the way of
 * its name, and decides what becomes of them:
 *
 *   mended    one thread writes to reserved pages; the parent has the child's other thread put
 *             memory there and lets the first try again
 *   reads, breaks, divides, undefined
 *             one instruction; resumed it tries again, or is past it
 *   later     as reads, after a while
 *   halves    a thread of two faults and is ended alone
 *   asks      does not fault: its call is answered beside a fault
 *   keeper    a handler of another's faults, which leaves, or faults itself, with one unanswered
 *
 * and what becomes of them without a word: the endpoint goes, its queue is full, an edge is
 * revoked, the answer is no answer, the child is killed while it is stopped.
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/fault.h"
#include "user/lib/memory.h"
#include "user/lib/process.h"
#include "user/lib/server.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"

enum {
    BINARY_SELF = 1,
    BADGE = 77,
    MENDED_PAGES = 5,
    MENDED_CODE = 3,
    BROKEN_CODE = 5,
    KILL_CODE = 42,
    KILL_ROUNDS = 8,
    PATTERN = 0x5a,
    ODD_BYTE = 8, /* in each page: the address of a fault is exact */
    UNMAPPED = LIMIT_USER_MIN + LIMIT_PAGE_BYTES,
    LARGE_BYTES = 512, /* more than an answer may have */
};

/* An endpoint that faults come to. */
struct desk {
    struct check *check;
    struct endpoint_owner owner;
    struct rt_buffer inbox;
};

static struct capn_text text(const char *string)
{
    return (struct capn_text){string, string_length(string, LIMIT_NAME_BYTES)};
}

static struct process_grant grant(struct check *check, const char *name)
{
    const struct capset_entry *entry = rt_find_entry(check->rt, name);

    return (struct process_grant){.name = text(name),
                                  .cap = check_held(check, name),
                                  .facet = entry == NULL ? 0 : entry->facet};
}

static void release(struct check *check, struct cap_id cap)
{
    CHECK_EQUAL(check, rt_release(&check->rt->ring, cap), TRANSPORT_OK);
}

static struct endpoint_owner endpoint_make(struct check *check, uint32_t bytes, uint32_t queue)
{
    struct endpoint_factory factory = {check_held(check, "endpoint-factory")};
    struct manifest_export limits = {
        .message_bytes = bytes, .capabilities = 1, .queue_length = queue};
    struct endpoint_owner owner = {{.raw = 0}};

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &owner), TRANSPORT_OK);
    return owner;
}

static void desk_open(struct desk *desk, struct check *check, uint32_t queue)
{
    desk->check = check;
    desk->owner = endpoint_make(check, LARGE_BYTES, queue);
    desk->inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(LARGE_BYTES));
}

static void desk_close(struct desk *desk)
{
    release(desk->check, desk->owner.cap);
    rt_buffer_free(&desk->check->rt->ring, desk->inbox);
}

static struct cap_id session(struct desk *desk, uint64_t badge)
{
    struct cap_id cap = {.raw = 0};

    CHECK_EQUAL(desk->check,
                endpoint_client_mint(desk->check->rt, desk->owner, &FAULT_SESSION(badge), &cap),
                TRANSPORT_OK);
    return cap;
}

/* The next fault. */
static struct fault fault_take(struct desk *desk)
{
    struct rt_request message = rt_receive(&desk->check->rt->ring, desk->owner.cap, desk->inbox);
    struct fault fault = {.token = 0};

    CHECK(desk->check, fault_read(&message, &fault));
    return fault;
}

static void fault_decide(struct desk *desk, const struct fault *fault, enum fault_action action)
{
    CHECK_EQUAL(desk->check, fault_answer(desk->check->rt, desk->owner, fault->token, action),
                TRANSPORT_OK);
}

/* Until so many faults wait at the endpoint; a lost one would hang here. */
static void faults_await(struct desk *desk, uint32_t count)
{
    struct endpoint_seen seen = {.waiting_calls = 0};

    while (seen.waiting_calls != count) {
        rt_sleep(desk->check->rt, 100 * 1000);
        if (endpoint_client_info(desk->check->rt, desk->owner, &seen) != TRANSPORT_OK) {
            CHECK(desk->check, false);
            return;
        }
    }
}

/* ---- children ---------------------------------------------------------------------------------
 */

/* What a child is made of besides its name. */
struct making {
    const struct process_grant *grants;
    uint32_t count;
    unsigned threads;
    struct cap_id told;
};

static int32_t child_spawn(struct check *check, const char *name, const struct making *making,
                           struct process_handle *handle)
{
    struct process_spawner spawner = {check_held(check, "process-spawner")};
    struct process_request request = {.name = text(name),
                                      .boot_binary = BINARY_SELF,
                                      .grants = making->grants,
                                      .grant_count = making->count,
                                      .quotas = check_quotas(),
                                      .scheduling = {.cpu_mask = UINT64_MAX},
                                      .fault_endpoint = making->told};

    request.quotas.frames *= making->threads;
    request.quotas.ring_bytes *= making->threads;
    request.quotas.outstanding_calls *= making->threads;
    request.quotas.threads = making->threads;
    request.quotas.slots *= 2;
    return process_client_spawn(check->rt, spawner, &request, handle);
}

/* One with a console alone. */
static struct process_handle simple_spawn(struct check *check, const char *name, struct cap_id told)
{
    struct process_grant console = grant(check, "console");
    struct process_handle handle = {.cap = {.raw = 0}};

    CHECK_EQUAL(check, child_spawn(check, name, &(struct making){&console, 1, 1, told}, &handle),
                TRANSPORT_OK);
    return handle;
}

static struct process_end child_end(struct check *check, struct process_handle handle)
{
    struct process_end end = {.kind = PROCESS_EXIT_KIND_RUNNING};

    CHECK_EQUAL(check, process_client_wait(check->rt, handle, &end), TRANSPORT_OK);
    release(check, handle.cap);
    return end;
}

static void child_faulted(struct check *check, struct process_handle handle)
{
    struct process_end end = child_end(check, handle);

    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_FAULTED);
    CHECK_EQUAL(check, end.fault_address, UNMAPPED);
}

static NOINLINE void touch(uint64_t address)
{
    (void)*(const volatile uint8_t *)(uintptr_t)address;
}

static NORETURN void reads(void)
{
    for (;;) {
        touch(UNMAPPED);
    }
}

static int breaks(void)
{
    __asm__ volatile("int3");
    return BROKEN_CODE;
}

/* Perhaps behind what its parent does meanwhile. */
static NORETURN void later(struct rt *rt)
{
    rt_sleep(rt, 3 * 1000 * 1000);
    reads();
}

static NORETURN void divides(void)
{
    for (;;) {
        __asm__ volatile("xorl %%ecx, %%ecx\n\t"
                         "movl $1, %%eax\n\t"
                         "xorl %%edx, %%edx\n\t"
                         "divl %%ecx"
                         :
                         :
                         : "eax", "ecx", "edx");
    }
}

static NORETURN void undefined(void)
{
    for (;;) {
        __asm__ volatile("ud2");
    }
}

/* ---- mended -----------------------------------------------------------------------------------
 */

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

static int mended(struct check *check)
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

static void handler_mends(struct check *check)
{
    struct endpoint_owner orders = endpoint_make(check, LARGE_BYTES, 4);
    struct endpoint_session taker = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                     .facet = MANIFEST_FACET_ALL};
    struct process_grant grants[] = {
        grant(check, "console"),
        grant(check, "virtual-memory"),
        grant(check, "thread-spawner"),
        {.name = text("orders"), .cap = orders.cap, .facet = MANIFEST_FACET_ALL}};
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
    release(check, making.told);
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
    release(check, sends);
    release(check, orders.cap);
    desk_close(&desk);
}

/* ---- causes and actions -----------------------------------------------------------------------
 */

static void handler_ends(struct check *check)
{
    static const struct {
        const char *name;
        enum process_fault_cause cause;
        enum process_fault_access access;
        uint16_t vector;
    } cases[] = {
        {"reads", PROCESS_FAULT_CAUSE_PAGE, PROCESS_FAULT_ACCESS_READ, 14},
        {"divides", PROCESS_FAULT_CAUSE_DIVIDE, PROCESS_FAULT_ACCESS_NONE, 0},
        {"undefined", PROCESS_FAULT_CAUSE_INSTRUCTION, PROCESS_FAULT_ACCESS_NONE, 6},
    };
    struct desk desk;

    desk_open(&desk, check, 4);
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        struct process_handle child = simple_spawn(check, cases[i].name, desk.owner.cap);
        struct fault first = fault_take(&desk);
        struct fault again;
        struct process_end end;

        CHECK_EQUAL(check, first.cause, cases[i].cause);
        CHECK_EQUAL(check, first.access, cases[i].access);
        CHECK_EQUAL(check, first.vector, cases[i].vector);
        CHECK_EQUAL(check, first.badge, 0);
        CHECK_EQUAL(check, first.address, i == 0 ? UNMAPPED : 0);
        fault_decide(&desk, &first, FAULT_ACTION_RESUME);
        again = fault_take(&desk);
        CHECK_EQUAL(check, again.instruction_pointer, first.instruction_pointer);
        CHECK_EQUAL(check, again.stack_pointer, first.stack_pointer);
        CHECK_EQUAL(check, fault_answer(check->rt, desk.owner, first.token, FAULT_ACTION_RESUME),
                    TRANSPORT_BAD_TOKEN);
        fault_decide(&desk, &again, i == 0 ? FAULT_ACTION_END_THREAD : FAULT_ACTION_END_PROCESS);
        end = child_end(check, child);
        CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_FAULTED);
        CHECK_EQUAL(check, end.fault_vector, cases[i].vector);
        CHECK_EQUAL(check, end.fault_address, first.address);
    }
    desk_close(&desk);
}

/* A breakpoint is behind the thread when it is resumed. */
static void handler_steps(struct check *check)
{
    struct process_handle child;
    struct process_end end;
    struct fault fault;
    struct desk desk;

    desk_open(&desk, check, 4);
    child = simple_spawn(check, "breaks", desk.owner.cap);
    fault = fault_take(&desk);
    CHECK_EQUAL(check, fault.cause, PROCESS_FAULT_CAUSE_BREAKPOINT);
    fault_decide(&desk, &fault, FAULT_ACTION_RESUME);
    end = child_end(check, child);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, BROKEN_CODE);
    desk_close(&desk);
}

static int asks(struct check *check)
{
    struct client client;

    client_open(&client, check->rt, check_held(check, "asked"), CLIENT_ROOM_SMALL);
    (void)null_object_nothing_request(&client.call);
    (void)null_object_nothing_invoke(&client.call);
    return client_close(&client);
}

/* A RETURN_RECV that answers an ordinary call and takes a fault that waits. */
static void handler_serves(struct check *check)
{
    struct endpoint_session asked = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                     .facet = MANIFEST_FACET_ALL,
                                     .mode = AUTHORITY_TRANSFER_MODE_COPY};
    struct rt_buffer answer = rt_buffer_alloc(&check->rt->ring, CAPN_WORD_BYTES);
    struct process_grant grants[] = {grant(check, "console"),
                                     {.name = text("asked"), .facet = MANIFEST_FACET_ALL}};
    struct making making = {grants, ARRAY_COUNT(grants), 1, {.raw = 0}};
    struct process_handle asking = {.cap = {.raw = 0}};
    struct process_handle child;
    struct fault fault = {.token = 0};
    struct rt_request message;
    struct desk desk;

    desk_open(&desk, check, 4);
    memset(answer.bytes, 0, CAPN_WORD_BYTES);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, desk.owner, &asked, &grants[1].cap),
                TRANSPORT_OK);
    CHECK_EQUAL(check, child_spawn(check, "asks", &making, &asking), TRANSPORT_OK);
    message = rt_receive(&check->rt->ring, desk.owner.cap, desk.inbox);
    CHECK(check, message.status >= 0 && !fault_read(&message, &fault));
    child = simple_spawn(check, "reads", desk.owner.cap);
    faults_await(&desk, 1);
    message = rt_return_receive(&check->rt->ring,
                                &(struct rt_reply){.endpoint = desk.owner.cap,
                                                   .token = message.head->token,
                                                   .message = answer.bytes,
                                                   .message_bytes = CAPN_WORD_BYTES},
                                desk.inbox);
    CHECK(check, fault_read(&message, &fault));
    CHECK_EQUAL(check, fault.address, UNMAPPED);
    fault_decide(&desk, &fault, FAULT_ACTION_END_PROCESS);
    child_faulted(check, child);
    CHECK_EQUAL(check, child_end(check, asking).code, 0);
    release(check, grants[1].cap);
    rt_buffer_free(&check->rt->ring, answer);
    desk_close(&desk);
}

static int half(struct rt *rt, void *argument)
{
    (void)rt;
    (void)argument;
    reads();
}

static int halves(struct check *check)
{
    struct thread_spawner spawner = {check_held(check, "thread-spawner")};
    struct rt_thread_start begin = {.function = half};
    struct thread_handle handle;
    struct thread_end end;

    CHECK_EQUAL(
        check,
        thread_client_make(check->rt, spawner, &(struct thread_make){.begin = &begin}, &handle),
        TRANSPORT_OK);
    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_FAULTED);
    CHECK_EQUAL(check, end.code, -1);
    return check_end(check);
}

static void handler_halves(struct check *check)
{
    struct process_grant grants[] = {grant(check, "console"), grant(check, "thread-spawner")};
    struct making making = {grants, ARRAY_COUNT(grants), 2, {.raw = 0}};
    struct process_handle child = {.cap = {.raw = 0}};
    struct process_end end;
    struct fault fault;
    struct desk desk;

    desk_open(&desk, check, 4);
    making.told = desk.owner.cap;
    CHECK_EQUAL(check, child_spawn(check, "halves", &making, &child), TRANSPORT_OK);
    fault = fault_take(&desk);
    fault_decide(&desk, &fault, FAULT_ACTION_END_THREAD);
    end = child_end(check, child);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, 0);
    desk_close(&desk);
}

/* ---- ends without a word ----------------------------------------------------------------------
 */

static void endpoint_vanishes(struct check *check)
{
    struct process_handle child;
    struct desk desk;

    desk_open(&desk, check, 4); /* while the fault waits */
    child = simple_spawn(check, "reads", desk.owner.cap);
    faults_await(&desk, 1);
    desk_close(&desk);
    child_faulted(check, child);
    desk_open(&desk, check, 4); /* while it is being handled */
    child = simple_spawn(check, "reads", desk.owner.cap);
    (void)fault_take(&desk);
    desk_close(&desk);
    child_faulted(check, child);
    desk_open(&desk, check, 4); /* before it comes */
    child = simple_spawn(check, "later", desk.owner.cap);
    desk_close(&desk);
    child_faulted(check, child);
}

static void queue_is_full(struct check *check)
{
    struct process_handle first;
    struct fault fault;
    struct desk desk;

    desk_open(&desk, check, 1);
    first = simple_spawn(check, "reads", desk.owner.cap);
    faults_await(&desk, 1);
    child_faulted(check, simple_spawn(check, "reads", desk.owner.cap));
    fault = fault_take(&desk);
    fault_decide(&desk, &fault, FAULT_ACTION_END_PROCESS);
    child_faulted(check, first);
    desk_close(&desk);
}

static void killed(struct check *check)
{
    struct desk desk;

    desk_open(&desk, check, 4);
    for (unsigned i = 0; i < KILL_ROUNDS; i++) {
        struct process_handle child = simple_spawn(check, "reads", desk.owner.cap);
        struct rt_operation watch;
        struct process_end end;
        struct fault fault = {.token = 0};

        if (i % 2 == 0) {
            faults_await(&desk, 1);
        } else {
            struct sqe entry;

            fault = fault_take(&desk);
            entry = rt_watch_entry(desk.owner.cap, fault.token);
            watch = check_submit(check, &check->rt->ring, &entry);
        }
        CHECK_EQUAL(check, process_client_kill(check->rt, child, KILL_CODE), TRANSPORT_OK);
        end = child_end(check, child);
        CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_KILLED);
        CHECK_EQUAL(check, end.code, KILL_CODE);
        if (i % 2 == 0) {
            faults_await(&desk, 0);
        } else {
            CHECK_EQUAL(check, check_completion(check, &check->rt->ring, watch).result,
                        WATCH_CANCELLED);
            CHECK_EQUAL(check,
                        fault_answer(check->rt, desk.owner, fault.token, FAULT_ACTION_RESUME),
                        TRANSPORT_CANCELLED);
        }
    }
    desk_close(&desk);
}

static void revoked(struct check *check)
{
    struct endpoint_session lasting = FAULT_SESSION(0);
    struct rt_ring *ring = &check->rt->ring;
    struct rt_delegated lent;
    struct receipt receipt = {.calls = 0};
    struct process_handle child;
    struct cap_id cap;
    struct desk desk;
    int32_t edges;

    desk_open(&desk, check, 4);
    lasting.mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, desk.owner, &lasting, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    child = simple_spawn(check, "reads", lent.cap);
    release(check, lent.cap);
    faults_await(&desk, 1);
    /* The child's edge is emptied, unless its end came first. */
    CHECK(check, (uint32_t)rt_revoke(ring, lent.handle, &receipt, NULL) <= 1);
    CHECK_EQUAL(check, receipt.calls, 1);
    child_faulted(check, child);
    release(check, lent.handle);
    /* Before the fault. */
    CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    child = simple_spawn(check, "later", lent.cap);
    release(check, lent.cap);
    CHECK(check, (uint32_t)rt_revoke(ring, lent.handle, NULL, NULL) <= 1);
    child_faulted(check, child);
    release(check, lent.handle);
    /* While it is being handled. */
    CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &lent, NULL), TRANSPORT_OK);
    child = simple_spawn(check, "reads", lent.cap);
    {
        struct fault fault = fault_take(&desk);

        edges = rt_revoke(ring, lent.handle, &receipt, NULL);
        CHECK(check, edges == 1 || edges == 2); /* and the parent's own */
        CHECK_EQUAL(check, receipt.calls, 1);
        CHECK_EQUAL(check, fault_answer(check->rt, desk.owner, fault.token, FAULT_ACTION_RESUME),
                    TRANSPORT_CANCELLED);
    }
    child_faulted(check, child);
    release(check, lent.cap);
    release(check, lent.handle);
    release(check, cap);
    desk_close(&desk);
}

/* ---- answers that are none --------------------------------------------------------------------
 */

enum bad_answer {
    BAD_EXCEPTION,
    BAD_EMPTY,
    BAD_BYTES,
    BAD_ACTION,
    BAD_LARGE,
    BAD_CAPABILITY,
    BAD_COUNT,
};

static void answered_badly(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_buffer buffer = rt_buffer_alloc(ring, LARGE_BYTES);
    struct desk desk;

    desk_open(&desk, check, 4);
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        struct process_handle child = simple_spawn(check, "reads", desk.owner.cap);
        struct fault fault = fault_take(&desk);
        struct capn_build_segment segment = {.bytes = buffer.bytes,
                                             .capacity_words = LARGE_BYTES / CAPN_WORD_BYTES};
        struct rt_reply reply = {.endpoint = desk.owner.cap,
                                 .token = fault.token,
                                 .message = buffer.bytes,
                                 .exception = i == BAD_EXCEPTION,
                                 .transfers = i == BAD_CAPABILITY};
        struct capn_builder builder;
        struct transfer transfer = {.cap = check_held(check, "console"), .mode = TRANSFER_COPY};

        memset(buffer.bytes, 0, LARGE_BYTES);
        capn_builder_init(&builder, &segment, 1);
        fault_handler_fault_results_set_action(
            fault_handler_fault_results_init(capn_builder_root(&builder)),
            i == BAD_ACTION ? (enum fault_action)FAULT_ACTION_COUNT : FAULT_ACTION_RESUME);
        reply.message_bytes = (uint32_t)capn_builder_words(&builder) * CAPN_WORD_BYTES;
        memcpy(buffer.bytes + reply.message_bytes, &transfer, sizeof(transfer));
        if (i == BAD_BYTES) {
            memset(buffer.bytes, 0xff, reply.message_bytes);
        } else if (i == BAD_EMPTY) {
            reply.message_bytes = 0;
        } else if (i == BAD_LARGE) {
            reply.message_bytes = LARGE_BYTES;
        }
        CHECK_EQUAL(check, rt_return(ring, &reply),
                    i == BAD_LARGE || i == BAD_CAPABILITY ? TRANSPORT_NO_ROOM : TRANSPORT_OK);
        child_faulted(check, child);
    }
    desk_close(&desk);
    rt_buffer_free(ring, buffer);
}

/* ---- a handler that fails ---------------------------------------------------------------------
 */

/* Takes one fault and never answers it. */
static int keeper(struct check *check, bool faults)
{
    struct desk desk = {.check = check, .owner = {check_held(check, "desk")}};

    desk.inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(LARGE_BYTES));
    (void)fault_take(&desk);
    if (faults) {
        reads();
    }
    return 0;
}

/* The keeper's own faults come to `above`, which ends it. */
static void handler_fails(struct check *check, const char *name)
{
    struct endpoint_owner kept = endpoint_make(check, LARGE_BYTES, 4);
    struct process_grant grants[] = {
        grant(check, "console"),
        {.name = text("desk"), .cap = kept.cap, .facet = MANIFEST_FACET_ALL}};
    struct making making = {grants, ARRAY_COUNT(grants), 1, {.raw = 0}};
    struct process_handle child = simple_spawn(check, "reads", kept.cap);
    struct process_handle keeps = {.cap = {.raw = 0}};
    struct desk above;

    desk_open(&above, check, 4);
    making.told = above.owner.cap;
    CHECK_EQUAL(check, child_spawn(check, name, &making, &keeps), TRANSPORT_OK);
    release(check, kept.cap);
    if (string_equal(name, "keeper")) {
        CHECK_EQUAL(check, child_end(check, keeps).code, 0);
    } else {
        struct fault fault = fault_take(&above);

        CHECK(check, string_equal(fault.process, name));
        fault_decide(&above, &fault, FAULT_ACTION_END_PROCESS);
        child_faulted(check, keeps);
    }
    child_faulted(check, child);
    desk_close(&above);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static int32_t refused(struct check *check, struct cap_id told)
{
    struct process_grant console = grant(check, "console");
    struct process_handle handle;

    return child_spawn(check, "reads", &(struct making){&console, 1, 1, told}, &handle);
}

static struct cap_id narrowed(struct check *check, struct cap_id cap, uint64_t facet)
{
    struct cap_id copy = {.raw = 0};

    CHECK_EQUAL(check,
                rt_duplicate(&check->rt->ring, &(struct rt_duplicate){.cap = cap, .facet = facet},
                             &copy, NULL),
                TRANSPORT_OK);
    return copy;
}

static void refusals(struct check *check)
{
    struct endpoint_owner owner = endpoint_make(check, FAULT_MESSAGE_BYTES, 1);
    struct endpoint_owner small = endpoint_make(check, FAULT_MESSAGE_BYTES - 8, 1);
    struct endpoint_session other = FAULT_SESSION(0);
    struct process_spawner spawner = {check_held(check, "process-spawner")};
    struct process_request request = {.name = text("reads"),
                                      .boot_binary = BINARY_SELF,
                                      .quotas = check_quotas(),
                                      .scheduling = {.cpu_mask = UINT64_MAX},
                                      .fault_endpoint = owner.cap};
    struct process_handle handle;
    struct rt_delegated lent;
    struct cap_id cap;

    CHECK_EQUAL(check, refused(check, check_held(check, "console")),
                EXCEPTION_REASON_WRONG_INTERFACE);
    CHECK_EQUAL(check, refused(check, small.cap), EXCEPTION_REASON_LIMIT_EXCEEDED);
    cap = narrowed(check, owner.cap, ENDPOINT_FACET_RECEIVE | ENDPOINT_FACET_ANSWER);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    release(check, cap);
    other.interface_id = NULL_OBJECT_INTERFACE_ID;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &other, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_WRONG_INTERFACE);
    release(check, cap);
    other = FAULT_SESSION(0);
    other.facet = 0;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &other, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    release(check, cap);
    other = FAULT_SESSION(0);
    other.mode = AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &other, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, refused(check, cap), EXCEPTION_REASON_NOT_GRANTABLE);
    release(check, cap);
    CHECK_EQUAL(check, rt_delegate(&check->rt->ring, owner.cap, RT_FACET_SAME, &lent, NULL),
                TRANSPORT_OK);
    CHECK(check, rt_revoke(&check->rt->ring, lent.handle, NULL, NULL) >= 0);
    CHECK_EQUAL(check, refused(check, lent.cap), EXCEPTION_REASON_REVOKED_CAPABILITY);
    release(check, lent.cap);
    release(check, lent.handle);
    request.quotas.outstanding_calls = 0; /* the thread's fault is one */
    CHECK_EQUAL(check, process_client_spawn(check->rt, spawner, &request, &handle),
                EXCEPTION_REASON_QUOTA_EXCEEDED);
    release(check, owner.cap);
    release(check, small.cap);
}

static int handler(struct check *check)
{
    handler_mends(check);
    handler_ends(check);
    handler_steps(check);
    handler_serves(check);
    handler_halves(check);
    endpoint_vanishes(check);
    queue_is_full(check);
    killed(check);
    revoked(check);
    answered_badly(check);
    handler_fails(check, "keeper");
    handler_fails(check, "faulting-keeper");
    refusals(check);
    CHECK_EQUAL(check, rt_ring_blocks_used(&check->rt->ring), 0);
    CHECK_EQUAL(check, check->rt->ring.strays, 0);
    return check_end(check);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "mended")) {
        return mended(&check);
    }
    if (rt_name_is(rt, "asks")) {
        return asks(&check);
    }
    if (rt_name_is(rt, "halves")) {
        return halves(&check);
    }
    if (rt_name_is(rt, "keeper") || rt_name_is(rt, "faulting-keeper")) {
        return keeper(&check, !rt_name_is(rt, "keeper"));
    }
    if (rt_name_is(rt, "reads")) {
        reads();
    }
    if (rt_name_is(rt, "later")) {
        later(rt);
    }
    if (rt_name_is(rt, "divides")) {
        divides();
    }
    if (rt_name_is(rt, "undefined")) {
        undefined();
    }
    return rt_name_is(rt, "breaks") ? breaks() : handler(&check);
}
