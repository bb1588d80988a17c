/* SPDX-License-Identifier: MIT */
/*
 * The ring between two threads: one is the program, one the kernel, and nothing but the ring's own
 * memory orders is between them. Under ThreadSanitizer (which runs the tests named *_threads_test)
 * an entry that is read before it was published, or written after, is a reported race; in every
 * build each submission must complete once and in order.
 */
#include "tests/host/ring_memory.h"

#include <pthread.h>
#include <sched.h>

enum {
    ENTRIES = 20000,
};

/* Takes each submission and posts its completion, as the kernel does. */
static void *kernel_side(void *argument)
{
    uint32_t done = 0;
    struct sqe sqe;

    (void)argument;
    while (done < ENTRIES) {
        enum ring_take taken = ring_take(&ring, &sqe);

        if (taken == RING_TAKE_ENTRY) {
            ring_post(&ring, &(struct cqe){.user_data = sqe.user_data,
                                           .result = (int32_t)sqe.result_bytes});
            done++;
        } else {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* Submits what fits and returns the new tail. */
static uint32_t submit_some(uint32_t tail, uint32_t consumed)
{
    while (tail < ENTRIES && tail - consumed < LIMIT_CQ_ENTRIES &&
           tail - ring_load_peer(&shared.header.sq_head) < LIMIT_SQ_ENTRIES) {
        sq()[tail % LIMIT_SQ_ENTRIES] = (struct sqe){
            .opcode = OPCODE_RECV, .user_data = UINT64_MAX - tail, .result_bytes = tail};
        ring_publish(&shared.header.sq_tail, ++tail);
    }
    return tail;
}

static void test_two_threads(void **state)
{
    pthread_t kernel;
    uint32_t submitted = 0;
    uint32_t consumed = 0;

    (void)state;
    ring_start();
    assert_int_equal(pthread_create(&kernel, NULL, kernel_side, NULL), 0);
    while (consumed < ENTRIES) {
        uint32_t tail = ring_load_peer(&shared.header.cq_tail);

        submitted = submit_some(submitted, consumed);
        if (consumed == tail) {
            (void)sched_yield();
        }
        for (; consumed != tail; consumed++) {
            const struct cqe *cqe = &cq()[consumed % LIMIT_CQ_ENTRIES];

            assert_true(cqe->user_data == UINT64_MAX - consumed);
            assert_int_equal(cqe->result, (int32_t)consumed);
        }
        ring_publish(&shared.header.cq_head, consumed);
    }
    assert_int_equal(pthread_join(kernel, NULL), 0);
    assert_int_equal(submitted, ENTRIES);
    assert_int_equal(ring_load_peer(&shared.header.corrupt), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_threads),
    };

    return cmocka_run_group_tests_name("ring between threads", tests, NULL, NULL);
}
