/* SPDX-License-Identifier: MIT */
/*
 * The short way of DUP and RELEASE.
 *
 * A submission goes this way only when everything about it is as usual: no flags, an edge that is
 * held and was never delegated, for DUP with the facet it has and with room in the table. Whatever
 * differs leaves everything as it was, and the long way (table_ops.c) looks at the entry afresh and
 * has the words for a refusal. So the short way does what the long way would, in the same order,
 * and refuses nothing.
 *
 * Each word of the entry is read once from shared memory, atomically; no field that the opcode does
 * not use may be set.
 *
 * Locks: the process's, for the table, and after it the ring's, for the completion. The submission
 * is accepted under the first, so that nobody sees the table changed and the entry not taken.
 */
#include "kernel/dispatch/quick_table.h"

#include "core/assert.h"
#include "core/cap_slot.h"
#include "kernel/dispatch/lone.h"

/* Whether nothing but its first word, its id and user_data is said by an entry, and `second` by the
 * word behind the id, DUP's facet. The slot is none, which needs a flag. */
static ALWAYS_INLINE bool rest_is_usual(const uint8_t *entry, uint64_t second)
{
    return LIKELY((quick_word(entry, offsetof(struct sqe, message)) |
                   quick_word(entry, offsetof(struct sqe, result)) |
                   quick_word(entry, offsetof(struct sqe, result_bytes)) |
                   quick_word(entry, offsetof(struct sqe, spare))) == 0 &&
                  quick_word(entry, offsetof(struct sqe, interface_id)) == second);
}
_Static_assert(offsetof(struct sqe, interface_id) == offsetof(struct sqe, facet),
               "one word behind the id");

/* The slot of the edge `id` if it is as usual. Process lock held. */
static ALWAYS_INLINE struct cap_slot *slot_find(struct process *process, struct cap_id id)
{
    struct cap_slot *slot = cap_table_slot(&process->table, id);

    return cap_slot_is_plain(slot, id) ? slot : NULL;
}

/* ---- among others ---------------------------------------------------------------------------- */

/* Gives the process's lock back: the entry is not usual. */
static COLD NOINLINE enum quick quick_leave(struct process *process)
{
    spinlock_unlock(&process->lock);
    return QUICK_NONE;
}

/* Posts the completion of the submission, which was accepted. */
static ALWAYS_INLINE enum quick complete(struct thread *thread, uint64_t user_data,
                                         struct cap_id id)
{
    struct ring *ring = &thread->ring;
    struct cqe *place;
    uint32_t tail;

    spinlock_lock(&thread->ring_lock);
    tail = ring->cq_tail;
    place = ring_post_place(ring, tail);
    place->user_data = user_data;
    place->result = 0;
    place->flags = 0;
    place->cap[0] = id;
    place->cap[1] = (struct cap_id){0};
    ring_posted(ring, tail + 1);
    spinlock_unlock(&thread->ring_lock);
    return QUICK_DONE;
}

enum quick quick_duplicate(struct thread *thread, const uint8_t *entry)
{
    uint64_t user_data = quick_word(entry, offsetof(struct sqe, user_data));
    struct cap_id id = {quick_word(entry, offsetof(struct sqe, cap))};
    struct process *process = thread->process;
    struct provenance *origin;
    struct cap_slot *slot;
    struct cap_id copy;

    if (UNLIKELY(!rest_is_usual(entry, CAP_FACET_ALL))) {
        return QUICK_NONE;
    }
    spinlock_lock(&process->lock);
    slot = slot_find(process, id);
    if (UNLIKELY(slot == NULL || !room_is_there(&process->table))) {
        return quick_leave(process);
    }
    copy = slot_repeat(&process->table, slot, true, &origin);
    object_ref(slot->edge.object);
    provenance_copy(origin, &process->duplicated, id);
    origin->at_ns = arch_clock_ns();
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    spinlock_unlock(&process->lock);
    return complete(thread, user_data, copy);
}

enum quick quick_release(struct thread *thread, const uint8_t *entry)
{
    uint64_t user_data = quick_word(entry, offsetof(struct sqe, user_data));
    struct cap_id id = {quick_word(entry, offsetof(struct sqe, cap))};
    struct process *process = thread->process;
    struct cap_slot *slot;
    struct object *object;

    if (UNLIKELY(!rest_is_usual(entry, 0))) {
        return QUICK_NONE;
    }
    spinlock_lock(&process->lock);
    slot = slot_find(process, id);
    if (UNLIKELY(slot == NULL)) {
        return quick_leave(process);
    }
    object = slot->edge.object;
    slot_leave(&process->table, cap_id_slot(id), slot, id.raw);
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    spinlock_unlock(&process->lock);
    object_unref(object);
    return complete(thread, user_data, (struct cap_id){0});
}

/* ---- alone -----------------------------------------------------------------------------------
 *
 * As usual as can be: slots that were used before are taken, and none of the window is given up;
 * the others go the way above. What is rare is left by a call at the very end, and each step leaves
 * little to be kept in mind for the next, so that no register needs to be saved. For the same
 * reason the entry is accepted, and its completion written, as soon as nothing can fail any more:
 * nobody looks at it before it is shown.
 */

static COLD NOINLINE int64_t alone_leave(struct process *process)
{
    spinlock_unlock(&process->lock);
    return lone_leave();
}

/* Accepts the entry; the place of its completion, where the ids are still to be written. */
static ALWAYS_INLINE struct cqe *alone_accept(struct thread *thread, const uint8_t *entry)
{
    uint64_t user_data = quick_word(entry, offsetof(struct sqe, user_data));

    return lone_write(thread, ring_accept_alone(&thread->ring), user_data, 0);
}

/* The edge that a DUP makes of that in `from`, with a reference of its own. */
static ALWAYS_INLINE struct cap_id alone_duplicate(struct process *process,
                                                   const struct cap_slot *from)
{
    struct cap_table *table = &process->table;
    uint32_t number = table->free_head;
    struct cap_slot *slot = slot_at(table, number);
    struct provenance *origin = slot_origin(table, number);

    provenance_copy(origin, &process->duplicated, (struct cap_id){from->name});
    origin->at_ns = arch_clock_ns();
    hold_edge_copy(&from->edge, &slot->edge);
    object_ref(from->edge.object);
    free_pop(table, slot);
    return slot_name_in(table, number, slot, slot_generation(slot));
}

int64_t lone_duplicate(const uint8_t *entry, struct thread *thread)
{
    struct cap_id id = {quick_word(entry, offsetof(struct sqe, cap))};
    struct process *process = thread->process;
    struct cap_slot *slot;
    struct cqe *place;

    if (UNLIKELY(!rest_is_usual(entry, CAP_FACET_ALL))) {
        return lone_leave();
    }
    spinlock_lock(&process->lock);
    slot = slot_find(process, id);
    if (UNLIKELY(slot == NULL || process->table.free_count == 0 ||
                 !room_is_there(&process->table))) {
        return alone_leave(process);
    }
    id = alone_duplicate(process, slot);
    place = alone_accept(thread, entry);
    spinlock_unlock(&process->lock);
    place->cap[0] = id;
    place->cap[1] = (struct cap_id){0};
    return lone_show(process, thread);
}

/* The object of the edge that was released had no other reference. */
static COLD NOINLINE int64_t release_last(struct object *object, struct thread *thread)
{
    object_end(object);
    return lone_show(thread->process, thread);
}

int64_t lone_release(const uint8_t *entry, struct thread *thread)
{
    struct cap_id id = {quick_word(entry, offsetof(struct sqe, cap))};
    struct process *process = thread->process;
    struct object *object;
    struct cap_slot *slot;
    struct cqe *place;

    if (UNLIKELY(!rest_is_usual(entry, 0) || cap_id_slot(id) < CAP_TABLE_WINDOW)) {
        return lone_leave();
    }
    spinlock_lock(&process->lock);
    slot = slot_find(process, id);
    if (UNLIKELY(slot == NULL)) {
        return alone_leave(process);
    }
    object = slot->edge.object;
    slot_leave(&process->table, cap_id_slot(id), slot, id.raw);
    place = alone_accept(thread, entry);
    spinlock_unlock(&process->lock);
    place->cap[0] = (struct cap_id){0};
    place->cap[1] = (struct cap_id){0};
    if (object_put(object)) {
        return release_last(object, thread);
    }
    return lone_show(process, thread);
}
