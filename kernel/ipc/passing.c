/* SPDX-License-Identifier: MIT */
/*
 * Passing capabilities.
 *
 * A copy has the references of an edge from the moment it is begun, taken under the lock of the
 * table in which its source stands; it is then an edge without a slot until it arrives or is
 * dropped. Dropping may end a session or close an endpoint, which takes locks, so what is to be
 * dropped is kept aside until no lock is held.
 *
 * A revoke searches the items themselves, thread by thread, whatever calls they are beside: which
 * items are copies on their way changes under the process's lock alone.
 *
 * Locks: the sender's process to begin, to cancel and to bury, both processes by pid to commit.
 */
#include "kernel/ipc/passing.h"

#include "core/assert.h"
#include "core/string.h"

/* Copies out of the arena, where a descriptor may lie across a page's end. */
static void arena_read(struct thread *thread, uint32_t offset, void *to, uint32_t bytes)
{
    uint8_t *target = to;

    while (bytes > 0) {
        uint32_t room;
        const uint8_t *source = thread_arena(thread, offset, &room);
        uint32_t chunk = bytes < room ? bytes : room;

        memcpy(target, source, chunk);
        offset += chunk;
        target += chunk;
        bytes -= chunk;
    }
}

enum transport_error passing_begin(struct thread *sender, const struct sqe *sqe, uint32_t offset,
                                   struct transfer_bundle *bundle, struct refusal *refusal)
{
    struct transfer descriptor[LIMIT_TRANSFERS];
    struct transfer_request request = {.descriptor = descriptor,
                                       .answers = sqe->opcode != OPCODE_CALL};
    struct process *process = sender->process;
    enum transport_error error;
    uint32_t refused;

    ASSERT(sqe->transfers == bundle->count && bundle->count <= LIMIT_TRANSFERS);
    arena_read(sender, offset, descriptor, bundle->count * (uint32_t)sizeof(descriptor[0]));
    spinlock_lock(&process->lock);
    error = transfer_begin(&process->table, &request, bundle, &refused);
    for (struct transfer_item *item = bundle->first; error == TRANSPORT_OK && item != NULL;
         item = item->next) {
        if (!item->moves) {
            edge_ref(&item->edge);
        }
    }
    spinlock_unlock(&process->lock);
    if (error != TRANSPORT_OK) {
        refusal->argument = ARGUMENT_TRANSFERS;
        refusal->amount = refused;
        return error;
    }
    return TRANSPORT_OK;
}

void passing_cancel(struct process *sender, const struct transfer_bundle *bundle,
                    struct transfer_drops *drops)
{
    spinlock_lock(&sender->lock);
    transfer_cancel(&sender->table, bundle, drops);
    spinlock_unlock(&sender->lock);
}

/* Both locks, the smaller pid first; one if they are one. */
static void pair_lock(struct process *a, struct process *b)
{
    struct process *first = a->pid < b->pid ? a : b;
    struct process *second = a->pid < b->pid ? b : a;

    spinlock_lock(&first->lock);
    if (a != b) {
        spinlock_lock(&second->lock);
    }
}

static void pair_unlock(struct process *a, struct process *b)
{
    if (a != b) {
        spinlock_unlock(&a->lock);
    }
    spinlock_unlock(&b->lock);
}

uint32_t passing_commit(const struct passing *passing, const struct transfer_bundle *bundle,
                        struct received_cap *records, struct transfer_drops *drops)
{
    const struct transfer_ends ends = {&passing->from->table, &passing->to->table};
    struct provenance origin = {.method = passing->method,
                                .origin = passing->origin,
                                .detail = passing->interface_id,
                                .at_ns = arch_clock_ns()};
    uint32_t filled;

    provenance_from(&origin, passing->from->pid, passing->from->name);
    pair_lock(passing->from, passing->to);
    filled = transfer_commit(&ends, bundle, &origin, records, drops);
    pair_unlock(passing->from, passing->to);
    return filled;
}

/* The thread of the lowest slot from `slot` on that is not retired; NULL: there is none. A retired
 * thread has no call, so no copy either. Process lock held. */
static struct thread *thread_from(const struct process *process, unsigned slot)
{
    struct thread *lowest = NULL;

    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        struct thread *thread = CONTAINER_OF(node, struct thread, process_node);

        if (thread->slot >= slot && (lowest == NULL || thread->slot < lowest->slot)) {
            lowest = thread;
        }
    }
    return lowest;
}

bool passing_bury_next(struct process *process, struct passing_search *search,
                       const struct grant_node *above, struct hold_edge *edge)
{
    struct thread *thread;

    edge->object = NULL;
    spinlock_lock(&process->lock);
    thread = thread_from(process, search->slot);
    if (thread != NULL) {
        uint32_t begin = thread->slot == search->slot ? search->item : 0;
        struct transfer_item *items = arch_frame_pointer(thread->transfer_frame);
        struct transfer_search left = {&items[begin], LIMIT_TRANSFERS_WAITING - begin};

        search->slot = thread->slot;
        if (transfer_bury_next(&left, above, edge)) {
            search->item = LIMIT_TRANSFERS_WAITING - left.count;
        } else {
            search->slot++;
            search->item = 0;
        }
    }
    spinlock_unlock(&process->lock);
    return thread != NULL;
}

void passing_drop(struct transfer_drops *drops)
{
    while (drops->count > 0) {
        drops->count--;
        edge_drop(&drops->edge[drops->count]);
    }
}
