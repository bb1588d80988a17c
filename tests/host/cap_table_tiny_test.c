/* SPDX-License-Identifier: MIT */
/* The model test of tables and grants, with four slots, a window of two and two delegations. */
#include "tests/host/tiny_limits.h"

#include "core/cap_table.c"
#include "core/grant.c"

#include "tests/host/cap_table_model_test.c"
