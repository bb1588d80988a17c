/* SPDX-License-Identifier: MIT */
/*
 * Answers kept, and promised calls sent.
 *
 * Whoever ends a call (a RETURN on any CPU, a job, the death of a server) decides its answer under
 * the caller's ring lock. If calls wait for the answer, its completion stays with it and the
 * caller's job is started: it sends each waiting call exactly as if the caller submitted it now,
 * then posts the completion. The job runs on the caller's home CPU at the caller's priority: the
 * caller pays, nothing is sent from under somebody else's locks, however many answers one end
 * decides, and the thread's submissions, its job and its retirement never run at the same time. One
 * call that waits for the endpoint that answers, on the caller's CPU, is sent where it is answered
 * instead (handoff_promise.c).
 *
 * A promised call that waits is an operation with a private copy of its submission. Its buffers lie
 * in the caller's arena, so sending it needs no address space. Its descriptors are read once, when
 * it is sent, and looked up in the caller's table then.
 *
 * What a FINISH releases with its answer goes as by RELEASE: at once, by the thread itself, if the
 * answer is settled, else by the job, before the answer's completion is posted.
 *
 * Invariants:
 *  1. answers_running is set exactly from the start of the job to its last step.
 *  2. While the table has work, answers_running is set.
 *
 * Locks: the ring lock. What can fail: memory for the table, when the thread is made.
 */
#include "kernel/ipc/answers.h"

#include "core/assert.h"
#include "kernel/dispatch/submission.h"
#include "kernel/mem/frames.h"
#include "kernel/sched/process.h"

enum {
    /* One step: calls until their messages are as much work as this, in bytes; a call without any
     * counts as SEND_BASE. */
    STEP_WORK = 8 * 1024,
    SEND_BASE = 1024,
};

_Static_assert(LIMIT_ANSWERS * sizeof(struct answer) <= LIMIT_PAGE_BYTES, "answers fill a frame");
_Static_assert(LIMIT_ANSWERS *LIMIT_ANSWER_CAPS * sizeof(struct answer_result) <= LIMIT_PAGE_BYTES,
               "their capabilities fill another");

enum status answers_create(struct thread *thread)
{
    for (unsigned i = 0; i < ANSWER_FRAMES; i++) {
        enum status status = account_frame_alloc(thread->account, &thread->answer_frame[i]);

        if (status != STATUS_OK) {
            thread->answer_frame[i] = 0;
            return status;
        }
    }
    answer_table_init(&thread->answers, (struct answer_memory){
                                            .answers = arch_frame_pointer(thread->answer_frame[0]),
                                            .results = arch_frame_pointer(thread->answer_frame[1]),
                                            .answer_count = LIMIT_ANSWERS,
                                        });
    return STATUS_OK;
}

void answers_destroy(struct thread *thread)
{
    ASSERT(!thread->answers_running);
    for (unsigned i = 0; i < ANSWER_FRAMES; i++) {
        if (thread->answer_frame[i] != 0) {
            account_frame_free(thread->account, thread->answer_frame[i]);
        }
    }
}

struct answer_path answer_path_of(const struct capn_path *path)
{
    struct answer_path result = {.step = {0}};

    for (unsigned i = 0; i < path->length; i++) {
        if (i >= PATH_STEPS || path->index[i] > PATH_INDEX_MAX) {
            return (struct answer_path){.step = {0}};
        }
        result.step[i] = (uint8_t)(path->index[i] + 1);
    }
    return result;
}

enum transport_error answers_open(struct thread *thread, uint32_t id)
{
    struct answer *answer;
    enum transport_error error;

    spinlock_lock(&thread->ring_lock);
    error = answer_open(&thread->answers, id, &answer);
    spinlock_unlock(&thread->ring_lock);
    return error;
}

void answers_add(struct thread *thread, uint32_t id, struct answer_path path, struct cap_id cap)
{
    if (id != 0) {
        spinlock_lock(&thread->ring_lock);
        answer_add(&thread->answers, answer_opened(&thread->answers, id), path, cap);
        spinlock_unlock(&thread->ring_lock);
    }
}

/* One waiting call goes to its target, or its own completion says why not. */
static void call_send(struct thread *thread, const struct answer_work *work, const struct sqe *sqe)
{
    struct sqe call = *sqe;

    if (thread->exiting || process_is_dying(thread->process)) {
        return; /* nobody is left to be told */
    }
    if (work->target == ANSWER_TARGET_CAP) {
        call.cap = work->cap;
        submission_call_target(arch_cpu_this(), thread, &call);
    } else {
        submission_call_broken(thread, sqe, work->target);
    }
}

/* What an answer gave is released; it may have left the table since. */
static void cap_release(struct process *process, struct cap_id cap)
{
    struct hold_edge edge;
    enum transport_error error;

    spinlock_lock(&process->lock);
    error = cap_table_remove(&process->table, cap, &edge);
    spinlock_unlock(&process->lock);
    if (error == TRANSPORT_OK) {
        edge_drop(&edge);
    }
}

static bool answers_step(struct job *job)
{
    struct thread *thread = CONTAINER_OF(job, struct thread, answers_job);
    uint32_t bytes = 0;

    while (bytes < STEP_WORK) {
        struct answer_work work;
        enum answer_step step;
        struct sqe sqe;

        spinlock_lock(&thread->ring_lock);
        step = answer_next(&thread->answers, &work);
        if (step == ANSWER_STEP_CALL) {
            struct operation *operation = CONTAINER_OF(work.call, struct operation, promised);

            sqe = operation_promise(operation);
            operation_release_locked(operation);
        } else if (step == ANSWER_STEP_SETTLED) {
            thread_post_locked(thread, &work.completion);
        } else if (step == ANSWER_STEP_NONE) {
            thread->answers_running = false;
        }
        spinlock_unlock(&thread->ring_lock);
        if (step == ANSWER_STEP_NONE) {
            return false;
        }
        if (step == ANSWER_STEP_RELEASE) {
            cap_release(thread->process, work.cap);
        }
        if (step == ANSWER_STEP_CALL) {
            call_send(thread, &work, &sqe);
            bytes +=
                sqe.message_bytes + (sqe.result_bytes < STEP_WORK ? sqe.result_bytes : STEP_WORK);
        }
        bytes += SEND_BASE;
    }
    return true;
}

void answers_complete_locked(struct thread *thread, uint32_t id, const struct cqe *cqe)
{
    if (id == 0 || answer_decide(&thread->answers, answer_opened(&thread->answers, id), cqe)) {
        thread_post_locked(thread, cqe);
    } else if (!thread->answers_running) {
        thread->answers_running = true;
        thread->answers_job.step = answers_step;
        job_start(&thread->answers_job, thread->task.cpu, thread->task.priority);
    }
}

void answers_complete(struct thread *thread, uint32_t id, const struct cqe *cqe)
{
    spinlock_lock(&thread->ring_lock);
    answers_complete_locked(thread, id, cqe);
    spinlock_unlock(&thread->ring_lock);
}

enum answer_target answers_target(struct thread *thread, const struct promise *promise,
                                  struct operation *operation, struct cap_id *cap)
{
    enum answer_target target;

    spinlock_lock(&thread->ring_lock);
    target = answer_target_find(&thread->answers, promise, cap);
    if (target == ANSWER_TARGET_WAITS && operation != NULL) {
        answer_wait(&thread->answers, promise, &operation->promised);
    }
    spinlock_unlock(&thread->ring_lock);
    return target;
}

enum transport_error answers_finish(struct thread *thread, uint32_t id)
{
    enum transport_error error;

    spinlock_lock(&thread->ring_lock);
    error = answer_finish(&thread->answers, id);
    spinlock_unlock(&thread->ring_lock);
    return error;
}

enum transport_error answers_finish_release(struct thread *thread, uint32_t id, uint32_t *count)
{
    struct answer_released released;
    enum transport_error error;

    spinlock_lock(&thread->ring_lock);
    error = answer_finish_release(&thread->answers, id, &released);
    spinlock_unlock(&thread->ring_lock);
    for (uint32_t i = 0; i < released.count; i++) {
        cap_release(thread->process, released.cap[i]);
    }
    *count = released.count;
    return error;
}

bool answers_call_remove(struct thread *thread, struct operation *operation)
{
    bool waits;

    spinlock_lock(&thread->ring_lock);
    waits = operation->kind == OPERATION_PROMISED && operation->promised.answer != NULL;
    if (waits) {
        answer_call_remove(&thread->answers, &operation->promised);
    }
    spinlock_unlock(&thread->ring_lock);
    return waits;
}

bool answers_forget(struct thread *thread, unsigned *job_priority)
{
    bool over;

    spinlock_lock(&thread->ring_lock);
    *job_priority = thread->answers_running ? thread->answers_job.task.priority : LIMIT_PRIORITIES;
    over = !thread->answers_running && thread->operations_used == 0;
    if (over) {
        answer_table_init(&thread->answers, thread->answers.memory);
    }
    spinlock_unlock(&thread->ring_lock);
    return over;
}
