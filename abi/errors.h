/* SPDX-License-Identifier: MIT */
/* Transport errors and the refusal detail that says which check refused. Source: errors.def. */
#ifndef ABI_ERRORS_H
#define ABI_ERRORS_H

#include "abi/compiler.h"

enum transport_error {
    TRANSPORT_OK = 0,
#define TRANSPORT_ERROR(name, value, text) TRANSPORT_##name = (value),
#include "abi/errors.def"
#undef TRANSPORT_ERROR
};

/* Which argument was refused: the field of the submission or the part of the message. */
enum refusal_argument {
    ARGUMENT_NONE = 0,
    ARGUMENT_OPCODE,
    ARGUMENT_FLAGS,
    ARGUMENT_METHOD,
    ARGUMENT_CAP,
    ARGUMENT_INTERFACE,
    ARGUMENT_TOKEN,
    ARGUMENT_MESSAGE,
    ARGUMENT_MESSAGE_BYTES,
    ARGUMENT_RESULT,
    ARGUMENT_RESULT_BYTES,
    ARGUMENT_TRANSFERS,
    ARGUMENT_SPARE,
    ARGUMENT_NAME,
    ARGUMENT_IMAGE,
    ARGUMENT_COUNT,
    ARGUMENT_TIME,
    ARGUMENT_ANSWER,
    ARGUMENT_PATH,
    ARGUMENT_SLOT,
    ARGUMENT_FACET,
    ARGUMENT_TARGET,
    ARGUMENT_ADDRESS,
    ARGUMENT_VALUE,
};

/* Sixteen bytes of every completion: zero on success. */
struct refusal {
    uint16_t reason;   /* what the check was about; the opcode's page lists its reasons */
    uint16_t argument; /* enum refusal_argument */
    uint32_t limit;    /* the limit that was met, in the argument's unit; 0: none */
    uint64_t amount;   /* what was found or asked */
};

_Static_assert(sizeof(struct refusal) == 16, "the refusal detail is sixteen bytes");

#endif
