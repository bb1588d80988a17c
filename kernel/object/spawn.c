/* SPDX-License-Identifier: MIT */
/*
 * Spawning.
 *
 * A plan holds everything that was checked: the image's segments (spawn_image.c), the child's edges
 * with their references, the argument message. The job then builds in bounded steps:
 *
 *   SPACE -> SEGMENTS -> DESCRIPTORS -> CAPSET -> THREAD -> BUILD -> COMMIT
 *
 * The child is invisible until COMMIT, which cannot fail: its table was reserved, the caller's slot
 * too. Any failure before gives up the half-made process to the ordinary teardown, drops the edges
 * and answers the caller; the caller's table, the ledger and the frames are then as they were.
 *
 * Invariants:
 *  1. Each edge of the plan is in exactly one place: the plan or the child's table; or a revocation
 *     has taken it.
 *  2. operation is NULL once the caller's thread is retired (same CPU, so no lock).
 *
 *  3. process->spawn is the spawn from its start to its end, so whoever walks over the processes
 *     finds the plan's edges where the table's are.
 *
 * A spawn may be of any low priority and so take any time. A revocation does not wait for it, but
 * takes what is dead out of its plan, between two steps of the job; a step that found an edge alive
 * is over when it comes (its GRACE).
 *
 * Locks: the child's process lock for its table and for the edges of the plan. What can fail:
 * memory; the caller's end; a revocation.
 */
#include "kernel/object/spawn.h"

#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/account.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/facet.h"
#include "kernel/object/grants.h"
#include "kernel/object/inherit.h"
#include "kernel/object/spawn_image.h"
#include "kernel/sched/layout.h"
#include "kernel/work_check.h"
#include "abi/capset.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/process.capnp.h"

static struct kmem_cache spawn_cache;
static struct spinlock spawns_lock = SPINLOCK_INIT(LOCK_RANK_GRANT);
static struct uses spawns; /* started and not over */

void spawns_init(void)
{
    uses_init(&spawns);
    kmem_cache_init(&spawn_cache, "spawn", sizeof(struct spawn));
}

static void start_fill(struct start_info *start, const struct spawn *spawn)
{
    const struct elf_tls *tls = &spawn->image.tls;

    start->magic = START_INFO_MAGIC;
    start->version = START_INFO_VERSION;
    start->size = sizeof(*start);
    start->pid = spawn->process->pid;
    if (tls->present) {
        start->tls_image = tls->address;
        start->tls_file_bytes = tls->file_size;
        start->tls_memory_bytes = tls->memory_size;
        start->tls_alignment = tls->align;
    }
    arch_clock_describe(&start->clock_hertz, &start->clock_start);
    memcpy(start->process_name, spawn->process->name, LIMIT_NAME_BYTES);
}

/*
 * The process of a plan. The slots that the parent gives away come out of its table if its account
 * has too few to spare; what was not given goes back into it.
 */
static enum status plan_process(const struct spawn_plan *plan, struct spawn *spawn,
                                struct spawn_refusal *refusal)
{
    struct process *parent = plan->parent;
    struct account_plan account = {.parent = parent == NULL ? NULL : parent->account,
                                   .amounts = plan->amounts,
                                   .name = plan->name,
                                   .name_bytes = plan->name_bytes};
    uint64_t slots = plan->amounts.amount[LEDGER_SLOTS];
    uint64_t available = account_refusal(account.parent, LEDGER_SLOTS, slots).available;
    enum status status;

    if (parent != NULL && available < slots && !process_slots_spare(parent, slots - available)) {
        refusal->ledger = account_refusal(parent->account, LEDGER_SLOTS, slots);
        return STATUS_LIMIT;
    }
    status = process_create(&account, plan->scheduling.priority, &spawn->process, &refusal->ledger);
    if (status == STATUS_OK) {
        spawn->scheduling = plan->scheduling;
        spawn->process->restart_count = plan->restart_count;
    } else if (parent != NULL) {
        process_slots_refill(parent);
    }
    return status;
}

enum status spawn_create(const struct spawn_plan *plan, struct spawn **created,
                         struct spawn_refusal *refusal)
{
    struct spawn *spawn = kmem_alloc(&spawn_cache);
    enum status status;

    if (spawn == NULL) {
        return STATUS_NO_MEMORY;
    }
    refusal->image = NULL;
    status = spawn_image_plan(plan, spawn, &refusal->image);
    if (status == STATUS_OK) {
        status = plan_process(plan, spawn, refusal);
    }
    if (status != STATUS_OK) {
        kmem_free(&spawn_cache, spawn);
        return status;
    }
    spawn->parent = plan->parent;
    start_fill(&spawn->process->start, spawn);
    *created = spawn;
    return STATUS_OK;
}

/* The first edge of the plan that is `above` or below it; NULL: there is none. Child's lock held.
 */
static struct hold_edge *plan_edge_below(struct spawn *spawn, const struct grant_node *above)
{
    if (spawn->file.object != NULL && grant_is_below(spawn->file.grant, above)) {
        return &spawn->file;
    }
    for (unsigned i = 0; i < spawn->grant_count; i++) {
        struct hold_edge *edge = &spawn->grant[i].edge;

        if (edge->object != NULL && grant_is_below(edge->grant, above)) {
            spawn->buried = true;
            return edge;
        }
    }
    return NULL;
}

bool spawn_bury_next(struct process *process, const struct grant_node *above,
                     struct hold_edge *edge)
{
    struct hold_edge *found;

    spinlock_lock(&process->lock);
    found = process->spawn == NULL ? NULL : plan_edge_below(process->spawn, above);
    if (found != NULL) {
        *edge = *found;
        *found = (struct hold_edge){.object = NULL};
    }
    spinlock_unlock(&process->lock);
    return found != NULL;
}

/* Frees the plan and what it still holds. */
static void spawn_free(struct spawn *spawn)
{
    spinlock_lock(&spawn->process->lock);
    spawn->process->spawn = NULL;
    spinlock_unlock(&spawn->process->lock);
    for (unsigned i = 0; i < spawn->grant_count; i++) {
        edge_drop(&spawn->grant[i].edge);
    }
    edge_drop(&spawn->file);
    if (spawn->argument_frame != 0) {
        account_frame_free(spawn->argument_account, spawn->argument_frame);
    }
    if (spawn->caller != NULL) {
        object_unref(&spawn->caller->object);
    }
    spinlock_lock(&spawns_lock);
    if (list_node_is_linked(&spawn->under_way.node)) {
        uses_remove(&spawn->under_way);
    }
    spinlock_unlock(&spawns_lock);
    grant_unref(spawn->through, grant_node_free);
    object_unref(&spawn->process->object);
    kmem_free(&spawn_cache, spawn);
}

bool spawns_revoke(struct object *object, struct revoke_step *step)
{
    struct use *awaited;
    enum uses_left result;

    (void)object;
    spinlock_lock(&spawns_lock);
    result = uses_sweep(&spawns, &step->sweep, step->above, &step->receipt.calls, &awaited);
    if (result == USES_WAITS) {
        const struct spawn *spawn = CONTAINER_OF(awaited, struct spawn, under_way);

        if (spawn->process->priority < step->priority) {
            step->priority = spawn->process->priority; /* its end is work of that one */
        }
        if (spawn->job.task.priority < step->priority) {
            step->priority = spawn->job.task.priority;
        }
    }
    spinlock_unlock(&spawns_lock);
    return result != USES_OVER;
}

void spawn_discard(struct spawn *spawn)
{
    struct process *process = spawn->process;
    struct process *parent = spawn->parent;

    object_ref(&process->object);
    spawn_free(spawn);
    process_give_back(process);
    if (parent != NULL) {
        process_slots_refill(parent);
    }
    process_abandon(process, EXIT_KIND_KILLED);
    object_unref(&process->object);
}

/* Where the child's edge `index` comes from: the spawner, or the manifest for init. */
static struct provenance grant_origin(const struct spawn *spawn, unsigned index)
{
    struct provenance origin = {
        .origin = EDGE_ORIGIN_MANIFEST, .detail = index, .at_ns = arch_clock_ns()};

    if (spawn->caller != NULL) {
        origin.origin = EDGE_ORIGIN_SPAWN;
        provenance_from(&origin, spawn->caller->pid, spawn->caller->name);
        origin.from_cap = spawn->grant[index].source;
    }
    return origin;
}

/* Whether none of the plan's edges was revoked since it was looked up. Child's lock held. */
static bool edges_alive(struct spawn *spawn)
{
    struct hold_edge *told = &spawn->process->fault_edge;

    if (spawn->buried) {
        return false;
    }
    if (told->object != NULL && !hold_edge_is_alive(told)) {
        return false;
    }
    for (unsigned i = 0; i < spawn->grant_count; i++) {
        if (!hold_edge_is_alive(&spawn->grant[i].edge)) {
            return false;
        }
    }
    return true;
}

static void grant_name(struct capset_entry *entry, const struct spawn_grant *grant)
{
    memcpy(entry->name, grant->name, LIMIT_NAME_BYTES);
    entry->interface_id = grant->edge.interface_id;
    entry->facet = grant->edge.facet;
}

/* Slots above the window that the plan's edges need. */
static uint32_t grants_above_window(const struct spawn *spawn)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < spawn->grant_count; i++) {
        count += spawn->grant[i].exact_slot == SPAWN_SLOT_ANY;
    }
    return count;
}

/* Puts those edges into the child's table that have a slot of the window. Its lock is held. */
static enum transport_error window_fill(struct spawn *spawn, struct capset *capset)
{
    enum transport_error error = TRANSPORT_OK;

    for (unsigned i = 0; error == TRANSPORT_OK && i < spawn->grant_count; i++) {
        struct spawn_grant *grant = &spawn->grant[i];
        struct provenance origin = grant_origin(spawn, i);

        if (grant->exact_slot == SPAWN_SLOT_ANY) {
            continue;
        }
        grant_name(&capset->entry[i], grant);
        error = cap_table_insert_at(&spawn->process->table, grant->exact_slot, &grant->edge,
                                    &origin, &capset->entry[i].cap);
        if (error == TRANSPORT_OK) {
            grant->edge = (struct hold_edge){.object = NULL}; /* the child's */
        }
    }
    return error;
}

/* Puts the edges into the child's table, and names them in its CapSet page; slots above the window
 * were reserved. An error leaves those edges in the plan that the child has not. A revocation after
 * the check finds them in the table, which the list of processes shows it already. */
static enum transport_error capset_fill(struct spawn *spawn, struct capset *capset)
{
    struct process *process = spawn->process;
    enum transport_error error = TRANSPORT_REVOKED;

    spinlock_lock(&process->lock);
    if (edges_alive(spawn)) {
        error = window_fill(spawn, capset);
    }
    for (unsigned i = 0; error == TRANSPORT_OK && i < spawn->grant_count; i++) {
        const struct spawn_grant *grant = &spawn->grant[i];
        struct provenance origin = grant_origin(spawn, i);

        if (grant->exact_slot == SPAWN_SLOT_ANY) {
            grant_name(&capset->entry[i], grant);
            capset->entry[i].cap =
                cap_table_insert_reserved(&process->table, &grant->edge, &origin);
        }
    }
    if (error == TRANSPORT_OK) {
        capset->magic = CAPSET_MAGIC;
        capset->version = CAPSET_VERSION;
        capset->count = (uint16_t)spawn->grant_count;
        spawn->grant_count = 0; /* all are the child's */
    } else {
        cap_table_unreserve(&process->table, grants_above_window(spawn));
    }
    spinlock_unlock(&process->lock);
    return error;
}

/* What a refusal by the child's table means for the spawn. */
static enum status table_status(struct spawn *spawn, enum transport_error error,
                                enum ledger_line_name line)
{
    switch (error) {
    case TRANSPORT_OK:
        return STATUS_OK;
    case TRANSPORT_LIMIT:
        spawn->short_of = line;
        return STATUS_LIMIT;
    case TRANSPORT_REVOKED:
        return STATUS_REVOKED;
    case TRANSPORT_SLOT_IN_USE: /* a descriptor that the caller made meanwhile is inherited */
        return STATUS_EXISTS;
    default:
        return STATUS_NO_MEMORY;
    }
}

static enum status step_capset(struct spawn *spawn)
{
    struct process *process = spawn->process;
    vaddr_t base = arch_vspace_base(&process->vspace.arch);
    struct ledger_refusal refusal;
    enum transport_error error;
    paddr_t frame;
    enum status status;

    if (spawn->argument_frame != 0) {
        status = vspace_map_new(&process->vspace, base + LAYOUT_ARGUMENTS, 0, &frame);
        if (status != STATUS_OK) {
            return status;
        }
        memcpy(arch_frame_pointer(frame), arch_frame_pointer(spawn->argument_frame),
               LIMIT_PAGE_BYTES);
        process->start.argument_message = base + LAYOUT_ARGUMENTS;
        process->start.argument_bytes = spawn->argument_bytes;
    }
    status = vspace_map_new(&process->vspace, base + LAYOUT_CAPSET, 0, &frame);
    if (status != STATUS_OK) {
        return status;
    }
    error = process_slots_reserve(process, grants_above_window(spawn), &refusal);
    if (error != TRANSPORT_OK) {
        return table_status(spawn, error, refusal.line);
    }
    process->start.capset = base + LAYOUT_CAPSET;
    return table_status(spawn, capset_fill(spawn, arch_frame_pointer(frame)), LEDGER_SLOTS);
}

static enum status step_thread(struct spawn *spawn)
{
    return thread_create(&(struct thread_plan){.process = spawn->process,
                                               .entry = spawn->image.entry,
                                               .scheduling = spawn->scheduling},
                         &spawn->thread, &spawn->short_of);
}

/* The child runs from here on; the caller gets its handle. */
static void spawn_commit(struct spawn *spawn)
{
    struct process *process = spawn->process;
    struct deferred_answer answer;

    spinlock_lock(&process->lock);
    if (process->state == PROCESS_BUILDING) {
        atomic_store_release_u32(&process->state, PROCESS_ALIVE);
    }
    spinlock_unlock(&process->lock);
    thread_start(spawn->thread);
    if (spawn->operation != NULL) {
        struct process_spawner_spawn_results_builder results;

        deferred_begin(&answer);
        answer.cap = object_edge(&process->object, PROCESS_HANDLE_INTERFACE_ID, CAP_FACET_ALL, 0);
        edge_mode_set(&answer.cap, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
        answer.path = PROCESS_SPAWNER_SPAWN_PATH_PROCESS;
        results = process_spawner_spawn_results_init(capn_builder_root(&answer.results));
        process_spawner_spawn_results_set_process(results, 0);
        deferred_complete(spawn->operation, &answer);
    }
    spawn_free(spawn);
}

/* Why the job failed. A quota that is too small is the child's own: what the request asked. */
static struct capn_refuse_reason fail_reason(const struct spawn *spawn, enum status status)
{
    struct ledger_refusal ledger;

    if (status == STATUS_LIMIT && spawn->short_of != LEDGER_LINES) {
        ledger = account_refusal(spawn->process->account, spawn->short_of, 1);
        return call_ledger_reason(&ledger);
    }
    if (status == STATUS_NO_ACCESS) {
        return (struct capn_refuse_reason){.reason = EXCEPTION_REASON_PERMISSION_DENIED,
                                           .argument = CAPN_NO_ARGUMENT,
                                           .argument_name = "request.inheritDescriptors"};
    }
    if (status == STATUS_EXISTS) {
        return (struct capn_refuse_reason){.reason = EXCEPTION_REASON_ALREADY_EXISTS,
                                           .argument = 0,
                                           .argument_name = "request.grants.exactSlot"};
    }
    return (struct capn_refuse_reason){.reason = status == STATUS_REVOKED
                                                     ? EXCEPTION_REASON_REVOKED_CAPABILITY
                                                     : EXCEPTION_REASON_OUT_OF_MEMORY,
                                       .argument = CAPN_NO_ARGUMENT,
                                       .detail = status_text(status)};
}

/* The failed process has given back all it had: the caller hears of it. Runs on the caller's CPU.
 */
static void spawn_answer_failure(struct process *process)
{
    struct spawn *spawn = process->given_back_context;
    struct deferred_answer answer;

    if (spawn->caller != NULL) {
        process_slot_give_back(spawn->caller);
    }
    if (spawn->operation != NULL) {
        answer.cap.object = NULL;
        deferred_refuse(&answer, spawn->operation, spawn->failure);
        deferred_complete(spawn->operation, &answer);
    }
    spawn_free(spawn);
}

/* Whatever is built goes to the ordinary teardown; the answer follows when that has given back what
 * the parent had donated. */
static void spawn_fail(struct spawn *spawn, enum status status)
{
    spawn->failure = fail_reason(spawn, status);
    if (spawn->argument_frame != 0) {
        account_frame_free(spawn->argument_account, spawn->argument_frame);
        spawn->argument_frame = 0;
    }
    spawn->process->given_back_context = spawn;
    spawn->process->given_back = spawn_answer_failure;
    if (spawn->thread != NULL) {
        spawn->process->exit.kind = EXIT_KIND_KILLED;
        atomic_store_release_u32(&spawn->process->state, PROCESS_DYING);
        thread_abandon(spawn->thread, NULL);
    } else {
        process_abandon(spawn->process, EXIT_KIND_KILLED);
    }
}

/* One phase's step; *done: go on to the next. */
static enum status spawn_phase_step(struct spawn *spawn, bool *done)
{
    enum status status;

    *done = true;
    spawn->short_of = LEDGER_FRAMES;
    switch (spawn->phase) {
    case SPAWN_SPACE:
        status = vspace_create_charged(&spawn->process->vspace, spawn->process->account);
        spawn->process->vspace_made = status == STATUS_OK;
        return status;
    case SPAWN_SEGMENTS:
        return spawn_image_step(spawn, done);
    case SPAWN_DESCRIPTORS:
        return descriptors_inherit_step(spawn, done);
    case SPAWN_CAPSET:
        return step_capset(spawn);
    case SPAWN_THREAD:
        return step_thread(spawn);
    case SPAWN_BUILD:
        return thread_build_step(spawn->thread, done);
    case SPAWN_COMMIT:
        break;
    }
    return STATUS_OK;
}

static bool spawn_step(struct job *job)
{
    struct spawn *spawn = CONTAINER_OF(job, struct spawn, job);
    enum status status;
    bool done;

    if (!grant_is_alive(spawn->through, &spawn->epoch)) {
        spawn_fail(spawn, STATUS_REVOKED);
        return false;
    }
    if ((spawn->caller != NULL && (spawn->operation == NULL || process_is_dying(spawn->caller))) ||
        process_is_dying(spawn->process)) {
        spawn_fail(spawn, STATUS_CANCELLED);
        return false;
    }
    if (spawn->phase == SPAWN_COMMIT) {
        spawn_commit(spawn);
        return false;
    }
    memory_permit_begin(); /* building */
    status = spawn_phase_step(spawn, &done);
    memory_permit_end();
    if (status != STATUS_OK) {
        spawn_fail(spawn, status);
        return false;
    }
    if (done) {
        spawn->phase++;
    }
    return true;
}

void spawn_start(struct spawn *spawn)
{
    unsigned priority = spawn->operation != NULL ? spawn->operation->owner->task.priority
                                                 : spawn->process->priority;

    spinlock_lock(&spawn->process->lock);
    spawn->process->spawn = spawn;
    spinlock_unlock(&spawn->process->lock);
    spinlock_lock(&spawns_lock);
    uses_add(&spawns, &spawn->under_way, spawn->through);
    spinlock_unlock(&spawns_lock);
    spawn->job.step = spawn_step;
    job_start(&spawn->job, arch_cpu_this(), priority);
}
