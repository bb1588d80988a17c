/* SPDX-License-Identifier: MIT */
/* What happened, event by event, and how it is told. */
#include <inttypes.h>
#include <stdio.h>

#include "kernel/arch/host/machine.h"
#include "sim/hunt/acts.h"

void hunt_note(enum hunt_event_kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct hunt_event *event = &hunt_report->story[hunt_report->story_count++ % HUNT_STORY];
    const struct cpu *cpu = machine.current;

    *event = (struct hunt_event){
        .step = machine.steps, .cpu = cpu->index, .kind = kind, .a = a, .b = b, .c = c, .d = d};
}

const char *hunt_opcode_name(unsigned opcode)
{
    static const char *const names[] = {
        [OPCODE_NOP] = "NOP",
        [OPCODE_CALL] = "CALL",
        [OPCODE_RECV] = "RECV",
        [OPCODE_RETURN] = "RETURN",
        [OPCODE_RETURN_RECV] = "RETURN_RECV",
        [OPCODE_RELEASE] = "RELEASE",
        [OPCODE_DUP] = "DUP",
        [OPCODE_TRANSFER] = "TRANSFER",
        [OPCODE_DELEGATE] = "DELEGATE",
        [OPCODE_REVOKE] = "REVOKE",
        [OPCODE_TOKEN] = "TOKEN",
        [OPCODE_FINISH] = "FINISH",
        [OPCODE_CANCEL] = "CANCEL",
        [OPCODE_WATCH] = "WATCH",
        [OPCODE_PARK] = "PARK",
        [OPCODE_UNPARK] = "UNPARK",
        [OPCODE_FORWARD] = "FORWARD",
    };

    return opcode < ARRAY_COUNT(names) ? names[opcode] : "no opcode";
}

static const char *result_name(int64_t result)
{
    switch (result) {
#define TRANSPORT_ERROR(name, value, text)                                                         \
    case value:                                                                                    \
        return #name;
#include "abi/errors.def"
#undef TRANSPORT_ERROR
    default:
        return "OK";
    }
}

static void thread_print(uint64_t name)
{
    printf("p%" PRIu64 ".%" PRIu64, name >> 16, name & 0xffff);
}

static void id_print(uint64_t id)
{
    printf("%" PRIu64 ":%" PRIx64, id & CAP_SLOT_MAX, id >> CAP_SLOT_BITS);
}

static void event_print(const struct hunt_event *event)
{
    printf("  %8" PRIu64 " cpu%u  ", event->step, event->cpu);
    switch (event->kind) {
    case HUNT_EVENT_ACT:
        thread_print(event->d);
        printf("            act %" PRIu64 ": %s\n", event->b, acts[event->a].name);
        break;
    case HUNT_EVENT_SUBMIT:
    case HUNT_EVENT_TAKE:
        printf("            %s #%" PRIu64 " %s cap ",
               event->kind == HUNT_EVENT_SUBMIT ? "writes" : "kernel takes", event->a,
               hunt_opcode_name((unsigned)event->b));
        id_print(event->c);
        printf(" word %" PRIx64 "\n", event->d);
        break;
    case HUNT_EVENT_COMPLETE:
        printf("            #%" PRIu64 " completes to ", event->a);
        thread_print(event->d);
        printf(": %" PRId64 " %s\n", (int64_t)event->b, result_name((int64_t)event->b));
        break;
    case HUNT_EVENT_EDGE:
        printf("            table of p%" PRIu64 ": %s ", event->a >> 1,
               (event->a & 1) != 0 ? "+" : "-");
        id_print(event->b);
        printf(" object %" PRIu64 " interface %" PRIx64 "\n", event->c, event->d);
        break;
    case HUNT_EVENT_FAULT:
        printf("            fault: after %" PRIu64 " allocations %" PRIu64 " fail\n", event->b,
               event->c);
        break;
    case HUNT_EVENT_PROCESS:
        printf("            process %" PRIu64 " is in life %" PRIu64 "\n", event->a, event->b);
        break;
    case HUNT_EVENT_ENTER:
        thread_print(event->d);
        printf("            cap_enter(%" PRIu64 ", %" PRIu64 ")\n", event->a, event->b);
        break;
    case HUNT_EVENT_RETIRE:
        thread_print(event->a);
        printf("            thread ends\n");
        break;
    }
}

void hunt_story_print(void)
{
    uint32_t count = hunt_report->story_count;
    uint32_t first = count > HUNT_STORY ? count - HUNT_STORY : 0;

    if (first > 0) {
        printf("  (%u events before)\n", first);
    }
    for (uint32_t i = first; i < count; i++) {
        event_print(&hunt_report->story[i % HUNT_STORY]);
    }
}
