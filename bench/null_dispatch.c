/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own dispatch as a function of the host: kernel/dispatch/dispatch.c and quick.c with
 * core, unchanged, between a ring, a table and a thread that lie in this program's memory. One
 * round is what a program and the kernel do for AT_ONCE calls of a null object: the entries are
 * written, cap_enter takes and answers them, the completions are read and given back. In the place
 * of the processor's way into the kernel and out again stands a system call of the machine's own
 * kernel that does next to nothing.
 *
 * What these calls do not reach (threads that wait, other opcodes, the machine) is not linked: its
 * names are 0, and whoever called one would end the program.
 */
#include "bench/null_dispatch.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "abi/syscall.h"
#include "kernel/dispatch/dispatch.h"
#include "kernel/sched/process.h"
#include "tests/host/slot_pages.h"

enum {
    AT_ONCE = 32,
    MESSAGE_BYTES = 8,
    RESULT_OFFSET = 2048,
    INTERFACE = 7,
};

/* What a thread of the kernel lies in. */
static struct {
    ALIGNED(LIMIT_PAGE_BYTES) struct ring_header header;
    ALIGNED(LIMIT_PAGE_BYTES) struct sqe sq[LIMIT_SQ_ENTRIES];
    ALIGNED(LIMIT_PAGE_BYTES) struct cqe cq[LIMIT_CQ_ENTRIES];
    ALIGNED(LIMIT_PAGE_BYTES) uint8_t arena[LIMIT_PAGE_BYTES];
} shared;

static const struct object_type null_type = {.name = "null", .quick = 1};
static struct object null = {.type = &null_type, .references = 1};
static struct process process;
static struct thread thread;
static struct cpu cpu;
static struct cap_id cap;

/* What a virtual CPU of kernel/arch/host does there, hardware does not. */
void arch_lock_point(void)
{
}

bool null_dispatch_begin(void)
{
    struct ring_sizes sizes = {0};
    struct hold_edge edge = {.object = &null, .interface_id = INTERFACE, .facet = CAP_FACET_ALL};

    if (!ring_sizes_settle(&sizes)) {
        return false;
    }
    ring_init(&thread.ring, &sizes,
              (struct ring_memory){.header = &shared.header, .sq = shared.sq, .cq = shared.cq});
    thread.process = &process;
    thread.plan.ring.arena_bytes = sizeof(shared.arena);
    thread.arena_address = (uintptr_t)shared.arena;
    thread.arena_page[0] = shared.arena;
    process.state = PROCESS_ALIVE;
    cap_table_init(&process.table, LIMIT_TABLE_SLOTS, slot_memory(NULL));
    cpu.current = &thread;
    return cap_table_insert(&process.table, &edge, NULL, &cap) == TRANSPORT_OK;
}

unsigned null_dispatch_round(void)
{
    struct ring_header *header = &shared.header;
    uint32_t tail = header->sq_tail;
    uint32_t head = header->cq_head;
    unsigned good = 0;

    for (uint32_t i = 0; i < AT_ONCE; i++) {
        shared.sq[(tail + i) % LIMIT_SQ_ENTRIES] =
            (struct sqe){.opcode = OPCODE_CALL,
                         .message_bytes = MESSAGE_BYTES,
                         .user_data = i,
                         .cap = cap,
                         .interface_id = INTERFACE,
                         .message = (uintptr_t)shared.arena,
                         .result = (uintptr_t)shared.arena + RESULT_OFFSET,
                         .result_bytes = LIMIT_ANSWER_ROOM};
    }
    ring_publish(&header->sq_tail, tail + AT_ONCE);
    (void)syscall(SYS_getppid);
    if (kernel_syscall(AT_ONCE, TIMEOUT_NONE, &cpu, SYSCALL_CAP_ENTER) != AT_ONCE) {
        return 0;
    }
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        good += shared.cq[(head + i) % LIMIT_CQ_ENTRIES].result > 0;
    }
    ring_publish(&header->cq_head, head + AT_ONCE);
    return good;
}
