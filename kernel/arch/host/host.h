/* SPDX-License-Identifier: MIT */
/*
 * The kernel as a process: what tests and the simulator see of it. A machine is made, runs to its
 * end, and says how it ended. The kernel's static data serves one machine in the life of a process,
 * so host_machine_run forks and the machine lives in the child.
 */
#ifndef KERNEL_ARCH_HOST_HOST_H
#define KERNEL_ARCH_HOST_HOST_H

#include "abi/start_info.h"
#include "abi/compiler.h"

/* A program: its entry, as an ELF's would be, under the name that its binary carries. */
struct host_program {
    const char *name;
    void (*entry)(const struct start_info *start);
};

/* A manifest whose binaries name programs of the host. */
struct host_system {
    const char *name;
    const uint8_t *bytes;
    const uint8_t *end;
};

/* Every program under services/ and demos/ and every system of systems/ that needs no other, as the
 * build made them (mk/host.mk). */
extern const struct host_program host_programs[];
extern const size_t host_program_count;
extern const struct host_system host_systems[];
extern const size_t host_system_count;

enum host_end {
    HOST_END_SUCCESS, /* arch_power_off(true) */
    HOST_END_FAILURE, /* arch_power_off(false): panic, refusal, init's failure, a leak */
    HOST_END_ASLEEP,  /* every virtual CPU waits and no timer is set */
    HOST_END_STEPS,   /* steps_max was reached */
    HOST_END_CRASH,   /* the process died; its signal is in `signal` */
};

/* Who looks on. Each is called between two instructions of the kernel, on whatever stack runs, and
 * may read everything and change nothing but machine.current->arch of other CPUs (a late
 * interrupt). NULL members are passed over. */
struct host_watch {
    void (*step)(void); /* at every switch point, before the choice */
    bool (*idle)(void); /* every CPU waits for an interrupt; true: one came now */
    void (*ended)(enum host_end end);
};

struct host_options {
    unsigned cpus;         /* 1 to LIMIT_CPUS */
    uint64_t seed;         /* of the schedule, of virtual time and of random words */
    uint64_t memory_bytes; /* whole pages, at least 4 MiB beside the module */
    const uint8_t *module; /* the manifest */
    size_t module_bytes;
    const char *command_line;
    const struct host_program *programs; /* what binaries may name */
    size_t program_count;
    uint64_t steps_max;             /* switch points until the run is given up; 0: a default */
    unsigned switch_percent;        /* chance that a switch point switches; 0: a default */
    uint64_t step_ns_max;           /* virtual time between two switch points at most; 0: 400 */
    const struct host_watch *watch; /* NULL: nobody */
};

struct host_result {
    enum host_end end;
    int signal;
    uint64_t steps;      /* switch points passed */
    uint64_t switches;   /* of those, how many changed the CPU */
    uint64_t virtual_ns; /* time of the machine at its end */
    char *console;       /* all that was written, NUL-terminated; free() it */
    size_t console_bytes;
};

/* Runs a machine in a child process. Aborts only if the host itself refuses (fork, memory). */
void host_machine_run(const struct host_options *options, struct host_result *result);

/* "success", "failure", ...; never NULL. */
const char *host_end_name(enum host_end end);

#endif
