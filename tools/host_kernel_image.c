/* SPDX-License-Identifier: MIT */
/*
 * The host kernel's image facts: a process on the host has its own symboliser, so the table holds
 * one entry that no address precedes.
 */
#include "kernel/symbols.h"

const struct kernel_symbol kernel_symbols[] = {{0, "host"}};
const size_t kernel_symbol_count = 1;
const char kernel_build_id[] = "0000000000000000";
