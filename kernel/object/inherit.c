/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that a child inherits: every edge in the caller's window, at the same slot, without
 * the right to be passed on. One that may not be passed on at all makes the spawn fail before
 * anything was built, whatever would become of it in the child. Left out are those marked
 * EDGE_CLOSE_ON_SPAWN and those that were revoked: these slots are free in the child.
 *
 * The check comes with the request, the copies with the job, a few slots a step; what the caller
 * changes in between is inherited as it is then, and refused then.
 *
 * Locks: the caller's or the child's, never both.
 */
#include "kernel/object/inherit.h"

#include "core/assert.h"

enum {
    INHERIT_EDGES = 8, /* of one step */
};

static bool is_inherited(const struct cap_entry *entry)
{
    return !entry->revoked && (entry->edge.flags & EDGE_CLOSE_ON_SPAWN) == 0;
}

/* The next descriptor from *cursor on; false: there is none. Table's lock held. */
static bool descriptor_next(struct cap_table *table, uint32_t *cursor, struct cap_entry *entry)
{
    bool found = false;

    while (*cursor < CAP_TABLE_WINDOW &&
           cap_table_next(table, cursor, CAP_TABLE_WINDOW - *cursor, entry, &found)) {
        if (found && cap_id_slot(entry->id) >= CAP_TABLE_WINDOW) {
            return false; /* a page that is not there is one step */
        }
        if (found && is_inherited(entry)) {
            return true;
        }
    }
    return false;
}

bool descriptors_may_be_inherited(struct process *caller, uint32_t *refused)
{
    struct cap_entry entry;
    uint32_t cursor = 0;
    bool good = true;

    spinlock_lock(&caller->lock);
    while (good && descriptor_next(&caller->table, &cursor, &entry)) {
        good = entry.edge.mode == EDGE_MODE_COPY;
        *refused = cap_id_slot(entry.id);
    }
    spinlock_unlock(&caller->lock);
    return good;
}

/* The child's edge of the caller's next descriptor, with references of its own. STATUS_NOT_FOUND:
 * that was the last; STATUS_NO_ACCESS: it may not be passed on any more. */
static enum status descriptor_copy(struct spawn *spawn, struct cap_entry *entry)
{
    struct process *caller = spawn->caller;
    struct edge_passing passing = {.leaving = false};
    enum status status = STATUS_NOT_FOUND;
    struct hold_edge edge;

    spinlock_lock(&caller->lock);
    if (descriptor_next(&caller->table, &spawn->descriptor, entry)) {
        passing.facet = entry->edge.facet;
        status = STATUS_NO_ACCESS;
        if (hold_edge_pass(&entry->edge, &passing, &edge) == TRANSPORT_OK) {
            edge_ref(&edge);
            entry->edge = edge;
            status = STATUS_OK;
        }
    }
    spinlock_unlock(&caller->lock);
    return status;
}

/* Into the child's table, at the slot it had; one that was revoked meanwhile is left out. */
static enum transport_error descriptor_place(struct spawn *spawn, struct cap_entry *entry)
{
    struct process *child = spawn->process;
    struct provenance origin = {.origin = EDGE_ORIGIN_SPAWN,
                                .from_cap = entry->id,
                                .detail = cap_id_slot(entry->id),
                                .at_ns = arch_clock_ns()};
    enum transport_error error = TRANSPORT_REVOKED;
    struct cap_id id;

    provenance_from(&origin, spawn->caller->pid, spawn->caller->name);
    spinlock_lock(&child->lock);
    if (hold_edge_is_alive(&entry->edge)) {
        error =
            cap_table_insert_at(&child->table, cap_id_slot(entry->id), &entry->edge, &origin, &id);
    }
    spinlock_unlock(&child->lock);
    return error;
}

static enum status descriptor_inherit(struct spawn *spawn, struct cap_entry *entry)
{
    enum transport_error error = descriptor_place(spawn, entry);

    if (error == TRANSPORT_LIMIT) {
        process_slots_refill(spawn->process);
        error = descriptor_place(spawn, entry);
    }
    if (error != TRANSPORT_OK) {
        edge_drop(&entry->edge);
    }
    ASSERT(error != TRANSPORT_SLOT_IN_USE); /* nothing else is in the child's window yet */
    spawn->short_of = LEDGER_SLOTS;
    return error == TRANSPORT_LIMIT       ? STATUS_LIMIT
           : error == TRANSPORT_NO_MEMORY ? STATUS_NO_MEMORY
                                          : STATUS_OK;
}

enum status descriptors_inherit_step(struct spawn *spawn, bool *done)
{
    struct cap_entry entry;

    *done = !spawn->inherits;
    for (unsigned i = 0; !*done && i < INHERIT_EDGES; i++) {
        enum status status = descriptor_copy(spawn, &entry);

        *done = status == STATUS_NOT_FOUND;
        if (status == STATUS_OK) {
            status = descriptor_inherit(spawn, &entry);
        }
        if (status != STATUS_OK && !*done) {
            return status;
        }
    }
    return STATUS_OK;
}
