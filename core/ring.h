/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of a ring: taking submissions, validating them, keeping room for every
 * completion. Pure; the ring's lock is the caller's.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "abi/ring.h"
#include "core/assert.h"

/* The kernel's own copy of everything that decides; shared memory only mirrors it. */
struct ring {
    struct ring_header *header; /* shared */
    const struct sqe *sq;       /* shared */
    struct cqe *cq;             /* shared */
    uint32_t sq_entries;        /* powers of two */
    uint32_t cq_entries;
    uint32_t sq_head;
    uint32_t cq_tail;
    uint32_t cq_head;  /* newest value of the user's index that was believed */
    uint32_t reserved; /* completions promised and not yet posted */
    bool corrupt;      /* failed closed */
    uint64_t invalid;  /* submissions refused by the wire check */
};

/* Takes over zeroed shared memory of the sizes given (powers of two) and writes its header. */
void ring_init(struct ring *ring, struct ring_header *header, const struct sqe *sq, struct cqe *cq);

enum ring_take {
    RING_TAKE_EMPTY,   /* nothing submitted */
    RING_TAKE_ENTRY,   /* *sqe is a private copy; a completion is reserved for it */
    RING_TAKE_FULL,    /* completions wait: nothing is accepted until the user consumes some */
    RING_TAKE_CORRUPT, /* an index is impossible: the ring failed closed */
};

/* An index is impossible: takes nothing more from this ring. */
COLD void ring_fail_closed(struct ring *ring);

/* Believes the user's cq_head if it moved forward and not past what was posted; else false, and the
 * ring has failed closed. */
MUST_USE static inline bool ring_head_read(struct ring *ring)
{
    uint32_t head = ring_load_peer(&ring->header->cq_head);
    uint32_t tail = atomic_load_relaxed_u32(&ring->cq_tail);

    if (UNLIKELY(head - ring->cq_head > tail - ring->cq_head)) {
        ring_fail_closed(ring);
        return false;
    }
    ring->cq_head = head;
    return true;
}

/* Whether one more completion has its place, by the index last believed. */
static inline bool ring_has_place(const struct ring *ring)
{
    return ring->cq_tail - ring->cq_head + ring->reserved < ring->cq_entries;
}

/* Whether the user has submitted anything that was not taken, as far as one look tells. */
static inline bool ring_has_submissions(const struct ring *ring)
{
    return ring_load_peer(&ring->header->sq_tail) != ring->sq_head;
}

/* Takes the next submission. The completion queue's room is looked at before the submission. */
MUST_USE static inline enum ring_take ring_take(struct ring *ring, struct sqe *sqe)
{
    uint32_t tail;

    if (UNLIKELY(ring->corrupt)) {
        return RING_TAKE_CORRUPT;
    }
    tail = ring_load_peer(&ring->header->sq_tail);
    if (tail == ring->sq_head) {
        return RING_TAKE_EMPTY;
    }
    if (UNLIKELY(tail - ring->sq_head > ring->sq_entries)) {
        ring_fail_closed(ring);
        return RING_TAKE_CORRUPT;
    }
    if (UNLIKELY(!ring_has_place(ring))) {
        if (!ring_head_read(ring)) {
            return RING_TAKE_CORRUPT;
        }
        if (!ring_has_place(ring)) {
            return RING_TAKE_FULL;
        }
    }
    *sqe = ring->sq[ring->sq_head & (ring->sq_entries - 1)];
    ring->sq_head++;
    ring->reserved++;
    ring_publish(&ring->header->sq_head, ring->sq_head);
    return RING_TAKE_ENTRY;
}

/* Where the completion of an accepted submission is to be written, whole, before ring_posted. */
static inline struct cqe *ring_post_place(struct ring *ring)
{
    ASSERT(ring->reserved > 0);
    return &ring->cq[ring->cq_tail & (ring->cq_entries - 1)];
}

/* Shows the user what was written there. */
static inline void ring_posted(struct ring *ring)
{
    ring->reserved--;
    atomic_store_relaxed_u32(&ring->cq_tail, ring->cq_tail + 1);
    ring_publish(&ring->header->cq_tail, ring->cq_tail);
}

/* Posts the completion of an accepted submission; cannot fail. */
static inline void ring_post(struct ring *ring, const struct cqe *cqe)
{
    *ring_post_place(ring) = *cqe;
    ring_posted(ring);
}

/* Completions that the user has not consumed, by the index last believed; reads the user's index
 * and fails closed when it is impossible. The ring's own thread may call it without the lock while
 * nobody else does: ring_post is the one change that may come at the same time, and a completion
 * that it just misses is counted next time. */
static inline uint32_t ring_completions(struct ring *ring)
{
    if (!ring->corrupt && !ring_head_read(ring)) {
        return 0;
    }
    return atomic_load_relaxed_u32(&ring->cq_tail) - ring->cq_head;
}

/*
 * The one decision on wire validity: TRANSPORT_OK, or why `sqe` is refused, with `refusal` naming
 * the field. Total: defined for every bit pattern.
 */
MUST_USE enum transport_error sqe_wire_validation_error(const struct sqe *sqe,
                                                        struct refusal *refusal);

/* 0, or the number of the first broken invariant of ring.c. */
MUST_USE unsigned ring_check(const struct ring *ring);

#endif
