/* SPDX-License-Identifier: MIT */
/* A program of the hunt from inside: one thread with its ring. */
#ifndef SIM_HUNT_ACTOR_H
#define SIM_HUNT_ACTOR_H

#include "abi/syscall.h"
#include "sim/hunt/hunt.h"

enum {
    BLOCKS_SMALL = 24,
    BLOCK_SMALL_BYTES = 512,
    BLOCKS_LARGE = 9,
    BLOCK_LARGE_BYTES = 4864, /* a received call of the largest message, and records behind it */
    BLOCKS = BLOCKS_SMALL + BLOCKS_LARGE,
    SCRATCH_OFFSET = BLOCKS_SMALL * BLOCK_SMALL_BYTES + BLOCKS_LARGE * BLOCK_LARGE_BYTES,
    WORDS_BYTES = 64, /* at the arena's end: what threads park at */
    SCRATCH_BYTES = LIMIT_ARENA_BYTES - SCRATCH_OFFSET - WORDS_BYTES,
    ACTOR_KEPT = 6,
};

struct actor {
    const struct start_info *start;
    struct ring_header *header;
    struct sqe *sq;
    const struct cqe *cq;
    uint8_t *arena;
    uint32_t tail; /* of submissions, this side's */
    uint32_t head; /* of completions */
    uint64_t pid;
    uint64_t thread; /* its name */
    uint64_t lineage;
    uint32_t index; /* of the act */
    uint64_t random;
    uint64_t block_used;       /* mask */
    bool broken;               /* the ring is corrupt, or meant to be */
    uint32_t under_way;        /* submissions without completion */
    uint32_t kept[ACTOR_KEPT]; /* ids of answers that it asked to keep; 0: none */
    uint32_t generation;       /* of the last one */
    bool gathers;              /* nothing enters the kernel until this act ends */
    bool to_page;              /* kernel objects answer into a page that others unmap */
    uint64_t *last_name;       /* names of submissions are counted here */
    /* twin.c: */
    uint64_t listening; /* the receive under way; 0: it has completed */
    uint64_t heard;     /* the one that completed last */
    uint64_t duplicate; /* the id that a DUP made last */
    uint64_t own;       /* the owner's edge of an endpoint that it serves itself; 0: none */
};

/* A piece of the arena. block < 0: shared scratch, whose contents mean nothing. */
struct piece {
    int block;
    uint8_t *bytes;
    uint32_t room;
};

/* Takes over the ring of a thread that begins. */
void actor_open(struct actor *actor, const struct start_info *start);

/* Whose word an act is drawn from; the same for an act whatever other acts are left out. */
uint64_t actor_draw(struct actor *actor);
uint64_t actor_below(struct actor *actor, uint64_t bound);

struct piece piece_small(struct actor *actor);
struct piece piece_large(struct actor *actor);
void actor_give_back(struct actor *actor, struct piece piece);

/* Writes `sqe` into the ring, under a fresh user_data, which is returned; 0: no room. `message` and
 * `result` are kept until the completion. */
uint64_t actor_submit(struct actor *actor, struct sqe *sqe, const struct model_intent *intent,
                      struct piece message, struct piece result);

/* Enters the kernel and takes in what has completed. */
void actor_enter(struct actor *actor, uint64_t min_complete, uint64_t timeout_ns);

/* A capability of this process: of interface `interface_id` (0: any); id 0: it has none. */
struct model_edge actor_cap(struct actor *actor, uint64_t interface_id);

/* The two system calls, and a moment for interrupts (kernel/arch/host/switch.S). */
int64_t rt_syscall_cap_enter(uint64_t min_complete, uint64_t timeout_ns);
int64_t rt_syscall_exit(uint64_t code, uint64_t scope);
void rt_cpu_pause(void);

#define PIECE_NONE ((struct piece){.block = -1})

#endif
