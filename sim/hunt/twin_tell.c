/* SPDX-License-Identifier: MIT */
/* What a twin tells at its end: what every process holds and every thread has reserved. */
#include "kernel/arch/host/machine.h"
#include "sim/hunt/look.h"
#include "sim/hunt/twin.h"

/* What a twin compares of a process and its threads: no address, no time. How many slots and calls
 * a thread keeps for later is a matter of what was needed at once, and so of who ran when; but what
 * is reserved is claimed. */
static void process_tell(const struct process *process)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(process->pid, edges, LIMIT_TABLE_SLOTS);
    uint64_t name = process->pid << 32;
    uint64_t claimed = 0;

    for (uint32_t i = 0; i < count; i++) {
        twin_state(name | 1, edges[i].id);
        twin_state(name | 2, edges[i].object);
        twin_state(name | 3, edges[i].interface_id);
        twin_state(name | 4, edges[i].facet);
        twin_state(name | 5, edges[i].badge);
        twin_state(name | 6, edges[i].grant << 8 | edges[i].mode << 1 | edges[i].grantable);
    }
    twin_state(name | 7, process->table.used);
    if (machine.count > 1) {
        return; /* the server may be about to ask for its next call */
    }
    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        struct thread *thread = CONTAINER_OF(node, struct thread, process_node);

        twin_state(name | 8, thread->operations_used);
        twin_state(name | 9, thread->receives);
        twin_state(name | 10, thread->calls_used);
        twin_state(name | 11, thread->ring.sq_head);
        twin_state(name | 12, thread->ring.cq_tail);
        twin_state(name | 13, thread->transfers.free_count);
        twin_state(name | 14, thread->answers.used);
        claimed += look_slots_reserved(thread);
    }
    twin_state(name | 15, process->table.reserved - claimed);
}

bool hunt_server_rests(void)
{
    const struct process *process;

    for (uint32_t i = 0; (process = look_known_process(i)) != NULL; i++) {
        for (struct list_node *node = list_first(&process->threads);
             process->pid == 2 && node != NULL; node = list_next(&process->threads, node)) {
            if (!CONTAINER_OF(node, struct thread, process_node)->waiting) {
                return false;
            }
        }
    }
    return true;
}

void hunt_state_tell(void)
{
    const struct process *process;

    for (uint64_t pid = 1; pid <= 2; pid++) {
        for (uint32_t i = 0; (process = look_known_process(i)) != NULL; i++) {
            if (process->pid == pid) {
                process_tell(process);
            }
        }
    }
}
