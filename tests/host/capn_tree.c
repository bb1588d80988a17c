/* SPDX-License-Identifier: MIT */
/* Random object trees; see capn_tree.h. Recursive, which tests may be. */
#include "tests/host/capn_tree.h"

#define GUARD_BYTES   64u
#define GUARD_PATTERN 0xa5

uint32_t capn_tree_pointers(const struct capn_tree *tree)
{
    if (tree->kind == TREE_LIST) {
        return tree->element == CAPN_ELEMENT_POINTER;
    }
    return tree->kind == TREE_STRUCT || tree->kind == TREE_STRUCT_LIST ? tree->size.pointers : 0;
}

uint32_t capn_tree_data_bytes(const struct capn_tree *tree)
{
    static const uint8_t bytes[8] = {0, 0, 1, 2, 4, 8, 0, 0};
    if (tree->kind == TREE_LIST) {
        return bytes[tree->element];
    }
    return tree->kind == TREE_STRUCT || tree->kind == TREE_STRUCT_LIST ? tree->size.data_words * 8u
                                                                       : 0;
}

static size_t data_length(const struct capn_tree *tree)
{
    if (tree->kind == TREE_LIST && tree->element == CAPN_ELEMENT_BIT) {
        return tree->count; /* one byte for each bit */
    }
    return (size_t)tree->count * capn_tree_data_bytes(tree);
}

static void *make(size_t length)
{
    void *memory = calloc(1, length == 0 ? 1 : length);
    assert_non_null(memory);
    return memory;
}

/* Sizes that are mostly small, sometimes zero, with data that is zero in many places. */
static void content_random(struct capn_tree *tree, struct test_random *random,
                           struct capn_tree_options options)
{
    size_t length = data_length(tree);
    tree->data = make(length);
    for (size_t i = 0; i < length; i++) {
        if (test_random_one_in(random, 3)) {
            tree->data[i] = (uint8_t)test_random_u64(random);
        }
        if (tree->kind == TREE_LIST && tree->element == CAPN_ELEMENT_BIT) {
            tree->data[i] &= 1;
        }
    }
    size_t pointers = (size_t)tree->count * capn_tree_pointers(tree);
    tree->children = make(pointers * sizeof(*tree->children));
    for (size_t i = 0; i < pointers; i++) {
        tree->children[i] = capn_tree_random(random, options);
    }
}

struct capn_tree *capn_tree_random(struct test_random *random, struct capn_tree_options options)
{
    struct capn_tree *tree = make(sizeof(*tree));
    if (options.depth == 0 || test_random_one_in(random, 5)) {
        return tree;
    }
    options.depth--;
    tree->size.data_words = (uint16_t)test_random_below(random, 4);
    tree->size.pointers = (uint16_t)test_random_below(random, 4);
    switch (test_random_below(random, 8)) {
    case 0:
        if (!options.no_capabilities) {
            tree->kind = TREE_CAPABILITY;
            tree->capability = (uint32_t)test_random_below(random, 10);
        }
        return tree;
    case 1:
    case 2:
        tree->kind = TREE_STRUCT_LIST;
        tree->count = (uint32_t)test_random_below(random, 5);
        break;
    case 3:
    case 4:
        tree->kind = TREE_LIST;
        tree->element = (enum capn_element_size)test_random_below(random, 7);
        tree->count = (uint32_t)test_random_below(random, 20);
        break;
    default:
        tree->kind = TREE_STRUCT;
        tree->count = 1;
        break;
    }
    content_random(tree, random, options);
    return tree;
}

void capn_tree_free(struct capn_tree *tree)
{
    for (size_t i = 0; i < (size_t)tree->count * capn_tree_pointers(tree); i++) {
        capn_tree_free(tree->children[i]);
    }
    free(tree->children);
    free(tree->data);
    free(tree);
}

/* ---- Building ---- */

static void struct_build(const struct capn_tree *tree, uint32_t index, struct capn_struct_builder s)
{
    const uint8_t *data = tree->data + (size_t)index * capn_tree_data_bytes(tree);
    for (uint16_t word = 0; word < tree->size.data_words && s.data_bytes != 0; word++) {
        uint64_t value = capn_load_u64(data + word * 8u);
        /* The value as it would be with some default, stored by the field sizes in turn. */
        switch (word % 4) {
        case 0:
            capn_set_u64(s, word * 8u, value ^ 0x1122334455667788u, 0x1122334455667788u);
            break;
        case 1:
            capn_set_u32(s, word * 8u, (uint32_t)value, 0);
            capn_set_i32(s, word * 8u + 4, (int32_t)(value >> 32) ^ -7, -7);
            break;
        case 2:
            for (unsigned i = 0; i < 4; i++) {
                capn_set_u16(s, word * 8u + i * 2, (uint16_t)((value >> i * 16) ^ 9u), 9);
            }
            break;
        default:
            for (unsigned i = 0; i < 64; i++) {
                capn_set_bool(s, word * 64u + i, (value >> i & 1) == 0, true);
            }
            break;
        }
    }
    for (uint16_t i = 0; i < tree->size.pointers; i++) {
        capn_tree_build(tree->children[(size_t)index * tree->size.pointers + i],
                        capn_set_pointer(s, i));
    }
}

static void element_build(const struct capn_tree *tree, uint32_t index,
                          struct capn_list_builder list)
{
    const uint8_t *data = tree->data + (size_t)index * capn_tree_data_bytes(tree);
    switch (tree->element) {
    case CAPN_ELEMENT_BIT:
        capn_list_set_bool(list, index, tree->data[index] != 0);
        break;
    case CAPN_ELEMENT_BYTE:
        capn_list_set_u8(list, index, data[0]);
        break;
    case CAPN_ELEMENT_TWO_BYTES:
        capn_list_set_u16(list, index, capn_load_u16(data));
        break;
    case CAPN_ELEMENT_FOUR_BYTES:
        capn_list_set_u32(list, index, capn_load_u32(data));
        break;
    case CAPN_ELEMENT_EIGHT_BYTES:
        capn_list_set_u64(list, index, capn_load_u64(data));
        break;
    case CAPN_ELEMENT_POINTER:
        capn_tree_build(tree->children[index], capn_list_set_pointer(list, index));
        break;
    default:
        break;
    }
}

void capn_tree_build(const struct capn_tree *tree, struct capn_pointer_builder to)
{
    struct capn_list_builder list;
    switch (tree->kind) {
    case TREE_NULL:
        break;
    case TREE_CAPABILITY:
        capn_write_capability(to, tree->capability);
        break;
    case TREE_STRUCT:
        struct_build(tree, 0, capn_init_struct(to, tree->size));
        break;
    case TREE_STRUCT_LIST:
        list = capn_init_struct_list(to, tree->count, tree->size);
        for (uint32_t i = 0; i < tree->count; i++) {
            struct_build(tree, i, capn_list_set_struct(list, i));
        }
        break;
    case TREE_LIST:
        list = capn_init_list(to, tree->element, tree->count);
        for (uint32_t i = 0; i < tree->count; i++) {
            element_build(tree, i, list);
        }
        break;
    }
}

/* ---- Comparing ---- */

static void struct_compare(const struct capn_tree *tree, uint32_t index, struct capn_struct s)
{
    const uint8_t *data = tree->data + (size_t)index * capn_tree_data_bytes(tree);
    for (uint32_t word = 0; word < tree->size.data_words; word++) {
        uint64_t expected = capn_load_u64(data + word * 8);
        assert_int_equal(capn_get_u64(s, word * 8, 5), expected ^ 5);
        assert_int_equal(capn_get_u32(s, word * 8 + 4, 0), (uint32_t)(expected >> 32));
        assert_int_equal(capn_get_u16(s, word * 8 + 2, 0), (uint16_t)(expected >> 16));
        assert_int_equal(capn_get_u8(s, word * 8 + 7, 0), (uint8_t)(expected >> 56));
        assert_int_equal(capn_get_bool(s, word * 64 + 9, true), (expected >> 9 & 1) == 0);
    }
    for (uint16_t i = 0; i < tree->size.pointers; i++) {
        capn_tree_compare(tree->children[(size_t)index * tree->size.pointers + i],
                          capn_get_pointer(s, i));
    }
}

static void element_compare(const struct capn_tree *tree, uint32_t index, struct capn_list list)
{
    const uint8_t *data = tree->data + (size_t)index * capn_tree_data_bytes(tree);
    switch (tree->element) {
    case CAPN_ELEMENT_BIT:
        assert_int_equal(capn_list_get_bool(list, index), tree->data[index]);
        break;
    case CAPN_ELEMENT_BYTE:
        assert_int_equal(capn_list_get_u8(list, index), data[0]);
        break;
    case CAPN_ELEMENT_TWO_BYTES:
        assert_int_equal(capn_list_get_u16(list, index), capn_load_u16(data));
        break;
    case CAPN_ELEMENT_FOUR_BYTES:
        assert_int_equal(capn_list_get_u32(list, index), capn_load_u32(data));
        break;
    case CAPN_ELEMENT_EIGHT_BYTES:
        assert_int_equal(capn_list_get_u64(list, index), capn_load_u64(data));
        break;
    case CAPN_ELEMENT_POINTER:
        capn_tree_compare(tree->children[index], capn_list_get_pointer(list, index));
        break;
    default:
        break;
    }
}

void capn_tree_compare(const struct capn_tree *tree, struct capn_pointer from)
{
    struct capn_list list;
    struct capn_struct s;
    switch (tree->kind) {
    case TREE_NULL:
        assert_true(capn_pointer_is_null(from));
        break;
    case TREE_CAPABILITY:
        assert_int_equal(capn_pointer_kind(from), CAPN_KIND_CAPABILITY);
        assert_int_equal(capn_read_capability(from), tree->capability);
        break;
    case TREE_STRUCT:
        assert_int_equal(capn_pointer_kind(from), CAPN_KIND_STRUCT);
        s = capn_read_struct(from, NULL);
        assert_int_equal(s.data_bytes, tree->size.data_words * 8);
        assert_int_equal(s.pointer_count, tree->size.pointers);
        struct_compare(tree, 0, s);
        break;
    case TREE_STRUCT_LIST:
        assert_int_equal(capn_pointer_kind(from), CAPN_KIND_LIST);
        list = capn_read_list(from, CAPN_ELEMENT_COMPOSITE, NULL);
        assert_int_equal(list.count, tree->count);
        for (uint32_t i = 0; i < tree->count; i++) {
            struct_compare(tree, i, capn_list_get_struct(list, i));
        }
        break;
    case TREE_LIST:
        list = capn_read_list(from, tree->element, NULL);
        assert_int_equal(list.count, tree->count);
        assert_int_equal(list.element_size, tree->element);
        for (uint32_t i = 0; i < tree->count; i++) {
            element_compare(tree, i, list);
        }
        break;
    }
    assert_int_equal(capn_reader_status(from.reader), CAPN_OK);
}

uint64_t capn_tree_words(const struct capn_tree *tree)
{
    uint64_t words = 0;
    if (tree->kind == TREE_STRUCT) {
        words = capn_struct_words(tree->size);
    } else if (tree->kind == TREE_STRUCT_LIST) {
        words = capn_struct_list_words(tree->count, tree->size);
    } else if (tree->kind == TREE_LIST) {
        words = capn_list_words(tree->element, tree->count);
    }
    for (size_t i = 0; i < (size_t)tree->count * capn_tree_pointers(tree); i++) {
        words += capn_tree_words(tree->children[i]);
    }
    return words;
}

/* ---- Guarded memory ---- */

struct capn_guarded capn_guarded_make(uint64_t words)
{
    struct capn_guarded guarded = {.length = (size_t)words * 8};
    /* One byte off: nothing may count on alignment. */
    guarded.memory = make(guarded.length + 2 * GUARD_BYTES + 1);
    memset(guarded.memory, GUARD_PATTERN, guarded.length + 2 * GUARD_BYTES + 1);
    guarded.bytes = guarded.memory + GUARD_BYTES + 1;
    return guarded;
}

void capn_guarded_check(const struct capn_guarded *guarded, uint64_t used_words)
{
    for (size_t i = 0; i <= GUARD_BYTES; i++) {
        assert_int_equal(guarded->memory[i], GUARD_PATTERN);
    }
    for (size_t i = (size_t)used_words * 8; i < guarded->length + GUARD_BYTES; i++) {
        assert_int_equal(guarded->bytes[i], GUARD_PATTERN);
    }
}

void capn_guarded_free(struct capn_guarded *guarded)
{
    free(guarded->memory);
}
