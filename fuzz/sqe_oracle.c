/* SPDX-License-Identifier: MIT */
/*
 * The form of submissions as data: fields by place, opcodes by their fields. Nothing here is
 * derived from core/ring.c, which packs both into masks.
 */
#include "fuzz/sqe_oracle.h"

#include <string.h>

/* The fields of struct sqe behind the opcode; those that share bytes are one. */
enum field {
    FLAGS,
    METHOD,
    TRANSFERS,
    MESSAGE_BYTES,
    FIRST,  /* cap, promise */
    SECOND, /* interface_id, token, facet, target */
    MESSAGE,
    RESULT,
    RESULT_BYTES,
    LAST, /* answer, slot, value */
    SPARE,
    FIELDS,
};
_Static_assert(FIELDS + 1 == SQE_FIELDS, "these and the opcode");

static const struct {
    uint8_t offset;
    uint8_t bytes;
    enum refusal_argument argument;
} places[FIELDS] = {
    [FLAGS] = {1, 1, ARGUMENT_FLAGS},
    [METHOD] = {2, 1, ARGUMENT_METHOD},
    [TRANSFERS] = {3, 1, ARGUMENT_TRANSFERS},
    [MESSAGE_BYTES] = {4, 4, ARGUMENT_MESSAGE_BYTES},
    [FIRST] = {16, 8, ARGUMENT_CAP},
    [SECOND] = {24, 8, ARGUMENT_INTERFACE},
    [MESSAGE] = {32, 8, ARGUMENT_MESSAGE},
    [RESULT] = {40, 8, ARGUMENT_RESULT},
    [RESULT_BYTES] = {48, 4, ARGUMENT_RESULT_BYTES},
    [LAST] = {52, 4, ARGUMENT_ANSWER},
    [SPARE] = {56, 8, ARGUMENT_SPARE},
};

/* What each page lists: fields, ended by FIELDS, and the combinations of flags that mean something.
 */
static const struct {
    uint8_t fields[FIELDS];
    uint8_t flags[8];
    uint8_t flag_sets;
} pages[OPCODE_FORWARD] = {
    [OPCODE_NOP] = {{FIELDS}, {0}, 1},
    [OPCODE_CALL] = {{METHOD, TRANSFERS, MESSAGE_BYTES, FIRST, SECOND, MESSAGE, RESULT,
                      RESULT_BYTES, LAST, FIELDS},
                     {0, SQE_PROMISED},
                     2},
    [OPCODE_RECV] = {{FIRST, RESULT, RESULT_BYTES, FIELDS}, {0}, 1},
    [OPCODE_RETURN] = {{TRANSFERS, MESSAGE_BYTES, FIRST, SECOND, MESSAGE, FIELDS},
                       {0, SQE_EXCEPTION},
                       2},
    [OPCODE_RETURN_RECV] = {{TRANSFERS, MESSAGE_BYTES, FIRST, SECOND, MESSAGE, RESULT, RESULT_BYTES,
                             FIELDS},
                            {0, SQE_EXCEPTION},
                            2},
    [OPCODE_RELEASE] = {{FIRST, FIELDS}, {0}, 1},
    [OPCODE_DUP] = {{FIRST, SECOND, LAST, FIELDS},
                    {0, SQE_EXACT_SLOT, SQE_WINDOW, SQE_CLOSE_ON_SPAWN,
                     SQE_EXACT_SLOT | SQE_CLOSE_ON_SPAWN, SQE_WINDOW | SQE_CLOSE_ON_SPAWN},
                    6},
    [OPCODE_TRANSFER] = {{FIRST, SECOND, LAST, FIELDS},
                         {0, SQE_EXACT_SLOT, SQE_MOVE, SQE_KEEP_GRANT, SQE_EXACT_SLOT | SQE_MOVE,
                          SQE_EXACT_SLOT | SQE_KEEP_GRANT, SQE_MOVE | SQE_KEEP_GRANT,
                          SQE_EXACT_SLOT | SQE_MOVE | SQE_KEEP_GRANT},
                         8},
    [OPCODE_DELEGATE] = {{FIRST, SECOND, FIELDS}, {0}, 1},
    [OPCODE_REVOKE] = {{FIRST, FIELDS}, {0}, 1},
    [OPCODE_TOKEN] = {{SECOND, LAST, FIELDS}, {0}, 1},
    [OPCODE_FINISH] = {{LAST, FIELDS}, {0, SQE_RELEASE}, 2},
    [OPCODE_CANCEL] = {{SECOND, FIELDS}, {0}, 1},
    [OPCODE_WATCH] = {{FIRST, SECOND, FIELDS}, {0}, 1},
    [OPCODE_PARK] = {{FIRST, MESSAGE, RESULT, LAST, FIELDS}, {0}, 1},
    [OPCODE_UNPARK] = {{FIRST, MESSAGE, LAST, FIELDS}, {0}, 1},
};

static bool page_has(uint8_t opcode, enum field field)
{
    const uint8_t *at = pages[opcode].fields;

    while (*at != FIELDS && *at != field) {
        at++;
    }
    return *at == field;
}

static bool page_has_flags(uint8_t opcode, uint8_t flags)
{
    for (unsigned i = 0; i < pages[opcode].flag_sets; i++) {
        if (pages[opcode].flags[i] == flags) {
            return true;
        }
    }
    return false;
}

static uint64_t field_get(const struct sqe *sqe, enum field field)
{
    uint64_t value = 0;

    memcpy(&value, (const uint8_t *)sqe + places[field].offset, places[field].bytes);
    return value;
}

static void field_set(struct sqe *sqe, enum field field, uint64_t value)
{
    memcpy((uint8_t *)sqe + places[field].offset, &value, places[field].bytes);
}

static bool takes_slot(uint8_t opcode)
{
    return opcode == OPCODE_DUP || opcode == OPCODE_TRANSFER;
}

void sqe_generate(struct sqe *sqe, uint8_t opcode, struct dice *dice)
{
    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = opcode;
    sqe->flags = pages[opcode].flags[dice_below(dice, pages[opcode].flag_sets)];
    sqe->user_data = dice_word(dice, 8);
    for (const uint8_t *at = pages[opcode].fields; *at != FIELDS; at++) {
        field_set(sqe, *at, dice_word(dice, places[*at].bytes));
    }
    sqe->message_bytes = sqe->message_bytes % (LIMIT_MESSAGE_BYTES / 8 + 1) * 8;
    sqe->transfers = sqe->transfers % (LIMIT_TRANSFERS + 1);
    if ((sqe->flags & SQE_PROMISED) != 0) {
        unsigned steps = 1 + (unsigned)dice_below(dice, PATH_STEPS);

        sqe->promise.answer |= sqe->promise.answer == 0;
        for (unsigned i = 0; i < PATH_STEPS; i++) {
            uint8_t *step = &sqe->promise.path.step[i];

            *step = (uint8_t)(i >= steps ? 0 : *step == 0 ? 1 : *step);
        }
    }
    if (takes_slot(opcode) && (sqe->flags & SQE_EXACT_SLOT) == 0) {
        sqe->slot = 0;
    }
}

/* ---- spoiling -------------------------------------------------------------------------------- */

static struct sqe_verdict spoil_message_bytes(struct sqe *sqe, struct dice *dice)
{
    uint32_t bytes = (uint32_t)dice_word(dice, 4);

    if (bytes <= LIMIT_MESSAGE_BYTES && bytes % 8 == 0) {
        bytes = bytes % 16 == 0 ? bytes + 1 + bytes / 16 % 7 : LIMIT_MESSAGE_BYTES + bytes;
    }
    sqe->message_bytes = bytes;
    return (struct sqe_verdict){TRANSPORT_TOO_LARGE, ARGUMENT_MESSAGE_BYTES, LIMIT_MESSAGE_BYTES,
                                bytes};
}

static struct sqe_verdict spoil_transfers(struct sqe *sqe, struct dice *dice)
{
    sqe->transfers = (uint8_t)(LIMIT_TRANSFERS + 1 + dice_below(dice, UINT8_MAX - LIMIT_TRANSFERS));
    return (struct sqe_verdict){TRANSPORT_TOO_LARGE, ARGUMENT_TRANSFERS, LIMIT_TRANSFERS,
                                sqe->transfers};
}

static struct sqe_verdict bad_field(enum refusal_argument argument, uint64_t amount)
{
    return (struct sqe_verdict){TRANSPORT_BAD_FIELD, argument, 0, amount};
}

/* No answer, no path, or a step behind the path's end. */
static struct sqe_verdict spoil_promise(struct sqe *sqe, struct dice *dice)
{
    uint8_t *step = sqe->promise.path.step;
    unsigned end = (unsigned)dice_below(dice, PATH_STEPS);

    if (dice_below(dice, 3) == 0) {
        sqe->promise.answer = 0;
        return bad_field(ARGUMENT_ANSWER, 0);
    }
    for (unsigned i = 0; i < PATH_STEPS; i++) {
        step[i] = i < end ? (uint8_t)(step[i] | 1U) : 0;
    }
    if (end != 0) { /* else it has no step at all */
        step[end] = 0;
        if (end == PATH_STEPS - 1) {
            step[--end] = 0;
        }
        step[PATH_STEPS - 1] = (uint8_t)(1 + dice_below(dice, UINT8_MAX));
    }
    return bad_field(ARGUMENT_PATH, field_get(sqe, FIRST) >> 32);
}

/* A combination of flags that the page does not have. Clearing SQE_EXACT_SLOT or setting
 * SQE_PROMISED would make another field the wrong one. */
static struct sqe_verdict spoil_flags(struct sqe *sqe, struct dice *dice)
{
    uint8_t flags = (uint8_t)(sqe->flags | 1U << dice_below(dice, 8));

    while (page_has_flags(sqe->opcode, flags)) {
        flags = (uint8_t)(flags | (unsigned)flags << 1 | 1U);
    }
    sqe->flags = flags;
    return bad_field(ARGUMENT_FLAGS, flags);
}

static uint64_t not_zero(uint64_t value)
{
    return value == 0 ? 1 : value;
}

struct sqe_verdict sqe_spoil(struct sqe *sqe, unsigned choice, struct dice *dice)
{
    enum field field = choice;
    uint64_t value;

    if (choice == FIELDS) {
        sqe->opcode = (uint8_t)(OPCODE_FORWARD + dice_below(dice, 256 - OPCODE_FORWARD));
        return (struct sqe_verdict){TRANSPORT_BAD_OPCODE, ARGUMENT_OPCODE, 0, sqe->opcode};
    }
    if (field == FLAGS) {
        return spoil_flags(sqe, dice);
    }
    if (page_has(sqe->opcode, field)) {
        if (field == MESSAGE_BYTES) {
            return spoil_message_bytes(sqe, dice);
        }
        if (field == TRANSFERS) {
            return spoil_transfers(sqe, dice);
        }
        if (field == FIRST && (sqe->flags & SQE_PROMISED) != 0) {
            return spoil_promise(sqe, dice);
        }
        if (field == LAST && takes_slot(sqe->opcode) && (sqe->flags & SQE_EXACT_SLOT) == 0) {
            sqe->slot = (uint32_t)not_zero(dice_word(dice, 4));
            return bad_field(ARGUMENT_SLOT, sqe->slot);
        }
        field = SPARE; /* every value of this one is allowed */
    }
    value = dice_word(dice, places[field].bytes);
    field_set(sqe, field, not_zero(value));
    return bad_field(places[field].argument, field_get(sqe, field));
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool field_is_unused_and_set(const struct sqe *sqe, enum field field)
{
    return field != FLAGS && !page_has(sqe->opcode, field) && field_get(sqe, field) != 0;
}

/* The path of a promise as a pattern: steps, then none to the end. */
static bool path_is_good(const struct sqe *sqe)
{
    uint64_t path = field_get(sqe, FIRST) >> 32;

    for (; path != 0; path >>= 8) {
        if ((path & UINT8_MAX) == 0) {
            return false;
        }
    }
    return sqe->promise.path.step[0] != 0;
}

/* Fields that are used and hold a value that is BAD_FIELD, by the argument that names them. */
static bool value_is_bad(const struct sqe *sqe, enum refusal_argument argument)
{
    bool promised = (sqe->flags & SQE_PROMISED) != 0;

    switch (argument) {
    case ARGUMENT_FLAGS:
        return !page_has_flags(sqe->opcode, sqe->flags);
    case ARGUMENT_ANSWER:
        return promised && sqe->promise.answer == 0;
    case ARGUMENT_PATH:
        return promised && !path_is_good(sqe);
    case ARGUMENT_SLOT:
        return takes_slot(sqe->opcode) && (sqe->flags & SQE_EXACT_SLOT) == 0 && sqe->slot != 0;
    default:
        return false;
    }
}

static bool field_is_bad(const struct sqe *sqe, enum refusal_argument argument)
{
    for (unsigned field = 0; field < FIELDS; field++) {
        if (places[field].argument == argument && field_is_unused_and_set(sqe, field)) {
            return true;
        }
    }
    return value_is_bad(sqe, argument);
}

static bool any_field_is_bad(const struct sqe *sqe)
{
    for (unsigned argument = ARGUMENT_NONE; argument <= ARGUMENT_VALUE; argument++) {
        if (field_is_bad(sqe, argument)) {
            return true;
        }
    }
    return false;
}

static bool is_too_large(const struct sqe *sqe)
{
    return sqe->message_bytes % 8 != 0 || sqe->message_bytes > LIMIT_MESSAGE_BYTES ||
           sqe->transfers > LIMIT_TRANSFERS;
}

const char *sqe_judge(const struct sqe *sqe, enum transport_error error,
                      const struct refusal *refusal)
{
    if (error == TRANSPORT_OK) {
        static const struct refusal none;

        return memcmp(refusal, &none, sizeof(none)) != 0 ? "no error, but a refusal"
               : sqe->opcode >= OPCODE_FORWARD           ? "an opcode that does not exist"
               : any_field_is_bad(sqe)                   ? "a forbidden field was accepted"
               : is_too_large(sqe)                       ? "a size beyond its limit was accepted"
                                                         : NULL;
    }
    if (refusal->reason != (uint16_t)-error) {
        return "the refusal has another reason than the error";
    }
    if (sqe->opcode >= OPCODE_FORWARD) {
        return error == TRANSPORT_BAD_OPCODE && refusal->argument == ARGUMENT_OPCODE &&
                       refusal->amount == sqe->opcode
                   ? NULL
                   : "not BAD_OPCODE";
    }
    if (any_field_is_bad(sqe)) {
        return error == TRANSPORT_BAD_FIELD && field_is_bad(sqe, refusal->argument)
                   ? NULL
                   : "a forbidden field is not named, or not first";
    }
    return error == TRANSPORT_TOO_LARGE && is_too_large(sqe) ? NULL : "refused without a cause";
}
