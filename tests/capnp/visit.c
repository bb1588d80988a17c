/* SPDX-License-Identifier: MIT */
/* Values as Cap'n Proto text, the syntax that `capnp convert` reads and writes. */
#include "tests/capnp/visit.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *feature_text(enum feature feature)
{
    static const char *const texts[] = {
#define FEATURE(name, text) [FEATURE_##name] = text,
#include "tests/capnp/features.def"
#undef FEATURE
    };
    return texts[feature];
}

static void visit_write(struct visit *v, const char *bytes, size_t length)
{
    if (v->full || length > v->capacity - v->used) {
        v->full = true;
        return;
    }
    memcpy(v->bytes + v->used, bytes, length);
    v->used += length;
}

__attribute__((format(printf, 2, 3))) static void visit_print(struct visit *v, const char *format,
                                                              ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    visit_write(v, text, length < 0 ? 0 : (size_t)length);
}

void visit_struct_open(struct visit *v)
{
    visit_write(v, "(", 1);
    v->comma = false;
}

void visit_struct_close(struct visit *v)
{
    visit_write(v, ")", 1);
    v->comma = true;
}

void visit_list_open(struct visit *v)
{
    visit_write(v, "[", 1);
    v->comma = false;
}

void visit_list_close(struct visit *v)
{
    visit_write(v, "]", 1);
    v->comma = true;
}

void visit_element(struct visit *v)
{
    if (v->comma) {
        visit_write(v, ", ", 2);
    }
    v->comma = true;
}

void visit_name(struct visit *v, const char *name)
{
    visit_element(v);
    visit_write(v, name, strlen(name));
    visit_write(v, " = ", 3);
}

void visit_null_member(struct visit *v, const char *name)
{
    visit_name(v, name);
    visit_write(v, "null", 4);
}

void visit_unknown_member(struct visit *v)
{
    visit_element(v);
    visit_write(v, "unknown member", 14);
}

void visit_void(struct visit *v)
{
    visit_write(v, "void", 4);
}

void visit_bool(struct visit *v, bool value)
{
    visit_print(v, "%s", value ? "true" : "false");
}

void visit_i64(struct visit *v, int64_t value)
{
    visit_print(v, "%" PRId64, value);
}

void visit_u64(struct visit *v, uint64_t value)
{
    visit_print(v, "%" PRIu64, value);
}

void visit_i8(struct visit *v, int8_t value)
{
    visit_i64(v, value);
}

void visit_i16(struct visit *v, int16_t value)
{
    visit_i64(v, value);
}

void visit_i32(struct visit *v, int32_t value)
{
    visit_i64(v, value);
}

void visit_u8(struct visit *v, uint8_t value)
{
    visit_u64(v, value);
}

void visit_u16(struct visit *v, uint16_t value)
{
    visit_u64(v, value);
}

void visit_u32(struct visit *v, uint32_t value)
{
    visit_u64(v, value);
}

static void visit_float(struct visit *v, double value, int digits)
{
    if (isnan(value)) {
        visit_write(v, "nan", 3);
    } else if (isinf(value)) {
        visit_print(v, value < 0 ? "-inf" : "inf");
    } else {
        visit_print(v, "%.*e", digits, value);
    }
}

void visit_f32(struct visit *v, float value)
{
    visit_float(v, (double)value, 8);
}

void visit_f64(struct visit *v, double value)
{
    visit_float(v, value, 16);
}

void visit_enum(struct visit *v, uint16_t value, const char *const *names, size_t count)
{
    if (value < count) {
        visit_print(v, "%s", names[value]);
    } else {
        visit_print(v, "%u", (unsigned)value);
    }
}

void visit_text(struct visit *v, struct capn_text value)
{
    visit_write(v, "\"", 1);
    for (size_t i = 0; i < value.length && visit_goes_on(v); i++) {
        unsigned char c = (unsigned char)value.bytes[i];
        if (c == '"' || c == '\\') {
            visit_print(v, "\\%c", c);
        } else if (c < 0x20 || c >= 0x7f) {
            visit_print(v, "\\x%02x", c);
        } else {
            visit_print(v, "%c", c);
        }
    }
    visit_write(v, "\"", 1);
}

/* The reference reads hexadecimal data but for the empty one, which is an empty text to it. */
void visit_data(struct visit *v, struct capn_data value)
{
    visit_print(v, "%s\"", value.length ? "0x" : "");
    for (size_t i = 0; i < value.length && visit_goes_on(v); i++) {
        visit_print(v, "%02x", value.bytes[i]);
    }
    visit_write(v, "\"", 1);
}

void visit_capability(struct visit *v, uint32_t index)
{
    visit_print(v, "<capability %" PRIu32 ">", index);
}

/* An AnyPointer by its shape. What it points to is not followed: no schema says what it is. */
void visit_any(struct visit *v, struct capn_pointer at)
{
    enum capn_kind kind = capn_pointer_kind(at);
    if (kind == CAPN_KIND_LIST && v->any_is_text) {
        visit_text(v, capn_read_text(at, (struct capn_text){NULL, 0}));
    } else if (kind == CAPN_KIND_LIST) {
        struct capn_list list = capn_read_list(at, CAPN_ELEMENT_ANY, NULL);
        visit_print(v, "<list %u %" PRIu32 ">", (unsigned)list.element_size, list.count);
    } else if (kind == CAPN_KIND_STRUCT) {
        struct capn_struct s = capn_read_struct(at, NULL);
        visit_print(v, "<struct %" PRIu32 " %u>", s.data_bytes, (unsigned)s.pointer_count);
    } else if (kind == CAPN_KIND_CAPABILITY) {
        visit_capability(v, capn_read_capability(at));
    } else {
        visit_write(v, "null", 4);
    }
}
