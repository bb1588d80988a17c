/* SPDX-License-Identifier: MIT */
/* The place of a refusal as text: "services[2].grants[0].facet". */
#include "core/assert.h"
#include "core/manifest.h"

/* What has been written; `length` counts on beyond `size`. */
struct path_text {
    char *buffer;
    size_t size;
    size_t length;
};

static void put(struct path_text *text, char c)
{
    if (text->length + 1 < text->size) {
        text->buffer[text->length] = c;
        text->buffer[text->length + 1] = '\0';
    }
    text->length++;
}

static void put_string(struct path_text *text, const char *string)
{
    for (size_t i = 0; string[i] != '\0'; i++) {
        put(text, string[i]);
    }
}

static void put_number(struct path_text *text, uint32_t number)
{
    char digits[10];
    unsigned count = 0;

    do {
        ASSERT(count < sizeof(digits));
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        put(text, digits[--count]);
    }
}

size_t manifest_path_text(const struct manifest_refusal *refusal, char *buffer, size_t size)
{
    struct path_text text = {buffer, size, 0};

    ASSERT(size > 0);
    ASSERT(refusal->step_count <= MANIFEST_PATH_STEPS);
    buffer[0] = '\0';
    if (refusal->step_count == 0) {
        put_string(&text, "manifest");
    }
    for (uint32_t i = 0; i < refusal->step_count; i++) {
        if (i > 0) {
            put(&text, '.');
        }
        put_string(&text, refusal->step[i].field);
        if (refusal->step[i].index != MANIFEST_NO_INDEX) {
            put(&text, '[');
            put_number(&text, refusal->step[i].index);
            put(&text, ']');
        }
    }
    return text.length;
}
