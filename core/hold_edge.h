/* SPDX-License-Identifier: MIT */
/*
 * A hold edge, which is a capability as its holder has it: an object, as what it may be called,
 * with which methods, and how it may be passed on. What may be made of one is decided here
 * (hold_edge.c), where it is kept in cap_table.h.
 */
#ifndef CORE_HOLD_EDGE_H
#define CORE_HOLD_EDGE_H

#include "abi/errors.h"
#include "core/grant.h"

#define CAP_FACET_ALL UINT64_MAX /* every method, those added later too */

/* How an edge may be passed on at all. */
enum edge_mode {
    EDGE_MODE_NONE = 0,
    EDGE_MODE_COPY = 1, /* as a copy, or leaving its holder */
    EDGE_MODE_MOVE = 2, /* only leaving its holder */
    EDGE_MODE_COUNT
};

/* hold_edge.flags: metadata that the holder alone sees. */
enum {
    EDGE_CLOSE_ON_SPAWN = 1, /* not inherited by a spawn that inherits descriptors */
};

/*
 * What a slot of a table holds. The table owns one reference of `object` and one of `grant` for
 * each edge; whoever removes the edge takes both over.
 */
struct hold_edge {
    void *object;
    uint64_t interface_id;
    uint64_t facet; /* bit m: method m may be called; CAP_FACET_ALL */
    uint64_t badge;
    struct grant_node *grant; /* the youngest delegation it came through; NULL: none */
    uint64_t epoch;           /* of the grant's tree when the edge was last found alive */
    uint8_t mode;             /* enum edge_mode */
    uint8_t grantable;        /* 1: may be passed on with the right to pass it on */
    uint8_t flags;            /* EDGE_* */
    uint8_t spare[5];
};

/* Whether no delegation that `edge` came through was revoked; remembers the epoch in it. */
MUST_USE static inline bool hold_edge_is_alive(struct hold_edge *edge)
{
    return grant_is_alive(edge->grant, &edge->epoch);
}

/* Whether `edge` may be called as `interface_id`, method `method`. WRONG_INTERFACE, NO_METHOD. */
MUST_USE enum transport_error hold_edge_permits(const struct hold_edge *edge, uint64_t interface_id,
                                                uint16_t method);

/* Whether `facet` allows no method that `within` does not. */
MUST_USE bool facet_is_within(uint64_t facet, uint64_t within);

/* The edge that a holder of `from` may make for itself, with the facet it has: everything equal but
 * the flags, which are none and for the holder to set. */
static inline void hold_edge_copy(const struct hold_edge *from, struct hold_edge *to)
{
    *to = *from;
    to->flags = 0;
}

/* The edge of hold_edge_copy without the right to pass it on; by it an object answers with itself.
 */
static inline void hold_edge_repeat(const struct hold_edge *from, struct hold_edge *to)
{
    *to = (struct hold_edge){.object = from->object,
                             .interface_id = from->interface_id,
                             .facet = from->facet,
                             .badge = from->badge,
                             .grant = from->grant,
                             .epoch = from->epoch,
                             .mode = EDGE_MODE_NONE};
}

/*
 * The edge that a holder of `from` may make for itself (DUP): that of hold_edge_copy with facet
 * `facet`, or the source's for CAP_FACET_ALL. NO_METHOD: `facet` is wider than the source's.
 */
MUST_USE enum transport_error hold_edge_duplicate(const struct hold_edge *from, uint64_t facet,
                                                  struct hold_edge *to);

struct edge_passing {
    uint64_t facet;  /* of the new edge: equal or narrower */
    bool leaving;    /* the holder gives its own edge up: MOVE */
    bool keep_grant; /* the new edge keeps the right to be passed on */
    bool descriptor; /* it is to be in the receiver's window, where nothing has that right */
};

/*
 * The edge that a receiver gets of `from`: needs the right to grant and strips it, unless
 * keep_grant. NOT_GRANTABLE: the mode does not allow it, or keep_grant without `grantable` or for a
 * descriptor; NO_METHOD: wider facet.
 */
MUST_USE enum transport_error hold_edge_pass(const struct hold_edge *from,
                                             const struct edge_passing *passing,
                                             struct hold_edge *to);

/*
 * hold_edge_pass of most edges that travel: as a copy that its holder keeps, with the facet it has,
 * never to be passed on. False: NOT_GRANTABLE, and nothing is written.
 */
MUST_USE static inline bool hold_edge_pass_copy(const struct hold_edge *from, struct hold_edge *to)
{
    if (UNLIKELY(from->mode != EDGE_MODE_COPY)) {
        return false;
    }
    hold_edge_repeat(from, to);
    return true;
}

/* What the giver of an edge asks that another process shall begin with. */
struct edge_gift {
    uint64_t facet;  /* with `narrows` */
    uint64_t badge;  /* 0: the source's */
    uint8_t mode;    /* enum edge_mode; EDGE_MODE_COUNT: what was asked for is none of them */
    bool narrows;    /* false: the source's facet */
    bool grantable;  /* with a mode other than NONE */
    bool descriptor; /* it is to be in the child's window, where nothing has the right to grant */
};

/* What a gift is refused for, in the order in which it is looked for. */
enum gift_error {
    GIFT_OK,
    GIFT_ERROR_NOT_GRANTABLE,  /* the source may not be passed on as a copy */
    GIFT_ERROR_FACET,          /* wider than the source's */
    GIFT_ERROR_MODE,           /* none, or one that needs a grantable source */
    GIFT_ERROR_BADGE,          /* not the source's */
    GIFT_ERROR_NOT_DESCRIPTOR, /* a descriptor with the right to grant */
};

/*
 * The edge that a child gets of its parent's `from`. The parent keeps its own, so that must be one
 * that may be copied; only of a grantable one may the child's be passed on in any way. With an
 * error nothing is written.
 */
MUST_USE enum gift_error hold_edge_give(const struct hold_edge *from, const struct edge_gift *gift,
                                        struct hold_edge *to);

/* One method of one interface. */
struct edge_method {
    uint64_t interface_id;
    uint16_t method;
};

struct edge_telling {
    struct edge_method told;         /* what the kernel will call */
    const struct edge_method *owner; /* `from` is an owner's edge and must have this; NULL: it is a
                                        client's */
};

/*
 * The edge through which the kernel calls, for a process, one method of what its parent names as
 * `from`: that method and nothing else, never to be passed on. A client's edge must have the method
 * and be one that may be copied; it keeps its badge. An owner's must have the right to make such
 * edges; what it names stands for one without badge. WRONG_INTERFACE, NO_METHOD, NOT_GRANTABLE.
 */
MUST_USE enum transport_error hold_edge_tell(const struct hold_edge *from,
                                             const struct edge_telling *telling,
                                             struct hold_edge *to);

#endif
