/* SPDX-License-Identifier: MIT */
/* The model of tables and delegations that grants_fuzz.c moves by, and what it is compared with. */
#ifndef FUZZ_GRANTS_MODEL_H
#define FUZZ_GRANTS_MODEL_H

#include "core/transfer.h"
#include "fuzz/dice.h"

enum {
    TABLES = 3,
    OBJECTS = 2,
    GIVEN = 400,
    DELEGATIONS = 48,
    BUNDLES = 2,
    ITEMS = 20, /* of the pool, for both bundles */
    CARRIED = 6,
    MOVES_MAX = 200,
    QUOTA = 40,
    INTERFACE = 0x77,
    PAGES = 3 * 2 * CAP_TABLE_PAGES,
    NOBODY = DELEGATIONS,
};

enum place {
    GONE,
    HELD,
    MOVING,
};

/* An id that was given out. */
struct given {
    struct cap_id id;
    enum place place;
    bool buried;
    unsigned table;
    unsigned object;
    uint64_t facet;
    uint64_t badge;
    uint8_t mode;
    uint8_t grantable;
    uint64_t through; /* delegations, as bits */
    unsigned youngest;
};

struct delegation {
    struct grant_node *node;
    unsigned parent; /* the youngest above that could be revoked when it was made */
    unsigned depth;
    unsigned object;
    bool handle;
};

/* A message under way. */
struct bundle {
    struct transfer_bundle bundle;
    bool under_way;
    unsigned from;
    unsigned to;
    uint32_t count;
    unsigned carries[CARRIED]; /* given[] of each */
    bool moves[CARRIED];
    bool buried[CARRIED]; /* copies that a sweep took */
};

extern struct model {
    struct given given[GIVEN];
    unsigned given_count;
    struct delegation delegation[DELEGATIONS];
    unsigned delegation_count;
    uint64_t revoked; /* delegations, as bits */
    uint32_t reserved[TABLES];
    uint32_t quota[TABLES];
    uint32_t free_items;
    struct bundle bundle[BUNDLES];
    unsigned sweep; /* delegation whose edges are being looked for; NOBODY: none */
    unsigned sweep_table;
    uint32_t sweep_cursor;
} model;

extern struct object {
    struct grant_tree tree;
    uint64_t references;
} objects[OBJECTS];
extern struct cap_table tables[TABLES];
extern struct transfer_item items[ITEMS];
extern struct transfer_pool pool;
extern bool starving;

/* Ends the run with a finding unless `holds`. */
void demand(bool holds, const char *what);

/* An empty world; and, when everything was given back, whether it was. */
void model_begin(void);
void model_end(void);

/* Every id, table, delegation and transfer against the model. */
void model_compare(void);

/* Delegations are counted as they come and go. */
void node_made(void);
void node_free(struct grant_node *node);
void edge_take(const struct hold_edge *edge);
void edge_give(const struct hold_edge *edge);

bool is_alive(const struct given *given);
/* What looking it up must say. */
enum transport_error answer_for(const struct given *given);
/* Whether the quota has room for so many more edges. */
bool has_room(unsigned table, uint32_t count);
uint32_t used(unsigned table);
/* Whoever is at this place of the table; NULL: nobody. */
struct given *at_slot(unsigned table, uint32_t slot);
bool was_used(unsigned table, uint32_t slot);

/* An id was given out: it is new, and nobody is at its place. */
void give_out(unsigned table, struct cap_id id, const struct given *what);
void edge_compare(const struct given *given, const struct hold_edge *edge);

#endif
