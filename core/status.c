/* SPDX-License-Identifier: MIT */
/* Names and texts of the status codes, from the same list as the enum. */
#include "core/status.h"

static const char *const status_texts[STATUS_COUNT] = {
    [STATUS_OK] = "success",
#define STATUS(name, text) [STATUS_##name] = text,
#include "core/status.def"
#undef STATUS
};

static const char *const status_names[STATUS_COUNT] = {
    [STATUS_OK] = "OK",
#define STATUS(name, text) [STATUS_##name] = #name,
#include "core/status.def"
#undef STATUS
};

const char *status_text(enum status status)
{
    if ((unsigned)status >= STATUS_COUNT) {
        return "unknown status";
    }
    return status_texts[status];
}

const char *status_name(enum status status)
{
    if ((unsigned)status >= STATUS_COUNT) {
        return "unknown status";
    }
    return status_names[status];
}
