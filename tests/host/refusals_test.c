/* SPDX-License-Identifier: MIT */
/*
 * Refusals of core/ that the models meet too seldom to tell when one is gone, each by itself. The
 * case's name says what would be lost.
 */
#include "tests/host/support.h"

#include "capnp/runtime/capn_stream.h"
#include "core/answer.h"
#include "core/boot_info.h"
#include "core/endpoint.h"
#include "core/format.h"
#include "core/frame_bitmap.h"
#include "core/ledger.h"
#include "core/manifest.h"
#include "core/park.h"
#include "core/run_queue.h"
#include "core/sched_context.h"
#include "core/slab.h"
#include "core/transfer.h"
#include "tests/host/ring_memory.h"

/* ---- the ledger ------------------------------------------------------------------------------ */

static struct ledger_amounts all_of(uint64_t amount)
{
    struct ledger_amounts amounts;

    for (unsigned i = 0; i < LEDGER_LINES; i++) {
        amounts.amount[i] = amount;
    }
    return amounts;
}

static void the_dead_neither_give_nor_take(void **state)
{
    const struct ledger_amounts ten = all_of(10);
    const struct ledger_amounts one = all_of(1);
    struct ledger root;
    struct ledger parent;
    struct ledger child;

    (void)state;
    ledger_init_root(&root, &ten);
    ledger_init_child(&parent, &root);
    assert_int_equal(ledger_donate(&parent, &ten, NULL), STATUS_OK);
    ledger_init_child(&child, &parent);
    assert_int_equal(ledger_donate(&child, &one, NULL), STATUS_OK);
    ledger_close(&parent);
    assert_int_equal(ledger_donate(&child, &one, NULL), STATUS_DEAD); /* the parent is closed */
    assert_int_equal(ledger_donate(&parent, &one, NULL), STATUS_DEAD);
    assert_int_equal(ledger_available(&child, LEDGER_FRAMES), 1);
}

static void a_ledger_is_over_when_nothing_is_left_of_it(void **state)
{
    const struct ledger_amounts ten = all_of(10);
    struct ledger root;
    struct ledger parent;
    struct ledger child;

    (void)state;
    ledger_init_root(&root, &ten);
    ledger_init_child(&parent, &root);
    assert_false(ledger_is_over(&parent)); /* open, though it has nothing */
    assert_int_equal(ledger_donate(&parent, &ten, NULL), STATUS_OK);
    ledger_init_child(&child, &parent);
    assert_int_equal(ledger_charge(&parent, LEDGER_FRAMES, 1, NULL), STATUS_OK);
    assert_int_equal(ledger_reserve(&parent, LEDGER_SLOTS, 1, NULL), STATUS_OK);
    ledger_close(&parent);
    assert_false(ledger_is_over(&parent)); /* a child, used and reserved */
    assert_true(ledger_close_step(&parent));
    assert_false(ledger_is_over(&parent)); /* used and reserved */
    ledger_release(&parent, LEDGER_FRAMES, 1);
    assert_false(ledger_is_over(&parent)); /* reserved, and released but not settled */
    assert_null(ledger_settle(&parent));
    assert_false(ledger_is_over(&parent)); /* reserved */
    ledger_unreserve(&parent, LEDGER_SLOTS, 1);
    assert_false(ledger_is_over(&parent)); /* not settled */
    assert_null(ledger_settle(&parent));
    assert_true(ledger_is_over(&parent));
    parent.line[LEDGER_FRAMES].used = 1;
    assert_false(ledger_is_over(&parent));
    parent.line[LEDGER_FRAMES].used = 0;
    parent.line[LEDGER_FRAMES].reserved = 1;
    assert_false(ledger_is_over(&parent));
    parent.line[LEDGER_FRAMES].reserved = 0;
    assert_true(ledger_is_over(&parent));
}

static void a_closed_ledger_with_children_is_not_over(void **state)
{
    const struct ledger_amounts ten = all_of(10);
    struct ledger root;
    struct ledger parent;
    struct ledger child;

    (void)state;
    ledger_init_root(&root, &ten);
    ledger_init_child(&parent, &root);
    ledger_init_child(&child, &parent);
    ledger_close(&parent);
    assert_false(ledger_is_over(&parent));
    assert_true(ledger_close_step(&parent));
    assert_true(ledger_is_over(&parent));
}

/* ---- calls, answers, waiters ----------------------------------------------------------------- */

enum {
    IN_FLIGHT = 32,
};

static struct endpoint_queues queues;

static void a_call_waits_when_every_token_is_out(void **state)
{
    static struct endpoint_record call[IN_FLIGHT + 1];
    static struct endpoint_record receiver[IN_FLIGHT + 1];
    const struct endpoint_limits limits = {
        .message_bytes = 64, .capabilities = 1, .queue_length = LIMIT_ENDPOINT_QUEUE};

    (void)state;
    endpoint_queues_init(&queues, &limits);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        assert_true(endpoint_add_receiver(&queues, &receiver[i]));
        assert_true(endpoint_can_meet(&queues));
        assert_int_equal(endpoint_token_slot(endpoint_fly(&queues, &call[i])), i);
        assert_ptr_equal(endpoint_take_receiver(&queues), &receiver[i]);
    }
    assert_true(endpoint_add_receiver(&queues, &receiver[IN_FLIGHT]));
    assert_false(endpoint_can_meet(&queues));
    assert_true(endpoint_add_call(&queues, &call[IN_FLIGHT]));
    assert_null(endpoint_next_call(&queues));
    assert_int_equal(endpoint_check(&queues), 0);
}

static void a_receiver_beyond_the_limit_finds_no_place(void **state)
{
    static struct endpoint_record receiver[LIMIT_ENDPOINT_RECEIVERS + 1];
    const struct endpoint_limits limits = {
        .message_bytes = 64, .capabilities = 1, .queue_length = 1};

    (void)state;
    endpoint_queues_init(&queues, &limits);
    assert_false(endpoint_has_closed(&queues));
    for (unsigned i = 0; i < LIMIT_ENDPOINT_RECEIVERS; i++) {
        assert_true(endpoint_only_calls(&queues));
        assert_true(endpoint_add_receiver(&queues, &receiver[i]));
    }
    assert_false(endpoint_only_calls(&queues));
    assert_false(endpoint_add_receiver(&queues, &receiver[LIMIT_ENDPOINT_RECEIVERS]));
}

static void an_answer_beyond_the_table_is_unknown(void **state)
{
    static struct answer answers[8];
    static struct answer_result results[8 * LIMIT_ANSWER_CAPS];
    const uint32_t id = UINT32_C(1) << ANSWER_SLOT_BITS | 5;
    const struct promise promise = {.answer = id, .path = {.step = {1}}};
    struct answer_table table;
    struct answer *answer;
    struct cap_id cap;

    (void)state;
    answer_table_init(
        &table, (struct answer_memory){.answers = answers, .results = results, .answer_count = 8});
    assert_int_equal(answer_open(&table, id, &answer), TRANSPORT_OK);
    table.memory.answer_count = 4;
    assert_int_equal(answer_target_find(&table, &promise, &cap), ANSWER_TARGET_UNKNOWN);
    table.memory.answer_count = 8;
    assert_int_equal(answer_target_find(&table, &promise, &cap), ANSWER_TARGET_WAITS);
}

static void a_promise_is_of_its_whole_path(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct answer_path one = {.step = {1, 2, 3, 4}};
        struct answer_path other = one;

        assert_true(answer_path_equal(one, other));
        other.step[i] = 9;
        assert_false(answer_path_equal(one, other));
    }
}

static void a_wake_up_is_for_its_own_space(void **state)
{
    struct park_bucket bucket;
    struct park_waiter waiter = {0};
    const struct park_key here = {.space = 1, .address = 0x1000};
    const struct park_key there = {.space = 2, .address = 0x1000};

    (void)state;
    park_bucket_init(&bucket, 0);
    park_add(&bucket, &waiter, here);
    assert_null(park_take(&bucket, there));
    assert_ptr_equal(park_take(&bucket, here), &waiter);
    assert_null(park_take(&bucket, here));
}

static void nobody_runs_from_an_empty_queue(void **state)
{
    struct run_queue queue;

    (void)state;
    run_queue_init(&queue);
    assert_null(run_queue_peek(&queue));
    assert_null(run_queue_pop(&queue));
}

static void an_empty_bundle_has_no_first(void **state)
{
    struct transfer_item item = {.next = NULL};
    struct transfer_bundle bundle;

    (void)state;
    transfer_bundle_make(&bundle, &item, 0);
    assert_null(bundle.first);
    transfer_bundle_make(&bundle, &item, 1);
    assert_ptr_equal(bundle.first, &item);
}

static void drops_beyond_their_room_do_not_fit(void **state)
{
    struct transfer_item items[2] = {{.next = NULL}};
    struct transfer_drops drops = {.count = LIMIT_TRANSFERS - 1};
    struct transfer_bundle bundle;

    (void)state;
    transfer_bundle_make(&bundle, items, 1);
    assert_true(transfer_drops_fit(&drops, &bundle));
    transfer_bundle_make(&bundle, items, 2);
    assert_false(transfer_drops_fit(&drops, &bundle));
}

/* ---- time ------------------------------------------------------------------------------------ */

static void a_budget_lies_within_its_period(void **state)
{
    const uint64_t least = SCHED_BUDGET_MIN_NS;

    (void)state;
    assert_true(sched_budget_is_valid(0, 0));
    assert_true(sched_budget_is_valid(least, least));
    assert_true(sched_budget_is_valid(least, SCHED_PERIOD_MAX_NS));
    assert_false(sched_budget_is_valid(least - 1, least));
    assert_false(sched_budget_is_valid(least + 1, least));
    assert_false(sched_budget_is_valid(least, SCHED_PERIOD_MAX_NS + 1));
}

static void nobody_lends_to_itself(void **state)
{
    struct sched_context context = {.used_ns = 0};
    struct sched_share share = {.own = &context, .priority = 1};

    (void)state;
    assert_false(sched_lend(&share, &share));
    assert_null(share.lender);
    assert_null(share.borrower);
}

/* ---- the ring -------------------------------------------------------------------------------- */

static void an_impossible_head_takes_nothing(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_start();
    for (unsigned i = 0; i < LIMIT_CQ_ENTRIES + 1; i++) {
        sq()[i % LIMIT_SQ_ENTRIES] = (struct sqe){.opcode = OPCODE_NOP};
        ring_publish(&shared.header.sq_tail, i + 1);
        if (i < LIMIT_CQ_ENTRIES) {
            assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
        }
    }
    ring_publish(&shared.header.cq_head, LIMIT_CQ_ENTRIES + 7); /* nothing was posted yet */
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
}

static void an_entry_is_single_only_if_it_can_be_answered(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_start();
    assert_false(ring_is_single(&ring));
    for (unsigned i = 0; i < LIMIT_CQ_ENTRIES; i++) {
        sq()[i % LIMIT_SQ_ENTRIES] = (struct sqe){.opcode = OPCODE_NOP};
        ring_publish(&shared.header.sq_tail, i + 1);
        assert_true(ring_is_single(&ring));
        assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    }
    ring_publish(&shared.header.sq_tail, LIMIT_CQ_ENTRIES + 1);
    assert_false(ring_is_single(&ring)); /* its completion has no place */
    ring_start();
    ring_publish(&shared.header.sq_tail, 2);
    assert_false(ring_is_single(&ring));
    ring_publish(&shared.header.sq_tail, 1);
    assert_true(ring_is_single(&ring));
    ring_fail_closed(&ring);
    assert_false(ring_is_single(&ring));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void no_frame_beyond_the_bitmap_is_free(void **state)
{
    struct frame_bitmap bitmap;
    uint64_t words[4];

    (void)state;
    assert_int_equal(frame_bitmap_init(&bitmap, words, ARRAY_COUNT(words), 100), STATUS_OK);
    assert_int_equal(frame_bitmap_add_free_range(&bitmap, 0, 100), STATUS_OK);
    assert_true(frame_bitmap_is_free(&bitmap, 99));
    assert_false(frame_bitmap_is_free(&bitmap, 100));
    assert_false(frame_bitmap_is_free(&bitmap, UINT64_MAX));
}

static void an_object_larger_than_a_page_has_no_cache(void **state)
{
    struct slab_cache cache;
    struct slab_config config = {.object_size = UINT32_MAX, .object_align = 8, .page_size = 4096};

    (void)state;
    assert_int_equal(slab_init(&cache, &config), STATUS_TOO_LARGE);
    config.object_size = 4097;
    assert_int_equal(slab_init(&cache, &config), STATUS_TOO_LARGE);
}

static void a_cache_with_a_free_object_needs_no_page(void **state)
{
    static _Alignas(4096) uint8_t page[4096];
    const struct slab_config config = {.object_size = 64, .object_align = 8, .page_size = 4096};
    struct slab_cache cache;
    void *object;

    (void)state;
    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    assert_int_equal(slab_alloc(&cache, &object), STATUS_NO_MEMORY);
    assert_int_equal(slab_add_page(&cache, page), STATUS_OK);
    assert_int_equal(slab_alloc(&cache, &object), STATUS_OK); /* an empty page */
    assert_int_equal(slab_alloc(&cache, &object), STATUS_OK); /* one in part */
}

/* ---- what a loader says, and text ------------------------------------------------------------ */

static struct boot_info info;

static void range_add(uint64_t start, uint64_t length, enum boot_range_type type)
{
    const struct boot_range range = {.start = start, .length = length, .type = type};

    assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
}

static void a_full_memory_map_cuts_no_range(void **state)
{
    const uint64_t last = 32 * (BOOT_RANGES_MAX - 1);

    (void)state;
    for (unsigned offset = 0; offset <= 8; offset += 8) { /* its second half, and its first */
        struct boot_range range = {.start = last + offset, .length = 8, .type = BOOT_RANGE_BAD};

        boot_info_init(&info, BOOT_SOURCE_HOST);
        for (uint64_t i = 0; i < BOOT_RANGES_MAX; i++) {
            range_add(i * 32, 16, BOOT_RANGE_USABLE);
        }
        assert_int_equal(boot_info_add_range(&info, &range), BOOT_ERROR_TOO_MANY_RANGES);
    }
}

static void memory_is_covered_by_what_the_map_says(void **state)
{
    (void)state;
    boot_info_init(&info, BOOT_SOURCE_HOST);
    range_add(100, 10, BOOT_RANGE_USABLE);
    range_add(110, 10, BOOT_RANGE_USABLE); /* joined to the first: its place is used no more */
    assert_int_equal(info.range_count, 1);
    assert_true(boot_info_covers(&info, 100, 20, BOOT_RANGE_USABLE));
    assert_false(boot_info_covers(&info, 100, 21, BOOT_RANGE_USABLE));
    assert_false(boot_info_covers(&info, 100, 0, BOOT_RANGE_USABLE));
    assert_false(boot_info_covers(&info, 130, 1, BOOT_RANGE_USABLE)); /* behind every range */
    assert_false(boot_info_covers(&info, 100, 20, BOOT_RANGE_RESERVED));
    assert_false(boot_info_covers(&info, 99, 2, BOOT_RANGE_USABLE)); /* from a hole on */
}

static void a_manifest_of_two_segments_is_no_manifest(void **state)
{
    static const uint8_t two[4] = {1, 0, 0, 0};
    static struct manifest manifest;

    (void)state;
    assert_int_equal(manifest_open(two, sizeof(two), &manifest), MANIFEST_ERROR_NOT_FRAMED);
    assert_string_equal(manifest.refusal.detail, capn_status_text(CAPN_TOO_MANY_SEGMENTS));
}

static void names_are_of_few_characters(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char c = (char)i;
        bool good = (i >= 'a' && i <= 'z') || (i >= '0' && i <= '9') || i == '_' || i == '-';

        assert_int_equal(manifest_name_is_valid((struct capn_text){&c, 1}), good);
    }
}

static void a_width_that_is_given_stays_on_the_left(void **state)
{
    char text[16];

    (void)state;
    (void)format_text(text, sizeof(text), "%-*d|", 5, 42);
    assert_string_equal(text, "42   |");
    (void)format_text(text, sizeof(text), "%*d|", -5, 42);
    assert_string_equal(text, "42   |");
    (void)format_text(text, sizeof(text), "%*d|", 5, 42);
    assert_string_equal(text, "   42|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dead_neither_give_nor_take),
        cmocka_unit_test(a_ledger_is_over_when_nothing_is_left_of_it),
        cmocka_unit_test(a_closed_ledger_with_children_is_not_over),
        cmocka_unit_test(a_call_waits_when_every_token_is_out),
        cmocka_unit_test(a_receiver_beyond_the_limit_finds_no_place),
        cmocka_unit_test(an_answer_beyond_the_table_is_unknown),
        cmocka_unit_test(a_promise_is_of_its_whole_path),
        cmocka_unit_test(a_wake_up_is_for_its_own_space),
        cmocka_unit_test(nobody_runs_from_an_empty_queue),
        cmocka_unit_test(an_empty_bundle_has_no_first),
        cmocka_unit_test(drops_beyond_their_room_do_not_fit),
        cmocka_unit_test(a_budget_lies_within_its_period),
        cmocka_unit_test(nobody_lends_to_itself),
        cmocka_unit_test(an_impossible_head_takes_nothing),
        cmocka_unit_test(an_entry_is_single_only_if_it_can_be_answered),
        cmocka_unit_test(no_frame_beyond_the_bitmap_is_free),
        cmocka_unit_test(an_object_larger_than_a_page_has_no_cache),
        cmocka_unit_test(a_cache_with_a_free_object_needs_no_page),
        cmocka_unit_test(a_full_memory_map_cuts_no_range),
        cmocka_unit_test(memory_is_covered_by_what_the_map_says),
        cmocka_unit_test(a_manifest_of_two_segments_is_no_manifest),
        cmocka_unit_test(names_are_of_few_characters),
        cmocka_unit_test(a_width_that_is_given_stays_on_the_left),
    };

    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
