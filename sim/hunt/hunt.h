/* SPDX-License-Identifier: MIT */
/*
 * The hunt: a system of generated programs on the host kernel, watched at every step. hunt.c has
 * the theory. A run lives in a child process; what its parent needs to know lies in memory that
 * both share (struct hunt_report).
 */
#ifndef SIM_HUNT_HUNT_H
#define SIM_HUNT_HUNT_H

#include "abi/start_info.h"
#include "kernel/arch/host/host.h"
#include "sim/model.h"

enum {
    HUNT_ACTS = 8192,   /* acts of one run at most */
    HUNT_STORY = 16384, /* events kept of one run */
    HUNT_LIVES = 64,    /* processes of one run */
    HUNT_TEXT = 512,
    HUNT_WINDOW = 4, /* locks given back one after another, of which an interleaving is made, */
    HUNT_WINDOW_BITS = 28, /* each in seven bits: its rank and the CPU */
    HUNT_TWIN_NAMES = MODEL_SUBMISSIONS / 2,
    HUNT_TWIN_STATES = 1024,
};

/* The kernel's short ways: taken, or every submission goes the long way. */
enum hunt_way {
    HUNT_WAY_SEED, /* taken in 7 seeds of 8 */
    HUNT_WAY_SHORT,
    HUNT_WAY_LONG,
};

/* What went by which short way. */
enum hunt_short {
    HUNT_SHORT_QUICK,  /* quick_drain */
    HUNT_SHORT_SWITCH, /* quick_submission, with a switch */
    HUNT_SHORT_DONE,   /* the same, the last before a wait, without a switch */
    HUNT_SHORT_QUEUE,  /* the same, any other */
    HUNT_SHORT_LONE,   /* lone_enter, with nothing else */
    HUNT_SHORT_SENT,   /* promised_begin: a call sent on by the answer that it waited for, */
    HUNT_SHORT_RELAY,  /* relay_begin: which was for it alone */
    HUNT_SHORT_COUNT,
};

struct hunt_options {
    uint64_t seed;
    uint64_t schedule; /* seed of the interleaving; 0: made of `seed` */
    uint32_t steps;    /* acts */
    unsigned cpus;     /* 0: the seed chooses */
    unsigned switch_percent;
    enum hunt_way way;
    bool twin;           /* the programs of twin.h */
    bool keep;           /* only the acts of hunt_report->keep */
    uint32_t look_steps; /* at most between two looks at everything; 0: the seed chooses */
    bool look_rarely;    /* not after each operation */
    bool quiet_checks;   /* leave the checks out, to measure what they cost */
};

/* An act by the name that a smaller run gives it too: whose, and the how manieth. */
struct hunt_act {
    uint64_t lineage;
    uint32_t index;
};

enum hunt_event_kind {
    HUNT_EVENT_ACT,      /* a: act table index, b: its index */
    HUNT_EVENT_SUBMIT,   /* a: submission, b: opcode, c: cap, d: second word */
    HUNT_EVENT_TAKE,     /* the same, by the kernel */
    HUNT_EVENT_COMPLETE, /* a: submission, b: result */
    HUNT_EVENT_EDGE,     /* a: +1 or -1, b: id, c: object, d: interface */
    HUNT_EVENT_FAULT,    /* a: enum hunt_fault, b: how much */
    HUNT_EVENT_PROCESS,  /* a: pid, b: life */
    HUNT_EVENT_ENTER,    /* a: min_complete, b: timeout_ns */
    HUNT_EVENT_RETIRE,   /* a thread ends */
};

struct hunt_event {
    uint64_t step;
    uint32_t cpu;
    enum hunt_event_kind kind;
    uint64_t pid;
    uint64_t thread;
    uint64_t a, b, c, d;
};

enum hunt_fault {
    HUNT_FAULT_MEMORY,  /* the nth allocation and some after it fail */
    HUNT_FAULT_IPI,     /* an interrupt comes late */
    HUNT_FAULT_RING,    /* a program stores an impossible index */
    HUNT_FAULT_KILL,    /* a process is killed, whatever its threads are doing */
    HUNT_FAULT_PROGRAM, /* a program faults, and its handler is told */
    HUNT_FAULT_COUNT,
};

/* What a twin tells (twin.h), by the name of the submission. */
struct hunt_twin {
    struct hunt_twin_completion {
        struct cqe cqe;
        uint64_t hash; /* of the block for its result */
        uint64_t done; /* how often */
    } completion[HUNT_TWIN_NAMES];
    struct hunt_twin_state {
        uint64_t name;
        uint64_t value;
    } state[HUNT_TWIN_STATES];
    uint32_t state_count;
};

/* Shared by the parent and the run. */
struct hunt_report {
    enum host_end end;
    int signal;
    bool disagreed;
    char text[HUNT_TEXT];
    uint64_t operations; /* submissions that the kernel took */
    uint64_t checks;     /* structures compared or checked */
    uint64_t looks;      /* at everything, */
    uint64_t laws;       /* of these: in which the ledgers' law was asked */
    uint64_t steps;
    uint64_t switches;
    uint64_t virtual_ns;
    uint64_t processes;
    uint64_t faults;
    uint32_t act_count;
    struct hunt_act act[HUNT_ACTS]; /* in the order done */
    uint32_t story_count;           /* ever; the last HUNT_STORY are kept */
    struct hunt_event story[HUNT_STORY];
    uint32_t keep_count;
    struct hunt_act keep[HUNT_ACTS]; /* in: the acts to do */
    /* Kept over runs: */
    uint64_t result_count[OPCODE_COUNT + 1][32];   /* by opcode and -result */
    uint64_t window[(1 << HUNT_WINDOW_BITS) / 64]; /* interleavings met, a bit each */
    uint64_t windows;                              /* how many */
    uint64_t short_count[HUNT_SHORT_COUNT];
    uint64_t pairs;                         /* of an UNPARK and a PARK that went by the short way */
    uint64_t fault_count[HUNT_FAULT_COUNT]; /* that took place */
    struct hunt_twin twin;                  /* of the last run that was one */
};

extern struct hunt_report *hunt_report;
extern struct hunt_options hunt_options;

/* ---- run.c ---- */

/* Runs a machine in a child; the report has how it went. */
void hunt_run(const struct hunt_options *options);
bool hunt_failed(void);
unsigned hunt_cpus(const struct hunt_options *options);

/* ---- story.c ---- */

void hunt_note(enum hunt_event_kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
void hunt_story_print(void);
const char *hunt_opcode_name(unsigned opcode);

/* ---- shrink.c ---- */

/* Finds fewer acts that fail still; leaves them in hunt_report->keep. */
void hunt_shrink(struct hunt_options *options, unsigned runs_max);

/* ---- observe.c ---- */

extern const struct host_watch hunt_watch;
/* Whether the CPU is dispatching a submission. */
bool observe_dispatches(unsigned cpu);
/* The current thread leaves this CPU; from the short way, if that is where it is. */
void observe_leaves(void);

/* ---- twin_tell.c ---- */

/* Whether each thread of the twins' server waits in cap_enter: for its next call. */
MUST_USE bool hunt_server_rests(void);
/* A twin tells what every process holds and every thread has reserved. */
void hunt_state_tell(void);

/* ---- look.c ---- */

uint64_t hunt_thread_name(uint64_t pid, uint64_t thread);

/* ---- faults.c ---- */

void hunt_faults_reset(uint64_t seed);
uint64_t hunt_random(void); /* of what is no part of a program: faults */
void hunt_arm_memory(uint32_t after, uint32_t count);
void hunt_fault(enum hunt_fault fault); /* one took place */

/* ---- actor.c ---- */

/* A name that no submission has or will have; 0: there are no more. */
uint64_t actor_name_take(void);
/* The program of every process. */
void hunt_actor(const struct start_info *start);

#endif
