/* SPDX-License-Identifier: MIT */
/* The end of an object against its use, and of a process against who counts what it has. */
#include "abi/atomic.h"
#include "tests/programs/races/races.h"
#include "user/lib/memory.h"

enum {
    PINNED = 24,
    WATCHED = 4,
};

/* ---- pinned ---------------------------------------------------------------------------------- */

static struct {
    uint64_t cap;
    uint64_t round;
    uint64_t begun;
    uint64_t done;
    uint64_t failed;
    struct rt_thread_start begin;
} pin;

/* Uses the object until its last edge is gone: a call on it, or a wait at its word. */
static int pin_thread(struct rt *rt, void *argument)
{
    (void)argument;
    for (uint64_t round = 1; round <= PINNED; round++) {
        struct memory_object object;
        int32_t status = TRANSPORT_OK;
        uint8_t byte;

        wait_until(rt, &pin.round, round);
        object.cap.raw = atomic_load_acquire_u64(&pin.cap);
        for (unsigned turn = 0; status == TRANSPORT_OK; turn++) {
            struct sqe park = {
                .opcode = OPCODE_PARK, .cap = object.cap, .value = 0, .timeout_ns = 1000};
            struct cqe cqe;

            if (turn % 2 == 0) {
                status = memory_client_read(rt, object, turn * 64 % LIMIT_PAGE_BYTES, &byte, 1);
            } else {
                status = rt_ring_do(&rt->ring, &park, &cqe);
                status = status == TRANSPORT_OK ? cqe.result : status;
                status = status == TRANSPORT_TIMEOUT ? TRANSPORT_OK : status;
            }
            atomic_store_release_u64(&pin.begun, round);
        }
        if (status != TRANSPORT_STALE_CAP) {
            atomic_store_release_u64(&pin.failed, round);
        }
        atomic_store_release_u64(&pin.done, round);
    }
    return 0;
}

void pinned(struct check *check)
{
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};

    thread_start(check, &pin.begin, pin_thread);
    for (uint64_t round = 1; round <= PINNED; round++) {
        struct memory_object object;

        CHECK_EQUAL(check, memory_client_allocate(check->rt, allocator, LIMIT_PAGE_BYTES, &object),
                    TRANSPORT_OK);
        atomic_store_release_u64(&pin.cap, object.cap.raw);
        atomic_store_release_u64(&pin.round, round);
        wait_until(check->rt, &pin.begun, round);
        for (uint64_t i = 0; i < round % 5; i++) {
            CHECK_EQUAL(check, rt_nop(&check->rt->ring), TRANSPORT_OK);
        }
        giving_release(check, object.cap);
        wait_until(check->rt, &pin.done, round);
    }
    CHECK_EQUAL(check, pin.failed, 0);
}

/* ---- watchers -------------------------------------------------------------------------------- */

/* What a process has goes back while somebody counts it: each answer is of one moment, and the last
 * one is that it has nothing. */
void watchers(struct check *check)
{
    struct cap_id spawner = check_held(check, "process-spawner");

    for (unsigned round = 0; round < WATCHED; round++) {
        struct process_handle child;
        struct process_info info = {.frames = 1};
        struct process_end end;
        int32_t outcome;

        if (!CHECK_EQUAL(check, race_spawn(check->rt, spawner, "quiet", 1, NULL, 0, &child),
                         TRANSPORT_OK)) {
            return;
        }
        outcome = TRANSPORT_OK;
        for (unsigned i = 1; outcome == TRANSPORT_OK && (info.threads | info.frames) != 0; i++) {
            outcome = process_client_info(check->rt, child, &info);
            CHECK(check, info.frames <= RACE_FRAMES);
            if (i % 16 == 0) {
                rt_sleep(check->rt, 1000); /* it may be at home on this CPU, and less urgent */
            }
        }
        CHECK_EQUAL(check, outcome, TRANSPORT_OK);
        CHECK_EQUAL(check, process_client_wait(check->rt, child, &end), TRANSPORT_OK);
        CHECK_EQUAL(check, end.code, 0);
        giving_release(check, child.cap);
    }
}
