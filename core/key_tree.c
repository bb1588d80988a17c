/* SPDX-License-Identifier: MIT */
/*
 * A binary digital search tree. The node at depth d stands where the d lowest digits of its key
 * lead: left for 0, right for 1, the lowest digit first. So no path is longer than the key has
 * digits, whatever the keys are and in whatever order they came; and keys that were counted up, as
 * pids are, fill the tree evenly. Any leaf below a node may take its place: it has the same digits
 * up to there.
 *
 * Invariants (key_tree_check):
 *  1. The d lowest digits of the key of a node at depth d are those of its path.
 *  2. No node is deeper than KEY_DIGITS: two with one key would be.
 *
 * What can fail: nothing.
 */
#include "core/key_tree.h"

#include "core/assert.h"

enum {
    KEY_DIGITS = 64,
};

static unsigned digit(uint64_t key, unsigned depth)
{
    ASSERT(depth < KEY_DIGITS);
    return (unsigned)(key >> depth) & 1;
}

void key_tree_insert(struct key_tree *tree, struct key_node *node)
{
    struct key_node **link = &tree->root;

    for (unsigned depth = 0; *link != NULL; depth++) {
        ASSERT((*link)->key != node->key);
        link = &(*link)->child[digit(node->key, depth)];
    }
    node->child[0] = NULL;
    node->child[1] = NULL;
    *link = node;
}

struct key_node *key_tree_find(const struct key_tree *tree, uint64_t key)
{
    struct key_node *node = tree->root;

    for (unsigned depth = 0; node != NULL && node->key != key; depth++) {
        node = node->child[digit(key, depth)];
    }
    return node;
}

/* Takes a leaf out below `node`; NULL: it is one itself. */
static struct key_node *leaf_take(struct key_node *node)
{
    struct key_node **link = NULL;
    struct key_node *leaf = node;

    for (unsigned depth = 0; leaf->child[0] != NULL || leaf->child[1] != NULL; depth++) {
        ASSERT(depth < KEY_DIGITS);
        link = &leaf->child[leaf->child[0] != NULL ? 0 : 1];
        leaf = *link;
    }
    if (link == NULL) {
        return NULL;
    }
    *link = NULL;
    return leaf;
}

void key_tree_remove(struct key_tree *tree, struct key_node *node)
{
    struct key_node **link = &tree->root;
    struct key_node *leaf;

    for (unsigned depth = 0; *link != node; depth++) {
        ASSERT(*link != NULL);
        link = &(*link)->child[digit(node->key, depth)];
    }
    leaf = leaf_take(node);
    if (leaf != NULL) {
        leaf->child[0] = node->child[0];
        leaf->child[1] = node->child[1];
    }
    *link = leaf;
}

unsigned key_tree_check(const struct key_tree *tree, size_t *count)
{
    /* Nodes to be looked at: of each depth on the way down one sibling at most, and two last. */
    const struct key_node *next[KEY_DIGITS + 2];
    unsigned depth[KEY_DIGITS + 2];
    uint64_t path[KEY_DIGITS + 2];
    unsigned left = 0;

    *count = 0;
    if (tree->root != NULL) {
        next[0] = tree->root;
        depth[0] = 0;
        path[0] = 0;
        left = 1;
    }
    while (left > 0) {
        const struct key_node *node = next[--left];
        unsigned down = depth[left];
        uint64_t digits = path[left];
        uint64_t mask = down >= KEY_DIGITS ? UINT64_MAX : (UINT64_C(1) << down) - 1;

        ++*count;
        if ((node->key & mask) != digits) {
            return 1;
        }
        for (unsigned side = 0; side < 2; side++) {
            if (node->child[side] == NULL) {
                continue;
            }
            if (down >= KEY_DIGITS) {
                return 2;
            }
            next[left] = node->child[side];
            depth[left] = down + 1;
            path[left] = digits | (uint64_t)side << down;
            left++;
        }
    }
    return 0;
}
