/* SPDX-License-Identifier: MIT */
/* A revocation against those who hold, pass on or make edges of what it takes back. */
#include "abi/atomic.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/races/races.h"
#include "tests/programs/support/gate.h"
#include "user/rt/cap.h"

enum {
    TAKERS = 4,
    TURNS = 5, /* kinds of use */
    SOURCES = 20,
    KEPT = 24,
    CROWD = 24,
};

/* ---- takers ---------------------------------------------------------------------------------- */

void takers(struct check *check)
{
    struct cap_id spawner = check_held(check, "process-spawner");
    struct gate gate = gate_make(check);

    for (unsigned round = 0; round < TAKERS; round++) {
        struct rt_delegated made;
        struct process_grant grants[4];
        struct process_handle child;

        CHECK_EQUAL(
            check,
            rt_delegate(&check->rt->ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
            TRANSPORT_OK);
        grants[0] = giving_grant("null", made.cap);
        grants[1] = giving_grant("gate", gate.client);
        grants[2] = giving_grant("process-spawner", spawner);
        grants[3] = giving_grant("console", check_held(check, "console"));
        if (!CHECK_EQUAL(check, race_spawn(check->rt, spawner, "taker", 4, grants, 4, &child),
                         TRANSPORT_OK)) {
            return;
        }
        gate_answer(check, &gate, gate_take(check, &gate)); /* from here on both run */
        for (unsigned i = 0; i < round * 9; i++) {
            CHECK_EQUAL(check, giving_call(check->rt, made.cap, 0), TRANSPORT_OK);
        }
        CHECK(check, rt_revoke(&check->rt->ring, made.handle, NULL, NULL) >= 1);
        gate_answer(check, &gate, gate_take(check, &gate));
        giving_good_end(check, child);
        giving_release(check, made.cap);
        giving_release(check, made.handle);
    }
    gate_end(check, &gate);
}

/* One use of `subject`, whose copy goes to `heir` or a new process; how it ended. */
static int32_t taker_use(struct check *check, struct cap_id subject, struct cap_id heir,
                         unsigned turn)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_transfer pass = {.target = heir, .flags = turn % 2 == 0 ? SQE_MOVE : 0};
    struct process_handle child;
    struct process_grant given;
    int32_t status = rt_duplicate_same(ring, subject, &pass.cap);

    if (status != TRANSPORT_OK) {
        return status;
    }
    if (turn % TURNS == 1 || turn % TURNS == 2) {
        status = rt_transfer(ring, &pass, NULL);
        if (status != TRANSPORT_OK || pass.flags == 0) {
            giving_release(check, pass.cap);
        }
        return status == TRANSPORT_LIMIT ? TRANSPORT_OK : status; /* the heir is full */
    }
    if (turn % TURNS == 3) {
        status = giving_call(check->rt, pass.cap, 0);
    } else if (turn % TURNS == 4) {
        given = giving_grant("null", pass.cap);
        status = race_spawn(check->rt, check_held(check, "process-spawner"), "quiet", 1, &given, 1,
                            &child);
        if (status == TRANSPORT_OK) {
            giving_good_end(check, child);
        } else if (status == EXCEPTION_REASON_REVOKED_CAPABILITY) {
            status = TRANSPORT_REVOKED;
        }
    }
    giving_release(check, pass.cap);
    return status;
}

void taker(struct check *check)
{
    struct cap_id subject = check_held(check, "null");
    struct cap_id gate = check_held(check, "gate");
    int32_t status = TRANSPORT_OK;
    struct process_handle heir;
    struct process_end end;

    CHECK_EQUAL(
        check,
        race_spawn(check->rt, check_held(check, "process-spawner"), "idle", 1, NULL, 0, &heir),
        TRANSPORT_OK);
    CHECK_EQUAL(check, giving_call(check->rt, gate, NULL_OBJECT_METHOD_NOTHING), TRANSPORT_OK);
    for (unsigned turn = 0; status == TRANSPORT_OK; turn++) {
        status = taker_use(check, subject, heir.cap, turn);
    }
    CHECK_EQUAL(check, status, TRANSPORT_REVOKED);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        CHECK_EQUAL(check, taker_use(check, subject, heir.cap, turn), TRANSPORT_REVOKED);
    }
    CHECK_EQUAL(check, giving_call(check->rt, subject, 0), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, giving_call(check->rt, gate, NULL_OBJECT_METHOD_ECHO), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_kill(check->rt, heir, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_wait(check->rt, heir, &end), TRANSPORT_OK);
    giving_release(check, heir.cap);
}

/* ---- sources --------------------------------------------------------------------------------- */

/* The other thread makes edges of the source and keeps them until it is dead; then all must be. */
static struct rounds source;

/* One new edge of `from`, and the handle that came with it (raw 0: none). */
static int32_t source_edge(struct rt *rt, struct cap_id from, unsigned turn,
                           struct rt_delegated *made)
{
    made->handle.raw = 0;
    return turn % 2 == 0 ? rt_duplicate_same(&rt->ring, from, &made->cap)
                         : rt_delegate(&rt->ring, from, RT_FACET_SAME, made, NULL);
}

static bool source_round(struct rt *rt, struct cap_id cap, uint64_t round)
{
    struct rt_delegated kept[KEPT];
    unsigned count = 0;
    bool good = true;
    int32_t status = TRANSPORT_OK;

    while (count < KEPT && status == TRANSPORT_OK) {
        /* of the source, or of an edge made of it a moment ago */
        status = source_edge(rt, count % 3 == 2 ? kept[count - 1].cap : cap, count, &kept[count]);
        count += status == TRANSPORT_OK;
    }
    good = status == TRANSPORT_OK || status == TRANSPORT_REVOKED;
    wait_until(rt, &source.dead, round);
    while (count > 0) {
        struct rt_delegated *made = &kept[--count];

        good = giving_call(rt, made->cap, 0) == TRANSPORT_REVOKED && good;
        good = rt_release(&rt->ring, made->cap) == TRANSPORT_OK && good;
        good =
            (made->handle.raw == 0 || rt_release(&rt->ring, made->handle) == TRANSPORT_OK) && good;
    }
    return good;
}

static int source_thread(struct rt *rt, void *argument)
{
    (void)argument;
    for (uint64_t round = 1; round <= SOURCES; round++) {
        wait_until(rt, &source.round, round);
        if (!source_round(rt, (struct cap_id){atomic_load_acquire_u64(&source.cap)}, round)) {
            atomic_store_release_u64(&source.failed, round);
        }
        atomic_store_release_u64(&source.done, round);
    }
    return 0;
}

void sources(struct check *check)
{
    const struct rounds_plan plan = {
        .other = source_thread, .count = SOURCES, .step = 1, .below = 8};

    rounds_revoked(check, &source, &plan);
}

/* ---- crowd ----------------------------------------------------------------------------------- */

/* Each of them holds one edge of what is lent. Every second one ends while it is taken back, so the
 * walk meets some that are gone when it goes on. */
void crowd(struct check *check)
{
    struct cap_id spawner = check_held(check, "process-spawner");
    struct rt_ring *ring = &check->rt->ring;
    struct process_handle child[CROWD];
    struct client wait[CROWD];
    struct rt_delegated lent;
    struct process_grant grant;
    struct process_end end;
    int32_t edges;

    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &lent, NULL),
                TRANSPORT_OK);
    grant = giving_grant("null", lent.cap);
    for (unsigned i = 0; i < CROWD; i++) {
        if (!CHECK_EQUAL(check, race_spawn(check->rt, spawner, "idle", 1, &grant, 1, &child[i]),
                         TRANSPORT_OK)) {
            return;
        }
    }
    for (unsigned i = 0; i < CROWD; i += 2) {
        client_open(&wait[i], check->rt, child[i].cap, CLIENT_ROOM_SMALL);
        (void)process_handle_kill_request(&wait[i].call);
        CHECK_EQUAL(check, client_submit(&wait[i]), TRANSPORT_OK);
    }
    edges = rt_revoke(ring, lent.handle, NULL, NULL);
    CHECK(check, edges > CROWD / 2 && edges <= CROWD + 1); /* the parent's too */
    for (unsigned i = 0; i < CROWD; i++) {
        if (i % 2 == 0) {
            CHECK_EQUAL(check, client_finish(&wait[i]), TRANSPORT_OK);
            (void)client_close(&wait[i]);
            CHECK_EQUAL(check, process_client_wait(check->rt, child[i], &end), TRANSPORT_OK);
            CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_KILLED);
        }
        giving_release(check, child[i].cap);
    }
    giving_release(check, lent.cap);
    giving_release(check, lent.handle);
}
