/* SPDX-License-Identifier: MIT */
/* The protocols that the explorer runs, on the C that ships. */
#ifndef SIM_EXPLORE_PROTOCOLS_H
#define SIM_EXPLORE_PROTOCOLS_H

#include "sim/explore/explore.h"

extern const struct explore_program protocols[];
extern const unsigned protocol_count;

/* waits.c */
extern const struct explore_program wait_protocols[];
extern const unsigned wait_protocol_count;

/* alone.c */
extern const struct explore_program alone_protocols[];
extern const unsigned alone_protocol_count;

/* Interrupts sent so far; atomic. */
extern uint32_t protocol_interrupts;

#endif
