/* SPDX-License-Identifier: MIT */
/*
 * The ring client of programs against the kernel's own ring (core/ring), with a kernel of a few
 * lines between: it answers NOP at once and CALL when it likes.
 */
#include "tests/host/support.h"

#include "core/ring.h"
#include "user/rt/rt_ring.c"

enum {
    STEPS = 100000,
    HELD_MAX = 256,
};

static ALIGNED(4096) uint8_t memory[RING_BYTES];
static struct ring kernel;
static struct rt_ring client;
static struct test_random source;

/* CALLs that the kernel has taken and not answered. */
static uint64_t pending[HELD_MAX];
static size_t pending_count;
static bool answer_between; /* answer one between the client's last look and its entering */
static unsigned hopeless;   /* entries that waited for what could not come */

static void answer(uint64_t user_data)
{
    ring_post(&kernel,
              &(struct cqe){.user_data = user_data, .result = (int32_t)(user_data & 0xff)});
}

static void answer_any(void)
{
    size_t at = test_random_below(&source, pending_count);
    uint64_t user_data = pending[at];

    pending[at] = pending[--pending_count];
    answer(user_data);
}

int64_t rt_syscall_cap_enter(uint64_t min_complete, uint64_t timeout_ns)
{
    struct sqe entry;

    while (ring_take(&kernel, &entry) == RING_TAKE_ENTRY) {
        if (entry.opcode == OPCODE_NOP) {
            answer(entry.user_data);
        } else {
            assert_true(pending_count < HELD_MAX);
            pending[pending_count++] = entry.user_data;
        }
    }
    if (kernel.corrupt) {
        return TRANSPORT_RING_CORRUPT;
    }
    while (timeout_ns != 0 && ring_completions(&kernel) < min_complete && pending_count > 0) {
        answer_any();
    }
    if (timeout_ns == TIMEOUT_NONE && ring_completions(&kernel) < min_complete) {
        hopeless++;
        return TRANSPORT_INTERRUPTED;
    }
    return ring_completions(&kernel);
}

uint64_t rt_cycle_counter(void)
{
    static uint64_t now;

    if (answer_between && pending_count > 0) {
        answer_any();
    }
    return ++now;
}

static int setup(void **state)
{
    struct ring_sizes sizes = {.sq_entries = 0};

    (void)state;
    memset(memory, 0, sizeof(memory));
    assert_true(ring_sizes_settle(&sizes));
    ring_init(&kernel, &sizes,
              (struct ring_memory){
                  .header = (struct ring_header *)(void *)memory,
                  .sq = (const struct sqe *)(const void *)(memory + RING_SQ_OFFSET),
                  .cq = (struct cqe *)(void *)(memory + RING_CQ_OFFSET),
              });
    pending_count = 0;
    answer_between = false;
    hopeless = 0;
    test_random_init(&source, 7);
    return rt_ring_init(&client, (struct ring_header *)(void *)memory, 1000000000) ? 0 : 1;
}

static struct rt_operation submit(enum opcode opcode)
{
    struct sqe entry = {.opcode = (uint8_t)opcode};
    struct rt_operation operation = {.id = 0};

    assert_int_equal(rt_ring_submit(&client, &entry, &operation), TRANSPORT_OK);
    assert_true(operation.id != 0);
    return operation;
}

/* Random submitting, polling and waiting: each operation ends once, with its own result. */
static void operations_end_once(void **state)
{
    struct rt_operation held[RT_RING_OPERATIONS];
    size_t count = 0;
    uint64_t taken = 0;

    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t choice = test_random_below(&source, 3);

        if (choice == 0 && count < RT_RING_OPERATIONS) {
            held[count++] = submit(test_random_below(&source, 2) == 0 ? OPCODE_NOP : OPCODE_CALL);
        } else if (count > 0) {
            size_t at = test_random_below(&source, count);
            struct rt_operation operation = held[at];
            struct cqe completion;
            bool done = choice == 1 ? rt_ring_poll(&client, operation, &completion)
                                    : rt_ring_wait(&client, operation, TIMEOUT_NONE, &completion) ==
                                          TRANSPORT_OK;

            assert_true(done || choice == 1);
            if (done) {
                assert_int_equal(completion.user_data, operation.id);
                assert_int_equal(completion.result, (int32_t)(operation.id & 0xff));
                assert_false(rt_ring_poll(&client, operation, &completion));
                assert_int_equal(rt_ring_wait(&client, operation, TIMEOUT_NONE, &completion),
                                 TRANSPORT_BAD_TOKEN);
                held[at] = held[--count];
                taken++;
            }
        }
        assert_int_equal(ring_check(&kernel), 0);
    }
    assert_true(taken > STEPS / 5);
    assert_int_equal(client.strays, 0);
    assert_int_equal(hopeless, 0);
}

static void more_than_the_queue_is_refused(void **state)
{
    struct sqe entry = {.opcode = OPCODE_CALL};
    struct rt_operation operation;
    struct cqe completion;

    (void)state;
    for (unsigned i = 0; i < RT_RING_OPERATIONS; i++) {
        operation = submit(OPCODE_CALL);
    }
    assert_int_equal(rt_ring_submit(&client, &entry, &operation), TRANSPORT_LIMIT);
    assert_int_equal(rt_ring_enter(&client, RT_RING_OPERATIONS, TIMEOUT_NONE), TRANSPORT_OK);
    assert_int_equal(client.in_flight, 0);
    assert_int_equal(rt_ring_submit(&client, &entry, &operation), TRANSPORT_LIMIT); /* not taken */
    assert_true(
        rt_ring_poll(&client, (struct rt_operation){.id = (1 << SLOT_BITS) | 5}, &completion));
    operation = submit(OPCODE_NOP);
    assert_int_equal(rt_ring_wait(&client, operation, TIMEOUT_NONE, &completion), TRANSPORT_OK);
}

/* The completion comes after the last look and before the entry: it must end the wait, not be
 * waited for. (A client that took completions in on its way into the kernel slept for ever here.)
 */
static void no_wake_up_is_lost(void **state)
{
    (void)state;
    answer_between = true;
    for (unsigned i = 0; i < 1000; i++) {
        struct rt_operation operation = submit(OPCODE_CALL);
        struct cqe completion;

        assert_int_equal(rt_ring_enter(&client, 0, 0), TRANSPORT_OK);
        assert_int_equal(rt_ring_wait(&client, operation, TIMEOUT_NONE, &completion), TRANSPORT_OK);
    }
    assert_int_equal(hopeless, 0);
}

static void any_of_several_is_found(void **state)
{
    struct rt_operation operation[20];
    unsigned left = ARRAY_COUNT(operation);

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(operation); i++) {
        operation[i] = submit(OPCODE_CALL);
    }
    for (; left > 0; left--) {
        struct cqe completion;
        uint32_t which;

        assert_int_equal(rt_ring_wait_any(&client, operation, ARRAY_COUNT(operation), &which),
                         TRANSPORT_OK);
        assert_true(rt_ring_poll(&client, operation[which], &completion));
        operation[which].id = 0;
    }
    assert_int_equal(hopeless, 0);
}

/* A wait that times out leaves the operation under way. */
static void timeouts_leave_operations(void **state)
{
    struct rt_operation operation = submit(OPCODE_CALL);
    struct cqe completion;

    (void)state;
    assert_int_equal(rt_ring_wait(&client, operation, 0, &completion), TRANSPORT_TIMEOUT);
    assert_int_equal(pending_count, 1); /* it was submitted all the same */
    assert_int_equal(rt_ring_wait(&client, operation, 0, &completion), TRANSPORT_TIMEOUT);
    assert_int_equal(rt_ring_wait(&client, operation, TIMEOUT_NONE, &completion), TRANSPORT_OK);
}

static void corrupt_rings_are_told(void **state)
{
    struct rt_operation operation = submit(OPCODE_CALL);
    struct cqe completion;

    (void)state;
    ring_publish(&client.header->sq_tail, client.tail + LIMIT_SQ_ENTRIES + 1);
    assert_int_equal(rt_ring_wait(&client, operation, TIMEOUT_NONE, &completion),
                     TRANSPORT_RING_CORRUPT);
}

/* ---- the arena ---- */

static void buffers_are_apart_and_zero(void **state)
{
    struct rt_buffer held[RT_RING_BLOCKS];
    size_t count = 0;

    (void)state;
    for (unsigned step = 0; step < STEPS / 10; step++) {
        if (test_random_below(&source, 2) == 0 && count < RT_RING_BLOCKS) {
            uint32_t size = (uint32_t)test_random_below(&source, 3000);
            struct rt_buffer buffer = rt_buffer_alloc(&client, size);

            if (buffer.bytes == NULL) {
                continue;
            }
            assert_int_equal((uintptr_t)buffer.bytes % 16, 0);
            for (uint32_t i = 0; i < size; i++) {
                assert_int_equal(buffer.bytes[i], 0);
                buffer.bytes[i] = (uint8_t)(count + 1);
            }
            held[count++] = buffer;
        } else if (count > 0) {
            struct rt_buffer buffer = held[--count];

            for (uint32_t i = 0; i < buffer.size; i++) {
                assert_int_equal(buffer.bytes[i], (uint8_t)(count + 1));
            }
            rt_buffer_free(&client, buffer);
            if (buffer.size != 0) {
                assert_int_equal(buffer.bytes[0], RT_RING_POISON);
            }
        }
    }
    while (count > 0) {
        rt_buffer_free(&client, held[--count]);
    }
    assert_int_equal(rt_ring_blocks_used(&client), 0);
    assert_non_null(rt_buffer_alloc(&client, LIMIT_ARENA_BYTES).bytes);
    assert_null(rt_buffer_alloc(&client, 1).bytes);
    assert_null(rt_buffer_alloc(&client, LIMIT_ARENA_BYTES + 1).bytes);
}

static void buffer_free(void *argument)
{
    rt_buffer_free(&client, *(struct rt_buffer *)argument);
}

static void entry_submit(void *argument)
{
    struct rt_operation operation;

    assert_int_equal(rt_ring_submit(&client, argument, &operation), TRANSPORT_OK);
}

/* A buffer in the kernel's hands is neither freed nor lent again, a free one neither. */
static void lent_buffers_are_guarded(void **state)
{
    struct rt_buffer buffer = rt_buffer_alloc(&client, 600);
    struct sqe entry = {.opcode = OPCODE_CALL,
                        .message = (uint64_t)(uintptr_t)buffer.bytes,
                        .message_bytes = 64,
                        .result = (uint64_t)(uintptr_t)(buffer.bytes + 256),
                        .result_bytes = 300};
    struct rt_operation operation;
    struct cqe completion;

    assert_int_equal(rt_ring_submit(&client, &entry, &operation), TRANSPORT_OK);
    assert_true(test_asserts(buffer_free, &buffer));
    assert_true(test_asserts(entry_submit, &entry));
    assert_int_equal(setup(state), 0);
    buffer = rt_buffer_alloc(&client, 600);
    assert_int_equal(rt_ring_submit(&client, &entry, &operation), TRANSPORT_OK);
    assert_int_equal(rt_ring_wait(&client, operation, TIMEOUT_NONE, &completion), TRANSPORT_OK);
    rt_buffer_free(&client, buffer);
    assert_true(test_asserts(buffer_free, &buffer));
    assert_true(test_asserts(entry_submit, &entry));
}

static void other_rings_are_refused(void **state)
{
    struct rt_ring other;

    (void)state;
    client.header->version++;
    assert_false(rt_ring_init(&other, client.header, 1));
    client.header->version--;
    client.header->sq_entries *= 2;
    assert_false(rt_ring_init(&other, client.header, 1));
    client.header->sq_entries /= 2;
    client.header->magic = 0;
    assert_false(rt_ring_init(&other, client.header, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(operations_end_once, setup),
        cmocka_unit_test_setup(more_than_the_queue_is_refused, setup),
        cmocka_unit_test_setup(no_wake_up_is_lost, setup),
        cmocka_unit_test_setup(any_of_several_is_found, setup),
        cmocka_unit_test_setup(timeouts_leave_operations, setup),
        cmocka_unit_test_setup(corrupt_rings_are_told, setup),
        cmocka_unit_test_setup(buffers_are_apart_and_zero, setup),
        cmocka_unit_test_setup(lent_buffers_are_guarded, setup),
        cmocka_unit_test_setup(other_rings_are_refused, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
