/* SPDX-License-Identifier: MIT */
/*
 * Supervising: what ProcessHandle's wait and kill promise. The parent ("supervise") makes "busy"
 * children, which run until they are killed, and asks
 *
 *   - for the end with a time limit: none at all, a short one, one that a kill comes before
 *   - for a wait to be taken back by CANCEL and by a revocation, before its time limit
 *   - for a kill: at its answer no thread of the process is left
 *   - for what a kill answers the second time, and what info says throughout
 *
 * Needs "process-spawner", "console", "thread-spawner" (may be passed on); binary 1 of the boot
 * package must be this program.
 */
#include "abi/atomic.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/giving.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"

enum {
    BINARY_SELF = 1,
    KILL_ROUNDS = 10,
    WAITS = 40, /* more than are told in one step */
    CANCELS = 600,
    REVOKES = 4,
    KILL_CODE = 42,
    RESTARTS = 3,
    SHORT_NS = 2 * 1000 * 1000,
};

#define LONG_NS (UINT64_C(60) * 1000 * 1000 * 1000)

static struct process_handle busy_spawn(struct check *check)
{
    struct process_grant grants[] = {giving_held(check, "console"),
                                     giving_held(check, "thread-spawner")};
    struct process_request request = {.name = giving_text("busy"),
                                      .boot_binary = BINARY_SELF,
                                      .grants = grants,
                                      .grant_count = ARRAY_COUNT(grants),
                                      .quotas = check_quotas(),
                                      .scheduling = {.cpu_mask = UINT64_MAX},
                                      .restart_count = RESTARTS};
    struct process_spawner spawner = {check_held(check, "process-spawner")};
    struct process_handle handle = {.cap = {.raw = 0}};

    request.quotas.frames *= 2;
    request.quotas.ring_bytes *= 2;
    request.quotas.threads = 2;
    CHECK_EQUAL(check, process_client_spawn(check->rt, spawner, &request, &handle), TRANSPORT_OK);
    return handle;
}

static void kill_checked(struct check *check, struct process_handle handle)
{
    struct process_info info;

    CHECK_EQUAL(check, process_client_kill(check->rt, handle, KILL_CODE), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_info(check->rt, handle, &info), TRANSPORT_OK);
    CHECK_EQUAL(check, info.threads, 0);
    CHECK_EQUAL(check, info.kind, PROCESS_EXIT_KIND_KILLED);
}

static void end_checked(struct check *check, struct process_handle handle)
{
    struct process_end end;

    CHECK_EQUAL(check, process_client_wait(check->rt, handle, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_KILLED);
    CHECK_EQUAL(check, end.code, KILL_CODE);
    giving_release(check, handle.cap);
}

static void limits(struct check *check)
{
    struct process_handle handle = busy_spawn(check);
    struct process_end end;
    struct client waits[2];

    CHECK_EQUAL(check, process_client_wait_limited(check->rt, handle, 0, &end),
                EXCEPTION_REASON_WOULD_BLOCK);
    CHECK_EQUAL(check, process_client_wait_limited(check->rt, handle, SHORT_NS, &end),
                EXCEPTION_REASON_TIMED_OUT);
    CHECK_EQUAL(check, process_client_wait_limited(check->rt, handle, 1, &end),
                EXCEPTION_REASON_TIMED_OUT);
    CHECK_EQUAL(check, process_client_wait_begin(check->rt, handle, LONG_NS, &waits[0]), 0);
    CHECK_EQUAL(check, process_client_wait_begin(check->rt, handle, UINT64_MAX - 1, &waits[1]), 0);
    kill_checked(check, handle);
    for (unsigned i = 0; i < ARRAY_COUNT(waits); i++) {
        CHECK_EQUAL(check, process_client_wait_end(&waits[i], &end), TRANSPORT_OK);
        CHECK_EQUAL(check, end.code, KILL_CODE);
    }
    /* It has ended: a limit does not matter any more. */
    CHECK_EQUAL(check, process_client_wait_limited(check->rt, handle, 0, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_wait_limited(check->rt, handle, 1, &end), TRANSPORT_OK);
    end_checked(check, handle);
}

/* One wait after the other begins and is taken back; a timer that stayed behind would be found
 * armed by the next one of its operation. */
static void taken_back(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct process_handle handle = busy_spawn(check);
    struct rt_delegated made;
    struct receipt receipt;
    struct process_end end;
    struct client client;
    unsigned cancelled = 0;
    unsigned revoked = 0;

    for (unsigned i = 0; i < CANCELS; i++) {
        (void)process_client_wait_begin(check->rt, handle, LONG_NS, &client);
        cancelled += rt_cancel(ring, client.operation) == 0 &&
                     process_client_wait_end(&client, &end) == TRANSPORT_CANCELLED;
    }
    CHECK_EQUAL(check, cancelled, CANCELS);
    for (unsigned i = 0; i < REVOKES; i++) {
        CHECK_EQUAL(check, rt_delegate(ring, handle.cap, RT_FACET_SAME, &made, NULL), TRANSPORT_OK);
        (void)process_client_wait_begin(check->rt, (struct process_handle){made.cap}, LONG_NS,
                                        &client);
        CHECK_EQUAL(check, rt_revoke(ring, made.handle, &receipt, NULL), 1);
        revoked +=
            receipt.events == 1 && process_client_wait_end(&client, &end) == TRANSPORT_REVOKED;
        giving_release(check, made.cap);
        giving_release(check, made.handle);
    }
    CHECK_EQUAL(check, revoked, REVOKES);
    CHECK_EQUAL(check, ring->strays, 0);
    kill_checked(check, handle);
    end_checked(check, handle);
}

static void kills(struct check *check)
{
    struct process_info info;

    for (unsigned i = 0; i < KILL_ROUNDS; i++) {
        struct process_handle handle = busy_spawn(check);

        CHECK_EQUAL(check, process_client_info(check->rt, handle, &info), TRANSPORT_OK);
        CHECK_EQUAL(check, info.kind, PROCESS_EXIT_KIND_RUNNING);
        CHECK_EQUAL(check, info.restart_count, RESTARTS);
        rt_sleep(check->rt, i * 100 * 1000); /* before, while and after it makes its threads */
        kill_checked(check, handle);
        kill_checked(check, handle); /* does nothing, and keeps the code */
        end_checked(check, handle);
    }
}

/* Kills and waits beside each other, from more submissions than one step answers. */
static void many(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct process_handle handle = busy_spawn(check);
    struct client waits[WAITS];
    struct process_end end;

    for (unsigned i = 0; i < WAITS; i++) {
        client_open(&waits[i], check->rt, handle.cap, CLIENT_ROOM_SMALL);
        if (i % 2 == 0) {
            process_handle_wait_params_set_timeout_ns(process_handle_wait_request(&waits[i].call),
                                                      i % 4 == 0 ? LONG_NS : TIMEOUT_NONE);
        } else {
            process_handle_kill_params_set_code(process_handle_kill_request(&waits[i].call),
                                                KILL_CODE);
        }
        CHECK_EQUAL(check, client_submit(&waits[i]), TRANSPORT_OK);
    }
    for (unsigned i = 0; i < WAITS; i++) {
        CHECK_EQUAL(check, client_finish(&waits[i]), TRANSPORT_OK);
        CHECK_EQUAL(check, client_close(&waits[i]), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, process_client_wait_limited(check->rt, handle, 0, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, ring->strays, 0);
    end_checked(check, handle);
}

static int endless(struct rt *rt, void *argument)
{
    (void)rt;
    for (;;) {
        (void)atomic_add_u64(argument, 1);
    }
    return 0;
}

/* A child: one more thread, and both run until somebody ends them. */
static NORETURN void busy(struct rt *rt)
{
    static uint64_t turns;
    static struct rt_thread_start begin = {.function = endless, .argument = &turns};
    struct thread_spawner spawner;

    if (rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap) == TRANSPORT_OK) {
        (void)thread_client_spawn(rt, spawner, &begin);
    }
    (void)endless(rt, &turns);
    rt_exit(1);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "busy")) {
        busy(rt);
    }
    limits(&check);
    taken_back(&check);
    kills(&check);
    many(&check);
    CHECK_EQUAL(&check, rt_ring_blocks_used(&rt->ring), 0);
    return check_end(&check);
}
