/* SPDX-License-Identifier: MIT */
/* A machine in a child process, and what the parent learns of it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/arch/host/machine.h"

/* What the child writes into the result pipe. */
struct verdict {
    enum host_end end;
    uint64_t steps;
    uint64_t switches;
    uint64_t virtual_ns;
};

static NORETURN void child(const struct host_options *options, int console, int answer)
{
    struct verdict verdict = {.end = host_boot(options, console)};

    verdict.steps = machine.steps;
    verdict.switches = machine.switches;
    verdict.virtual_ns = machine.now_ns;
    if (write(answer, &verdict, sizeof(verdict)) != (ssize_t)sizeof(verdict)) {
        host_fatal("the verdict cannot be given");
    }
    _exit(0);
}

/* Reads to the end; the result is NUL-terminated. */
static char *read_all(int file, size_t *length)
{
    size_t room = 4096;
    char *text = malloc(room);

    *length = 0;
    for (;;) {
        ssize_t count;

        if (text == NULL) {
            host_fatal("no memory for a transcript");
        }
        count = read(file, text + *length, room - *length - 1);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            break;
        }
        *length += (size_t)count;
        if (room - *length < 2) {
            room *= 2;
            text = realloc(text, room);
        }
    }
    text[*length] = '\0';
    return text;
}

static void verdict_read(int file, pid_t pid, struct host_result *result)
{
    struct verdict verdict = {.end = HOST_END_CRASH};
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (read(file, &verdict, sizeof(verdict)) != (ssize_t)sizeof(verdict)) {
        verdict.end = HOST_END_CRASH;
    }
    result->end = verdict.end;
    result->steps = verdict.steps;
    result->switches = verdict.switches;
    result->virtual_ns = verdict.virtual_ns;
    result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void host_machine_run(const struct host_options *options, struct host_result *result)
{
    int console[2];
    int answer[2];
    pid_t pid;

    if (pipe(console) != 0 || pipe(answer) != 0) {
        host_fatal("no pipes");
    }
    pid = fork();
    if (pid < 0) {
        host_fatal("no child process");
    }
    if (pid == 0) {
        close(console[0]);
        close(answer[0]);
        child(options, console[1], answer[1]);
    }
    close(console[1]);
    close(answer[1]);
    *result = (struct host_result){.end = HOST_END_CRASH};
    result->console = read_all(console[0], &result->console_bytes);
    verdict_read(answer[0], pid, result);
    close(console[0]);
    close(answer[0]);
}

const char *host_end_name(enum host_end end)
{
    switch (end) {
    case HOST_END_SUCCESS:
        return "success";
    case HOST_END_FAILURE:
        return "failure";
    case HOST_END_ASLEEP:
        return "asleep for ever";
    case HOST_END_STEPS:
        return "out of steps";
    case HOST_END_CRASH:
        break;
    }
    return "crash";
}
