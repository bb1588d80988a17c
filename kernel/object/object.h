/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects. Each is counted: one reference for each hold edge, each operation that uses it
 * and each structure that names it. The last reference destroys it.
 */
#ifndef KERNEL_OBJECT_OBJECT_H
#define KERNEL_OBJECT_OBJECT_H

#include "abi/atomic.h"
#include "abi/ring.h"
#include "capnp/runtime/capn_generated.h"
#include "core/assert.h"
#include "core/cap_table.h"
#include "core/uses.h"

struct capn_request;
struct object;
struct park_waits;

/* One revocation as the objects see it. */
struct revoke_step {
    const struct grant_node *above; /* it, and everything below it, is dead */
    uint64_t cursor;                /* the object's own, 0 at the first step */
    struct uses_sweep sweep;        /* of an object that keeps its uses in such a list */
    struct receipt receipt;         /* what was ended; the object adds */
    unsigned priority; /* of the next step: the revocation's own; an object lowers it to that of the
                          work it waits for, which would else never run beside the asking */
};

struct object_type {
    const char *name;
    /* A CALL: the generated dispatch of the object's interface (kernel/dispatch/call.h). Endpoints
     * are called so through their owner's interface only; through any other the call queues. */
    enum capn_dispatch (*call)(struct object *object, struct capn_request *request);
    /* Bit m: method m of the object's interface reads nothing, changes nothing and answers with an
     * empty structure, so that kernel/dispatch/quick.c may answer it. */
    uint64_t quick;
    /* Bit m: method m reads nothing, changes nothing and answers with a structure of nothing but
     * one pointer, to the edge that hold_edge_repeat makes of the one it was called through, so
     * that kernel/ipc/handoff_promise.c may answer it. One of `gives`. */
    uint64_t repeats;
    /* Bit m: the answer of method m may carry capabilities (call_result_cap), so that the caller's
     * table must have room for them before the method runs. */
    uint64_t gives;
    /* Bit m: method m may take memory of the kernel, whether its answer carries capabilities or
     * not (kernel/work_check.h). Those of `gives` need not be told. */
    uint64_t makes;
    /* The word at `offset` (a multiple of 4) of the memory that the object is, for PARK; it stays
     * there as long as the object. NULL: it has no such word, or no frame for it. NULL: objects of
     * this type are no memory. No lock is held. */
    const uint32_t *(*word)(struct object *object, uint64_t offset);
    /* Who waits at words of the object: with `word`. */
    struct park_waits *(*waits)(struct object *object);
    /*
     * One bounded step of a revocation: ends uses in flight of `object` whose grant is step->above
     * or below it (grant_is_below), with a REVOKED completion, and counts them. False: none is
     * left, and none can come, because no lookup finds such an edge any more. NULL: every use is
     * over when its submission is. No lock is held; the object is pinned.
     */
    bool (*revoke)(struct object *object, struct revoke_step *step);
    /* The last reference is gone. NULL: static object. */
    void (*destroy)(struct object *object);
    /* The memory stays after destroy, with the tree of grants in it: uses in flight may still name
     * delegations of the object. */
    bool outlived;
};

struct object {
    const struct object_type *type;
    uint64_t references; /* atomic */
    struct grant_tree grants;
};

/* An object that exists once. */
#define OBJECT_STATIC(object_type)                                                                 \
    {                                                                                              \
        .type = (object_type), .references = 1, .grants = {.epoch = 1 }                            \
    }

void object_init(struct object *object, const struct object_type *type);

static inline void object_ref(struct object *object)
{
    uint64_t before = atomic_add_u64(&object->references, 1) - 1;

    ASSERT(before != 0);
}

/* The same for `count` references. */
static inline void object_ref_more(struct object *object, uint64_t count)
{
    uint64_t now = atomic_add_u64(&object->references, count);

    ASSERT(now > count);
}

/* Gives a reference back without destroying. True: it was the last, and the caller does what the
 * type's destroy would; for those that hold a lock which destroy takes. */
MUST_USE static inline bool object_put(struct object *object)
{
    uint64_t before = atomic_add_u64(&object->references, UINT64_MAX) + 1;

    if (LIKELY(before > 1)) {
        return false;
    }
    ASSERT(before == 1);
    return true;
}

/* What object_unref does after object_put has given the last reference back. */
static inline void object_end(struct object *object)
{
    if (object->type->destroy != NULL) {
        ASSERT(object->type->outlived || atomic_load_relaxed_u64(&object->grants.nodes) == 0);
        object->type->destroy(object);
    }
}

/* Gives `count` references back, none of which is the last. */
static inline void object_put_more(struct object *object, uint64_t count)
{
    uint64_t now = atomic_add_u64(&object->references, 0 - count);

    ASSERT(now != 0 && now < 0 - count);
}

static inline void object_unref(struct object *object)
{
    if (object_put(object)) {
        object_end(object);
    }
}

/* An edge to `object` about to be put into a table: takes the edge's reference. */
struct hold_edge object_edge(struct object *object, uint64_t interface_id, uint64_t facet,
                             uint64_t badge);

/* References of an edge's object and of its grant, for a copy that is used and then given up with
 * edge_unpin, or becomes an edge of its own. A table's lock may be held. */
void edge_ref(const struct hold_edge *edge);

/* Gives up what edge_ref took. No lock is held. */
void edge_unpin(const struct hold_edge *edge);

/*
 * Whether the kernel may take `edge` as an object of `type` whose `method` is allowed. A server
 * gives out edges of any interface it likes, those of the kernel's own objects included, so the
 * interface alone says nothing about the object. Errors: hold_edge_permits'; WRONG_INTERFACE:
 * another type.
 */
MUST_USE static inline enum transport_error edge_permits_as(const struct hold_edge *edge,
                                                            const struct object_type *type,
                                                            uint64_t interface_id, uint16_t method)
{
    if (((const struct object *)edge->object)->type != type) {
        return TRANSPORT_WRONG_INTERFACE;
    }
    return hold_edge_permits(edge, interface_id, method);
}

/* An edge that was taken out of its table: drops its references. Object NULL: it was revoked and
 * emptied before, nothing is left to drop. No lock is held. */
void edge_drop(const struct hold_edge *edge);

#endif
