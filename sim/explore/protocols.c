/* SPDX-License-Identifier: MIT */
/*
 * The protocols between a program, its kernel and other CPUs, on core/ring.[ch], abi/ring.h and
 * kernel/lock.[ch] as they ship, with rings of two entries.
 *
 *   submissions   a program writes three entries into two places while the kernel takes them
 *   completions   the kernel posts three completions into two places while the program reads them
 *   hostile       a program stores whatever it likes into its indices meanwhile
 *   lock          three CPUs add to a plain number under a spinlock
 *   wake          a thread waits for two completions that two other CPUs post (dispatch.c's
 *                 enter_finish against thread_post, with the ring's lock)
 *   counted       a thread counts its completions without the lock while another CPU posts one and
 *                 another thread of its program reads that
 *   notify        two CPUs leave a reason for a third, whoever comes first interrupts it
 *                 (kernel/cpu.c, and the exchange of kernel_interrupt)
 */
#include "sim/explore/protocols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/ring.h"
#include "kernel/cpu.h"
#include "kernel/lock.h"

enum {
    PLACES = 2, /* of each queue */
    ENTRIES = 3,
    NUMBER = 15,         /* the place of plain memory under the lock */
    SIZES_INVARIANT = 4, /* of core/ring.c */
};

static struct ring_header header;
static struct sqe sq[PLACES] ALIGNED(64);
static struct cqe cq[PLACES] ALIGNED(64);
static struct ring ring;
static struct spinlock lock;
static uint32_t number;

/* ---- what the kernel's files want ------------------------------------------------------------ */

void arch_lock_point(void)
{
}

void arch_spin_hint(void)
{
    explore_spin();
}

NORETURN COLD void assert_failed(const char *expression, const char *file, unsigned line)
{
    (void)fprintf(stderr, "%s:%u: assertion failed: %s\n", file, line, expression);
    abort();
}

/* ---- submissions and completions ------------------------------------------------------------- */

static void ring_begin(void)
{
    memset(&header, 0, sizeof(header));
    memset(&ring, 0, sizeof(ring));
    memset(sq, 0, sizeof(sq));
    memset(cq, 0, sizeof(cq));
    ring.header = &header;
    ring.sq = sq;
    ring.cq = cq;
    ring.sq_entries = PLACES;
    ring.cq_entries = PLACES;
    explore_plain(sq, sizeof(sq[0]), PLACES, 0);
    explore_plain(cq, sizeof(cq[0]), PLACES, PLACES);
    spinlock_init(&lock, LOCK_RANK_RING, 0);
    number = 0;
}

/* The first broken invariant but that of the sizes, which are tiny here on purpose. */
static unsigned ring_broken(void)
{
    unsigned invariant = ring_check(&ring);

    return invariant == SIZES_INVARIANT ? 0 : invariant;
}

static void rings_end(void)
{
    if (!explore_thread_ended(0) || !explore_thread_ended(1)) {
        explore_wrong("a side waits for ever");
    }
    if (ring_broken() != 0) {
        explore_wrong("the ring's invariant %u is broken", ring_broken());
    }
}

static void submissions_begin(void)
{
    ring_begin();
    ring.cq_entries = 4; /* room for all: this is about submissions */
    explore_own(&ring, sizeof(ring));
}

static void submit_all(void)
{
    for (uint32_t tail = 0; tail < ENTRIES; tail++) {
        while (tail - ring_load_peer(&header.sq_head) >= PLACES) {
            explore_spin();
        }
        explore_touch_at(&sq[tail % PLACES], true);
        sq[tail % PLACES] = (struct sqe){.opcode = OPCODE_NOP, .user_data = tail + 1};
        ring_publish(&header.sq_tail, tail + 1);
    }
}

static void take_all(void)
{
    uint32_t taken = 0;

    while (taken < ENTRIES) {
        struct sqe sqe;
        enum ring_take take = ring_take(&ring, &sqe);

        if (take == RING_TAKE_EMPTY) {
            explore_spin();
        } else if (take != RING_TAKE_ENTRY || sqe.user_data != ++taken) {
            explore_wrong("submission %u was taken as %d, with user_data %llu", taken, (int)take,
                          (unsigned long long)sqe.user_data);
            return;
        }
    }
}

static void submissions(unsigned self)
{
    if (self == 0) {
        submit_all();
    } else {
        take_all();
    }
}

static void completions_begin(void)
{
    ring_begin();
    explore_own(&ring, sizeof(ring));
}

static void post_all(void)
{
    for (uint32_t i = 0; i < ENTRIES; i++) {
        while (!ring_has_place(&ring)) {
            if (!ring_head_read(&ring)) {
                explore_wrong("the ring failed closed without cause");
                return;
            }
            if (!ring_has_place(&ring)) {
                explore_spin();
            }
        }
        ring_accept(&ring, i + 1);
        explore_touch_at(&cq[i % PLACES], true);
        ring_post(&ring, &(struct cqe){.user_data = i + 1});
    }
}

static void completions_read(void)
{
    for (uint32_t head = 0; head < ENTRIES; head++) {
        uint32_t tail = ring_load_peer(&header.cq_tail);

        while (tail == head) {
            explore_spin();
            tail = ring_load_peer(&header.cq_tail);
        }
        if (tail - head > PLACES) {
            explore_wrong("%u completions in %u places", tail - head, (unsigned)PLACES);
        }
        explore_touch_at(&cq[head % PLACES], false);
        if (cq[head % PLACES].user_data != head + 1) {
            explore_wrong("completion %u was read as %llu", head + 1,
                          (unsigned long long)cq[head % PLACES].user_data);
        }
        ring_publish(&header.cq_head, head + 1);
    }
}

static void completions(unsigned self)
{
    if (self == 0) {
        post_all();
    } else {
        completions_read();
    }
}

/* ---- a hostile program ----------------------------------------------------------------------- */

static void hostile_stores(void)
{
    static const uint32_t values[] = {1, 2, 3, UINT32_MAX};

    ring_publish(&header.sq_tail, values[explore_way(ARRAY_COUNT(values))]);
    ring_publish(&header.cq_head, values[explore_way(ARRAY_COUNT(values))]);
    ring_publish(&header.sq_tail, values[explore_way(ARRAY_COUNT(values))]);
}

static void hostile_taken(void)
{
    bool was_corrupt = false;

    for (unsigned i = 0; i < 3; i++) {
        struct sqe sqe;
        enum ring_take take = ring_take(&ring, &sqe);

        if (ring_broken() != 0) {
            explore_wrong("a hostile program broke invariant %u of the ring", ring_broken());
        }
        if (was_corrupt && take != RING_TAKE_CORRUPT) {
            explore_wrong("a ring that failed closed was looked at again");
        }
        was_corrupt = was_corrupt || take == RING_TAKE_CORRUPT;
        if (take == RING_TAKE_ENTRY || take == RING_TAKE_DOUBTFUL) {
            ring_post(&ring, &(struct cqe){.user_data = 1});
        }
    }
    (void)ring_completions(&ring);
}

static void hostile_begin(void)
{
    ring_begin();
    explore_own(&ring, sizeof(ring));
    explore_own(sq, sizeof(sq));
    explore_own(cq, sizeof(cq));
    explore_plain(NULL, 1, 0, 0);
}

static void hostile(unsigned self)
{
    if (self == 0) {
        hostile_stores();
    } else {
        hostile_taken();
    }
}

/* ---- the lock -------------------------------------------------------------------------------- */

static void lock_thread(unsigned self)
{
    (void)self;
    spinlock_lock(&lock);
    explore_touch(NUMBER, true);
    number++;
    spinlock_unlock(&lock);
}

static void lock_end(void)
{
    if (number != 3) {
        explore_wrong("three CPUs counted to %u", number);
    }
}

/* ---- waiting and waking ---------------------------------------------------------------------- */

static bool waiting; /* under `lock` */
static uint32_t ready;

static void wake_begin(void)
{
    ring_begin();
    ring.sq_head = 2; /* two accepted, none completed */
    header.sq_head = 2;
    waiting = false;
    ready = 0;
}

/* kernel/dispatch/dispatch.c: enter_finish, then the run queue. */
static void wake_owner(void)
{
    bool sleeps = false;

    if (ring_completions(&ring) < 2) {
        spinlock_lock(&lock);
        explore_touch(NUMBER, true);
        if (ring_completions(&ring) < 2) {
            waiting = true;
            sleeps = true;
        }
        spinlock_unlock(&lock);
    }
    while (sleeps && atomic_load_acquire_u32(&ready) == 0) {
        explore_spin();
    }
    /* The system call is over: the program looks. */
    if (ring_load_peer(&header.cq_tail) != 2) {
        explore_wrong("cap_enter said two completions wait, and the program sees %u",
                      ring_load_peer(&header.cq_tail));
        return;
    }
    explore_touch_at(&cq[0], false);
    explore_touch_at(&cq[1], false);
}

/* kernel/sched/thread.h: thread_post. */
static void wake_poster(unsigned self)
{
    spinlock_lock(&lock);
    explore_touch(NUMBER, true);
    explore_touch_at(ring_post_place(&ring, ring.cq_tail), true);
    ring_post(&ring, &(struct cqe){.user_data = self});
    if (waiting && ring_completions(&ring) >= 2) {
        waiting = false;
        atomic_store_release_u32(&ready, 1);
    }
    spinlock_unlock(&lock);
}

static void wake(unsigned self)
{
    if (self == 0) {
        wake_owner();
    } else {
        wake_poster(self);
    }
}

static void wake_end(void)
{
    if (!explore_thread_ended(0)) {
        explore_wrong("a lost wake-up: the thread waits and its completions are there");
    }
}

/* ---- counting without the lock --------------------------------------------------------------- */

static void counted_begin(void)
{
    ring_begin();
    ring.sq_head = 1; /* one accepted, not completed */
    header.sq_head = 1;
    waiting = false;
}

static void counted_reader(void)
{
    while (ring_load_peer(&header.cq_tail) == 0) {
        explore_spin();
    }
    explore_touch_at(&cq[0], false);
    ring_publish(&header.cq_head, 1);
}

static void counted(unsigned self)
{
    if (self == 0) {
        (void)ring_completions(&ring);
    } else if (self == 1) {
        wake_poster(self);
    } else {
        counted_reader();
    }
}

static void counted_end(void)
{
    if (ring.corrupt) {
        explore_wrong("a program read what it was shown, and its ring failed closed");
    }
}

/* ---- reasons and interrupts ------------------------------------------------------------------ */

static struct cpu third;
uint32_t protocol_interrupts;
static uint32_t handled;
static uint32_t work[2];
static bool seen[2];

struct cpu *arch_cpu_this(void)
{
    return NULL; /* not the third */
}

void arch_ipi_send(struct cpu *cpu)
{
    (void)cpu;
    (void)explore_change(&protocol_interrupts, sizeof(protocol_interrupts), 1, explore_add,
                         EXPLORE_RELAXED);
}

static void notify_begin(void)
{
    third.ipi_reasons = 0;
    protocol_interrupts = 0;
    handled = 0;
    memset(work, 0, sizeof(work));
    memset(seen, 0, sizeof(seen));
}

static void notify(unsigned self)
{
    if (self != 0) {
        atomic_store_relaxed_u32(&work[self - 1], 1);
        cpu_notify(&third, IPI_RESCHEDULE);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        while (atomic_load_relaxed_u32(&protocol_interrupts) == handled) {
            explore_spin(); /* perhaps for ever: there is no second interrupt */
        }
        handled++;
        if (atomic_exchange_u64(&third.ipi_reasons, 0) != 0) {
            seen[0] = seen[0] || atomic_load_relaxed_u32(&work[0]) != 0;
            seen[1] = seen[1] || atomic_load_relaxed_u32(&work[1]) != 0;
        }
    }
}

static void notify_end(void)
{
    if (handled == protocol_interrupts && !(seen[0] && seen[1])) {
        explore_wrong("every interrupt was handled and the work of a CPU was not seen");
    }
}

const struct explore_program protocols[] = {
    {"submissions", 2, submissions_begin, submissions, rings_end},
    {"completions", 2, completions_begin, completions, rings_end},
    {"a hostile program", 2, hostile_begin, hostile, rings_end},
    {"spinlock", 3, ring_begin, lock_thread, lock_end},
    {"wake", 3, wake_begin, wake, wake_end},
    {"counted", 3, counted_begin, counted, counted_end},
    {"notify", 3, notify_begin, notify, notify_end},
};
const unsigned protocol_count = ARRAY_COUNT(protocols);
