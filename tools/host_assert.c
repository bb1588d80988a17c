/* SPDX-License-Identifier: MIT */
/* What a failed assertion does in a tool: says where, and ends it. */
#include "core/assert.h"

#include <stdio.h>
#include <stdlib.h>

NORETURN COLD void assert_failed(const char *expression, const char *file, unsigned line)
{
    (void)fprintf(stderr, "%s:%u: assertion failed: %s\n", file, line, expression);
    abort();
}
