/* SPDX-License-Identifier: MIT */
/*
 * A place in a JSON document that knows its path, and reads of the one shape that a field may have.
 * Every read that fails has noted a refusal with the path, the rule and what was found.
 */
#ifndef TOOLS_MKMANIFEST_JSON_AT_H
#define TOOLS_MKMANIFEST_JSON_AT_H

#include <jansson.h>

#include "tools/mkmanifest/report.h"

struct json_at {
    struct report *report;
    const char *path;
    json_t *value; /* NULL: absent */
};

/* Everything a number may be. */
struct number_rule {
    uint64_t minimum;
    uint64_t maximum;
    uint64_t absent; /* the value of a field that is not there */
    bool required;
};

struct key_list {
    const char *const *keys;
    size_t count;
};

/* The member `key` of an object, or entry `index` of an array; its value may be absent. */
struct json_at json_member(struct json_at at, const char *key);
struct json_at json_entry(struct json_at at, size_t index);

/* The text with what is not allowed in a name replaced or left out; some name if nothing is left.
 */
const char *name_suggestion(struct pool *pool, const char *text);

/* Refuses at this place: `rule`, with what was found there and what would do. */
bool json_refuse(struct json_at at, const char *rule, const char *suggestion);

/* Whether this is an object with no key beside those listed. */
bool json_object_check(struct json_at at, struct key_list known) MUST_USE;

/* Whether this is an array of `minimum` to `maximum` entries; *count tells how many. An absent one
 * counts as empty unless `required`. */
struct array_rule {
    size_t minimum;
    size_t maximum;
    bool required;
};
bool json_array_check(struct json_at at, struct array_rule rule, size_t *count) MUST_USE;

/* *text lives as long as the document. An absent one is `absent` unless that is NULL. */
bool json_text_read(struct json_at at, const char *absent, const char **text) MUST_USE;

/* The same, and the text is a legal name. */
bool json_name_read(struct json_at at, const char *absent, const char **text) MUST_USE;

bool json_number_read(struct json_at at, struct number_rule rule, uint64_t *number) MUST_USE;
bool json_bool_read(struct json_at at, bool absent, bool *value) MUST_USE;

/* One of a list of words; *index is its place there. */
bool json_choice_read(struct json_at at, struct key_list words, size_t absent,
                      size_t *index) MUST_USE;

#endif
