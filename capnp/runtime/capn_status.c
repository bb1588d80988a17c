/* SPDX-License-Identifier: MIT */
/* The sentence for each status. */
#include "capn_base.h"

static const char *const capn_status_texts[CAPN_STATUS_COUNT] = {
#define CAPN_STATUS(name, text) text,
#include "capn_status.def"
#undef CAPN_STATUS
};

const char *capn_status_text(enum capn_status status)
{
    return (unsigned)status < CAPN_STATUS_COUNT ? capn_status_texts[status] : "unknown status";
}
