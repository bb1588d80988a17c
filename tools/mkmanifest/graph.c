/* SPDX-License-Identifier: MIT */
/*
 * --graph: the authority graph. An arrow goes from who holds a capability to whom a call on it
 * reaches: a kernel object (box) or a service (ellipse). It carries the capability's name and
 * facet. Names are of [a-z0-9_-], so that nothing in them needs quoting beyond the quotes that are
 * there.
 */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/mkmanifest/view.h"

extern char **environ;

static int length(struct capn_text text)
{
    return (int)text.length;
}

static void facet_write(FILE *to, uint64_t interface_number, uint64_t facet)
{
    struct interface interface;
    const char *separator = "";

    if (facet == MANIFEST_FACET_ALL) {
        fputs("all", to);
        return;
    }
    if (!interface_by_id(interface_number, &interface)) {
        fprintf(to, "0x%" PRIx64, facet);
        return;
    }
    for (uint32_t i = 0; i < interface_method_count(interface); i++) {
        if ((facet >> i & 1) != 0) {
            fprintf(to, "%s%s", separator, interface_method_name(interface, i));
            separator = ", ";
        }
    }
}

static void grant_write(FILE *to, const struct manifest_service *service,
                        const struct manifest_grant *grant)
{
    fprintf(to, "  \"%.*s\" -> \"%s%.*s\" [label=\"%.*s: ", length(service->name),
            service->name.bytes, grant->from_kernel ? "kernel:" : "", length(grant->source_name),
            grant->source_name.bytes, length(grant->name), grant->name.bytes);
    facet_write(to, grant->interface_id, grant->facet);
    if (grant->badge != 0) {
        fprintf(to, "\\nbadge %" PRIu64, grant->badge);
    }
    if (grant->transfer != AUTHORITY_TRANSFER_MODE_NONE) {
        fprintf(to, "\\n%s", transfer_word(grant->transfer));
    }
    fputs("\"];\n", to);
}

/* Kernel objects that somebody holds, once each. */
static void objects_write(FILE *to, struct manifest *manifest)
{
    struct manifest_service init;

    manifest_service_get(manifest, MANIFEST_INIT_INDEX, &init);
    for (unsigned source = 0; source < MANIFEST_SOURCE_COUNT; source++) {
        enum manifest_source each = (enum manifest_source)source;

        if (manifest_grant_of_source(manifest, &init, each) != MANIFEST_NO_INDEX) {
            fprintf(to, "  \"kernel:%s\" [shape=box, label=\"%s\"];\n", manifest_source_name(each),
                    manifest_source_name(each));
        }
    }
}

void graph_write(FILE *to, struct pool *pool, struct manifest *manifest)
{
    struct capn_text name = manifest_system_name(manifest);

    (void)pool;
    fprintf(to, "digraph \"%.*s\" {\n  rankdir=LR;\n  node [shape=ellipse];\n", length(name),
            name.bytes);
    objects_write(to, manifest);
    for (uint32_t i = 0; i < manifest->service_count; i++) {
        struct manifest_service service;

        manifest_service_get(manifest, i, &service);
        fprintf(to, "  \"%.*s\";\n", length(service.name), service.name.bytes);
        for (uint32_t j = 0; j < service.grant_count; j++) {
            struct manifest_grant grant;

            manifest_grant_get(manifest, &service, j, &grant);
            grant_write(to, &service, &grant);
        }
    }
    fputs("}\n", to);
}

/* ---- SVG ------------------------------------------------------------------------------------- */

/* Reads `file` from its start to its end. */
static char *file_text(FILE *file, size_t *bytes)
{
    long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    char *text = end < 0 ? NULL : malloc((size_t)end + 1);

    rewind(file);
    if (text != NULL && fread(text, 1, (size_t)end, file) != (size_t)end) {
        free(text);
        return NULL;
    }
    if (text != NULL) {
        *bytes = (size_t)end;
        text[*bytes] = '\0';
    }
    return text;
}

/* Runs `dot -Tsvg` from one open file to the other; 0, or errno's or the program's own status. */
static int dot_run(FILE *input, FILE *output)
{
    char *const arguments[] = {(char[]){"dot"}, (char[]){"-Tsvg"}, NULL};
    posix_spawn_file_actions_t actions;
    int status = 0;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(input), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(output), STDOUT_FILENO);
    status = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) {
        return status;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EIO;
}

char *graph_svg(const char *dot, size_t dot_bytes, size_t *svg_bytes, const char **problem)
{
    FILE *input = tmpfile();
    FILE *output = tmpfile();
    char *svg = NULL;
    int status = EIO;

    if (input != NULL && output != NULL && fwrite(dot, 1, dot_bytes, input) == dot_bytes &&
        fflush(input) == 0 && fseek(input, 0, SEEK_SET) == 0) {
        status = dot_run(input, output);
    }
    if (status == 0) {
        svg = file_text(output, svg_bytes);
    }
    *problem = status == ENOENT ? "there is no program `dot`; install graphviz" : "dot failed";
    if (input != NULL) {
        fclose(input);
    }
    if (output != NULL) {
        fclose(output);
    }
    return svg;
}
