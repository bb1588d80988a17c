/* SPDX-License-Identifier: MIT */
/* Submissions that wait at a word and wake who waits there: PARK, UNPARK. */
#include "core/slice.h"
#include "kernel/dispatch/submission.h"
#include "kernel/ipc/park.h"
#include "kernel/object/object.h"
#include "kernel/work_check.h"
#include "schema/generated/memory.capnp.h"

enum {
    WORD_BYTES = 4,
};

/* The word that the submission names; `edge` is pinned when `word->object` is set. `method` is the
 * one of MemoryObject that its edge has to allow. */
static enum transport_error word_find(struct thread *thread, const struct sqe *sqe, uint16_t method,
                                      struct hold_edge *edge, struct park_word *word,
                                      struct refusal *refusal)
{
    struct object *object;
    enum transport_error error;

    *word = (struct park_word){.key = {thread->process->pid, sqe->address}};
    if (sqe->cap.raw != 0) {
        error = edge_pin(thread->process, sqe->cap, edge, refusal);
        if (error != TRANSPORT_OK) {
            return error;
        }
        object = edge->object;
        error = object->type->word == NULL
                    ? TRANSPORT_WRONG_INTERFACE
                    : hold_edge_permits(edge, MEMORY_OBJECT_INTERFACE_ID, method);
        if (error != TRANSPORT_OK) {
            refusal->argument = ARGUMENT_CAP;
            refusal->amount = sqe->cap.raw;
            edge_unpin(edge);
            return error;
        }
        word->object = object;
        word->waits = object->type->waits(object);
        word->grant = edge->grant;
        word->key.space = (uint64_t)(uintptr_t)object; /* no pid is that large */
    }
    if (sqe->address % WORD_BYTES != 0 ||
        (word->object != NULL && !slice_reach(edge->badge, &word->key.address))) {
        refusal->argument = ARGUMENT_ADDRESS;
        refusal->amount = sqe->address;
        if (word->object != NULL) {
            edge_unpin(edge);
        }
        return TRANSPORT_BAD_BUFFER;
    }
    return TRANSPORT_OK;
}

enum transport_error submission_park(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                     struct refusal *refusal)
{
    const struct park_wait wait = {
        .expected = sqe->value, .timeout_ns = sqe->timeout_ns, .user_data = sqe->user_data};
    struct park_word word;
    struct hold_edge edge;
    uint32_t found = 0;
    enum transport_error error =
        word_find(thread, sqe, MEMORY_OBJECT_METHOD_READ, &edge, &word, refusal);

    (void)cpu;
    if (error != TRANSPORT_OK) {
        return error;
    }
    if (word.object != NULL) {
        memory_permit_begin(); /* a page */
        word.shared = word.object->type->word(word.object, word.key.address);
        memory_permit_end();
    }
    error = park_begin(thread, &word, &wait, &found);
    if (error == TRANSPORT_BAD_BUFFER) {
        refusal->argument = ARGUMENT_ADDRESS;
        refusal->amount = sqe->address;
    } else if (error == TRANSPORT_CHANGED) {
        refusal->argument = ARGUMENT_VALUE;
        refusal->amount = found;
    } else if (error == TRANSPORT_LIMIT) {
        refusal->limit = LIMIT_OPERATIONS;
    }
    if (word.object != NULL) {
        edge_unpin(&edge);
    }
    return error;
}

enum transport_error submission_unpark(struct cpu *cpu, struct thread *thread,
                                       const struct sqe *sqe, struct refusal *refusal)
{
    struct park_word word;
    struct hold_edge edge;
    enum transport_error error =
        word_find(thread, sqe, MEMORY_OBJECT_METHOD_WRITE, &edge, &word, refusal);

    (void)cpu;
    if (error != TRANSPORT_OK) {
        return error;
    }
    submission_post(thread, sqe, (int32_t)park_wake(word.key, sqe->value));
    if (word.object != NULL) {
        edge_unpin(&edge);
    }
    return TRANSPORT_OK;
}
