/* SPDX-License-Identifier: MIT */
/* Making a process: a plan, then a job that carries it out. */
#ifndef KERNEL_OBJECT_SPAWN_H
#define KERNEL_OBJECT_SPAWN_H

#include "core/elf.h"
#include "kernel/sched/process.h"

#define SPAWN_SLOT_ANY UINT32_MAX

struct spawn_grant {
    char name[LIMIT_NAME_BYTES + 1];
    struct hold_edge edge; /* the child's edge, with its references; object NULL: it has it, or it
                              was buried; the child's process lock */
    struct cap_id source;  /* in the caller's table */
    uint32_t exact_slot;   /* of the child's window; SPAWN_SLOT_ANY: above it */
};

enum spawn_phase {
    SPAWN_SPACE,
    SPAWN_SEGMENTS,
    SPAWN_DESCRIPTORS,
    SPAWN_CAPSET,
    SPAWN_THREAD,
    SPAWN_BUILD,
    SPAWN_COMMIT,
};

struct spawn {
    struct job job;
    struct operation *operation; /* of the caller; NULL: none, or it is gone */
    struct process *caller;      /* in whose table a slot for the handle is reserved; referenced */
    struct process *process;     /* its first reference is the spawn's */
    struct process *parent;      /* who donates; while its call is under way */
    struct scheduling scheduling;
    struct thread *thread;
    enum spawn_phase phase;
    struct elf_image image;
    const uint8_t *bytes;  /* of the ELF file; NULL: it is an object */
    struct hold_edge file; /* of that object, with references; object NULL: it is none, or buried;
                              the child's process lock */
    uint32_t segment;      /* being mapped, and the next page of it */
    uint64_t page;
    enum ledger_line_name short_of; /* what a STATUS_LIMIT of the phase was about */
    struct capn_refuse_reason failure;
    bool buried; /* a revocation took one of these, so the child shall not be; its process lock */
    unsigned grant_count;
    struct spawn_grant grant[LIMIT_GRANTS];
    bool inherits;                    /* the caller's descriptors */
    uint32_t descriptor;              /* of them, the next slot to look at */
    struct use under_way;             /* spawns_lock */
    struct grant_node *through;       /* of the spawner's edge that was used; holds a reference */
    uint64_t epoch;                   /* at which that was found alive */
    paddr_t argument_frame;           /* the argument message, ready to be copied; 0: none */
    struct account *argument_account; /* pays for it: the child's */
    uint64_t argument_bytes;
};

void spawns_init(void);

struct spawn_plan {
    const char *name; /* name_bytes at most LIMIT_NAME_BYTES, checked by the caller */
    size_t name_bytes;
    uint32_t binary;              /* of the boot package, or */
    const struct hold_edge *file; /* of a memory object; taken over with STATUS_OK; NULL: none */
    struct scheduling scheduling; /* of the first thread */
    uint32_t restart_count;
    struct process *parent; /* whose account donates; NULL: the machine's */
    struct ledger_amounts amounts;
};

/* Why a plan was refused: with STATUS_CORRUPT and STATUS_LIMIT. */
struct spawn_refusal {
    const char *image;            /* in words */
    struct ledger_refusal ledger; /* of the parent's account */
};

/* A plan for the binary or the file of `plan`, with a process whose account has its amounts.
 * STATUS_NOT_FOUND, STATUS_CORRUPT, STATUS_LIMIT, STATUS_NO_MEMORY, STATUS_DEAD. */
enum status spawn_create(const struct spawn_plan *plan, struct spawn **spawn,
                         struct spawn_refusal *refusal) MUST_USE;

/* object_type.revoke of the spawner: ends spawns under way that were asked for through a revoked
 * edge. */
bool spawns_revoke(struct object *object, struct revoke_step *step);

/*
 * For a revocation: takes the next edge below `above` out of the plan of the spawn that builds
 * `process`, if one does; it is the caller's to drop. The spawn ends with STATUS_REVOKED when it
 * would have needed it. False: there is none such. No lock is held.
 */
bool spawn_bury_next(struct process *process, const struct grant_node *above,
                     struct hold_edge *edge) MUST_USE;

/* Gives up a plan that was not started, with the edges it has. */
void spawn_discard(struct spawn *spawn);

/* Starts the job on this CPU, at the caller's priority: it is the caller who waits for it. */
void spawn_start(struct spawn *spawn);

#endif
