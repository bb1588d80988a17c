/* SPDX-License-Identifier: MIT */
/*
 * What the hunt sees of the kernel.
 *
 * The linker puts functions of this file in the place of a few of the kernel's (mk/sim.mk: --wrap),
 * and each goes on into the kernel's own. So the unchanged kernel tells: which submission a CPU
 * works on (submission_dispatch), each lock given back (lock_check_release), when a thread begins
 * and ends, when an object is made or destroyed, each entry of a ring that is accepted or posted
 * (the shim of abi/atomic.h). look.c looks at the structures, faults.c makes the faults.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/host/machine.h"
#include "kernel/dispatch/lone.h"
#include "kernel/dispatch/quick.h"
#include "kernel/ipc/fault_call.h"
#include "kernel/ipc/handoff_promise.h"
#include "kernel/mem/kmem.h"
#include "kernel/sched/process.h"
#include "kernel/sched/thread.h"
#include "sim/hunt/hunt.h"
#include "sim/hunt/look.h"
#include "sim/hunt/sched_look.h"

enum {
    RINGS = 1 << 10,
    LOOK_STEPS = 4096,    /* between two looks at everything at most */
    LOOK_EACH_STEP = 217, /* one seed of so many looks at each step: by main's rule of 400 acts */
};

/* What a CPU is doing, as far as the hunt knows. */
struct doing {
    struct model_actor actor;
    bool in_lone;                /* in the shortest way */
    bool in_short;               /* in the short way, */
    bool took;                   /* which has taken something, */
    struct model_actor accepted; /* which accepted this one last, an UNPARK and the PARK behind it
                                    as one: it is the UNPARK that completes others */
    uint64_t pair[2];            /* these two, if they were the last */
    uint64_t done;               /* model time: nothing accepted here was looked at before */
};

_Static_assert(LOCK_RANK_LOG < 1 << 5 && HUNT_WINDOW <= 4 &&
                   HUNT_WINDOW_BITS == (5 + 2) * HUNT_WINDOW,
               "a lock of an interleaving is a rank of five bits and a CPU of two");

static struct doing doings[LIMIT_CPUS];

/* Rings that were ever drained, by header. */
static struct known_ring {
    const void *header;
    struct thread *thread;
    uint32_t taken; /* seen so far */
    uint32_t posted;
} rings[RINGS];
static bool looking;
static bool operated; /* the kernel did something since the last look at everything */
static uint64_t last_look;
static struct release {
    enum lock_rank rank;
    unsigned cpu;
} released[HUNT_WINDOW]; /* the locks last given back */

void sim_atomic_point(void);
bool __real_submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                bool valid);
bool __wrap_submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                bool valid);
unsigned __real_quick_drain(struct thread *thread, unsigned limit);
unsigned __wrap_quick_drain(struct thread *thread, unsigned limit);
enum quick __real_quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next);
enum quick __wrap_quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next);
enum quick __real_quick_wake_and_wait(struct cpu *cpu, struct thread *thread, struct thread **next);
enum quick __wrap_quick_wake_and_wait(struct cpu *cpu, struct thread *thread, struct thread **next);
int64_t __real_lone_call(const uint8_t *entry, struct thread *thread);
int64_t __wrap_lone_call(const uint8_t *entry, struct thread *thread);
int64_t __real_lone_duplicate(const uint8_t *entry, struct thread *thread);
int64_t __wrap_lone_duplicate(const uint8_t *entry, struct thread *thread);
int64_t __real_lone_release(const uint8_t *entry, struct thread *thread);
int64_t __wrap_lone_release(const uint8_t *entry, struct thread *thread);
int64_t __real_dispatch_enter(uint64_t min_complete, uint64_t timeout_ns, struct cpu *cpu);
int64_t __wrap_dispatch_enter(uint64_t min_complete, uint64_t timeout_ns, struct cpu *cpu);
enum quick __real_handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                               const struct hold_edge *edge, uint32_t left, struct thread **next);
enum quick __wrap_handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                               const struct hold_edge *edge, uint32_t left, struct thread **next);
bool __real_handoff_relay(struct cpu *cpu, struct thread *thread, const uint8_t *shared);
bool __wrap_handoff_relay(struct cpu *cpu, struct thread *thread, const uint8_t *shared);
void __real_submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe);
void __wrap_submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe);
void __real_submission_call_broken(struct thread *thread, const struct sqe *sqe,
                                   enum answer_target target);
void __wrap_submission_call_broken(struct thread *thread, const struct sqe *sqe,
                                   enum answer_target target);
void __real_promised_begin(const struct promised *promised);
void __wrap_promised_begin(const struct promised *promised);
void __real_relay_begin(const struct relay *relay);
void __wrap_relay_begin(const struct relay *relay);
bool __real_fault_call_send(struct thread *thread, const struct arch_fault *fault);
bool __wrap_fault_call_send(struct thread *thread, const struct arch_fault *fault);
void __real_fault_call_complete(struct thread *thread, const struct cqe *cqe);
void __wrap_fault_call_complete(struct thread *thread, const struct cqe *cqe);
void __real_thread_start(struct thread *thread);
void __wrap_thread_start(struct thread *thread);
void __real_arch_lock_point(void);
void __wrap_arch_lock_point(void);
void __real_lock_check_release(const struct spinlock *lock);
void __wrap_lock_check_release(const struct spinlock *lock);
void __real_thread_retire(struct thread *thread);
void __wrap_thread_retire(struct thread *thread);
void __real_object_init(struct object *object, const struct object_type *type);
void __wrap_object_init(struct object *object, const struct object_type *type);
void __real_kmem_free(struct kmem_cache *cache, void *object);
void __wrap_kmem_free(struct kmem_cache *cache, void *object);

/* ---- small things ---------------------------------------------------------------------------- */

/* The place of the ring whose header lies here. */
static struct known_ring *ring_place(const void *header)
{
    uint64_t place = ((uintptr_t)header >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 54;

    while (rings[place].header != NULL && rings[place].header != header) {
        place = (place + 1) % RINGS;
    }
    return &rings[place];
}

static struct doing *doing_here(void)
{
    return &doings[machine.current->index];
}

bool observe_dispatches(unsigned cpu)
{
    return doings[cpu].actor.submission != 0;
}

/* Who works here: a submission being dispatched, or the one that the short way accepted last, which
 * it does under the endpoint's lock or the word's. */
static const struct model_actor *actor_here(void)
{
    const struct doing *doing = doing_here();

    return doing->actor.submission != 0 ? &doing->actor : &doing->accepted;
}

/* The first disagreement ends the machine, from whatever stack. A model that is told of no
 * structure knows nothing to disagree about. */
static void judge(void)
{
    const char *text = model_disagreement();

    if (text != NULL && !hunt_report->disagreed && !hunt_options.quiet_checks) {
        hunt_report->disagreed = true;
        strncpy(hunt_report->text, text, HUNT_TEXT - 1);
        host_end(HOST_END_FAILURE);
    }
}

/* ---- in the kernel's place ------------------------------------------------------------------- */

void sim_atomic_point(void)
{
    struct cpu *cpu = machine.current;

    if (!looking && cpu != NULL && machine.count > 1 && !cpu->arch.in_user &&
        cpu->arch.state == HOST_CPU_RUNNING) {
        host_switch_point(false);
    }
}

/* Who looks asks the kernel for sums under its locks, and nobody else runs meanwhile. */
void __wrap_arch_lock_point(void)
{
    if (!looking) {
        __real_arch_lock_point();
    }
}

/* The lock of an endpoint was given back: what the short way accepted before is none of the next
 * use's business, but for the last, which it may have accepted and not done. */
static void run_look(struct model_actor *accepted)
{
    if (accepted->runs > MODEL_RUN + 1) {
        model_disagree("the short way did %u submissions under one endpoint's lock",
                       accepted->runs);
    }
    if (accepted->runs > 0) {
        accepted->run[0] = accepted->run[accepted->runs - 1];
        accepted->runs = 1;
    }
}

/*
 * Counts the interleaving that the locks last given back make: their ranks in order, and by which
 * of the CPUs that take part, by the order in which these do. What one CPU does alone is none.
 */
static void window_count(enum lock_rank rank, unsigned cpu)
{
    unsigned known[HUNT_WINDOW];
    unsigned count = 0;
    uint32_t window = 0;

    memmove(&released[0], &released[1], sizeof(released) - sizeof(released[0]));
    released[HUNT_WINDOW - 1] = (struct release){.rank = rank, .cpu = cpu};
    for (unsigned i = 0; i < HUNT_WINDOW; i++) {
        unsigned who = 0;

        while (who < count && known[who] != released[i].cpu) {
            who++;
        }
        if (who == count) {
            known[count++] = released[i].cpu;
        }
        window = window << HUNT_WINDOW_BITS / HUNT_WINDOW | released[i].rank << 2 | who;
    }
    if (count > 1 && (hunt_report->window[window / 64] >> (window % 64) & 1) == 0) {
        hunt_report->window[window / 64] |= (uint64_t)1 << (window % 64);
        hunt_report->windows++;
    }
}

void __wrap_lock_check_release(const struct spinlock *lock)
{
    __real_lock_check_release(lock);
    if (machine.current == NULL || hunt_options.quiet_checks || looking) {
        return;
    }
    look_giving_back(lock);
    window_count((enum lock_rank)lock->rank, machine.current->index);
    looking = true;
    look_under(lock, actor_here());
    if (lock->rank == LOCK_RANK_ENDPOINT) {
        run_look(&doing_here()->accepted);
    }
    looking = false;
    judge();
}

bool __wrap_submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                bool valid)
{
    struct doing *doing = doing_here();
    bool over;

    doing->actor = (struct model_actor){.submission = sqe->user_data,
                                        .pid = thread->process->pid,
                                        .thread = look_thread_name(thread)};
    model_dispatching(sqe->user_data);
    over = __real_submission_dispatch(cpu, thread, sqe, valid);
    model_dispatched(sqe->user_data);
    doing->actor = (struct model_actor){0};
    doing->done = model_time();
    operated = true;
    return over;
}

/* A job sends a promised call on. */
void __wrap_submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe)
{
    struct doing *doing = doing_here();

    doing->actor = (struct model_actor){.submission = sqe->user_data,
                                        .pid = thread->process->pid,
                                        .thread = look_thread_name(thread)};
    model_sent(sqe->user_data, sqe->cap.raw);
    judge();
    __real_submission_call_target(cpu, thread, sqe);
    doing->actor = (struct model_actor){0};
}

void __wrap_submission_call_broken(struct thread *thread, const struct sqe *sqe,
                                   enum answer_target target)
{
    model_sent_broken(sqe->user_data);
    __real_submission_call_broken(thread, sqe, target);
}

/* The same at once, by who answers. */
void __wrap_promised_begin(const struct promised *promised)
{
    model_sent_by(promised->operation->user_data, promised->cap.raw, actor_here()->submission);
    judge();
    hunt_report->short_count[HUNT_SHORT_SENT]++;
    __real_promised_begin(promised);
}

/* The same with a capability that is the call's alone: it is in its table for no time. */
void __wrap_relay_begin(const struct relay *relay)
{
    const struct operation *operation = relay->promised.operation;
    const struct model_edge edge = look_edge(relay->promised.cap, relay->promised.edge);

    model_relayed(actor_here(), operation->owner->process->pid, &edge, operation->user_data);
    judge();
    hunt_report->short_count[HUNT_SHORT_RELAY]++;
    __real_relay_begin(relay);
}

/* A fault has no submission: it gets a name of its own, which its call bears as one would. */
bool __wrap_fault_call_send(struct thread *thread, const struct arch_fault *fault)
{
    uint64_t name = actor_name_take();
    struct doing *doing = doing_here();
    struct model_edge told = {.id = 0};
    bool sent;

    thread->fault_desk->operation.user_data = name;
    doing->actor = (struct model_actor){
        .submission = name, .pid = thread->process->pid, .thread = look_thread_name(thread)};
    if (thread->process->fault_edge.object != NULL) { /* else it was revoked */
        told = look_edge((struct cap_id){0}, &thread->process->fault_edge);
    }
    if (!process_is_dying(thread->process)) {
        hunt_note(HUNT_EVENT_SUBMIT, name, OPCODE_CALL, 0, told.interface_id);
        model_fault(name, look_thread_name(thread), &told);
        hunt_fault(HUNT_FAULT_PROGRAM);
        judge();
    }
    sent = __real_fault_call_send(thread, fault);
    doing->actor = (struct model_actor){0};
    return sent;
}

void __wrap_fault_call_complete(struct thread *thread, const struct cqe *cqe)
{
    hunt_note(HUNT_EVENT_COMPLETE, cqe->user_data, (uint64_t)(int64_t)cqe->result, 0,
              look_thread_name(thread));
    model_fault_ended(actor_here(), cqe->user_data, cqe);
    judge();
    __real_fault_call_complete(thread, cqe);
}

/* ---- the short ways -------------------------------------------------------------------------- */

static bool way_is_long(void)
{
    return hunt_options.way == HUNT_WAY_SEED ? hunt_options.seed % 8 == 7
                                             : hunt_options.way == HUNT_WAY_LONG;
}

static void short_begin(void)
{
    doing_here()->in_short = true;
}

static void short_end(void)
{
    operated = operated || doing_here()->took;
    doing_here()->took = false;
    doing_here()->in_short = false;
    doing_here()->done = model_time();
    doing_here()->accepted = (struct model_actor){0};
    doing_here()->pair[0] = doing_here()->pair[1] = 0;
}

void observe_leaves(void)
{
    if (doing_here()->in_short) {
        doing_here()->in_lone = false;
        short_end();
        hunt_report->short_count[HUNT_SHORT_SWITCH]++;
    }
}

unsigned __wrap_quick_drain(struct thread *thread, unsigned limit)
{
    unsigned done = 0;

    if (!way_is_long()) {
        short_begin();
        done = __real_quick_drain(thread, limit);
        short_end();
    }
    if (done > limit) {
        model_disagree("the short way did %u submissions where it may do %u", done, limit);
    }
    hunt_report->short_count[HUNT_SHORT_QUICK] += done;
    return done;
}

enum quick __wrap_quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next)
{
    enum quick quick = QUICK_NONE;

    if (!way_is_long()) {
        short_begin();
        quick = __real_quick_submission(cpu, thread, left, next);
        short_end();
    }
    if (next == NULL && quick != QUICK_NONE && quick != QUICK_DONE) {
        model_disagree("the short way left a thread that was not about to wait");
    }
    hunt_report->short_count[HUNT_SHORT_SWITCH] += quick == QUICK_SWITCH;
    hunt_report->short_count[HUNT_SHORT_DONE] +=
        quick == QUICK_WAIT || (quick == QUICK_DONE && next != NULL && left == 1);
    hunt_report->short_count[HUNT_SHORT_QUEUE] += quick == QUICK_DONE && (next == NULL || left > 1);
    return quick;
}

/* Mostly from the system call itself, now and then inside quick_submission. */
enum quick __wrap_quick_wake_and_wait(struct cpu *cpu, struct thread *thread, struct thread **next)
{
    struct doing *doing = doing_here();
    bool inside = doing->in_short;
    enum quick quick = QUICK_NONE;

    if (!way_is_long()) {
        short_begin();
        quick = __real_quick_wake_and_wait(cpu, thread, next);
        if (quick != QUICK_NONE) {
            model_dispatched(doing->pair[0]);
            model_dispatched(doing->pair[1]);
            hunt_report->pairs++;
        }
        if (!inside) {
            short_end();
        }
    }
    return quick;
}

/* The shortest way ends where its thread leaves the kernel, or in one of the two functions below.
 */
static bool lone_end(void)
{
    bool was_lone = doing_here()->in_lone;

    if (was_lone) {
        doing_here()->in_lone = false;
        short_end();
    }
    return was_lone;
}

static int64_t lone_observed(int64_t (*lone)(const uint8_t *entry, struct thread *thread),
                             const uint8_t *entry, struct thread *thread)
{
    int64_t result;

    if (way_is_long()) {
        return __real_dispatch_enter(1, TIMEOUT_NONE, arch_cpu_this());
    }
    short_begin();
    doing_here()->in_lone = true;
    result = lone(entry, thread);
    hunt_report->short_count[HUNT_SHORT_LONE] += lone_end();
    return result;
}

int64_t __wrap_lone_call(const uint8_t *entry, struct thread *thread)
{
    return lone_observed(__real_lone_call, entry, thread);
}

int64_t __wrap_lone_duplicate(const uint8_t *entry, struct thread *thread)
{
    return lone_observed(__real_lone_duplicate, entry, thread);
}

int64_t __wrap_lone_release(const uint8_t *entry, struct thread *thread)
{
    return lone_observed(__real_lone_release, entry, thread);
}

int64_t __wrap_dispatch_enter(uint64_t min_complete, uint64_t timeout_ns, struct cpu *cpu)
{
    (void)lone_end();
    return __real_dispatch_enter(min_complete, timeout_ns, cpu);
}

enum quick __wrap_handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                               const struct hold_edge *edge, uint32_t left, struct thread **next)
{
    enum quick quick = __real_handoff_call(cpu, thread, shared, edge, left, next);

    if (lone_end()) {
        hunt_report->short_count[HUNT_SHORT_SWITCH] += quick == QUICK_SWITCH;
        hunt_report->short_count[HUNT_SHORT_DONE] += quick == QUICK_WAIT || quick == QUICK_DONE;
    }
    return quick;
}

/* Mostly from the system call itself, now and then inside quick_submission. */
bool __wrap_handoff_relay(struct cpu *cpu, struct thread *thread, const uint8_t *shared)
{
    bool inside = doing_here()->in_short;
    bool relayed = false;

    if (!way_is_long()) {
        short_begin();
        relayed = __real_handoff_relay(cpu, thread, shared);
        if (!inside) {
            short_end();
            hunt_report->short_count[HUNT_SHORT_DONE] += relayed;
        }
    }
    return relayed;
}

void __wrap_thread_start(struct thread *thread)
{
    const void *header = thread->ring.header;

    *ring_place(header) = (struct known_ring){.header = header, .thread = thread};
    sched_look_started(thread);
    __real_thread_start(thread);
}

static void submission_taken(const struct thread *thread, const struct sqe *sqe)
{
    hunt_report->operations++;
    hunt_note(HUNT_EVENT_TAKE, sqe->user_data, sqe->opcode, sqe->cap.raw, sqe->token);
    model_taken(thread->process->pid, look_thread_name(thread), sqe, doing_here()->done);
    if (doing_here()->in_short) { /* it may look at a whole run before it takes the first */
        doing_here()->took = true;
        doing_here()->pair[0] = doing_here()->pair[1];
        doing_here()->pair[1] = sqe->user_data;
    } else {
        doing_here()->done = model_time();
    }
    if (doing_here()->in_short && sqe->opcode != OPCODE_PARK) {
        struct model_actor *accepted = &doing_here()->accepted;

        accepted->submission = sqe->user_data;
        accepted->pid = thread->process->pid;
        accepted->thread = look_thread_name(thread);
        if (accepted->runs < LIMIT_SQ_ENTRIES) {
            accepted->run[accepted->runs++] = sqe->user_data;
        }
        model_taken_short(sqe->user_data);
    }
}

/* What lies where a RECV wanted its message; false: it is none, or it got none. */
static bool head_read(struct thread *thread, const struct cqe *cqe, struct endpoint_message *head)
{
    const struct model_submission *submission = model_submission(cqe->user_data);
    uint8_t *to = (uint8_t *)head;
    uint32_t offset;

    if (submission == NULL || cqe->result < (int32_t)sizeof(*head) ||
        (submission->sqe.opcode != OPCODE_RECV && submission->sqe.opcode != OPCODE_RETURN_RECV) ||
        !thread_arena_offset(thread, submission->sqe.result, sizeof(*head), &offset)) {
        return false;
    }
    for (uint32_t i = 0; i < sizeof(*head); i++) {
        uint32_t room;

        to[i] = *thread_arena(thread, offset + i, &room);
    }
    return true;
}

static void completion_posted(struct thread *thread, const struct cqe *cqe)
{
    const struct model_submission *submission = model_submission(cqe->user_data);
    struct endpoint_message head;

    if (submission != NULL) {
        unsigned opcode =
            submission->sqe.opcode < OPCODE_COUNT ? submission->sqe.opcode : (unsigned)OPCODE_COUNT;

        hunt_report->result_count[opcode][cqe->result >= 0 ? 0 : -cqe->result % 32]++;
    }
    operated = operated || (doing_here()->actor.submission == 0 && !doing_here()->in_short);
    hunt_note(HUNT_EVENT_COMPLETE, cqe->user_data, (uint64_t)(int64_t)cqe->result, cqe->cap[0].raw,
              look_thread_name(thread));
    if (thread->exiting || process_is_dying(thread->process)) {
        model_thread_ends(look_thread_name(thread));
    }
    model_completed(actor_here(), look_thread_name(thread), cqe,
                    head_read(thread, cqe, &head) ? &head : NULL);
    judge();
}

/* An index of a ring was published: by the kernel, through its direct map. */
static void ring_published(struct known_ring *known_ring)
{
    struct thread *thread = known_ring->thread;
    const struct ring *ring = &thread->ring;

    while (known_ring->taken != ring->header->sq_head) {
        submission_taken(thread, &ring->sq[known_ring->taken++ & (ring->sq_entries - 1)]);
    }
    while (known_ring->posted != ring->header->cq_tail) {
        completion_posted(thread, &ring->cq[known_ring->posted++ & (ring->cq_entries - 1)]);
    }
}

void sim_atomic_stored(const void *word)
{
    uintptr_t within = (uintptr_t)word % LIMIT_PAGE_BYTES;
    struct known_ring *known_ring;

    if (machine.current == NULL || looking) {
        return;
    }
    look_stored(word);
    if ((within != offsetof(struct ring_header, cq_tail) &&
         within != offsetof(struct ring_header, sq_head))) {
        return;
    }
    known_ring = ring_place((const uint8_t *)word - within);
    if (known_ring->thread != NULL &&
        (const void *)known_ring->thread->ring.header == (const uint8_t *)word - within) {
        looking = true;
        ring_published(known_ring);
        looking = false;
        judge();
    }
}

void __wrap_thread_retire(struct thread *thread)
{
    hunt_note(HUNT_EVENT_RETIRE, look_thread_name(thread), 0, 0, 0);
    doing_here()->actor = (struct model_actor){0};
    model_thread_gone(look_thread_name(thread));
    __real_thread_retire(thread);
    operated = true;
}

void __wrap_object_init(struct object *object, const struct object_type *type)
{
    look_made(object, type);
    __real_object_init(object, type);
}

void __wrap_kmem_free(struct kmem_cache *cache, void *object)
{
    look_gone(object);
    for (uint32_t i = 0; i < RINGS; i++) {
        if (rings[i].thread == object) {
            rings[i].thread = NULL;
        }
    }
    __real_kmem_free(cache, object);
}

/* ---- the machine's watch --------------------------------------------------------------------- */

static void everything(bool idle)
{
    looking = true;
    look_all(idle);
    if (idle) {
        model_quiescent();
    }
    looking = false;
    operated = false;
    last_look = machine.steps;
    judge();
}

static uint64_t look_steps(void)
{
    if (hunt_options.look_steps != 0) {
        return hunt_options.look_steps;
    }
    return hunt_options.seed % LOOK_EACH_STEP == 5 && machine.count > 1 && !hunt_options.look_rarely
               ? 1
               : LOOK_STEPS;
}

/* Whether it is time for a look at everything. */
static bool look_is_due(void)
{
    return !hunt_options.quiet_checks &&
           ((operated && !hunt_options.look_rarely) || machine.steps - last_look >= look_steps());
}

static void watch_step(void)
{
    if (looking) {
        return;
    }
    (void)late_interrupts(false);
    if (look_is_due()) {
        everything(false);
    }
}

static bool watch_idle(void)
{
    if (late_interrupts(true)) {
        return true;
    }
    if (!hunt_options.quiet_checks) {
        everything(true);
    }
    return false;
}

static void watch_ended(enum host_end end)
{
    hunt_report->end = end;
    hunt_report->steps = machine.steps;
    hunt_report->switches = machine.switches;
    hunt_report->virtual_ns = machine.now_ns;
}

const struct host_watch hunt_watch = {.step = watch_step, .idle = watch_idle, .ended = watch_ended};
