/* SPDX-License-Identifier: MIT */
/* What a thread finds when it begins: StartInfo, CapSet, ring. */
#include "user/rt/rt.h"

#include "core/string.h"
#include "user/lib/console.h"
#include "user/rt/clock.h"

static void console_find(struct rt *rt)
{
    const struct capset_entry *entry = rt_find_interface(rt, CONSOLE_INTERFACE_ID);

    if (entry != NULL) {
        rt->console = entry->cap;
    }
}

bool rt_init(struct rt *rt, const struct start_info *start)
{
    memset(rt, 0, sizeof(*rt));
    if (start->magic != START_INFO_MAGIC || start->version != START_INFO_VERSION ||
        start->size < sizeof(*start)) {
        return false;
    }
    rt->start = start;
    rt->capset = (const struct capset *)(uintptr_t)start->capset;
    if (rt->capset->magic != CAPSET_MAGIC || rt->capset->version != CAPSET_VERSION ||
        rt->capset->count > LIMIT_CAPSET_ENTRIES) {
        return false;
    }
    console_find(rt);
    return rt_ring_init(&rt->ring, (struct ring_header *)(uintptr_t)start->ring,
                        start->clock_hertz);
}

bool rt_name_is(const struct rt *rt, const char *name)
{
    const char *own = rt->start->process_name;

    return string_matches(own, string_length(own, LIMIT_NAME_BYTES), name);
}

const struct capset_entry *rt_find_entry(const struct rt *rt, const char *name)
{
    for (uint16_t i = 0; i < rt->capset->count; i++) {
        const struct capset_entry *entry = &rt->capset->entry[i];

        if (string_matches(entry->name, string_length(entry->name, sizeof(entry->name)), name)) {
            return entry;
        }
    }
    return NULL;
}

const struct capset_entry *rt_find_interface(const struct rt *rt, uint64_t interface_id)
{
    for (uint16_t i = 0; i < rt->capset->count; i++) {
        if (rt->capset->entry[i].interface_id == interface_id) {
            return &rt->capset->entry[i];
        }
    }
    return NULL;
}

int32_t rt_find(const struct rt *rt, const char *name, uint64_t interface_id, struct cap_id *cap)
{
    const struct capset_entry *entry = rt_find_entry(rt, name);

    if (entry == NULL) {
        return TRANSPORT_BAD_CAP;
    }
    if (interface_id != 0 && entry->interface_id != interface_id) {
        return TRANSPORT_WRONG_INTERFACE;
    }
    *cap = entry->cap;
    return TRANSPORT_OK;
}

void rt_exit(int code)
{
    for (;;) {
        (void)rt_syscall_exit((uint64_t)(int64_t)code, EXIT_PROCESS);
    }
}

void rt_thread_exit(int code)
{
    for (;;) {
        (void)rt_syscall_exit((uint64_t)(int64_t)code, EXIT_THREAD);
    }
}

void rt_sleep(struct rt *rt, uint64_t ns)
{
    uint64_t deadline = clock_deadline(rt->ring.clock_hertz, ns);
    uint64_t left_ns = ns;
    int32_t status = TRANSPORT_OK;

    /* A full queue is more than ever comes, so that time alone ends the wait. */
    while (left_ns > 0 && (status == TRANSPORT_OK || status == TRANSPORT_INTERRUPTED)) {
        status = rt_ring_enter(&rt->ring, rt->ring.cq_mask + 1, left_ns);
        left_ns = clock_left_ns(rt->ring.clock_hertz, deadline);
    }
}

const char *rt_status_name(int32_t status)
{
    switch (status) {
    case TRANSPORT_OK:
        return "OK";
#define TRANSPORT_ERROR(name, value, text)                                                         \
    case TRANSPORT_##name:                                                                         \
        return #name;
#include "abi/errors.def"
#undef TRANSPORT_ERROR
    default:
        return status > 0 ? "a length" : "an unknown status";
    }
}
