/* SPDX-License-Identifier: MIT */
/*
 * What refuses nothing and is needed nevertheless, each by itself: a first value written over
 * memory that had another, the step behind the last element that is not taken, a choice that 0
 * stands for, what is told beside a result. The case's name is what would be lost.
 */
#include "tests/host/support.h"

#include "core/endpoint.h"
#include "core/frame_bitmap.h"
#include "core/ledger.h"
#include "core/park.h"
#include "core/run_queue.h"
#include "core/sched_context.h"
#include "core/transfer.h"
#include "core/log_limit.h"
#include "core/offence.h"
#include "core/slab.h"
#include "core/status.h"
#include "core/uses.h"
#include "tests/host/slot_pages.h"

#include "tests/host/answer_fixture.h"
#include "tests/host/ring_memory.h"

/* ---- rings ----------------------------------------------------------------------------------- */

static void submissions_show(uint32_t tail)
{
    ring_publish(&shared.header.sq_tail, tail);
}

static void entries_are_acceptable_as_far_as_completions_have_places(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_start();
    assert_int_equal(ring_acceptable(&ring), 0);
    submissions_show(LIMIT_SQ_ENTRIES);
    assert_int_equal(ring_acceptable(&ring), LIMIT_SQ_ENTRIES);
    submissions_show(LIMIT_SQ_ENTRIES + 1); /* more than the queue has */
    assert_int_equal(ring_acceptable(&ring), 0);
    for (uint32_t i = 0; i < LIMIT_CQ_ENTRIES - 1; i++) {
        sq()[i % LIMIT_SQ_ENTRIES] = (struct sqe){.opcode = OPCODE_NOP};
        submissions_show(i + 1);
        assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    }
    submissions_show(LIMIT_CQ_ENTRIES + 2);
    assert_int_equal(ring_acceptable(&ring), 1);
    ring_fail_closed(&ring);
    assert_int_equal(ring_acceptable(&ring), 0);
}

static void a_full_ring_is_repaired(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_start();
    submissions_show(LIMIT_SQ_ENTRIES + 1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_CORRUPT);
    submissions_show(LIMIT_SQ_ENTRIES);
    ring_publish(&shared.header.corrupt, 0);
    assert_true(ring_repair(&ring));
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
}

/* The short ways look at entries before they take them. */
static void the_entries_of_a_small_ring_come_again(void **state)
{
    struct ring_sizes sizes = {.sq_entries = LIMIT_SQ_ENTRIES_MIN,
                               .cq_entries = LIMIT_CQ_ENTRIES_MIN};

    (void)state;
    memset(&shared, 0, sizeof(shared));
    assert_true(ring_sizes_settle(&sizes));
    ring_init(&ring, &sizes,
              (struct ring_memory){.header = &shared.header, .sq = sq(), .cq = cq()});
    for (uint32_t i = 0; i < 3 * LIMIT_SQ_ENTRIES_MIN; i++) {
        assert_ptr_equal(ring_peek(&ring, i), &sq()[i % LIMIT_SQ_ENTRIES_MIN]);
        assert_ptr_equal(ring_post_place(&ring, i), &cq()[i % LIMIT_CQ_ENTRIES_MIN]);
    }
}

/* A ring of which one submission was taken and completed. */
static void ring_of_one(void)
{
    struct sqe sqe;

    ring_start();
    submissions_show(1);
    assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    ring_post(&ring, &(struct cqe){.user_data = 1});
}

/* Invariant 3 of core/ring.c. */
static void of_a_corrupt_ring_no_index_is_believed(void **state)
{
    (void)state;
    ring_of_one();
    assert_int_equal(ring_completions(&ring), 1);
    ring_fail_closed(&ring);
    ring_publish(&shared.header.cq_head, 1);
    assert_int_equal(ring_completions(&ring), 1);
    assert_int_equal(ring.cq_head, 0);
}

static void a_completion_counts_when_it_is_shown(void **state)
{
    struct sqe sqe;

    (void)state;
    ring_start();
    for (uint32_t i = 0; i < 2; i++) {
        sq()[i] = (struct sqe){.opcode = OPCODE_NOP};
        submissions_show(i + 1);
        assert_int_equal(ring_take(&ring, &sqe), RING_TAKE_ENTRY);
    }
    ring_post(&ring, &(struct cqe){.user_data = 1});
    atomic_store_relaxed_u32(&ring.cq_tail, 2); /* another CPU is between its two stores */
    assert_int_equal(ring_completions(&ring), 1);
    ring_posted(&ring, 2);
    assert_int_equal(ring_completions(&ring), 2);
}

/* The index that shows completions lies in the user's pages too. */
static void nobody_is_shown_more_than_was_posted(void **state)
{
    (void)state;
    ring_of_one();
    ring_publish(&shared.header.cq_tail, 7);
    assert_int_equal(ring_completions(&ring), 1);
    ring_publish(&shared.header.cq_tail, 0);
    assert_int_equal(ring_completions(&ring), 0);
}

static void a_malformed_entry_is_told_with_reason_and_limit(void **state)
{
    struct sqe sqe = {.opcode = OPCODE_COUNT};
    struct refusal refusal;

    (void)state;
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_OPCODE);
    assert_int_equal(refusal.reason, -TRANSPORT_BAD_OPCODE);
    assert_int_equal(refusal.argument, ARGUMENT_OPCODE);
    assert_int_equal(refusal.amount, OPCODE_COUNT);
    sqe = (struct sqe){.opcode = OPCODE_CALL, .cap = {1}, .transfers = LIMIT_TRANSFERS + 1};
    assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
    assert_int_equal(refusal.reason, -TRANSPORT_TOO_LARGE);
    assert_int_equal(refusal.argument, ARGUMENT_TRANSFERS);
    assert_int_equal(refusal.amount, LIMIT_TRANSFERS + 1);
    assert_int_equal(refusal.limit, LIMIT_TRANSFERS);
}

/* ---- answers and endpoints ------------------------------------------------------------------- */

static void an_answer_behind_the_table_is_not_kept(void **state)
{
    struct cap_id cap;

    (void)state;
    table_make(LIMIT_ANSWERS);
    (void)opened(id_make(7, 1));
    table.memory.answer_count = 7; /* what lies behind a smaller table looks like one of its own */
    assert_int_equal(target_of(id_make(7, 1), 1, 0, &cap), ANSWER_TARGET_UNKNOWN);
    assert_int_equal(answer_finish(&table, id_make(7, 1)), TRANSPORT_BAD_ANSWER);
}

static void an_answer_without_a_capability_holds_none(void **state)
{
    struct answer_released released;
    struct answer *answer;

    (void)state;
    table_make(LIMIT_ANSWERS);
    answer = opened(id_make(3, 1));
    answer_at_once(&table, answer, 0, (struct cap_id){77});
    assert_int_equal(answer->held, 0);
    assert_int_equal(answer_finish_release(&table, id_make(3, 1), &released), TRANSPORT_OK);
    assert_int_equal(released.count, 0);
}

static void every_error_breaks_an_answer(void **state)
{
    (void)state;
    for (int32_t result = -1; result > -64; result--) {
        struct cqe completion = {.result = result};

        table_make(LIMIT_ANSWERS);
        assert_true(answer_decide(&table, opened(id_make(3, 1)), &completion));
        assert_int_equal(answers[3].state, ANSWER_BROKEN);
    }
}

static void messages_are_of_whole_words(void **state)
{
    (void)state;
    for (uint32_t bytes = 1; bytes <= 64; bytes++) {
        struct endpoint_limits limits = {.message_bytes = bytes, .queue_length = 1};

        assert_int_equal(endpoint_limits_valid(&limits), bytes % 8 == 0);
    }
}

static void an_endpoint_may_ask_for_as_many_capabilities_as_there_may_be(void **state)
{
    struct endpoint_limits limits = {.message_bytes = 8,
                                     .capabilities = LIMIT_ENDPOINT_CAPABILITIES,
                                     .queue_length = LIMIT_ENDPOINT_QUEUE};

    (void)state;
    assert_true(endpoint_limits_valid(&limits));
}

static void whatever_an_endpoint_has_left_is_found(void **state)
{
    static struct endpoint_queues queues;
    struct endpoint_limits limits = {.message_bytes = 8, .queue_length = 4};
    struct endpoint_record call[2] = {{.token_slot = 0}, {.token_slot = 0}};
    struct endpoint_record receiver = {.token_slot = 0};
    struct endpoint_record other = {.token_slot = 0};
    struct endpoint_match match;

    (void)state;
    endpoint_queues_init(&queues, &limits);
    assert_null(endpoint_any(&queues));
    assert_true(endpoint_add_receiver(&queues, &receiver));
    assert_true(endpoint_add_call(&queues, &call[0]));
    assert_int_equal(endpoint_match(&queues, &match), ENDPOINT_DELIVERS_CALL);
    assert_ptr_equal(endpoint_any(&queues), &call[0]);
    assert_true(endpoint_add_receiver(&queues, &other));
    assert_ptr_equal(endpoint_any(&queues), &other);
    assert_true(endpoint_add_call(&queues, &call[1]));
    assert_ptr_equal(endpoint_any(&queues), &call[1]);
    for (unsigned left = 3; left > 0; left--) {
        assert_null(endpoint_remove(&queues, endpoint_any(&queues)));
    }
    assert_null(endpoint_any(&queues));
}

/* ---- capabilities beside a message ----------------------------------------------------------- */

enum {
    ITEMS = 3,
};

static void items_begin_empty_whatever_was_in_their_memory(void **state)
{
    struct transfer_item items[ITEMS];
    struct transfer_pool pool;
    struct transfer_bundle bundle;
    struct grant_node above = {.depth = 1};
    struct transfer_search search = {.item = items, .count = ITEMS};
    struct hold_edge edge;

    (void)state;
    memset(items, 0xff, sizeof(items));
    memset(&pool, 0xff, sizeof(pool));
    transfer_pool_init(&pool, items, ITEMS);
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i].edge.grant = &above; /* of an edge that was here before */
    }
    assert_false(transfer_bury_next(&search, &above, &edge));
    assert_int_equal(transfer_pool_take(&pool, ITEMS, &bundle), TRANSPORT_OK);
    assert_null(pool.free);
    assert_int_equal(pool.free_count, 0);
}

static void a_bundle_is_as_long_as_it_says(void **state)
{
    struct transfer_item items[ITEMS + 1];
    struct transfer_bundle bundle;
    unsigned length = 0;

    (void)state;
    memset(items, 0, sizeof(items));
    transfer_bundle_make(&bundle, items, ITEMS);
    for (const struct transfer_item *item = bundle.first; item != NULL; item = item->next) {
        assert_ptr_equal(item, &items[length]);
        length++;
    }
    assert_int_equal(length, ITEMS);
    assert_int_equal(bundle.count, ITEMS);
    assert_null(items[ITEMS].next);
}

static void the_descriptor_that_moves_again_is_named(void **state)
{
    static struct cap_table from;
    static int object;
    const struct hold_edge edge = {
        .object = &object, .facet = CAP_FACET_ALL, .mode = EDGE_MODE_MOVE, .grantable = 1};
    struct transfer descriptor[ITEMS];
    struct transfer_request request = {.descriptor = descriptor};
    struct transfer_item items[ITEMS];
    struct transfer_bundle bundle;
    struct hold_edge removed;
    struct cap_id one;
    struct cap_id other;
    uint32_t refused = UINT32_MAX;
    uint32_t cursor = 0;

    (void)state;
    cap_table_init(&from, 4, slot_memory(NULL));
    assert_int_equal(cap_table_insert(&from, &edge, NULL, &one), TRANSPORT_OK);
    assert_int_equal(cap_table_insert(&from, &edge, NULL, &other), TRANSPORT_OK);
    descriptor[0] = (struct transfer){.cap = one, .mode = TRANSFER_MOVE};
    descriptor[1] = (struct transfer){.cap = one, .mode = TRANSFER_MOVE};
    descriptor[2] = (struct transfer){.cap = other, .mode = TRANSFER_MOVE};
    memset(items, 0, sizeof(items));
    transfer_bundle_make(&bundle, items, ITEMS);
    assert_int_equal(transfer_begin(&from, &request, &bundle, &refused), TRANSPORT_STALE_CAP);
    assert_int_equal(refused, 1);
    while (cap_table_remove_next(&from, &cursor, &removed)) {
    }
    cap_table_free(&from);
}

/* A copy that a revoke has emptied has no references to drop. */
static void of_an_emptied_copy_nothing_is_dropped(void **state)
{
    static struct cap_table from;
    struct transfer_item item = {.next = NULL};
    struct transfer_bundle bundle;
    struct transfer_drops drops = {.count = 0};

    (void)state;
    transfer_bundle_make(&bundle, &item, 1);
    transfer_cancel(&from, &bundle, &drops);
    assert_int_equal(drops.count, 0);
    item.edge.object = &from;
    transfer_cancel(&from, &bundle, &drops);
    assert_int_equal(drops.count, 1);
    assert_null(item.edge.object);
}

/* Pages that are not there are one step each, so that the cursor is further than the steps. */
static void a_revoke_stops_where_its_steps_end(void **state)
{
    static struct cap_table within;
    static int object;
    struct grant_tree tree;
    struct grant_node node;
    struct hold_edge edge = {.object = &object, .epoch = 1};
    struct cap_id id;
    uint32_t steps = CAP_TABLE_WINDOW / CAP_TABLE_PAGE_SLOTS + 2;
    uint32_t cursor = 0;
    bool found = true;

    (void)state;
    grant_tree_init(&tree);
    assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
    cap_table_init(&within, 4, slot_memory(NULL));
    assert_int_equal(cap_table_insert(&within, &edge, NULL, &id), TRANSPORT_OK);
    edge.grant = &node;
    assert_int_equal(cap_table_insert(&within, &edge, NULL, &id), TRANSPORT_OK);
    assert_true(cap_table_bury_next(&within, &cursor, steps, &node, &edge, &found));
    assert_false(found);
    assert_int_equal(cursor, CAP_TABLE_WINDOW + 1);
    cursor = 0;
    while (cap_table_remove_next(&within, &cursor, &edge)) {
    }
    cap_table_free(&within);
}

/* ---- waiting, running, revoking -------------------------------------------------------------- */

static void who_is_woken_is_nobodys_first(void **state)
{
    struct park_bucket bucket;
    struct park_waiter waiter[2] = {{.first = false}, {.first = false}};
    const struct park_key key = {.space = 1, .address = 64};

    (void)state;
    park_bucket_init(&bucket, 1);
    park_add(&bucket, &waiter[0], key);
    park_add(&bucket, &waiter[1], key);
    assert_ptr_equal(park_take(&bucket, key), &waiter[0]);
    assert_false(waiter[0].first);
    assert_true(waiter[1].first);
    assert_ptr_equal(park_take(&bucket, key), &waiter[1]);
    assert_false(waiter[1].first);
}

/* True is said to whoever set the mark, whatever else the node is. */
static void who_revokes_first_is_told(void **state)
{
    struct grant_tree tree;
    struct grant_node node;

    (void)state;
    grant_tree_init(&tree);
    assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
    grant_splice(&node);
    assert_true(grant_revoke(&node));
    assert_false(grant_walk(&node));
    assert_int_equal(tree.epoch, 2);
    assert_false(grant_revoke(&node));
    assert_int_equal(tree.epoch, 2);
}

static void an_empty_queue_has_nobody_whatever_was_in_its_memory(void **state)
{
    struct run_queue queue;
    struct run_node node = {.queued = false};

    (void)state;
    memset(&queue, 0xff, sizeof(queue));
    run_queue_init(&queue);
    assert_int_equal(run_queue_check(&queue), 0);
    assert_int_equal(queue.count, 0);
    run_queue_push_back(&queue, &node, RUN_PRIORITIES - 1);
    assert_ptr_equal(run_queue_pop(&queue), &node);
}

static void without_a_budget_nothing_is_owed(void **state)
{
    struct sched_context context;

    (void)state;
    sched_context_init(&context, 0, 0, 0);
    sched_context_charge(&context, 1000);
    assert_int_equal(context.used_ns, 1000);
    assert_int_equal(context.debt_ns, 0);
    assert_true(sched_context_left(&context) == SCHED_UNLIMITED);
    sched_context_init(&context, 10, 20, 0);
    sched_context_charge(&context, 25);
    assert_int_equal(context.debt_ns, 15);
    sched_context_change(&context, 0, 0, 5);
    assert_int_equal(context.debt_ns, 0);
    assert_int_equal(context.used_ns, 25);
}

/* A piece of work lies in memory that was one before, and a revocation has counted that. */
static void work_begun_again_is_counted_again(void **state)
{
    struct grant_tree tree;
    struct grant_node node;
    struct uses list;
    struct use work;
    struct uses_sweep sweep = {.waits = false};
    struct use *awaited = NULL;
    uint32_t found = 0;

    (void)state;
    grant_tree_init(&tree);
    assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
    uses_init(&list);
    memset(&work, 0xff, sizeof(work));
    list_node_init(&work.node);
    for (unsigned time = 1; time < 4; time++) {
        uses_add(&list, &work, &node);
        assert_int_equal(uses_sweep(&list, &sweep, &node, &found, &awaited), USES_WAITS);
        assert_ptr_equal(awaited, &work);
        assert_int_equal(found, time);
        uses_remove(&work);
        assert_int_equal(uses_sweep(&list, &sweep, &node, &found, &awaited), USES_OVER);
        assert_true(list_is_empty(&list.nodes));
    }
}

/* The second pass waits at the first piece: only the first counts those behind it. */
static void a_sweep_used_again_counts_before_it_waits(void **state)
{
    struct grant_tree tree;
    struct grant_node node;
    struct uses list;
    struct use work[2] = {{.found = false}, {.found = false}};
    struct uses_sweep sweep = {.waits = false};
    struct use *awaited = NULL;
    uint32_t found = 0;

    (void)state;
    grant_tree_init(&tree);
    assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
    uses_init(&list);
    assert_int_equal(uses_sweep(&list, &sweep, &node, &found, &awaited), USES_OVER);
    uses_add(&list, &work[0], &node);
    uses_add(&list, &work[1], &node);
    assert_int_equal(uses_sweep(&list, &sweep, &node, &found, &awaited), USES_WAITS);
    assert_int_equal(found, 2);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void a_bitmap_writes_the_words_that_it_needs(void **state)
{
    struct frame_bitmap bitmap;
    uint64_t words[8];
    uint64_t needed = frame_bitmap_words_needed(130);

    (void)state;
    assert_in_range(needed, 3, ARRAY_COUNT(words) - 1);
    memset(words, 0, sizeof(words));
    assert_int_equal(frame_bitmap_init(&bitmap, words, ARRAY_COUNT(words), 130), STATUS_OK);
    assert_true(words[needed - 1] != 0);
    assert_true(words[needed] == 0);
}

static void a_bitmap_has_room_for_all_memory_and_no_more(void **state)
{
    (void)state;
    assert_true(frame_bitmap_words_needed(FRAME_BITMAP_FRAMES_MAX) != 0);
    assert_true(frame_bitmap_words_needed(FRAME_BITMAP_FRAMES_MAX + 1) == 0);
    assert_true(frame_bitmap_words_needed(0) == 0);
}

static void no_frames_are_added_or_taken(void **state)
{
    struct frame_bitmap bitmap;
    uint64_t words[4];

    (void)state;
    assert_int_equal(frame_bitmap_init(&bitmap, words, ARRAY_COUNT(words), 100), STATUS_OK);
    for (uint64_t first = 0; first <= 100; first++) {
        assert_int_equal(frame_bitmap_add_free_range(&bitmap, first, 0), STATUS_OK);
        assert_int_equal(frame_bitmap_mark_used(&bitmap, first, 0), STATUS_OK);
        assert_int_equal(frame_bitmap_free_contiguous(&bitmap, first, 0), STATUS_OK);
    }
    assert_int_equal(bitmap.free_count, 0);
    assert_int_equal(frame_bitmap_check(&bitmap), 0);
}

static void a_ledger_out_of_the_tree_has_no_parent(void **state)
{
    struct ledger_amounts total = {.amount = {10, 10}};
    struct ledger root;
    struct ledger child;

    (void)state;
    ledger_init_root(&root, &total);
    ledger_init_child(&child, &root);
    ledger_close(&child);
    assert_false(ledger_close_step(&child));
    ledger_detach(&child);
    assert_null(child.parent);
    assert_true(list_is_empty(&root.children));
}

static void the_most_that_was_used_is_not_forgotten(void **state)
{
    struct ledger_amounts total = {.amount = {10, 10}};
    struct ledger root;

    (void)state;
    ledger_init_root(&root, &total);
    assert_int_equal(ledger_charge(&root, 0, 5, NULL), STATUS_OK);
    ledger_release(&root, 0, 5);
    assert_int_equal(ledger_charge(&root, 0, 2, NULL), STATUS_OK);
    assert_int_equal(root.line[0].peak, 5);
    assert_int_equal(ledger_charge_most(&root, 0, 1), 1);
    assert_int_equal(root.line[0].peak, 5);
    assert_int_equal(ledger_charge_most(&root, 0, 6), 6);
    assert_int_equal(root.line[0].peak, 9);
}

static void a_page_that_was_taken_back_has_no_objects(void **state)
{
    static _Alignas(SLAB_PAGE_SIZE_MIN) uint8_t page[SLAB_PAGE_SIZE_MIN];
    const struct slab_config config = {
        .object_size = 64, .object_align = 8, .page_size = SLAB_PAGE_SIZE_MIN};
    struct slab_cache cache;
    void *object = NULL;

    (void)state;
    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    assert_int_equal(slab_add_page(&cache, page), STATUS_OK);
    assert_int_equal(slab_alloc(&cache, &object), STATUS_OK);
    assert_int_equal(slab_free(&cache, object), STATUS_OK);
    assert_int_equal(slab_free(&cache, object), STATUS_NOT_ALLOCATED);
    assert_ptr_equal(slab_take_empty_page(&cache), page);
    assert_int_equal(slab_free(&cache, object), STATUS_INVALID_ARGUMENT);
}

/* ---- what is counted and told ---------------------------------------------------------------- */

static void who_offends_without_end_stays_throttled(void **state)
{
    struct offence_meter meter;

    (void)state;
    offence_init(&meter);
    assert_false(offence_note(&meter, 1).throttled);
    meter.total = UINT64_C(1) << 40;
    meter.in_window = UINT32_MAX;
    assert_true(offence_note(&meter, 2).throttled);
    assert_int_equal(offence_check(&meter), 0);
}

static void lines_left_out_are_counted_to_the_end(void **state)
{
    struct log_limit limit;
    uint64_t suppressed;

    (void)state;
    log_limit_init(&limit, 10, 1);
    assert_true(log_limit_admit(&limit, 1, &suppressed));
    limit.suppressed = UINT64_MAX;
    assert_false(log_limit_admit(&limit, 2, &suppressed));
    assert_true(log_limit_admit(&limit, 12, &suppressed));
    assert_true(suppressed == UINT64_MAX);
}

/* Names come with a length: what stands behind a NUL counts as well. */
static void a_text_with_a_nul_in_it_matches_nothing(void **state)
{
    static const char text[4] = {'a', 'b', 0, 0};

    (void)state;
    assert_true(string_matches(text, 2, text));
    assert_false(string_matches(text, 1, text));
    assert_false(string_matches(text, 3, text));
}

static void what_is_no_status_has_no_text(void **state)
{
    (void)state;
    assert_string_equal(status_text(STATUS_COUNT), status_text((enum status)999));
    assert_string_not_equal(status_text(STATUS_COUNT - 1), status_text((enum status)999));
}

static void a_node_that_is_taken_out_names_nobody(void **state)
{
    struct list list;
    struct list_node node = {.next = NULL};

    (void)state;
    list_init(&list);
    list_push_back(&list, &node);
    list_remove(&node);
    assert_null(node.next);
    assert_null(node.previous);
    assert_true(list_is_empty(&list));
}

static void a_step_names_the_process_it_came_from(void **state)
{
    static const char name[LIMIT_NAME_BYTES] = "giver";
    struct provenance step = {.method = 7, .origin = EDGE_ORIGIN_RESULT};
    struct provenance copy;
    uint64_t largest = (UINT64_C(1) << 40) - 1;

    (void)state;
    provenance_from(&step, largest, name);
    assert_true(step.from_pid == largest);
    assert_memory_equal(step.from_name, name, sizeof(name));
    assert_int_equal(step.method, 7);
    assert_int_equal(step.origin, EDGE_ORIGIN_RESULT);
    step.detail = 9;
    step.at_ns = 11;
    memset(&copy, 0, sizeof(copy));
    provenance_copy(&copy, &step, (struct cap_id){13});
    assert_true(copy.from_pid == largest);
    assert_memory_equal(copy.from_name, name, sizeof(name));
    assert_int_equal(copy.method, 7);
    assert_int_equal(copy.origin, EDGE_ORIGIN_RESULT);
    assert_int_equal(copy.detail, 9);
    assert_true(copy.from_cap.raw == 13 && copy.at_ns == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_acceptable_as_far_as_completions_have_places),
        cmocka_unit_test(a_full_ring_is_repaired),
        cmocka_unit_test(the_entries_of_a_small_ring_come_again),
        cmocka_unit_test(of_a_corrupt_ring_no_index_is_believed),
        cmocka_unit_test(a_completion_counts_when_it_is_shown),
        cmocka_unit_test(nobody_is_shown_more_than_was_posted),
        cmocka_unit_test(a_malformed_entry_is_told_with_reason_and_limit),
        cmocka_unit_test(an_answer_behind_the_table_is_not_kept),
        cmocka_unit_test(an_answer_without_a_capability_holds_none),
        cmocka_unit_test(every_error_breaks_an_answer),
        cmocka_unit_test(messages_are_of_whole_words),
        cmocka_unit_test(an_endpoint_may_ask_for_as_many_capabilities_as_there_may_be),
        cmocka_unit_test(whatever_an_endpoint_has_left_is_found),
        cmocka_unit_test(items_begin_empty_whatever_was_in_their_memory),
        cmocka_unit_test(a_bundle_is_as_long_as_it_says),
        cmocka_unit_test(the_descriptor_that_moves_again_is_named),
        cmocka_unit_test(of_an_emptied_copy_nothing_is_dropped),
        cmocka_unit_test(a_revoke_stops_where_its_steps_end),
        cmocka_unit_test(who_is_woken_is_nobodys_first),
        cmocka_unit_test(who_revokes_first_is_told),
        cmocka_unit_test(an_empty_queue_has_nobody_whatever_was_in_its_memory),
        cmocka_unit_test(without_a_budget_nothing_is_owed),
        cmocka_unit_test(work_begun_again_is_counted_again),
        cmocka_unit_test(a_sweep_used_again_counts_before_it_waits),
        cmocka_unit_test(a_bitmap_writes_the_words_that_it_needs),
        cmocka_unit_test(a_bitmap_has_room_for_all_memory_and_no_more),
        cmocka_unit_test(no_frames_are_added_or_taken),
        cmocka_unit_test(a_ledger_out_of_the_tree_has_no_parent),
        cmocka_unit_test(the_most_that_was_used_is_not_forgotten),
        cmocka_unit_test(a_page_that_was_taken_back_has_no_objects),
        cmocka_unit_test(who_offends_without_end_stays_throttled),
        cmocka_unit_test(lines_left_out_are_counted_to_the_end),
        cmocka_unit_test(a_text_with_a_nul_in_it_matches_nothing),
        cmocka_unit_test(what_is_no_status_has_no_text),
        cmocka_unit_test(a_node_that_is_taken_out_names_nobody),
        cmocka_unit_test(a_step_names_the_process_it_came_from),
    };

    return cmocka_run_group_tests_name("effects", tests, NULL, NULL);
}
