/* SPDX-License-Identifier: MIT */
/*
 * Delegation between processes and CPUs. The process's name chooses the part:
 *
 *   chains     delegates "null" through 1, 3 and the greatest number of processes, one behind the
 *              other, and revokes the first delegation: the last process finds every copy it made
 *              dead; again with processes in between that have ended
 *   hop-NN     one of such a chain: delegates on and starts the next one, NN - 1; the last one
 *              copies, reports, and waits until nothing answers any more
 *   gone-NN    the same, ending as soon as the next one runs
 *   uses       revokes with calls queued and in flight, a wait and a spawn under way: each ends
 *              with REVOKED and is on the receipt
 *   crossing   two processes that give each other edges, by copy and by move, all the time
 *   cross      one of them
 *   races      two threads on one table: one delegates and revokes, the other duplicates, calls,
 *              moves and spawns with what was delegated; what is dead for one is dead for the other
 *   inherits   spawns with its descriptors: all of them, then with one that may not be passed on,
 *              one that was revoked
 *   heir       what that starts: it finds them at their slots, and cannot pass them on
 *   quiet      ends at once
 *
 * Needs "null", "process-spawner", "endpoint-factory", "thread-spawner"; chains gives "report".
 */
#include "abi/atomic.h"
#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "tests/programs/support/giving.h"
#include "user/lib/capability.h"
#include "user/lib/endpoint.h"
#include "user/lib/process.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    BINARY_OWN = 1,
    GONE_HOPS = 5,
    COPIES = 4, /* of the last process: what it was given, and three of that */
    CALLS = 6,
    CROSSINGS = 50,
    CROSS_SLOT = 9, /* of the window: where the other one's edge is put */
    PEER_SLOT = 10, /* where the other one's handle is */
    RACES = 40,
    MESSAGE_BYTES = 64,
    ROOM_BYTES = 512,
};

static bool name_begins(const struct rt *rt, const char *prefix)
{
    return memcmp(rt->start->process_name, prefix, string_length(prefix, LIMIT_NAME_BYTES)) == 0;
}

/* Quotas for a process that starts `below` more, one behind the other. */
static struct manifest_quotas quotas(uint32_t below)
{
    uint32_t n = below + 1;

    return (struct manifest_quotas){.slots = 16 * n,
                                    .frames = 160 * n,
                                    .ring_bytes = RING_BYTES * n,
                                    .endpoint_queue = 4 * n,
                                    .outstanding_calls = 16 * n,
                                    .scratch_bytes = 8192 * n,
                                    .threads = n,
                                    .log_bytes = 512 * n,
                                    .grant_nodes = 4 * n};
}

static int32_t spawn(struct rt *rt, struct cap_id spawner, const char *name,
                     const struct process_grant *grants, uint32_t count,
                     struct process_handle *handle)
{
    struct process_request request = {.name = giving_text(name),
                                      .boot_binary = BINARY_OWN,
                                      .grants = grants,
                                      .grant_count = count,
                                      .scheduling = {.cpu_mask = UINT64_MAX}};
    uint32_t below = 0;

    if (name[string_length(name, LIMIT_NAME_BYTES) - 3] == '-') {
        const char *digits = &name[string_length(name, LIMIT_NAME_BYTES) - 2];

        below = (uint32_t)(digits[0] - '0') * 10 + (uint32_t)(digits[1] - '0') - 1;
    }
    request.quotas = quotas(below);
    return process_client_spawn(rt, (struct process_spawner){spawner}, &request, handle);
}

/* ---- chains ---------------------------------------------------------------------------------- */

struct reports {
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_buffer inbox;
    struct rt_buffer reply;
};

static struct reports reports_make(struct check *check)
{
    struct endpoint_factory factory = {check_held(check, "endpoint-factory")};
    struct manifest_export limits = {.message_bytes = MESSAGE_BYTES, .queue_length = 16};
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .badge = 1,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct reports reports = {.client = {0}};

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &reports.owner),
                TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, reports.owner, &session, &reports.client),
                TRANSPORT_OK);
    reports.inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    reports.reply = rt_buffer_alloc(&check->rt->ring, 8);
    return reports;
}

/* The next report, answered; its method. */
static uint16_t report_take(struct check *check, struct reports *reports)
{
    struct rt_request request = rt_receive(&check->rt->ring, reports->owner.cap, reports->inbox);
    uint16_t method = UINT16_MAX;

    if (CHECK(check, request.status >= 0)) {
        method = request.head->method;
        CHECK_EQUAL(check,
                    rt_return(&check->rt->ring, &(struct rt_reply){.endpoint = reports->owner.cap,
                                                                   .token = request.head->token,
                                                                   .message = reports->reply.bytes,
                                                                   .message_bytes = 8}),
                    TRANSPORT_OK);
    }
    return method;
}

static void reports_end(struct check *check, struct reports *reports)
{
    rt_buffer_free(&check->rt->ring, reports->inbox);
    rt_buffer_free(&check->rt->ring, reports->reply);
    giving_release(check, reports->client);
    giving_release(check, reports->owner.cap);
}

static void name_make(char *name, const char *kind, unsigned number)
{
    size_t length = string_length(kind, LIMIT_NAME_BYTES);

    memcpy(name, kind, length);
    name[length] = '-';
    name[length + 1] = (char)('0' + number / 10);
    name[length + 2] = (char)('0' + number % 10);
    name[length + 3] = '\0';
}

/* Starts process `number` of a chain with what was delegated to it. */
static int32_t hop_start(struct check *check, const char *kind, unsigned number,
                         struct cap_id subject, struct cap_id report, struct process_handle *handle)
{
    struct cap_id spawner = check_held(check, "process-spawner");
    char name[LIMIT_NAME_BYTES];
    struct process_grant grants[4];

    name_make(name, kind, number);
    grants[0] = giving_grant("null", subject);
    grants[1] = giving_grant("report", report);
    grants[2] = giving_grant("process-spawner", spawner);
    grants[3] = giving_grant("console", check_held(check, "console"));
    return spawn(check->rt, spawner, name, grants, 4, handle);
}

static void chain(struct check *check, const char *kind, unsigned hops)
{
    struct rt_ring *ring = &check->rt->ring;
    struct reports reports = reports_make(check);
    bool stays = kind[0] == 'h';
    struct process_handle first;
    struct rt_delegated made;
    struct receipt receipt;
    int32_t edges;

    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    if (!CHECK_EQUAL(check, hop_start(check, kind, hops, made.cap, reports.client, &first),
                     TRANSPORT_OK)) {
        return;
    }
    CHECK_EQUAL(check, report_take(check, &reports), NULL_OBJECT_METHOD_NOTHING);
    edges = rt_revoke(ring, made.handle, &receipt, NULL);
    if (stays) {
        /* ours, two of each process in between, and the last one's copies */
        CHECK_EQUAL(check, edges, 1 + 2 * (int32_t)(hops - 1) + COPIES);
        CHECK_EQUAL(check, receipt.nodes, hops - 1);
    } else {
        CHECK(check, edges >= 1 + COPIES && edges <= 1 + 2 * (int32_t)(hops - 1) + COPIES);
    }
    CHECK_EQUAL(check, giving_call(check->rt, made.cap, 0), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, report_take(check, &reports), NULL_OBJECT_METHOD_ECHO);
    giving_good_end(check, first);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    reports_end(check, &reports);
}

/* The last process: every copy works, then none does. */
static void hop_last(struct check *check, struct cap_id subject, struct cap_id report)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_duplicate request = {.cap = subject, .facet = RT_FACET_SAME};
    struct cap_id copy[COPIES] = {subject};
    unsigned dead = 0;

    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[1], NULL), TRANSPORT_OK);
    request.flags = SQE_WINDOW;
    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[2], NULL), TRANSPORT_OK);
    request = (struct rt_duplicate){.cap = copy[1], .facet = NULL_OBJECT_FACET_NOTHING};
    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[3], NULL), TRANSPORT_OK);
    for (unsigned i = 0; i < COPIES; i++) {
        CHECK_EQUAL(check, giving_call(check->rt, copy[i], 0), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, giving_call(check->rt, report, NULL_OBJECT_METHOD_NOTHING), TRANSPORT_OK);
    while (dead < COPIES) {
        int32_t status = giving_call(check->rt, copy[dead], 0);

        if (status == TRANSPORT_REVOKED) {
            dead++;
        } else if (!CHECK_EQUAL(check, status, TRANSPORT_OK) || !CHECK_EQUAL(check, dead, 0)) {
            return; /* one mark kills all: none lives when another is dead */
        }
    }
    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[0], NULL), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, giving_call(check->rt, report, NULL_OBJECT_METHOD_ECHO), TRANSPORT_OK);
}

static void hop(struct check *check)
{
    const char *digits = &check->rt->start->process_name[name_begins(check->rt, "hop") ? 4 : 5];
    unsigned number = (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
    bool stays = name_begins(check->rt, "hop");
    struct cap_id subject = check_held(check, "null");
    struct cap_id report = check_held(check, "report");
    struct process_handle next;
    struct rt_delegated made;

    if (number == 1) {
        hop_last(check, subject, report);
        return;
    }
    CHECK_EQUAL(check, rt_delegate(&check->rt->ring, subject, RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    CHECK_EQUAL(check,
                hop_start(check, stays ? "hop" : "gone", number - 1, made.cap, report, &next),
                TRANSPORT_OK);
    if (stays) {
        giving_good_end(check, next);
    }
}

/* ---- uses ------------------------------------------------------------------------------------ */

static struct rt_operation submit(struct check *check, const struct sqe *entry)
{
    struct rt_operation operation = {0};

    CHECK_EQUAL(check, rt_ring_submit(&check->rt->ring, entry, &operation), TRANSPORT_OK);
    return operation;
}

static int32_t ended(struct check *check, struct rt_operation operation)
{
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(check, rt_ring_wait(&check->rt->ring, operation, TIMEOUT_NONE, &completion),
                TRANSPORT_OK);
    return completion.result;
}

/* Calls that wait, one that was taken, and a receiver: of the client's edge and of the owner's. */
static void calls_revoked(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct reports reports = reports_make(check);
    struct rt_buffer request = rt_buffer_alloc(ring, 8);
    struct rt_buffer answer = rt_buffer_alloc(ring, ROOM_BYTES);
    struct rt_operation operation[CALLS];
    struct rt_delegated made;
    struct rt_request taken;
    struct receipt receipt;
    struct sqe entry;

    CHECK_EQUAL(check, rt_delegate(ring, reports.client, RT_FACET_SAME, &made, NULL), TRANSPORT_OK);
    entry = rt_call_entry(&(struct rt_call){.cap = made.cap,
                                            .interface_id = NULL_OBJECT_INTERFACE_ID,
                                            .message = request.bytes,
                                            .message_bytes = 8,
                                            .result = answer.bytes,
                                            .result_bytes = answer.size});
    ring->checks = false; /* one message and one answer for all */
    for (unsigned i = 0; i < CALLS; i++) {
        operation[i] = submit(check, &entry);
    }
    taken = rt_receive(ring, reports.owner.cap, reports.inbox);
    CHECK(check, taken.status >= 0);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, &receipt, NULL), 1);
    CHECK_EQUAL(check, receipt.calls, CALLS);
    for (unsigned i = 0; i < CALLS; i++) {
        CHECK_EQUAL(check, ended(check, operation[i]), TRANSPORT_REVOKED);
    }
    ring->checks = true;
    CHECK(check, rt_return(ring, &(struct rt_reply){.endpoint = reports.owner.cap,
                                                    .token = taken.head->token,
                                                    .message = reports.reply.bytes,
                                                    .message_bytes = 8}) < 0);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    rt_buffer_free(ring, request);
    rt_buffer_free(ring, answer);
    reports_end(check, &reports);
}

/* A wait for the end of a process, through a delegated handle. */
static void wait_revoked(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct process_grant console = giving_grant("console", check_held(check, "console"));
    struct process_handle handle;
    struct rt_delegated made;
    struct receipt receipt;
    struct process_end end;
    struct client client;

    CHECK_EQUAL(
        check, spawn(check->rt, check_held(check, "process-spawner"), "idle", &console, 1, &handle),
        TRANSPORT_OK);
    CHECK_EQUAL(check, rt_delegate(ring, handle.cap, RT_FACET_SAME, &made, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check,
                process_client_wait_begin(check->rt, (struct process_handle){made.cap},
                                          TIMEOUT_NONE, &client),
                TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, &receipt, NULL), 1);
    CHECK_EQUAL(check, receipt.events, 1);
    CHECK_EQUAL(check, process_client_wait_end(&client, &end), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, process_client_kill(check->rt, handle, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_wait(check->rt, handle, &end), TRANSPORT_OK);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    giving_release(check, handle.cap);
}

static void quotas_fill(struct authority_quotas_builder builder)
{
    struct manifest_quotas given = quotas(0);

    authority_quotas_set_slots(builder, given.slots);
    authority_quotas_set_frames(builder, given.frames);
    authority_quotas_set_ring_bytes(builder, given.ring_bytes);
    authority_quotas_set_outstanding_calls(builder, given.outstanding_calls);
    authority_quotas_set_scratch_bytes(builder, given.scratch_bytes);
    authority_quotas_set_threads(builder, given.threads);
}

/* Begins a spawn of "quiet" with `subject`; its operation is under way. */
static void spawn_begin(struct check *check, struct client *client, struct cap_id spawner,
                        struct cap_id subject)
{
    struct process_spawn_request_builder request;
    struct process_spawn_grant_builder given;

    client_open(client, check->rt, spawner, (struct client_room){1024, ROOM_BYTES});
    request =
        process_spawner_spawn_params_init_request(process_spawner_spawn_request(&client->call));
    process_spawn_request_set_name(request, giving_text("quiet"));
    process_spawn_request_image_set_boot_binary(process_spawn_request_init_image(request),
                                                BINARY_OWN);
    given = process_spawn_grant_list_edit(process_spawn_request_init_grants(request, 1), 0);
    process_spawn_grant_set_name(given, giving_text("null"));
    process_spawn_grant_set_capability(given, client_pass(client, subject, TRANSFER_COPY));
    quotas_fill(process_spawn_request_init_quotas(request));
    CHECK_EQUAL(check, client_submit(client), TRANSPORT_OK);
}

/* A spawn under way, asked for through a revoked spawner or with a revoked grant: both submissions
 * are taken in one go, so the spawn's job finds the mark. */
static void spawn_revoked(struct check *check, bool spawner_dies)
{
    struct rt_ring *ring = &check->rt->ring;
    struct cap_id spawner = check_held(check, "process-spawner");
    struct cap_id subject = check_held(check, "null");
    struct rt_delegated made;
    struct receipt receipt;
    struct client client;

    CHECK_EQUAL(check,
                rt_delegate(ring, spawner_dies ? spawner : subject, RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    spawn_begin(check, &client, spawner_dies ? made.cap : spawner,
                spawner_dies ? subject : made.cap);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, &receipt, NULL), 1);
    CHECK(check, receipt.calls <= 1); /* 0: the job found the mark before it was asked */
    CHECK_EQUAL(check, client_finish(&client), EXCEPTION_REASON_REVOKED_CAPABILITY);
    (void)client_close(&client);
    spawn_begin(check, &client, spawner_dies ? made.cap : spawner,
                spawner_dies ? subject : made.cap);
    CHECK_EQUAL(check, client_finish(&client),
                spawner_dies ? (int32_t)TRANSPORT_REVOKED
                             : (int32_t)EXCEPTION_REASON_REVOKED_CAPABILITY);
    (void)client_close(&client);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
}

/* ---- crossing -------------------------------------------------------------------------------- */

/*
 * Gives the other one edges and takes what comes from it, until each has been done often enough or
 * the other one is done: then it took from here as often, and only its last gift may not have been
 * taken here.
 */
static void cross(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_duplicate own = {.cap = check_held(check, "null"), .facet = RT_FACET_SAME};
    struct rt_transfer give = {.slot = CROSS_SLOT};
    int32_t status = TRANSPORT_OK;
    unsigned sent = 0;
    unsigned taken = 0;

    while (rt_token(ring, PEER_SLOT, PROCESS_HANDLE_INTERFACE_ID, &give.target) ==
           TRANSPORT_BAD_CAP) {
        rt_sleep(check->rt, 1000);
    }
    for (unsigned i = 0; status != TRANSPORT_PEER_GONE && (sent < CROSSINGS || taken < CROSSINGS);
         i++) {
        struct cap_id copy;

        CHECK_EQUAL(check, rt_duplicate(ring, &own, &give.cap, NULL), TRANSPORT_OK);
        give.flags = (uint8_t)(SQE_EXACT_SLOT | (i % 2 == 0 ? SQE_MOVE : 0));
        status = rt_transfer(ring, &give, NULL);
        CHECK(check, status == TRANSPORT_OK || status == TRANSPORT_SLOT_IN_USE ||
                         status == TRANSPORT_PEER_GONE);
        sent += status == TRANSPORT_OK;
        if (status == TRANSPORT_SLOT_IN_USE) {
            rt_sleep(check->rt, 1000); /* the other one's turn */
        }
        if (status != TRANSPORT_OK || i % 2 != 0) {
            giving_release(check, give.cap);
        }
        if (rt_token(ring, CROSS_SLOT, NULL_OBJECT_INTERFACE_ID, &copy) == TRANSPORT_OK) {
            CHECK_EQUAL(check, giving_call(check->rt, copy, 0), TRANSPORT_OK);
            giving_release(check, copy);
            taken++;
        }
    }
    CHECK(check, sent >= CROSSINGS && taken >= CROSSINGS - 1);
}

static void crossing(struct check *check)
{
    struct process_grant grants[2] = {giving_grant("null", check_held(check, "null")),
                                      giving_grant("console", check_held(check, "console"))};
    struct process_handle handle[2];

    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(
            check,
            spawn(check->rt, check_held(check, "process-spawner"), "cross", grants, 2, &handle[i]),
            TRANSPORT_OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct rt_transfer give = {.cap = handle[1 - i].cap,
                                   .target = handle[i].cap,
                                   .flags = SQE_EXACT_SLOT,
                                   .slot = PEER_SLOT};

        CHECK_EQUAL(check, rt_transfer(&check->rt->ring, &give, NULL), TRANSPORT_OK);
    }
    giving_good_end(check, handle[0]);
    giving_good_end(check, handle[1]);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

enum {
    DESCRIPTORS = 20,
};

static void heir(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;

    for (uint32_t slot = 0; slot < LIMIT_DESCRIPTORS; slot++) {
        struct rt_delegated made;
        struct cap_id cap;
        int32_t status = rt_token(ring, slot, NULL_OBJECT_INTERFACE_ID, &cap);

        CHECK_EQUAL(check, status, slot < DESCRIPTORS ? TRANSPORT_OK : TRANSPORT_BAD_CAP);
        if (status == TRANSPORT_OK) {
            CHECK_EQUAL(check, giving_call(check->rt, cap, 0), TRANSPORT_OK);
            CHECK_EQUAL(check, rt_delegate(ring, cap, RT_FACET_SAME, &made, NULL),
                        TRANSPORT_NOT_GRANTABLE);
        }
    }
}

static int32_t spawn_heir(struct check *check, struct process_handle *handle)
{
    struct process_grant console = giving_grant("console", check_held(check, "console"));
    struct process_request request = {.name = {"heir", 4},
                                      .boot_binary = BINARY_OWN,
                                      .grants = &console,
                                      .grant_count = 1,
                                      .quotas = quotas(0),
                                      .scheduling = {.cpu_mask = UINT64_MAX},
                                      .inherits_descriptors = true};

    request.quotas.slots = DESCRIPTORS + 10;
    return process_client_spawn(check->rt,
                                (struct process_spawner){check_held(check, "process-spawner")},
                                &request, handle);
}

/* The flag is changed where the descriptor is: `plain` may not be inherited. */
static void descriptor_flags(struct check *check, struct cap_id plain, struct cap_id other)
{
    struct capability_manager manager = {check_held(check, "capability-manager")};
    struct rt_duplicate lowest = {.cap = plain, .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct rt_ring *ring = &check->rt->ring;
    struct process_handle handle;
    struct rt_delegated made;
    struct cap_id same = {.raw = 0};
    struct cap_id cap;
    bool close = true;

    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &cap, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, capability_client_close_on_spawn(check->rt, manager, cap, &close),
                TRANSPORT_OK);
    CHECK(check, !close);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, true),
                TRANSPORT_OK);
    CHECK_EQUAL(check, capability_client_close_on_spawn(check->rt, manager, cap, &close),
                TRANSPORT_OK);
    CHECK(check, close);
    CHECK_EQUAL(check, capability_client_close_on_spawn(check->rt, manager, other, &close),
                TRANSPORT_OK);
    CHECK(check, !close);
    CHECK_EQUAL(check, rt_token(ring, cap_id_slot(cap), NULL_OBJECT_INTERFACE_ID, &same),
                TRANSPORT_OK);
    CHECK_EQUAL(check, same.raw, cap.raw);
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, false),
                TRANSPORT_OK);
    CHECK_EQUAL(check, spawn_heir(check, &handle), EXCEPTION_REASON_PERMISSION_DENIED);
    giving_release(check, cap);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, true),
                EXCEPTION_REASON_STALE_CAPABILITY);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, plain, true),
                EXCEPTION_REASON_OUT_OF_RANGE);
    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    lowest.cap = made.cap;
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &cap, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, NULL, NULL), 2);
    CHECK_EQUAL(check, capability_client_set_close_on_spawn(check->rt, manager, cap, true),
                EXCEPTION_REASON_REVOKED_CAPABILITY);
    giving_release(check, cap);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
}

static void inherits(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_duplicate lowest = {
        .cap = check_held(check, "null"), .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct process_handle handle;
    struct rt_delegated made;
    struct cap_id slot[DESCRIPTORS];
    struct cap_id more;

    for (unsigned i = 0; i < DESCRIPTORS; i++) {
        CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &slot[i], NULL), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    /* one of mode none: nothing is spawned, unless it is marked to be left out */
    lowest.cap = check_held(check, "plain");
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &more, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, spawn_heir(check, &handle), EXCEPTION_REASON_PERMISSION_DENIED);
    giving_release(check, more);
    lowest.flags = SQE_WINDOW | SQE_CLOSE_ON_SPAWN;
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &more, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    giving_release(check, more);
    lowest.flags = SQE_WINDOW;
    descriptor_flags(check, lowest.cap, slot[0]);
    /* one that was revoked is left out */
    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    lowest.cap = made.cap;
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &more, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, NULL, NULL), 2);
    CHECK_EQUAL(check, spawn_heir(check, &handle), TRANSPORT_OK);
    giving_good_end(check, handle);
    giving_release(check, more);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    for (unsigned i = 0; i < DESCRIPTORS; i++) {
        giving_release(check, slot[i]);
    }
}

/* ---- races ----------------------------------------------------------------------------------- */

/* What the two threads share. A round: the first delegates and sets `cap`, the other uses it until
 * the first, having revoked, sets `dead`; then the other sets `done`. All atomic. */
static struct {
    uint64_t cap;
    uint64_t round;
    uint64_t dead;
    uint64_t done;
    uint64_t failed;
    struct rt_thread_start begin;
} race;

/* Whether `status` of a use that began when the round was `dead_before` may be. */
static bool race_status(int32_t status, bool dead_before)
{
    return status == TRANSPORT_REVOKED || (status == TRANSPORT_OK && !dead_before);
}

/* One use of what was delegated; `turn` chooses which. */
static bool race_use(struct rt *rt, struct cap_id cap, unsigned turn)
{
    bool dead = atomic_load_acquire_u64(&race.dead) == race.round;
    struct rt_duplicate request = {
        .cap = cap, .facet = RT_FACET_SAME, .flags = turn % 2 == 0 ? SQE_WINDOW : 0};
    struct rt_delegated made;
    struct cap_id copy;
    bool released = true;
    int32_t status;

    if (turn % 5 == 0) {
        return race_status(giving_call(rt, cap, 0), dead);
    }
    if (turn % 5 == 1) {
        status = rt_delegate(&rt->ring, cap, RT_FACET_SAME, &made, NULL);
        if (status == TRANSPORT_OK) {
            released = rt_release(&rt->ring, made.cap) == TRANSPORT_OK &&
                       rt_release(&rt->ring, made.handle) == TRANSPORT_OK;
        }
        return released && race_status(status, dead);
    }
    status = rt_duplicate(&rt->ring, &request, &copy, NULL);
    if (status != TRANSPORT_OK) {
        return race_status(status, dead);
    }
    if (dead) {
        return false;
    }
    dead = atomic_load_acquire_u64(&race.dead) == race.round;
    status = giving_call(rt, copy, 0);
    released = rt_release(&rt->ring, copy) == TRANSPORT_OK;
    return released && race_status(status, dead);
}

static int racer(struct rt *rt, void *argument)
{
    (void)argument;
    for (uint64_t round = 1; round <= RACES; round++) {
        struct cap_id cap;
        unsigned turn = 0;

        while (atomic_load_acquire_u64(&race.round) < round) {
            rt_sleep(rt, 1000);
        }
        cap.raw = atomic_load_acquire_u64(&race.cap);
        while (atomic_load_acquire_u64(&race.dead) < round || turn % 8 != 0) {
            if (!race_use(rt, cap, turn++)) {
                atomic_store_release_u64(&race.failed, round);
            }
        }
        atomic_store_release_u64(&race.done, round);
    }
    return 0;
}

static void races(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct thread_spawner threads = {check_held(check, "thread-spawner")};

    race.begin = (struct rt_thread_start){.function = racer};
    CHECK_EQUAL(check, thread_client_spawn(check->rt, threads, &race.begin), TRANSPORT_OK);
    for (uint64_t round = 1; round <= RACES; round++) {
        struct rt_delegated made;

        CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                    TRANSPORT_OK);
        atomic_store_release_u64(&race.cap, made.cap.raw);
        atomic_store_release_u64(&race.round, round);
        for (uint64_t i = 0; i < round * 7 % 64; i++) {
            CHECK_EQUAL(check, giving_call(check->rt, made.cap, 0), TRANSPORT_OK);
        }
        CHECK(check, rt_revoke(ring, made.handle, NULL, NULL) >= 1);
        atomic_store_release_u64(&race.dead, round);
        while (atomic_load_acquire_u64(&race.done) < round) {
            rt_sleep(check->rt, 1000);
        }
        giving_release(check, made.cap);
        giving_release(check, made.handle);
    }
    CHECK_EQUAL(check, race.failed, 0);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    while (name_begins(rt, "idle")) {
        rt_sleep(rt, UINT64_C(1000000000));
    }
    if (name_begins(rt, "quiet")) {
        return 0;
    }
    if (name_begins(rt, "hop") || name_begins(rt, "gone")) {
        hop(&check);
        return (int)check.failed;
    }
    if (name_begins(rt, "crossing")) {
        crossing(&check);
    } else if (name_begins(rt, "cross")) {
        cross(&check);
        return (int)check.failed;
    } else if (name_begins(rt, "uses")) {
        calls_revoked(&check);
        wait_revoked(&check);
        spawn_revoked(&check, true);
        spawn_revoked(&check, false);
    } else if (name_begins(rt, "inherits")) {
        inherits(&check);
    } else if (name_begins(rt, "heir")) {
        heir(&check);
        return (int)check.failed;
    } else if (name_begins(rt, "races")) {
        races(&check);
    } else {
        chain(&check, "hop", 1);
        chain(&check, "hop", 3);
        chain(&check, "hop", LIMIT_GRANT_DEPTH);
        chain(&check, "gone", GONE_HOPS);
    }
    CHECK_EQUAL(&check, rt_ring_blocks_used(&rt->ring), 0);
    return check_end(&check);
}
