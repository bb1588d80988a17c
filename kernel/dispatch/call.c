/* SPDX-License-Identifier: MIT */
/*
 * Calls on kernel objects.
 *
 * Order: lengths, transfer descriptors, message, result buffer are checked and copied before the
 * object sees anything; then the object's handler runs on private copies; then capabilities go into
 * the caller's table, at slots reserved before the handler ran, and the answer is copied out.
 *
 * The answer lies at the caller's `result`: the message, then, at its end rounded up to 8, one
 * received_cap for each capability of the answer. A caller must leave room for LIMIT_ANSWER_ROOM
 * bytes, in which every exception and every answer of a method that changes something fits; a
 * longer answer that does not fit is NO_ROOM, found before anything is given out. An answer whose
 * buffer was unmapped meanwhile is BAD_BUFFER; its capabilities are taken back.
 *
 * Locks: the caller's process lock around table changes; the handler runs with none.
 */
#include "kernel/dispatch/call.h"

#include "core/assert.h"
#include "core/scratch.h"
#include "core/string.h"
#include "kernel/ipc/answers.h"
#include "kernel/mem/user_access.h"
#include "kernel/work_check.h"
#include "schema/generated/exception.capnp.h"

enum {
    CALL_TRAVERSAL_WORDS =
        LIMIT_CALL_BYTES, /* eight times the message: each word may be met again */
    CALL_DEPTH = 8,
    DEFERRED_WORK = 1536, /* of cpu->effects: some 800 instructions more than an answer at once */
};

static enum transport_error refuse(struct refusal *refusal, enum transport_error error,
                                   enum refusal_argument argument, uint64_t amount)
{
    refusal->argument = (uint16_t)argument;
    refusal->amount = amount;
    return error;
}

static uint32_t round_up_8(uint32_t bytes)
{
    return (bytes + 7) & ~UINT32_C(7);
}

/* Copies `bytes` at a user address of the caller: from its arena without a walk, else checked. */
static bool caller_read(struct thread *caller, uint64_t address, void *to, uint32_t bytes)
{
    struct user_range range = {.bytes = 0};
    uint32_t offset;
    uint8_t *target = to;

    if (bytes == 0) {
        return true; /* wherever that is: the caller's address space may not be active here */
    }
    if (!thread_arena_offset(caller, address, bytes, &offset)) {
        return user_range_make(address, bytes, &range) &&
               user_copy_in(&caller->process->vspace, to, range) == STATUS_OK;
    }
    while (bytes > 0) {
        uint32_t room;
        const uint8_t *source = thread_arena(caller, offset, &room);
        uint32_t chunk = bytes < room ? bytes : room;

        memcpy(target, source, chunk);
        offset += chunk;
        target += chunk;
        bytes -= chunk;
    }
    return true;
}

static bool caller_write(struct call *call, uint64_t address, const void *from, uint32_t bytes)
{
    struct user_range range = {.bytes = 0};

    if (call->result_in_arena) {
        thread_arena_write(call->caller, call->result_offset, from, bytes);
        return true;
    }
    return user_range_make(address, bytes, &range) &&
           user_copy_out(&call->caller->process->vspace, range, from) == STATUS_OK;
}

enum {
    RESULT_RECORDS = CALL_RESULT_CAPS * (int)sizeof(struct received_cap),
    RESULT_LEAST = LIMIT_ANSWER_ROOM + RESULT_RECORDS, /* any exception fits */
};

/*
 * Takes the CPU's scratch for the call and charges the caller for a large one. A quota that has
 * less than message and answer may need gives what it has, as long as an exception fits; a small
 * call is always served. *capacity: bytes for the answer. TRANSPORT_LIMIT: nothing was taken.
 */
static enum transport_error scratch_begin(struct cpu *cpu, struct call *call, const struct sqe *sqe,
                                          uint32_t *capacity, struct refusal *refusal)
{
    struct account *account = call->caller->process->account;
    uint32_t room = sqe->result_bytes < LIMIT_ANSWER_BYTES ? sqe->result_bytes : LIMIT_ANSWER_BYTES;
    uint64_t wanted = scratch_charge((uint64_t)sqe->message_bytes + room);
    uint64_t granted = wanted;
    enum status status;

    *capacity = LIMIT_ANSWER_BYTES;
    if (wanted != 0) {
        granted = account_reserve_most(account, LEDGER_SCRATCH_BYTES, wanted);
        account_commit(account, LEDGER_SCRATCH_BYTES, granted);
        call->scratch_charged = granted;
    }
    if (granted < wanted) {
        granted = granted < SCRATCH_FREE_BYTES ? SCRATCH_FREE_BYTES : granted;
        if (granted < (uint64_t)sqe->message_bytes + RESULT_LEAST) {
            struct ledger_refusal ledger;

            account_release(account, LEDGER_SCRATCH_BYTES, call->scratch_charged);
            ledger = account_refusal(account, LEDGER_SCRATCH_BYTES, wanted);
            return account_refuse(&ledger, refusal);
        }
        call->scratch_short = true;
        *capacity = (uint32_t)granted - sqe->message_bytes;
    }
    status = scratch_take(&cpu->call_scratch, LIMIT_CALL_BYTES, sqe->message_bytes);
    ASSERT(status == STATUS_OK);
    /* What the builder hands out it clears itself: a small answer need not be cleared twice, and
     * counts as written however short it is. */
    status = scratch_take(&cpu->result_scratch, LIMIT_ANSWER_BYTES, LIMIT_ANSWER_ROOM);
    ASSERT(status == STATUS_OK);
    return TRANSPORT_OK;
}

/* The answer took so much of the CPU's scratch, perhaps in an attempt before. */
static void result_note(struct call *call, uint32_t bytes)
{
    if (bytes > call->result_written) {
        call->result_written = bytes;
    }
}

static uint32_t result_bytes(const struct call *call)
{
    return (uint32_t)capn_builder_words(&call->request.results) * CAPN_WORD_BYTES;
}

static void scratch_end(struct cpu *cpu, struct call *call, const struct sqe *sqe)
{
    scratch_give(&cpu->call_scratch, sqe->message_bytes);
    scratch_give(&cpu->result_scratch, call->result_written);
    account_release(call->caller->process->account, LEDGER_SCRATCH_BYTES, call->scratch_charged);
}

/* Message and descriptors into the CPU's scratch and the call. */
static enum transport_error call_load(struct cpu *cpu, struct call *call, const struct sqe *sqe,
                                      struct refusal *refusal)
{
    uint32_t descriptors = sqe->transfers * (uint32_t)sizeof(struct transfer);
    struct user_range range = {.bytes = 0};

    if (!caller_read(call->caller, sqe->message, cpu->call_bytes, sqe->message_bytes)) {
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_MESSAGE, sqe->message);
    }
    if (descriptors != 0 && !caller_read(call->caller, sqe->message + sqe->message_bytes,
                                         call->transfer, descriptors)) {
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_TRANSFERS, sqe->transfers);
    }
    for (uint32_t i = 0; i < sqe->transfers; i++) {
        if (call->transfer[i].mode != TRANSFER_COPY || !transfer_is_plain(&call->transfer[i])) {
            return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_TRANSFERS, i);
        }
    }
    call->transfers = sqe->transfers;
    call->result_room = sqe->result_bytes;
    call->result_in_arena =
        thread_arena_offset(call->caller, sqe->result, sqe->result_bytes, &call->result_offset);
    if (sqe->result_bytes != 0 && !call->result_in_arena &&
        !(user_range_make(sqe->result, sqe->result_bytes, &range) &&
          user_range_permitted(&call->caller->process->vspace, range, true))) {
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT, sqe->result);
    }
    if (sqe->result_bytes < LIMIT_ANSWER_ROOM) {
        refusal->limit = LIMIT_ANSWER_ROOM;
        return refuse(refusal, TRANSPORT_NO_ROOM, ARGUMENT_RESULT_BYTES, sqe->result_bytes);
    }
    return TRANSPORT_OK;
}

static void exception_build(struct capn_builder *results, uint64_t interface_id, uint16_t method,
                            const struct capn_refuse_reason *reason)
{
    struct cap_exception_builder exception = cap_exception_init(capn_builder_root(results));

    cap_exception_set_reason(exception, (enum exception_reason)reason->reason);
    cap_exception_set_method(exception, method);
    cap_exception_set_argument_index(exception, reason->argument);
    cap_exception_set_interface_id(exception, interface_id);
    cap_exception_set_limit(exception, reason->limit);
    cap_exception_set_amount(exception, reason->amount);
    if (reason->limit_name != NULL) {
        cap_exception_set_limit_name(
            exception, (struct capn_text){reason->limit_name,
                                          string_length(reason->limit_name, LIMIT_NAME_BYTES)});
    }
    if (reason->argument_name != NULL) {
        cap_exception_set_argument(
            exception, (struct capn_text){reason->argument_name,
                                          string_length(reason->argument_name, LIMIT_CALL_BYTES)});
    }
    if (reason->detail != NULL) {
        cap_exception_set_detail(
            exception,
            (struct capn_text){reason->detail, string_length(reason->detail, LIMIT_CALL_BYTES)});
    }
}

static void result_caps_drop(struct call *call)
{
    while (call->result_caps > 0) {
        edge_drop(&call->result_cap[--call->result_caps]);
    }
}

/* Puts the answer's edges into the caller's table, and their records behind the message. */
static void result_caps_insert(struct call *call, uint8_t *records)
{
    struct process *process = call->caller->process;

    spinlock_lock(&process->lock);
    for (unsigned i = 0; i < call->result_caps; i++) {
        const struct hold_edge *edge = &call->result_cap[i];
        struct received_cap record = {
            .interface_id = edge->interface_id, .facet = edge->facet, .badge = edge->badge};

        record.cap = cap_table_insert_reserved(&process->table, edge, NULL);
        memcpy(records + i * sizeof(record), &record, sizeof(record));
    }
    spinlock_unlock(&process->lock);
}

/* Takes back what result_caps_insert gave. */
static void result_caps_remove(struct call *call, const uint8_t *records)
{
    struct process *process = call->caller->process;

    for (unsigned i = 0; i < call->result_caps; i++) {
        struct received_cap record;
        struct hold_edge edge = {.object = NULL};

        memcpy(&record, records + i * sizeof(record), sizeof(record));
        spinlock_lock(&process->lock);
        /* Another thread of the process may have been quicker: then there is nothing to drop. */
        (void)!cap_table_remove(&process->table, record.cap, &edge);
        spinlock_unlock(&process->lock);
        edge_drop(&edge);
    }
    call->result_caps = 0;
}

/* Copies the answer out and posts the completion. `reserved` slots are the caller's. */
static enum transport_error call_answer(struct cpu *cpu, struct call *call, const struct sqe *sqe,
                                        bool exception, struct refusal *refusal)
{
    uint32_t message = result_bytes(call);
    uint32_t records = call->result_caps * (uint32_t)sizeof(struct received_cap);
    uint32_t total = round_up_8(message) + records;
    struct cqe cqe = {.user_data = sqe->user_data,
                      .result = (int32_t)message,
                      .flags = (exception ? CQE_EXCEPTION : 0) | (uint32_t)call->result_caps
                                                                     << CQE_CAPS_SHIFT};

    result_note(call, total);
    if (total > call->result_room) {
        refusal->limit = call->result_room;
        result_caps_drop(call);
        return refuse(refusal, TRANSPORT_NO_ROOM, ARGUMENT_RESULT_BYTES, total);
    }
    result_caps_insert(call, cpu->result_bytes + round_up_8(message));
    if (!caller_write(call, sqe->result, cpu->result_bytes, total)) {
        result_caps_remove(call, cpu->result_bytes + round_up_8(message));
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT, sqe->result);
    }
    for (unsigned i = 0; call->answer != 0 && i < call->result_caps; i++) {
        struct received_cap record;

        memcpy(&record, cpu->result_bytes + round_up_8(message) + i * sizeof(record),
               sizeof(record));
        answers_add(call->caller, call->answer, call->result_path[i], record.cap);
    }
    answers_complete(call->caller, call->answer, &cqe);
    return TRANSPORT_OK;
}

/* What a dispatch outcome other than an answer says in the words of CapException. */
static struct capn_refuse_reason outcome_reason(const struct capn_request *request,
                                                enum capn_dispatch outcome)
{
    struct capn_refuse_reason reason = {.argument = CAPN_NO_ARGUMENT};

    switch (outcome) {
    case CAPN_DISPATCH_REFUSED:
        return request->refusal;
    case CAPN_DISPATCH_BAD_PARAMETERS:
        reason.reason = EXCEPTION_REASON_MALFORMED_MESSAGE;
        reason.limit = request->parameters.error.limit;
        reason.amount = request->parameters.error.found;
        reason.detail = capn_status_text(request->parameters.error.code);
        return reason;
    case CAPN_DISPATCH_BAD_RESULTS:
        if (((const struct call *)request->context)->scratch_short) {
            struct ledger_refusal ledger =
                account_refusal(((const struct call *)request->context)->caller->process->account,
                                LEDGER_SCRATCH_BYTES, LIMIT_ANSWER_BYTES);

            return call_ledger_reason(&ledger);
        }
        reason.reason = EXCEPTION_REASON_MESSAGE_TOO_LARGE;
        reason.limit = LIMIT_ANSWER_BYTES;
        return reason;
    default:
        reason.reason = EXCEPTION_REASON_UNKNOWN_METHOD;
        reason.amount = request->method;
        return reason;
    }
}

static enum transport_error call_finish(struct cpu *cpu, struct call *call, const struct sqe *sqe,
                                        enum capn_dispatch outcome, struct refusal *refusal)
{
    struct process *process = call->caller->process;
    struct capn_build_segment *segment = call->request.results.segments;
    bool exception = outcome != CAPN_DISPATCH_ANSWERED;
    enum transport_error error = TRANSPORT_OK;
    unsigned used = 0; /* of the slots reserved */

    if (exception) { /* what was built first may be longer */
        result_note(call, result_bytes(call));
    }
    if (exception && outcome != CAPN_DISPATCH_LATER) {
        struct capn_refuse_reason reason = outcome_reason(&call->request, outcome);

        result_caps_drop(call);
        capn_builder_init(&call->request.results, segment, 1);
        exception_build(&call->request.results, sqe->interface_id, sqe->method, &reason);
    }
    if (outcome != CAPN_DISPATCH_LATER) {
        unsigned caps = call->result_caps;

        error = call_answer(cpu, call, sqe, exception, refusal);
        used = error == TRANSPORT_NO_ROOM ? 0 : caps;
    }
    spinlock_lock(&process->lock);
    cap_table_unreserve(&process->table, call->result_caps_max - used);
    spinlock_unlock(&process->lock);
    return error;
}

/* Runs the object's method; one that makes something may take memory for it. */
static enum capn_dispatch method_run(struct object *object, struct call *call)
{
    uint16_t method = call->request.method;
    bool makes = method < 64 && ((object->type->gives | object->type->makes) >> method & 1) != 0;
    enum capn_dispatch outcome;

    if (makes) {
        memory_permit_begin();
    }
    outcome = object->type->call(object, &call->request);
    if (makes) {
        memory_permit_end();
    }
    return outcome;
}

/* The call with its scratch, in which an answer has `capacity` bytes. */
static enum transport_error call_run(struct cpu *cpu, struct call *call, const struct sqe *sqe,
                                     uint32_t capacity, struct refusal *refusal)
{
    struct process *process = call->caller->process;
    struct object *object = call->edge->object;
    struct capn_segment message = {cpu->call_bytes, sqe->message_bytes / CAPN_WORD_BYTES};
    struct capn_build_segment result = {.bytes = cpu->result_bytes,
                                        .capacity_words =
                                            (capacity - RESULT_RECORDS) / CAPN_WORD_BYTES};
    struct ledger_refusal ledger;
    enum transport_error error = call_load(cpu, call, sqe, refusal);

    if (error != TRANSPORT_OK) {
        return error;
    }
    if (sqe->method < 64 && (object->type->gives >> sqe->method & 1) != 0) {
        call->result_caps_max = CALL_RESULT_CAPS;
    }
    error = process_slots_reserve(process, call->result_caps_max, &ledger);
    if (error == TRANSPORT_LIMIT) {
        return account_refuse(&ledger, refusal);
    }
    if (error != TRANSPORT_OK) {
        return refuse(refusal, error, ARGUMENT_NONE, CALL_RESULT_CAPS);
    }
    call->request.interface_id = sqe->interface_id;
    call->request.method = sqe->method;
    call->request.context = call;
    capn_reader_init(&call->request.parameters, &message, 1,
                     (struct capn_limits){CALL_TRAVERSAL_WORDS, CALL_DEPTH});
    capn_builder_init(&call->request.results, &result, 1);
    return call_finish(cpu, call, sqe, method_run(object, call), refusal);
}

enum transport_error call_kernel_object(struct cpu *cpu, struct thread *caller,
                                        const struct sqe *sqe, const struct hold_edge *edge,
                                        struct refusal *refusal)
{
    struct call call = {.caller = caller,
                        .edge = edge,
                        .user_data = sqe->user_data,
                        .answer = sqe->answer,
                        .result_written = LIMIT_ANSWER_ROOM}; /* so much is not cleared */
    enum transport_error error;
    uint32_t capacity;

    memset(refusal, 0, sizeof(*refusal));
    if (sqe->message_bytes > LIMIT_CALL_BYTES) {
        refusal->limit = LIMIT_CALL_BYTES;
        return refuse(refusal, TRANSPORT_TOO_LARGE, ARGUMENT_MESSAGE_BYTES, sqe->message_bytes);
    }
    error = scratch_begin(cpu, &call, sqe, &capacity, refusal);
    if (error == TRANSPORT_OK) {
        error = call_run(cpu, &call, sqe, capacity, refusal);
        scratch_end(cpu, &call, sqe);
    }
    return error;
}

enum capn_dispatch call_refuse(struct capn_request *request, uint16_t reason, uint64_t limit,
                               uint64_t amount)
{
    return capn_request_refuse(request, (struct capn_refuse_reason){.reason = reason,
                                                                    .argument = CAPN_NO_ARGUMENT,
                                                                    .limit = limit,
                                                                    .amount = amount});
}

struct capn_refuse_reason call_ledger_reason(const struct ledger_refusal *ledger)
{
    return (struct capn_refuse_reason){.reason = EXCEPTION_REASON_QUOTA_EXCEEDED,
                                       .argument = CAPN_NO_ARGUMENT,
                                       .limit_name = ledger_line_text(ledger->line),
                                       .limit = ledger->limit,
                                       .amount = ledger->amount};
}

enum capn_dispatch call_refuse_ledger(struct capn_request *request, enum ledger_line_name line,
                                      uint64_t amount)
{
    struct ledger_refusal ledger =
        account_refusal(call_of(request)->caller->process->account, line, amount);

    return capn_request_refuse(request, call_ledger_reason(&ledger));
}

bool call_argument(struct capn_request *request, uint32_t index, struct hold_edge *edge)
{
    struct call *call = call_of(request);
    struct process *process = call->caller->process;
    const struct hold_edge *found;
    enum transport_error error;

    if (index >= call->transfers) {
        (void)call_refuse(request, EXCEPTION_REASON_MISSING_CAPABILITY, call->transfers, index);
        return false;
    }
    spinlock_lock(&process->lock);
    error = cap_table_lookup(&process->table, call->transfer[index].cap, &found);
    if (error == TRANSPORT_OK) {
        *edge = *found;
        edge_ref(edge);
    }
    spinlock_unlock(&process->lock);
    if (error != TRANSPORT_OK) {
        (void)call_refuse(request,
                          error == TRANSPORT_REVOKED ? EXCEPTION_REASON_REVOKED_CAPABILITY
                                                     : EXCEPTION_REASON_STALE_CAPABILITY,
                          0, call->transfer[index].cap.raw);
        return false;
    }
    return true;
}

uint32_t call_result_cap(struct call *call, const struct hold_edge *edge, struct capn_path path)
{
    ASSERT(call->result_caps < call->result_caps_max); /* object_type.gives names the method */
    call->result_cap[call->result_caps] = *edge;
    call->result_path[call->result_caps] = answer_path_of(&path);
    return call->result_caps++;
}

struct operation *call_defer(struct capn_request *request, enum operation_kind kind)
{
    struct call *call = call_of(request);
    struct operation *operation;

    if (!call->result_in_arena ||
        call->result_room < sizeof(((struct deferred_answer *)0)->bytes)) {
        (void)call_refuse(request, EXCEPTION_REASON_LIMIT_EXCEEDED,
                          sizeof(((struct deferred_answer *)0)->bytes),
                          call->result_in_arena ? call->result_room : 0);
        return NULL;
    }
    operation = operation_take(call->caller, kind, call->user_data);
    if (operation == NULL) {
        if (call->caller->operations_used < LIMIT_OPERATIONS) {
            (void)call_refuse_ledger(request, LEDGER_OUTSTANDING_CALLS, 1);
        } else {
            (void)call_refuse(request, EXCEPTION_REASON_LIMIT_EXCEEDED, LIMIT_OPERATIONS,
                              LIMIT_OPERATIONS);
        }
        return NULL;
    }
    arch_cpu_this()->effects += DEFERRED_WORK;
    operation->answer = call->answer;
    operation_set_grant(operation, call->edge->grant);
    operation->interface_id = request->interface_id;
    operation->method = request->method;
    operation->result_offset = call->result_offset;
    operation->result_bytes = call->result_room;
    return operation;
}

void deferred_begin(struct deferred_answer *answer)
{
    answer->segment = (struct capn_build_segment){
        .bytes = answer->bytes,
        .capacity_words = (sizeof(answer->bytes) - sizeof(struct received_cap)) / CAPN_WORD_BYTES};
    answer->exception = false;
    answer->cap.object = NULL;
    answer->path = (struct capn_path){.length = 0};
    capn_builder_init(&answer->results, &answer->segment, 1);
}

void deferred_refuse(struct deferred_answer *answer, const struct operation *operation,
                     struct capn_refuse_reason reason)
{
    ASSERT(answer->cap.object == NULL);
    deferred_begin(answer);
    answer->exception = true;
    exception_build(&answer->results, operation->interface_id, operation->method, &reason);
}

void deferred_complete(struct operation *operation, struct deferred_answer *answer)
{
    struct thread *owner = operation->owner;
    uint32_t message = (uint32_t)capn_builder_words(&answer->results) * CAPN_WORD_BYTES;
    uint32_t flags = answer->exception ? CQE_EXCEPTION : 0;
    uint32_t total = message;

    ASSERT(capn_builder_status(&answer->results) == CAPN_OK);
    if (answer->cap.object != NULL) {
        struct received_cap record = {.interface_id = answer->cap.interface_id,
                                      .facet = answer->cap.facet,
                                      .badge = answer->cap.badge};

        spinlock_lock(&owner->process->lock);
        record.cap = cap_table_insert_reserved(&owner->process->table, &answer->cap, NULL);
        spinlock_unlock(&owner->process->lock);
        answers_add(owner, operation->answer, answer_path_of(&answer->path), record.cap);
        memcpy(answer->bytes + message, &record, sizeof(record));
        total += (uint32_t)sizeof(record);
        flags |= UINT32_C(1) << CQE_CAPS_SHIFT;
    }
    ASSERT(total <= operation->result_bytes);
    thread_arena_write(owner, operation->result_offset, answer->bytes, total);
    operation_complete(operation, (int32_t)message, flags, NULL);
}
