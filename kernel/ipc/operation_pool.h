/* SPDX-License-Identifier: MIT */
/*
 * The free operations of a thread: what taking one and giving it back does on every way. The
 * thread's ring_lock is held. For kernel/ipc alone.
 */
#ifndef KERNEL_IPC_OPERATION_POOL_H
#define KERNEL_IPC_OPERATION_POOL_H

#include "kernel/sched/thread.h"

/* Takes a free operation, of which there is one and for which its kind has room; `counted`: it is
 * one of calls_used. */
static inline struct operation *operation_pop_free(struct thread *thread, enum operation_kind kind,
                                                   bool counted)
{
    struct operation *operation = thread->operations_free;

    ASSERT_AGAIN(operation != NULL);
    ASSERT_AGAIN(operation->kind == OPERATION_FREE);
    thread->operations_free = operation->free_next;
    operation->kind = kind;
    operation->counted = counted;
    thread->operations_used++;
    thread->calls_used += counted;
    thread->receives += kind == OPERATION_RECEIVE;
    return operation;
}

/* The same for several CALLs, from thread->operations_free on: operation_call_next makes one of a
 * free operation, and says which is behind it; operation_calls_taken ends that, when `count` are,
 * before `left`. */
static inline struct operation *operation_call_next(struct operation *operation)
{
    ASSERT_AGAIN(operation->kind == OPERATION_FREE);
    operation->kind = OPERATION_CALL;
    operation->counted = true;
    return operation->free_next;
}

static inline void operation_calls_taken(struct thread *thread, struct operation *left,
                                         uint32_t count)
{
    thread->operations_free = left;
    thread->operations_used += count;
    thread->calls_used += count;
    ASSERT_AGAIN(thread->calls_used <= thread->calls_held);
}

/* operation_pop_free; NULL: LIMIT_OPERATIONS are in use. */
static inline struct operation *operation_pop(struct thread *thread, enum operation_kind kind,
                                              bool counted)
{
    return UNLIKELY(thread->operations_free == NULL) ? NULL
                                                     : operation_pop_free(thread, kind, counted);
}

/* Draws from the process's ledger, where all that is drawn is used; whether there is room for one
 * more call now. */
MUST_USE bool operation_calls_draw(struct thread *thread);

/* Whether there is room for one more call, drawn if need be. */
MUST_USE static inline bool operation_may_call(struct thread *thread)
{
    return thread->calls_used < thread->calls_held || operation_calls_draw(thread);
}

/* Gives back all that is drawn but for one call: none is left. */
void operation_calls_rest(struct thread *thread);

/* `count` calls are over: a thread keeps what it has drawn for calls as long as it has one. */
static inline void operation_calls_over(struct thread *thread, uint32_t count)
{
    ASSERT_AGAIN(thread->calls_used >= count);
    thread->calls_used -= count;
    if (UNLIKELY(thread->calls_used == 0 && thread->calls_held > 1)) {
        operation_calls_rest(thread);
    }
}

/* Draws for `left` calls more, or as many of them as there are; and gives back what it has drawn
 * beyond as many again as it has. No ring lock is held. */
void operation_calls_draw_for(struct thread *thread, uint32_t left);
void operation_calls_give(struct thread *thread);

/* Whether one RECEIVE more leaves room in the completion queue for what they are received for. */
static inline bool operation_may_receive(const struct thread *thread)
{
    return thread->receives < thread->ring.cq_entries / 2;
}

/* `count` operations of `kind` are given back. */
static inline void operations_put(struct thread *thread, enum operation_kind kind, uint32_t count)
{
    thread->operations_used -= count;
    thread->receives -= kind == OPERATION_RECEIVE ? count : 0;
}

/* Puts an operation of `kind` that holds nothing among the free ones; operations_put counts. */
static inline void operation_free(struct thread *thread, struct operation *operation,
                                  enum operation_kind kind)
{
    ASSERT_AGAIN(operation->kind == kind && kind != OPERATION_FREE);
    operation->kind = OPERATION_FREE;
    operation->free_next = thread->operations_free;
    thread->operations_free = operation;
}

/* The same for one that holds nothing any more but slots. */
static inline void operation_clear(struct thread *thread, struct operation *operation,
                                   enum operation_kind kind)
{
    ASSERT_AGAIN(operation->target == NULL && operation->bundle.count == 0);
    thread->slots_over += operation->slots;
    operation->slots = 0;
    operation->endpoint = NULL;
    operation->receiver = NULL;
    operation_free(thread, operation, kind);
}

/* Gives back an operation of `kind` that holds nothing and never had a place, slots or a receiver.
 * calls_used is the caller's to count down. */
static inline void operation_put(struct thread *thread, struct operation *operation,
                                 enum operation_kind kind)
{
    operation_free(thread, operation, kind);
    thread->operations_used--;
}

/* Gives back an operation of `kind` that holds nothing any more but slots. calls_used is the
 * caller's to count down. */
static inline void operation_push(struct thread *thread, struct operation *operation,
                                  enum operation_kind kind)
{
    operation_clear(thread, operation, kind);
    operations_put(thread, kind, 1);
}

#endif
