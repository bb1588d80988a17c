/* SPDX-License-Identifier: MIT */
/*
 * Completions that are posted without the ring's lock, by the thread whose ring is alone
 * (ring_is_alone), on core/ring.h as it ships. What the kernel does around it is written here as it
 * stands in the function named at each.
 *
 *   alone            a program whose call is under way reads its completion, or not, and submits
 *                    once more; its server and a CANCEL, on two other CPUs, are after that call
 *   alone, handed on what is submitted then is a call, which the thread gives to its server as it
 *                    came, alone, and which the server completes under the lock
 *   alone, hostile   the same while another thread of the program moves its indices
 */
#include <string.h>

#include "core/ring.h"
#include "kernel/lock.h"
#include "sim/explore/protocols.h"

enum {
    PLACES = 2,
    COUNTS = 14, /* the place of the kernel's own indices, as plain memory */
    FIRST = 1,   /* the call under way */
    NEXT = 2,    /* what is submitted then: a NOP, */
    LAST = 3,    /* and a call */
};

static struct ring_header header;
static struct sqe sq[PLACES] ALIGNED(64);
static struct cqe cq[PLACES] ALIGNED(64);
static struct ring ring;
static struct spinlock lock; /* the ring's */
static struct spinlock hand; /* the endpoint's */
static bool pending;         /* lock: FIRST has no completion */
static bool waiting;         /* lock */
static bool expects;         /* the server: LAST is to come */
static uint32_t given;       /* atomic, changed under `hand`: LAST is with the server */
static uint32_t ready;       /* atomic */
static unsigned seen[LAST + 1];
static unsigned posted; /* by the ring's own thread */
static bool over;       /* that is done */

static void alone_begin(void)
{
    memset(&header, 0, sizeof(header));
    memset(&ring, 0, sizeof(ring));
    memset(sq, 0, sizeof(sq));
    memset(cq, 0, sizeof(cq));
    memset(seen, 0, sizeof(seen));
    ring.header = &header;
    ring.sq = sq;
    ring.cq = cq;
    ring.sq_entries = PLACES;
    ring.cq_entries = PLACES;
    ring.sq_head = 1;
    header.sq_head = header.sq_tail = 1;
    spinlock_init(&lock, LOCK_RANK_RING, 0);
    spinlock_init(&hand, LOCK_RANK_ENDPOINT, 0);
    pending = true;
    waiting = over = expects = false;
    given = ready = 0;
    posted = 0;
    explore_plain(cq, sizeof(cq[0]), PLACES, 0);
    explore_own(&header.sq_head, sizeof(header.sq_head)); /* no other side looks at it here */
}

/* ---- posting --------------------------------------------------------------------------------- */

/* kernel/dispatch/lone.h: lone_write, lone_show. */
static void post_alone(uint32_t index, uint64_t name)
{
    struct cqe *place = ring_post_place(&ring, index);

    explore_touch(COUNTS, true);
    explore_touch_at(place, true);
    place->user_data = name;
    ring_post_alone(&ring);
    posted++;
}

/* kernel/sched/thread.h: thread_post. The lock is held. */
static void post(uint64_t name)
{
    explore_touch(COUNTS, true);
    explore_touch_at(ring_post_place(&ring, ring.cq_tail), true);
    ring_post(&ring, &(struct cqe){.user_data = name});
    if (waiting && ring_completions(&ring) >= 1) {
        waiting = false;
        atomic_store_release_u32(&ready, 1);
    }
}

/* Whoever ends FIRST: its server (kernel/ipc/calls.c) or a CANCEL (kernel/ipc/cancel.c). */
static void first_end(void)
{
    spinlock_lock(&lock);
    if (pending) {
        pending = false;
        post(FIRST);
    }
    spinlock_unlock(&lock);
}

/* ---- the program and its CPU ----------------------------------------------------------------- */

/* The program reads what is shown from `head` to `tail`. */
static void program_reads(uint32_t head, uint32_t tail)
{
    while (ring_load_peer(&header.cq_tail) < tail) {
        explore_spin();
    }
    for (; head < tail; head++) {
        uint64_t name;

        explore_touch_at(&cq[head % PLACES], false);
        name = cq[head % PLACES].user_data;
        if (name < FIRST || name > LAST || seen[name]++ != 0) {
            explore_wrong("completion %u is %llu: lost, doubled or torn", head,
                          (unsigned long long)name);
        }
    }
    ring_publish(&header.cq_head, tail);
}

static void program_submits(uint64_t name)
{
    uint32_t tail = header.sq_tail;

    sq[tail % PLACES] = (struct sqe){.opcode = OPCODE_NOP, .user_data = name};
    ring_publish(&header.sq_tail, tail + 1);
}

/* kernel/dispatch/dispatch.c: a submission of a ring that is not alone, which completes at once. */
static void enter_locked(void)
{
    struct sqe sqe;
    enum ring_take take = ring_take(&ring, &sqe);

    if (take != RING_TAKE_ENTRY) {
        explore_wrong("a submission was taken as %d", (int)take);
        return;
    }
    spinlock_lock(&lock);
    post(sqe.user_data);
    spinlock_unlock(&lock);
}

/* kernel/dispatch/dispatch.c: enter_finish; then the run queue. */
static void wait_for_one(void)
{
    bool sleeps;

    spinlock_lock(&lock);
    sleeps = ring_completions(&ring) < 1;
    waiting = sleeps;
    spinlock_unlock(&lock);
    while (sleeps && atomic_load_acquire_u32(&ready) == 0) {
        explore_spin();
    }
}

/* A program that may have read FIRST before it submits NEXT. */
static void alone_owner(void)
{
    bool reads = explore_way(2) == 0;

    if (reads) {
        program_reads(0, 1);
    }
    program_submits(NEXT);
    if (ring_is_alone(&ring)) {
        post_alone(ring_accept_alone(&ring), NEXT);
    } else if (reads) {
        explore_wrong("a program has read every completion, and its ring is not alone");
    } else {
        enter_locked();
    }
    program_reads(reads ? 1 : 0, 2);
}

/* A program that has read FIRST submits LAST: kernel/ipc/handoff.c takes it as it lies there. */
static void handed_owner(void)
{
    program_reads(0, 1);
    program_submits(NEXT);
    if (!ring_is_alone(&ring)) {
        explore_wrong("a program has read every completion, and its ring is not alone");
        return;
    }
    post_alone(ring_accept_alone(&ring), NEXT);
    program_reads(1, 2);
    program_submits(LAST);
    if (!ring_is_alone(&ring)) {
        explore_wrong("a program has read every completion, and its ring is not alone");
        return;
    }
    spinlock_lock(&hand);
    explore_touch(COUNTS, true);
    if (ring_accept_alone(&ring) != 2) {
        explore_wrong("the third submission has another place");
    }
    atomic_store_relaxed_u32(&given, 1);
    spinlock_unlock(&hand);
    wait_for_one();
    program_reads(2, 3);
}

static void server(void)
{
    first_end();
    while (expects && atomic_load_relaxed_u32(&given) == 0) {
        explore_spin();
    }
    if (expects) {
        spinlock_lock(&hand);
        spinlock_unlock(&hand);
        spinlock_lock(&lock);
        post(LAST);
        spinlock_unlock(&lock);
    }
}

static void alone_thread(unsigned self)
{
    if (self == 0) {
        alone_owner();
    } else {
        first_end();
    }
}

static void alone_end(void)
{
    if (!explore_thread_ended(0)) {
        explore_wrong("a completion is lost: the program waits for ever");
    } else if (seen[FIRST] != 1 || seen[NEXT] != 1 || ring_reserved(&ring) != 0) {
        explore_wrong("completions: %u, %u, and %u are reserved", seen[FIRST], seen[NEXT],
                      ring_reserved(&ring));
    }
}

static void handed_begin(void)
{
    alone_begin();
    expects = true;
}

static void handed_thread(unsigned self)
{
    if (self == 0) {
        handed_owner();
    } else {
        server();
    }
}

static void handed_end(void)
{
    if (!explore_thread_ended(0) || !explore_thread_ended(1)) {
        explore_wrong("a completion is lost: a side waits for ever");
    } else if (seen[FIRST] != 1 || seen[NEXT] != 1 || seen[LAST] != 1 ||
               ring_reserved(&ring) != 0) {
        explore_wrong("completions: %u, %u, %u, and %u are reserved", seen[FIRST], seen[NEXT],
                      seen[LAST], ring_reserved(&ring));
    }
}

/* ---- a hostile program ----------------------------------------------------------------------- */

static void hostile_begin(void)
{
    alone_begin();
    explore_own(cq, sizeof(cq));
    explore_plain(NULL, 1, 0, 0);
}

/* Says that it has read what it has not, or what cannot be, and submits. */
static void hostile_program(void)
{
    static const uint32_t heads[] = {1, 2, 3};

    ring_publish(&header.cq_head, heads[explore_way(ARRAY_COUNT(heads))]);
    ring_publish(&header.sq_tail, 2 + explore_way(2));
    ring_publish(&header.cq_head, heads[explore_way(ARRAY_COUNT(heads))]);
}

static void hostile_owner(void)
{
    for (unsigned i = 0; i < 2 && !ring.corrupt; i++) {
        if (ring_is_alone(&ring)) {
            (void)!ring_accept_alone(&ring);
            ring_post_alone(&ring);
            posted++;
        } else if (ring_has_submissions(&ring)) {
            struct sqe sqe;
            enum ring_take take;

            spinlock_lock(&lock);
            take = ring_take(&ring, &sqe);
            if (take == RING_TAKE_ENTRY || take == RING_TAKE_DOUBTFUL) {
                ring_post(&ring, &(struct cqe){.user_data = NEXT});
                posted++;
            }
            spinlock_unlock(&lock);
        }
    }
    over = true;
}

static void hostile_server(void)
{
    spinlock_lock(&lock);
    ring_post(&ring, &(struct cqe){.user_data = FIRST});
    spinlock_unlock(&lock);
}

static void hostile_thread(unsigned self)
{
    if (self == 0) {
        hostile_owner();
    } else if (self == 1) {
        hostile_server();
    } else {
        hostile_program();
    }
}

/* Whatever the program said: one completion for each submission, none of them twice. */
static void hostile_end(void)
{
    if (!over || !explore_thread_ended(1)) {
        explore_wrong("a hostile program stopped its kernel");
    } else if (ring.cq_tail != 1 + posted || ring.sq_head != 1 + posted) {
        explore_wrong("%u submissions were accepted, %u completed, %u completions posted",
                      ring.sq_head, 1 + posted, ring.cq_tail);
    } else if (!ring.corrupt && ring.cq_tail - ring.cq_head > PLACES) {
        explore_wrong("%u completions in %u places", ring.cq_tail - ring.cq_head, (unsigned)PLACES);
    }
}

const struct explore_program alone_protocols[] = {
    {"alone", 3, alone_begin, alone_thread, alone_end},
    {"alone, handed on", 2, handed_begin, handed_thread, handed_end},
    {"alone, hostile", 3, hostile_begin, hostile_thread, hostile_end},
};
const unsigned alone_protocol_count = ARRAY_COUNT(alone_protocols);
