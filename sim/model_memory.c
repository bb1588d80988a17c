/* SPDX-License-Identifier: MIT */
/*
 * The reference model: memory objects, slices of them, and what address spaces show.
 *
 * A slice is an edge of its object for a part of what the edge is for that it was made through. It
 * says in its badge which pages of the whole: the first in the upper half, how many in the lower.
 *
 * The model sees the pages of an address space each time its lock is released, and asks for each
 * page that is another who could have made it so: a change under way in this process that names the
 * page, may be made of what was there, and leaves just this; or a revocation of what is shown
 * there. While a change is at work on a page it may be anything, and somebody must have asked for
 * that.
 *
 * A change is whole or not at all: once it has completed well, all its pages are as it asked; once
 * it was refused, it has changed none. That is asked only of those that no other change came near.
 */
#include "sim/model_inside.h"

#include <string.h>

#include "schema/generated/memory.capnp.h"

enum {
    CHANGES = 256, /* that may still do something */
};

struct space {
    uint64_t pid; /* 0: none here */
    struct model_page page[MODEL_SPACE_PAGES];
};

static struct space spaces[MODEL_PROCESSES];
static uint32_t space_count;
static uint64_t changes[CHANGES];
static uint32_t change_count;

/* ---- slices ---------------------------------------------------------------------------------- */

struct model_slice model_slice(const struct model_edge *edge)
{
    if (edge->badge == 0) {
        return (struct model_slice){0, edge->object_pages};
    }
    return (struct model_slice){edge->badge >> 32, edge->badge & UINT32_MAX};
}

/* Whether `bytes` from `offset` on are whole pages, at least one, of the slice. */
static bool slice_has(struct model_slice slice, uint64_t offset, uint64_t bytes)
{
    return offset % LIMIT_PAGE_BYTES == 0 && bytes % LIMIT_PAGE_BYTES == 0 && bytes != 0 &&
           offset / LIMIT_PAGE_BYTES < slice.pages &&
           bytes / LIMIT_PAGE_BYTES <= slice.pages - offset / LIMIT_PAGE_BYTES;
}

bool model_is_slice(const struct model_intent *intent, const struct model_edge *from,
                    const struct model_edge *edge)
{
    struct model_slice whole = model_slice(from);
    struct model_slice part = model_slice(edge);

    return edge->badge != 0 && edge->object == from->object &&
           edge->interface_id == from->interface_id && edge->facet == from->facet &&
           edge->grant == from->grant && edge->mode == from->mode &&
           edge->grantable == from->grantable && slice_has(whole, intent->offset, intent->bytes) &&
           part.first == whole.first + intent->offset / LIMIT_PAGE_BYTES &&
           part.pages == intent->bytes / LIMIT_PAGE_BYTES &&
           part.first + part.pages <= edge->object_pages;
}

/* ---- changes --------------------------------------------------------------------------------- */

/* Whether it may still change something: a caller that has gone, or takes it back, does not end it.
 */
static bool change_lives(const struct model_submission *change)
{
    return change->state == MODEL_TAKEN || change->state == MODEL_DROPPED ||
           (change->state == MODEL_DONE && change->result == TRANSPORT_CANCELLED);
}

static uint64_t pages_of(const struct model_intent *intent)
{
    return intent->bytes / LIMIT_PAGE_BYTES;
}

static bool has_page(const struct model_intent *intent, uint64_t page)
{
    return intent->bytes % LIMIT_PAGE_BYTES == 0 && page >= intent->page &&
           page - intent->page < pages_of(intent);
}

void model_change_taken(uint64_t name, struct model_submission *change)
{
    const struct model_intent *mine = &change->intent;

    for (uint32_t i = 0; i < change_count; i++) {
        struct model_submission *other = model_find(changes[i]);

        if (!change_lives(other)) {
            changes[i--] = changes[--change_count];
        } else if (other->pid == change->pid && other->intent.page < mine->page + pages_of(mine) &&
                   mine->page < other->intent.page + pages_of(&other->intent)) {
            other->meets = true;
            change->meets = true;
        }
    }
    if (change_count == CHANGES) {
        model_disagree("the model has no room for another change of memory");
        return;
    }
    changes[change_count++] = name;
}

void model_memory_rests(void)
{
    for (uint32_t i = 0; i < change_count; i++) {
        if (model_find(changes[i])->state != MODEL_TAKEN) {
            changes[i--] = changes[--change_count];
        }
    }
}

static bool facet_allows(uint64_t facet, uint32_t protection)
{
    uint64_t needed = UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_READ;

    if (protection == MEMORY_PROTECTION_READ_WRITE) {
        needed |= UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_WRITE;
    } else if (protection == MEMORY_PROTECTION_READ_EXECUTE) {
        needed |= UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_EXECUTE;
    }
    return model_facet_is_within(needed, facet);
}

static bool protection_exists(uint32_t protection)
{
    return protection > MEMORY_PROTECTION_NONE && protection <= MEMORY_PROTECTION_READ_EXECUTE;
}

/* What MAP shows at the page, by the edge that it names; false: it may not. */
static bool mapped(const struct model_submission *change, uint64_t page, struct model_page *to)
{
    const struct model_intent *intent = &change->intent;
    struct model_history history;
    const struct model_edge *edge;

    *to = (struct model_page){.state = MODEL_PAGE_COMMITTED, .protection = intent->protection};
    if (intent->object == 0) {
        return true;
    }
    history = model_history(change->pid, intent->object, change->begun, model_now);
    if (history.held == NULL || !history.sometime) {
        return false;
    }
    edge = &history.held->edge;
    to->state = MODEL_PAGE_SHOWN;
    to->object = edge->object;
    to->object_page =
        model_slice(edge).first + intent->offset / LIMIT_PAGE_BYTES + page - intent->page;
    to->facet = edge->facet;
    to->grant = edge->grant;
    return edge->interface_id == MEMORY_OBJECT_INTERFACE_ID &&
           slice_has(model_slice(edge), intent->offset, intent->bytes) &&
           facet_allows(edge->facet, intent->protection) &&
           !model_grant_is_dead(edge->grant, change->begun);
}

/* What the change makes of `was`, at this page; false: it may not be made of that. */
static bool changed(const struct model_submission *change, uint64_t page,
                    const struct model_page *was, struct model_page *to)
{
    uint32_t protection = change->intent.protection;

    *to = (struct model_page){.state = MODEL_PAGE_FREE};
    switch (change->intent.change) {
    case MODEL_MAP:
        return was->state == MODEL_PAGE_FREE && protection_exists(protection) &&
               mapped(change, page, to);
    case MODEL_UNMAP:
        return was->state != MODEL_PAGE_FREE;
    case MODEL_PROTECT:
        *to = *was;
        to->protection = protection;
        return protection_exists(protection) &&
               (was->state == MODEL_PAGE_COMMITTED ||
                (was->state == MODEL_PAGE_SHOWN && facet_allows(was->facet, protection)));
    case MODEL_RESERVE:
        to->state = MODEL_PAGE_RESERVED;
        return was->state == MODEL_PAGE_FREE;
    case MODEL_COMMIT:
        *to = (struct model_page){.state = MODEL_PAGE_COMMITTED, .protection = protection};
        return was->state == MODEL_PAGE_RESERVED && protection_exists(protection);
    case MODEL_DECOMMIT:
        to->state = MODEL_PAGE_RESERVED;
        return was->state == MODEL_PAGE_COMMITTED;
    default:
        return false;
    }
}

static bool is_as(const struct model_page *one, const struct model_page *other)
{
    return one->state == other->state && one->protection == other->protection &&
           one->object == other->object && one->object_page == other->object_page &&
           one->facet == other->facet && one->grant == other->grant;
}

/* Whether each page of it is as the change leaves it. */
static bool is_done(const struct space *space, const struct model_submission *change)
{
    for (uint64_t page = change->intent.page; has_page(&change->intent, page); page++) {
        const struct model_page *now = &space->page[page];
        enum model_page_state wanted;

        switch (change->intent.change) {
        case MODEL_MAP:
        case MODEL_COMMIT:
            wanted = change->intent.object != 0 ? MODEL_PAGE_SHOWN : MODEL_PAGE_COMMITTED;
            break;
        case MODEL_PROTECT:
            wanted = now->state;
            break;
        case MODEL_UNMAP:
            wanted = MODEL_PAGE_FREE;
            break;
        default:
            wanted = MODEL_PAGE_RESERVED;
            break;
        }
        if (now->state == MODEL_PAGE_TAKEN_BACK) {
            continue; /* meanwhile */
        }
        if (now->state != wanted ||
            (wanted > MODEL_PAGE_RESERVED && now->protection != change->intent.protection)) {
            return false;
        }
    }
    return true;
}

static struct space *space_find(uint64_t pid)
{
    for (uint32_t i = 0; i < space_count; i++) {
        if (spaces[i].pid == pid) {
            return &spaces[i];
        }
    }
    if (space_count == MODEL_PROCESSES) {
        model_disagree("the model has no room for another address space");
        return &spaces[0];
    }
    spaces[space_count].pid = pid;
    return &spaces[space_count++];
}

void model_change_verdict(uint64_t name, const struct model_submission *change,
                          const struct cqe *cqe)
{
    bool good = cqe->result >= 0 && (cqe->flags & CQE_EXCEPTION) == 0;

    if (cqe->result == TRANSPORT_CANCELLED || change->meets || !model_is_alive(change->pid) ||
        model_thread_is_ending(
            change->thread)) { /* a process that ends leaves its pages as they are */
        return;
    }
    if (good && !is_done(space_find(change->pid), change)) {
        model_disagree("submission %llu: a change of memory is over, and not all pages are so",
                       (unsigned long long)name);
    } else if (!good && change->pages != 0) {
        model_disagree("submission %llu: a change of memory was refused, and %u pages are others",
                       (unsigned long long)name, change->pages);
    }
}

/* ---- spaces ---------------------------------------------------------------------------------- */

/* Whether somebody has asked for the page's change from `was` to `now`, or for any. */
static bool was_asked(uint64_t pid, uint64_t page, const struct model_page *was,
                      const struct model_page *now)
{
    for (uint32_t i = 0; i < change_count; i++) {
        struct model_submission *change = model_find(changes[i]);
        struct model_page to;

        if (change->pid != pid || !change_lives(change) || !has_page(&change->intent, page)) {
            continue;
        }
        if (now->state == MODEL_PAGE_CHANGING) {
            return true;
        }
        if (changed(change, page, was, &to) && is_as(&to, now)) {
            change->pages++;
            return true;
        }
    }
    return false;
}

void model_space(uint64_t pid, const struct model_page *pages)
{
    struct space *space = space_find(pid);

    model_now++;
    for (uint32_t i = 0; i < MODEL_SPACE_PAGES; i++) {
        struct model_page *was = &space->page[i];
        const struct model_page *now = &pages[i];

        if (is_as(was, now)) {
            continue;
        }
        if (now->state == MODEL_PAGE_TAKEN_BACK && was->state == MODEL_PAGE_SHOWN &&
            was->grant != 0) {
            *was = *now;
            continue;
        }
        if (!was_asked(pid, i, was, now)) {
            model_disagree("process %llu: page %u of its memory is another (%u, protection %u, "
                           "object %llu, page %llu) and nobody asked for it",
                           (unsigned long long)pid, i, now->state, now->protection,
                           (unsigned long long)now->object, (unsigned long long)now->object_page);
        }
        if (now->state != MODEL_PAGE_CHANGING) {
            *was = *now;
        }
    }
}

void model_memory_revoked(uint64_t name, uint64_t handle)
{
    for (uint32_t i = 0; i < space_count; i++) {
        for (uint32_t k = 0; k < MODEL_SPACE_PAGES && model_is_alive(spaces[i].pid); k++) {
            const struct model_page *page = &spaces[i].page[k];

            if (page->state == MODEL_PAGE_SHOWN && model_depth_below(handle, page->grant) != 0) {
                model_disagree("submission %llu: REVOKE is over, and process %llu has page %u of "
                               "what it took",
                               (unsigned long long)name, (unsigned long long)spaces[i].pid, k);
            }
        }
    }
}

/* ---- asked by the generator ------------------------------------------------------------------ */

const struct model_page *model_pages(uint64_t pid)
{
    return space_find(pid)->page;
}
