/* SPDX-License-Identifier: MIT */
/* NullObject: the least a call can do, for measurements. */
#include "kernel/dispatch/call.h"
#include "kernel/object/kernel_objects.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"

static enum capn_dispatch null_nothing(void *object, struct capn_request *request,
                                       struct null_object_nothing_params_reader params,
                                       struct null_object_nothing_results_builder results)
{
    (void)object;
    (void)request;
    (void)params;
    (void)results;
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch null_echo(void *object, struct capn_request *request,
                                    struct null_object_echo_params_reader params,
                                    struct null_object_echo_results_builder results)
{
    (void)object;
    if (!null_object_echo_params_has_payload(params)) {
        return call_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, 0, 0);
    }
    (void)capn_copy(null_object_echo_results_place_payload(results),
                    null_object_echo_params_at_payload(params));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch null_next(void *object, struct capn_request *request,
                                    struct null_object_next_params_reader params,
                                    struct null_object_next_results_builder results)
{
    struct call *call = call_of(request);
    struct hold_edge edge;

    (void)object;
    (void)params;
    hold_edge_repeat(call->edge, &edge);
    edge_ref(&edge);
    null_object_next_results_set_next(results,
                                      call_result_cap(call, &edge, NULL_OBJECT_NEXT_PATH_NEXT));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch null_call(struct object *object, struct capn_request *request)
{
    static const struct null_object_server server = {
        .nothing = null_nothing, .echo = null_echo, .next = null_next};

    return null_object_dispatch(&server, object, request);
}

static const struct object_type null_type = {.name = "null",
                                             .call = null_call,
                                             .quick = UINT64_C(1) << NULL_OBJECT_METHOD_NOTHING,
                                             .repeats = UINT64_C(1) << NULL_OBJECT_METHOD_NEXT,
                                             .gives = UINT64_C(1) << NULL_OBJECT_METHOD_NEXT};

struct object null_object = OBJECT_STATIC(&null_type);
