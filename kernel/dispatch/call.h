/* SPDX-License-Identifier: MIT */
/*
 * A CALL on a kernel object: the message in a private copy, the result in a private buffer, both
 * the CPU's own, so that nothing the caller does meanwhile matters. Objects answer through the
 * generated dispatch tables; a handler finds its struct call by call_of(request).
 */
#ifndef KERNEL_DISPATCH_CALL_H
#define KERNEL_DISPATCH_CALL_H

#include "capnp/runtime/capn_generated.h"
#include "kernel/sched/process.h"

enum {
    CALL_RESULT_CAPS = 1,
};

struct call {
    struct capn_request request;
    struct thread *caller;
    const struct hold_edge *edge; /* pinned for the call */
    uint64_t user_data;
    uint32_t answer; /* id under which the answer is kept; 0: it is not */
    uint32_t transfers;
    struct transfer transfer[LIMIT_TRANSFERS];
    uint64_t scratch_charged; /* of the caller's LEDGER_SCRATCH_BYTES */
    bool scratch_short;       /* the quota gave less than the answer might need */
    uint32_t result_written;  /* bytes of the CPU's result scratch that were used, at most */
    uint32_t result_room;     /* bytes at the caller's buffer */
    uint32_t result_offset;   /* of that buffer in the caller's arena */
    bool result_in_arena;
    unsigned result_caps_max; /* slots of the caller reserved for them */
    unsigned result_caps;
    struct hold_edge result_cap[CALL_RESULT_CAPS];
    struct answer_path result_path[CALL_RESULT_CAPS];
};

static inline struct call *call_of(struct capn_request *request)
{
    return request->context;
}

/*
 * Runs the CALL of `sqe` on the kernel object behind `edge`. TRANSPORT_OK: its completion is posted
 * or left to an operation. Else nothing happened and *refusal says why.
 */
enum transport_error call_kernel_object(struct cpu *cpu, struct thread *caller,
                                        const struct sqe *sqe, const struct hold_edge *edge,
                                        struct refusal *refusal) MUST_USE;

/* For handlers: refuses with a reason of schema/exception.capnp; `limit` and `amount` as there. */
enum capn_dispatch call_refuse(struct capn_request *request, uint16_t reason, uint64_t limit,
                               uint64_t amount);

/* What a refusal by a ledger says in a CapException; and that for handlers, of the caller's own. */
struct capn_refuse_reason call_ledger_reason(const struct ledger_refusal *ledger);
enum capn_dispatch call_refuse_ledger(struct capn_request *request, enum ledger_line_name line,
                                      uint64_t amount);

/*
 * For handlers: the caller's edge passed as capability `index` of the message, copied with
 * references of its own (edge_drop it). False: the request is refused already.
 */
bool call_argument(struct capn_request *request, uint32_t index, struct hold_edge *edge) MUST_USE;

/* For handlers: adds an edge to the answer and returns its index for the result's pointer, which
 * lies at `path` (generated: I_M_PATH_F). The edge is taken over; it reaches the caller with the
 * answer or is dropped with the refusal. */
uint32_t call_result_cap(struct call *call, const struct hold_edge *edge, struct capn_path path);

/*
 * For handlers that answer later: an operation that will complete the call, or NULL and the request
 * is refused (limit; result not in the arena). Return CAPN_DISPATCH_LATER.
 */
struct operation *call_defer(struct capn_request *request, enum operation_kind kind) MUST_USE;

/* A message and at most one capability for a deferred call. */
struct deferred_answer {
    uint8_t bytes[512];
    struct capn_build_segment segment;
    struct capn_builder results;
    bool exception;
    struct hold_edge cap;  /* object NULL: none; taken over, its slot was reserved */
    struct capn_path path; /* where the message points at it */
};

void deferred_begin(struct deferred_answer *answer);
void deferred_refuse(struct deferred_answer *answer, const struct operation *operation,
                     struct capn_refuse_reason reason);
void deferred_complete(struct operation *operation, struct deferred_answer *answer);

#endif
