/* SPDX-License-Identifier: MIT */
/*
 * What finding a capability and calling a null object cost beside the least that the machine's own
 * kernel does for a program with a ring: an io_uring NOP, 32 in one submission. Prints the time of
 * a lookup and that of a call (bench/null_dispatch.c) as parts of the time of a NOP, the least of
 * several rounds of each; or why the machine gives no ring.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/host_bench.h"
#include "bench/null_dispatch.h"
#include "core/cap_table.h"
#include "tests/host/slot_pages.h"

enum {
    ROUNDS = 21,
    LOOKUPS = 100000,
    BATCHES = 2000,
    AT_ONCE = 32,
    EDGES = 256,
};

static int object;

static double lookup_ns(void)
{
    static struct cap_table table;
    struct hold_edge edge = {.object = &object, .interface_id = 7, .facet = CAP_FACET_ALL};
    struct cap_id id[EDGES];
    double least = 1e18;

    cap_table_init(&table, LIMIT_TABLE_SLOTS, slot_memory(NULL));
    for (unsigned i = 0; i < EDGES; i++) {
        check(cap_table_insert(&table, &edge, NULL, &id[i]) == TRANSPORT_OK);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        double took;

        for (unsigned i = 0; i < LOOKUPS; i++) {
            const struct hold_edge *found;

            check(cap_table_lookup(&table, id[i % EDGES], &found) == TRANSPORT_OK);
        }
        took = (now_ns() - begin) / LOOKUPS;
        least = took < least ? took : least;
    }
    return least;
}

/* One of 32 calls of a null object in one submission, carried out by our dispatch. */
static double null_call_ns(void)
{
    double least = 1e18;

    check(null_dispatch_begin());
    for (unsigned round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        double took;

        for (unsigned i = 0; i < BATCHES; i++) {
            check(null_dispatch_round() == AT_ONCE);
        }
        took = (now_ns() - begin) / (BATCHES * AT_ONCE);
        least = took < least ? took : least;
    }
    return least;
}

/* A ring of the machine's kernel. */
struct uring {
    int file;
    unsigned *sq_tail;
    unsigned *sq_mask;
    unsigned *sq_array;
    unsigned *cq_head;
    struct io_uring_sqe *sqes;
};

static bool uring_open(struct uring *ring)
{
    struct io_uring_params parameters;
    uint8_t *base;
    size_t sq_bytes;
    size_t cq_bytes;

    memset(&parameters, 0, sizeof(parameters));
    ring->file = (int)syscall(SYS_io_uring_setup, 2 * AT_ONCE, &parameters);
    if (ring->file < 0) {
        return false;
    }
    sq_bytes = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    cq_bytes = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    base = mmap(NULL, sq_bytes > cq_bytes ? sq_bytes : cq_bytes, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_POPULATE, ring->file, IORING_OFF_SQ_RING);
    ring->sqes =
        mmap(NULL, parameters.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_POPULATE, ring->file, IORING_OFF_SQES);
    if ((parameters.features & IORING_FEAT_SINGLE_MMAP) == 0 || base == MAP_FAILED ||
        ring->sqes == MAP_FAILED) {
        return false;
    }
    ring->sq_tail = (unsigned *)(void *)(base + parameters.sq_off.tail);
    ring->sq_mask = (unsigned *)(void *)(base + parameters.sq_off.ring_mask);
    ring->sq_array = (unsigned *)(void *)(base + parameters.sq_off.array);
    ring->cq_head = (unsigned *)(void *)(base + parameters.cq_off.head);
    return true;
}

static void nops_do(struct uring *ring)
{
    unsigned tail = *ring->sq_tail;

    for (unsigned i = 0; i < AT_ONCE; i++) {
        unsigned index = (tail + i) & *ring->sq_mask;

        memset(&ring->sqes[index], 0, sizeof(ring->sqes[index]));
        ring->sqes[index].opcode = IORING_OP_NOP;
        ring->sq_array[index] = index;
    }
    __atomic_store_n(ring->sq_tail, tail + AT_ONCE, __ATOMIC_RELEASE);
    check(syscall(SYS_io_uring_enter, ring->file, AT_ONCE, AT_ONCE, IORING_ENTER_GETEVENTS, NULL,
                  0) == AT_ONCE);
    __atomic_store_n(ring->cq_head, *ring->cq_head + AT_ONCE, __ATOMIC_RELEASE);
}

static double nop_ns(struct uring *ring)
{
    double least = 1e18;

    for (unsigned round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        double took;

        for (unsigned i = 0; i < BATCHES; i++) {
            nops_do(ring);
        }
        took = (now_ns() - begin) / (BATCHES * AT_ONCE);
        least = took < least ? took : least;
    }
    return least;
}

int main(void)
{
    struct uring ring;
    double lookup = lookup_ns();
    double call = null_call_ns();
    double nop;

    if (!uring_open(&ring)) {
        printf("this machine gives no io_uring: %s; a lookup takes %.1f ns, a null call %.1f ns\n",
               strerror(errno), lookup, call);
        return 0;
    }
    nop = nop_ns(&ring);
    printf("a lookup takes %.1f ns, a null call %.1f ns, an io_uring NOP %.1f ns\n", lookup, call,
           nop);
    printf("bench: lookup_to_nop %.3f ratio\n", lookup / nop);
    printf("bench: null_to_nop %.3f ratio\n", call / nop);
    return 0;
}
