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
#include "kernel/dispatch/lone.h"

/* Whether all but the first word that neither DUP nor RELEASE uses is zero; the slot too, which
 * needs a flag. */
static inline bool rest_is_zero(const uint8_t *entry)
{
    return (quick_word(entry, offsetof(struct sqe, message)) |
            quick_word(entry, offsetof(struct sqe, result)) |
            quick_word(entry, offsetof(struct sqe, result_bytes)) |
            quick_word(entry, offsetof(struct sqe, spare))) == 0;
}

/* The slot of the edge `id` if it is as usual. Process lock held. */
static ALWAYS_INLINE struct cap_slot *slot_find(struct process *process, struct cap_id id)
{
    struct cap_slot *slot = cap_table_slot(&process->table, id);

    return cap_slot_is_plain(slot, id) ? slot : NULL;
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

/* The DUP: its edge is made, and the process's lock held. The id 0: it is not usual, and the lock
 * is not held. */
static ALWAYS_INLINE struct cap_id duplicate(struct process *process, const uint8_t *entry)
{
    struct cap_id source = {quick_word(entry, offsetof(struct sqe, cap))};
    struct cap_id id = {0};
    struct provenance *origin;
    struct cap_slot *slot;

    if (UNLIKELY(quick_word(entry, 0) != OPCODE_DUP || !rest_is_zero(entry) ||
                 quick_word(entry, offsetof(struct sqe, facet)) != CAP_FACET_ALL)) {
        return id;
    }
    spinlock_lock(&process->lock);
    slot = slot_find(process, source);
    if (LIKELY(slot != NULL)) {
        id = cap_table_duplicate(&process->table, slot, &origin);
    }
    if (UNLIKELY(id.raw == 0)) {
        spinlock_unlock(&process->lock);
        return id;
    }
    object_ref(slot->edge.object);
    provenance_copy(origin, &process->duplicated, source, arch_clock_ns());
    return id;
}

enum quick quick_duplicate(struct thread *thread, const uint8_t *entry)
{
    uint64_t user_data = quick_word(entry, offsetof(struct sqe, user_data));
    struct cap_id id = duplicate(thread->process, entry);

    if (UNLIKELY(id.raw == 0)) {
        return QUICK_NONE;
    }
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    spinlock_unlock(&thread->process->lock);
    return complete(thread, user_data, id);
}

int64_t lone_duplicate(struct cpu *cpu, struct thread *thread, const uint8_t *entry)
{
    struct cap_id words[2] = {duplicate(thread->process, entry)};
    uint32_t index;

    if (UNLIKELY(words[0].raw == 0)) {
        return lone_leave(cpu);
    }
    index = ring_accept_alone(&thread->ring);
    spinlock_unlock(&thread->process->lock);
    return lone_complete(cpu, thread, index, quick_word(entry, offsetof(struct sqe, user_data)), 0,
                         words);
}

/* The RELEASE: its edge is gone from the table; the object it held, whose reference is the
 * caller's, and the process's lock is held. NULL: it is not usual, and the lock is not held. */
static ALWAYS_INLINE struct object *release(struct process *process, const uint8_t *entry)
{
    struct cap_slot *slot;
    struct object *object;

    if (UNLIKELY(quick_word(entry, 0) != OPCODE_RELEASE || !rest_is_zero(entry) ||
                 quick_word(entry, offsetof(struct sqe, interface_id)) != 0)) {
        return NULL;
    }
    spinlock_lock(&process->lock);
    slot = slot_find(process, (struct cap_id){quick_word(entry, offsetof(struct sqe, cap))});
    if (UNLIKELY(slot == NULL)) {
        spinlock_unlock(&process->lock);
        return NULL;
    }
    object = slot->edge.object;
    cap_table_vacate(&process->table, slot);
    return object;
}

enum quick quick_release(struct thread *thread, const uint8_t *entry)
{
    uint64_t user_data = quick_word(entry, offsetof(struct sqe, user_data));
    struct object *object = release(thread->process, entry);

    if (UNLIKELY(object == NULL)) {
        return QUICK_NONE;
    }
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    spinlock_unlock(&thread->process->lock);
    object_unref(object);
    return complete(thread, user_data, (struct cap_id){0});
}

int64_t lone_release(struct cpu *cpu, struct thread *thread, const uint8_t *entry)
{
    struct object *object = release(thread->process, entry);
    uint64_t user_data;
    uint32_t index;

    if (UNLIKELY(object == NULL)) {
        return lone_leave(cpu);
    }
    user_data = quick_word(entry, offsetof(struct sqe, user_data));
    index = ring_accept_alone(&thread->ring);
    spinlock_unlock(&thread->process->lock);
    object_unref(object);
    return lone_complete(cpu, thread, index, user_data, 0, lone_nothing);
}
