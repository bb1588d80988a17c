/* SPDX-License-Identifier: MIT */
/*
 * The answers a thread keeps: core/answer under the thread's ring lock, and the job that sends
 * promised calls on. Theory in core/answer.c and answers.c.
 */
#ifndef KERNEL_IPC_ANSWERS_H
#define KERNEL_IPC_ANSWERS_H

#include "capnp/runtime/capn_generated.h"
#include "kernel/sched/thread.h"

/* Gives a new thread its table, charged to its account. STATUS_LIMIT (frames), STATUS_NO_MEMORY.
 * answers_destroy gives the memory back, after an error too. */
MUST_USE enum status answers_create(struct thread *thread);
void answers_destroy(struct thread *thread);

/* A path of the generated code as promises name it; none if an index does not fit. */
struct answer_path answer_path_of(const struct capn_path *path);

/* Begins the answer `id` of `thread`. BAD_ANSWER. */
MUST_USE enum transport_error answers_open(struct thread *thread, uint32_t id);

/* Adds a capability, `cap` in the table of the thread's process, to the answer `id`, which its call
 * has not ended; nothing when `id` is 0. Any lock up to the ring's may be held. */
void answers_add(struct thread *thread, uint32_t id, struct answer_path path, struct cap_id cap);

/* Ends a call whose answer is kept under `id` (0: it is not) with its completion, which is posted
 * now, or once every call promised from the answer was sent. The ring_lock is held. */
void answers_complete_locked(struct thread *thread, uint32_t id, const struct cqe *cqe);

/* The same without it. */
void answers_complete(struct thread *thread, uint32_t id, const struct cqe *cqe);

/* What a promise stands for; when it WAITS and there is an operation, that waits for it. */
MUST_USE enum answer_target answers_target(struct thread *thread, const struct promise *promise,
                                           struct operation *operation, struct cap_id *cap);

/* FINISH. */
MUST_USE enum transport_error answers_finish(struct thread *thread, uint32_t id);

/* FINISH with SQE_RELEASE: what is settled gives up what it holds now, *count edges. No lock is
 * held. */
MUST_USE enum transport_error answers_finish_release(struct thread *thread, uint32_t id,
                                                     uint32_t *count);

/* A promised call that waits is taken off its answer; false: it does not wait any more. */
MUST_USE bool answers_call_remove(struct thread *thread, struct operation *operation);

/* The retiring thread, whose operations are over, forgets its answers; false: the job still runs,
 * on this CPU, at the priority *job_priority; or has begun operations since. */
MUST_USE bool answers_forget(struct thread *thread, unsigned *job_priority);

#endif
