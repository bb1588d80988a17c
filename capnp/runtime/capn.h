/* SPDX-License-Identifier: MIT */
/*
 * Cap'n Proto in C over memory that the caller owns: no allocation, no recursion, no trust. This is
 * the header to include; capn_float.h is apart. capnp/README.md has the five-minute example.
 */
#ifndef CAPNP_RUNTIME_CAPN_H
#define CAPNP_RUNTIME_CAPN_H

#include "capn_base.h"
#include "capn_read.h"
#include "capn_build.h"
#include "capn_stream.h"

#endif
