/* SPDX-License-Identifier: MIT */
/* Operations: taken and given back under the owner's ring lock. */
#include "kernel/ipc/operation.h"

#include "core/assert.h"
#include "kernel/ipc/answers.h"

struct operation *operation_take(struct thread *thread, enum operation_kind kind,
                                 uint64_t user_data)
{
    struct list_node *node;
    struct operation *operation = NULL;

    spinlock_lock(&thread->ring_lock);
    node = list_pop_front(&thread->operations_free);
    if (node != NULL) {
        operation = CONTAINER_OF(node, struct operation, free_node);
        ASSERT(operation->kind == OPERATION_FREE);
        operation->kind = kind;
        operation->user_data = user_data;
        thread->operations_used++;
    }
    spinlock_unlock(&thread->ring_lock);
    return operation;
}

void operation_release_locked(struct operation *operation)
{
    struct thread *thread = operation->owner;

    ASSERT(operation->endpoint_record.place == ENDPOINT_NOWHERE);
    ASSERT(operation->kind != OPERATION_FREE);
    ASSERT(operation->promised.answer == NULL);
    operation->kind = OPERATION_FREE;
    operation->answer = 0;
    operation->endpoint = NULL;
    operation->process = NULL;
    operation->receiver = NULL;
    thread->operations_used--;
    list_push_back(&thread->operations_free, &operation->free_node);
}

void operation_release(struct operation *operation)
{
    struct thread *thread = operation->owner;

    spinlock_lock(&thread->ring_lock);
    operation_release_locked(operation);
    spinlock_unlock(&thread->ring_lock);
}

void operation_end(struct operation *operation, bool completes)
{
    if (completes) {
        operation_complete(operation, TRANSPORT_CANCELLED, 0, NULL);
    } else {
        operation_release(operation);
    }
}

void operation_complete(struct operation *operation, int32_t result, uint32_t flags,
                        const struct refusal *refusal)
{
    struct thread *thread = operation->owner;
    struct cqe cqe = {.user_data = operation->user_data, .result = result, .flags = flags};
    uint32_t answer;

    if (refusal != NULL) {
        cqe.refusal = *refusal;
    }
    /* In one section: once it is over the owner may retire and be freed. */
    spinlock_lock(&thread->ring_lock);
    answer = operation->answer;
    operation_release_locked(operation);
    answers_complete_locked(thread, answer, &cqe);
    spinlock_unlock(&thread->ring_lock);
}
