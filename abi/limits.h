/* SPDX-License-Identifier: MIT */
/*
 * Every fixed limit of the system with the budget it came from. A refusal names the limit by the
 * word after LIMIT_ here. Growing one is a change of one line that the static asserts accept.
 */
#ifndef ABI_LIMITS_H
#define ABI_LIMITS_H

enum {
    LIMIT_PAGE_BYTES = 4096,
    LIMIT_CPUS = 64,       /* one 64-bit mask names any set of CPUs */
    LIMIT_NAME_BYTES = 32, /* names of services, capabilities, binaries */
    LIMIT_SQ_ENTRIES = 64, /* one page of submission entries: default and most */
    LIMIT_SQ_ENTRIES_MIN = 4,
    LIMIT_CQ_ENTRIES = 128, /* one page of completion entries: default and most */
    LIMIT_CQ_ENTRIES_MIN = 8,
    LIMIT_ARENA_BYTES = 64 * 1024,      /* default; the least is a page */
    LIMIT_ARENA_BYTES_MAX = 256 * 1024, /* four messages of the largest size */
    LIMIT_TABLE_SLOTS = 1024,           /* capabilities a process may hold; 64 bytes each */
    LIMIT_DESCRIPTORS = 256,            /* of these: the descriptor window, slots 0 to 255 */
    LIMIT_TRANSFERS = 16,               /* descriptors beside one message */
    LIMIT_MESSAGE_BYTES = 60 * 1024,    /* an endpoint message fits an arena with its header */
    LIMIT_CALL_BYTES = 4352,     /* message to a kernel object: CONSOLE_WRITE_MAX and its frame */
    LIMIT_ANSWER_ROOM = 256,     /* least room for the answer of one: any exception fits */
    LIMIT_ANSWER_BYTES = 33024,  /* answer of one: a boot package chunk of 32768 and its frame */
    LIMIT_CAPSET_ENTRIES = 63,   /* entries of 64 bytes in one page beside its header */
    LIMIT_THREADS = 64,          /* threads of one process */
    LIMIT_PRIORITIES = 32,       /* one 32-bit word names the queues in use */
    LIMIT_DISPATCH_BATCH = 32,   /* submissions drained before the ring's owner yields */
    LIMIT_TOKEN_SLOTS = 32,      /* calls in flight at one endpoint */
    LIMIT_ENDPOINT_QUEUE = 1024, /* calls that wait at one endpoint: 16 threads' operations */
    LIMIT_ENDPOINT_CAPABILITIES = LIMIT_TRANSFERS, /* capabilities beside one message */
    LIMIT_ENDPOINT_SESSIONS = 1024,                /* badges: the longest search for one */
    LIMIT_TRANSFERS_WAITING = 40, /* capabilities beside a thread's waiting calls: one frame */
    LIMIT_ENDPOINT_RECEIVERS =
        64,                 /* receivers that wait at one endpoint: as many as one thread has */
    LIMIT_OPERATIONS = 64,  /* operations of one thread that are not complete */
    LIMIT_UNPARK = 32,      /* waits that one UNPARK ends, of 200 instructions each */
    LIMIT_ANSWERS = 64,     /* answers of one thread that are kept: as many as operations */
    LIMIT_ANSWER_CAPS = 4,  /* capabilities of one answer that can be promised */
    LIMIT_GRANT_DEPTH = 16, /* delegations between an object and an edge: the longest re-walk */
    LIMIT_REGIONS = 256,    /* regions of one address space: each search is that long */
    LIMIT_REGION_PAGES = 1 << 28,  /* pages of one region: 1 TiB */
    LIMIT_OBJECT_PAGES = 1 << 18,  /* pages of a memory object: one root frame names them all */
    LIMIT_MAPPINGS = 128,          /* mappings of one memory object: a revocation looks at each */
    LIMIT_STACK_BYTES = 64 * 1024, /* user stack; its guard page lies below */
    LIMIT_GRANTS = 16,             /* capabilities a spawn passes: LIMIT_TRANSFERS */
};

/* The user half of an address space: the first and the first forbidden address (x86-64 canonical
 * half, its last page left out so that no instruction ends at the boundary: AMD64 manual vol. 2,
 * SYSRET). */
#define LIMIT_USER_MIN UINT64_C(0x0000000000010000)
#define LIMIT_USER_MAX UINT64_C(0x00007ffffffff000)

#endif
