/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of the ring against an honest and a lying user. What an entry may say:
 * sqe_wire_test.c.
 */
#include "tests/host/ring_memory.h"

static int setup(void **state)
{
    (void)state;
    ring_start();
    return 0;
}

static void submit(uint64_t user_data)
{
    uint32_t tail = shared.header.sq_tail;

    sq()[tail % LIMIT_SQ_ENTRIES] = (struct sqe){.opcode = OPCODE_NOP, .user_data = user_data};
    ring_publish(&shared.header.sq_tail, tail + 1);
}

static void complete(uint64_t user_data)
{
    ring_post(&ring, &(struct cqe){.user_data = user_data});
}

static void test_header(void **state)
{
    (void)state;
    assert_int_equal(shared.header.magic, RING_MAGIC);
    assert_int_equal(shared.header.sq_entries, LIMIT_SQ_ENTRIES);
    assert_int_equal(shared.header.cq_entries, LIMIT_CQ_ENTRIES);
    assert_int_equal(shared.header.arena_offset, RING_ARENA_OFFSET);
}

static void test_every_submission_completes_once(void **state)
{
    struct test_random random;
    uint64_t submitted = 0;
    uint64_t taken = 0;
    uint64_t posted = 0;
    uint64_t consumed = 0;
    struct sqe sqe;

    (void)state;
    test_random_init(&random, 3);
    while (consumed < 100000) {
        switch (test_random_below(&random, 4)) {
        case 0:
            if (submitted - taken < LIMIT_SQ_ENTRIES) {
                submit(submitted++);
            }
            break;
        case 1:
            if (ring_take(&ring, &sqe) == RING_TAKE_ENTRY) {
                assert_int_equal(sqe.user_data, taken++);
            } else {
                assert_true(taken == submitted || taken - consumed == LIMIT_CQ_ENTRIES);
            }
            break;
        case 2:
            if (posted < taken) {
                complete(posted++);
            }
            break;
        default:
            if (consumed < posted) {
                uint32_t head = shared.header.cq_head;

                assert_int_equal(cq()[head % LIMIT_CQ_ENTRIES].user_data, consumed++);
                ring_publish(&shared.header.cq_head, head + 1);
            }
        }
        assert_int_equal(ring_check(&ring), 0);
        assert_true(taken - consumed <= LIMIT_CQ_ENTRIES);
        assert_int_equal(ring_completions(&ring), posted - consumed);
    }
    assert_false(ring.corrupt);
}

static void test_full_completion_queue_takes_nothing(void **state)
{
    struct sqe sqe;

    (void)state;
    for (unsigned i = 0; i < LIMIT_CQ_ENTRIES; i++) {
        submit(i);
        assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
        complete(i);
    }
    submit(1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_FULL);
    ring_publish(&shared.header.cq_head, 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
}

static void test_impossible_tail_fails_closed(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES + 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    assert_int_equal(shared.header.corrupt, 1);
    ring_publish(&shared.header.sq_tail, 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
}

static void test_impossible_head_fails_closed(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(0);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    complete(0);
    ring_publish(&shared.header.cq_head, 2);
    assert_int_equal(ring_completions(&ring), 0);
    assert_true(ring.corrupt);
    setup(NULL);
    submit(0);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    complete(0);
    ring_publish(&shared.header.cq_head, 1);
    assert_int_equal(ring_completions(&ring), 0);
    ring_publish(&shared.header.cq_head, 0);
    assert_int_equal(ring_completions(&ring), 0);
    assert_true(ring.corrupt);
}

static void test_promised_completions_survive_corruption(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(42);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    ring_publish(&shared.header.sq_tail, 1000);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    complete(42);
    assert_int_equal(cq()[0].user_data, 42);
    assert_int_equal(shared.header.cq_tail, 1);
}

/* Repaired means: the user said so, and every index is possible again. What was promised before the
 * ring failed is posted once, what was taken is not taken again. covers: cap_enter/RING_CORRUPT */
static void test_repair(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(1);
    submit(2);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    ring_publish(&shared.header.sq_tail, 1000);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    assert_int_equal(ring_completions(&ring), 0); /* what is posted, whatever is shown */
    ring_publish(&shared.header.sq_tail, 2);
    assert_false(ring_repair(&ring)); /* nobody said so */
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES + 2);
    ring_publish(&shared.header.corrupt, 0);
    assert_false(ring_repair(&ring));
    assert_int_equal(shared.header.corrupt, 1);
    ring_publish(&shared.header.sq_tail, 2);
    ring_publish(&shared.header.cq_head, 1); /* beyond what was posted */
    ring_publish(&shared.header.corrupt, 0);
    assert_false(ring_repair(&ring));
    assert_int_equal(shared.header.corrupt, 1);
    complete(1);
    ring_publish(&shared.header.corrupt, 0);
    assert_true(ring_repair(&ring));
    assert_int_equal(ring_check(&ring), 0);
    assert_int_equal(ring_completions(&ring), 0);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    assert_int_equal(sqe.user_data, 2);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_EMPTY);
    complete(2);
    assert_int_equal(ring_completions(&ring), 1);
}

/* Alone is a ring with one entry and nothing else, neither under way nor unread. What is posted
 * then is what ring_post would have posted. */
static void test_alone(void **state)
{
    struct sqe sqe;
    uint32_t index;

    (void)state;
    assert_false(ring_is_alone(&ring)); /* no entry */
    submit(1);
    assert_true(ring_is_alone(&ring));
    submit(2);
    assert_false(ring_is_alone(&ring)); /* two */
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    assert_false(ring_is_alone(&ring)); /* one under way */
    ring_publish(&shared.header.cq_head, 1);
    assert_false(ring_is_alone(&ring)); /* which the user says it has seen completed */
    ring_publish(&shared.header.cq_head, 0);
    complete(1);
    assert_false(ring_is_alone(&ring)); /* its completion unread */
    ring_publish(&shared.header.cq_head, 2);
    assert_false(ring_is_alone(&ring)); /* read before it came */
    ring_publish(&shared.header.cq_head, 1);
    assert_true(ring_is_alone(&ring));
    index = ring_accept_alone(&ring);
    assert_int_equal(index, 1);
    assert_int_equal(shared.header.sq_head, 2);
    assert_int_equal(ring_reserved(&ring), 1);
    assert_int_equal(ring.cq_head, 1); /* believed: the place is free */
    assert_int_equal(ring_check(&ring), 0);
    ring_post_place(&ring, index)->user_data = 2;
    ring_post_alone(&ring);
    assert_int_equal(shared.header.cq_tail, 2);
    assert_int_equal(cq()[1].user_data, 2);
    assert_int_equal(ring_completions(&ring), 1);
    assert_int_equal(ring_check(&ring), 0);
    ring_publish(&shared.header.cq_head, 2);
    ring_publish(&shared.header.sq_tail, 1000);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    ring_publish(&shared.header.sq_tail, 3);
    assert_false(ring_is_alone(&ring)); /* failed closed */
}

/* The tick takes what is safe and stops before the first submission that is not, for good. */
static void test_tick(void **state)
{
    struct sqe sqe;

    (void)state;
    submit(1);
    submit(2);
    submit(3);
    sq()[1].opcode = OPCODE_CALL;
    assert_true(ring_take_at_tick(&ring, &sqe));
    assert_int_equal(sqe.user_data, 1);
    assert_false(ring_take_at_tick(&ring, &sqe));
    assert_false(ring_take_at_tick(&ring, &sqe));
    assert_int_equal(shared.header.sq_head, 1);
    assert_int_equal(ring_reserved(&ring), 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    assert_int_equal(sqe.opcode, OPCODE_CALL);
    sq()[2].spare = 1; /* invalid: its refusal can wait */
    assert_false(ring_take_at_tick(&ring, &sqe));
    sq()[2].spare = 0;
    sq()[2].opcode = OPCODE_FINISH;
    sq()[2].answer = 9;
    assert_true(ring_take_at_tick(&ring, &sqe));
    assert_int_equal(sqe.answer, 9);
    assert_false(ring_take_at_tick(&ring, &sqe));
    setup(NULL);
    submit(1);
    sq()[0] = (struct sqe){.opcode = OPCODE_FINISH, .flags = SQE_RELEASE, .answer = 9};
    assert_false(ring_take_at_tick(&ring, &sqe)); /* what it releases may end anything */
    for (unsigned opcode = 0; opcode < OPCODE_COUNT; opcode++) {
        setup(NULL);
        submit(1);
        sq()[0].opcode = (uint8_t)opcode;
        assert_int_equal(ring_take_at_tick(&ring, &sqe),
                         opcode == OPCODE_NOP || opcode == OPCODE_TOKEN || opcode == OPCODE_FINISH);
    }
}

static void test_sizes(void **state)
{
    static const struct ring_sizes wrong[] = {
        {.sq_entries = LIMIT_SQ_ENTRIES * 2},     {.sq_entries = LIMIT_SQ_ENTRIES_MIN / 2},
        {.sq_entries = LIMIT_SQ_ENTRIES - 1},     {.cq_entries = LIMIT_CQ_ENTRIES * 2},
        {.cq_entries = LIMIT_CQ_ENTRIES_MIN / 2}, {.cq_entries = 24},
        {.arena_bytes = LIMIT_PAGE_BYTES / 2},    {.arena_bytes = LIMIT_ARENA_BYTES_MAX * 2},
        {.arena_bytes = 3 * LIMIT_PAGE_BYTES},    {.arena_bytes = UINT32_MAX},
    };
    struct ring_sizes sizes = {.sq_entries = 0};

    (void)state;
    assert_true(ring_sizes_settle(&sizes));
    assert_int_equal(sizes.sq_entries, LIMIT_SQ_ENTRIES);
    assert_int_equal(sizes.cq_entries, LIMIT_CQ_ENTRIES);
    assert_int_equal(sizes.arena_bytes, LIMIT_ARENA_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        sizes = wrong[i];
        assert_false(ring_sizes_settle(&sizes));
    }
}

/* The smallest ring: full at its own sizes, and it wraps. */
static void test_smallest(void **state)
{
    struct sqe sqe;
    uint32_t tail = 0;

    (void)state;
    ring_start_sized((struct ring_sizes){.sq_entries = LIMIT_SQ_ENTRIES_MIN,
                                         .cq_entries = LIMIT_CQ_ENTRIES_MIN,
                                         .arena_bytes = LIMIT_PAGE_BYTES});
    assert_int_equal(shared.header.arena_bytes, LIMIT_PAGE_BYTES);
    for (unsigned i = 0; i < 100; i++) {
        sq()[tail % LIMIT_SQ_ENTRIES_MIN] = (struct sqe){.user_data = i};
        ring_publish(&shared.header.sq_tail, ++tail);
        if (i < LIMIT_CQ_ENTRIES_MIN) {
            assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
        } else {
            assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_FULL);
            assert_int_equal(cq()[(i - LIMIT_CQ_ENTRIES_MIN) % LIMIT_CQ_ENTRIES_MIN].user_data,
                             i - LIMIT_CQ_ENTRIES_MIN);
            ring_publish(&shared.header.cq_head, i - LIMIT_CQ_ENTRIES_MIN + 1);
            assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
        }
        assert_int_equal(sqe.user_data, i);
        complete(i);
        assert_int_equal(ring_check(&ring), 0);
    }
    ring_publish(&shared.header.sq_tail, tail + LIMIT_SQ_ENTRIES_MIN + 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
}

static void test_entries_are_acceptable_as_far_as_completions_have_places(void **state)
{
    struct sqe sqe;

    (void)state;
    assert_int_equal(ring_acceptable(&ring), 0);
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES);
    assert_int_equal(ring_acceptable(&ring), LIMIT_SQ_ENTRIES);
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES + 1); /* more than the queue has */
    assert_int_equal(ring_acceptable(&ring), 0);
    ring_publish(&shared.header.sq_tail, 0);
    for (uint32_t i = 0; i < LIMIT_CQ_ENTRIES - 1; i++) {
        submit(i);
        assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    }
    ring_publish(&shared.header.sq_tail, LIMIT_CQ_ENTRIES + 2);
    assert_int_equal(ring_acceptable(&ring), 1);
    ring_fail_closed(&ring);
    assert_int_equal(ring_acceptable(&ring), 0);
}

static void test_a_full_ring_is_repaired(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES + 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    ring_publish(&shared.header.sq_tail, LIMIT_SQ_ENTRIES);
    ring_publish(&shared.header.corrupt, 0);
    assert_true(ring_repair(&ring));
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
}

/* The short ways look at entries before they take them. */
static void test_the_entries_of_a_small_ring_come_again(void **state)
{
    (void)state;
    ring_start_sized((struct ring_sizes){.sq_entries = LIMIT_SQ_ENTRIES_MIN,
                                         .cq_entries = LIMIT_CQ_ENTRIES_MIN});
    for (uint32_t i = 0; i < 3 * LIMIT_SQ_ENTRIES_MIN; i++) {
        assert_ptr_equal(ring_peek(&ring, i), &sq()[i % LIMIT_SQ_ENTRIES_MIN]);
        assert_ptr_equal(ring_post_place(&ring, i), &cq()[i % LIMIT_CQ_ENTRIES_MIN]);
    }
}

/* One entry is submitted, taken and completed. */
static void complete_one(void)
{
    struct sqe sqe;

    submit(1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    complete(1);
}

/* Invariant 3 of core/ring.c. */
static void test_of_a_corrupt_ring_no_index_is_believed(void **state)
{
    (void)state;
    complete_one();
    assert_int_equal(ring_completions(&ring), 1);
    ring_fail_closed(&ring);
    ring_publish(&shared.header.cq_head, 1);
    assert_int_equal(ring_completions(&ring), 1);
    assert_int_equal(ring.cq_head, 0);
}

static void test_a_completion_counts_when_it_is_shown(void **state)
{
    struct sqe sqe;

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        submit(i);
        assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    }
    complete(0);
    atomic_store_relaxed_u32(&ring.cq_tail, 2); /* another CPU is between its two stores */
    assert_int_equal(ring_completions(&ring), 1);
    ring_posted(&ring, 2);
    assert_int_equal(ring_completions(&ring), 2);
}

/* The index that shows completions lies in the user's pages too. */
static void test_nobody_is_shown_more_than_was_posted(void **state)
{
    (void)state;
    complete_one();
    ring_publish(&shared.header.cq_tail, 7);
    assert_int_equal(ring_completions(&ring), 1);
    ring_publish(&shared.header.cq_tail, 0);
    assert_int_equal(ring_completions(&ring), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_header, setup),
        cmocka_unit_test_setup(test_every_submission_completes_once, setup),
        cmocka_unit_test_setup(test_full_completion_queue_takes_nothing, setup),
        cmocka_unit_test_setup(test_impossible_tail_fails_closed, setup),
        cmocka_unit_test_setup(test_impossible_head_fails_closed, setup),
        cmocka_unit_test_setup(test_promised_completions_survive_corruption, setup),
        cmocka_unit_test_setup(test_repair, setup),
        cmocka_unit_test_setup(test_alone, setup),
        cmocka_unit_test_setup(test_tick, setup),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_smallest),
        cmocka_unit_test_setup(test_entries_are_acceptable_as_far_as_completions_have_places,
                               setup),
        cmocka_unit_test_setup(test_a_full_ring_is_repaired, setup),
        cmocka_unit_test(test_the_entries_of_a_small_ring_come_again),
        cmocka_unit_test_setup(test_of_a_corrupt_ring_no_index_is_believed, setup),
        cmocka_unit_test_setup(test_a_completion_counts_when_it_is_shown, setup),
        cmocka_unit_test_setup(test_nobody_is_shown_more_than_was_posted, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
