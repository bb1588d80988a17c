/* SPDX-License-Identifier: MIT */
/*
 * The short way of two threads that hand work to and fro: UNPARK of the other's word and PARK at
 * one's own, in one submission, before a wait without a time limit.
 *
 * Usual means: one thread to wake, no time limit of the PARK's own, two different words, each in
 * the process's own memory or in a memory object, by an edge for the whole of it, with all methods,
 * that was never delegated.
 * Whatever differs, a word that has changed among it, leaves everything as it was, and the long way
 * (park_ops.c) looks at the entries afresh and has the words for a refusal.
 *
 * Each word of the entries is read once from shared memory, atomically.
 *
 * Nothing that cannot be undone comes before everything that can turn out not to be usual. Then one
 * step under both words' buckets (kernel/ipc/park_turn.h): who was woken is woken, and the thread
 * waits at its word; nobody sees one without the other.
 *
 * Locks: the process's if a word has an edge, throughout: the edge then keeps its object, so that
 * nothing is counted but what the new wait holds, and it takes that over from the wait it ends if
 * both are of the same object. Inside it what kernel/ipc/park.c says.
 */
#include "kernel/dispatch/quick_park.h"

#include "kernel/ipc/park_turn.h"
#include "kernel/object/memory_object.h"
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

/* The memory object of the edge `id` if all its methods and pages are allowed, as long as the lock
 * is held; NULL: it is not usual. Process lock held. */
static inline struct object *memory_find(struct process *process, struct cap_id id)
{
    const struct hold_edge *edge;
    struct object *object;

    if (UNLIKELY(cap_table_lookup(&process->table, id, &edge) != TRANSPORT_OK)) {
        return NULL;
    }
    object = edge->object;
    if (UNLIKELY(((uintptr_t)edge->grant | edge->badge) != 0 || edge->facet != CAP_FACET_ALL ||
                 edge->interface_id != MEMORY_OBJECT_INTERFACE_ID ||
                 object->type != &memory_object_type)) {
        return NULL;
    }
    return object;
}

/* The word at `offset` of the memory object, a multiple of 4; NULL: it has none or has no frame for
 * it yet. */
static inline const uint32_t *word_find(const struct object *object, uint64_t offset)
{
    const struct memory_object *memory = CONTAINER_OF(object, struct memory_object, object);
    uint64_t page = offset / LIMIT_PAGE_BYTES;
    paddr_t frame = LIKELY(page < memory->pages) ? memory_object_frame_there(memory, page) : 0;

    return LIKELY(frame != 0)
               ? (const uint32_t *)(const void *)((const uint8_t *)arch_frame_pointer(frame) +
                                                  offset % LIMIT_PAGE_BYTES)
               : NULL;
}

/* Finds the objects of the two words, as far as they have some; mostly it is one. False: one is not
 * usual. Process lock held. */
static inline bool objects_find(struct process *process, struct cap_id wake, struct cap_id wait,
                                struct park_turn *turn)
{
    struct object *object;

    if (wait.raw != 0) {
        object = memory_find(process, wait);
        if (UNLIKELY(object == NULL)) {
            return false;
        }
        turn->wait_object = object;
        turn->wait.space = (uint64_t)(uintptr_t)object;
        turn->shared = word_find(object, turn->wait.address);
        if (UNLIKELY(turn->shared == NULL)) {
            return false;
        }
    }
    if (LIKELY(wake.raw == wait.raw)) {
        turn->wake.space = turn->wait.space;
        return true;
    }
    if (wake.raw != 0) {
        object = memory_find(process, wake);
        turn->wake.space = (uint64_t)(uintptr_t)object;
        return object != NULL;
    }
    return true;
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

enum quick quick_wake_and_wait(struct cpu *cpu, struct thread *thread, struct thread **next)
{
    const uint8_t *wake = ring_peek(&thread->ring, thread->ring.sq_head);
    const uint8_t *wait = ring_peek(&thread->ring, thread->ring.sq_head + 1);
    struct process *process = thread->process;
    struct cap_id wake_cap = {quick_word(wake, offsetof(struct sqe, cap))};
    struct cap_id wait_cap = {quick_word(wait, offsetof(struct sqe, cap))};
    uint64_t expected = quick_word(wait, offsetof(struct sqe, result_bytes));
    bool shared = (wake_cap.raw | wait_cap.raw) != 0;
    enum quick quick = QUICK_NONE;
    struct object *over = NULL;
    struct park_turn turn;

    if (!pair_is_usual(wake, wait, expected)) {
        return QUICK_NONE;
    }
    turn.wake = key_own(thread, wake);
    turn.wake_data = quick_word(wake, offsetof(struct sqe, user_data));
    turn.wait = key_own(thread, wait);
    turn.wait_object = NULL;
    turn.shared = NULL;
    turn.wait_data = quick_word(wait, offsetof(struct sqe, user_data));
    turn.expected = (uint32_t)(expected >> VALUE_SHIFT);
    if ((turn.wake.address | turn.wait.address) % WORD_BYTES != 0) {
        return QUICK_NONE;
    }
    if (shared) {
        spinlock_lock(&process->lock);
    }
    if ((!shared || objects_find(process, wake_cap, wait_cap, &turn)) &&
        !park_key_equal(turn.wake, turn.wait)) {
        quick = park_turn(cpu, thread, &turn, next, &over);
    }
    if (shared) {
        spinlock_unlock(&process->lock);
    }
    if (UNLIKELY(over != NULL)) {
        object_unref(over);
    }
    return quick;
}
