/* SPDX-License-Identifier: MIT */
/* Submissions that call an object or serve an endpoint: CALL, RECV, RETURN, RETURN_RECV,
 * WATCH. */
#include "kernel/dispatch/call.h"
#include "kernel/dispatch/submission.h"
#include "kernel/ipc/endpoint.h"

/* hold_edge_permits, with the argument that was refused. */
static enum transport_error edge_permits(const struct hold_edge *edge, uint64_t interface_id,
                                         uint16_t method, struct refusal *refusal)
{
    enum transport_error error = hold_edge_permits(edge, interface_id, method);

    if (error == TRANSPORT_WRONG_INTERFACE) {
        refusal->argument = ARGUMENT_INTERFACE;
        refusal->amount = interface_id;
    } else if (error == TRANSPORT_NO_METHOD) {
        refusal->argument = ARGUMENT_METHOD;
        refusal->amount = method;
    }
    return error;
}

/* On an endpoint it queues, on any other object it runs now. */
enum transport_error submission_call_edge(struct cpu *cpu, struct thread *thread,
                                          const struct sqe *sqe, struct refusal *refusal)
{
    struct hold_edge edge;
    enum transport_error error;
    struct object *object;

    error = edge_pin(thread->process, sqe->cap, &edge, refusal);
    if (error != TRANSPORT_OK) {
        return error;
    }
    object = edge.object;
    error = edge_permits(&edge, sqe->interface_id, sqe->method, refusal);
    if (error == TRANSPORT_OK && endpoint_of_client(object) != NULL) {
        error = endpoint_call(thread, &edge, sqe, refusal);
    } else if (error == TRANSPORT_OK) {
        error = call_kernel_object(cpu, thread, sqe, &edge, refusal);
    }
    edge_unpin(&edge);
    return error;
}

/* The endpoint behind an owner's edge that allows `method` and, unless it is the same, `also`. */
static enum transport_error owner_pin(struct thread *thread, const struct sqe *sqe, uint16_t method,
                                      uint16_t also, struct hold_edge *edge,
                                      struct refusal *refusal)
{
    enum transport_error error = edge_pin(thread->process, sqe->cap, edge, refusal);

    if (error != TRANSPORT_OK) {
        return error;
    }
    error = edge_permits_as(edge, &endpoint_owner_type, ENDPOINT_INTERFACE_ID, method);
    if (error == TRANSPORT_OK) {
        error = hold_edge_permits(edge, ENDPOINT_INTERFACE_ID, also);
    }
    if (error != TRANSPORT_OK) {
        refusal->argument = ARGUMENT_CAP;
        refusal->amount = sqe->cap.raw;
        edge_unpin(edge);
    }
    return error;
}

enum transport_error submission_receive(struct cpu *cpu, struct thread *thread,
                                        const struct sqe *sqe, struct refusal *refusal)
{
    struct hold_edge edge;
    enum transport_error error =
        owner_pin(thread, sqe, ENDPOINT_METHOD_RECEIVE, ENDPOINT_METHOD_RECEIVE, &edge, refusal);

    (void)cpu;
    if (error == TRANSPORT_OK) {
        error = endpoint_receive(thread, &edge, sqe, refusal);
        edge_unpin(&edge);
    }
    return error;
}

enum transport_error submission_return(struct cpu *cpu, struct thread *thread,
                                       const struct sqe *sqe, struct refusal *refusal)
{
    struct hold_edge edge;
    enum transport_error error =
        owner_pin(thread, sqe, ENDPOINT_METHOD_ANSWER, ENDPOINT_METHOD_ANSWER, &edge, refusal);

    (void)cpu;
    if (error != TRANSPORT_OK) {
        return error;
    }
    error = endpoint_return(thread, &edge, sqe, refusal);
    if (error == TRANSPORT_OK) {
        submission_post(thread, sqe, 0);
    }
    edge_unpin(&edge);
    return error;
}

enum transport_error submission_return_receive(struct cpu *cpu, struct thread *thread,
                                               const struct sqe *sqe, struct refusal *refusal)
{
    struct hold_edge edge;
    enum transport_error error =
        owner_pin(thread, sqe, ENDPOINT_METHOD_RECEIVE, ENDPOINT_METHOD_ANSWER, &edge, refusal);

    (void)cpu;
    if (error != TRANSPORT_OK) {
        return error;
    }
    error = endpoint_return(thread, &edge, sqe, refusal);
    if (error == TRANSPORT_OK) {
        error = endpoint_receive(thread, &edge, sqe, refusal);
    }
    edge_unpin(&edge);
    return error;
}

enum transport_error submission_watch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                      struct refusal *refusal)
{
    struct hold_edge edge;
    enum transport_error error =
        owner_pin(thread, sqe, ENDPOINT_METHOD_ANSWER, ENDPOINT_METHOD_ANSWER, &edge, refusal);

    (void)cpu;
    if (error == TRANSPORT_OK) {
        error = endpoint_watch_call(thread, &edge, sqe, refusal);
        edge_unpin(&edge);
    }
    return error;
}
