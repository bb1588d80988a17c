/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of a ring: taking submissions, validating them, keeping room for every
 * completion. Pure; the ring's lock is the caller's.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "abi/ring.h"
#include "core/assert.h"
#include "core/string.h"

/*
 * The kernel's own copy of everything that decides; shared memory only mirrors it.
 *
 * Who writes: the ring's own thread, on its CPU, takes without a lock (sq_head); whoever
 * posts holds the ring's lock (cq_tail), unless the thread is alone with it (ring_is_alone).
 * cq_head is believed by both: either's value was published
 * by the user, and an older one only makes the kernel more careful.
 */
struct ring {
    struct ring_header *header; /* shared */
    const struct sqe *sq;       /* shared */
    struct cqe *cq;             /* shared */
    uint32_t sq_entries;        /* powers of two */
    uint32_t cq_entries;
    uint32_t sq_head; /* accepted so far: each promises one completion */
    uint32_t cq_tail; /* completed so far */
    uint32_t cq_head; /* newest value of the user's index that was believed */
    bool corrupt;     /* failed closed */
};

/* How large a ring is. Powers of two; submissions and completions fill a page each at most, so the
 * three parts begin where RING_SQ_OFFSET, RING_CQ_OFFSET and RING_ARENA_OFFSET say. */
struct ring_sizes {
    uint32_t sq_entries;  /* LIMIT_SQ_ENTRIES_MIN to LIMIT_SQ_ENTRIES */
    uint32_t cq_entries;  /* LIMIT_CQ_ENTRIES_MIN to LIMIT_CQ_ENTRIES */
    uint32_t arena_bytes; /* LIMIT_PAGE_BYTES to LIMIT_ARENA_BYTES_MAX */
};

/* Puts the default where a size is 0; false: a size is out of its range or no power of two. */
MUST_USE bool ring_sizes_settle(struct ring_sizes *sizes);

/* The shared memory of one ring, zeroed. */
struct ring_memory {
    struct ring_header *header;
    const struct sqe *sq;
    struct cqe *cq;
};

/* Takes over the memory for a ring of these sizes, settled before, and writes its header. */
void ring_init(struct ring *ring, const struct ring_sizes *sizes, struct ring_memory memory);

enum ring_take {
    RING_TAKE_EMPTY,    /* nothing submitted */
    RING_TAKE_ENTRY,    /* *sqe is a private copy, valid; a completion is reserved for it */
    RING_TAKE_DOUBTFUL, /* the same, but sqe_wire_validation_error has to decide */
    RING_TAKE_FULL,     /* completions wait: nothing is accepted until the user consumes some */
    RING_TAKE_CORRUPT,  /* an index is impossible: the ring failed closed */
};

/* An index is impossible: takes nothing more from this ring. */
COLD void ring_fail_closed(struct ring *ring);

/* Believes the user's cq_head if it moved forward and not past what was posted; else false, and the
 * ring has failed closed. */
MUST_USE static inline bool ring_head_read(struct ring *ring)
{
    uint32_t head = ring_load_peer(&ring->header->cq_head);
    uint32_t tail = atomic_load_relaxed_u32(&ring->cq_tail);
    uint32_t believed = atomic_load_relaxed_u32(&ring->cq_head);

    if (UNLIKELY(head - believed > tail - believed)) {
        ring_fail_closed(ring);
        return false;
    }
    atomic_store_relaxed_u32(&ring->cq_head, head);
    return true;
}

/* Whether one more completion has its place, by the index last believed. */
static inline bool ring_has_place(const struct ring *ring)
{
    return ring->sq_head - atomic_load_relaxed_u32(&ring->cq_head) < ring->cq_entries;
}

/* Completions promised and not yet posted. */
static inline uint32_t ring_reserved(const struct ring *ring)
{
    return atomic_load_relaxed_u32(&ring->sq_head) - atomic_load_relaxed_u32(&ring->cq_tail);
}

/*
 * For each opcode, the bits of the eight words of an entry that are zero in every entry which is
 * valid beyond doubt: unused fields, and flags and values that need a closer look. The row after
 * the last is for unknown opcodes and has all bits. core/ring.c.
 */
enum {
    SQE_WORDS = sizeof(struct sqe) / sizeof(uint64_t),
};
extern const uint64_t sqe_doubtful[OPCODE_COUNT + 1][SQE_WORDS];

/* Whether the user has submitted anything that was not taken, as far as one look tells. */
static inline bool ring_has_submissions(const struct ring *ring)
{
    return ring_load_peer(&ring->header->sq_tail) != ring->sq_head;
}

/*
 * Looking at entries before taking them: how many could be accepted now, by one look at the tail
 * and the head last believed. 0 also when something is wrong: ring_take finds out what.
 */
static inline uint32_t ring_acceptable(const struct ring *ring)
{
    uint32_t entries = ring_load_peer(&ring->header->sq_tail) - ring->sq_head;
    uint32_t places = ring->cq_entries - (ring->sq_head - atomic_load_relaxed_u32(&ring->cq_head));

    return ring->corrupt || entries > ring->sq_entries ? 0 : entries < places ? entries : places;
}

/* Whether ring_acceptable is 1, in fewer steps. */
static inline bool ring_is_single(const struct ring *ring)
{
    return ring_load_peer(&ring->header->sq_tail) == ring->sq_head + 1 && ring_has_place(ring) &&
           !ring->corrupt;
}

/*
 * Whether the user has submitted one entry and consumed every completion, and nothing is under way:
 * every submission before is completed. Then nobody else posts to this ring before the entry is
 * accepted and given to somebody, and its own thread may post the completion without the lock
 * (ring_post_alone). A poster who is not done yet has only the header's cq_tail left to write,
 * which the user, who says that it has seen it, claims to have read: if that is a lie, the user
 * alone finds an older index there.
 */
static inline bool ring_is_alone(const struct ring *ring)
{
    const struct ring_header *header = ring->header;
    uint32_t head = ring->sq_head;

    return LIKELY(ring_load_peer(&header->sq_tail) == head + 1 &&
                  atomic_load_relaxed_u32(&ring->cq_tail) == head &&
                  ring_load_peer(&header->cq_head) == head && !ring->corrupt);
}

/* The shared memory of entry `index`, from sq_head on: read each word once, atomically. */
static inline const uint8_t *ring_peek(const struct ring *ring, uint32_t index)
{
    return (const uint8_t *)&ring->sq[index & (ring->sq_entries - 1)];
}

/* Accepts all entries before `head`, of which the caller has read all it needs. */
static inline void ring_accept(struct ring *ring, uint32_t head)
{
    atomic_store_relaxed_u32(&ring->sq_head, head);
    ring_publish(&ring->header->sq_head, head);
}

/* Copies one word of a shared entry, which is read once; its bits that raise doubt. */
static inline uint64_t sqe_word_take(struct sqe *sqe, const uint8_t *shared,
                                     const uint64_t *doubtful, unsigned index)
{
    uint64_t word = atomic_load_relaxed_word(shared + index * sizeof(word));

    memcpy((uint8_t *)sqe + index * sizeof(word), &word, sizeof(word));
    return word & doubtful[index];
}

/* ring_take without the taking: the entry stays the next one until ring_accept. */
MUST_USE static inline enum ring_take ring_copy(struct ring *ring, struct sqe *sqe)
{
    const uint64_t *doubtful;
    const uint8_t *shared;
    uint64_t first;
    uint64_t doubt;
    uint64_t opcode;
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
    /* Atomic loads: each word of the shared entry is read once, and never again through `sqe`. */
    shared = (const uint8_t *)&ring->sq[ring->sq_head & (ring->sq_entries - 1)];
    first = atomic_load_relaxed_word(shared);
    opcode = first & UINT8_MAX;
    doubtful = sqe_doubtful[opcode < OPCODE_COUNT ? opcode : OPCODE_COUNT];
    memcpy(sqe, &first, sizeof(first));
    doubt = first & doubtful[0];
    doubt |= sqe_word_take(sqe, shared, doubtful, 1);
    doubt |= sqe_word_take(sqe, shared, doubtful, 2);
    doubt |= sqe_word_take(sqe, shared, doubtful, 3);
    doubt |= sqe_word_take(sqe, shared, doubtful, 4);
    doubt |= sqe_word_take(sqe, shared, doubtful, 5);
    doubt |= sqe_word_take(sqe, shared, doubtful, 6);
    doubt |= sqe_word_take(sqe, shared, doubtful, 7);
    return LIKELY(doubt == 0) ? RING_TAKE_ENTRY : RING_TAKE_DOUBTFUL;
}

/* Takes the next submission. The completion queue's room is looked at before the submission. Only
 * the ring's own thread takes, on its CPU; completions may be posted meanwhile. */
MUST_USE static inline enum ring_take ring_take(struct ring *ring, struct sqe *sqe)
{
    enum ring_take take = ring_copy(ring, sqe);

    if (LIKELY(take == RING_TAKE_ENTRY || take == RING_TAKE_DOUBTFUL)) {
        ring_accept(ring, ring->sq_head + 1);
    }
    return take;
}

/* Takes the next submission if the timer tick may carry it out while its thread computes: it is
 * valid beyond doubt, bounded by a few hundred instructions, calls nobody and frees nothing. False:
 * there is none, or it stays where it is, and what comes behind it too. */
MUST_USE bool ring_take_at_tick(struct ring *ring, struct sqe *sqe);

/* A user who has put the indices of a corrupt ring right says so by clearing `corrupt` in the
 * header. True: the ring is sound again. False: nothing was said, or an index still is impossible
 * and the ring has failed closed anew. */
MUST_USE bool ring_repair(struct ring *ring);

/* The place of completion `index`, from cq_tail on, of an accepted submission. */
static inline struct cqe *ring_post_place(const struct ring *ring, uint32_t index)
{
    return &ring->cq[index & (ring->cq_entries - 1)];
}

/* Shows the user all completions before `tail`, which were written at their places. */
static inline void ring_posted(struct ring *ring, uint32_t tail)
{
    atomic_store_relaxed_u32(&ring->cq_tail, tail);
    ring_publish(&ring->header->cq_tail, tail);
}

/* The completions of a ring that is alone (ring_is_alone) are consumed: from now on that is
 * believed and cannot be taken back, so that the one entry has its place however its way goes on.
 */
static inline void ring_consumed_alone(struct ring *ring)
{
    atomic_store_relaxed_u32(&ring->cq_head, ring->sq_head);
}

/* Accepts the one entry of a ring that is alone (ring_is_alone), of which the caller has read all
 * it needs. Its completion's place is ring_post_place(ring, index), `index` what is returned. */
MUST_USE static inline uint32_t ring_accept_alone(struct ring *ring)
{
    uint32_t head = ring->sq_head;

    ring_consumed_alone(ring);
    ring_accept(ring, head + 1);
    return head;
}

/* Shows the user the completion of that entry, written at its place. */
static inline void ring_post_alone(struct ring *ring)
{
    ASSERT_AGAIN(ring->sq_head == atomic_load_relaxed_u32(&ring->cq_tail) + 1);
    ring_posted(ring, ring->sq_head);
}

/* Posts the completion of an accepted submission; cannot fail. */
static inline void ring_post(struct ring *ring, const struct cqe *cqe)
{
    uint32_t tail = ring->cq_tail;
    struct cqe *place = ring_post_place(ring, tail);

    ASSERT(atomic_load_relaxed_u32(&ring->sq_head) != tail);
    /* Whole words: three moves fewer than a copy of the structure. */
    place->user_data = cqe->user_data;
    place->result = cqe->result;
    place->flags = cqe->flags;
    place->cap[0] = cqe->cap[0];
    place->cap[1] = cqe->cap[1];
    ring_posted(ring, tail + 1);
}

/* The same for a completion that says nothing but a number and flags. */
static inline void ring_post_result(struct ring *ring, uint64_t user_data, int32_t result,
                                    uint32_t flags)
{
    uint32_t tail = ring->cq_tail;
    struct cqe *place = ring_post_place(ring, tail);

    ASSERT_AGAIN(atomic_load_relaxed_u32(&ring->sq_head) != tail);
    place->user_data = user_data;
    place->result = result;
    place->flags = flags;
    place->cap[0] = (struct cap_id){0};
    place->cap[1] = (struct cap_id){0};
    ring_posted(ring, tail + 1);
}

/*
 * Completions that the user has not consumed and can see, by the index last believed; reads the
 * user's index and fails closed when it is impossible. The ring's own thread may call it without
 * the lock while nobody else does: ring_post is the one change that may come at the same time, and
 * a completion that it just misses is counted next time. One that is posted and not yet shown is
 * not counted: else a thread would return from cap_enter for a completion that it cannot find. What
 * the user makes of the index that shows them can only make the number smaller, for itself.
 */
static inline uint32_t ring_completions(struct ring *ring)
{
    const struct ring_header *header = ring->header;
    uint32_t head =
        ring_load_peer(&header->cq_head); /* before `tail`, which is not behind it then */
    uint32_t tail = atomic_load_relaxed_u32(&ring->cq_tail);
    uint32_t believed = atomic_load_relaxed_u32(&ring->cq_head);
    uint32_t shown;

    if (UNLIKELY(ring->corrupt)) {
        return tail - believed;
    }
    if (UNLIKELY(head - believed > tail - believed)) { /* as ring_head_read */
        ring_fail_closed(ring);
        return 0;
    }
    atomic_store_relaxed_u32(&ring->cq_head, head);
    shown = ring_load_peer(&header->cq_tail) - head;
    return shown < tail - head ? shown : tail - head;
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
