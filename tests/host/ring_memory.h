/* SPDX-License-Identifier: MIT */
/*
 * A ring of the usual sizes and the memory that a program would share with the kernel. Exactly one
 * file of a test program includes it.
 */
#ifndef TESTS_HOST_RING_MEMORY_H
#define TESTS_HOST_RING_MEMORY_H

#include "tests/host/support.h"

#include "core/ring.h"

static union {
    uint8_t bytes[RING_BYTES];
    struct ring_header header;
} shared;
static struct ring ring;

static struct sqe *sq(void)
{
    return (struct sqe *)(void *)(shared.bytes + RING_SQ_OFFSET);
}

static struct cqe *cq(void)
{
    return (struct cqe *)(void *)(shared.bytes + RING_CQ_OFFSET);
}

/* Both sides as when a thread is made that asks for `sizes`. */
static void ring_start_sized(struct ring_sizes sizes)
{
    memset(&shared, 0, sizeof(shared));
    assert_true(ring_sizes_settle(&sizes));
    ring_init(&ring, &sizes,
              (struct ring_memory){.header = &shared.header, .sq = sq(), .cq = cq()});
}

static void ring_start(void)
{
    ring_start_sized((struct ring_sizes){.sq_entries = 0});
}

#endif
