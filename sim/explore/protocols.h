/* SPDX-License-Identifier: MIT */
/* The protocols that the explorer runs, on the C that ships. */
#ifndef SIM_EXPLORE_PROTOCOLS_H
#define SIM_EXPLORE_PROTOCOLS_H

#include "sim/explore/explore.h"

extern const struct explore_program protocols[];
extern const unsigned protocol_count;

#endif
