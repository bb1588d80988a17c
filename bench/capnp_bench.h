/* SPDX-License-Identifier: MIT */
/* The runtime's side of bench/capnp_bench.cc: each function does what its C++ counterpart there
 * does, and builds the same bytes. */
#ifndef BENCH_CAPNP_BENCH_H
#define BENCH_CAPNP_BENCH_H

#include "capnp/runtime/capn.h"

#define BENCH_ITEMS 1000u

/* Build in `room`; give the words used. `seed` goes into the fields. */
uint64_t bench_encode_call(struct capn_build_segment *room, uint64_t seed);
uint64_t bench_encode_items(struct capn_build_segment *room, uint64_t seed);

/* Read every field; give their sum, UINT64_MAX after a refusal. */
uint64_t bench_decode_call(const struct capn_segment *message);
uint64_t bench_decode_items(const struct capn_segment *message);

#endif
