/* SPDX-License-Identifier: MIT */
/* What is under way when it is revoked. */
#include "abi/atomic.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/delegates/delegates.h"
#include "tests/programs/support/gate.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    CALLS = 6,
    ROOM_BYTES = 512,
};

/* Calls that wait, one that was taken, and a receiver: of the client's edge and of the owner's. */
static void calls_revoked(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct gate reports = gate_make(check);
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
        operation[i] = check_submit(check, ring, &entry);
    }
    taken = rt_receive(ring, reports.owner.cap, reports.inbox);
    CHECK(check, taken.status >= 0);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, &receipt, NULL), 1);
    CHECK_EQUAL(check, receipt.calls, CALLS);
    for (unsigned i = 0; i < CALLS; i++) {
        CHECK_EQUAL(check, check_completion(check, ring, operation[i]).result, TRANSPORT_REVOKED);
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
    gate_end(check, &reports);
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

    CHECK_EQUAL(check,
                delegate_spawn(check->rt, check_held(check, "process-spawner"), "idle", &console, 1,
                               &handle),
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
    struct manifest_quotas given = delegate_quotas(0);

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
                                                DELEGATES_BINARY);
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
    int32_t edges;

    CHECK_EQUAL(check,
                rt_delegate(ring, spawner_dies ? spawner : subject, RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    spawn_begin(check, &client, spawner_dies ? made.cap : spawner,
                spawner_dies ? subject : made.cap);
    edges = rt_revoke(ring, made.handle, &receipt, NULL);
    CHECK(check, edges == 1 || (edges == 2 && !spawner_dies)); /* 2: in the spawn's plan still */
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

/* What the two threads of spawn_kept share; `*word` and `done` are atomic. */
static struct {
    uint32_t *word; /* in the main thread's arena; 1: the spawn is under way */
    uint64_t done;  /* threads that have ended */
    struct rt_delegated made;
    struct cap_id spawner;
    struct check revoker;
    struct check spawner_thread;
    struct rt_thread_start begin[2];
} kept;

static int kept_revoke(struct rt *rt, void *argument)
{
    struct check *check = &kept.revoker;

    (void)argument;
    check->rt = rt;
    CHECK_EQUAL(check, rt_park(&rt->ring, kept.word, 0, TIMEOUT_NONE), TRANSPORT_OK);
    /* The main thread's edge, and the one in the plan. */
    CHECK_EQUAL(check, rt_revoke(&rt->ring, kept.made.handle, NULL, NULL), 2);
    CHECK_EQUAL(check, rt_revoke(&rt->ring, kept.made.handle, NULL, NULL), 0);
    (void)atomic_add_u64(&kept.done, 1);
    return 0;
}

/* The spawn is asked for and the other thread is woken in one go: that is more urgent, and so is
 * its revocation. */
static int kept_spawn(struct rt *rt, void *argument)
{
    struct check *check = &kept.spawner_thread;
    const struct sqe wake = {.opcode = OPCODE_UNPARK, .address = (uintptr_t)kept.word, .value = 1};
    struct client client;

    (void)argument;
    check->rt = rt;
    spawn_begin(check, &client, kept.spawner, kept.made.cap);
    atomic_store_release_u32(kept.word, 1);
    CHECK_EQUAL(check, check_done(check, &rt->ring, &wake).result, 1);
    CHECK_EQUAL(check, client_finish(&client), EXCEPTION_REASON_REVOKED_CAPABILITY);
    (void)client_close(&client);
    (void)atomic_add_u64(&kept.done, 1);
    return 0;
}

/* A spawn of so low a priority that none of its steps comes before the revocation is over keeps
 * nothing of what that takes. */
static void spawn_kept(struct check *check)
{
    static const rt_thread_function function[] = {kept_revoke, kept_spawn};
    const struct thread_spawner threads = {check_held(check, "thread-spawner")};
    struct rt_buffer word = rt_buffer_alloc(&check->rt->ring, sizeof(*kept.word));
    struct thread_handle handle;

    kept.word = (uint32_t *)(void *)word.bytes;
    *kept.word = 0;
    kept.spawner = check_held(check, "process-spawner");
    CHECK_EQUAL(
        check,
        rt_delegate(&check->rt->ring, check_held(check, "null"), RT_FACET_SAME, &kept.made, NULL),
        TRANSPORT_OK);
    for (unsigned i = 0; i < ARRAY_COUNT(function); i++) {
        const struct manifest_scheduling terms = {.priority = (uint8_t)(2 - i), .cpu_mask = 1};
        const struct thread_make plan = {.begin = &kept.begin[i], .scheduling = &terms};

        kept.begin[i] = (struct rt_thread_start){.function = function[i]};
        CHECK_EQUAL(check, thread_client_make(check->rt, threads, &plan, &handle), TRANSPORT_OK);
        giving_release(check, handle.cap);
    }
    while (atomic_load_acquire_u64(&kept.done) < ARRAY_COUNT(function)) {
        rt_sleep(check->rt, 1000);
    }
    CHECK_EQUAL(check, kept.revoker.failed, 0);
    CHECK_EQUAL(check, kept.spawner_thread.failed, 0);
    rt_buffer_free(&check->rt->ring, word);
    giving_release(check, kept.made.cap);
    giving_release(check, kept.made.handle);
}

void uses(struct check *check)
{
    calls_revoked(check);
    wait_revoked(check);
    spawn_revoked(check, true);
    spawn_revoked(check, false);
    spawn_kept(check);
}
