/* SPDX-License-Identifier: MIT */
/* The kernel objects that a manifest may grant, and the small rules about names and modes. */
#include "core/assert.h"
#include "core/manifest.h"
#include "core/string.h"
#include "schema/generated/boot.capnp.h"
#include "schema/generated/capability.capnp.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/entropy.capnp.h"
#include "schema/generated/log.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/null.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/sync.capnp.h"
#include "schema/generated/thread.capnp.h"
#include "schema/generated/timer.capnp.h"

struct source_facts {
    const char *name;
    uint64_t interface_id;
    unsigned methods;
};

static const struct source_facts source_facts[MANIFEST_SOURCE_COUNT] = {
#define MANIFEST_SOURCE(name, text, interface)                                                     \
    [MANIFEST_SOURCE_##name] = {text, interface##_INTERFACE_ID, interface##_METHOD_COUNT},
#include "core/manifest_source.def"
#undef MANIFEST_SOURCE
};

const char *manifest_source_name(enum manifest_source source)
{
    ASSERT((unsigned)source < MANIFEST_SOURCE_COUNT);
    return source_facts[source].name;
}

uint64_t manifest_source_interface(enum manifest_source source)
{
    ASSERT((unsigned)source < MANIFEST_SOURCE_COUNT);
    return source_facts[source].interface_id;
}

uint64_t manifest_source_methods(enum manifest_source source)
{
    ASSERT((unsigned)source < MANIFEST_SOURCE_COUNT);
    ASSERT(source_facts[source].methods < 64);
    return (UINT64_C(1) << source_facts[source].methods) - 1;
}

enum manifest_source manifest_source_find(struct capn_text name)
{
    unsigned i = 0;

    while (i < MANIFEST_SOURCE_COUNT &&
           !string_matches(name.bytes, name.length, source_facts[i].name)) {
        i++;
    }
    return (enum manifest_source)i;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool manifest_name_is_valid(struct capn_text name)
{
    if (name.length == 0 || name.length > LIMIT_NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        if (!is_name_character(name.bytes[i])) {
            return false;
        }
    }
    return true;
}

bool manifest_text_equal(struct capn_text a, struct capn_text b)
{
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

bool manifest_transfer_within(enum authority_transfer_mode given, enum authority_transfer_mode held)
{
    return held == AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE ||
           (held == AUTHORITY_TRANSFER_MODE_COPY && given == AUTHORITY_TRANSFER_MODE_NONE);
}
