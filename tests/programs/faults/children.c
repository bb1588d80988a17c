/* SPDX-License-Identifier: MIT */
/* Children that fault, how they are made and how they end. */
#include "tests/programs/faults/faults.h"

int32_t child_spawn(struct check *check, const char *name, const struct making *making,
                    struct process_handle *handle)
{
    struct process_spawner spawner = {check_held(check, "process-spawner")};
    struct process_request request = {.name = giving_text(name),
                                      .boot_binary = FAULTS_BINARY,
                                      .grants = making->grants,
                                      .grant_count = making->count,
                                      .quotas = check_quotas(),
                                      .scheduling = {.cpu_mask = UINT64_MAX},
                                      .fault_endpoint = making->told};

    request.quotas.frames *= making->threads;
    request.quotas.ring_bytes *= making->threads;
    request.quotas.outstanding_calls *= making->threads;
    request.quotas.threads = making->threads;
    request.quotas.slots *= 2;
    return process_client_spawn(check->rt, spawner, &request, handle);
}

struct process_handle simple_spawn(struct check *check, const char *name, struct cap_id told)
{
    struct process_grant console = giving_held(check, "console");
    struct process_handle handle = {.cap = {.raw = 0}};

    CHECK_EQUAL(check, child_spawn(check, name, &(struct making){&console, 1, 1, told}, &handle),
                TRANSPORT_OK);
    return handle;
}

struct process_end child_end(struct check *check, struct process_handle handle)
{
    struct process_end end = {.kind = PROCESS_EXIT_KIND_RUNNING};

    CHECK_EQUAL(check, process_client_wait(check->rt, handle, &end), TRANSPORT_OK);
    giving_release(check, handle.cap);
    return end;
}

void child_faulted(struct check *check, struct process_handle handle)
{
    struct process_end end = child_end(check, handle);

    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_FAULTED);
    CHECK_EQUAL(check, end.fault_address, UNMAPPED);
}

static NOINLINE void touch(uint64_t address)
{
    (void)*(const volatile uint8_t *)(uintptr_t)address;
}

NORETURN void reads(void)
{
    for (;;) {
        touch(UNMAPPED);
    }
}

int breaks(void)
{
    __asm__ volatile("int3");
    return BROKEN_CODE;
}

/* Perhaps behind what its parent does meanwhile. */
NORETURN void later(struct rt *rt)
{
    rt_sleep(rt, 3 * 1000 * 1000);
    reads();
}

NORETURN void divides(void)
{
    for (;;) {
        __asm__ volatile("xorl %%ecx, %%ecx\n\t"
                         "movl $1, %%eax\n\t"
                         "xorl %%edx, %%edx\n\t"
                         "divl %%ecx"
                         :
                         :
                         : "eax", "ecx", "edx");
    }
}

NORETURN void undefined(void)
{
    for (;;) {
        __asm__ volatile("ud2");
    }
}
