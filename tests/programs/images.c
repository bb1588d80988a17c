/* SPDX-License-Identifier: MIT */
/*
 * Processes out of memory objects, and grants at slots of the child's window. The program that is
 * started is made here: one segment whose few instructions, which lie across two pages of the
 * object, end the process with a code. Every way to get it wrong is refused, by argument.
 *
 * Needs "process-spawner", "frame-allocator", "console" (may be passed on); binary 1 of the boot
 * package must be this program, which as "placed" looks where its console is.
 */
#include "abi/syscall.h"
#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/giving.h"
#include "user/lib/memory.h"
#include "user/lib/process.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"

enum {
    BINARY_SELF = 1,
    PLACE = 5,
    WINDOW = 256,
    END_CODE = 77,
    IMAGE_PAGES = 3,
    CODE_OFFSET = LIMIT_PAGE_BYTES - 6, /* its second instruction lies across two pages */
    HEADER_BYTES = 64,
    PROGRAM_BYTES = 56,
};

#define IMAGE_BASE          UINT64_C(0x400000)
#define FACET(method)       (UINT64_C(1) << MEMORY_OBJECT_METHOD_##method)
#define FACET_CONSOLE_WRITE (UINT64_C(1) << CONSOLE_METHOD_WRITE)

static struct process_request request_of(const char *name)
{
    return (struct process_request){.name = giving_text(name),
                                    .boot_binary = BINARY_SELF,
                                    .quotas = check_quotas(),
                                    .scheduling = {.cpu_mask = UINT64_MAX}};
}

static int32_t spawn(struct check *check, const struct process_request *request,
                     struct process_end *end)
{
    struct process_spawner spawner = {check_held(check, "process-spawner")};
    struct process_handle handle;
    int32_t outcome = process_client_spawn(check->rt, spawner, request, &handle);

    if (outcome == TRANSPORT_OK) {
        CHECK_EQUAL(check, process_client_wait(check->rt, handle, end), TRANSPORT_OK);
        CHECK_EQUAL(check, rt_release(&check->rt->ring, handle.cap), TRANSPORT_OK);
    }
    return outcome;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

/* The headers (gABI figure 4-3 and chapter 5): one segment, all of the file, read and execute. */
static void headers_make(uint8_t *to)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

    memset(to, 0, HEADER_BYTES + PROGRAM_BYTES);
    memcpy(to, ident, sizeof(ident));
    put(to + 16, 2, 2);                        /* ET_EXEC */
    put(to + 18, 62, 2);                       /* EM_X86_64 */
    put(to + 20, 1, 4);                        /* version */
    put(to + 24, IMAGE_BASE + CODE_OFFSET, 8); /* entry */
    put(to + 32, HEADER_BYTES, 8);             /* program headers */
    put(to + 52, HEADER_BYTES, 2);
    put(to + 54, PROGRAM_BYTES, 2);
    put(to + 56, 1, 2);
    to += HEADER_BYTES;
    put(to, 1, 4);     /* PT_LOAD */
    put(to + 4, 5, 4); /* read, execute */
    put(to + 16, IMAGE_BASE, 8);
    put(to + 24, IMAGE_BASE, 8);
    put(to + 32, IMAGE_PAGES * LIMIT_PAGE_BYTES, 8);
    put(to + 40, IMAGE_PAGES * LIMIT_PAGE_BYTES, 8);
    put(to + 48, LIMIT_PAGE_BYTES, 8);
}

static struct memory_object image_make(struct check *check)
{
    static const uint8_t code[] = {
        0xb8, SYSCALL_EXIT, 0, 0, 0, /* mov $SYSCALL_EXIT, %eax */
        0xbf, END_CODE,     0, 0, 0, /* mov $END_CODE, %edi */
        0xbe, EXIT_PROCESS, 0, 0, 0, /* mov $EXIT_PROCESS, %esi */
        0x0f, 0x05,                  /* syscall */
    };
    struct frame_allocator allocator = {check_held(check, "frame-allocator")};
    struct memory_object object = {.cap = {.raw = 0}};
    uint8_t headers[HEADER_BYTES + PROGRAM_BYTES];

    headers_make(headers);
    CHECK_EQUAL(check,
                memory_client_allocate(check->rt, allocator,
                                       (uint64_t)IMAGE_PAGES * LIMIT_PAGE_BYTES, &object),
                TRANSPORT_OK);
    CHECK_EQUAL(
        check,
        memory_client_write(check->rt, object, 0, (struct capn_data){headers, sizeof(headers)}),
        TRANSPORT_OK);
    CHECK_EQUAL(
        check,
        memory_client_write(check->rt, object, CODE_OFFSET, (struct capn_data){code, sizeof(code)}),
        TRANSPORT_OK);
    return object;
}

static void objects(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct memory_object object = image_make(check);
    struct process_request request = request_of("made");
    uint8_t far[8];
    struct process_end end = {.kind = 0};
    struct cap_id unreadable;

    request.image = object.cap;
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(check, spawn(check, &request, &end), TRANSPORT_OK);
        CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
        CHECK_EQUAL(check, end.code, END_CODE);
    }
    CHECK_EQUAL(check,
                rt_duplicate(ring,
                             &(struct rt_duplicate){.cap = object.cap, .facet = FACET(MAP_READ)},
                             &unreadable, NULL),
                TRANSPORT_OK);
    request.image = unreadable;
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_METHOD_NOT_IN_FACET);
    request.image = check_held(check, "console");
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_WRONG_INTERFACE);
    request.image = cap_id_make(900, 5);
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_STALE_CAPABILITY);
    /* Headers beyond the first page, and no program at all. */
    request.image = object.cap;
    put(far, LIMIT_PAGE_BYTES - 8, 8);
    CHECK_EQUAL(check, memory_client_write(check->rt, object, 32, (struct capn_data){far, 8}),
                TRANSPORT_OK);
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_BAD_IMAGE);
    put(far, 0, 8);
    CHECK_EQUAL(check, memory_client_write(check->rt, object, 0, (struct capn_data){far, 8}),
                TRANSPORT_OK);
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_BAD_IMAGE);
    CHECK_EQUAL(check, rt_release(ring, unreadable), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(ring, object.cap), TRANSPORT_OK);
}

static void places(struct check *check)
{
    struct process_request request = request_of("placed");
    struct process_grant grants[2];
    struct process_end end = {.kind = 0};

    for (size_t i = 0; i < ARRAY_COUNT(grants); i++) {
        grants[i] = (struct process_grant){.name = giving_text(i == 0 ? "console" : "second"),
                                           .cap = check_held(check, "console"),
                                           .facet = FACET_CONSOLE_WRITE};
    }
    request.grants = grants;
    request.grant_count = ARRAY_COUNT(grants);
    grants[0].at = PLACE + 1;
    CHECK_EQUAL(check, spawn(check, &request, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.code, 0);
    grants[1].at = PLACE + 1;
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_ALREADY_EXISTS);
    grants[1].at = WINDOW + 1;
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_OUT_OF_RANGE);
    grants[1].at = WINDOW;
    CHECK_EQUAL(check, spawn(check, &request, &end), TRANSPORT_OK);
    grants[1].mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE;
    CHECK_EQUAL(check, spawn(check, &request, &end), EXCEPTION_REASON_PERMISSION_DENIED);
}

/* The child: its console at the place that was asked for, the other one not. */
static int placed(const struct rt *rt)
{
    const struct capset_entry *first = rt_find_entry(rt, "console");
    const struct capset_entry *second = rt_find_entry(rt, "second");
    bool right = first != NULL && second != NULL && cap_id_slot(first->cap) == PLACE &&
                 cap_id_slot(second->cap) >= WINDOW - 1;

    return right ? 0 : 1;
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "placed")) {
        return placed(rt);
    }
    objects(&check);
    places(&check);
    CHECK_EQUAL(&check, rt_ring_blocks_used(&rt->ring), 0);
    return check_end(&check);
}
