/* SPDX-License-Identifier: MIT */
/*
 * ThreadHandle and what ThreadSpawner may be asked: a stack of the caller's choice, the end of a
 * thread and what it leaves, waits that are bounded, interrupts, terms of scheduling, and every
 * refusal with the argument that it names. Needs "thread-spawner" and a quota of three threads.
 */
#include "abi/atomic.h"
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"

enum {
    STACK_BYTES = 16384,
    EXIT_CODE = 7,
    ROUNDS = 100, /* more than the quota has threads */
    INTERRUPTS = 20,
    POLL_NS = 200 * 1000,
    BUDGET_NS = 200 * 1000,
    PERIOD_NS = 4 * 1000 * 1000,
    CPU_BITS = 64,
};

static _Thread_local uint32_t local_number = 5;
static ALIGNED(4096) uint8_t stack[STACK_BYTES];
static uint64_t turns;      /* atomic */
static uint32_t stop;       /* atomic */
static uint64_t own_handle; /* atomic: of the thread that reads it */
static int32_t outcomes[4]; /* of the thread that wrote them */
static uintptr_t seen_stack;
static uintptr_t seen_local;

static struct thread_spawner spawner_of(struct check *check)
{
    return (struct thread_spawner){check_held(check, "thread-spawner")};
}

static struct thread_handle make(struct check *check, rt_thread_function function,
                                 struct thread_make plan)
{
    static struct rt_thread_start begin;
    struct thread_handle handle = {.cap = {.raw = 0}};

    begin = (struct rt_thread_start){.function = function};
    plan.begin = &begin;
    CHECK_EQUAL(check, thread_client_make(check->rt, spawner_of(check), &plan, &handle),
                TRANSPORT_OK);
    return handle;
}

/* Waits for the end and gives the handle up. */
static void join(struct check *check, struct thread_handle handle, int32_t code)
{
    struct thread_end end;

    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, code);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, handle.cap), TRANSPORT_OK);
}

static int quiet(struct rt *rt, void *argument)
{
    uint32_t here = 0;

    (void)rt;
    (void)argument;
    seen_stack = (uintptr_t)&here;
    seen_local = local_number == 5 ? (uintptr_t)&local_number : 0;
    return EXIT_CODE;
}

static bool in_stack(uintptr_t address)
{
    return address >= (uintptr_t)stack && address < (uintptr_t)stack + STACK_BYTES;
}

static void ends(struct check *check)
{
    struct thread_make plan = {.name = {"quiet-one", 9},
                               .stack_low = (uint64_t)(uintptr_t)stack,
                               .stack_bytes = STACK_BYTES};
    struct thread_handle handle = make(check, quiet, plan);
    struct manifest_scheduling scheduling;
    struct thread_end end;
    struct thread_seen seen;
    bool blocked;

    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, EXIT_CODE);
    CHECK(check, in_stack(seen_stack));
    CHECK(check, in_stack(seen_local));
    CHECK_EQUAL(check, thread_client_info(check->rt, handle, &seen), TRANSPORT_OK);
    CHECK(check, string_equal(seen.name, "quiet-one"));
    CHECK(check, seen.id > 1 && !seen.blocked);
    /* Again and again, and with any limit: it has ended. */
    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, 0, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.code, EXIT_CODE);
    CHECK_EQUAL(check, thread_client_interrupt(check->rt, handle, &blocked),
                EXCEPTION_REASON_CLOSED);
    CHECK_EQUAL(check, thread_client_scheduling(check->rt, handle, &scheduling),
                EXCEPTION_REASON_CLOSED);
    scheduling = (struct manifest_scheduling){.cpu_mask = UINT64_MAX};
    CHECK_EQUAL(check, thread_client_schedule(check->rt, handle, &scheduling),
                EXCEPTION_REASON_CLOSED);
    join(check, handle, EXIT_CODE);
    /* Who has heard of the end has the quota back: there is room for one at a time. */
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct thread_make either = i % 2 == 0 ? plan : (struct thread_make){.begin = NULL};
        struct thread_handle first = make(check, quiet, either);

        join(check, make(check, quiet, (struct thread_make){.begin = NULL}), EXIT_CODE);
        join(check, first, EXIT_CODE);
    }
}

/* Waits for completions that never come, as often as somebody makes it return. */
static int sleeper(struct rt *rt, void *argument)
{
    (void)argument;
    while (atomic_load_acquire_u32(&stop) == 0) {
        (void)!rt_ring_enter(&rt->ring, 1, TIMEOUT_NONE);
        (void)atomic_add_u64(&turns, 1);
    }
    return (int)rt->ring.strays;
}

static void blocked_wait(struct check *check, struct thread_handle handle)
{
    struct thread_seen seen = {.blocked = false};

    while (thread_client_info(check->rt, handle, &seen) == TRANSPORT_OK && !seen.blocked) {
        rt_sleep(check->rt, POLL_NS);
    }
    CHECK(check, seen.blocked);
}

static void turns_wait(struct check *check, uint64_t number)
{
    while (atomic_load_acquire_u64(&turns) < number) {
        rt_sleep(check->rt, POLL_NS);
    }
}

static void interrupts(struct check *check)
{
    struct thread_handle handle = make(check, sleeper, (struct thread_make){.begin = NULL});
    struct thread_end end;
    bool blocked = false;

    blocked_wait(check, handle);
    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, 0, &end),
                EXCEPTION_REASON_WOULD_BLOCK);
    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, POLL_NS, &end),
                EXCEPTION_REASON_TIMED_OUT);
    CHECK_EQUAL(check, thread_client_interrupt(check->rt, handle, &blocked), TRANSPORT_OK);
    CHECK(check, blocked);
    turns_wait(check, 1);
    /* Blocked or not, each one is heard. */
    for (uint64_t i = 2; i <= INTERRUPTS; i++) {
        CHECK_EQUAL(check, thread_client_interrupt(check->rt, handle, &blocked), TRANSPORT_OK);
        turns_wait(check, i);
    }
    CHECK_EQUAL(check, atomic_load_acquire_u64(&turns), INTERRUPTS);
    atomic_store_release_u32(&stop, 1);
    CHECK_EQUAL(check, thread_client_interrupt(check->rt, handle, &blocked), TRANSPORT_OK);
    join(check, handle, 0);
    atomic_store_release_u32(&stop, 0);
}

static struct thread_handle own_handle_wait(struct rt *rt)
{
    uint64_t raw;

    while ((raw = atomic_load_acquire_u64(&own_handle)) == 0) {
        rt_sleep(rt, POLL_NS);
    }
    return (struct thread_handle){.cap = {.raw = raw}};
}

/* On a budget: may have less, and not more. */
static int limited(struct rt *rt, void *argument)
{
    struct thread_handle itself = own_handle_wait(rt);
    struct manifest_scheduling terms;
    struct thread_end end;

    (void)argument;
    outcomes[0] = thread_client_wait(rt, itself, TIMEOUT_NONE, &end);
    (void)thread_client_scheduling(rt, itself, &terms);
    terms.budget_ns = 0;
    outcomes[1] = thread_client_schedule(rt, itself, &terms);
    terms.budget_ns = 2 * (uint64_t)BUDGET_NS;
    outcomes[2] = thread_client_schedule(rt, itself, &terms);
    terms.budget_ns = BUDGET_NS / 2;
    outcomes[3] = thread_client_schedule(rt, itself, &terms);
    return EXIT_CODE;
}

static int endless(struct rt *rt, void *argument)
{
    (void)rt;
    (void)argument;
    while (atomic_load_acquire_u32(&stop) == 0) {
        (void)atomic_add_u64(&turns, 1);
    }
    return EXIT_CODE;
}

static void budgets(struct check *check)
{
    struct manifest_scheduling terms = {
        .budget_ns = BUDGET_NS, .period_ns = PERIOD_NS, .cpu_mask = UINT64_MAX};
    struct thread_handle handle = make(check, limited, (struct thread_make){.scheduling = &terms});
    struct thread_seen seen = {.cpu_time_ns = 0};

    atomic_store_release_u64(&own_handle, handle.cap.raw);
    join(check, handle, EXIT_CODE);
    CHECK_EQUAL(check, outcomes[0], EXCEPTION_REASON_DEADLOCK);
    CHECK_EQUAL(check, outcomes[1], EXCEPTION_REASON_WIDER_THAN_SOURCE);
    CHECK_EQUAL(check, outcomes[2], EXCEPTION_REASON_WIDER_THAN_SOURCE);
    CHECK_EQUAL(check, outcomes[3], TRANSPORT_OK);
    /* A thread that runs without one gets a budget and is charged from then on. */
    handle = make(check, endless, (struct thread_make){.begin = NULL});
    CHECK_EQUAL(check, thread_client_schedule(check->rt, handle, &terms), TRANSPORT_OK);
    while (thread_client_info(check->rt, handle, &seen) == TRANSPORT_OK && seen.cpu_time_ns == 0) {
        rt_sleep(check->rt, POLL_NS);
    }
    CHECK(check, seen.cpu_time_ns != 0);
    terms.budget_ns = 0;
    CHECK_EQUAL(check, thread_client_schedule(check->rt, handle, &terms), TRANSPORT_OK);
    terms.budget_ns = 1;
    CHECK_EQUAL(check, thread_client_schedule(check->rt, handle, &terms),
                EXCEPTION_REASON_OUT_OF_RANGE);
    atomic_store_release_u32(&stop, 1);
    join(check, handle, EXIT_CODE);
    atomic_store_release_u32(&stop, 0);
}

static void terms_changed(struct check *check)
{
    struct thread_handle handle = make(check, endless, (struct thread_make){.begin = NULL});
    struct manifest_scheduling own = {.priority = 0};
    struct manifest_scheduling terms;
    unsigned accepted = 0;

    CHECK_EQUAL(check, thread_client_scheduling(check->rt, handle, &own), TRANSPORT_OK);
    CHECK_EQUAL(check, own.budget_ns, 0);
    CHECK(check, own.cpu_mask == UINT64_MAX && own.priority > 1);
    terms = own;
    terms.priority = (uint8_t)(own.priority + 1);
    CHECK_EQUAL(check, thread_client_schedule(check->rt, handle, &terms),
                EXCEPTION_REASON_WIDER_THAN_SOURCE);
    terms.priority = 1;
    CHECK_EQUAL(check, thread_client_schedule(check->rt, handle, &terms), TRANSPORT_OK);
    CHECK_EQUAL(check, thread_client_scheduling(check->rt, handle, &terms), TRANSPORT_OK);
    CHECK_EQUAL(check, terms.priority, 1);
    for (unsigned i = 0; i < CPU_BITS; i++) {
        int32_t outcome;

        terms.cpu_mask = UINT64_C(1) << i;
        outcome = thread_client_schedule(check->rt, handle, &terms);
        accepted += outcome == TRANSPORT_OK;
        CHECK(check, outcome == TRANSPORT_OK || outcome == EXCEPTION_REASON_UNSUPPORTED ||
                         outcome == EXCEPTION_REASON_OUT_OF_RANGE);
    }
    CHECK_EQUAL(check, accepted, 1); /* its own CPU */
    atomic_store_release_u32(&stop, 1);
    join(check, handle, EXIT_CODE);
    atomic_store_release_u32(&stop, 0);
}

/* One request that is refused, and the argument that the refusal names. */
struct bad {
    uint64_t entry;
    uint64_t stack_top;
    uint64_t thread_pointer;
    const char *name;
    uint64_t budget_ns;
    uint64_t cpu_mask;
    uint32_t arena_bytes;
    uint8_t priority;
    int32_t reason;
    const char *argument;
};

static void refused(struct check *check, const struct bad *bad)
{
    struct thread_request_builder request;
    struct scheduling_parameters_builder scheduling;
    struct capn_text argument;
    struct client client;

    client_open(&client, check->rt, spawner_of(check).cap, CLIENT_ROOM_SMALL);
    request = thread_spawner_spawn_params_init_request(thread_spawner_spawn_request(&client.call));
    thread_request_set_entry(request, bad->entry);
    thread_request_set_stack_top(request, bad->stack_top);
    thread_request_set_thread_pointer(request, bad->thread_pointer);
    if (bad->name != NULL) {
        thread_request_set_name(
            request, (struct capn_text){bad->name, string_length(bad->name, LIMIT_CALL_BYTES)});
    }
    scheduling = thread_request_init_scheduling(request);
    scheduling_parameters_set_priority(scheduling, bad->priority);
    scheduling_parameters_set_budget_ns(scheduling, bad->budget_ns);
    scheduling_parameters_set_period_ns(scheduling, bad->budget_ns);
    scheduling_parameters_set_cpu_mask(scheduling, bad->cpu_mask);
    thread_ring_sizes_set_arena_bytes(thread_request_init_ring(request), bad->arena_bytes);
    (void)thread_spawner_spawn_invoke(&client.call);
    CHECK_EQUAL(check, client.call.status, bad->reason);
    argument =
        cap_exception_get_argument(cap_exception_read(capn_reader_root(&client.call.response)));
    CHECK(check, string_matches(argument.bytes, argument.length, bad->argument));
    (void)client_close(&client);
}

#define GOOD_ENTRY (uint64_t)(uintptr_t) rt_thread_begin
#define GOOD       .entry = GOOD_ENTRY, .cpu_mask = UINT64_MAX

static void refusals(struct check *check)
{
    const struct bad list[] = {
        {.cpu_mask = 1, .reason = EXCEPTION_REASON_OUT_OF_RANGE, .argument = "request.entry"},
        {.entry = UINT64_C(1) << 63,
         .cpu_mask = 1,
         .reason = EXCEPTION_REASON_OUT_OF_RANGE,
         .argument = "request.entry"},
        {GOOD, .stack_top = UINT64_C(0xffff800000000000), .reason = EXCEPTION_REASON_OUT_OF_RANGE,
         .argument = "request.stackTop"},
        {GOOD, .stack_top = 16, .reason = EXCEPTION_REASON_OUT_OF_RANGE,
         .argument = "request.stackTop"},
        {GOOD, .stack_top = (uint64_t)(uintptr_t)stack + 8, .reason = EXCEPTION_REASON_MISALIGNED,
         .argument = "request.stackTop"},
        {GOOD, .thread_pointer = UINT64_C(0x0000800000000000),
         .reason = EXCEPTION_REASON_OUT_OF_RANGE, .argument = "request.threadPointer"},
        {GOOD, .name = "Not A Name", .reason = EXCEPTION_REASON_INVALID_NAME,
         .argument = "request.name"},
        {GOOD, .budget_ns = 1, .reason = EXCEPTION_REASON_OUT_OF_RANGE,
         .argument = "request.scheduling.budgetNs"},
        {GOOD, .priority = UINT8_MAX, .reason = EXCEPTION_REASON_WIDER_THAN_SOURCE,
         .argument = "request.scheduling.priority"},
        {.entry = GOOD_ENTRY,
         .reason = EXCEPTION_REASON_OUT_OF_RANGE,
         .argument = "request.scheduling.cpuMask"},
        {GOOD, .arena_bytes = 3, .reason = EXCEPTION_REASON_OUT_OF_RANGE,
         .argument = "request.ring"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(list); i++) {
        refused(check, &list[i]);
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    refusals(&check);
    ends(&check);
    interrupts(&check);
    budgets(&check);
    terms_changed(&check);
    CHECK_EQUAL(&check, rt_ring_blocks_used(&rt->ring), 0);
    CHECK_EQUAL(&check, rt->ring.strays, 0);
    return check_end(&check);
}
