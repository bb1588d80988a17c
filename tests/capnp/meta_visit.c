/* SPDX-License-Identifier: MIT */
/*
 * Any message by its tables: what the generated accessors do, done a second time and independently
 * of them. One place in a type is a field of a struct or an element of a list; both come down to
 * the runtime's own functions with offsets taken from the tables.
 */
#include "tests/capnp/visit.h"

#include <math.h>
#include <string.h>

/* A struct and the type that it is read as. */
struct meta_place {
    struct capn_meta type;
    const struct capn_meta_field *field;
};

static const char *field_name(const struct meta_place *place)
{
    return capn_meta_text(place->type, place->field->name);
}

static bool field_is_pointer(const struct capn_meta_field *field)
{
    return field->list_depth != 0 || field->type == CAPN_META_TEXT ||
           field->type == CAPN_META_DATA || field->type >= CAPN_META_STRUCT;
}

static enum capn_element_size element_of(const struct capn_meta_field *field, unsigned depth)
{
    static const uint8_t sizes[] = {
        [CAPN_META_VOID] = CAPN_ELEMENT_VOID,
        [CAPN_META_BOOL] = CAPN_ELEMENT_BIT,
        [CAPN_META_INT8] = CAPN_ELEMENT_BYTE,
        [CAPN_META_UINT8] = CAPN_ELEMENT_BYTE,
        [CAPN_META_INT16] = CAPN_ELEMENT_TWO_BYTES,
        [CAPN_META_UINT16] = CAPN_ELEMENT_TWO_BYTES,
        [CAPN_META_ENUM] = CAPN_ELEMENT_TWO_BYTES,
        [CAPN_META_INT32] = CAPN_ELEMENT_FOUR_BYTES,
        [CAPN_META_UINT32] = CAPN_ELEMENT_FOUR_BYTES,
        [CAPN_META_FLOAT32] = CAPN_ELEMENT_FOUR_BYTES,
        [CAPN_META_INT64] = CAPN_ELEMENT_EIGHT_BYTES,
        [CAPN_META_UINT64] = CAPN_ELEMENT_EIGHT_BYTES,
        [CAPN_META_FLOAT64] = CAPN_ELEMENT_EIGHT_BYTES,
        [CAPN_META_STRUCT] = CAPN_ELEMENT_COMPOSITE,
        [CAPN_META_TEXT] = CAPN_ELEMENT_POINTER,
        [CAPN_META_DATA] = CAPN_ELEMENT_POINTER,
        [CAPN_META_INTERFACE] = CAPN_ELEMENT_POINTER,
        [CAPN_META_ANY] = CAPN_ELEMENT_POINTER,
    };
    return depth < field->list_depth ? CAPN_ELEMENT_POINTER
                                     : (enum capn_element_size)sizes[field->type];
}

static void count(struct visit *v, enum feature feature)
{
    if (v->counts) {
        v->counts[feature]++;
    }
}

/* ---- Reading ---- */

static void visit_enum_bits(struct visit *v, const struct meta_place *place, uint16_t value)
{
    struct capn_meta type = capn_meta_of(place->type, place->field->type_id);
    if (value < type.node->count) {
        const char *name = capn_meta_text(type, capn_meta_enumerant(type, value)->name);
        visit_enum(v, 0, &name, 1);
    } else {
        visit_enum(v, value, NULL, 0);
    }
}

/* A number from its bits. */
static void visit_bits(struct visit *v, const struct meta_place *place, uint64_t bits)
{
    switch (place->field->type) {
    case CAPN_META_VOID:
        visit_void(v);
        break;
    case CAPN_META_BOOL:
        visit_bool(v, bits != 0);
        break;
    case CAPN_META_INT8:
        visit_i64(v, (int8_t)bits);
        break;
    case CAPN_META_INT16:
        visit_i64(v, (int16_t)bits);
        break;
    case CAPN_META_INT32:
        visit_i64(v, (int32_t)bits);
        break;
    case CAPN_META_INT64:
        visit_i64(v, (int64_t)bits);
        break;
    case CAPN_META_FLOAT32:
        visit_f32(v, capn_float_of_bits((uint32_t)bits));
        break;
    case CAPN_META_FLOAT64:
        visit_f64(v, capn_double_of_bits(bits));
        break;
    case CAPN_META_ENUM:
        visit_enum_bits(v, place, (uint16_t)bits);
        break;
    default:
        visit_u64(v, bits);
        break;
    }
}

static uint64_t field_bits(const struct capn_meta_field *field, struct capn_struct s)
{
    uint64_t value = field->default_bits;
    switch (element_of(field, 0)) {
    case CAPN_ELEMENT_BIT:
        return capn_get_bool(s, field->offset, value != 0);
    case CAPN_ELEMENT_BYTE:
        return capn_get_u8(s, field->offset, (uint8_t)value);
    case CAPN_ELEMENT_TWO_BYTES:
        return capn_get_u16(s, field->offset * 2, (uint16_t)value);
    case CAPN_ELEMENT_FOUR_BYTES:
        return capn_get_u32(s, field->offset * 4, (uint32_t)value);
    case CAPN_ELEMENT_EIGHT_BYTES:
        return capn_get_u64(s, field->offset * 8, value);
    default:
        return 0;
    }
}

static uint64_t list_bits(const struct capn_meta_field *field, struct capn_list list,
                          uint32_t index)
{
    switch (element_of(field, field->list_depth)) {
    case CAPN_ELEMENT_BIT:
        return capn_list_get_bool(list, index);
    case CAPN_ELEMENT_BYTE:
        return capn_list_get_u8(list, index);
    case CAPN_ELEMENT_TWO_BYTES:
        return capn_list_get_u16(list, index);
    case CAPN_ELEMENT_FOUR_BYTES:
        return capn_list_get_u32(list, index);
    case CAPN_ELEMENT_EIGHT_BYTES:
        return capn_list_get_u64(list, index);
    default:
        return 0;
    }
}

static void count_blob(struct visit *v, const struct meta_place *place, size_t length,
                       const char *bytes)
{
    bool text = place->field->type == CAPN_META_TEXT;
    count(v, text ? FEATURE_TEXT : FEATURE_DATA);
    if (length == 0) {
        count(v, text ? FEATURE_TEXT_EMPTY : FEATURE_DATA_EMPTY);
    }
    for (size_t i = 0; text && i < length; i++) {
        if (bytes[i] == '"' || bytes[i] == '\n' || (bytes[i] & 0x80)) {
            count(v, FEATURE_TEXT_ESCAPED);
            return;
        }
    }
}

static void count_any(struct visit *v, const struct meta_place *place)
{
    const char *name = field_name(place);
    count(v, strcmp(name, "anyStruct") == 0 ? FEATURE_ANY_STRUCT
             : strcmp(name, "anyList") == 0 ? FEATURE_ANY_LIST
                                            : FEATURE_ANY_POINTER);
}

static void count_struct(struct visit *v, const struct meta_place *place)
{
    struct capn_meta type = capn_meta_of(place->type, place->field->type_id);
    const char *name = field_name(place);
    count(v, type.node->count ? FEATURE_STRUCT : FEATURE_STRUCT_EMPTY);
    if (place->field->type_id == place->type.node->id) {
        count(v, FEATURE_RECURSION);
    }
    if (strcmp(name, "textBox") == 0) {
        count(v, FEATURE_GENERIC_TEXT);
    } else if (strcmp(name, "textItem") == 0) {
        count(v, FEATURE_GENERIC_INTERFACE_TEXT);
    } else if (strcmp(name, "anyItem") == 0) {
        count(v, FEATURE_GENERIC_INTERFACE_ANY);
    } else if (strcmp(name, "pair") == 0 || strcmp(name, "boxBox") == 0) {
        count(v, FEATURE_GENERIC_NESTED);
    } else if (strcmp(capn_meta_name(type), "Box") == 0) {
        count(v, FEATURE_GENERIC_ANY);
    }
}

static void count_capability(struct visit *v, const struct meta_place *place, uint32_t index)
{
    if (index != CAPN_NO_CAPABILITY) {
        count(v, strcmp(field_name(place), "reader") == 0 ? FEATURE_GENERIC_INTERFACE
                                                          : FEATURE_CAPABILITY);
    }
}

/* Text and data that are refused read as their default too. */
static struct capn_pointer default_root(const struct capn_meta_field *field,
                                        struct capn_reader *reader)
{
    if (!field->default_value || field->list_depth) {
        return (struct capn_pointer){0};
    }
    capn_reader_init(reader, field->default_value, 1, CAPN_LIMITS_DEFAULT);
    return capn_reader_root(reader);
}

static struct capn_text text_read(const struct capn_meta_field *field, struct capn_pointer at)
{
    struct capn_reader reader;
    return capn_read_text(at, capn_read_text(default_root(field, &reader), (struct capn_text){0}));
}

static struct capn_data data_read(const struct capn_meta_field *field, struct capn_pointer at)
{
    struct capn_reader reader;
    return capn_read_data(at, capn_read_data(default_root(field, &reader), (struct capn_data){0}));
}

/* What a pointer that is no list leads to. */
static void visit_pointer(struct visit *v, const struct meta_place *place, struct capn_pointer at)
{
    const struct capn_segment *value = place->field->default_value;
    switch (place->field->type) {
    case CAPN_META_TEXT: {
        struct capn_text text = text_read(place->field, at);
        count_blob(v, place, text.length, text.bytes);
        visit_text(v, text);
        break;
    }
    case CAPN_META_DATA: {
        struct capn_data data = data_read(place->field, at);
        count_blob(v, place, data.length, NULL);
        visit_data(v, data);
        break;
    }
    case CAPN_META_STRUCT:
        count_struct(v, place);
        meta_visit(v, capn_meta_of(place->type, place->field->type_id),
                   capn_read_struct(at, value));
        break;
    case CAPN_META_INTERFACE: {
        uint32_t index = capn_read_capability(at);
        count_capability(v, place, index);
        visit_capability(v, index);
        break;
    }
    default:
        count_any(v, place);
        visit_any(v, at);
        break;
    }
}

static void count_list(struct visit *v, const struct meta_place *place, unsigned depth,
                       struct capn_list list)
{
    static const uint8_t features[] = {
        [CAPN_META_VOID] = FEATURE_LIST_VOID,
        [CAPN_META_BOOL] = FEATURE_LIST_BOOL,
        [CAPN_META_FLOAT32] = FEATURE_LIST_FLOAT,
        [CAPN_META_FLOAT64] = FEATURE_LIST_FLOAT,
        [CAPN_META_TEXT] = FEATURE_LIST_TEXT,
        [CAPN_META_DATA] = FEATURE_LIST_DATA,
        [CAPN_META_ENUM] = FEATURE_LIST_ENUM,
        [CAPN_META_STRUCT] = FEATURE_LIST_STRUCT,
        [CAPN_META_INTERFACE] = FEATURE_LIST_CAPABILITY,
        [CAPN_META_ANY] = 0,
    };
    if (list.count == 0) {
        count(v, FEATURE_LIST_EMPTY);
        return;
    }
    if (depth < place->field->list_depth) {
        count(v, FEATURE_LIST_LIST);
        return;
    }
    bool structs = place->field->type == CAPN_META_STRUCT;
    if (structs && list.element_size == CAPN_ELEMENT_POINTER) {
        count(v, FEATURE_UPGRADED_TEXTS);
    } else if (structs && list.element_size != CAPN_ELEMENT_COMPOSITE) {
        count(v, FEATURE_UPGRADED_NUMBERS);
    } else if (structs && list.data_bytes == 0 && list.pointer_count == 0) {
        count(v, FEATURE_LIST_STRUCT_EMPTY);
    }
    uint8_t feature = features[place->field->type];
    count(v, feature || place->field->type == CAPN_META_VOID ? (enum feature)feature
                                                             : FEATURE_LIST_NUMBER);
}

static void visit_elements(struct visit *v, const struct meta_place *place, unsigned depth,
                           struct capn_list list);

static void visit_one(struct visit *v, const struct meta_place *place, unsigned depth,
                      struct capn_list list, uint32_t index)
{
    const struct capn_meta_field *field = place->field;
    enum capn_element_size element = element_of(field, depth);
    if (depth < field->list_depth) {
        struct capn_pointer at = capn_list_get_pointer(list, index);
        visit_elements(v, place, depth + 1, capn_read_list(at, element_of(field, depth + 1), NULL));
    } else if (element == CAPN_ELEMENT_COMPOSITE) {
        meta_visit(v, capn_meta_of(place->type, field->type_id), capn_list_get_struct(list, index));
    } else if (element == CAPN_ELEMENT_POINTER) {
        visit_pointer(v, place, capn_list_get_pointer(list, index));
    } else {
        visit_bits(v, place, list_bits(field, list, index));
    }
}

static void visit_elements(struct visit *v, const struct meta_place *place, unsigned depth,
                           struct capn_list list)
{
    count_list(v, place, depth, list);
    visit_list_open(v);
    for (uint32_t i = 0; i < list.count && visit_goes_on(v); i++) {
        visit_element(v);
        visit_one(v, place, depth, list, i);
    }
    visit_list_close(v);
}

static void count_number(struct visit *v, const struct meta_place *place, uint64_t bits)
{
    static const uint8_t features[] = {
        [CAPN_META_VOID] = FEATURE_VOID,       [CAPN_META_BOOL] = FEATURE_BOOL,
        [CAPN_META_INT8] = FEATURE_INT8,       [CAPN_META_INT16] = FEATURE_INT16,
        [CAPN_META_INT32] = FEATURE_INT32,     [CAPN_META_INT64] = FEATURE_INT64,
        [CAPN_META_UINT8] = FEATURE_UINT8,     [CAPN_META_UINT16] = FEATURE_UINT16,
        [CAPN_META_UINT32] = FEATURE_UINT32,   [CAPN_META_UINT64] = FEATURE_UINT64,
        [CAPN_META_FLOAT32] = FEATURE_FLOAT32, [CAPN_META_FLOAT64] = FEATURE_FLOAT64,
        [CAPN_META_ENUM] = FEATURE_ENUM,
    };
    count(v, (enum feature)features[place->field->type]);
    if (bits == place->field->default_bits && bits != 0) {
        count(v, FEATURE_DEFAULT_NUMBER);
    }
    bool special32 =
        place->field->type == CAPN_META_FLOAT32 && !isfinite(capn_float_of_bits((uint32_t)bits));
    bool special64 =
        place->field->type == CAPN_META_FLOAT64 && !isfinite(capn_double_of_bits(bits));
    if (special32 || special64) {
        count(v, FEATURE_FLOAT_SPECIAL);
    }
}

static void visit_slot(struct visit *v, const struct meta_place *place, struct capn_struct s)
{
    const struct capn_meta_field *field = place->field;
    bool in_union = field->discriminant != CAPN_META_NO_UNION;
    if (!field_is_pointer(field)) {
        if (field->type != CAPN_META_VOID || in_union) {
            uint64_t bits = field_bits(field, s);
            count_number(v, place, bits);
            visit_name(v, field_name(place));
            visit_bits(v, place, bits);
        }
        return;
    }
    struct capn_pointer at = capn_get_pointer(s, (uint16_t)field->offset);
    if (capn_pointer_is_null(at)) {
        count(v, field->default_value ? FEATURE_DEFAULT_POINTER : FEATURE_NULL_POINTER);
        if (in_union) {
            visit_null_member(v, field_name(place));
        }
        return;
    }
    visit_name(v, field_name(place));
    if (field->list_depth) {
        visit_elements(v, place, 1, capn_read_list(at, element_of(field, 1), field->default_value));
    } else {
        visit_pointer(v, place, at);
    }
}

static void visit_member(struct visit *v, const struct meta_place *place, struct capn_struct s)
{
    if (place->field->type != CAPN_META_GROUP) {
        visit_slot(v, place, s);
        return;
    }
    struct capn_meta group = capn_meta_of(place->type, place->field->type_id);
    bool in_union = place->field->discriminant != CAPN_META_NO_UNION;
    count(v, FEATURE_GROUP);
    if (strcmp(field_name(place), "style") == 0) {
        count(v, FEATURE_NESTED_UNION);
    }
    (void)in_union;
    visit_name(v, field_name(place));
    meta_visit(v, group, s);
}

void meta_visit(struct visit *v, struct capn_meta type, struct capn_struct s)
{
    visit_struct_open(v);
    for (uint32_t i = 0; i < type.node->count; i++) {
        struct meta_place place = {type, capn_meta_field(type, i)};
        if (place.field->discriminant == CAPN_META_NO_UNION) {
            visit_member(v, &place, s);
        }
    }
    if (type.node->discriminant_count) {
        uint16_t which = capn_get_u16(s, type.node->discriminant_offset * 2, 0);
        bool known = false;
        count(v, FEATURE_UNION);
        for (uint32_t i = 0; i < type.node->count; i++) {
            struct meta_place place = {type, capn_meta_field(type, i)};
            if (place.field->discriminant == which && which != CAPN_META_NO_UNION) {
                known = true;
                visit_member(v, &place, s);
            }
        }
        if (!known) {
            visit_unknown_member(v);
        }
    }
    visit_struct_close(v);
}

/* ---- Building ---- */

static void fill_struct(struct fill *f, struct capn_meta type, struct capn_struct_builder b);

/* Random bits of a number, drawn exactly as the typed functions draw them. */
static uint64_t fill_number(struct fill *f, const struct meta_place *place)
{
    switch (place->field->type) {
    case CAPN_META_BOOL:
        return fill_bool(f);
    case CAPN_META_INT8:
    case CAPN_META_UINT8:
        return fill_u8(f);
    case CAPN_META_INT16:
    case CAPN_META_UINT16:
        return fill_u16(f);
    case CAPN_META_INT32:
    case CAPN_META_UINT32:
        return fill_u32(f);
    case CAPN_META_INT64:
    case CAPN_META_UINT64:
        return fill_u64(f);
    case CAPN_META_FLOAT32:
        return capn_bits_of_float(fill_f32(f));
    case CAPN_META_FLOAT64:
        return capn_bits_of_double(fill_f64(f));
    case CAPN_META_ENUM:
        return fill_enum(f, capn_meta_of(place->type, place->field->type_id).node->count);
    default:
        return 0;
    }
}

static void set_bits(struct capn_struct_builder b, const struct capn_meta_field *field,
                     uint64_t bits)
{
    uint64_t value = field->default_bits;
    switch (element_of(field, 0)) {
    case CAPN_ELEMENT_BIT:
        capn_set_bool(b, field->offset, bits != 0, value != 0);
        break;
    case CAPN_ELEMENT_BYTE:
        capn_set_u8(b, field->offset, (uint8_t)bits, (uint8_t)value);
        break;
    case CAPN_ELEMENT_TWO_BYTES:
        capn_set_u16(b, field->offset * 2, (uint16_t)bits, (uint16_t)value);
        break;
    case CAPN_ELEMENT_FOUR_BYTES:
        capn_set_u32(b, field->offset * 4, (uint32_t)bits, (uint32_t)value);
        break;
    case CAPN_ELEMENT_EIGHT_BYTES:
        capn_set_u64(b, field->offset * 8, bits, value);
        break;
    default:
        break;
    }
}

static void set_element_bits(struct capn_list_builder list, uint32_t index, uint64_t bits)
{
    switch (list.element_size) {
    case CAPN_ELEMENT_BIT:
        capn_list_set_bool(list, index, bits != 0);
        break;
    case CAPN_ELEMENT_BYTE:
        capn_list_set_u8(list, index, (uint8_t)bits);
        break;
    case CAPN_ELEMENT_TWO_BYTES:
        capn_list_set_u16(list, index, (uint16_t)bits);
        break;
    case CAPN_ELEMENT_FOUR_BYTES:
        capn_list_set_u32(list, index, (uint32_t)bits);
        break;
    case CAPN_ELEMENT_EIGHT_BYTES:
        capn_list_set_u64(list, index, bits);
        break;
    default:
        break;
    }
}

static void fill_pointer(struct fill *f, const struct meta_place *place,
                         struct capn_pointer_builder to)
{
    switch (place->field->type) {
    case CAPN_META_TEXT:
        capn_write_text(to, fill_text(f));
        break;
    case CAPN_META_DATA:
        capn_write_data(to, fill_data(f));
        break;
    case CAPN_META_STRUCT: {
        struct capn_meta type = capn_meta_of(place->type, place->field->type_id);
        fill_struct(f, type, capn_init_struct(to, type.node->size));
        break;
    }
    case CAPN_META_INTERFACE:
        capn_write_capability(to, fill_capability(f));
        break;
    default:
        fill_any(f, to);
        break;
    }
}

static void fill_elements(struct fill *f, const struct meta_place *place, unsigned depth,
                          struct capn_pointer_builder to)
{
    const struct capn_meta_field *field = place->field;
    struct capn_meta type = {0};
    struct capn_list_builder list;
    enum capn_element_size element = element_of(field, depth);
    uint32_t length = fill_count(f);
    if (element == CAPN_ELEMENT_COMPOSITE) {
        type = capn_meta_of(place->type, field->type_id);
        list = capn_init_struct_list(to, length, type.node->size);
    } else {
        list = capn_init_list(to, element, length);
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (depth < field->list_depth) {
            if (fill_enter_member(f)) {
                fill_elements(f, place, depth + 1, capn_list_set_pointer(list, i));
                fill_leave(f);
            }
        } else if (element == CAPN_ELEMENT_COMPOSITE) {
            fill_struct(f, type, capn_list_set_struct(list, i));
        } else if (element == CAPN_ELEMENT_POINTER) {
            fill_pointer(f, place, capn_list_set_pointer(list, i));
        } else if (element != CAPN_ELEMENT_VOID) {
            set_element_bits(list, i, fill_number(f, place));
        }
    }
}

/* "Struct.field": the struct's own name without its scope, as the generator knows it. */
static bool special(struct fill *f, const struct meta_place *place, struct capn_pointer_builder to)
{
    char name[128];
    const char *full = capn_meta_name(place->type);
    const char *dot = strrchr(full, '.');
    const char *parts[2] = {dot ? dot + 1 : full, field_name(place)};
    size_t used = 0;
    for (size_t k = 0; k < 2; k++) {
        size_t length = strlen(parts[k]);
        if (used + length + 2 > sizeof(name)) {
            return false;
        }
        memcpy(name + used, parts[k], length);
        used += length;
        name[used++] = k == 0 ? '.' : 0;
    }
    return fill_special(f, name, to);
}

static void fill_member_field(struct fill *f, const struct meta_place *place,
                              struct capn_struct_builder b)
{
    const struct capn_meta_field *field = place->field;
    bool in_union = field->discriminant != CAPN_META_NO_UNION;
    if (in_union) {
        capn_set_u16(b, place->type.node->discriminant_offset * 2, field->discriminant, 0);
    }
    if (field->type == CAPN_META_GROUP) {
        fill_struct(f, capn_meta_of(place->type, field->type_id), b);
    } else if (!field_is_pointer(field)) {
        if (field->type != CAPN_META_VOID) {
            set_bits(b, field, fill_number(f, place));
        }
    } else if (in_union ? fill_enter_member(f) : fill_enter(f)) {
        struct capn_pointer_builder to = capn_set_pointer(b, (uint16_t)field->offset);
        if (!special(f, place, to)) {
            if (field->list_depth) {
                fill_elements(f, place, 1, to);
            } else {
                fill_pointer(f, place, to);
            }
        }
        fill_leave(f);
    }
}

static void fill_struct(struct fill *f, struct capn_meta type, struct capn_struct_builder b)
{
    for (uint32_t i = 0; i < type.node->count; i++) {
        struct meta_place place = {type, capn_meta_field(type, i)};
        if (place.field->discriminant == CAPN_META_NO_UNION) {
            fill_member_field(f, &place, b);
        }
    }
    if (type.node->discriminant_count == 0) {
        return;
    }
    uint16_t which = fill_member(f, type.node->discriminant_count);
    for (uint32_t i = 0; i < type.node->count; i++) {
        struct meta_place place = {type, capn_meta_field(type, i)};
        if (place.field->discriminant == which) {
            fill_member_field(f, &place, b);
        }
    }
}

void meta_fill(struct fill *f, struct capn_meta type, struct capn_pointer_builder to)
{
    fill_struct(f, type, capn_init_struct(to, type.node->size));
}
