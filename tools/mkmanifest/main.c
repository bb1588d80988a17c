/* SPDX-License-Identifier: MIT */
/*
 * mkmanifest: reads a system's description in JSON, checks all of it, and writes the boot manifest
 * with the programs embedded. On a refusal nothing is written and the status is 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/mkmanifest/model.h"
#include "tools/mkmanifest/view.h"

enum { JSON_BYTES_MAX = 16 * 1024 * 1024 };

struct options {
    const char *input;
    const char *output;   /* NULL: check only */
    const char *binaries; /* folder */
    const char *explain;  /* service; NULL: none */
    const char *graph;    /* file; NULL: none */
};

static void usage(FILE *to)
{
    fputs("usage: mkmanifest [--output FILE] [--binaries FOLDER] [--explain SERVICE]\n"
          "                  [--graph FILE] SYSTEM.json\n"
          "  --output FILE      where the manifest goes; without it the system is only checked\n"
          "  --binaries FOLDER  where programs are looked for (default: the current folder)\n"
          "  --explain SERVICE  says what the service may do and through whom\n"
          "  --graph FILE       draws who holds what: SVG if FILE ends in .svg, else DOT\n",
          to);
}

static bool options_read(int count, char **arguments, struct options *options)
{
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},  {"binaries", required_argument, NULL, 'b'},
        {"explain", required_argument, NULL, 'e'}, {"graph", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int option;

    *options = (struct options){.binaries = "."};
    while ((option = getopt_long(count, arguments, "o:b:e:g:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'o':
            options->output = optarg;
            break;
        case 'b':
            options->binaries = optarg;
            break;
        case 'e':
            options->explain = optarg;
            break;
        case 'g':
            options->graph = optarg;
            break;
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            return false;
        }
    }
    if (optind != count - 1) {
        return false;
    }
    options->input = arguments[optind];
    return true;
}

static bool input_read(struct model *model, const char *path, char **text, size_t *length)
{
    FILE *file = fopen(path, "rb");

    *text = pool_alloc(&model->pool, JSON_BYTES_MAX + 1, 1);
    *length = file == NULL ? 0 : fread(*text, 1, JSON_BYTES_MAX + 1, file);
    if (file == NULL || ferror(file)) {
        if (file != NULL) {
            fclose(file);
        }
        return report_refuse(&model->report,
                             (struct refusal_text){"$", "the file can be read", strerror(errno),
                                                   "a file with the system's JSON"});
    }
    fclose(file);
    if (*length > JSON_BYTES_MAX) {
        return report_refuse(
            &model->report, (struct refusal_text){"$", "a system's JSON has at most 16 MiB", "more",
                                                  "binaries are named, not put into the JSON"});
    }
    return true;
}

static bool write_all(int file, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(file, bytes, length);

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

/* A file that is complete, beside the place where it belongs. */
struct staged {
    const char *path;
    const char *temporary; /* NULL: there is none */
};

static bool output_refuse(struct model *model, const char *path, int error)
{
    return report_refuse(
        &model->report,
        (struct refusal_text){"$", "the output can be written",
                              pool_format(&model->pool, "%s: %s", path, strerror(error)),
                              "a place in a folder that exists and may be written"});
}

static void output_drop(struct staged *staged)
{
    if (staged->temporary != NULL) {
        unlink(staged->temporary);
        staged->temporary = NULL;
    }
}

/* Everything that can fail comes before the first name is changed. */
static bool output_stage(struct model *model, struct staged *staged, const uint8_t *bytes,
                         size_t length)
{
    const char *temporary = pool_format(&model->pool, "%s.new-%ld", staged->path, (long)getpid());
    struct stat facts;
    bool good;
    int file;

    if (stat(staged->path, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        return output_refuse(model, staged->path, EISDIR);
    }
    file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) {
        return output_refuse(model, staged->path, errno);
    }
    staged->temporary = temporary;
    good = write_all(file, bytes, length);
    good = close(file) == 0 && good;
    return good || output_refuse(model, staged->path, errno);
}

/* Whoever looks sees the old file or the new. */
static bool output_commit(struct model *model, struct staged *staged)
{
    if (staged->temporary == NULL) {
        return true;
    }
    if (rename(staged->temporary, staged->path) != 0) {
        return output_refuse(model, staged->path, errno);
    }
    staged->temporary = NULL;
    return true;
}

static bool explain(struct model *model, struct manifest *manifest, const char *name)
{
    uint32_t index = manifest_service_find(manifest, (struct capn_text){name, strlen(name)});

    if (index == MANIFEST_NO_INDEX) {
        return report_refuse(
            &model->report,
            (struct refusal_text){"$.services", "--explain names a service of the system",
                                  pool_format(&model->pool, "\"%s\"", name),
                                  suggest_name(&model->pool, name, model_service_names(model))});
    }
    explain_write(stdout, &model->pool, manifest, index);
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);

    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static bool graph_stage(struct model *model, struct manifest *manifest, struct staged *staged)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    const char *problem = "no memory";
    bool good;

    if (memory != NULL) {
        graph_write(memory, &model->pool, manifest);
        fclose(memory);
    }
    if (text != NULL && ends_with(staged->path, ".svg")) {
        char *svg = graph_svg(text, length, &length, &problem);

        free(text);
        text = svg;
    }
    if (text == NULL) {
        return report_refuse(&model->report, (struct refusal_text){"$", "the graph can be drawn",
                                                                   problem, "a file named *.dot"});
    }
    good = output_stage(model, staged, (const uint8_t *)text, length);
    free(text);
    return good;
}

/* Everything is checked before anything is written; the manifest is written last. */
static bool run(struct model *model, const struct options *options)
{
    struct staged graph = {.path = options->graph};
    struct staged message = {.path = options->output};
    struct manifest manifest;
    const uint8_t *bytes;
    size_t length;
    char *text;
    bool good;

    if (!input_read(model, options->input, &text, &length) ||
        !model_read_json(model, text, length) || !model_order(model) ||
        !model_load_binaries(model, options->binaries)) {
        return false;
    }
    model_encode(model, &bytes, &length);
    good = model_judge(model, &manifest, bytes, length) &&
           (options->explain == NULL || explain(model, &manifest, options->explain)) &&
           (options->graph == NULL || graph_stage(model, &manifest, &graph)) &&
           (options->output == NULL || output_stage(model, &message, bytes, length)) &&
           output_commit(model, &graph) && output_commit(model, &message);
    output_drop(&graph);
    output_drop(&message);
    return good;
}

int main(int count, char **arguments)
{
    struct options options;
    struct model model;
    bool good;

    if (!options_read(count, arguments, &options)) {
        usage(stderr);
        return 2;
    }
    model_init(&model, options.input);
    good = run(&model, &options);
    if (!good) {
        fprintf(stderr, "mkmanifest: %snothing was written\n", model.report.text);
    }
    model_free(&model);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
