/* SPDX-License-Identifier: MIT */
/*
 * Mappings of memory objects, and the revocation that ends them. The theory is in memory_object.c.
 */
#include "kernel/object/memory_object.h"

#include "core/assert.h"

static struct memory_object *object_of(const struct mapping *mapping)
{
    return memory_object_of(mapping->edge.object);
}

enum status mapping_publish(struct mapping *mapping)
{
    struct memory_object *memory = object_of(mapping);
    enum status status = STATUS_OK;

    spinlock_lock(&memory->lock);
    if (memory->mapping_count == LIMIT_MAPPINGS) {
        status = STATUS_LIMIT;
    } else {
        list_push_back(&memory->mappings, &mapping->node);
        memory->mapping_count++;
        mapping->changing = true;
        if (!hold_edge_is_alive(&mapping->edge)) {
            list_remove(&mapping->node);
            memory->mapping_count--;
            status = STATUS_REVOKED;
        }
    }
    spinlock_unlock(&memory->lock);
    return status;
}

/* Object lock held. */
static void mapping_unlink(struct memory_object *memory, struct mapping *mapping)
{
    if (list_node_is_linked(&mapping->node)) {
        ASSERT(memory->mapping_count > 0);
        list_remove(&mapping->node);
        memory->mapping_count--;
    }
}

/* Whether a revocation has ended the mapping for good. Space lock held, or a change was begun. */
static bool mapping_is_over(const struct mapping *mapping)
{
    return mapping->edge.object == NULL;
}

void mapping_settle(struct mapping *mapping, bool gone)
{
    struct memory_object *memory = object_of(mapping);

    if (mapping_is_over(mapping)) {
        return;
    }
    spinlock_lock(&memory->lock);
    mapping->changing = false;
    if (gone) {
        mapping_unlink(memory, mapping);
    }
    spinlock_unlock(&memory->lock);
}

bool mapping_change(struct mapping *mapping, bool *revoked)
{
    struct memory_object *memory = object_of(mapping);
    bool free;

    if (mapping_is_over(mapping)) {
        *revoked = true;
        return true;
    }
    spinlock_lock(&memory->lock);
    *revoked = mapping->revoked;
    free = !mapping->changing && (!mapping->revoked || !list_node_is_linked(&mapping->node));
    if (free) {
        mapping->changing = true;
    }
    spinlock_unlock(&memory->lock);
    return free;
}

enum status mapping_split(struct mapping *mapping, uint64_t at, struct mapping *rest)
{
    struct memory_object *memory = object_of(mapping);
    enum status status = STATUS_OK;
    bool over = mapping_is_over(mapping);

    ASSERT(at > 0 && at < mapping->pages && !mapping->leaving);
    ASSERT(over || mapping->changing);
    if (!over) {
        spinlock_lock(&memory->lock);
        if (memory->mapping_count == LIMIT_MAPPINGS) {
            status = STATUS_LIMIT;
        } else {
            list_insert_before(mapping->node.next, &rest->node);
            memory->mapping_count++;
            rest->changing = true;
            rest->revoked = mapping->revoked;
            edge_ref(&mapping->edge);
        }
    }
    if (status == STATUS_OK) {
        rest->edge = mapping->edge;
        rest->space_lock = mapping->space_lock;
        rest->vspace = mapping->vspace;
        rest->address = mapping->address + at * LIMIT_PAGE_BYTES;
        rest->pages = mapping->pages - at;
        rest->object_page = mapping->object_page + at;
        mapping->pages = at;
    }
    if (!over) {
        spinlock_unlock(&memory->lock);
    }
    return status;
}

/* Whether the two show one run of pages through one edge. */
static bool mapping_continues(const struct mapping *before, const struct mapping *rest)
{
    return before->edge.object == rest->edge.object && before->edge.grant == rest->edge.grant &&
           before->edge.facet == rest->edge.facet && before->edge.badge == rest->edge.badge &&
           before->object_page + before->pages == rest->object_page;
}

bool mapping_join(struct mapping *before, struct mapping *rest)
{
    struct memory_object *memory = object_of(before);
    bool joins = mapping_continues(before, rest);

    ASSERT(before->address + before->pages * LIMIT_PAGE_BYTES == rest->address);
    if (!joins || mapping_is_over(before)) {
        before->pages += joins ? rest->pages : 0;
        return joins;
    }
    spinlock_lock(&memory->lock);
    joins = !before->changing && !before->leaving && !before->revoked && !rest->changing &&
            !rest->leaving && !rest->revoked;
    if (joins) {
        before->pages += rest->pages;
        mapping_unlink(memory, rest);
    }
    spinlock_unlock(&memory->lock);
    return joins;
}

bool mapping_is_revoked(struct mapping *mapping)
{
    struct memory_object *memory = object_of(mapping);
    bool revoked;

    if (mapping_is_over(mapping)) {
        return true;
    }
    spinlock_lock(&memory->lock);
    revoked = mapping->revoked;
    spinlock_unlock(&memory->lock);
    return revoked;
}

bool mapping_leave(struct mapping *mapping)
{
    struct memory_object *memory = object_of(mapping);
    bool left;

    if (mapping_is_over(mapping)) {
        return true;
    }
    spinlock_lock(&memory->lock);
    left = !mapping->leaving;
    if (left) {
        mapping_unlink(memory, mapping);
    }
    spinlock_unlock(&memory->lock);
    return left;
}

uint32_t memory_object_mappings(struct memory_object *memory, struct slice slice)
{
    uint32_t count = 0;

    spinlock_lock(&memory->lock);
    for (struct list_node *node = list_first(&memory->mappings); node != NULL;
         node = list_next(&memory->mappings, node)) {
        const struct mapping *mapping = CONTAINER_OF(node, struct mapping, node);

        count += mapping->object_page < slice.first + slice.pages &&
                 slice.first < mapping->object_page + mapping->pages;
    }
    spinlock_unlock(&memory->lock);
    return count;
}

/* Every CPU has dropped the pages of one step of a revocation. */
static void mapping_left(struct unmap *unmap)
{
    struct mapping *mapping = CONTAINER_OF(unmap, struct mapping, unmap);
    struct memory_object *memory = object_of(mapping);

    spinlock_lock(&memory->lock);
    mapping->leaving = false;
    spinlock_unlock(&memory->lock);
}

/* Whether the revocation may work on the mapping now: nobody else does. Marks it in any case. Lock
 * held. */
static bool mapping_seize(struct mapping *mapping, struct revoke_step *step)
{
    if (!mapping->revoked) {
        mapping->revoked = true;
        step->receipt.mappings += (uint32_t)mapping->pages;
    }
    if (mapping->changing || mapping->leaving) {
        return false;
    }
    mapping->leaving = true;
    return true;
}

/* The first mapping of the list that is dead; *seized: the caller has it. At most LIMIT_MAPPINGS
 * are looked at, each through GRANT_DEPTH_MAX delegations. */
static struct mapping *mapping_find_dead(struct memory_object *memory, struct revoke_step *step,
                                         bool *seized)
{
    struct list_node *node;
    struct mapping *dead = NULL;

    *seized = false;
    spinlock_lock(&memory->lock);
    for (node = list_first(&memory->mappings); node != NULL && !*seized;
         node = list_next(&memory->mappings, node)) {
        struct mapping *mapping = CONTAINER_OF(node, struct mapping, node);

        if (mapping->edge.grant != NULL && grant_is_below(mapping->edge.grant, step->above)) {
            dead = mapping;
            *seized = mapping_seize(mapping, step);
        }
    }
    spinlock_unlock(&memory->lock);
    return dead;
}

/* No translation of the mapping is left: what it held goes, the region stays its holder's. It is
 * `leaving` until then, so neither a change nor the end of its process is at it. */
static void mapping_release(struct memory_object *memory, struct mapping *mapping)
{
    struct spinlock *space_lock = mapping->space_lock;
    struct hold_edge edge = mapping->edge;

    ASSERT(mapping->leaving && !mapping->changing);
    spinlock_lock(space_lock);
    spinlock_lock(&memory->lock);
    mapping_unlink(memory, mapping);
    mapping->leaving = false;
    spinlock_unlock(&memory->lock);
    mapping->edge.object = NULL;
    mapping->edge.grant = NULL;
    spinlock_unlock(space_lock);
    edge_drop(&edge); /* not the last of the object: the revocation pins it */
}

bool memory_object_revoke(struct object *object, struct revoke_step *step)
{
    struct memory_object *memory = memory_object_of(object);
    bool seized;
    struct mapping *mapping = mapping_find_dead(memory, step, &seized);
    enum status status;
    uint64_t pages;
    vaddr_t address;

    if (mapping == NULL) {
        return park_waits_revoke(&memory->waits, &step->cursor, step);
    }
    if (!seized) {
        step->priority = 0; /* a change of any priority is at it */
        return true;
    }
    if (mapping->cursor == mapping->pages) {
        mapping_release(memory, mapping);
        return true;
    }
    pages = mapping->pages - mapping->cursor;
    pages = pages < VSPACE_STEP_PAGES ? pages : VSPACE_STEP_PAGES;
    address = mapping->address + mapping->cursor * LIMIT_PAGE_BYTES;
    mapping->cursor += pages;
    mapping->unmap.complete = mapping_left;
    status = vspace_unmap(mapping->vspace, address, (unsigned)pages, &mapping->unmap);
    ASSERT(status == STATUS_OK);
    return true;
}
