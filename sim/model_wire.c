/* SPDX-License-Identifier: MIT */
/*
 * The form of submissions, from the field comments of struct sqe in abi/ring.h, written apart from
 * core/ring.c. Fields that share bytes are one field here.
 */
#include "sim/model.h"

/* Which opcodes use which field, as strings of letters: m method, t transfers, b message_bytes,
 * c cap, 2 the second word, p message, r result, s result_bytes, a answer. */
static const char *const fields[] = {
    [OPCODE_NOP] = "",
    [OPCODE_CALL] = "mtbc2prsa",
    [OPCODE_RECV] = "crs",
    [OPCODE_RETURN] = "tbc2p",
    [OPCODE_RETURN_RECV] = "tbc2prs",
    [OPCODE_RELEASE] = "c",
    [OPCODE_DUP] = "c2a",
    [OPCODE_TRANSFER] = "c2a",
    [OPCODE_DELEGATE] = "c2",
    [OPCODE_REVOKE] = "c",
    [OPCODE_TOKEN] = "2a",
    [OPCODE_FINISH] = "a",
    [OPCODE_CANCEL] = "2",
    [OPCODE_WATCH] = "c2",
    [OPCODE_PARK] = "cpra",
    [OPCODE_UNPARK] = "cpa",
};

static bool uses(uint8_t opcode, char field)
{
    for (const char *letter = fields[opcode]; *letter != '\0'; letter++) {
        if (*letter == field) {
            return true;
        }
    }
    return false;
}

static uint8_t flags_allowed(uint8_t opcode)
{
    switch (opcode) {
    case OPCODE_CALL:
        return SQE_PROMISED;
    case OPCODE_RETURN:
    case OPCODE_RETURN_RECV:
        return SQE_EXCEPTION;
    case OPCODE_DUP:
        return SQE_EXACT_SLOT | SQE_WINDOW | SQE_CLOSE_ON_SPAWN;
    case OPCODE_TRANSFER:
        return SQE_EXACT_SLOT | SQE_MOVE | SQE_KEEP_GRANT;
    case OPCODE_FINISH:
        return SQE_RELEASE;
    default:
        return 0;
    }
}

static bool path_is_good(const uint8_t *step)
{
    unsigned length = 0;

    while (length < PATH_STEPS && step[length] != 0) {
        length++;
    }
    for (unsigned i = length; i < PATH_STEPS; i++) {
        if (step[i] != 0) {
            return false;
        }
    }
    return length > 0;
}

int32_t model_wire(const struct sqe *sqe)
{
    const struct {
        char letter;
        uint64_t value;
    } field[] = {
        {'m', sqe->method},  {'t', sqe->transfers},    {'b', sqe->message_bytes},
        {'c', sqe->cap.raw}, {'2', sqe->token},        {'p', sqe->message},
        {'r', sqe->result},  {'s', sqe->result_bytes}, {'a', sqe->answer},
    };
    uint8_t opcode = sqe->opcode;

    if (opcode >= ARRAY_COUNT(fields) || fields[opcode] == NULL) {
        return TRANSPORT_BAD_OPCODE;
    }
    if ((sqe->flags & ~flags_allowed(opcode)) != 0 || sqe->spare != 0) {
        return TRANSPORT_BAD_FIELD;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(field); i++) {
        if (field[i].value != 0 && !uses(opcode, field[i].letter)) {
            return TRANSPORT_BAD_FIELD;
        }
    }
    if ((sqe->flags & SQE_PROMISED) != 0 &&
        (sqe->promise.answer == 0 || !path_is_good(sqe->promise.path.step))) {
        return TRANSPORT_BAD_FIELD;
    }
    if (opcode == OPCODE_DUP || opcode == OPCODE_TRANSFER) {
        bool exact = (sqe->flags & SQE_EXACT_SLOT) != 0;

        if ((exact && (sqe->flags & SQE_WINDOW) != 0) || (!exact && sqe->slot != 0)) {
            return TRANSPORT_BAD_FIELD;
        }
    }
    if (sqe->message_bytes % 8 != 0 || sqe->message_bytes > LIMIT_MESSAGE_BYTES ||
        sqe->transfers > LIMIT_TRANSFERS) {
        return TRANSPORT_TOO_LARGE;
    }
    return TRANSPORT_OK;
}
