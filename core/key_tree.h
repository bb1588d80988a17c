/* SPDX-License-Identifier: MIT */
/*
 * Records found by a 64-bit key that each has for itself, in at most 64 steps however many there
 * are: a binary digital search tree. Pure; the lock is the caller's. Theory in key_tree.c.
 */
#ifndef CORE_KEY_TREE_H
#define CORE_KEY_TREE_H

#include "abi/compiler.h"

/* A member of the record. */
struct key_node {
    uint64_t key; /* fixed while it is in a tree */
    struct key_node *child[2];
};

/* Zeroed: empty. */
struct key_tree {
    struct key_node *root;
};

/* Adds a node whose key no other in the tree has. */
void key_tree_insert(struct key_tree *tree, struct key_node *node);

/* Takes a node of the tree out. */
void key_tree_remove(struct key_tree *tree, struct key_node *node);

/* The node with this key; NULL: none. */
MUST_USE struct key_node *key_tree_find(const struct key_tree *tree, uint64_t key);

/* 0, or the number of the first broken invariant of key_tree.c; *count: the nodes seen. */
MUST_USE unsigned key_tree_check(const struct key_tree *tree, size_t *count);

#endif
