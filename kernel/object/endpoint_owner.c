/* SPDX-License-Identifier: MIT */
/* Endpoint (the owner's interface) and EndpointFactory. */
#include "kernel/dispatch/call.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/object/facet.h"
#include "kernel/object/kernel_objects.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"

static enum capn_dispatch owner_receive(void *object, struct capn_request *request,
                                        struct endpoint_receive_params_reader params,
                                        struct endpoint_receive_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

static enum capn_dispatch owner_answer(void *object, struct capn_request *request,
                                       struct endpoint_answer_params_reader params,
                                       struct endpoint_answer_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

/* What the minted edge names, with a reference: the endpoint, or a new session. NULL: the request
 * is refused. */
static struct object *mint_target(struct capn_request *request, struct endpoint *endpoint,
                                  uint64_t badge)
{
    struct account *account = call_of(request)->caller->process->account;
    struct capn_refuse_reason reason = {.reason = EXCEPTION_REASON_OUT_OF_MEMORY,
                                        .argument = CAPN_NO_ARGUMENT};
    struct session *session;

    if (badge == 0) {
        object_ref(&endpoint->object);
        return &endpoint->object;
    }
    switch (session_create(endpoint, badge, account, &session)) {
    case SESSION_OK:
        return &session->object;
    case SESSION_QUOTA:
        (void)call_refuse_ledger(request, LEDGER_ENDPOINT_QUEUE, SESSION_PLACES);
        return NULL;
    case SESSION_EXISTS:
        reason.reason = EXCEPTION_REASON_ALREADY_EXISTS;
        reason.amount = badge;
        break;
    case SESSION_LIMIT:
        reason.reason = EXCEPTION_REASON_LIMIT_EXCEEDED;
        reason.limit_name = "badges";
        reason.limit = LIMIT_ENDPOINT_SESSIONS;
        reason.amount = LIMIT_ENDPOINT_SESSIONS;
        break;
    case SESSION_NO_MEMORY:
        break;
    }
    (void)capn_request_refuse(request, reason);
    return NULL;
}

static enum capn_dispatch owner_mint(void *object, struct capn_request *request,
                                     struct endpoint_mint_params_reader params,
                                     struct endpoint_mint_results_builder results)
{
    uint64_t interface_id = endpoint_mint_params_get_interface_id(params);
    uint64_t facet = facet_read(endpoint_mint_params_get_facet(params));
    uint16_t mode = endpoint_mint_params_get_transfer_mode(params);
    uint64_t badge = endpoint_mint_params_get_badge(params);
    struct endpoint *endpoint = endpoint_of_owner(object);
    struct object *target;
    struct hold_edge edge;

    if (!endpoint_mint_params_has_facet(params)) {
        return call_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, 0, 0);
    }
    if (interface_id == 0 || interface_id == ENDPOINT_INTERFACE_ID) {
        return call_refuse(request, EXCEPTION_REASON_INVALID_ARGUMENT, 0, interface_id);
    }
    if (mode >= AUTHORITY_TRANSFER_MODE_COUNT) {
        return call_refuse(request, EXCEPTION_REASON_INVALID_ARGUMENT,
                           AUTHORITY_TRANSFER_MODE_COUNT, mode);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    target = mint_target(request, endpoint, badge);
    if (target == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    edge = object_edge(target, interface_id, facet, badge);
    object_unref(target);
    edge_mode_set(&edge, mode);
    endpoint_mint_results_set_client(
        results, call_result_cap(call_of(request), &edge, ENDPOINT_MINT_PATH_CLIENT));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch owner_info(void *object, struct capn_request *request,
                                     struct endpoint_info_params_reader params,
                                     struct endpoint_info_results_builder results)
{
    struct endpoint *endpoint = endpoint_of_owner(object);
    struct endpoint_limits_builder limits = endpoint_info_results_init_limits(results);

    (void)request;
    (void)params;
    endpoint_limits_set_message_bytes(limits, endpoint->queues.limits.message_bytes);
    endpoint_limits_set_capabilities(limits, (uint16_t)endpoint->queues.limits.capabilities);
    endpoint_limits_set_queue_length(limits, endpoint->queues.limits.queue_length);
    spinlock_lock(&endpoint->lock);
    endpoint_info_results_set_waiting_calls(results, endpoint->queues.call_count);
    endpoint_info_results_set_waiting_receivers(results, endpoint->queues.receiver_count);
    endpoint_info_results_set_open_badges(results, endpoint->queues.session_count);
    spinlock_unlock(&endpoint->lock);
    return CAPN_DISPATCH_ANSWERED;
}

enum capn_dispatch endpoint_owner_call(struct object *object, struct capn_request *request)
{
    static const struct endpoint_server server = {
        .receive = owner_receive, .answer = owner_answer, .mint = owner_mint, .info = owner_info};

    return endpoint_dispatch(&server, object, request);
}

/* The first limit that an endpoint may not have, with its bound; NULL: all are good. */
static const char *limits_refused(const struct endpoint_limits *limits, uint64_t *limit,
                                  uint64_t *amount)
{
    if (limits->message_bytes == 0 || limits->message_bytes % 8 != 0 ||
        limits->message_bytes > LIMIT_MESSAGE_BYTES) {
        *limit = LIMIT_MESSAGE_BYTES;
        *amount = limits->message_bytes;
        return "messageBytes";
    }
    if (limits->capabilities > LIMIT_ENDPOINT_CAPABILITIES) {
        *limit = LIMIT_ENDPOINT_CAPABILITIES;
        *amount = limits->capabilities;
        return "capabilities";
    }
    *limit = LIMIT_ENDPOINT_QUEUE;
    *amount = limits->queue_length;
    return endpoint_limits_valid(limits) ? NULL : "queueLength";
}

static enum capn_dispatch factory_create(void *object, struct capn_request *request,
                                         struct endpoint_factory_create_params_reader params,
                                         struct endpoint_factory_create_results_builder results)
{
    struct endpoint_limits_reader asked = endpoint_factory_create_params_get_limits(params);
    struct endpoint_limits limits = {
        .message_bytes = endpoint_limits_get_message_bytes(asked),
        .capabilities = endpoint_limits_get_capabilities(asked),
        .queue_length = endpoint_limits_get_queue_length(asked),
    };
    struct capn_refuse_reason reason = {.reason = EXCEPTION_REASON_OUT_OF_RANGE,
                                        .argument = CAPN_NO_ARGUMENT};
    struct endpoint *endpoint;
    struct hold_edge edge;
    enum status status;

    (void)object;
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    reason.limit_name = limits_refused(&limits, &reason.limit, &reason.amount);
    if (reason.limit_name != NULL) {
        return capn_request_refuse(request, reason);
    }
    status = endpoint_create(&limits, call_of(request)->caller->process->account, &endpoint);
    if (status == STATUS_LIMIT) {
        return call_refuse_ledger(request, LEDGER_ENDPOINT_QUEUE, endpoint_places(&limits));
    }
    if (status != STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    edge = object_edge(&endpoint->owner, ENDPOINT_INTERFACE_ID, CAP_FACET_ALL, 0);
    edge_mode_set(&edge, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    object_unref(&endpoint->owner);
    endpoint_factory_create_results_set_endpoint(
        results, call_result_cap(call_of(request), &edge, ENDPOINT_FACTORY_CREATE_PATH_ENDPOINT));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch factory_call(struct object *object, struct capn_request *request)
{
    static const struct endpoint_factory_server server = {.create = factory_create};

    return endpoint_factory_dispatch(&server, object, request);
}

static const struct object_type factory_type = {.name = "endpoint factory",
                                                .call = factory_call,
                                                .gives = UINT64_C(1)
                                                         << ENDPOINT_FACTORY_METHOD_CREATE};

struct object endpoint_factory_object = OBJECT_STATIC(&factory_type);
