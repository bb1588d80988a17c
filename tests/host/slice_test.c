/* SPDX-License-Identifier: MIT */
/*
 * Slices against a model that lists the pages of each: chains of slices of slices, with requests
 * that are good, hostile, or just beside.
 */
#include "tests/host/support.h"

#include "core/slice.h"

enum {
    OBJECT_PAGES = 64,
    CHAINS = 4000,
    DEPTH = 6,
};

#define PAGE ((uint64_t)LIMIT_PAGE_BYTES)

struct model {
    uint64_t count;
    uint64_t page[OBJECT_PAGES]; /* of the object */
};

static struct test_random source;

static uint64_t below(uint64_t bound)
{
    return test_random_below(&source, bound);
}

/* Mostly pages near the model's; sometimes anything. */
static uint64_t number_any(uint64_t count)
{
    switch (below(6)) {
    case 0:
        return below(count + 2) * PAGE + below(3);
    case 1:
        return 0 - below(3) * PAGE;
    default:
        return below(count + 2) * PAGE;
    }
}

static enum status model_cut(const struct model *from, struct slice_range range, struct model *to)
{
    if (range.offset % PAGE != 0 || range.bytes % PAGE != 0) {
        return STATUS_MISALIGNED;
    }
    to->count = range.bytes / PAGE;
    for (uint64_t i = 0; i < to->count; i++) {
        uint64_t at = range.offset / PAGE + i;

        if (range.offset / PAGE > from->count || at >= from->count) {
            return STATUS_OUT_OF_RANGE;
        }
        to->page[i] = from->page[at];
    }
    return to->count == 0 ? STATUS_OUT_OF_RANGE : STATUS_OK;
}

static void compare(const struct hold_edge *edge, const struct model *model)
{
    struct slice slice = slice_of(edge->badge, OBJECT_PAGES);

    assert_int_equal(slice.pages, model->count);
    assert_int_equal(slice.first, model->page[0]);
    for (uint64_t i = 0; i < model->count + 3; i++) {
        uint64_t offset = i * PAGE + 4 * below(1024);
        uint64_t within = offset % PAGE;
        bool reached = slice_reach(edge->badge, &offset);

        assert_int_equal(reached, edge->badge == 0 || i < model->count);
        if (reached && i < model->count) {
            assert_int_equal(offset, model->page[i] * PAGE + within);
        }
    }
}

static void slices_are_what_was_cut(void **state)
{
    (void)state;
    test_random_init(&source, 11);
    for (unsigned chain = 0; chain < CHAINS; chain++) {
        struct hold_edge edge = {.object = &source,
                                 .interface_id = 7,
                                 .facet = below(UINT32_MAX),
                                 .epoch = below(100),
                                 .mode = (uint8_t)below(3),
                                 .grantable = (uint8_t)below(2),
                                 .flags = EDGE_CLOSE_ON_SPAWN};
        struct model model = {.count = OBJECT_PAGES};

        for (uint64_t i = 0; i < OBJECT_PAGES; i++) {
            model.page[i] = i;
        }
        compare(&edge, &model);
        for (unsigned depth = 0; depth < DEPTH; depth++) {
            struct slice_range range = {.offset = number_any(model.count)};
            struct hold_edge cut = {.object = NULL};
            struct model expected;

            range.bytes = number_any(model.count);
            assert_int_equal(slice_edge(&edge, OBJECT_PAGES, range, &cut),
                             model_cut(&model, range, &expected));
            if (cut.object == NULL) {
                continue;
            }
            compare(&cut, &expected);
            assert_int_equal(cut.facet, edge.facet);
            assert_int_equal(cut.epoch, edge.epoch);
            assert_int_equal(cut.mode, edge.mode);
            assert_int_equal(cut.grantable, edge.grantable);
            assert_int_equal(cut.flags, 0);
            assert_ptr_equal(cut.grant, edge.grant);
            edge = cut;
            model = expected;
        }
    }
}

/* The largest object has slices to its last page, and none beyond. */
static void the_largest_object(void **state)
{
    struct hold_edge whole = {.object = &source, .facet = CAP_FACET_ALL};
    struct hold_edge edge;
    struct slice_range range = {.offset = (LIMIT_OBJECT_PAGES - 1) * PAGE, .bytes = PAGE};
    uint64_t offset = 8;

    (void)state;
    assert_int_equal(slice_edge(&whole, LIMIT_OBJECT_PAGES, range, &edge), STATUS_OK);
    assert_true(slice_reach(edge.badge, &offset));
    assert_int_equal(offset, range.offset + 8);
    range.bytes = 2 * PAGE;
    assert_int_equal(slice_edge(&whole, LIMIT_OBJECT_PAGES, range, &edge), STATUS_OUT_OF_RANGE);
    range = (struct slice_range){.bytes = LIMIT_OBJECT_PAGES * PAGE};
    assert_int_equal(slice_edge(&whole, LIMIT_OBJECT_PAGES, range, &edge), STATUS_OK);
    assert_int_not_equal(edge.badge, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_what_was_cut),
        cmocka_unit_test(the_largest_object),
    };

    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
