/* SPDX-License-Identifier: MIT */
/*
 * The short way: submissions that are usual in every respect are carried out straight from the
 * shared entry. Theory in quick.c.
 */
#ifndef KERNEL_DISPATCH_QUICK_H
#define KERNEL_DISPATCH_QUICK_H

#include "kernel/sched/process.h"

/* What the short way did with a submission. */
enum quick {
    QUICK_NONE,   /* the submission is not usual, and untouched: the long way */
    QUICK_DONE,   /* one at least is carried out; the thread goes on with its cap_enter */
    QUICK_WAIT,   /* all are, and the thread waits, or has become ready again since */
    QUICK_SWITCH, /* all are, the thread waits, and *next runs now on its time */
};

/* The word at `offset` of the shared entry; each is read once. */
static inline uint64_t quick_word(const uint8_t *entry, size_t offset)
{
    return atomic_load_relaxed_word(entry + offset);
}

enum {
    QUICK_EFFECTS = 8192, /* cpu->effects from which on no run goes on */
    QUICK_ENTRY = 192,    /* what each entry of a run counts there besides its bytes: 43 at most,
                             of some 400 instructions */
    QUICK_RESERVE = 1024, /* and each reservation of slots, which may take a page of the table */
};

/*
 * Carries out the next submission of the current thread, if it is usual, and perhaps some of those
 * behind it, when they are of its kind; `left` can be accepted (ring_acceptable), not 0. `next` is
 * given when the thread is about to wait for `wait_for` completions without a time limit once all
 * are done; without it (NULL) there is no WAIT and no SWITCH. Messages delivered count in
 * cpu->effects. No lock is held.
 */
MUST_USE enum quick quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                                     struct thread **next);

/* Carries out CALLs of quick methods (object_type.quick) from the first on, at most `limit`, until
 * one needs another way; how many. No lock is held. */
unsigned quick_drain(struct thread *thread, unsigned limit);

#endif
