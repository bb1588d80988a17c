/* SPDX-License-Identifier: MIT */
/* Values from a seed: often the ones at the edges, else any. */
#include "tests/capnp/visit.h"

#include <string.h>

/* xorshift64*: small, and the same everywhere. */
uint64_t fill_random(struct fill *f)
{
    f->state ^= f->state >> 12;
    f->state ^= f->state << 25;
    f->state ^= f->state >> 27;
    return f->state * UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t fill_below(struct fill *f, uint32_t bound)
{
    return (uint32_t)((fill_random(f) >> 32) * bound >> 32);
}

/* Pointers become rarer with depth, so that messages end. */
bool fill_enter(struct fill *f)
{
    bool enter = f->depth < f->depth_max && fill_below(f, 4 + f->depth) < 3;
    f->depth += enter;
    return enter;
}

/* The active member of a union and the lists in a list are set whenever that is possible at all:
 * text cannot tell them null from empty. */
bool fill_enter_member(struct fill *f)
{
    bool enter = f->depth < f->depth_max + 4;
    f->depth += enter;
    return enter;
}

void fill_leave(struct fill *f)
{
    f->depth--;
}

uint32_t fill_count(struct fill *f)
{
    uint32_t most = f->depth < 3 ? 6 : 3;
    return fill_below(f, 5) == 0 ? 0 : fill_below(f, most);
}

bool fill_special(struct fill *f, const char *name, struct capn_pointer_builder to)
{
    return f->special && f->special(f, name, to);
}

uint16_t fill_member(struct fill *f, uint16_t count)
{
    return (uint16_t)fill_below(f, count);
}

/* `bits` random bits, or one of the values where something may overflow. */
static uint64_t fill_bits(struct fill *f, unsigned bits)
{
    uint64_t all = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    switch (fill_below(f, 8)) {
    case 0:
        return 0;
    case 1:
        return all;
    case 2:
        return UINT64_C(1) << (bits - 1);
    case 3:
        return all >> 1;
    case 4:
        return fill_below(f, 10) & all;
    default:
        return fill_random(f) & all;
    }
}

bool fill_bool(struct fill *f)
{
    return fill_below(f, 2) != 0;
}

int8_t fill_i8(struct fill *f)
{
    return (int8_t)fill_bits(f, 8);
}

int16_t fill_i16(struct fill *f)
{
    return (int16_t)fill_bits(f, 16);
}

int32_t fill_i32(struct fill *f)
{
    return (int32_t)fill_bits(f, 32);
}

int64_t fill_i64(struct fill *f)
{
    return (int64_t)fill_bits(f, 64);
}

uint8_t fill_u8(struct fill *f)
{
    return (uint8_t)fill_bits(f, 8);
}

uint16_t fill_u16(struct fill *f)
{
    return (uint16_t)fill_bits(f, 16);
}

uint32_t fill_u32(struct fill *f)
{
    return (uint32_t)fill_bits(f, 32);
}

uint64_t fill_u64(struct fill *f)
{
    return fill_bits(f, 64);
}

/* NaN comes in one pattern only, the one that text stands for. The reference's text syntax has no
 * negative infinity. */
float fill_f32(struct fill *f)
{
    uint32_t bits = (uint32_t)fill_bits(f, 32);
    bool special = (bits & 0x7f800000) == 0x7f800000;
    switch (special ? fill_below(f, 3) : 3) {
    case 0:
        return capn_float_of_bits(0x7fc00000);
    case 1:
        return capn_float_of_bits(0x7f800000);
    case 2:
        return capn_float_of_bits(f->text_only ? 0x7f800000 : 0xff800000);
    default:
        return capn_float_of_bits(bits);
    }
}

double fill_f64(struct fill *f)
{
    uint64_t bits = fill_bits(f, 64);
    bool special = (bits >> 52 & 0x7ff) == 0x7ff;
    switch (special ? fill_below(f, 3) : 3) {
    case 0:
        return capn_double_of_bits(UINT64_C(0x7ff8000000000000));
    case 1:
        return capn_double_of_bits(UINT64_C(0x7ff0000000000000));
    case 2:
        return capn_double_of_bits(UINT64_C(0x7ff0000000000000) | (uint64_t)!f->text_only << 63);
    default:
        return capn_double_of_bits(bits);
    }
}

uint16_t fill_enum(struct fill *f, size_t count)
{
    if (!f->text_only && fill_below(f, 16) == 0) {
        return (uint16_t)(count + fill_below(f, 3));
    }
    return (uint16_t)fill_below(f, (uint32_t)count);
}

struct capn_text fill_text(struct fill *f)
{
    static const char *const pieces[] = {
        "a", "Z",    "9",  " ",    "\"",   "\\",  "\n", "\t", "\xc3\xbc", "\xe2\x82\xac",
        "'", "?\?/", "0x", "\x01", "\x7f", "word"};
    uint32_t count = fill_below(f, 4) == 0 ? 0 : fill_below(f, 10);
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *piece = pieces[fill_below(f, sizeof(pieces) / sizeof(pieces[0]))];
        memcpy(f->buffer + used, piece, strlen(piece));
        used += strlen(piece);
    }
    return (struct capn_text){(const char *)f->buffer, used};
}

struct capn_data fill_data(struct fill *f)
{
    uint32_t count = fill_below(f, 4) == 0 ? 0 : fill_below(f, sizeof(f->buffer));
    for (uint32_t i = 0; i < count; i++) {
        f->buffer[i] = fill_u8(f);
    }
    return (struct capn_data){f->buffer, count};
}

/* `to` is NULL when the message has no room. */
void fill_copy(void *to, const void *from, size_t length)
{
    if (to && length) {
        memcpy(to, from, length);
    }
}

uint32_t fill_capability(struct fill *f)
{
    if (f->capabilities == 0 || fill_below(f, 4) == 0) {
        return CAPN_NO_CAPABILITY;
    }
    return fill_below(f, f->capabilities);
}

void fill_any(struct fill *f, struct capn_pointer_builder to)
{
    uint32_t choice = f->text_only ? 0 : fill_below(f, 6);
    if (choice == 0) {
        capn_write_text(to, fill_text(f));
    } else if (choice == 1) {
        capn_write_data(to, fill_data(f));
    } else if (choice == 2) {
        struct capn_list_builder list = capn_init_list(to, CAPN_ELEMENT_FOUR_BYTES, fill_count(f));
        for (uint32_t i = 0; i < list.count; i++) {
            capn_list_set_u32(list, i, fill_u32(f));
        }
    } else if (choice == 3) {
        struct capn_struct_builder s = capn_init_struct(to, (struct capn_size){2, 1});
        capn_set_u64(s, 8, fill_u64(f), 0);
        capn_write_text(capn_set_pointer(s, 0), fill_text(f));
    } else if (choice == 4) {
        capn_write_capability(to, fill_capability(f));
    } else {
        struct capn_list_builder list =
            capn_init_struct_list(to, fill_count(f), (struct capn_size){1, 1});
        for (uint32_t i = 0; i < list.count; i++) {
            struct capn_struct_builder s = capn_list_set_struct(list, i);
            capn_set_u16(s, 2, fill_u16(f), 0);
            capn_write_data(capn_set_pointer(s, 0), fill_data(f));
        }
    }
}
