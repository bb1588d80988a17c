/* SPDX-License-Identifier: MIT */
/*
 * Submissions: what each opcode does. One handler for each, in the file of its family; submission.c
 * has the table.
 */
#ifndef KERNEL_DISPATCH_SUBMISSION_H
#define KERNEL_DISPATCH_SUBMISSION_H

#include "kernel/sched/process.h"

/* Carries out one accepted submission, a private copy; its completion is posted or left to the
 * operation it became. `valid`: the wire check is done already. No lock is held. False: the thread
 * has submitted so much that is invalid that its turn is over. */
bool submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe, bool valid);

/*
 * A handler. The submission passed the wire check. TRANSPORT_OK: its completion is posted or left
 * to an operation. Else nothing happened, *refusal (all zero when the handler is called) names the
 * argument, and the caller posts it.
 */
typedef enum transport_error submission_handler(struct cpu *cpu, struct thread *thread,
                                                const struct sqe *sqe, struct refusal *refusal);

/* table_ops.c */
submission_handler submission_release;
submission_handler submission_duplicate;
submission_handler submission_token;
submission_handler submission_transfer;
/* grant_ops.c */
submission_handler submission_delegate;
submission_handler submission_revoke;
/* answer_ops.c */
submission_handler submission_call;
submission_handler submission_finish;
submission_handler submission_cancel;
/* A call whose promised target is known now, or will never be: completes it or hands it on. */
void submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe);
void submission_call_broken(struct thread *thread, const struct sqe *sqe,
                            enum answer_target target);
/* park_ops.c */
submission_handler submission_park;
submission_handler submission_unpark;
/* endpoint_ops.c */
/* A CALL on the edge sqe->cap names; `answer` is open if it is not 0, `promise` is not looked at.
 */
submission_handler submission_call_edge;
submission_handler submission_receive;
submission_handler submission_return;
submission_handler submission_return_receive;
submission_handler submission_watch;

/* Posts the completion of `sqe` at once. */
void submission_post(struct thread *thread, const struct sqe *sqe, int32_t result);

/* The edge that `id` names, copied and pinned (edge_unpin it). Errors: cap_table_lookup's, with
 * refusal->argument CAP. */
MUST_USE enum transport_error edge_pin(struct process *process, struct cap_id id,
                                       struct hold_edge *pinned, struct refusal *refusal);

#endif
