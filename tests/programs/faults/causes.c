/* SPDX-License-Identifier: MIT */
/* Each cause of a fault, each action, and a fault between ordinary calls. */
#include "schema/generated/null.capnp.h"
#include "tests/programs/faults/faults.h"
#include "user/lib/thread_spawner.h"

void handler_ends(struct check *check)
{
    static const struct {
        const char *name;
        enum process_fault_cause cause;
        enum process_fault_access access;
        uint16_t vector;
    } cases[] = {
        {"reads", PROCESS_FAULT_CAUSE_PAGE, PROCESS_FAULT_ACCESS_READ, 14},
        {"divides", PROCESS_FAULT_CAUSE_DIVIDE, PROCESS_FAULT_ACCESS_NONE, 0},
        {"undefined", PROCESS_FAULT_CAUSE_INSTRUCTION, PROCESS_FAULT_ACCESS_NONE, 6},
    };
    struct desk desk;

    desk_open(&desk, check, 4);
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        struct process_handle child = simple_spawn(check, cases[i].name, desk.owner.cap);
        struct fault first = fault_take(&desk);
        struct fault again;
        struct process_end end;

        CHECK_EQUAL(check, first.cause, cases[i].cause);
        CHECK_EQUAL(check, first.access, cases[i].access);
        CHECK_EQUAL(check, first.vector, cases[i].vector);
        CHECK_EQUAL(check, first.badge, 0);
        CHECK_EQUAL(check, first.address, i == 0 ? UNMAPPED : 0);
        fault_decide(&desk, &first, FAULT_ACTION_RESUME);
        again = fault_take(&desk);
        CHECK_EQUAL(check, again.instruction_pointer, first.instruction_pointer);
        CHECK_EQUAL(check, again.stack_pointer, first.stack_pointer);
        CHECK_EQUAL(check, fault_answer(check->rt, desk.owner, first.token, FAULT_ACTION_RESUME),
                    TRANSPORT_BAD_TOKEN);
        fault_decide(&desk, &again, i == 0 ? FAULT_ACTION_END_THREAD : FAULT_ACTION_END_PROCESS);
        end = child_end(check, child);
        CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_FAULTED);
        CHECK_EQUAL(check, end.fault_vector, cases[i].vector);
        CHECK_EQUAL(check, end.fault_address, first.address);
    }
    desk_close(&desk);
}

/* A breakpoint is behind the thread when it is resumed. */
void handler_steps(struct check *check)
{
    struct process_handle child;
    struct process_end end;
    struct fault fault;
    struct desk desk;

    desk_open(&desk, check, 4);
    child = simple_spawn(check, "breaks", desk.owner.cap);
    fault = fault_take(&desk);
    CHECK_EQUAL(check, fault.cause, PROCESS_FAULT_CAUSE_BREAKPOINT);
    fault_decide(&desk, &fault, FAULT_ACTION_RESUME);
    end = child_end(check, child);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, BROKEN_CODE);
    desk_close(&desk);
}

int asks(struct check *check)
{
    return giving_ask(check->rt, check_held(check, "asked"));
}

/* A RETURN_RECV that answers an ordinary call and takes a fault that waits. */
void handler_serves(struct check *check)
{
    struct endpoint_session asked = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                     .facet = MANIFEST_FACET_ALL,
                                     .mode = AUTHORITY_TRANSFER_MODE_COPY};
    struct rt_buffer answer = rt_buffer_alloc(&check->rt->ring, CAPN_WORD_BYTES);
    struct process_grant grants[] = {giving_held(check, "console"),
                                     {.name = giving_text("asked"), .facet = MANIFEST_FACET_ALL}};
    struct making making = {grants, ARRAY_COUNT(grants), 1, {.raw = 0}};
    struct process_handle asking = {.cap = {.raw = 0}};
    struct process_handle child;
    struct fault fault = {.token = 0};
    struct rt_request message;
    struct desk desk;

    desk_open(&desk, check, 4);
    memset(answer.bytes, 0, CAPN_WORD_BYTES);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, desk.owner, &asked, &grants[1].cap),
                TRANSPORT_OK);
    CHECK_EQUAL(check, child_spawn(check, "asks", &making, &asking), TRANSPORT_OK);
    message = rt_receive(&check->rt->ring, desk.owner.cap, desk.inbox);
    CHECK(check, message.status >= 0 && !fault_read(&message, &fault));
    child = simple_spawn(check, "reads", desk.owner.cap);
    faults_await(&desk, 1);
    message = rt_return_receive(&check->rt->ring,
                                &(struct rt_reply){.endpoint = desk.owner.cap,
                                                   .token = message.head->token,
                                                   .message = answer.bytes,
                                                   .message_bytes = CAPN_WORD_BYTES},
                                desk.inbox);
    CHECK(check, fault_read(&message, &fault));
    CHECK_EQUAL(check, fault.address, UNMAPPED);
    fault_decide(&desk, &fault, FAULT_ACTION_END_PROCESS);
    child_faulted(check, child);
    CHECK_EQUAL(check, child_end(check, asking).code, 0);
    giving_release(check, grants[1].cap);
    rt_buffer_free(&check->rt->ring, answer);
    desk_close(&desk);
}

static int half(struct rt *rt, void *argument)
{
    (void)rt;
    (void)argument;
    reads();
}

int halves(struct check *check)
{
    struct thread_spawner spawner = {check_held(check, "thread-spawner")};
    struct rt_thread_start begin = {.function = half};
    struct thread_handle handle;
    struct thread_end end;

    CHECK_EQUAL(
        check,
        thread_client_make(check->rt, spawner, &(struct thread_make){.begin = &begin}, &handle),
        TRANSPORT_OK);
    CHECK_EQUAL(check, thread_client_wait(check->rt, handle, TIMEOUT_NONE, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_FAULTED);
    CHECK_EQUAL(check, end.code, -1);
    return check_end(check);
}

void handler_halves(struct check *check)
{
    struct process_grant grants[] = {giving_held(check, "console"),
                                     giving_held(check, "thread-spawner")};
    struct making making = {grants, ARRAY_COUNT(grants), 2, {.raw = 0}};
    struct process_handle child = {.cap = {.raw = 0}};
    struct process_end end;
    struct fault fault;
    struct desk desk;

    desk_open(&desk, check, 4);
    making.told = desk.owner.cap;
    CHECK_EQUAL(check, child_spawn(check, "halves", &making, &child), TRANSPORT_OK);
    fault = fault_take(&desk);
    fault_decide(&desk, &fault, FAULT_ACTION_END_THREAD);
    end = child_end(check, child);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, end.code, 0);
    desk_close(&desk);
}
