/* SPDX-License-Identifier: MIT */
/*
 * What two CPUs may do to one thing at the same moment. The process's name chooses the part:
 *
 *   takers     revokes what another process is dropping, copying, moving, passing on and spawning
 *              with; when REVOKE is over, no edge of it works anywhere
 *   taker      that process; "idle" and "quiet" are those it starts
 *   sources    two threads: one revokes while the other makes new edges of the revoked one and
 *              keeps them: all are dead afterwards
 *   pinned     two threads: one releases the last edge of an object while the other is using it
 *   loans      a caller that a third thread makes ready in the moment in which it lends its time
 *   askers     calls promised from an answer of another process: one without a message, and those
 *              of a thread that ends while they are sent
 *   asker      that thread's process
 *   leavers    a thread ends between two of its promised calls: none is sent after that
 *   crowd      many processes: a revocation walks over them while some end, and the rest is left
 *              for the end of the machine
 *   watchers   asks what a process uses in every moment of its end
 *
 * Scene "races" on one CPU, two and four; tests/host/machine_races_test.c under many schedules.
 * Needs "null", "process-spawner", "endpoint-factory", "thread-spawner", "frame-allocator".
 */
#include "tests/programs/races/races.h"

enum {
    BINARY_OWN = 1,
};

int32_t race_spawn(struct rt *rt, struct cap_id spawner, const char *name, uint32_t size,
                   const struct process_grant *grants, uint32_t count,
                   struct process_handle *handle)
{
    const struct process_request request = {.name = giving_text(name),
                                            .boot_binary = BINARY_OWN,
                                            .grants = grants,
                                            .grant_count = count,
                                            .quotas = {.slots = 16 * size,
                                                       .frames = RACE_FRAMES * size,
                                                       .ring_bytes = 90112 * size,
                                                       .endpoint_queue = 4 * size,
                                                       .outstanding_calls = 32 * size,
                                                       .scratch_bytes = 8192 * size,
                                                       .threads = size,
                                                       .log_bytes = 512 * size},
                                            .scheduling = {.cpu_mask = UINT64_MAX}};

    return process_client_spawn(rt, (struct process_spawner){spawner}, &request, handle);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    while (rt_name_is(rt, "idle")) {
        rt_sleep(rt, UINT64_C(1000000000));
    }
    if (rt_name_is(rt, "quiet")) {
        return 0;
    }
    if (rt_name_is(rt, "taker")) {
        taker(&check);
        return (int)check.failed;
    }
    if (rt_name_is(rt, "asker") || rt_name_is(rt, "asker-ends")) {
        asker(&check, rt_name_is(rt, "asker-ends"));
        return (int)check.failed;
    }
    if (rt_name_is(rt, "takers")) {
        takers(&check);
    } else if (rt_name_is(rt, "sources")) {
        sources(&check);
    } else if (rt_name_is(rt, "pinned")) {
        pinned(&check);
    } else if (rt_name_is(rt, "loans")) {
        loans(&check);
    } else if (rt_name_is(rt, "leavers")) {
        leavers(&check);
    } else if (rt_name_is(rt, "crowd")) {
        crowd(&check);
    } else if (rt_name_is(rt, "watchers")) {
        watchers(&check);
    } else {
        askers(&check);
    }
    return check_end(&check);
}
