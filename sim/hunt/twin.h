/* SPDX-License-Identifier: MIT */
/*
 * Twins: the same programs run twice, once with the kernel's short ways (kernel/dispatch/quick.c,
 * kernel/ipc/handoff.c) and once without, and must notice nothing.
 *
 * The programs are a client and the server of its endpoint, made so that no result depends on who
 * runs when: one server, which has one receive under way, and a client that waits for all it
 * submitted before it submits more. Entries are usual ones, and usual ones with one thing changed.
 * What is compared, submission by submission: the completion, and every byte of the block in which
 * its result was to come, those beyond it too; then what each process holds, and what each thread
 * has reserved.
 */
#ifndef SIM_HUNT_TWIN_H
#define SIM_HUNT_TWIN_H

#include "abi/ring.h"
#include "abi/start_info.h"
#include "sim/hunt/hunt.h"

struct actor;

/* The program of every process of a twin. */
void twin_actor(const struct start_info *start);

/* A program takes in a completion; `block` is where its result was to come (NULL: nowhere of its
 * own). */
void twin_note(const struct cqe *cqe, const uint8_t *block, uint32_t block_bytes);

/* One word of the state at the end, by the name of what it says. */
void twin_state(uint64_t name, uint64_t value);

/* Runs the seed both ways. False: they differ, or one run failed; hunt_report->text says how. */
bool twin_run(const struct hunt_options *options);

#endif
