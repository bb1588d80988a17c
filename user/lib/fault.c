/* SPDX-License-Identifier: MIT */
/* The handler's side of a fault: one message read, one answer written. */
#include "user/lib/fault.h"

#include "core/string.h"

enum {
    ANSWER_BYTES = 32, /* a root pointer and one word */
};

static void report_read(struct process_fault_report_reader report, struct fault *fault)
{
    fault->thread_id = process_fault_report_get_thread_id(report);
    fault->cause = (enum process_fault_cause)process_fault_report_get_cause(report);
    fault->access = (enum process_fault_access)process_fault_report_get_access(report);
    fault->mapped = process_fault_report_get_mapped(report);
    fault->vector = process_fault_report_get_vector(report);
    fault->address = process_fault_report_get_address(report);
    fault->instruction_pointer = process_fault_report_get_instruction_pointer(report);
    fault->stack_pointer = process_fault_report_get_stack_pointer(report);
}

bool fault_read(const struct rt_request *message, struct fault *fault)
{
    struct fault_handler_fault_params_reader params;
    struct capn_segment segment;
    struct capn_reader reader;
    struct capn_text name;

    if (message->status < 0 || message->head->kind != ENDPOINT_MESSAGE_CALL ||
        message->head->interface_id != FAULT_HANDLER_INTERFACE_ID ||
        message->head->method != FAULT_HANDLER_METHOD_FAULT) {
        return false;
    }
    segment = (struct capn_segment){.bytes = message->message,
                                    .words = message->head->message_bytes / CAPN_WORD_BYTES};
    capn_reader_init(&reader, &segment, 1,
                     (struct capn_limits){.traversal_words = FAULT_MESSAGE_BYTES, .depth = 4});
    params = fault_handler_fault_params_read(capn_reader_root(&reader));
    name = fault_handler_fault_params_get_process(params);
    *fault = (struct fault){.token = message->head->token,
                            .badge = message->head->badge,
                            .pid = fault_handler_fault_params_get_pid(params)};
    memcpy(fault->process, name.bytes,
           name.length < LIMIT_NAME_BYTES ? name.length : LIMIT_NAME_BYTES);
    report_read(fault_handler_fault_params_get_report(params), fault);
    return capn_reader_status(&reader) == CAPN_OK;
}

/* The answer in a buffer, which may have no bytes: then there was no room. */
static struct rt_reply reply_make(struct rt_buffer buffer, struct cap_id endpoint, uint64_t token,
                                  enum fault_action action)
{
    struct capn_build_segment segment = {.bytes = buffer.bytes,
                                         .capacity_words = ANSWER_BYTES / CAPN_WORD_BYTES};
    struct rt_reply reply = {.endpoint = endpoint, .token = token, .message = buffer.bytes};
    struct capn_builder builder;

    if (buffer.bytes != NULL) {
        capn_builder_init(&builder, &segment, 1);
        fault_handler_fault_results_set_action(
            fault_handler_fault_results_init(capn_builder_root(&builder)), action);
        reply.message_bytes = (uint32_t)capn_builder_words(&builder) * CAPN_WORD_BYTES;
    }
    return reply;
}

struct rt_request fault_answer_receive(struct rt *rt, struct endpoint_owner owner, uint64_t token,
                                       enum fault_action action, struct rt_buffer inbox)
{
    struct rt_buffer buffer = rt_buffer_alloc(&rt->ring, ANSWER_BYTES);
    struct rt_reply reply = reply_make(buffer, owner.cap, token, action);
    struct rt_request next = {.status = TRANSPORT_LIMIT};

    if (buffer.bytes != NULL) {
        next = rt_return_receive(&rt->ring, &reply, inbox);
        rt_buffer_free(&rt->ring, buffer);
    }
    return next;
}

int32_t fault_answer(struct rt *rt, struct endpoint_owner owner, uint64_t token,
                     enum fault_action action)
{
    struct rt_buffer buffer = rt_buffer_alloc(&rt->ring, ANSWER_BYTES);
    struct rt_reply reply = reply_make(buffer, owner.cap, token, action);
    int32_t outcome = TRANSPORT_LIMIT;

    if (buffer.bytes != NULL) {
        outcome = rt_return(&rt->ring, &reply);
        rt_buffer_free(&rt->ring, buffer);
    }
    return outcome;
}
