/* SPDX-License-Identifier: MIT */
/*
 * The ring client of one thread: submissions, completions in any order, and the memory of the
 * arena. A ring belongs to the thread it was made for; no function here may be called by another.
 *
 * Lifetime: from submit to its completion, the message and the result buffer of an operation are
 * the kernel's. With checks on (the default) the client asserts that: a buffer in the kernel's
 * hands can be neither lent again nor freed, and a freed one is filled with RT_RING_POISON.
 */
#ifndef USER_RT_RT_RING_H
#define USER_RT_RT_RING_H

#include "abi/ring.h"
#include "abi/syscall.h"
#include "core/assert.h"
#include "core/string.h"
#include "user/rt/syscall.h"

enum {
    RT_RING_BLOCK_BYTES = 256, /* the arena is handed out in runs of these */
    RT_RING_BLOCKS = LIMIT_ARENA_BYTES / RT_RING_BLOCK_BYTES,
    RT_RING_OPERATIONS = LIMIT_CQ_ENTRIES, /* under way at one time */
    RT_RING_POISON = 0xa5,
};

/* A set of arena blocks. */
struct rt_blocks {
    uint64_t word[RT_RING_BLOCKS / 64];
};

/* One submission under way or answered. Stale once its completion was taken. */
struct rt_operation {
    uint64_t id; /* generation above slot; never 0 */
};

enum rt_slot_state {
    RT_SLOT_FREE,
    RT_SLOT_PENDING,
    RT_SLOT_DONE,
};

struct rt_slot {
    enum rt_slot_state state;
    uint32_t generation; /* of the operation that has the slot, or had it last */
    struct cqe completion;
    struct rt_blocks lent;
};

/* Bytes of the arena that their holder may use until it frees them. */
struct rt_buffer {
    uint8_t *bytes; /* 16-aligned; NULL: none */
    uint32_t size;
};

/* The id of an answer that is kept: answer slot and generation. raw 0: none. */
struct rt_answer_id {
    uint32_t raw;
};

struct rt_ring {
    struct ring_header *header;
    struct sqe *submissions;
    const struct cqe *completions;
    uint8_t *arena;
    uint32_t arena_bytes; /* that are handed out: LIMIT_ARENA_BYTES at most */
    uint32_t sq_mask;     /* sizes of the queues, less one */
    uint32_t cq_mask;
    uint32_t tail;      /* of the submission queue, this side's own */
    uint32_t head;      /* of the completion queue, this side's own */
    uint32_t in_flight; /* slots PENDING */
    uint32_t next_slot; /* where the search for a free slot begins */
    uint64_t strays;    /* completions that answered nothing of ours: the kernel's mistake */
    uint64_t clock_hertz;
    bool checks;
    bool lone_done; /* the lone completion came before it was waited for */
    struct cqe lone;
    uint64_t answers;           /* bit n: answer slot n is in use */
    uint32_t answer_generation; /* of the answer id taken last, where an id has it */
    struct rt_blocks allocated;
    struct rt_blocks lent;
    struct rt_slot slot[RT_RING_OPERATIONS];
};

/* Takes over the ring at `header`, mapped and untouched by its user so far; `clock_hertz` is the
 * rate of the cycle counter. False: it is not a ring of this version and size. */
MUST_USE bool rt_ring_init(struct rt_ring *ring, struct ring_header *header, uint64_t clock_hertz);

/*
 * Queues a copy of `entry`, whose user_data is replaced; the kernel sees it at the next enter.
 * Buffers inside the arena must be allocated from this ring. Errors: TRANSPORT_LIMIT
 * (RT_RING_OPERATIONS under way), TRANSPORT_RING_CORRUPT.
 */
MUST_USE int32_t rt_ring_submit(struct rt_ring *ring, const struct sqe *entry,
                                struct rt_operation *operation);

/*
 * Enters the kernel and takes in what has completed. Waits for at least `min_complete` completions
 * that were not taken in before, at most timeout_ns (0: not at all; TIMEOUT_NONE: for ever).
 * Nothing is taken in before entering: a completion that came since the caller last looked must end
 * the wait. Errors: those of cap_enter. Returning TRANSPORT_OK does not say that as many have come.
 */
MUST_USE int32_t rt_ring_enter(struct rt_ring *ring, uint32_t min_complete, uint64_t timeout_ns);

/* Takes the completion of `operation` if it has come, without entering the kernel. */
MUST_USE bool rt_ring_poll(struct rt_ring *ring, struct rt_operation operation,
                           struct cqe *completion);

/*
 * Waits for the completion of `operation` and takes it. TRANSPORT_TIMEOUT: it is still under way
 * and may be waited for again; TRANSPORT_BAD_TOKEN: it was taken before; TRANSPORT_RING_CORRUPT.
 * The operation's own outcome is completion->result.
 */
MUST_USE int32_t rt_ring_wait(struct rt_ring *ring, struct rt_operation operation,
                              uint64_t timeout_ns, struct cqe *completion);

/* Waits for ever until one of the operations is done, and tells which; its completion is there to
 * be taken. Ids of 0 and of operations that are over are passed over; one at least must be under
 * way. Errors: RING_CORRUPT. */
MUST_USE int32_t rt_ring_wait_any(struct rt_ring *ring, const struct rt_operation *operations,
                                  uint32_t count, uint32_t *which);

/*
 * ---- in place -------------------------------------------------------------------------------
 *
 * For those who count instructions: entries written where the kernel reads them. No slot is used
 * and no buffer is watched, so these are for programs without checks.
 */

enum {
    RT_RING_LONE = 127, /* user_data of the entry of a struct rt_lone; below every operation's id */
    RT_RING_OWN_SHIFT = 63,
};
/* A bit that is set in the user_data of every entry that goes by rt_ring_push. */
#define RT_RING_OWN (UINT64_C(1) << RT_RING_OWN_SHIFT)

/* The place of the entry `ahead` of the next one, all of which is to be written; then
 * rt_ring_push. */
static inline struct sqe *rt_ring_place(struct rt_ring *ring, uint32_t ahead)
{
    return &ring->submissions[(ring->tail + ahead) & ring->sq_mask];
}

/* The first word of an entry, `opcode` to `message_bytes`, in one store. */
static inline void rt_ring_first_word(struct sqe *place, uint64_t word)
{
    memcpy(place, &word, sizeof(word));
}

/* Its seventh, result_bytes and `answer`. */
static inline void rt_ring_room_word(struct sqe *place, uint64_t word)
{
    memcpy((uint8_t *)place + offsetof(struct sqe, result_bytes), &word, sizeof(word));
}

/* Shows `count` entries, whose user_data have RT_RING_OWN set, to the kernel at the next enter. */
static inline void rt_ring_push(struct rt_ring *ring, uint32_t count)
{
    ring->tail += count;
    ring_publish(&ring->header->sq_tail, ring->tail);
}

/* Completions that have come, of entries that went by rt_ring_push. All of them are taken before
 * anything else is done with the ring. */
static inline uint32_t rt_ring_ready(const struct rt_ring *ring)
{
    return ring_load_peer(&ring->header->cq_tail) - ring->head;
}

/* The completion `ahead` of the next one, below rt_ring_ready. */
static inline const struct cqe *rt_ring_completion(const struct rt_ring *ring, uint32_t ahead)
{
    return &ring->completions[(ring->head + ahead) & ring->cq_mask];
}

/* Gives the places of the next `count` completions back. */
static inline void rt_ring_taken(struct rt_ring *ring, uint32_t count)
{
    ring->head += count;
    ring_publish(&ring->header->cq_head, ring->head);
}

/* Waits until the lone entry is done while other completions come. Errors: RING_CORRUPT. */
MUST_USE int32_t rt_ring_lone_wait(struct rt_ring *ring, struct cqe *completion);

/* An entry that is written in place and sent alone, with what it takes of its ring. */
struct rt_lone {
    struct ring_header *header;
    struct sqe *place; /* all of it is to be written, user_data with RT_RING_LONE */
    uint32_t tail;
};

/* Whether an entry may be sent alone now: nothing was submitted that the kernel has not taken. */
MUST_USE static inline bool rt_ring_lone_begin(struct rt_ring *ring, struct rt_lone *lone)
{
    lone->header = ring->header;
    lone->tail = ring->tail;
    lone->place = &ring->submissions[lone->tail & ring->sq_mask];
    return LIKELY(!ring->checks && ring_load_peer(&lone->header->sq_head) == lone->tail);
}

/* Sends it and waits. Its completion, where the kernel wrote it, to be read before
 * rt_ring_taken(ring, 1); NULL: others came first, or the kernel has an error to tell, and
 * rt_ring_lone_wait goes on. */
MUST_USE static inline const struct cqe *rt_ring_lone_send(struct rt_ring *ring,
                                                           const struct rt_lone *lone)
{
    const struct cqe *next;

    ring->tail = lone->tail + 1;
    ring_publish(&lone->header->sq_tail, lone->tail + 1);
    if (UNLIKELY(rt_syscall_cap_enter(1, TIMEOUT_NONE) <= 0)) {
        return NULL;
    }
    next = rt_ring_completion(ring, 0);
    return LIKELY(next->user_data == RT_RING_LONE) ? next : NULL;
}

/* rt_ring_do by a slot. */
MUST_USE int32_t rt_ring_do_watched(struct rt_ring *ring, const struct sqe *entry,
                                    struct cqe *completion);

/* Submits and waits for ever. Errors as rt_ring_submit and rt_ring_wait. */
MUST_USE static inline int32_t rt_ring_do(struct rt_ring *ring, const struct sqe *entry,
                                          struct cqe *completion)
{
    const struct cqe *next;
    struct rt_lone lone;

    if (!rt_ring_lone_begin(ring, &lone)) {
        return rt_ring_do_watched(ring, entry, completion);
    }
    *lone.place = *entry;
    lone.place->user_data = RT_RING_LONE;
    next = rt_ring_lone_send(ring, &lone);
    if (UNLIKELY(next == NULL)) {
        return rt_ring_lone_wait(ring, completion);
    }
    *completion = *next;
    rt_ring_taken(ring, 1);
    return TRANSPORT_OK;
}

/* The two words of a completion that matter to whom asks for little. */
struct rt_outcome {
    int32_t result; /* the completion's, or the status of rt_ring_do */
    struct cap_id cap;
};

/* rt_ring_do_short by a slot. */
COLD struct rt_outcome rt_ring_short_watched(struct rt_ring *ring, enum opcode opcode,
                                             struct cap_id cap, uint64_t second);

/* The same once it was sent and other completions came before its own. */
COLD struct rt_outcome rt_ring_short_wait(struct rt_ring *ring);

/* Submits an entry that says no more than its opcode, a capability and the word behind it (facet,
 * interface, ...), written in place, and waits for ever. */
MUST_USE static inline struct rt_outcome rt_ring_do_short(struct rt_ring *ring, enum opcode opcode,
                                                          struct cap_id cap, uint64_t second)
{
    struct rt_outcome outcome;
    const struct cqe *next;
    struct rt_lone lone;
    struct sqe *place;

    if (!rt_ring_lone_begin(ring, &lone)) {
        return rt_ring_short_watched(ring, opcode, cap, second);
    }
    place = lone.place;
    rt_ring_first_word(place, opcode);
    place->user_data = RT_RING_LONE;
    place->cap = cap;
    place->interface_id = second;
    place->message = 0;
    place->result = 0;
    rt_ring_room_word(place, 0);
    place->spare = 0;
    next = rt_ring_lone_send(ring, &lone);
    if (UNLIKELY(next == NULL)) {
        return rt_ring_short_wait(ring);
    }
    outcome.result = next->result;
    outcome.cap = next->cap[0];
    rt_ring_taken(ring, 1);
    return outcome;
}

/* An id for an answer to keep, never one that was used lately; raw 0: LIMIT_ANSWERS are in use. It
 * is the caller's until rt_answer_release, which rt_finish does. */
MUST_USE static inline struct rt_answer_id rt_answer_take(struct rt_ring *ring)
{
    uint32_t generation = ring->answer_generation + (1U << ANSWER_SLOT_BITS);
    uint64_t taken = ring->answers;

    if (UNLIKELY(taken == UINT64_MAX)) {
        return (struct rt_answer_id){.raw = 0};
    }
    if (UNLIKELY(generation == 0)) { /* generations begin anew */
        generation = 1U << ANSWER_SLOT_BITS;
    }
    ring->answers = taken | (taken + 1);
    ring->answer_generation = generation;
    return (struct rt_answer_id){.raw = generation | (uint32_t)__builtin_ctzll(~taken)};
}

static inline void rt_answer_release(struct rt_ring *ring, struct rt_answer_id id)
{
    uint32_t slot = id.raw & ((1U << ANSWER_SLOT_BITS) - 1);

    ASSERT(slot < LIMIT_ANSWERS && (ring->answers >> slot & 1) != 0);
    ring->answers &= ~(UINT64_C(1) << slot);
}

/* A run of the arena, at least `size` bytes, zeroed; bytes is NULL when there is none. */
MUST_USE struct rt_buffer rt_buffer_alloc(struct rt_ring *ring, uint32_t size);

/* Gives a buffer back; the kernel must not have it. A buffer without bytes is let pass. */
void rt_buffer_free(struct rt_ring *ring, struct rt_buffer buffer);

/* Blocks of the arena that are handed out; for leak checks. */
uint32_t rt_ring_blocks_used(const struct rt_ring *ring);

#endif
