/* SPDX-License-Identifier: MIT */
/*
 * Protocols of waiting, on core/answer.c, core/park.c, core/run_queue.c, kernel/ipc/straight.h,
 * kernel/sched/urgency.h, kernel/cpu.c and kernel/lock.[ch] as they ship. What the kernel does
 * around them is written here as it stands in the function named at each.
 *
 *   answers   a thread promises B from A, keeps B, promises C from B, and finishes A meanwhile;
 *             its server answers A and B, well or badly: two slots
 *   park      a thread parks at a word, another writes the word and unparks, a time limit expires
 *   handoff   a thread begins to wait by the short way while another CPU ends its call, and its
 *             program, on a third, reads completions or stores an impossible index
 *   queue     two CPUs queue a task each at a third, which falls asleep when it finds none
 *   switch    a CPU switches directly to a more urgent thread and back, while another queues a task
 *             at it that is between the two
 */
#include <string.h>

#include "core/answer.h"
#include "core/park.h"
#include "kernel/ipc/straight.h"
#include "kernel/sched/urgency.h"
#include "sim/explore/protocols.h"

enum {
    GUARDED = 15, /* the place of all that a lock guards */
    SLOTS = 2,
    PRIORITY = 8,
    PRIORITY_LESS = 4,
    PRIORITY_BETWEEN = 6,
};

static struct spinlock lock; /* the one of the protocol */

static void guard(void)
{
    spinlock_lock(&lock);
    explore_touch(GUARDED, true);
}

/* ---- answers --------------------------------------------------------------------------------- */

enum {
    A = 0,
    B = 1,
    C = 2,
};

static struct answer answers[SLOTS];
static struct answer_result results[SLOTS * LIMIT_ANSWER_CAPS];
static struct answer_table table;
static struct answer_call calls[3];
static bool kept_running;
static uint32_t events;     /* atomic: calls that have ended, which may start the job */
static uint32_t sent_on;    /* atomic: B has reached its server */
static uint64_t sent_to[3]; /* capability; 1: refused */
static unsigned posted[3];
static bool well[2];

static const struct answer_path first = {.step = {1}};

static uint32_t id_of(unsigned which)
{
    return UINT32_C(1) << ANSWER_SLOT_BITS | which;
}

static void unguard(void)
{
    if (answer_check(&table) != 0) {
        explore_wrong("invariant %u of the answers is broken", answer_check(&table));
    }
    spinlock_unlock(&lock);
}

static void answers_begin(void)
{
    struct answer *opened;

    memset(answers, 0, sizeof(answers));
    memset(results, 0, sizeof(results));
    memset(calls, 0, sizeof(calls));
    memset(sent_to, 0, sizeof(sent_to));
    memset(posted, 0, sizeof(posted));
    answer_table_init(&table, (struct answer_memory){answers, results, SLOTS});
    spinlock_init(&lock, LOCK_RANK_RING, 0);
    kept_running = false;
    events = 0;
    sent_on = 0;
    if (answer_open(&table, id_of(A), &opened) != TRANSPORT_OK) {
        explore_wrong("a fresh table has no room");
    }
}

/* kernel/ipc/answers.c: answers_complete_locked. */
static void complete_locked(unsigned which, int32_t result)
{
    const struct cqe cqe = {.user_data = which, .result = result};

    if (which == C || answer_decide(&table, answer_opened(&table, id_of(which)), &cqe)) {
        posted[which]++;
    } else {
        kept_running = true; /* the job is started, if it was not */
    }
    atomic_store_release_u32(&events, atomic_load_relaxed_u32(&events) + 1);
}

/* kernel/dispatch/answer_ops.c: submission_call_target, submission_call_broken. */
static void send(unsigned which, enum answer_target target, uint64_t cap)
{
    if (sent_to[which] != 0) {
        explore_wrong("a promised call is sent twice");
    }
    sent_to[which] = target == ANSWER_TARGET_CAP ? cap : 1;
    if (target == ANSWER_TARGET_CAP && which == B) {
        atomic_store_release_u32(&sent_on, 1);
    } else {
        guard();
        complete_locked(which, target == ANSWER_TARGET_CAP ? 0 : TRANSPORT_BROKEN);
        unguard();
    }
}

/* kernel/dispatch/answer_ops.c: call_promised. */
static void promise(unsigned which, unsigned from)
{
    const struct promise on = {id_of(from), first};
    struct cap_id cap = {0};
    enum answer_target target;
    struct answer *opened;

    guard();
    target = answer_target_find(&table, &on, &cap);
    if (which == B && answer_open(&table, id_of(B), &opened) != TRANSPORT_OK) {
        explore_wrong("the second slot is not free");
    }
    if (target == ANSWER_TARGET_WAITS) {
        answer_wait(&table, &on, &calls[which]);
    }
    unguard();
    if (target != ANSWER_TARGET_WAITS) {
        send(which, target, cap.raw);
    }
}

/* kernel/ipc/answers.c: answers_step, until nothing is left. */
static void job_run(void)
{
    enum answer_step step;

    do {
        struct answer_work work;

        guard();
        step = answer_next(&table, &work);
        if (step == ANSWER_STEP_SETTLED) {
            posted[work.completion.user_data]++;
        } else if (step == ANSWER_STEP_NONE) {
            kept_running = false;
        }
        unguard();
        if (step == ANSWER_STEP_CALL) {
            send((unsigned)(work.call - calls), work.target, work.cap.raw);
        }
    } while (step != ANSWER_STEP_NONE);
}

static void answers_home(void)
{
    bool over;

    promise(B, A);
    if (explore_way(2) == 0) {
        guard();
        if (answer_finish(&table, id_of(A)) != TRANSPORT_OK) {
            explore_wrong("an answer that is kept is not found");
        }
        unguard();
    }
    promise(C, B);
    do {
        uint32_t seen = atomic_load_acquire_u32(&events);
        bool runs;

        guard();
        over = posted[A] + posted[B] + posted[C] == 3;
        runs = kept_running;
        unguard();
        if (runs) {
            job_run();
        }
        while (!over && !runs && atomic_load_acquire_u32(&events) == seen) {
            explore_spin();
        }
    } while (!over);
}

/* A RETURN of each, on another CPU. */
static void answers_server(void)
{
    for (unsigned which = A; which <= B; which++) {
        if (which == B) {
            if (!well[A]) {
                return; /* B never comes */
            }
            while (atomic_load_acquire_u32(&sent_on) == 0) {
                explore_spin();
            }
        }
        well[which] = explore_way(2) == 0;
        guard();
        if (well[which]) {
            answer_add(&table, answer_opened(&table, id_of(which)), first,
                       (struct cap_id){77 + which});
        }
        complete_locked(which, well[which] ? 0 : TRANSPORT_PEER_GONE);
        unguard();
    }
}

static void answers_thread(unsigned self)
{
    if (self == 0) {
        answers_home();
    } else {
        answers_server();
    }
}

static void answers_end(void)
{
    if (!explore_thread_ended(0) || !explore_thread_ended(1)) {
        explore_wrong("a promised call is lost: a side waits for ever");
    } else if (posted[A] != 1 || posted[B] != 1 || posted[C] != 1) {
        explore_wrong("completions: %u, %u, %u", posted[A], posted[B], posted[C]);
    } else if (sent_to[B] != (well[A] ? 77 : 1) || sent_to[C] != (well[A] && well[B] ? 78 : 1)) {
        explore_wrong("B went to %llu, C to %llu", (unsigned long long)sent_to[B],
                      (unsigned long long)sent_to[C]);
    }
}

/* ---- park ------------------------------------------------------------------------------------ */

static const struct park_key key = {1, 64};
static struct park_bucket bucket;
static struct park_waiter waiter;
static uint32_t word;  /* a program's: relaxed */
static uint32_t awake; /* atomic */
static unsigned woken, expired, changed;

static void park_begin_all(void)
{
    memset(&waiter, 0, sizeof(waiter));
    park_bucket_init(&bucket, 0);
    spinlock_init(&lock, LOCK_RANK_PARK, 0);
    word = awake = 0;
    woken = expired = changed = 0;
}

/* kernel/ipc/park.c: park_begin; then the program. */
static void park_owner(void)
{
    guard();
    if (atomic_load_relaxed_u32(&word) != 0) {
        changed++;
    } else {
        park_add(&bucket, &waiter, key);
    }
    spinlock_unlock(&lock);
    while (changed == 0 && atomic_load_acquire_u32(&awake) == 0) {
        explore_spin();
    }
    if (changed + woken != 0 && atomic_load_relaxed_u32(&word) != 1) {
        explore_wrong("a thread was unparked and sees the word as it was");
    }
}

/* A program writes, then park_wake. */
static void park_other(void)
{
    atomic_store_relaxed_u32(&word, 1);
    guard();
    if (park_take(&bucket, key) != NULL) {
        woken++;
        atomic_store_release_u32(&awake, 1);
    }
    spinlock_unlock(&lock);
}

/* park_expired. */
static void park_limit(void)
{
    guard();
    if (park_waits(&waiter)) {
        park_remove(&bucket, &waiter);
        expired++;
        atomic_store_release_u32(&awake, 1);
    }
    spinlock_unlock(&lock);
}

static void park_thread(unsigned self)
{
    if (self == 0) {
        park_owner();
    } else if (self == 1) {
        park_other();
    } else {
        park_limit();
    }
}

static void park_end(void)
{
    if (!explore_thread_ended(0)) {
        explore_wrong("a lost wake-up: the word has changed and the thread is parked");
    } else if (woken + expired + changed != 1) {
        explore_wrong("a PARK ended %u times", woken + expired + changed);
    }
}

/* ---- handoff --------------------------------------------------------------------------------- */

enum {
    PLACES = 2,
};

static struct ring_header header;
static struct cqe cq[PLACES] ALIGNED(64);
static struct thread client;
static struct process process;
static bool impossible; /* the program stored such an index */

void sched_thread_ready(struct thread *thread)
{
    ASSERT(thread == &client);
    atomic_store_release_u32(&awake, 1);
}

void sched_lent_back(struct thread *thread)
{
    (void)thread;
}

struct sched_pair sched_pair_look(struct cpu *cpu, const struct thread *from,
                                  const struct thread *to)
{
    (void)cpu;
    (void)from;
    (void)to;
    return (struct sched_pair){.payer_changes = false};
}

static void handoff_begin(void)
{
    memset(&header, 0, sizeof(header));
    memset(cq, 0, sizeof(cq));
    memset(&client.ring, 0, sizeof(client.ring));
    client.process = &process;
    client.wait_for = 1;
    client.waiting = false;
    client.ring.header = &header;
    client.ring.cq = cq;
    client.ring.sq_entries = PLACES;
    client.ring.cq_entries = PLACES;
    client.ring.sq_head = 2; /* one call was complete before, one is under way */
    client.ring.cq_tail = 1;
    header.sq_head = 2;
    header.cq_tail = 1;
    process.state = PROCESS_ALIVE;
    spinlock_init(&client.ring_lock, LOCK_RANK_RING, 0);
    awake = 0;
    impossible = false;
    explore_own(&process.state, sizeof(process.state));
}

/* The client's CPU: it begins to wait; then its program looks. */
static void handoff_client(void)
{
    bool waits;

    spinlock_lock(&client.ring_lock);
    explore_touch(GUARDED, true);
    waits = wait_begin(&client);
    spinlock_unlock(&client.ring_lock);
    while (waits && atomic_load_acquire_u32(&awake) == 0) {
        explore_spin();
    }
    if (waits && ring_load_peer(&header.cq_tail) != 2 && !impossible) {
        explore_wrong("the wait is over and the program sees no completion");
    }
}

/* The server's CPU: the call ends. */
static void handoff_server(void)
{
    spinlock_lock(&client.ring_lock);
    explore_touch(GUARDED, true);
    ring_post(&client.ring, &(struct cqe){.user_data = 1});
    if (wait_end(NULL, &client, NULL, false)) {
        explore_wrong("a thread of another CPU is switched to");
    }
    spinlock_unlock(&client.ring_lock);
}

/* Another thread of the client's program has read the completion before, or stores what cannot
 * be. */
static void handoff_program(void)
{
    impossible = explore_way(2) == 1;
    ring_publish(&header.cq_head, impossible ? 9 : 1);
}

static void handoff_thread(unsigned self)
{
    if (self == 0) {
        handoff_client();
    } else if (self == 1) {
        handoff_server();
    } else {
        handoff_program();
    }
}

static void handoff_end(void)
{
    /* Who has seen one completion need not wait; who has read it waits for the next. */
    if (!explore_thread_ended(0)) {
        explore_wrong("a lost wake-up: the call has ended and its caller waits");
    }
}

/* ---- the queue of a CPU ---------------------------------------------------------------------- */

static struct cpu sleeper;
static struct run_node node[2];
static unsigned ran;

static void queue_begin(void)
{
    memset(node, 0, sizeof(node));
    run_queue_init(&sleeper.run_queue);
    spinlock_init(&sleeper.run_lock, LOCK_RANK_RUN_QUEUE, 0);
    sleeper.idle = false;
    atomic_store_relaxed_u32(&sleeper.running_priority, 0);
    sleeper.ipi_reasons = 0;
    protocol_interrupts = 0;
    ran = 0;
}

/* kernel/sched/sched.c: task_pick, then arch_idle until an interrupt. */
static void queue_sleeper(void)
{
    uint32_t handled = 0;

    while (ran < 2) {
        struct run_node *next;

        spinlock_lock(&sleeper.run_lock);
        explore_touch(GUARDED, true);
        next = run_queue_pop(&sleeper.run_queue);
        sleeper.idle = next == NULL;
        atomic_store_relaxed_u32(&sleeper.running_priority, next == NULL ? 0 : PRIORITY);
        spinlock_unlock(&sleeper.run_lock);
        if (next != NULL) {
            ran++;
            continue;
        }
        while (atomic_load_relaxed_u32(&protocol_interrupts) == handled) {
            explore_spin();
        }
        handled++;
        (void)atomic_exchange_u64(&sleeper.ipi_reasons, 0);
    }
}

/* task_start. */
static void queue_waker(struct run_node *task, unsigned priority)
{
    bool notify;

    spinlock_lock(&sleeper.run_lock);
    explore_touch(GUARDED, true);
    run_queue_push_back(&sleeper.run_queue, task, priority);
    notify = cpu_is_outranked(&sleeper, priority);
    spinlock_unlock(&sleeper.run_lock);
    if (notify) {
        cpu_notify(&sleeper, IPI_RESCHEDULE);
    }
}

static void queue_thread(unsigned self)
{
    if (self == 0) {
        queue_sleeper();
    } else {
        queue_waker(&node[self - 1], PRIORITY);
    }
}

static void queue_end(void)
{
    if (!explore_thread_ended(0)) {
        explore_wrong("a CPU sleeps with a task in its queue");
    } else if (run_queue_check(&sleeper.run_queue) != 0) {
        explore_wrong("the run queue is broken");
    }
}

/* ---- a CPU that goes on at less -------------------------------------------------------------- */

static void switch_begin(void)
{
    queue_begin();
    atomic_store_relaxed_u32(&sleeper.running_priority, PRIORITY_LESS);
}

/* kernel/sched/switch.h: thread_switch, to a thread of PRIORITY and from that to one of
 * PRIORITY_LESS; kernel/sched/sched.c: sched_switch_down. Then that one runs until an interrupt. */
static void switch_goer(void)
{
    bool outranked = false;

    if (!cpu_rises_to(&sleeper, PRIORITY)) {
        explore_wrong("a CPU ran at more");
    }
    if (!cpu_rises_to(&sleeper, PRIORITY_LESS)) {
        spinlock_lock(&sleeper.run_lock);
        explore_touch(GUARDED, true);
        outranked = cpu_runs_at(&sleeper, PRIORITY_LESS);
        spinlock_unlock(&sleeper.run_lock);
    }
    while (!outranked && atomic_load_relaxed_u32(&protocol_interrupts) == 0) {
        explore_spin();
    }
    spinlock_lock(&sleeper.run_lock);
    explore_touch(GUARDED, true);
    if (run_queue_pop(&sleeper.run_queue) == NULL) {
        explore_wrong("a CPU was told of a task that is not there");
    }
    spinlock_unlock(&sleeper.run_lock);
}

static void switch_thread(unsigned self)
{
    if (self == 0) {
        switch_goer();
    } else {
        queue_waker(&node[0], PRIORITY_BETWEEN);
    }
}

static void switch_end(void)
{
    if (!explore_thread_ended(0)) {
        explore_wrong("a CPU goes on at less than the priority of a task in its queue");
    }
}

const struct explore_program wait_protocols[] = {
    {"answers", 2, answers_begin, answers_thread, answers_end},
    {"park", 3, park_begin_all, park_thread, park_end},
    {"handoff", 3, handoff_begin, handoff_thread, handoff_end},
    {"run queue", 3, queue_begin, queue_thread, queue_end},
    {"switch", 2, switch_begin, switch_thread, switch_end},
};
const unsigned wait_protocol_count = ARRAY_COUNT(wait_protocols);
