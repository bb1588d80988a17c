/* SPDX-License-Identifier: MIT */
/*
 * A model of Cap'n Proto objects for the tests: a tree made at random, which can be built with the
 * runtime, held against what the runtime reads, and sized by the public size functions alone.
 */
#ifndef TESTS_HOST_CAPN_TREE_H
#define TESTS_HOST_CAPN_TREE_H

#include "tests/host/support.h"

#include "capnp/runtime/capn.h"

enum capn_tree_kind { TREE_NULL, TREE_STRUCT, TREE_LIST, TREE_STRUCT_LIST, TREE_CAPABILITY };

struct capn_tree {
    enum capn_tree_kind kind;
    enum capn_element_size element; /* of a TREE_LIST */
    struct capn_size size;          /* of a struct, or of each in a list of structs */
    uint32_t count;                 /* elements; 1 for a struct */
    uint32_t capability;
    uint8_t *data;               /* the elements' data, one after the other */
    struct capn_tree **children; /* the elements' pointers, likewise */
};

struct capn_tree_options {
    uint32_t depth;
    bool no_capabilities;
};

/* A tree at random; free it with capn_tree_free. */
struct capn_tree *capn_tree_random(struct test_random *random, struct capn_tree_options options);
void capn_tree_free(struct capn_tree *tree);

/* Pointers per element, bytes of data per element (0 for bits). */
uint32_t capn_tree_pointers(const struct capn_tree *tree);
uint32_t capn_tree_data_bytes(const struct capn_tree *tree);

/* Builds the tree behind `to`, with the typed setters. Refusals stay in the builder. */
void capn_tree_build(const struct capn_tree *tree, struct capn_pointer_builder to);

/* Fails the test unless what is behind `from` is the tree. */
void capn_tree_compare(const struct capn_tree *tree, struct capn_pointer from);

/* Words of all its objects, by the capn_*_words functions. */
uint64_t capn_tree_words(const struct capn_tree *tree);

/* Memory of `words` words with a guard on both sides, filled with a pattern. */
struct capn_guarded {
    uint8_t *memory;
    uint8_t *bytes;
    size_t length;
};
struct capn_guarded capn_guarded_make(uint64_t words);
/* Fails the test when a byte outside of the first `used` was written. */
void capn_guarded_check(const struct capn_guarded *guarded, uint64_t used_words);
void capn_guarded_free(struct capn_guarded *guarded);

#endif
