/* SPDX-License-Identifier: MIT */
/* ThreadHandle: what is left of a thread for those who hold it. The theory is in thread_handle.c.
 */
#ifndef KERNEL_OBJECT_THREAD_HANDLE_H
#define KERNEL_OBJECT_THREAD_HANDLE_H

#include "capnp/runtime/capn.h"
#include "kernel/ipc/wait.h"
#include "kernel/sched/process.h"

/* The object behind ThreadHandle edges. */
struct thread_record {
    struct object object;
    uint64_t id;                     /* within its process */
    char name[LIMIT_NAME_BYTES + 1]; /* empty: none was given */
    struct spinlock lock;
    /* lock: */
    struct thread *thread; /* NULL: not made yet, or it has retired */
    struct waitable ended;
    bool told; /* all that the thread had is back: nobody waits from now on */
    enum exit_kind kind;
    int32_t code;
    uint64_t cpu_time_ns;
};

void thread_records_init(void);

/* A record without a thread, with a reference for the caller; NULL: no memory. */
struct thread_record *thread_record_create(struct capn_text name);

/* It is that of `thread`, which is about to start. */
void thread_record_open(struct thread_record *record, struct thread *thread);

/* The thread retires, on its home CPU: the record keeps how it ended. */
void thread_record_close(struct thread_record *record, struct thread *thread);

/* All that the thread had is back: tells a few of those who wait; true: some are left. The caller
 * has a reference. */
MUST_USE bool thread_record_tell(struct thread_record *record);

/* An edge that is a handle of it. */
struct hold_edge thread_record_edge(struct thread_record *record);

#endif
