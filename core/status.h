/* SPDX-License-Identifier: MIT */
/*
 * One status for every operation of core/ and of the kernel that can fail. The codes come from
 * core/status.def. Parsers of foreign formats (ELF, boot information, ACPI) have enums of their
 * own, because their causes are theirs; this one is for operations on our own objects.
 */
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

#include "abi/compiler.h"

enum status {
    STATUS_OK = 0,
#define STATUS(name, text) STATUS_##name,
#include "core/status.def"
#undef STATUS
    STATUS_COUNT
};

/*
 * The sentence for `status`, for logs and tests; never NULL, static, without a final period. A
 * value outside the enum gives "unknown status".
 */
MUST_USE const char *status_text(enum status status);

#endif
