/* SPDX-License-Identifier: MIT */
/* Typed reads of a JSON document; the refusals name the path, the rule and what was found. */
#include "tools/mkmanifest/json_at.h"

#include <inttypes.h>
#include <string.h>

#include "core/manifest.h"

enum { FOUND_BYTES_MAX = 60 };

struct json_at json_member(struct json_at at, const char *key)
{
    return (struct json_at){at.report, pool_format(at.report->pool, "%s.%s", at.path, key),
                            json_object_get(at.value, key)};
}

struct json_at json_entry(struct json_at at, size_t index)
{
    return (struct json_at){at.report, pool_format(at.report->pool, "%s[%zu]", at.path, index),
                            json_array_get(at.value, index)};
}

/* What stands at this place, in a few words. */
static const char *found_text(struct json_at at)
{
    struct pool *pool = at.report->pool;
    const char *text;

    switch (at.value == NULL ? JSON_NULL : json_typeof(at.value)) {
    case JSON_OBJECT:
        return pool_format(pool, "an object of %zu fields", json_object_size(at.value));
    case JSON_ARRAY:
        return pool_format(pool, "a list of %zu entries", json_array_size(at.value));
    case JSON_STRING:
        text = json_string_value(at.value);
        return pool_format(pool, "\"%.*s\"%s", FOUND_BYTES_MAX, text,
                           strlen(text) > FOUND_BYTES_MAX ? "..." : "");
    case JSON_INTEGER:
        return pool_format(pool, "%" JSON_INTEGER_FORMAT, json_integer_value(at.value));
    case JSON_REAL:
        return pool_format(pool, "%.17g, which is no integer", json_real_value(at.value));
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        break;
    }
    return at.value == NULL ? "nothing" : "null";
}

bool json_refuse(struct json_at at, const char *rule, const char *suggestion)
{
    return report_refuse(at.report,
                         (struct refusal_text){at.path, rule, found_text(at), suggestion});
}

bool json_object_check(struct json_at at, struct key_list known)
{
    const char *key;
    json_t *value;

    if (!json_is_object(at.value)) {
        return json_refuse(at, "an object is required here", "{ ... }");
    }
    json_object_foreach(at.value, key, value)
    {
        struct name_list names = {(const char **)(uintptr_t)known.keys, known.count};
        size_t i = 0;

        while (i < known.count && strcmp(known.keys[i], key) != 0) {
            i++;
        }
        if (i == known.count) {
            return report_refuse(at.report,
                                 (struct refusal_text){
                                     at.path, "only fields that this version knows may stand here",
                                     pool_format(at.report->pool, "\"%.*s\"", FOUND_BYTES_MAX, key),
                                     suggest_name(at.report->pool, key, names)});
        }
    }
    return true;
}

bool json_array_check(struct json_at at, struct array_rule rule, size_t *count)
{
    *count = 0;
    if (at.value == NULL && !rule.required) {
        return true;
    }
    if (!json_is_array(at.value)) {
        return json_refuse(at, "a list is required here", "[ ... ]");
    }
    *count = json_array_size(at.value);
    if (*count < rule.minimum || *count > rule.maximum) {
        return json_refuse(at,
                           pool_format(at.report->pool, "%zu to %zu entries are allowed",
                                       rule.minimum, rule.maximum),
                           *count < rule.minimum
                               ? pool_format(at.report->pool, "at least %zu", rule.minimum)
                               : pool_format(at.report->pool, "at most %zu", rule.maximum));
    }
    return true;
}

bool json_text_read(struct json_at at, const char *absent, const char **text)
{
    if (at.value == NULL && absent != NULL) {
        *text = absent;
        return true;
    }
    *text = json_string_value(at.value);
    return *text != NULL || json_refuse(at, "a text is required here", "a text in quotation marks");
}

const char *name_suggestion(struct pool *pool, const char *text)
{
    char *name = pool_alloc(pool, LIMIT_NAME_BYTES + 1, 1);
    size_t length = 0;

    for (size_t i = 0; text[i] != '\0' && length < LIMIT_NAME_BYTES; i++) {
        char c = text[i];

        if (c >= 'A' && c <= 'Z') {
            name[length++] = (char)(c - 'A' + 'a');
        } else if (c == ' ' || c == '.' || c == '/') {
            name[length++] = '-';
        } else if (manifest_name_is_valid((struct capn_text){&c, 1})) {
            name[length++] = c;
        }
    }
    return length == 0 ? "service" : name;
}

bool json_name_read(struct json_at at, const char *absent, const char **text)
{
    if (!json_text_read(at, absent, text)) {
        return false;
    }
    if (!manifest_name_is_valid((struct capn_text){*text, strlen(*text)})) {
        return json_refuse(
            at, "a name is 1 to 32 characters of a-z, 0-9, '_' and '-'",
            pool_format(at.report->pool, "\"%s\"", name_suggestion(at.report->pool, *text)));
    }
    return true;
}

/* The allowed integer that is nearest to what stands there. */
static const char *number_suggestion(struct json_at at, struct number_rule rule)
{
    double value = json_number_value(at.value);
    uint64_t nearest = rule.minimum;

    if (value >= (double)rule.maximum) {
        nearest = rule.maximum;
    } else if (value > (double)rule.minimum) {
        nearest = (uint64_t)value;
    }
    return pool_format(at.report->pool, "%" PRIu64, nearest);
}

bool json_number_read(struct json_at at, struct number_rule rule, uint64_t *number)
{
    json_int_t value = json_integer_value(at.value);
    char *text;

    if (at.value == NULL && !rule.required) {
        *number = rule.absent;
        return true;
    }
    text = pool_format(at.report->pool, "an integer from %" PRIu64 " to %" PRIu64 " is required",
                       rule.minimum, rule.maximum);
    if (!json_is_integer(at.value) || value < 0 || (uint64_t)value < rule.minimum ||
        (uint64_t)value > rule.maximum) {
        return json_refuse(at, text, number_suggestion(at, rule));
    }
    *number = (uint64_t)value;
    return true;
}

bool json_bool_read(struct json_at at, bool absent, bool *value)
{
    *value = at.value == NULL ? absent : json_is_true(at.value);
    return at.value == NULL || json_is_boolean(at.value) ||
           json_refuse(at, "true or false is required here",
                       absent ? "true, or leave it out" : "false, or leave it out");
}

bool json_choice_read(struct json_at at, struct key_list words, size_t absent, size_t *index)
{
    struct name_list names = {(const char **)(uintptr_t)words.keys, words.count};
    const char *text;

    *index = absent;
    if (at.value == NULL) {
        return true;
    }
    if (!json_text_read(at, NULL, &text)) {
        return false;
    }
    for (size_t i = 0; i < words.count; i++) {
        if (strcmp(words.keys[i], text) == 0) {
            *index = i;
            return true;
        }
    }
    return json_refuse(at, "this word is not one of those allowed here",
                       suggest_name(at.report->pool, text, names));
}
