/* SPDX-License-Identifier: MIT */
/* A failed assertion of core/ or of the kernel is a panic. A file of its own, so that host tests,
 * which catch assertions themselves, can link the kernel without it. */
#include "core/assert.h"

#include "kernel/log.h"

void assert_failed(const char *expression, const char *file, unsigned line)
{
    panic("assertion failed: %s (%s:%u)", expression, file, line);
}
