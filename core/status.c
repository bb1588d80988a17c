/* SPDX-License-Identifier: MIT */
/* Texts of the status codes, from the same list as the enum. */
#include "core/status.h"

static const char *const status_texts[STATUS_COUNT] = {
    [STATUS_OK] = "success",
#define STATUS(name, text) [STATUS_##name] = text,
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
