/* SPDX-License-Identifier: MIT */
/* Refusals of a manifest, and the checks of single fields. */
#include "core/manifest_check.h"

#include "core/assert.h"

static const char *const error_texts[MANIFEST_ERROR_COUNT] = {
    [MANIFEST_OK] = "it is accepted",
#define MANIFEST_ERROR(name, text) [MANIFEST_ERROR_##name] = text,
#include "core/manifest_error.def"
#undef MANIFEST_ERROR
};

const char *manifest_error_text(enum manifest_error error)
{
    if ((unsigned)error >= MANIFEST_ERROR_COUNT) {
        return "unknown manifest error";
    }
    return error_texts[error];
}

bool manifest_refuse(struct manifest *m, enum manifest_error error, uint64_t found, uint64_t limit)
{
    ASSERT(m->refusal.error == MANIFEST_OK);
    ASSERT(error != MANIFEST_OK);
    m->refusal.error = error;
    m->refusal.found = found;
    m->refusal.limit = limit;
    return false;
}

bool manifest_refuse_text(struct manifest *m, enum manifest_error error, struct capn_text text)
{
    m->refusal.text = text;
    return manifest_refuse(m, error, text.length,
                           error == MANIFEST_ERROR_NAME ? LIMIT_NAME_BYTES : 0);
}

bool manifest_refuse_field(struct manifest *m, const char *field, enum manifest_error error,
                           struct manifest_numbers numbers)
{
    manifest_enter(m, field, MANIFEST_NO_INDEX);
    return manifest_refuse(m, error, numbers.found, numbers.limit);
}

bool manifest_refuse_name(struct manifest *m, const char *field, enum manifest_error error,
                          struct capn_text text)
{
    manifest_enter(m, field, MANIFEST_NO_INDEX);
    return manifest_refuse_text(m, error, text);
}

void manifest_enter(struct manifest *m, const char *field, uint32_t index)
{
    ASSERT(m->refusal.step_count < MANIFEST_PATH_STEPS);
    m->refusal.step[m->refusal.step_count] = (struct manifest_step){field, index};
    m->refusal.step_count++;
}

void manifest_leave(struct manifest *m)
{
    ASSERT(m->refusal.step_count > 0);
    ASSERT(m->refusal.error == MANIFEST_OK);
    m->refusal.step_count--;
}

void manifest_refill(struct manifest *m)
{
    m->reader.traversal_words_left = m->budget_words;
}

bool manifest_pointers_good(struct manifest *m)
{
    const struct capn_error *error = &m->reader.error;

    if (error->code == CAPN_OK) {
        return true;
    }
    m->refusal.detail = capn_status_text(error->code);
    return manifest_refuse(m, MANIFEST_ERROR_MESSAGE, error->found, error->limit);
}

bool manifest_present(struct manifest *m, const char *field, struct capn_pointer at)
{
    return !capn_pointer_is_null(at) ||
           manifest_refuse_field(m, field, MANIFEST_ERROR_MISSING, (struct manifest_numbers){0, 0});
}

bool manifest_number_check(struct manifest *m, const char *field, uint64_t value,
                           struct manifest_range range)
{
    if (value >= range.minimum && value <= range.maximum) {
        return true;
    }
    return manifest_refuse_field(
        m, field, MANIFEST_ERROR_RANGE,
        (struct manifest_numbers){value, value < range.minimum ? range.minimum : range.maximum});
}

bool manifest_text_check(struct manifest *m, struct capn_pointer at, struct capn_text *text)
{
    manifest_refill(m);
    if (capn_pointer_is_null(at)) {
        return manifest_refuse(m, MANIFEST_ERROR_MISSING, 0, 0);
    }
    *text = capn_read_text(at, (struct capn_text){NULL, 0});
    return manifest_pointers_good(m);
}

bool manifest_name_check(struct manifest *m, const char *field, struct capn_pointer at,
                         struct capn_text *name)
{
    manifest_enter(m, field, MANIFEST_NO_INDEX);
    if (!manifest_text_check(m, at, name)) {
        return false;
    }
    if (!manifest_name_is_valid(*name)) {
        return manifest_refuse_text(m, MANIFEST_ERROR_NAME, *name);
    }
    manifest_leave(m);
    return true;
}

bool manifest_list_check(struct manifest *m, const char *field, struct capn_pointer at,
                         struct manifest_range range, const struct capn_list *list)
{
    manifest_enter(m, field, MANIFEST_NO_INDEX);
    if (!manifest_pointers_good(m)) {
        return false;
    }
    if (capn_pointer_is_null(at)) {
        return manifest_refuse(m, MANIFEST_ERROR_MISSING, 0, 0);
    }
    if (list->count < range.minimum) {
        return manifest_refuse(m, MANIFEST_ERROR_EMPTY, list->count, range.minimum);
    }
    if (list->count > range.maximum) {
        return manifest_refuse(m, MANIFEST_ERROR_TOO_MANY, list->count, range.maximum);
    }
    manifest_leave(m);
    return true;
}
