/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous TLB shootdown.
 *
 * Purpose: a frame that left an address space is not used again, and the operation that took it out
 * does not complete, before every CPU has dropped its translations of it; and no CPU waits for
 * another to get there.
 *
 * Words: a *ticket* is a number from one counter, `newest`. An *unmap* is a record of up to
 * VSPACE_STEP_PAGES pages that were removed or narrowed; its frames are in *quarantine*. A CPU has
 * *flushed for* a ticket when it has dropped all its user translations after it read `newest` and
 * found that ticket or a later one there.
 *
 *   listed by vspace_unmap --shootdown_start--> pending (holds a ticket, waits for CPUs)
 *       |                                          |
 *       +-- nobody else active --> complete <------+-- head of the queue, all CPUs flushed for it
 *
 * Invariants:
 * 1. The pending unmaps are in the order of their tickets, which rise strictly, and the last one's
 *    is at most `newest`.
 * 2. Each waits for at least one CPU when it is queued; `waiting` only shrinks.
 * 3. `quarantine` is the sum of the pending unmaps' frames.
 * 4. A CPU's shootdown_seen never falls and never exceeds `newest`.
 * 5. When a CPU's shootdown_seen is at least T, it has dropped all user translations since the
 *    moment ticket T was taken.
 * 6. For each pending unmap there is a CPU that will look at the queue: one that has not yet
 *    answered the interrupt it was sent, or is in the course of doing so.
 *
 * Why the queue is strictly first in, first out: a CPU that publishes a ticket looks at the head
 * only, so its work is bounded however much is pending. An unmap behind a slow head waits longer
 * than it must, by at most the longest time any CPU keeps interrupts off.
 *
 * The ordering argument
 *
 *   CPU I, which removes                          CPU J, which has or gets the space
 *   a1. stores to the tables (vspace lock)        b1. sets its bit in `active`
 *   a2. full fence       (ordering point 1)       b2. full fence       (ordering point 2)
 *   a3. loads `active`                            b3. loads the root: flush, later walks
 *   a4. newest = T, release (shootdown lock)
 *   a5. IPI to each CPU of the set                b4. loads `newest`, acquire: t
 *                                                 b5. flushes
 *                                                 b6. shootdown_seen = t, release
 *   a6. sees shootdown_seen >= T, acquire         b7. leaves: flush, then clears its bit, release
 *
 * Does J need to be heard of? Either a3 sees J's bit, and J is waited for. Or it does not:
 * - J's bit was set, by b1, after a3 in the order of the fences: two fences with a store before
 *   each and a load after each (a1 a2 a3, b1 b2 b3) cannot both miss the other's store, so J's
 *   walks see a1. J never had the old translation since it became active, and had flushed when it
 *   was last active, by b7. It needs nothing.
 * - J's bit was cleared by b7 before a3, which acquires it: J's flush came before, J is not in the
 *   space and walks nothing. It needs nothing.
 * J may leave and come back after a3 saw its bit: then it is waited for in vain, but it is sent the
 * interrupt and answers it.
 *
 * Is an answer enough? J published t >= T (a6 reads b6). b4 read a value stored by a4 or a later
 * ticket; the lock around the counter makes those one release sequence in effect, so a1 happens
 * before b4 and before the walks after b5. All of J's translations from before b5 are gone.
 * Hence 5. What a copy in progress on J does with the old translation it does before b5, because
 * interrupts are off in the kernel; so the frame it reads or writes has not been given to anyone.
 *
 * Does somebody notice? The last CPU of the set to store b6 takes the shootdown lock afterwards and
 * looks at the head. If two store at the same time, the lock orders their looks, and the second
 * look sees both stores. A vspace_activate also flushes and publishes (so that the interrupt finds
 * nothing to flush), but does not look: the interrupt that is on its way to that CPU will.
 *
 * Two tickets between one b4 and b6 cost one flush: t covers both.
 *
 * On one CPU: I's own translations were dropped by arch_vspace_unmap, so I is left out of the set.
 *
 * Locks: `lock` (LOCK_RANK_SHOOTDOWN) guards the counter's change, the queue and the quarantine
 * count. Completions and the freeing of frames run outside it.
 *
 * Bounds: shootdown_start sends at most LIMIT_CPUS - 1 interrupts. An answer flushes once,
 * completes at most SHOOTDOWN_BATCH unmaps and looks at one more. Nothing here can fail.
 */
#include "kernel/mem/shootdown.h"

#include "abi/atomic.h"
#include "core/assert.h"
#include "kernel/cpu.h"
#include "kernel/mem/account.h"
#include "kernel/mem/frames.h"

static struct {
    struct spinlock lock;
    /* lock: */
    struct list pending;
    uint64_t quarantine;
    /* each CPU's own: */
    bool completing[LIMIT_CPUS];
} shootdown = {.lock = SPINLOCK_INIT(LOCK_RANK_SHOOTDOWN)};

uint64_t shootdown_newest_ticket; /* `newest`: changed under the lock, read without */

void shootdown_init(void)
{
    spinlock_init(&shootdown.lock, LOCK_RANK_SHOOTDOWN, 0);
    list_init(&shootdown.pending);
    shootdown.quarantine = 0;
    shootdown_newest_ticket = 0;
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        shootdown.completing[i] = false;
    }
}

/* The unmap is off the queue and out of the quarantine count. */
static void unmap_complete(struct unmap *unmap)
{
    bool *completing = &shootdown.completing[arch_cpu_this()->index];

    for (unsigned i = 0; i < unmap->frame_count; i++) {
        frame_free(unmap->frame[i]);
    }
    account_release(unmap->account, LEDGER_FRAMES, unmap->frame_count);
    if (unmap->complete != NULL) {
        *completing = true;
        unmap->complete(unmap);
        *completing = false;
    }
}

static void cpus_interrupt(uint64_t mask)
{
    for (unsigned i = 0; mask != 0; i++, mask >>= 1) {
        if ((mask & 1) != 0) {
            cpu_notify(cpus[i], IPI_SHOOTDOWN);
        }
    }
}

void shootdown_start(struct unmap *unmap, uint64_t active)
{
    const struct cpu *cpu = arch_cpu_this();
    uint64_t others = active & ~(UINT64_C(1) << cpu->index);

    lock_check_none_held();
    ASSERT(!shootdown.completing[cpu->index]); /* a completion queues work, it does not unmap */
    ASSERT(unmap->frame_count <= unmap->count && unmap->count <= VSPACE_STEP_PAGES);
    if (others == 0 || unmap->count == 0) {
        unmap_complete(unmap);
        return;
    }
    list_node_init(&unmap->node);
    unmap->waiting = others;
    spinlock_lock(&shootdown.lock);
    unmap->ticket = shootdown_newest_ticket + 1;
    atomic_store_release_u64(&shootdown_newest_ticket, unmap->ticket);
    list_push_back(&shootdown.pending, &unmap->node);
    shootdown.quarantine += unmap->frame_count;
    spinlock_unlock(&shootdown.lock);
    cpus_interrupt(others); /* `unmap` may be complete and gone by now */
}

/* Crosses out the CPUs that have flushed for the unmap's ticket; true: all have. */
static bool unmap_is_heard(struct unmap *unmap)
{
    uint64_t mask = unmap->waiting;

    for (unsigned i = 0; mask != 0; i++, mask >>= 1) {
        if ((mask & 1) != 0 && atomic_load_acquire_u64(&cpus[i]->shootdown_seen) >= unmap->ticket) {
            unmap->waiting &= ~(UINT64_C(1) << i);
        }
    }
    return unmap->waiting == 0;
}

/* Takes the head off the queue when all CPUs have flushed for it; NULL: there is no such. */
static struct unmap *pending_take_heard(void)
{
    struct list_node *node;
    struct unmap *unmap = NULL;

    spinlock_lock(&shootdown.lock);
    node = list_first(&shootdown.pending);
    if (node != NULL && unmap_is_heard(CONTAINER_OF(node, struct unmap, node))) {
        unmap = CONTAINER_OF(node, struct unmap, node);
        list_remove(node);
        ASSERT(shootdown.quarantine >= unmap->frame_count);
        shootdown.quarantine -= unmap->frame_count;
    }
    spinlock_unlock(&shootdown.lock);
    return unmap;
}

void shootdown_acknowledge(struct cpu *cpu)
{
    uint64_t ticket = shootdown_newest();
    struct unmap *unmap;

    lock_check_none_held();
    if (atomic_load_relaxed_u64(&cpu->shootdown_seen) < ticket) {
        arch_tlb_flush();
        shootdown_flushed(cpu, ticket);
    }
    for (unsigned i = 0; i < SHOOTDOWN_BATCH; i++) {
        unmap = pending_take_heard();
        if (unmap == NULL) {
            return;
        }
        unmap_complete(unmap);
    }
    atomic_or_u64(&cpu->ipi_reasons, IPI_SHOOTDOWN);
    arch_ipi_send(cpu);
}

uint64_t shootdown_quarantine_frames(void)
{
    uint64_t count;

    spinlock_lock(&shootdown.lock);
    count = shootdown.quarantine;
    spinlock_unlock(&shootdown.lock);
    return count;
}

static unsigned pending_check(void)
{
    uint64_t ticket = 0;
    uint64_t quarantine = 0;

    for (struct list_node *node = list_first(&shootdown.pending); node != NULL;
         node = list_next(&shootdown.pending, node)) {
        const struct unmap *unmap = CONTAINER_OF(node, struct unmap, node);

        if (unmap->ticket <= ticket || unmap->ticket > shootdown_newest_ticket) {
            return 1;
        }
        if (unmap->waiting == 0) {
            return 2;
        }
        ticket = unmap->ticket;
        quarantine += unmap->frame_count;
    }
    return quarantine == shootdown.quarantine ? 0 : 3;
}

unsigned shootdown_check(void)
{
    unsigned broken;

    spinlock_lock(&shootdown.lock);
    broken = pending_check();
    for (unsigned i = 0; i < LIMIT_CPUS && broken == 0; i++) {
        if (cpus[i] != NULL &&
            atomic_load_acquire_u64(&cpus[i]->shootdown_seen) > shootdown_newest_ticket) {
            broken = 4;
        }
    }
    spinlock_unlock(&shootdown.lock);
    return broken;
}
