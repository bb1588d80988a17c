/* SPDX-License-Identifier: MIT */
/* Outcomes in words, from the tables that the errors are declared in. */
#include "capnp/runtime/capn_meta.h"
#include "schema/generated/exception.capnp.h"
#include "user/lib/client.h"

#define REASON_ENUM_ID UINT64_C(0xfc45d418ef9cdadf)

const char *client_outcome_name(int32_t outcome)
{
    struct capn_meta reasons;

    if (outcome <= 0) {
        return rt_status_name(outcome);
    }
    reasons = capn_meta_find(&exception_meta, REASON_ENUM_ID);
    if (reasons.node == NULL || outcome >= reasons.node->count) {
        return "an unknown reason";
    }
    return capn_meta_text(reasons,
                          reasons.file->enumerants[reasons.node->first + (uint32_t)outcome].name);
}
