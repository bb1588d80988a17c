/* SPDX-License-Identifier: MIT */
/* Two at one thing: processes that give each other edges, threads on one table. */
#include "abi/atomic.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/delegates/delegates.h"
#include "tests/programs/support/rounds.h"
#include "user/rt/cap.h"

enum {
    CROSSINGS = 50,
    CROSS_SLOT = 9, /* of the window: where the other one's edge is put */
    PEER_SLOT = 10, /* where the other one's handle is */
    RACES = 40,
};

/* ---- crossing -------------------------------------------------------------------------------- */

/*
 * Gives the other one edges and takes what comes from it, until each has been done often enough or
 * the other one is done: then it took from here as often, and only its last gift may not have been
 * taken here.
 */
void cross(struct check *check)
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

void crossing(struct check *check)
{
    struct process_grant grants[2] = {giving_grant("null", check_held(check, "null")),
                                      giving_grant("console", check_held(check, "console"))};
    struct process_handle handle[2];

    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(check,
                    delegate_spawn(check->rt, check_held(check, "process-spawner"), "cross", grants,
                                   2, &handle[i]),
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

/* ---- races ----------------------------------------------------------------------------------- */

static struct rounds race;

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

        wait_until(rt, &race.round, round);
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

void races(struct check *check)
{
    const struct rounds_plan plan = {.other = racer, .count = RACES, .step = 7, .below = 64};

    rounds_revoked(check, &race, &plan);
}
