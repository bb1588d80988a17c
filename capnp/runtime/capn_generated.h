/* SPDX-License-Identifier: MIT */
/*
 * What the code that capnpc-c generates stands on, beside the reader and the builder: elements of
 * pointer lists, paths to result capabilities, and the two sides of a call. The transport is not
 * here: whoever sends calls fills struct capn_call, whoever receives them fills struct
 * capn_request.
 */
#ifndef CAPNP_RUNTIME_CAPN_GENERATED_H
#define CAPNP_RUNTIME_CAPN_GENERATED_H

#include "capn.h"

/* A text from a string literal. */
#define CAPN_TEXT(literal) ((struct capn_text){(literal), sizeof(literal) - 1})

/* The place of a union member that is not the active one: reads as null or as its default. */
static inline struct capn_pointer capn_absent_pointer(struct capn_struct s)
{
    return (struct capn_pointer){
        .reader = s.reader, .segment = s.segment, .depth_left = s.depth_left};
}

/* The same for a group: every field of it reads as its default. */
static inline struct capn_struct capn_absent_group(struct capn_struct s)
{
    return (struct capn_struct){
        .reader = s.reader, .segment = s.segment, .depth_left = s.depth_left};
}

/* ---- Elements of lists of pointers; index past the end as everywhere: null, CAPN_INDEX ---- */

static inline struct capn_text capn_list_get_text(struct capn_list list, uint32_t index)
{
    return capn_read_text(capn_list_get_pointer(list, index), (struct capn_text){NULL, 0});
}

static inline struct capn_data capn_list_get_data(struct capn_list list, uint32_t index)
{
    return capn_read_data(capn_list_get_pointer(list, index), (struct capn_data){NULL, 0});
}

static inline struct capn_list capn_list_get_list(struct capn_list list, uint32_t index,
                                                  enum capn_element_size expected)
{
    return capn_read_list(capn_list_get_pointer(list, index), expected, NULL);
}

static inline uint32_t capn_list_get_capability(struct capn_list list, uint32_t index)
{
    return capn_read_capability(capn_list_get_pointer(list, index));
}

static inline void capn_list_set_text(struct capn_list_builder list, uint32_t index,
                                      struct capn_text text)
{
    capn_write_text(capn_list_set_pointer(list, index), text);
}

static inline void capn_list_set_data(struct capn_list_builder list, uint32_t index,
                                      struct capn_data data)
{
    capn_write_data(capn_list_set_pointer(list, index), data);
}

static inline void capn_list_set_capability(struct capn_list_builder list, uint32_t index,
                                            uint32_t capability)
{
    capn_write_capability(capn_list_set_pointer(list, index), capability);
}

/* ---- Paths ---- */

#define CAPN_PATH_MAX 4u

/* Where a capability lies in a result: pointer indices from the result structure inwards. Stable
 * under schema evolution, and what a pipelined call names. */
struct capn_path {
    uint8_t length;
    uint16_t index[CAPN_PATH_MAX];
};

/* ---- The caller's side ----
 *
 *     struct capn_call call;                              transport sets invoke, context, buffers
 *     struct x_params_builder p = interface_method_request(&call);
 *     x_params_set_...(p, ...);
 *     struct x_results_reader r = interface_method_invoke(&call);
 *     if (call.status != 0) ...                           every field of r reads as its default
 *
 * One struct serves any number of calls, one after the other. It must not move between request and
 * the last use of the results, which lie in the transport's memory.
 */

#define CAPN_CALL_BAD_REQUEST INT32_MIN /* not sent: see call->request.error */

struct capn_call {
    /* Set by the transport before the first call. */
    int32_t (*invoke)(struct capn_call *call); /* sends `request`, waits, sets `response`; 0 or the
                                                  transport's own error */
    void *context;
    struct capn_build_segment request_segment; /* where the parameters are built */

    /* Set by the generated helper. */
    uint64_t interface_id;
    uint16_t method;
    struct capn_builder request;

    /* Set by invoke. */
    struct capn_segment response_segment;
    struct capn_reader response;
    int32_t status;
};

/* Starts the parameters of a call. */
static inline struct capn_pointer_builder capn_call_begin(struct capn_call *call,
                                                          uint64_t interface_id, uint16_t method)
{
    call->interface_id = interface_id;
    call->method = method;
    capn_builder_init(&call->request, &call->request_segment, 1);
    return capn_builder_root(&call->request);
}

/* Sends the call and gives the root of its results; a null place unless call->status is 0. */
static inline struct capn_pointer capn_call_invoke(struct capn_call *call)
{
    struct capn_pointer nothing = {0};
    if (capn_builder_status(&call->request) != CAPN_OK) {
        call->status = CAPN_CALL_BAD_REQUEST;
        return nothing;
    }
    call->status = call->invoke(call);
    return call->status == 0 ? capn_reader_root(&call->response) : nothing;
}

/* ---- The server's side ---- */

enum capn_dispatch {
    CAPN_DISPATCH_ANSWERED,          /* request->results is the answer */
    CAPN_DISPATCH_LATER,             /* the handler keeps the call and answers later */
    CAPN_DISPATCH_REFUSED,           /* request->refusal says why */
    CAPN_DISPATCH_BAD_PARAMETERS,    /* request->parameters.error says why */
    CAPN_DISPATCH_BAD_RESULTS,       /* request->results.error says why: no room, for instance */
    CAPN_DISPATCH_UNKNOWN_INTERFACE, /* neither the server's interface nor one above it */
    CAPN_DISPATCH_UNKNOWN_METHOD     /* beyond the interface, or the table has no handler for it */
};

/* Why a handler refuses, in the words of CapException. */
struct capn_refuse_reason {
    uint16_t reason;   /* the schema's Reason */
    uint16_t argument; /* index of the field of the parameters; CAPN_NO_ARGUMENT for none */
    uint64_t limit;
    uint64_t amount;
    const char *limit_name;    /* static string or NULL */
    const char *detail;        /* static string or NULL */
    const char *argument_name; /* path of the refused field, as in the schema; static or NULL */
};

#define CAPN_NO_ARGUMENT UINT16_MAX

struct capn_request {
    uint64_t interface_id;
    uint16_t method;
    struct capn_reader parameters;
    struct capn_builder results;
    void *context; /* the transport's own: badge, capabilities, token */
    struct capn_refuse_reason refusal;
};

/* For handlers: notes the reason and gives what the handler returns. */
static inline enum capn_dispatch capn_request_refuse(struct capn_request *request,
                                                     struct capn_refuse_reason reason)
{
    request->refusal = reason;
    return CAPN_DISPATCH_REFUSED;
}

/* For handlers: true once reading the parameters was refused. Handlers ask it when they have read
 * everything and changed nothing yet. */
static inline bool capn_request_is_malformed(const struct capn_request *request)
{
    return capn_reader_status(&request->parameters) != CAPN_OK;
}

/* For generated dispatch: what a handler's answer comes to. */
static inline enum capn_dispatch capn_request_finish(struct capn_request *request,
                                                     enum capn_dispatch answer)
{
    if (answer != CAPN_DISPATCH_ANSWERED) {
        return answer;
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    return capn_builder_status(&request->results) == CAPN_OK ? CAPN_DISPATCH_ANSWERED
                                                             : CAPN_DISPATCH_BAD_RESULTS;
}

/* ---- The result of a streaming method (-> stream) ---- */

struct capn_stream_result_reader {
    struct capn_struct raw;
};

struct capn_stream_result_builder {
    struct capn_struct_builder raw;
};

static inline struct capn_stream_result_reader capn_stream_result_read(struct capn_pointer at)
{
    return (struct capn_stream_result_reader){capn_read_struct(at, NULL)};
}

static inline struct capn_stream_result_builder
capn_stream_result_init(struct capn_pointer_builder at)
{
    return (struct capn_stream_result_builder){capn_init_struct(at, (struct capn_size){0, 0})};
}

#endif
