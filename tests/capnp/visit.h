/* SPDX-License-Identifier: MIT */
/*
 * Both ends for the generated test code (NAME.visit.c): `struct visit` takes what getters give and
 * writes it in Cap'n Proto's text syntax, `struct fill` gives setters values from a seed. The same
 * calls are made by meta_visit and meta_fill, which know a type from its tables only: what they
 * write and build must be the same, byte for byte.
 */
#ifndef TESTS_CAPNP_VISIT_H
#define TESTS_CAPNP_VISIT_H

#include "capnp/runtime/capn_float.h"
#include "capnp/runtime/capn_generated.h"
#include "capnp/runtime/capn_meta.h"

/* Things that a message can hold, counted while it is visited. */
enum feature {
#define FEATURE(name, text) FEATURE_##name,
#include "tests/capnp/features.def"
#undef FEATURE
    FEATURE_COUNT
};

const char *feature_text(enum feature feature);

/* ---- Reading ---- */

struct visit {
    char *bytes;
    size_t capacity;
    size_t used;
    bool full;        /* the text did not fit: nothing more is written */
    bool comma;       /* the next thing needs one */
    bool any_is_text; /* AnyPointers hold texts and are written as such */
    uint64_t *counts; /* meta_visit counts here what it meets: FEATURE_COUNT, or NULL */
};

static inline bool visit_goes_on(const struct visit *v)
{
    return !v->full;
}

void visit_struct_open(struct visit *v);
void visit_struct_close(struct visit *v);
void visit_list_open(struct visit *v);
void visit_list_close(struct visit *v);
void visit_name(struct visit *v, const char *name);
void visit_element(struct visit *v);
void visit_null_member(struct visit *v, const char *name);
void visit_unknown_member(struct visit *v);
void visit_void(struct visit *v);
void visit_bool(struct visit *v, bool value);
void visit_i8(struct visit *v, int8_t value);
void visit_i16(struct visit *v, int16_t value);
void visit_i32(struct visit *v, int32_t value);
void visit_i64(struct visit *v, int64_t value);
void visit_u8(struct visit *v, uint8_t value);
void visit_u16(struct visit *v, uint16_t value);
void visit_u32(struct visit *v, uint32_t value);
void visit_u64(struct visit *v, uint64_t value);
void visit_f32(struct visit *v, float value);
void visit_f64(struct visit *v, double value);
void visit_enum(struct visit *v, uint16_t value, const char *const *names, size_t count);
void visit_text(struct visit *v, struct capn_text value);
void visit_data(struct visit *v, struct capn_data value);
void visit_capability(struct visit *v, uint32_t index);
void visit_any(struct visit *v, struct capn_pointer at);

/* ---- Building ---- */

struct fill {
    uint64_t state; /* the seed; not 0 */
    unsigned depth;
    unsigned depth_max;    /* optional pointers below it stay null */
    bool text_only;        /* only what the text syntax can say */
    uint32_t capabilities; /* indices that may be used; 0: every capability stays null */
    /* Fills the named pointer in its own way and says so; may be NULL. */
    bool (*special)(struct fill *f, const char *name, struct capn_pointer_builder to);
    bool in_place; /* how the next text or data is built */
    uint8_t buffer[64];
};

uint64_t fill_random(struct fill *f);
uint32_t fill_below(struct fill *f, uint32_t bound);
bool fill_enter(struct fill *f);
bool fill_enter_member(struct fill *f);
void fill_leave(struct fill *f);
uint32_t fill_count(struct fill *f);
bool fill_special(struct fill *f, const char *name, struct capn_pointer_builder to);
uint16_t fill_member(struct fill *f, uint16_t count);
bool fill_bool(struct fill *f);
int8_t fill_i8(struct fill *f);
int16_t fill_i16(struct fill *f);
int32_t fill_i32(struct fill *f);
int64_t fill_i64(struct fill *f);
uint8_t fill_u8(struct fill *f);
uint16_t fill_u16(struct fill *f);
uint32_t fill_u32(struct fill *f);
uint64_t fill_u64(struct fill *f);
float fill_f32(struct fill *f);
double fill_f64(struct fill *f);
uint16_t fill_enum(struct fill *f, size_t count);
struct capn_text fill_text(struct fill *f);
struct capn_data fill_data(struct fill *f);
uint32_t fill_capability(struct fill *f);
/* Turns about, without drawing from the seed. */
static inline bool fill_in_place(struct fill *f)
{
    f->in_place = !f->in_place;
    return f->in_place;
}

void fill_copy(void *to, const void *from, size_t length);
void fill_any(struct fill *f, struct capn_pointer_builder to);

/* ---- Every type of a file ---- */

struct visit_entry {
    uint64_t id;
    const char *name; /* within its file */
    void (*visit)(struct visit *v, struct capn_pointer at);
    void (*fill)(struct fill *f, struct capn_pointer_builder to);
};

/* A call: the client fills the parameters and visits the results, the server the other way round.
 */
struct visit_call {
    struct visit *v;
    struct visit *again; /* client: the results a second time, as of a call that was sent before */
    struct fill *f;
};

struct visit_interface {
    uint64_t id;
    const char *name;
    enum capn_dispatch (*call)(struct visit_call *call, struct capn_request *request);
    void (*const *clients)(struct visit_call *call,
                           struct capn_call *out); /* by method; NULL ends */
    bool (*is)(uint64_t interface_id);
};

struct visit_file {
    const struct capn_meta_file *meta;
    const struct visit_entry *entries;        /* ended by one without a name */
    const struct visit_interface *interfaces; /* the same */
};

/* All files of schema/, ended by NULL. */
extern const struct visit_file *const visit_index[];

/* ---- The same by the tables alone ---- */

void meta_visit(struct visit *v, struct capn_meta type, struct capn_struct raw);
void meta_fill(struct fill *f, struct capn_meta type, struct capn_pointer_builder to);

#endif
