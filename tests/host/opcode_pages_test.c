/* SPDX-License-Identifier: MIT */
/*
 * The field tables of docs/abi/ against sqe_wire_validation_error: each field that a page names may
 * be used, every other is refused by name, and so is each flag. tests are run from the tree's root.
 *
 * covers: ANY/BAD_FIELD, FORWARD/BAD_OPCODE
 * covers: CALL/TOO_LARGE, RETURN/TOO_LARGE, RETURN_RECV/TOO_LARGE
 */
#include "tests/host/support.h"

#include "core/ring.h"

#define PAGE_BYTES 16384u

static const struct {
    const char *name;
    uint8_t opcode;
} opcodes[] = {
    {"NOP", OPCODE_NOP},
    {"CALL", OPCODE_CALL},
    {"RECV", OPCODE_RECV},
    {"RETURN", OPCODE_RETURN},
    {"RETURN_RECV", OPCODE_RETURN_RECV},
    {"RELEASE", OPCODE_RELEASE},
    {"DUP", OPCODE_DUP},
    {"TRANSFER", OPCODE_TRANSFER},
    {"DELEGATE", OPCODE_DELEGATE},
    {"REVOKE", OPCODE_REVOKE},
    {"TOKEN", OPCODE_TOKEN},
    {"FINISH", OPCODE_FINISH},
    {"CANCEL", OPCODE_CANCEL},
    {"WATCH", OPCODE_WATCH},
    {"PARK", OPCODE_PARK},
    {"UNPARK", OPCODE_UNPARK},
};
_Static_assert(ARRAY_COUNT(opcodes) == OPCODE_FORWARD, "every opcode has a page");

/* Fields that share bytes share a number. */
static const struct {
    const char *name;
    unsigned place;
    enum refusal_argument argument; /* named when the place is not the opcode's */
} fields[] = {
    {"method", 0, ARGUMENT_METHOD},
    {"transfers", 1, ARGUMENT_TRANSFERS},
    {"message_bytes", 2, ARGUMENT_MESSAGE_BYTES},
    {"cap", 3, ARGUMENT_CAP},
    {"promise", 3, ARGUMENT_CAP},
    {"interface_id", 4, ARGUMENT_INTERFACE},
    {"token", 4, ARGUMENT_INTERFACE},
    {"facet", 4, ARGUMENT_INTERFACE},
    {"target", 4, ARGUMENT_INTERFACE},
    {"message", 5, ARGUMENT_MESSAGE},
    {"address", 5, ARGUMENT_MESSAGE},
    {"result", 6, ARGUMENT_RESULT},
    {"timeout_ns", 6, ARGUMENT_RESULT},
    {"result_bytes", 7, ARGUMENT_RESULT_BYTES},
    {"answer", 8, ARGUMENT_ANSWER},
    {"slot", 8, ARGUMENT_ANSWER},
    {"value", 8, ARGUMENT_ANSWER},
};
#define PLACES 9u

static const struct {
    const char *name;
    uint8_t flag;
} flags[] = {
    {"SQE_EXCEPTION", SQE_EXCEPTION},
    {"SQE_PROMISED", SQE_PROMISED},
    {"SQE_EXACT_SLOT", SQE_EXACT_SLOT},
    {"SQE_WINDOW", SQE_WINDOW},
    {"SQE_MOVE", SQE_MOVE},
    {"SQE_KEEP_GRANT", SQE_KEEP_GRANT},
    {"SQE_CLOSE_ON_SPAWN", SQE_CLOSE_ON_SPAWN},
    {"SQE_RELEASE", SQE_RELEASE},
};

/* The section "## Fields" of an opcode's page. */
static const char *fields_section(const char *name)
{
    static char page[PAGE_BYTES];
    char path[64];
    size_t length;
    char *start;
    char *end;
    FILE *file;

    (void)snprintf(path, sizeof(path), "docs/abi/%s.md", name);
    file = fopen(path, "r");
    assert_non_null(file);
    length = fread(page, 1, sizeof(page) - 1, file);
    assert_true(length < sizeof(page) - 1);
    (void)fclose(file);
    page[length] = 0;
    start = strstr(page, "\n## Fields\n");
    assert_non_null(start);
    end = strstr(start + 1, "\n## ");
    assert_non_null(end);
    *end = 0;
    return start;
}

/* Whether the table has a row for the field. */
static bool has_row(const char *section, const char *field)
{
    char row[64];

    (void)snprintf(row, sizeof(row), "\n| `%s` |", field);
    return strstr(section, row) != NULL;
}

static bool has_flag(const char *section, const char *flag)
{
    char word[64];

    (void)snprintf(word, sizeof(word), "`%s`", flag);
    return has_row(section, "flags") && strstr(section, word) != NULL;
}

/* Makes the bytes of a place not zero, in a way that is allowed where the place is used. */
static void place_set(struct sqe *sqe, unsigned place)
{
    switch (place) {
    case 0:
        sqe->method = 1;
        break;
    case 1:
        sqe->transfers = 1;
        break;
    case 2:
        sqe->message_bytes = 8;
        break;
    case 3:
        sqe->cap.raw = 1;
        break;
    case 4:
        sqe->interface_id = 1;
        break;
    case 5:
        sqe->message = 8;
        break;
    case 6:
        sqe->result = 8;
        break;
    case 7:
        sqe->result_bytes = 8;
        break;
    default:
        sqe->answer = 1;
        break;
    }
}

static void fields_compare(const char *section, uint8_t opcode)
{
    for (unsigned place = 0; place < PLACES; place++) {
        struct sqe sqe = {.opcode = opcode};
        struct refusal refusal;
        enum transport_error error;
        enum refusal_argument argument = ARGUMENT_NONE;
        bool documented = false;

        for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
            if (fields[i].place == place) {
                documented = documented || has_row(section, fields[i].name);
                argument = fields[i].argument;
            }
        }
        place_set(&sqe, place);
        if (place == 8 && has_flag(section, "SQE_EXACT_SLOT")) {
            sqe.flags = SQE_EXACT_SLOT;
        }
        error = sqe_wire_validation_error(&sqe, &refusal);
        if (documented) {
            assert_int_equal(error, TRANSPORT_OK);
        } else {
            assert_int_equal(error, TRANSPORT_BAD_FIELD);
            assert_int_equal(refusal.argument, argument);
        }
    }
}

static void flags_compare(const char *section, uint8_t opcode)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        struct sqe sqe = {.opcode = opcode, .flags = (uint8_t)(1U << bit)};
        struct refusal refusal;
        enum transport_error error;
        bool documented = false;

        for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
            documented =
                documented || (flags[i].flag == sqe.flags && has_flag(section, flags[i].name));
        }
        if (sqe.flags == SQE_PROMISED) {
            sqe.promise = (struct promise){.answer = 1, .path = {.step = {1, 0, 0, 0}}};
        }
        error = sqe_wire_validation_error(&sqe, &refusal);
        assert_int_equal(error, documented ? TRANSPORT_OK : TRANSPORT_BAD_FIELD);
        assert_int_equal(refusal.argument, documented ? ARGUMENT_NONE : ARGUMENT_FLAGS);
    }
}

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(opcodes); i++) {
        const char *section = fields_section(opcodes[i].name);
        struct sqe sqe = {.opcode = opcodes[i].opcode};
        struct refusal refusal;

        fields_compare(section, opcodes[i].opcode);
        flags_compare(section, opcodes[i].opcode);
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
        sqe.spare = UINT64_C(1) << 63;
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
        assert_int_equal(refusal.argument, ARGUMENT_SPARE);
    }
}

/* Every number from the reserved one on. */
static void test_unknown(void **state)
{
    (void)state;
    for (unsigned opcode = OPCODE_FORWARD; opcode <= UINT8_MAX; opcode++) {
        struct sqe sqe = {.opcode = (uint8_t)opcode};
        struct refusal refusal;

        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_OPCODE);
        assert_int_equal(refusal.amount, opcode);
    }
}

/* The paths of promises: one step at least, nothing behind the end, an answer. */
static void test_promises(void **state)
{
    static const struct {
        struct promise promise;
        enum refusal_argument argument;
    } wrong[] = {
        {{.answer = 0, .path = {.step = {1}}}, ARGUMENT_ANSWER},
        {{.answer = 1, .path = {.step = {0}}}, ARGUMENT_PATH},
        {{.answer = 1, .path = {.step = {0, 1}}}, ARGUMENT_PATH},
        {{.answer = 1, .path = {.step = {1, 0, 1}}}, ARGUMENT_PATH},
        {{.answer = 1, .path = {.step = {1, 1, 0, 255}}}, ARGUMENT_PATH},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct sqe sqe = {
            .opcode = OPCODE_CALL, .flags = SQE_PROMISED, .promise = wrong[i].promise};
        struct refusal refusal;

        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
        assert_int_equal(refusal.argument, wrong[i].argument);
        sqe.message_bytes =
            12; /* of two wrong things the field is named, as the page orders them */
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_BAD_FIELD);
        assert_int_equal(refusal.argument, wrong[i].argument);
        sqe.message_bytes = 0;
        sqe.promise = (struct promise){.answer = 1, .path = {.step = {255, 255, 255, 255}}};
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
    }
}

static void test_sizes(void **state)
{
    static const uint8_t sending[] = {OPCODE_CALL, OPCODE_RETURN, OPCODE_RETURN_RECV};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(sending); i++) {
        struct sqe sqe = {.opcode = sending[i], .message_bytes = LIMIT_MESSAGE_BYTES};
        struct refusal refusal;

        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_OK);
        sqe.message_bytes += 8;
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
        assert_int_equal(refusal.limit, LIMIT_MESSAGE_BYTES);
        sqe.message_bytes = 12;
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
        sqe.message_bytes = 0;
        sqe.transfers = LIMIT_TRANSFERS + 1;
        assert_int_equal(sqe_wire_validation_error(&sqe, &refusal), TRANSPORT_TOO_LARGE);
        assert_int_equal(refusal.argument, ARGUMENT_TRANSFERS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
