/* SPDX-License-Identifier: MIT */
/*
 * The explorer.
 *
 * Memory. Each atomic word is a list of *messages* in modification order: a value and a *view*. A
 * view says, for each word, which message is the oldest that may still be read, and for each
 * thread, how much of what it did is known. A thread has three: `now`, what it knows; `later`, what
 * it has read relaxed and an acquire fence would make known; `given`, what its relaxed stores pass
 * on since its last release fence.
 *
 *   load      reads any message from now[word] on. Acquire: now joins the message's view; relaxed:
 *             `later` does.
 *   store     puts its message anywhere behind now[word], but not between a read-modify-write and
 *             what it read. Release: with the view `now`; relaxed: with `given`, and with what the
 *             thread's last release of this word gave.
 *   change    reads a message and puts its own directly behind it, with that message's view in its
 *             own: release sequences.
 *   SC fence  joins `now` with one global view, both ways.
 *
 * This is the operational form of RC11 for programs without SC accesses: no thread reads what is
 * not written yet (po and rf have no cycle). It is checked against herd7's rc11.cat on the programs
 * of sim/explore/litmus.
 *
 * Plain memory is real memory. Its accesses are announced (explore_touch) and compared by what each
 * thread knows of the others, so a missing order is seen as a race in any execution that has one.
 *
 * Search. Depth first by re-execution: a path is a list of choices (which thread goes on, which
 * message is read, where a store goes), and the next path differs in the last choice that had an
 * alternative. Sleep sets leave out orders of steps that commute: two steps at different words, or
 * two loads. A thread runs from one atomic access to the next without a choice.
 */
#include "sim/explore/explore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <ucontext.h>

enum {
    STACK_BYTES = 64 * 1024,
    CHOICES = 512,
    NO_THREAD = 255,
};

struct view {
    uint8_t oldest[EXPLORE_LOCATIONS];
    uint8_t known[EXPLORE_THREADS];
};

struct message {
    uint64_t value;
    struct view view;
    bool changes; /* it belongs to the message before it */
};

struct location {
    const void *word;
    unsigned count;
    struct message message[EXPLORE_MESSAGES];
};

enum access {
    ACCESS_NONE,
    ACCESS_LOAD,
    ACCESS_WRITE, /* store or change */
    ACCESS_FENCE,
};

struct thread {
    ucontext_t context; /* its beginning */
    jmp_buf place;      /* where it stopped: unlike swapcontext, this costs no system call */
    bool begun;
    struct view now;
    struct view later;
    struct view given;
    struct view sequence[EXPLORE_LOCATIONS]; /* what its last releasing store to a word gave */
    enum access next;                        /* what it does when it goes on */
    unsigned next_location;
    unsigned last_loaded;
    unsigned waits_for; /* messages of last_loaded that it waits to have more of; 0: it does not */
    bool ended;
};

struct place {
    unsigned writer; /* NO_THREAD: nobody yet */
    uint8_t written; /* when, on its clock */
    uint8_t read[EXPLORE_THREADS];
};

/* One choice of the path. */
struct choice {
    uint8_t chosen;
    uint8_t count; /* alternatives; for a thread: EXPLORE_THREADS */
    bool of_thread;
    uint8_t able;   /* mask of threads */
    uint8_t asleep; /* mask of threads whose turn here leads nowhere new */
};

enum explore_weak explore_weak;

static const struct explore_program *program;
static struct explore_result *result_now;
static struct thread threads[EXPLORE_THREADS];
static uint8_t stacks[EXPLORE_THREADS][STACK_BYTES] ALIGNED(16);
static jmp_buf scheduler;
static unsigned current;
static struct location locations[EXPLORE_LOCATIONS];
static unsigned location_count;
static struct view sc_view;
static struct place places[EXPLORE_PLACES];
static struct choice path[CHOICES];
static unsigned path_length;
static unsigned path_at;
static struct {
    const uint8_t *base;
    unsigned stride; /* 0: no places, but one thread's own */
    unsigned count;
    unsigned first;
} pieces[8];
static unsigned piece_count;
static bool running; /* threads run; else begin or end does */

void explore_wrong(const char *format, ...)
{
    va_list arguments;

    if (!result_now->wrong) {
        result_now->wrong = true;
        va_start(arguments, format);
        (void)vsnprintf(result_now->text, sizeof(result_now->text), format, arguments);
        va_end(arguments);
    }
}

bool explore_thread_ended(unsigned thread)
{
    return threads[thread].ended;
}

/* ---- views ----------------------------------------------------------------------------------- */

static void view_join(struct view *to, const struct view *from)
{
    for (unsigned i = 0; i < EXPLORE_LOCATIONS; i++) {
        to->oldest[i] = from->oldest[i] > to->oldest[i] ? from->oldest[i] : to->oldest[i];
    }
    for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
        to->known[i] = from->known[i] > to->known[i] ? from->known[i] : to->known[i];
    }
}

/* A message was put at `at` of `location`: those behind it are one later. */
static void view_shift(struct view *view, unsigned location, unsigned at)
{
    if (view->oldest[location] >= at) {
        view->oldest[location]++;
    }
}

static void views_shift(unsigned location, unsigned at)
{
    for (unsigned i = 0; i < location_count; i++) {
        for (unsigned k = 0; k < locations[i].count; k++) {
            view_shift(&locations[i].message[k].view, location, at);
        }
    }
    for (unsigned i = 0; i < program->threads; i++) {
        view_shift(&threads[i].now, location, at);
        view_shift(&threads[i].later, location, at);
        view_shift(&threads[i].given, location, at);
        for (unsigned k = 0; k < location_count; k++) {
            view_shift(&threads[i].sequence[k], location, at);
        }
    }
    view_shift(&sc_view, location, at);
}

/* ---- choices --------------------------------------------------------------------------------- */

/* Which of `count` alternatives this execution takes. */
static unsigned choose(unsigned count)
{
    if (count == 1) {
        return 0;
    }
    if (path_at == path_length) {
        if (path_length == CHOICES) {
            fputs("explore: an execution has too many choices\n", stderr);
            abort();
        }
        path[path_length++] = (struct choice){.count = (uint8_t)count};
    }
    return path[path_at++].chosen;
}

static bool commute(const struct thread *one, const struct thread *other)
{
    if (one->next == ACCESS_FENCE || other->next == ACCESS_FENCE) {
        return one->next != other->next;
    }
    return one->next_location != other->next_location ||
           (one->next == ACCESS_LOAD && other->next == ACCESS_LOAD);
}

static unsigned lowest(unsigned mask)
{
    return mask == 0 ? NO_THREAD : (unsigned)__builtin_ctz(mask);
}

/* The thread that goes on; NO_THREAD: every way from here is known already. *asleep: threads that
 * sleep at this place, on the way in and, without those that wake, on the way out. */
static unsigned choose_thread(unsigned able, unsigned *asleep)
{
    unsigned chosen;

    if (path_at == path_length) {
        chosen = lowest(able & ~*asleep);
        if (chosen == NO_THREAD) {
            return NO_THREAD;
        }
        if (path_length == CHOICES) {
            fputs("explore: an execution has too many choices\n", stderr);
            abort();
        }
        path[path_length++] = (struct choice){.chosen = (uint8_t)chosen,
                                              .count = EXPLORE_THREADS,
                                              .of_thread = true,
                                              .able = (uint8_t)able,
                                              .asleep = (uint8_t)*asleep};
    }
    *asleep = path[path_at].asleep;
    chosen = path[path_at++].chosen;
    for (unsigned i = 0; i < program->threads; i++) {
        if ((*asleep >> i & 1) != 0 && (i == chosen || !commute(&threads[i], &threads[chosen]))) {
            *asleep &= ~(1U << i);
        }
    }
    return chosen;
}

/* Changes the last choice that has another way; false: there is none. */
static bool path_advance(void)
{
    while (path_length > 0) {
        struct choice *last = &path[path_length - 1];

        if (last->of_thread) {
            unsigned next;

            last->asleep |= (uint8_t)(1U << last->chosen);
            next = lowest(last->able & ~(unsigned)last->asleep);
            if (next != NO_THREAD) {
                last->chosen = (uint8_t)next;
                return true;
            }
        } else if (++last->chosen < last->count) {
            return true;
        }
        path_length--;
    }
    return false;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static uint64_t memory_read(const void *word, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, word, bytes);
    return value;
}

static bool is_own(const void *word);

static unsigned location_of(const void *word, unsigned bytes)
{
    for (unsigned i = 0; i < location_count; i++) {
        if (locations[i].word == word) {
            return i;
        }
    }
    if (location_count == EXPLORE_LOCATIONS) {
        fputs("explore: a program has too many words\n", stderr);
        abort();
    }
    locations[location_count] = (struct location){.word = word, .count = 1};
    locations[location_count].message[0].value = memory_read(word, bytes);
    return location_count++;
}

/* Back to the scheduler, until it lets this thread go on. */
static void thread_stop(struct thread *self)
{
    if (_setjmp(self->place) == 0) {
        _longjmp(scheduler, 1);
    }
}

/* Lets the scheduler choose who goes on; comes back when this thread does. */
static struct thread *step_begin(enum access access, unsigned location)
{
    struct thread *self = &threads[current];

    self->next = access;
    self->next_location = location;
    thread_stop(self);
    self->now.known[current]++;
    return self;
}

static struct message *message_read(struct thread *self, unsigned location, unsigned index,
                                    bool acquires)
{
    struct message *message = &locations[location].message[index];

    if (self->now.oldest[location] < index) {
        self->now.oldest[location] = (uint8_t)index;
    }
    view_join(&self->later, &message->view);
    if (acquires) {
        view_join(&self->now, &message->view);
    }
    return message;
}

uint64_t explore_load(const void *word, unsigned bytes, enum explore_order order)
{
    unsigned location;
    struct thread *self;
    unsigned oldest;

    if (!running || is_own(word)) {
        return memory_read(word, bytes);
    }
    location = location_of(word, bytes);
    self = step_begin(ACCESS_LOAD, location);
    self->last_loaded = location;
    oldest = self->now.oldest[location];
    return message_read(self, location, oldest + choose(locations[location].count - oldest),
                        order == EXPLORE_ACQUIRE && explore_weak != EXPLORE_WEAK_LOAD)
        ->value;
}

/* Puts a message at `at`; its view is that of the order, and `read`'s (NULL: none). */
static void message_put(struct thread *self, unsigned location, unsigned at, uint64_t value,
                        const struct view *read, bool releases)
{
    struct location *list = &locations[location];
    struct view view = releases ? self->now : self->given;
    struct message *message;

    if (releases) {
        self->sequence[location] = self->now;
    }
    view_join(&view, &self->sequence[location]);
    if (read != NULL) {
        view_join(&view, read);
    }
    if (list->count == EXPLORE_MESSAGES) {
        fputs("explore: a word has too many stores\n", stderr);
        abort();
    }
    views_shift(location, at);
    view_shift(&view, location, at);
    memmove(&list->message[at + 1], &list->message[at],
            (list->count - at) * sizeof(list->message[0]));
    list->count++;
    message = &list->message[at];
    self->now.oldest[location] = (uint8_t)at;
    view.oldest[location] = (uint8_t)at;
    *message = (struct message){.value = value, .view = view, .changes = read != NULL};
}

void explore_store(void *word, unsigned bytes, uint64_t value, enum explore_order order)
{
    unsigned location;
    struct thread *self;
    unsigned able[EXPLORE_MESSAGES];
    unsigned count = 0;

    if (!running || is_own(word)) {
        memcpy(word, &value, bytes);
        return;
    }
    location = location_of(word, bytes);
    self = step_begin(ACCESS_WRITE, location);
    for (unsigned at = locations[location].count; at > self->now.oldest[location]; at--) {
        if (at == locations[location].count || !locations[location].message[at].changes) {
            able[count++] = at;
        }
    }
    message_put(self, location, able[choose(count)], value, NULL,
                order == EXPLORE_RELEASE && explore_weak != EXPLORE_WEAK_STORE);
    memcpy(word, &locations[location].message[locations[location].count - 1].value, bytes);
}

uint64_t explore_change(void *word, unsigned bytes, uint64_t operand,
                        uint64_t (*change)(uint64_t old, uint64_t operand),
                        enum explore_order order)
{
    unsigned location;
    struct thread *self;
    unsigned able[EXPLORE_MESSAGES];
    unsigned count = 0;
    struct view view;
    uint64_t old;
    unsigned at;

    if (!running) {
        old = memory_read(word, bytes);
        operand = change(old, operand);
        memcpy(word, &operand, bytes);
        return old;
    }
    location = location_of(word, bytes);
    self = step_begin(ACCESS_WRITE, location);
    self->last_loaded = location;
    for (at = locations[location].count; at > self->now.oldest[location]; at--) {
        if (at == locations[location].count || !locations[location].message[at].changes) {
            able[count++] = at - 1;
        }
    }
    at = able[choose(count)];
    old = message_read(self, location, at, order == EXPLORE_ACQUIRE || order == EXPLORE_ACQ_REL)
              ->value;
    view = locations[location].message[at].view;
    message_put(self, location, at + 1, change(old, operand), &view,
                order == EXPLORE_RELEASE || order == EXPLORE_ACQ_REL);
    memcpy(word, &locations[location].message[locations[location].count - 1].value, bytes);
    return old;
}

void explore_fence_acquire(void)
{
    view_join(&threads[current].now, &threads[current].later);
}

void explore_fence_release(void)
{
    threads[current].given = threads[current].now;
}

void explore_fence(void)
{
    struct thread *self;

    if (!running) {
        return;
    }
    self = step_begin(ACCESS_FENCE, 0);
    view_join(&self->now, &self->later);
    view_join(&self->now, &sc_view);
    sc_view = self->now;
    self->given = self->now;
}

void explore_spin(void)
{
    struct thread *self = &threads[current];
    unsigned location = self->last_loaded;
    unsigned newest = locations[location].count - 1;

    /* What was stored is seen at some time; until then this loop makes no difference. */
    if (self->now.oldest[location] < newest) {
        self->now.oldest[location] = (uint8_t)newest;
        return;
    }
    self->waits_for = locations[location].count;
    self->next = ACCESS_LOAD;
    self->next_location = location;
    thread_stop(self);
    self->waits_for = 0;
    self->now.oldest[location] = (uint8_t)(locations[location].count - 1);
}

void explore_touch(unsigned place, bool writes)
{
    struct place *memory = &places[place];
    struct thread *self = &threads[current];

    if (!running) {
        return;
    }
    if (memory->writer != NO_THREAD && self->now.known[memory->writer] < memory->written) {
        explore_wrong("thread %u %s place %u, and what thread %u wrote there is not before it",
                      current, writes ? "writes" : "reads", place, memory->writer);
    }
    for (unsigned i = 0; writes && i < program->threads; i++) {
        if (self->now.known[i] < memory->read[i]) {
            explore_wrong("thread %u writes place %u while thread %u may still read it", current,
                          place, i);
        }
    }
    /* The next step publishes it: it belongs to what is known with that. */
    if (writes) {
        memory->writer = current;
        memory->written = (uint8_t)(self->now.known[current] + 1);
        self->now.known[current]++;
    } else {
        memory->read[current] = (uint8_t)(self->now.known[current] + 1);
        self->now.known[current]++;
    }
}

void explore_plain(const void *base, unsigned stride, unsigned count, unsigned first)
{
    pieces[piece_count].base = base;
    pieces[piece_count].stride = stride;
    pieces[piece_count].count = count;
    pieces[piece_count++].first = first;
}

void explore_own(const void *base, unsigned bytes)
{
    explore_plain(base, 0, bytes, 0);
}

void explore_touch_at(const void *address, bool writes)
{
    for (unsigned i = 0; i < piece_count; i++) {
        size_t offset = (size_t)((const uint8_t *)address - pieces[i].base);

        if (pieces[i].stride != 0 && (const uint8_t *)address >= pieces[i].base &&
            offset < (size_t)pieces[i].stride * pieces[i].count) {
            explore_touch(pieces[i].first + (unsigned)(offset / pieces[i].stride), writes);
        }
    }
}

static bool is_own(const void *word)
{
    for (unsigned i = 0; i < piece_count; i++) {
        if (pieces[i].stride == 0 && (const uint8_t *)word >= pieces[i].base &&
            (const uint8_t *)word < pieces[i].base + pieces[i].count) {
            return true;
        }
    }
    return false;
}

unsigned explore_way(unsigned count)
{
    return choose(count);
}

/* ---- executions ------------------------------------------------------------------------------ */

static void thread_main(void)
{
    unsigned self = current;

    program->thread(self);
    threads[self].ended = true;
    threads[self].next = ACCESS_NONE;
    thread_stop(&threads[self]);
}

static void thread_go(unsigned thread)
{
    current = thread;
    if (_setjmp(scheduler) != 0) {
        return;
    }
    if (threads[thread].begun) {
        _longjmp(threads[thread].place, 1);
    }
    threads[thread].begun = true;
    setcontext(&threads[thread].context);
}

static void execution_begin(void)
{
    memset(threads, 0, sizeof(threads));
    memset(&sc_view, 0, sizeof(sc_view));
    memset(places, 0, sizeof(places));
    location_count = 0;
    piece_count = 0;
    path_at = 0;
    for (unsigned i = 0; i < EXPLORE_PLACES; i++) {
        places[i].writer = NO_THREAD;
    }
    running = false;
    program->begin();
    for (unsigned i = 0; i < program->threads; i++) {
        getcontext(&threads[i].context);
        threads[i].context.uc_stack.ss_sp = stacks[i];
        threads[i].context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&threads[i].context, thread_main, 0);
    }
    running = true;
    for (unsigned i = 0; i < program->threads; i++) {
        thread_go(i); /* to its first access */
    }
}

static bool is_able(const struct thread *thread)
{
    return !thread->ended &&
           (thread->waits_for == 0 || locations[thread->last_loaded].count > thread->waits_for);
}

/* Runs one path to its end; false: it leads where another path was. */
static bool execution_run(void)
{
    unsigned asleep = 0;

    execution_begin();
    for (;;) {
        unsigned able = 0;
        unsigned thread;

        for (unsigned i = 0; i < program->threads; i++) {
            able |= is_able(&threads[i]) ? 1U << i : 0;
        }
        if (able == 0 || result_now->wrong) {
            break;
        }
        thread = choose_thread(able, &asleep);
        if (thread == NO_THREAD) {
            return false;
        }
        result_now->steps++;
        thread_go(thread);
    }
    running = false;
    return true;
}

void explore(const struct explore_program *explored, uint64_t limit, struct explore_result *result)
{
    program = explored;
    result_now = result;
    *result = (struct explore_result){.complete = true};
    path_length = 0;
    do {
        if (execution_run()) {
            bool stuck = false;

            for (unsigned i = 0; i < program->threads; i++) {
                stuck = stuck || !threads[i].ended;
            }
            result->executions++;
            result->cut += stuck;
            if (!result->wrong) {
                program->end();
            }
        }
        if (result->executions >= limit) {
            result->complete = false;
            return;
        }
    } while (!result->wrong && path_advance());
}
