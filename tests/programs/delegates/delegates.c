/* SPDX-License-Identifier: MIT */
/*
 * Delegation between processes and CPUs. The process's name chooses the part:
 *
 *   chains     delegates "null" through 1, 3 and the greatest number of processes, one behind the
 *              other, and revokes the first delegation: the last process finds every copy it made
 *              dead; again with processes in between that have ended
 *   hop-NN     one of such a chain: delegates on and starts the next one, NN - 1; the last one
 *              copies, reports, and waits until nothing answers any more
 *   gone-NN    the same, ending as soon as the next one runs
 *   uses       revokes with calls queued and in flight, a wait and a spawn under way: each ends
 *              with REVOKED and is on the receipt
 *   crossing   two processes that give each other edges, by copy and by move, all the time
 *   cross      one of them
 *   races      two threads on one table: one delegates and revokes, the other duplicates, calls,
 *              moves and spawns with what was delegated; what is dead for one is dead for the other
 *   inherits   spawns with its descriptors: all of them, then with one that may not be passed on,
 *              one that was revoked
 *   heir       what that starts: it finds them at their slots, and cannot pass them on
 *   unmarked   what that starts too: given a descriptor that its maker marked for itself
 *   quiet      ends at once
 *
 * Needs "null", "process-spawner", "endpoint-factory", "thread-spawner"; chains gives "report".
 */
#include "tests/programs/delegates/delegates.h"

#include "core/string.h"

bool name_begins(const struct rt *rt, const char *prefix)
{
    return memcmp(rt->start->process_name, prefix, string_length(prefix, LIMIT_NAME_BYTES)) == 0;
}

struct manifest_quotas delegate_quotas(uint32_t below)
{
    uint32_t n = below + 1;

    return (struct manifest_quotas){.slots = 16 * n,
                                    .frames = 160 * n,
                                    .ring_bytes = RING_BYTES * n,
                                    .endpoint_queue = 4 * n,
                                    .outstanding_calls = 16 * n,
                                    .scratch_bytes = 8192 * n,
                                    .threads = n,
                                    .log_bytes = 512 * n,
                                    .grant_nodes = 4 * n};
}

int32_t delegate_spawn(struct rt *rt, struct cap_id spawner, const char *name,
                       const struct process_grant *grants, uint32_t count,
                       struct process_handle *handle)
{
    struct process_request request = {.name = giving_text(name),
                                      .boot_binary = DELEGATES_BINARY,
                                      .grants = grants,
                                      .grant_count = count,
                                      .scheduling = {.cpu_mask = UINT64_MAX}};
    uint32_t below = 0;

    if (name[string_length(name, LIMIT_NAME_BYTES) - 3] == '-') {
        const char *digits = &name[string_length(name, LIMIT_NAME_BYTES) - 2];

        below = (uint32_t)(digits[0] - '0') * 10 + (uint32_t)(digits[1] - '0') - 1;
    }
    request.quotas = delegate_quotas(below);
    return process_client_spawn(rt, (struct process_spawner){spawner}, &request, handle);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    while (name_begins(rt, "idle")) {
        rt_sleep(rt, UINT64_C(1000000000));
    }
    if (name_begins(rt, "quiet")) {
        return 0;
    }
    if (name_begins(rt, "hop") || name_begins(rt, "gone")) {
        hop(&check);
        return (int)check.failed;
    }
    if (name_begins(rt, "crossing")) {
        crossing(&check);
    } else if (name_begins(rt, "cross")) {
        cross(&check);
        return (int)check.failed;
    } else if (name_begins(rt, "uses")) {
        uses(&check);
    } else if (name_begins(rt, "inherits")) {
        inherits(&check);
    } else if (name_begins(rt, "heir")) {
        heir(&check);
    } else if (name_begins(rt, "unmarked")) {
        unmarked(&check);
        return (int)check.failed;
    } else if (name_begins(rt, "races")) {
        races(&check);
    } else {
        chains(&check);
    }
    CHECK_EQUAL(&check, rt_ring_blocks_used(&rt->ring), 0);
    return check_end(&check);
}
