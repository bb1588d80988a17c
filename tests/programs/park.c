/* SPDX-License-Identifier: MIT */
/*
 * PARK and UNPARK. The process's name in the manifest chooses what happens:
 *
 *   park-alone    every refusal and ending that one thread can see
 *   park-turns    two threads that hand a word to and fro: one lost wake-up and they stand still;
 *                 then one that wakes another, more urgent, and has what it waits for with that
 *   park-relay    the same, where each wakes the other and waits in one submission; words of the
 *                 process's own and of memory objects
 *   park-crowd    several threads at one word, woken some at a time
 *   park-exit     the process ends while a thread waits and a time limit runs
 *
 * covers: PARK/BAD_FIELD, PARK/BAD_CAP, PARK/STALE_CAP, PARK/WRONG_INTERFACE, PARK/BAD_BUFFER
 * covers: PARK/CHANGED, PARK/LIMIT, PARK/TIMEOUT, PARK/CANCELLED
 * covers: UNPARK/BAD_FIELD, UNPARK/BAD_CAP, UNPARK/STALE_CAP, UNPARK/WRONG_INTERFACE
 * covers: UNPARK/BAD_BUFFER, PARK/NO_METHOD, UNPARK/NO_METHOD
 */
#include "abi/atomic.h"
#include "core/string.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/memory.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"

enum {
    TURNS = 2000,
    CROWD = 6,
    SHORT_NS = 200 * 1000,
    POLL_NS = 100 * 1000,
};

static uint32_t *word; /* atomic; on the first thread's stack */
static uint32_t ready; /* atomic: threads of the crowd that are about to wait */
static uint32_t woken; /* atomic */
static uint64_t turns; /* of the second thread; read when it is done */

/* Does `entry` and gives its completion. */
static struct cqe done(struct rt *rt, const struct sqe *entry)
{
    struct cqe completion;

    if (rt_ring_do(&rt->ring, entry, &completion) != TRANSPORT_OK) {
        completion.result = INT32_MIN;
    }
    return completion;
}

static struct sqe park_entry(enum opcode opcode, const void *address)
{
    return (struct sqe){.opcode = (uint8_t)opcode, .address = (uintptr_t)address, .value = 0};
}

static void refused(struct check *check, enum opcode opcode)
{
    struct rt *rt = check->rt;
    struct sqe entry = park_entry(opcode, (const uint8_t *)word + 2);
    struct cap_id null;
    struct cqe cqe = done(rt, &entry);

    CHECK_EQUAL(check, cqe.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(check, cqe.refusal.argument, ARGUMENT_ADDRESS);
    entry = park_entry(opcode, word);
    entry.cap.raw = UINT64_MAX;
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_BAD_CAP);
    if (CHECK_EQUAL(check, rt_find(rt, "null", NULL_OBJECT_INTERFACE_ID, &null), TRANSPORT_OK)) {
        entry.cap = null;
        CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_WRONG_INTERFACE);
        if (opcode == OPCODE_UNPARK) {
            CHECK_EQUAL(check, rt_release(&rt->ring, null), 0);
            CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_STALE_CAP);
            entry.opcode = OPCODE_PARK;
            CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_STALE_CAP);
        }
    }
    entry = park_entry(opcode, word);
    entry.method = 1;
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_BAD_FIELD);
}

/* As many waits as there are operations, one more is refused; then all are woken in steps. */
static void wait_many(struct check *check)
{
    struct rt *rt = check->rt;
    struct rt_operation operation[LIMIT_OPERATIONS];
    struct sqe entry = park_entry(OPCODE_PARK, word);
    struct cqe cqe;
    int32_t now;
    int32_t total = 0;

    entry.timeout_ns = TIMEOUT_NONE;
    for (unsigned i = 0; i < LIMIT_OPERATIONS; i++) {
        CHECK_EQUAL(check, rt_ring_submit(&rt->ring, &entry, &operation[i]), TRANSPORT_OK);
        CHECK_EQUAL(check, rt_ring_enter(&rt->ring, 0, 0), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_LIMIT);
    CHECK(check, rt_cancel(&rt->ring, operation[7]) == 0);
    CHECK(check, rt_ring_poll(&rt->ring, operation[7], &cqe) && cqe.result == TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, rt_unpark(&rt->ring, word, 1), 1);
    CHECK(check, rt_ring_poll(&rt->ring, operation[0], &cqe) && cqe.result == 0);
    CHECK(check, !rt_ring_poll(&rt->ring, operation[1], &cqe));
    do {
        now = rt_unpark(&rt->ring, word, UINT32_MAX);
        total += now;
    } while (now == LIMIT_UNPARK);
    CHECK_EQUAL(check, total, LIMIT_OPERATIONS - 2);
    for (unsigned i = 1; i < LIMIT_OPERATIONS; i++) {
        CHECK(check, i == 7 || (rt_ring_poll(&rt->ring, operation[i], &cqe) && cqe.result == 0));
    }
    CHECK_EQUAL(check, rt_unpark(&rt->ring, word, UINT32_MAX), 0);
}

/* Two waits at one word of an object, one through an edge that was lent: taken back, that one ends,
 * and the object is not pinned by it any more. */
static void lent_word(struct check *check, struct memory_object object)
{
    struct rt *rt = check->rt;
    struct sqe entry = park_entry(OPCODE_PARK, NULL);
    struct rt_operation own;
    struct rt_operation lent;
    struct rt_delegated made;
    struct receipt receipt = {.events = 0};
    struct cqe cqe;

    CHECK_EQUAL(check, rt_delegate(&rt->ring, object.cap, RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    entry.timeout_ns = TIMEOUT_NONE;
    entry.cap = object.cap;
    CHECK_EQUAL(check, rt_ring_submit(&rt->ring, &entry, &own), TRANSPORT_OK);
    entry.cap = made.cap;
    CHECK_EQUAL(check, rt_ring_submit(&rt->ring, &entry, &lent), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(&rt->ring, 0, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(&rt->ring, made.handle, &receipt, NULL), 1);
    CHECK_EQUAL(check, receipt.events, 1);
    CHECK(check, rt_ring_poll(&rt->ring, lent, &cqe) && cqe.result == TRANSPORT_REVOKED);
    CHECK(check, !rt_ring_poll(&rt->ring, own, &cqe));
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_REVOKED);
    entry = park_entry(OPCODE_UNPARK, NULL);
    entry.cap = object.cap;
    entry.value = UINT32_MAX;
    CHECK_EQUAL(check, done(rt, &entry).result, 1);
    CHECK(check, rt_ring_poll(&rt->ring, own, &cqe) && cqe.result == 0);
    CHECK_EQUAL(check, rt_release(&rt->ring, made.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(&rt->ring, made.handle), TRANSPORT_OK);
}

/* The word of an object: found under its offset by whoever holds the object, mapped or not, and
 * another than the process's own at the same number. */
static void shared_word(struct check *check)
{
    struct rt *rt = check->rt;
    struct frame_allocator allocator;
    struct memory_object object;
    struct sqe entry = park_entry(OPCODE_PARK, NULL);
    struct rt_operation operation;
    struct cap_id narrow;
    const uint32_t value = 7;
    struct cqe cqe;

    if (!CHECK_EQUAL(check,
                     rt_find(rt, "frame-allocator", FRAME_ALLOCATOR_INTERFACE_ID, &allocator.cap),
                     TRANSPORT_OK) ||
        !CHECK_EQUAL(check, memory_client_allocate(rt, allocator, 2 * LIMIT_PAGE_BYTES, &object),
                     TRANSPORT_OK)) {
        return;
    }
    entry.cap = object.cap;
    entry.address = LIMIT_PAGE_BYTES + 8;
    CHECK_EQUAL(check,
                memory_client_write(rt, object, entry.address,
                                    (struct capn_data){(const uint8_t *)&value, sizeof(value)}),
                TRANSPORT_OK);
    cqe = done(rt, &entry);
    CHECK_EQUAL(check, cqe.result, TRANSPORT_CHANGED);
    CHECK_EQUAL(check, cqe.refusal.amount, value);
    entry.value = value;
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_TIMEOUT);
    entry.timeout_ns = TIMEOUT_NONE;
    CHECK_EQUAL(check, rt_ring_submit(&rt->ring, &entry, &operation), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(&rt->ring, 0, 0), TRANSPORT_OK);
    entry.opcode = OPCODE_UNPARK;
    entry.timeout_ns = 0;
    entry.cap.raw = 0;
    CHECK_EQUAL(check, done(rt, &entry).result, 0);
    entry.cap = object.cap;
    CHECK_EQUAL(check, done(rt, &entry).result, 1);
    CHECK(check, rt_ring_poll(&rt->ring, operation, &cqe) && cqe.result == 0);
    lent_word(check, object);
    entry.opcode = OPCODE_PARK;
    entry.address = 2 * LIMIT_PAGE_BYTES;
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(
        check,
        rt_duplicate(&rt->ring,
                     &(struct rt_duplicate){.cap = object.cap,
                                            .facet = UINT64_C(1) << MEMORY_OBJECT_METHOD_INFO},
                     &narrow, NULL),
        0);
    entry.cap = narrow;
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_NO_METHOD);
    entry.opcode = OPCODE_UNPARK;
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_NO_METHOD);
}

static void alone(struct check *check)
{
    struct rt *rt = check->rt;
    struct sqe entry = park_entry(OPCODE_PARK, (const void *)(uintptr_t)LIMIT_USER_MIN);
    struct cqe cqe = done(rt, &entry);

    CHECK_EQUAL(check, cqe.result, TRANSPORT_BAD_BUFFER);
    entry.address = LIMIT_USER_MAX;
    CHECK_EQUAL(check, done(rt, &entry).result, TRANSPORT_BAD_BUFFER);
    refused(check, OPCODE_PARK);
    refused(check, OPCODE_UNPARK);
    *word = 5;
    entry = park_entry(OPCODE_PARK, word);
    entry.value = 4;
    cqe = done(rt, &entry);
    CHECK_EQUAL(check, cqe.result, TRANSPORT_CHANGED);
    CHECK_EQUAL(check, cqe.refusal.argument, ARGUMENT_VALUE);
    CHECK_EQUAL(check, cqe.refusal.amount, 5);
    CHECK_EQUAL(check, rt_park(&rt->ring, word, 5, SHORT_NS), TRANSPORT_TIMEOUT);
    CHECK_EQUAL(check, rt_park(&rt->ring, word, 5, 0), TRANSPORT_TIMEOUT);
    *word = 0;
    wait_many(check);
    shared_word(check);
}

static int32_t thread_start(struct rt *rt, struct rt_thread_start *begin)
{
    struct thread_spawner spawner;

    if (rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap) != TRANSPORT_OK) {
        return TRANSPORT_BAD_CAP;
    }
    return thread_client_spawn(rt, spawner, begin);
}

/* Waits until `word` is `mine`, makes it `other`, TURNS times; the turns taken. */
static uint64_t take_turns(struct rt *rt, uint32_t mine, uint32_t other)
{
    uint64_t taken = 0;

    while (taken < TURNS) {
        uint32_t found = atomic_load_acquire_u32(word);

        if (found != mine) {
            int32_t status = rt_park(&rt->ring, word, found, TIMEOUT_NONE);

            if (status != 0 && status != TRANSPORT_CHANGED) {
                break;
            }
            continue;
        }
        taken++;
        atomic_store_release_u32(word, other);
        if (rt_unpark(&rt->ring, word, 1) < 0) {
            break;
        }
    }
    return taken;
}

static int second_turns(struct rt *rt, void *argument)
{
    (void)argument;
    turns = take_turns(rt, 1, 0);
    atomic_store_release_u32(&woken, 1);
    return 0;
}

static void two_threads(struct check *check)
{
    static struct rt_thread_start begin = {.function = second_turns};

    CHECK_EQUAL(check, thread_start(check->rt, &begin), TRANSPORT_OK);
    CHECK_EQUAL(check, take_turns(check->rt, 0, 1), TURNS);
    while (atomic_load_acquire_u32(&woken) == 0) {
        rt_sleep(check->rt, POLL_NS);
    }
    CHECK_EQUAL(check, turns, TURNS);
}

/* ---- a pair that does not wait --------------------------------------------------------------- */

static uint32_t *pair_words; /* atomic; two, on the first thread's stack */

/* Waits, on the CPU of `lets_go` and before it. */
static int urgent(struct rt *rt, void *argument)
{
    (void)argument;
    atomic_store_release_u32(&ready, 1);
    return rt_park(&rt->ring, &pair_words[0], 0, TIMEOUT_NONE);
}

/* Wakes the urgent thread and would wait itself, in one submission, of which one completion is
 * enough: it goes on, after the urgent one, and takes its own wait back. */
static int lets_go(struct rt *rt, void *argument)
{
    struct rt_ring *ring = &rt->ring;
    struct sqe wake = park_entry(OPCODE_UNPARK, &pair_words[0]);
    struct sqe wait = park_entry(OPCODE_PARK, &pair_words[1]);
    struct rt_operation operation[2];
    struct cqe completion[2];

    (void)argument;
    wake.value = 1;
    wait.timeout_ns = TIMEOUT_NONE;
    if (rt_ring_submit(ring, &wake, &operation[0]) != TRANSPORT_OK ||
        rt_ring_submit(ring, &wait, &operation[1]) != TRANSPORT_OK ||
        rt_syscall_cap_enter(1, TIMEOUT_NONE) < 1 ||
        rt_ring_wait(ring, operation[0], TIMEOUT_NONE, &completion[0]) != TRANSPORT_OK ||
        rt_cancel(ring, operation[1]) != TRANSPORT_OK ||
        rt_ring_wait(ring, operation[1], TIMEOUT_NONE, &completion[1]) != TRANSPORT_OK) {
        return 1;
    }
    return completion[0].result == 1 && completion[1].result == TRANSPORT_CANCELLED ? 0 : 2;
}

static struct thread_handle thread_on_first(struct check *check,
                                            const struct rt_thread_start *begin, uint8_t priority)
{
    const struct manifest_scheduling terms = {.priority = priority, .cpu_mask = 1};
    const struct thread_make plan = {.begin = begin, .scheduling = &terms};
    const struct thread_spawner spawner = {check_held(check, "thread-spawner")};
    struct thread_handle handle = {.cap = {.raw = 0}};

    CHECK_EQUAL(check, thread_client_make(check->rt, spawner, &plan, &handle), TRANSPORT_OK);
    return handle;
}

static void pair_goes_on(struct check *check)
{
    static struct rt_thread_start begin[2] = {{.function = urgent}, {.function = lets_go}};
    struct thread_handle first;
    struct thread_handle second;
    struct thread_end end = {.code = -1};
    uint32_t words[2] = {0};

    pair_words = words;
    first = thread_on_first(check, &begin[0], 2);
    while (atomic_load_acquire_u32(&ready) == 0) {
        rt_sleep(check->rt, POLL_NS);
    }
    second = thread_on_first(check, &begin[1], 1);
    CHECK_EQUAL(check, thread_client_wait(check->rt, first, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.code, 0);
    CHECK_EQUAL(check, thread_client_wait(check->rt, second, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.code, 0);
}

/* ---- relay ----------------------------------------------------------------------------------- */

/* The word of one of two sides that wake each other and wait, each in one submission. */
struct relay {
    uint32_t *word;    /* atomic: the side has something to do */
    struct cap_id cap; /* the memory object that it lies in; raw 0: own memory */
    uint64_t base;     /* where that is mapped */
};

static struct relay relay[2];

/* Takes TURNS turns as side `mine`; how many went well. */
static uint64_t relay_run(struct rt *rt, unsigned mine)
{
    const struct relay *own = &relay[mine];
    const struct relay *other = &relay[1 - mine];
    const struct rt_turn turn = {.wake_cap = other->cap,
                                 .wake = (uintptr_t)other->word - other->base,
                                 .wait_cap = own->cap,
                                 .wait = (uintptr_t)own->word - own->base};
    uint64_t taken = 0;

    for (unsigned i = 0; i < TURNS; i++) {
        int32_t status = 0;

        atomic_store_release_u32(own->word, 0);
        atomic_store_release_u32(other->word, 1);
        status = rt_wake_and_wait(&rt->ring, &turn);
        /* The other may have seen its word before it waited, and its wake-up comes now. */
        while (status == 0 && atomic_load_acquire_u32(own->word) == 0) {
            const struct sqe wait = {.opcode = OPCODE_PARK,
                                     .cap = turn.wait_cap,
                                     .address = turn.wait,
                                     .timeout_ns = TIMEOUT_NONE};

            status = done(rt, &wait).result;
        }
        taken +=
            (status == 0 || status == TRANSPORT_CHANGED) && atomic_load_acquire_u32(own->word) == 1;
    }
    return taken;
}

/* The second side begins by waiting, and hands back the last turn. */
static int second_relay(struct rt *rt, void *argument)
{
    (void)argument;
    while (atomic_load_acquire_u32(relay[1].word) == 0) {
        rt_sleep(rt, POLL_NS);
    }
    turns = relay_run(rt, 1);
    atomic_store_release_u32(&woken, 1);
    return 0;
}

/* The first side wakes the second for the last time, which then is the one that waits. */
static void relay_both(struct check *check, struct rt_thread_start *begin)
{
    atomic_store_release_u32(&woken, 0);
    *relay[0].word = *relay[1].word = 0;
    CHECK_EQUAL(check, thread_start(check->rt, begin), TRANSPORT_OK);
    CHECK_EQUAL(check, relay_run(check->rt, 0), TURNS);
    atomic_store_release_u32(relay[1].word, 1);
    while (atomic_load_acquire_u32(&woken) == 0) {
        struct sqe entry = {.opcode = OPCODE_UNPARK,
                            .cap = relay[1].cap,
                            .address = (uintptr_t)relay[1].word - relay[1].base,
                            .value = 1};

        CHECK(check, done(check->rt, &entry).result >= 0);
        rt_sleep(check->rt, POLL_NS);
    }
    CHECK_EQUAL(check, turns, TURNS);
}

/* The first word of a new memory object. */
static struct relay relay_object(struct check *check)
{
    struct memory_range range = {.bytes = LIMIT_PAGE_BYTES};
    struct frame_allocator allocator = {.cap = check_held(check, "frame-allocator")};
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};
    struct memory_object object;

    CHECK_EQUAL(check, memory_client_allocate(check->rt, allocator, LIMIT_PAGE_BYTES, &object),
                TRANSPORT_OK);
    CHECK_EQUAL(check,
                memory_client_map_object(check->rt, memory, (struct memory_part){.object = object},
                                         MEMORY_PROTECTION_READ_WRITE, &range),
                TRANSPORT_OK);
    return (struct relay){
        .word = (uint32_t *)(uintptr_t)range.address, .cap = object.cap, .base = range.address};
}

/* Both words in own memory, both in one object, one in each, and in two objects; at the end an
 * object lives as long as its edge and its mapping. */
static void relays(struct check *check)
{
    static struct rt_thread_start begin[5] = {{.function = second_relay},
                                              {.function = second_relay},
                                              {.function = second_relay},
                                              {.function = second_relay},
                                              {.function = second_relay}};
    uint32_t private[2];
    const struct relay own[2] = {{.word = &private[0]}, {.word = &private[1]}};
    const struct relay object = relay_object(check);
    const struct relay other = relay_object(check);
    const struct relay behind = {.word = object.word + 1, .cap = object.cap, .base = object.base};
    const struct relay pairs[ARRAY_COUNT(begin)][2] = {
        {own[0], own[1]}, {object, behind}, {own[0], object}, {object, own[1]}, {object, other}};

    for (size_t i = 0; i < ARRAY_COUNT(begin); i++) {
        relay[0] = pairs[i][0];
        relay[1] = pairs[i][1];
        relay_both(check, &begin[i]);
    }
}

/* ---- crowd ----------------------------------------------------------------------------------- */

static int crowd_member(struct rt *rt, void *argument)
{
    (void)argument;
    (void)__atomic_add_fetch(&ready, 1, __ATOMIC_ACQ_REL);
    if (rt_park(&rt->ring, word, 0, TIMEOUT_NONE) == 0) {
        (void)__atomic_add_fetch(&woken, 1, __ATOMIC_ACQ_REL);
    }
    return 0;
}

static void crowd(struct check *check)
{
    static struct rt_thread_start begin = {.function = crowd_member};
    struct rt *rt = check->rt;
    uint32_t total = 0;

    for (unsigned i = 0; i < CROWD; i++) {
        CHECK_EQUAL(check, thread_start(rt, &begin), TRANSPORT_OK);
    }
    while (atomic_load_acquire_u32(&ready) < CROWD) {
        rt_sleep(rt, POLL_NS);
    }
    while (total < CROWD) {
        int32_t now = rt_unpark(&rt->ring, word, 2);

        CHECK(check, now >= 0 && now <= 2);
        total += (uint32_t)now;
        rt_sleep(rt, POLL_NS);
    }
    while (atomic_load_acquire_u32(&woken) < CROWD) {
        rt_sleep(rt, POLL_NS);
    }
    CHECK_EQUAL(check, rt_unpark(&rt->ring, word, CROWD), 0);
}

/* Leaves two waits behind, one with a time limit, and a thread that waits. */
static int leave(struct check *check)
{
    static struct rt_thread_start begin = {.function = crowd_member};
    struct rt *rt = check->rt;
    struct sqe entry = park_entry(OPCODE_PARK, word);
    struct rt_operation operation;

    entry.timeout_ns = TIMEOUT_NONE;
    CHECK_EQUAL(check, rt_ring_submit(&rt->ring, &entry, &operation), TRANSPORT_OK);
    entry.timeout_ns = UINT64_C(3600) * 1000 * 1000 * 1000;
    CHECK_EQUAL(check, rt_ring_submit(&rt->ring, &entry, &operation), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(&rt->ring, 0, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, thread_start(rt, &begin), TRANSPORT_OK);
    while (atomic_load_acquire_u32(&ready) < 1) {
        rt_sleep(rt, POLL_NS);
    }
    return check_end(check);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    uint32_t here = 0;

    word = &here;
    if (rt_name_is(rt, "park-alone")) {
        alone(&check);
    } else if (rt_name_is(rt, "park-turns")) {
        two_threads(&check);
        pair_goes_on(&check);
    } else if (rt_name_is(rt, "park-relay")) {
        relays(&check);
    } else if (rt_name_is(rt, "park-crowd")) {
        crowd(&check);
    } else {
        return leave(&check);
    }
    return check_end(&check);
}
