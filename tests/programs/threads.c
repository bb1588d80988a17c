/* SPDX-License-Identifier: MIT */
/*
 * Several threads in one process. The process's name in the manifest chooses what happens:
 *
 *   threads             thread-local data, rings and stacks of their own, results seen by the first
 *   main-leaves         the first thread ends alone; the process ends with its last thread
 *   exit-with-sibling   the process exits while a sibling runs on (elsewhere, if there are CPUs)
 *   sibling-exits       a sibling ends the process under the first thread, which runs on
 *   sibling-faults      a sibling faults under the first thread
 *   thread-churn        many threads one after the other, more than there are slots
 *   threads-limit       as many at a time as a process may have, and the refusal of one more
 */
#include "abi/atomic.h"
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/syscall.h"

enum {
    WORKERS = 4,
    WORKER_NOPS = 200,
    LOCAL_INITIAL = 0x5a5a1234,
    LOCAL_ALIGNMENT = 64,
    CHURN_THREADS = 3 * LIMIT_THREADS,
    SIBLING_EXIT_CODE = 5,
    POLL_NS = 1000 * 1000,
};

static _Thread_local uint32_t local_number = LOCAL_INITIAL;
static _Thread_local ALIGNED(LOCAL_ALIGNMENT) uint8_t local_zeroes[100];

/* What one worker is told and answers. */
struct worker {
    struct rt_thread_start begin;
    uint32_t number;
    uint32_t done; /* atomic */
    bool local_fresh;
    bool local_kept;
    bool ring_own;
    uint64_t thread;
    uintptr_t local_address;
    uintptr_t stack_address;
};

static struct worker workers[LIMIT_THREADS + 1];
static uint64_t progress; /* atomic */
static uint32_t gate;     /* atomic: threads of threads-limit wait until it is 1 */

static bool local_is_fresh(void)
{
    bool fresh = local_number == LOCAL_INITIAL && (uintptr_t)local_zeroes % LOCAL_ALIGNMENT == 0;

    for (size_t i = 0; i < sizeof(local_zeroes); i++) {
        fresh = fresh && local_zeroes[i] == 0;
    }
    return fresh;
}

static int worker_run(struct rt *rt, void *argument)
{
    struct worker *worker = argument;
    bool ring_own = true;

    worker->local_fresh = local_is_fresh();
    worker->local_address = (uintptr_t)&local_number;
    worker->stack_address = (uintptr_t)&ring_own;
    worker->thread = rt->start->thread;
    local_number = worker->number;
    memset(local_zeroes, (int)worker->number, sizeof(local_zeroes));
    for (unsigned i = 0; i < WORKER_NOPS; i++) {
        ring_own = ring_own && rt_nop(&rt->ring) == 0;
    }
    worker->ring_own = ring_own && rt->ring.strays == 0;
    worker->local_kept =
        local_number == worker->number && local_zeroes[99] == (uint8_t)worker->number;
    atomic_store_release_u32(&worker->done, 1);
    return 0;
}

static int32_t worker_start(struct rt *rt, uint32_t number, rt_thread_function function)
{
    struct thread_spawner spawner;
    struct worker *worker = &workers[number];

    *worker =
        (struct worker){.begin = {.function = function, .argument = worker}, .number = number};
    if (rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap) != TRANSPORT_OK) {
        return TRANSPORT_BAD_CAP;
    }
    return thread_client_spawn(rt, spawner, &worker->begin);
}

static void worker_join(struct rt *rt, const struct worker *worker)
{
    while (atomic_load_acquire_u32(&worker->done) == 0) {
        rt_sleep(rt, POLL_NS);
    }
}

static void threads(struct check *check)
{
    CHECK(check, local_is_fresh());
    for (uint32_t i = 1; i <= WORKERS; i++) {
        CHECK_EQUAL(check, worker_start(check->rt, i, worker_run), 0);
    }
    for (uint32_t i = 1; i <= WORKERS; i++) {
        const struct worker *worker = &workers[i];

        worker_join(check->rt, worker);
        CHECK(check, worker->local_fresh);
        CHECK(check, worker->local_kept);
        CHECK(check, worker->ring_own);
        CHECK(check, worker->thread != check->rt->start->thread);
        for (uint32_t j = 1; j < i; j++) {
            CHECK(check, worker->thread != workers[j].thread);
        }
    }
    CHECK_EQUAL(check, local_number, LOCAL_INITIAL);
}

static int late_worker(struct rt *rt, void *argument)
{
    struct worker *worker = argument;

    rt_sleep(rt, 5 * POLL_NS);
    (void)rt_print(rt, "%.32s: the other thread prints and leaves\n", rt->start->process_name);
    return (int)worker->number;
}

static int endless_worker(struct rt *rt, void *argument)
{
    (void)rt;
    (void)argument;
    for (;;) {
        (void)atomic_add_u64(&progress, 1);
    }
    return 0;
}

/* Waits until the endless worker has been seen to run. */
static void progress_wait(struct rt *rt)
{
    while (atomic_load_acquire_u64(&progress) < 1000) {
        rt_sleep(rt, POLL_NS);
    }
}

static int exiting_worker(struct rt *rt, void *argument)
{
    (void)argument;
    progress_wait(rt);
    rt_exit(SIBLING_EXIT_CODE);
}

static int faulting_worker(struct rt *rt, void *argument)
{
    (void)argument;
    progress_wait(rt);
    __asm__ volatile("ud2");
    return 0;
}

static void churn(struct check *check)
{
    uint32_t started = 0;

    for (uint32_t i = 0; i < CHURN_THREADS; i++) {
        started += worker_start(check->rt, 1, worker_run) == TRANSPORT_OK;
        worker_join(check->rt, &workers[1]);
    }
    CHECK_EQUAL(check, started, CHURN_THREADS);
}

static int gated_worker(struct rt *rt, void *argument)
{
    struct worker *worker = argument;

    while (atomic_load_acquire_u32(&gate) == 0) {
        rt_sleep(rt, POLL_NS);
    }
    atomic_store_release_u32(&worker->done, 1);
    return 0;
}

static void limit(struct check *check)
{
    uint32_t started = 0;
    int32_t outcome = TRANSPORT_OK;

    while (outcome == TRANSPORT_OK && started < LIMIT_THREADS) {
        outcome = worker_start(check->rt, started + 1, gated_worker);
        started += outcome == TRANSPORT_OK;
    }
    CHECK_EQUAL(check, started, LIMIT_THREADS - 1);
    CHECK_EQUAL(check, outcome, EXCEPTION_REASON_QUOTA_EXCEEDED);
    atomic_store_release_u32(&gate, 1);
    for (uint32_t i = 1; i <= started; i++) {
        worker_join(check->rt, &workers[i]);
    }
}

static NORETURN void endless_with(struct rt *rt, rt_thread_function sibling)
{
    if (worker_start(rt, 1, sibling) != TRANSPORT_OK) {
        rt_exit(1);
    }
    for (;;) {
        (void)atomic_add_u64(&progress, 1);
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "main-leaves")) {
        if (worker_start(rt, 1, late_worker) != TRANSPORT_OK) {
            return 1;
        }
        rt_thread_exit(1); /* as the other will: which of them is last is nobody's promise */
    }
    if (rt_name_is(rt, "exit-with-sibling")) {
        if (worker_start(rt, 1, endless_worker) != TRANSPORT_OK) {
            return 1;
        }
        progress_wait(rt);
        return 0;
    }
    if (rt_name_is(rt, "sibling-exits")) {
        endless_with(rt, exiting_worker);
    }
    if (rt_name_is(rt, "sibling-faults")) {
        endless_with(rt, faulting_worker);
    }
    if (rt_name_is(rt, "thread-churn")) {
        churn(&check);
    } else if (rt_name_is(rt, "threads-limit")) {
        limit(&check);
    } else {
        threads(&check);
    }
    return check_end(&check);
}
