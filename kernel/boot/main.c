/* SPDX-License-Identifier: MIT */
/*
 * Boot and end of the machine, in order.
 *
 *   memory -> caches -> manifest checked whole -> other CPUs -> init's plan -> cpu_run
 *
 * The manifest's kernel parameters hold from the moment it was checked: the log level (a word of
 * the command line goes before it), how many CPUs are started, the quantum, and whether the machine
 * ends with init or only with the last process.
 *
 * The kernel starts init alone, with the grants that the manifest gives init; everything else is
 * init's doing. When init has ended the machine does (or, if the manifest says so, when nobody is
 * left): a shutdown job kills what is left, waits for its frames, compares the census with the one
 * taken before init, and powers off with success only if init ended with code 0 and every frame
 * came back.
 *
 * What can fail here is boot-fatal and said in one line (kernel_boot_refused): no module or two, a
 * manifest that is refused, too little memory.
 */
#include "core/boot_info.h"
#include "core/command_line.h"
#include "core/format.h"
#include "core/string.h"
#include "kernel/cpu.h"
#include "kernel/debug_scene.h"
#include "kernel/dispatch/dispatch.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/ipc/park.h"
#include "kernel/irq_probe.h"
#include "kernel/log.h"
#include "kernel/mem/account.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/memory_debug.h"
#include "kernel/mem/shootdown.h"
#include "kernel/object/boot_package.h"
#include "kernel/object/facet.h"
#include "kernel/object/grants.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/object/memory_space.h"
#include "kernel/object/spawn.h"
#include "kernel/object/thread_handle.h"
#include "kernel/object/thread_spawner.h"
#include "kernel/symbols.h"
#include "kernel/work_check.h"

struct shutdown {
    struct job job;
    struct process *init;
    uint64_t frames_before; /* in use before init's plan was made */
    unsigned rounds;
    bool waits_for_all; /* the end of init is not the end of the others */
    struct process *at; /* to be killed next, referenced; NULL: none is left */
};

static struct cpu boot_cpu;
static struct manifest boot_manifest;
static struct shutdown shutdown;

struct cpu *cpu_create(unsigned index)
{
    struct cpu *cpu = &boot_cpu;
    paddr_t frames;

    if (index != 0) {
        unsigned count = (sizeof(struct cpu) + FRAME_BYTES - 1) / FRAME_BYTES;

        if (frame_alloc_contiguous(count, 1, &frames) != STATUS_OK) {
            return NULL;
        }
        cpu = arch_frame_pointer(frames);
    }
    cpu->index = index;
    sched_cpu_init(cpu);
    scratch_init(&cpu->call_scratch, cpu->call_bytes, sizeof(cpu->call_bytes));
    scratch_init(&cpu->result_scratch, cpu->result_bytes, sizeof(cpu->result_bytes));
    cpus[index] = cpu;
    return cpu;
}

static uint64_t frames_in_use(void)
{
    struct frames_census census;

    kmem_reclaim();
    frames_census_take(&census);
    return census.total - census.free - census.cached;
}

/* The conservation law over all ledgers, and that nothing is left charged. */
static bool ledgers_balanced(void)
{
    for (enum ledger_line_name line = 0; line < LEDGER_LINES; line++) {
        struct ledger_census census;
        unsigned broken = accounts_census(line, &census);

        if (broken != 0 || census.used + census.reserved != 0 || census.ledgers != 1) {
            log_line(LOG_ERROR, "census: ledger %s has %llu charged in %llu accounts, rule %u",
                     ledger_line_text(line), (unsigned long long)(census.used + census.reserved),
                     (unsigned long long)census.ledgers, broken);
            return false;
        }
    }
    log_line(LOG_NOTICE, "census: ledgers balanced");
    return true;
}

/* One line of the shutdown: the verdict and the end of the machine. */
static NORETURN void machine_end(void)
{
    struct process_exit exit = shutdown.init->exit;
    bool success = exit.kind == EXIT_KIND_EXITED && exit.code == 0;
    uint64_t now;

    object_unref(&shutdown.init->object);
    now = frames_in_use();
    if (now == shutdown.frames_before) {
        log_line(LOG_NOTICE, "census: frames balanced, %llu in use", (unsigned long long)now);
    } else {
        log_line(LOG_ERROR, "census: %lld frames leaked",
                 (long long)(now - shutdown.frames_before));
        kmem_report();
        success = false;
    }
    success = ledgers_balanced() && success;
    irq_probe_report();
    log_line(LOG_NOTICE, "init ended %s with code %d: powering off",
             exit.kind == EXIT_KIND_EXITED ? "by itself" : "early", exit.code);
    arch_power_off(success);
}

/* Runs after init has ended: kills the rest, one in each step, and waits for every frame. What
 * those make that are not killed yet comes behind them and is met too. */
static bool shutdown_step(struct job *job)
{
    (void)job;
    if (shutdown.rounds++ == 0) {
        shutdown.at = process_next(NULL);
    }
    if (shutdown.at != NULL) {
        process_kill(shutdown.at, &(struct process_exit){.kind = EXIT_KIND_KILLED});
        shutdown.at = process_next(shutdown.at);
        return true;
    }
    if (process_count() == 0 && shootdown_quarantine_frames() == 0 && revocations_running() == 0 &&
        memory_objects_dying() == 0 && endpoints_closing() == 0) {
        machine_end();
    }
    return true;
}

static void shutdown_start(void)
{
    shutdown.job.step = shutdown_step;
    job_start(&shutdown.job, cpus[0], 0);
}

static void init_ended(void)
{
    if (shutdown.waits_for_all) {
        log_line(LOG_NOTICE, "init ended: the machine goes on until the last process has");
        processes_when_empty(shutdown_start);
    } else {
        shutdown_start();
    }
}

/* Init's grants, from the manifest: kernel objects only; the manifest's own rules say so. */
static void init_grants(struct manifest *manifest, const struct manifest_service *service,
                        struct spawn *spawn)
{
    for (uint32_t i = 0; i < service->grant_count; i++) {
        struct spawn_grant *target = &spawn->grant[spawn->grant_count];
        struct manifest_grant grant;
        struct object *object;

        manifest_grant_get(manifest, service, i, &grant);
        object = kernel_object(grant.source);
        if (!grant.from_kernel || object == NULL || spawn->grant_count == LIMIT_GRANTS) {
            kernel_boot_refused("the manifest grants init something this kernel does not have");
        }
        memcpy(target->name, grant.name.bytes, grant.name.length);
        target->exact_slot = SPAWN_SLOT_ANY;
        target->edge = object_edge(object, grant.interface_id, grant.facet, grant.badge);
        edge_mode_set(&target->edge, grant.transfer);
        spawn->grant_count++;
    }
}

/*
 * Opens the machine's account with what the manifest gives init. A manifest may promise more frames
 * than this machine has: then some of its processes may find no memory although their quota would
 * allow it, and the log says so here.
 */
static struct ledger_amounts machine_open(const struct manifest_quotas *quotas)
{
    struct ledger_amounts amounts = account_amounts(quotas);
    struct frames_census census;

    frames_census_take(&census);
    accounts_kernel_frames = census.owned - kmem_frames();
    if (quotas->frames > census.free + census.cached) {
        log_line(LOG_NOTICE, "the manifest promises %u frames, this machine has %llu",
                 quotas->frames, (unsigned long long)(census.free + census.cached));
    }
    accounts_init(&amounts);
    return amounts;
}

static void init_start(struct manifest *manifest)
{
    struct manifest_service service;
    struct spawn_refusal refusal = {.image = NULL};
    struct spawn_plan plan;
    struct spawn *spawn;
    enum status status;

    manifest_service_get(manifest, MANIFEST_INIT_INDEX, &service);
    plan = (struct spawn_plan){.name = service.name.bytes,
                               .name_bytes = service.name.length,
                               .binary = service.binary,
                               .scheduling = {.priority = service.scheduling.priority,
                                              .budget_ns = service.scheduling.budget_ns,
                                              .period_ns = service.scheduling.period_ns,
                                              .cpu_mask = service.scheduling.cpu_mask},
                               .amounts = machine_open(&service.quotas)};
    if ((plan.scheduling.cpu_mask & sched_cpus()) == 0) {
        kernel_boot_refused("init.cpus names no CPU of this machine");
    }
    status = spawn_create(&plan, &spawn, &refusal);
    if (status != STATUS_OK) {
        kernel_boot_refused(refusal.image != NULL && status == STATUS_CORRUPT
                                ? refusal.image
                                : status_text(status));
    }
    init_grants(manifest, &service, spawn);
    shutdown.init = spawn->process;
    object_ref(&shutdown.init->object);
    shutdown.init->ended = init_ended;
    spawn_start(spawn);
}

static void manifest_load(const struct boot_info *info)
{
    const uint8_t *bytes = arch_frame_pointer(info->module_start);
    enum manifest_error error = boot_package_open(bytes, info->module_length, &boot_manifest);

    if (error != MANIFEST_OK) {
        char path[96];
        char reason[200];

        (void)manifest_path_text(&boot_manifest.refusal, path, sizeof(path));
        (void)format_text(reason, sizeof(reason), "the manifest is refused at %s: %s", path,
                          manifest_error_text(error));
        kernel_boot_refused(reason);
    }
}

/* What the manifest tells the kernel, for what comes after; returns how many CPUs it may start. Its
 * log size is for the Log object. */
static unsigned parameters_apply(struct manifest *manifest)
{
    struct manifest_kernel parameters;

    manifest_kernel_get(manifest, &parameters);
    log_threshold = (enum kernel_log_level)parameters.log_level;
    sched_quantum_ns = UINT64_C(1000000000) / parameters.timer_hertz;
    shutdown.waits_for_all = !parameters.halt_on_init_exit;
    return parameters.cpus_max == 0 ? LIMIT_CPUS : parameters.cpus_max;
}

static void caches_init(void)
{
    shootdown_init();
    processes_init();
    threads_init();
    endpoints_init();
    park_init();
    spawns_init();
    grants_init();
    thread_spawner_init();
    thread_records_init();
    memory_objects_init();
    memory_spaces_init();
}

/* What the figures ask: memory, kernel at rest (all that is in use but the boot module and the
 * bitmap), bitmap. */
static void memory_report(void)
{
    struct frames_census census;
    uint64_t at_rest;

    frames_census_take(&census);
    at_rest = census.reserved + census.owned - frames_reserved_for_data();
    log_line(LOG_NOTICE, "memory: %llu MiB, kernel at rest %llu KiB, bitmap %llu KiB",
             (unsigned long long)(census.total * FRAME_BYTES / (1024 * 1024)),
             (unsigned long long)(at_rest * FRAME_BYTES / 1024),
             (unsigned long long)(census.bitmap_bytes / 1024));
}

/* Every word of the command line means something or the boot is refused. */
static void command_line_apply(const char *line)
{
    static const char *const keys[] = {"log", "debug", "user_copy_race", "user_copy_race_pass"};
    struct command_line_word word;
    size_t position = 0;
    uint64_t level;

    if (command_line_next_unknown(line, keys, ARRAY_COUNT(keys), &position, &word)) {
        char reason[160];

        (void)format_text(reason, sizeof(reason), "the command line has an unknown word: %.*s",
                          (int)word.key_length, word.key);
        kernel_boot_refused(reason);
    }
    if (command_line_find(line, "log", &word) == STATUS_OK) {
        if (command_line_number(&word, &level) != STATUS_OK || level > LOG_DEBUG) {
            kernel_boot_refused("log= takes a level from 0 (errors) to 3 (debug)");
        }
        log_threshold = (enum kernel_log_level)level;
    }
    user_copy_race_arm(line);
    debug_scene_start(line);
}

void kernel_main(const struct boot_info *info)
{
    cpu_count = 1;
    boot_cpu.online = true;
    log_line(LOG_NOTICE, "capOS, build %s", kernel_build_id);
    frames_init(info);
    arch_memory_finish();
    arch_protection_report();
    caches_init();
    manifest_load(info);
    cpu_count = arch_cpus_start(parameters_apply(&boot_manifest));
    log_line(LOG_NOTICE, "%u CPU%s online", cpu_count, cpu_count == 1 ? "" : "s");
    memory_report();
    command_line_apply(info->command_line);
    shutdown.frames_before = frames_in_use();
    init_start(&boot_manifest);
    irq_probe_reset();
    memory_permit_booted();
    cpu_run(arch_cpu_this());
}

void kernel_secondary_main(struct cpu *cpu)
{
    cpu->online = true;
    cpu_run(cpu);
}

void kernel_interrupt(struct cpu *cpu, enum arch_interrupt kind)
{
    uint64_t reasons = atomic_exchange_u64(&cpu->ipi_reasons, 0);

    irq_probe_begin(IRQ_STRETCH_INTERRUPT);
    if ((reasons & IPI_SHOOTDOWN) != 0) {
        shootdown_acknowledge(cpu);
    }
    memory_debug_interrupt(cpu, reasons);
    if (kind == ARCH_INTERRUPT_TIMER && cpu->current != NULL) {
        dispatch_tick(cpu, cpu->current);
    }
    if (sched_interrupt(cpu, kind)) {
        cpu_run(cpu);
    }
    irq_probe_end();
}
