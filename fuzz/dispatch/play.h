/* SPDX-License-Identifier: MIT */
/* A program's side of the rings, with what is expected of each submission. play.c */
#ifndef FUZZ_DISPATCH_PLAY_H
#define FUZZ_DISPATCH_PLAY_H

#include "fuzz/dispatch/rig.h"
#include "fuzz/sqe_oracle.h"

enum {
    PLAY_SUBMISSIONS = 640, /* of one input */
    PLAY_RECENT = 16,
    PLAY_PIECE_BYTES = 1024, /* of an arena, for a message */
    PLAY_PIECES = 8,
    PLAY_RESULT_BYTES = 4096,
    PLAY_RESULTS = 4,
};

/* What the programs remember of what they saw, in the order seen; shared by all. */
struct play_recent {
    uint64_t word[PLAY_RECENT];
    uint32_t count; /* ever */
};
extern struct play_recent play_tokens, play_stale, play_names;

void play_remember(struct play_recent *recent, uint64_t word);
/* One of them, 0 the newest; 0 if there is none. */
uint64_t play_recall(const struct play_recent *recent, uint64_t choice);

/* Forgets everything: a new input begins. */
void play_reset(void);

/* The address of a place for a message or a result in the current thread's arena. */
uint64_t play_piece(unsigned number);
uint64_t play_result(unsigned number);
/* Writes there, as far as it is the program's to write. */
void play_write(uint64_t address, const void *bytes, uint32_t length);

/* Puts a submission into the current thread's ring, under a name of its own (user_data), which is
 * returned; 0: there is no room. `verdict`: the refusal that must come; NULL: what the pages say.
 */
uint64_t play_submit(struct sqe *sqe, const struct sqe_verdict *verdict);

/* The current thread's ring is not to be believed any more: its program wrote what it liked there.
 */
void play_wild(void);

/* Enters the kernel with the current thread; then whoever is current reads its completions. */
void play_enter(uint64_t min_complete, uint64_t timeout_ns);
/* Reads the completions of the current thread. */
void play_read(void);

/* Whether a submission has completed, and with what. */
bool play_is_done(uint64_t name, struct cqe *cqe);

/* Completions are left where they are, until the program is not lazy any more. */
void play_lazy(bool lazy);

/* Tries to let process `pid` have the CPU, by letting time pass. */
void play_go_to(uint64_t pid);

#endif
