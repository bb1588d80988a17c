/* SPDX-License-Identifier: MIT */
/*
 * The supervisor of test scenes: as init it starts the manifest's services one after the other and
 * compares how each ends with what the service's arguments say:
 *
 *   expect=exited:N   it must exit with code N (the default is 0)
 *   expect=faulted    it must end by a fault
 *   expect=killed     it must run until it is killed, after everything else has ended
 *   background        the next service starts without waiting for it
 *   times=N           it is started N times, each time to its end
 *
 * Ends with 0 only if everything was as expected.
 */
#include "core/string.h"
#include "user/lib/graph.h"

enum {
    TRIAL_EXIT_UNEXPECTED = 1,
    TRIAL_EXIT_MANIFEST = 2,
    TRIAL_MODULE_BYTES = 1536 * 1024,
    TRIAL_KILL_CODE = 9,
};

/* One service and what is expected of it. */
struct case_record {
    struct capn_text name;
    uint16_t kind; /* enum process_exit_kind */
    int32_t code;
    bool background;
    uint32_t times;
    struct process_handle handle; /* background: while it runs */
};

struct trial {
    struct rt *rt;
    struct graph graph;
    uint32_t total;
    uint32_t met;
    struct case_record cases[MANIFEST_SERVICES_MAX];
};

static uint8_t module[TRIAL_MODULE_BYTES];

/* Whether `text` begins with `prefix`; *rest is what follows. */
static bool text_after(struct capn_text text, const char *prefix, struct capn_text *rest)
{
    size_t length = string_length(prefix, text.length + 1);

    if (length > text.length || memcmp(text.bytes, prefix, length) != 0) {
        return false;
    }
    *rest = (struct capn_text){text.bytes + length, text.length - length};
    return true;
}

static uint32_t text_number(struct capn_text text)
{
    uint32_t number = 0;

    for (size_t i = 0; i < text.length && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++) {
        number = number * 10 + (uint32_t)(text.bytes[i] - '0');
    }
    return number;
}

/* Understands one argument; what is none of ours is for the service itself. */
static void argument_apply(struct case_record *record, struct capn_text argument)
{
    struct capn_text rest;

    if (text_after(argument, "expect=exited:", &rest)) {
        record->code = (int32_t)text_number(rest);
    } else if (text_after(argument, "expect=faulted", &rest)) {
        record->kind = PROCESS_EXIT_KIND_FAULTED;
    } else if (text_after(argument, "expect=killed", &rest)) {
        record->kind = PROCESS_EXIT_KIND_KILLED;
        record->code = TRIAL_KILL_CODE;
        record->background = true;
    } else if (text_after(argument, "background", &rest)) {
        record->background = true;
    } else if (text_after(argument, "times=", &rest)) {
        record->times = text_number(rest);
    }
}

static void case_read(struct trial *trial, uint32_t index, struct case_record *record)
{
    struct manifest *manifest = &trial->graph.manifest;
    struct manifest_service service;

    manifest_service_get(manifest, index, &service);
    *record =
        (struct case_record){.name = service.name, .kind = PROCESS_EXIT_KIND_EXITED, .times = 1};
    for (uint32_t i = 0; i < service.argument_count; i++) {
        argument_apply(record, manifest_argument_get(manifest, &service, i));
    }
}

/* Waits for the end of a case and judges it. */
static bool case_end(struct trial *trial, const struct case_record *record)
{
    struct process_end end;
    int32_t outcome = process_client_wait(trial->rt, record->handle, &end);
    int length = (int)record->name.length;
    char text[64];

    if (outcome != TRANSPORT_OK ||
        rt_release(&trial->rt->ring, record->handle.cap) != TRANSPORT_OK) {
        (void)rt_print(trial->rt, "trial: UNEXPECTED: cannot wait for %.*s: %s\n", length,
                       record->name.bytes, client_outcome_name(outcome));
        return false;
    }
    process_end_text(&end, text, sizeof(text));
    if (end.kind != record->kind ||
        (end.kind != PROCESS_EXIT_KIND_FAULTED && end.code != record->code)) {
        (void)rt_print(trial->rt, "trial: UNEXPECTED: %.*s %s\n", length, record->name.bytes, text);
        return false;
    }
    if (record->times == 1) {
        (void)rt_print(trial->rt, "trial: %.*s %s, as expected\n", length, record->name.bytes,
                       text);
    }
    return true;
}

/* Runs a case to its end, or leaves it running in the background. */
static bool case_run(struct trial *trial, uint32_t index)
{
    struct case_record *record = &trial->cases[index];

    for (uint32_t i = 0; i < record->times; i++) {
        if (!graph_start(&trial->graph, index, &record->handle)) {
            record->background = false;
            return false;
        }
        if (!record->background && !case_end(trial, record)) {
            return false;
        }
    }
    if (record->times != 1) {
        (void)rt_print(trial->rt, "trial: %.*s ended %u times, as expected\n",
                       (int)record->name.length, record->name.bytes, record->times);
    }
    return true;
}

static void case_kill(struct trial *trial, const struct case_record *record)
{
    int32_t outcome = process_client_kill(trial->rt, record->handle, TRIAL_KILL_CODE);

    if (outcome != TRANSPORT_OK) {
        (void)rt_print(trial->rt, "trial: UNEXPECTED: cannot kill %.*s: %s\n",
                       (int)record->name.length, record->name.bytes, client_outcome_name(outcome));
    }
}

static void trial_run(struct trial *trial)
{
    uint32_t count = trial->graph.manifest.service_count;

    trial->total = count - 1;
    for (uint32_t i = 1; i < count; i++) {
        case_read(trial, i, &trial->cases[i]);
        trial->met += case_run(trial, i) && !trial->cases[i].background;
    }
    graph_release_endpoints(&trial->graph);
    /* The youngest first, so that a caller is killed before the server that it waits for. */
    for (uint32_t i = count - 1; i > 0; i--) {
        if (trial->cases[i].background && trial->cases[i].kind == PROCESS_EXIT_KIND_KILLED) {
            case_kill(trial, &trial->cases[i]);
        }
    }
    for (uint32_t i = 1; i < count; i++) {
        if (trial->cases[i].background) {
            trial->met += case_end(trial, &trial->cases[i]);
        }
    }
}

int main(struct rt *rt)
{
    static struct trial trial;

    trial.rt = rt;
    if (!graph_open(&trial.graph, rt, (struct graph_memory){module, sizeof(module)})) {
        return TRIAL_EXIT_MANIFEST;
    }
    trial_run(&trial);
    (void)rt_print(rt, "trial: %u of %u as expected\n", trial.met, trial.total);
    return trial.met == trial.total ? 0 : TRIAL_EXIT_UNEXPECTED;
}
