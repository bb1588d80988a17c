/* SPDX-License-Identifier: MIT */
/*
 * The short way of two threads that hand work to and fro: UNPARK of the other's word and PARK at
 * one's own, in one submission, before a wait without a time limit.
 *
 * Usual means: one thread to wake, no time limit of the PARK's own, two different words, each in
 * the process's own memory or in a memory object, by a whole edge that was never delegated.
 * Whatever differs, a word that has changed among it, leaves everything as it was, and the long way
 * (park_ops.c) looks at the entries afresh and has the words for a refusal.
 *
 * Each word of the entries is read once from shared memory, atomically.
 *
 * Locks: the process's, for edges, given back; then what kernel/ipc/park.c says.
 */
#include "kernel/dispatch/quick_park.h"

#include "kernel/ipc/park.h"
#include "kernel/work_check.h"
#include "schema/generated/memory.capnp.h"

enum {
    WORD_BYTES = 4,
    VALUE_SHIFT = 32, /* `value` in the word that begins with result_bytes */
};

/* The key of the word that `entry` names by address alone. */
static inline struct park_key key_own(const struct thread *thread, const uint8_t *entry)
{
    return (struct park_key){thread->process->pid,
                             quick_word(entry, offsetof(struct sqe, address))};
}

/* The memory object of the edge `id` if all its methods are allowed, with a reference; NULL: it is
 * not usual. Process lock held. */
static inline struct object *memory_find(struct process *process, struct cap_id id)
{
    const struct hold_edge *edge;
    struct object *object;

    if (UNLIKELY(cap_table_lookup(&process->table, id, &edge) != TRANSPORT_OK)) {
        return NULL;
    }
    object = edge->object;
    if (UNLIKELY(edge->grant != NULL || edge->facet != CAP_FACET_ALL ||
                 edge->interface_id != MEMORY_OBJECT_INTERFACE_ID || object->type->word == NULL)) {
        return NULL;
    }
    object_ref(object);
    return object;
}

/* Finds the objects of the two words, as far as they have some: key and object of each, with a
 * reference; mostly it is one. False: one is not usual. */
static bool objects_find(struct process *process, struct cap_id wake, struct cap_id wait,
                         struct park_turn *turn)
{
    bool good = true;

    spinlock_lock(&process->lock);
    if (wait.raw != 0) {
        turn->wait.object = memory_find(process, wait);
        turn->wait.key.space = (uint64_t)(uintptr_t)turn->wait.object;
        good = turn->wait.object != NULL;
    }
    if (good && wake.raw == wait.raw) {
        turn->wake_object = turn->wait.object;
        object_ref(turn->wake_object);
    } else if (good && wake.raw != 0) {
        turn->wake_object = memory_find(process, wake);
        good = turn->wake_object != NULL;
    }
    if (wake.raw != 0) {
        turn->wake.space = (uint64_t)(uintptr_t)turn->wake_object;
    }
    spinlock_unlock(&process->lock);
    return good;
}

static inline void object_drop(struct object *object)
{
    if (object != NULL) {
        object_unref(object);
    }
}

/* Whether the two entries have nothing but what a usual pair has; `expected` is the word of the
 * PARK with its value. */
static inline bool pair_is_usual(const uint8_t *wake, const uint8_t *wait, uint64_t expected)
{
    return quick_word(wake, 0) == OPCODE_UNPARK && quick_word(wait, 0) == OPCODE_PARK &&
           quick_word(wake, offsetof(struct sqe, result_bytes)) == UINT64_C(1) << VALUE_SHIFT &&
           (uint32_t)expected == 0 &&
           quick_word(wait, offsetof(struct sqe, timeout_ns)) == TIMEOUT_NONE &&
           (quick_word(wake, offsetof(struct sqe, interface_id)) |
            quick_word(wake, offsetof(struct sqe, result)) |
            quick_word(wake, offsetof(struct sqe, spare)) |
            quick_word(wait, offsetof(struct sqe, interface_id)) |
            quick_word(wait, offsetof(struct sqe, spare))) == 0;
}

enum quick quick_wake_and_wait(struct cpu *cpu, struct thread *thread, const uint8_t *wake,
                               const uint8_t *wait, struct thread **next)
{
    struct cap_id wake_cap = {quick_word(wake, offsetof(struct sqe, cap))};
    struct cap_id wait_cap = {quick_word(wait, offsetof(struct sqe, cap))};
    uint64_t expected = quick_word(wait, offsetof(struct sqe, result_bytes));
    enum quick quick = QUICK_NONE;
    struct park_turn turn;

    if (!pair_is_usual(wake, wait, expected)) {
        return QUICK_NONE;
    }
    turn.wake = key_own(thread, wake);
    turn.wake_object = NULL;
    turn.wake_data = quick_word(wake, offsetof(struct sqe, user_data));
    turn.wait.key = key_own(thread, wait);
    turn.wait.object = NULL;
    turn.wait_data = quick_word(wait, offsetof(struct sqe, user_data));
    turn.expected = (uint32_t)(expected >> VALUE_SHIFT);
    if ((turn.wake.address | turn.wait.key.address) % WORD_BYTES != 0) {
        return QUICK_NONE;
    }
    if (((wake_cap.raw | wait_cap.raw) == 0 ||
         objects_find(thread->process, wake_cap, wait_cap, &turn)) &&
        !park_key_equal(turn.wake, turn.wait.key)) {
        if (turn.wait.object != NULL) {
            memory_permit_begin(); /* a page */
            turn.wait.shared =
                turn.wait.object->type->word(turn.wait.object, turn.wait.key.address);
            memory_permit_end();
        }
        quick = park_turn(cpu, thread, &turn, next);
    }
    object_drop(turn.wake_object);
    if (quick == QUICK_NONE) {
        object_drop(turn.wait.object); /* else its operation's */
    }
    return quick;
}
