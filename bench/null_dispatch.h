/* SPDX-License-Identifier: MIT */
/* Calls of a null object through the kernel's own dispatch, as a function of the host. */
#ifndef BENCH_NULL_DISPATCH_H
#define BENCH_NULL_DISPATCH_H

#include "abi/compiler.h"

/* Makes the thread that calls; once, first. False: the host gives no memory. */
MUST_USE bool null_dispatch_begin(void);

/* Submits 32 calls at once, has them carried out and takes the answers; how many were good. */
MUST_USE unsigned null_dispatch_round(void);

#endif
