/* SPDX-License-Identifier: MIT */
/*
 * Assertions are for our own mistakes. Nothing a program, a boot loader or a peer can send may
 * reach one: hostile input gets a status. They are compiled in, all but ASSERT_AGAIN always.
 */
#ifndef CORE_ASSERT_H
#define CORE_ASSERT_H

#include "abi/compiler.h"

/*
 * Supplied by whoever embeds core/: the kernel panics, host programs print and abort, the host
 * tests may catch it (tests/host/support.h). All three strings are static.
 */
NORETURN COLD void assert_failed(const char *expression, const char *file, unsigned line);

#define ASSERT(expression)                                                                         \
    (LIKELY(expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))

/*
 * The same in paths whose instructions are counted, for what was tested just before or what the
 * structure's own x_check looks at too. Release kernels, which are built with ASSERTS_AGAIN 0, go
 * without; all else keeps it: debug kernels, host programs, the simulator.
 */
#ifndef ASSERTS_AGAIN
#define ASSERTS_AGAIN 1
#endif
#define ASSERT_AGAIN(expression) (ASSERTS_AGAIN ? ASSERT(expression) : (void)0)

#endif
