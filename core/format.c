/* SPDX-License-Identifier: MIT */
/*
 * Formatted text.
 *
 * Purpose: printf for places without a C library. Its meaning is C's (C11 7.21.6.1) for the
 * conversions it has, which the test compares with the host's library.
 *
 * A sink takes characters one by one, stores those that fit and counts all of them; so nothing else
 * here knows how large the buffer is. A conversion is parsed into a spec, then printed as prefix,
 * zeros, body and padding.
 *
 * Invariant: a sink never writes at or beyond buffer + size, and the last byte it may write stays
 * free for the NUL.
 */
#include "core/format.h"

#include "core/assert.h"
#include "core/string.h"

#define DIGITS_MAX   20u       /* of a 64-bit number in base 10 */
#define DIGITS_BOUND (1 << 24) /* a width or precision written out grows no further */

struct sink {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text so far, stored or not */
};

enum argument_length {
    LENGTH_CHAR,
    LENGTH_SHORT,
    LENGTH_INT,
    LENGTH_LONG,
    LENGTH_LONG_LONG,
    LENGTH_SIZE,
    LENGTH_POINTER_DIFFERENCE,
    LENGTH_MAXIMUM,
};

struct spec {
    bool left;
    bool zero;
    bool plus;
    bool blank;
    bool alternate;
    bool has_precision;
    int width;
    int precision;
    enum argument_length length;
};

/* The arguments, in a structure so that functions can share them by address. */
struct arguments {
    va_list list;
};

static void sink_put(struct sink *sink, char character)
{
    if (sink->size != 0 && sink->length < sink->size - 1) {
        ASSERT(sink->buffer != NULL);
        sink->buffer[sink->length] = character;
    }
    sink->length++;
}

static void sink_fill(struct sink *sink, char character, size_t count)
{
    while (count > 0) {
        sink_put(sink, character);
        count--;
    }
}

static void sink_write(struct sink *sink, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        sink_put(sink, text[i]);
    }
}

/* Prints prefix, `zeros` zeros and body in a field of the spec's width. */
static void field_print(struct sink *sink, const struct spec *spec, const char *prefix,
                        size_t zeros, const char *body, size_t body_length)
{
    size_t prefix_length = string_length(prefix, 2);
    size_t length = prefix_length + zeros + body_length;
    size_t padding = length < (size_t)spec->width ? (size_t)spec->width - length : 0;

    ASSERT(spec->width >= 0 && spec->width <= FORMAT_FIELD_MAX);
    if (!spec->left) {
        sink_fill(sink, ' ', padding);
    }
    sink_write(sink, prefix, prefix_length);
    sink_fill(sink, '0', zeros);
    sink_write(sink, body, body_length);
    if (spec->left) {
        sink_fill(sink, ' ', padding);
    }
}

static void number_print(struct sink *sink, const struct spec *spec, const char *prefix,
                         uint64_t value, char conversion)
{
    const char *digits = conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned base = conversion == 'x' || conversion == 'X' ? 16 : 10;
    char body[DIGITS_MAX];
    size_t first = DIGITS_MAX;
    size_t length;
    size_t zeros = 0;

    while (value != 0) {
        ASSERT(first > 0);
        body[--first] = digits[value % base];
        value /= base;
    }
    length = DIGITS_MAX - first;
    ASSERT(spec->precision <= FORMAT_FIELD_MAX);
    if (spec->has_precision) {
        zeros = length < (size_t)spec->precision ? (size_t)spec->precision - length : 0;
    } else if (length == 0) {
        zeros = 1; /* the number 0 */
    }
    if (spec->zero && !spec->left && !spec->has_precision) {
        size_t used = string_length(prefix, 2) + zeros + length;

        zeros += used < (size_t)spec->width ? (size_t)spec->width - used : 0;
    }
    field_print(sink, spec, prefix, zeros, body + first, length);
}

static int64_t argument_signed(struct arguments *arguments, enum argument_length length)
{
    switch (length) {
    case LENGTH_CHAR:
        return (signed char)va_arg(arguments->list, int);
    case LENGTH_SHORT:
        return (short)va_arg(arguments->list, int);
    case LENGTH_LONG:
        return va_arg(arguments->list, long);
    case LENGTH_LONG_LONG:
        return va_arg(arguments->list, long long);
    case LENGTH_SIZE:
    case LENGTH_POINTER_DIFFERENCE:
        return va_arg(arguments->list, ptrdiff_t);
    case LENGTH_MAXIMUM:
        return va_arg(arguments->list, intmax_t);
    case LENGTH_INT:
    default:
        return va_arg(arguments->list, int);
    }
}

static uint64_t argument_unsigned(struct arguments *arguments, enum argument_length length)
{
    switch (length) {
    case LENGTH_CHAR:
        return (unsigned char)va_arg(arguments->list, unsigned);
    case LENGTH_SHORT:
        return (unsigned short)va_arg(arguments->list, unsigned);
    case LENGTH_LONG:
        return va_arg(arguments->list, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(arguments->list, unsigned long long);
    case LENGTH_SIZE:
    case LENGTH_POINTER_DIFFERENCE:
        return va_arg(arguments->list, size_t);
    case LENGTH_MAXIMUM:
        return va_arg(arguments->list, uintmax_t);
    case LENGTH_INT:
    default:
        return va_arg(arguments->list, unsigned);
    }
}

static void signed_print(struct sink *sink, const struct spec *spec, struct arguments *arguments)
{
    int64_t value = argument_signed(arguments, spec->length);
    const char *prefix = spec->plus ? "+" : spec->blank ? " " : "";
    uint64_t magnitude = (uint64_t)value;

    if (value < 0) {
        prefix = "-";
        magnitude = 0 - magnitude;
    }
    number_print(sink, spec, prefix, magnitude, 'd');
}

static void unsigned_print(struct sink *sink, const struct spec *spec, struct arguments *arguments,
                           char conversion)
{
    uint64_t value = argument_unsigned(arguments, spec->length);
    const char *prefix = "";

    if (spec->alternate && value != 0 && conversion != 'u') {
        prefix = conversion == 'x' ? "0x" : "0X";
    }
    number_print(sink, spec, prefix, value, conversion);
}

static void string_print(struct sink *sink, const struct spec *spec, const char *text)
{
    size_t length_max = spec->has_precision ? (size_t)spec->precision : SIZE_MAX;

    if (text == NULL) {
        text = "(null)";
    }
    field_print(sink, spec, "", 0, text, string_length(text, length_max));
}

static int field_bound(int value)
{
    return value > FORMAT_FIELD_MAX ? FORMAT_FIELD_MAX : value;
}

/* A run of decimal digits at *text, which moves past it; values that matter to nobody are bounded.
 */
static int digits_parse(const char **text)
{
    int value = 0;

    while (**text >= '0' && **text <= '9') {
        if (value < DIGITS_BOUND) {
            value = value * 10 + (**text - '0');
        }
        (*text)++;
    }
    return value;
}

static void flags_parse(const char **text, struct spec *spec)
{
    for (;; (*text)++) {
        switch (**text) {
        case '-':
            spec->left = true;
            break;
        case '0':
            spec->zero = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->blank = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        default:
            return;
        }
    }
}

/* The precision is kept as it is given: for a string it bounds what is read. */
static void field_parse(const char **text, struct spec *spec, struct arguments *arguments)
{
    if (**text == '*') {
        int width = va_arg(arguments->list, int);

        (*text)++;
        spec->left = spec->left || width < 0;
        spec->width =
            width < -FORMAT_FIELD_MAX ? FORMAT_FIELD_MAX : field_bound(width < 0 ? -width : width);
    } else {
        spec->width = field_bound(digits_parse(text));
    }
    if (**text != '.') {
        return;
    }
    (*text)++;
    if (**text == '*') {
        (*text)++;
        spec->precision = va_arg(arguments->list, int);
        spec->has_precision = spec->precision >= 0;
    } else {
        spec->precision = digits_parse(text);
        spec->has_precision = true;
    }
}

static void length_parse(const char **text, struct spec *spec)
{
    static const struct {
        char letter[3];
        enum argument_length length;
    } modifiers[] = {
        {"hh", LENGTH_CHAR},   {"h", LENGTH_SHORT}, {"ll", LENGTH_LONG_LONG},
        {"l", LENGTH_LONG},    {"z", LENGTH_SIZE},  {"t", LENGTH_POINTER_DIFFERENCE},
        {"j", LENGTH_MAXIMUM},
    };

    for (size_t i = 0; i < ARRAY_COUNT(modifiers); i++) {
        size_t length = string_length(modifiers[i].letter, 2);

        if (string_length(*text, length) == length &&
            memcmp(*text, modifiers[i].letter, length) == 0) {
            spec->length = modifiers[i].length;
            *text += length;
            return;
        }
    }
}

/* Prints the conversion `spec`; false when there is none of that letter. */
static bool conversion_print(struct sink *sink, struct spec *spec, struct arguments *arguments,
                             char conversion)
{
    char character;

    switch (conversion) {
    case 'd':
    case 'i':
        spec->precision = field_bound(spec->precision);
        signed_print(sink, spec, arguments);
        return true;
    case 'u':
    case 'x':
    case 'X':
        spec->precision = field_bound(spec->precision);
        unsigned_print(sink, spec, arguments, conversion);
        return true;
    case 'c':
        if (spec->length != LENGTH_INT) {
            return false;
        }
        character = (char)va_arg(arguments->list, int);
        field_print(sink, spec, "", 0, &character, 1);
        return true;
    case 's':
        if (spec->length != LENGTH_INT) {
            return false;
        }
        string_print(sink, spec, va_arg(arguments->list, const char *));
        return true;
    case '%':
        sink_put(sink, '%');
        return true;
    default:
        return false;
    }
}

size_t format_text_arguments(char *buffer, size_t size, const char *format, va_list list)
{
    struct sink sink = {.buffer = buffer, .size = size};
    struct arguments arguments;

    va_copy(arguments.list, list);
    while (*format != '\0') {
        struct spec spec = {.length = LENGTH_INT};
        const char *start = format;

        format++;
        if (*start != '%') {
            sink_put(&sink, *start);
            continue;
        }
        flags_parse(&format, &spec);
        field_parse(&format, &spec, &arguments);
        length_parse(&format, &spec);
        if (conversion_print(&sink, &spec, &arguments, *format)) {
            format++;
        } else {
            format += *format != '\0';
            sink_write(&sink, start, (size_t)(format - start));
        }
    }
    va_end(arguments.list);
    if (size != 0) {
        buffer[sink.length < size ? sink.length : size - 1] = '\0';
    }
    return sink.length;
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    size_t length;

    va_start(arguments, format);
    length = format_text_arguments(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
