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
        return report_refuse(&model->report, (struct refusal_text){"$", "the file can be read",
                                                                   strerror(errno), NULL});
    }
    fclose(file);
    if (*length > JSON_BYTES_MAX) {
        return report_refuse(
            &model->report,
            (struct refusal_text){"$", "a system's JSON has at most 16 MiB", "more", NULL});
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

/* Beside the output first, then renamed over it: whoever looks sees the old file or the new. */
static bool output_write(struct model *model, const char *path, const uint8_t *bytes, size_t length)
{
    char *temporary = pool_format(&model->pool, "%s.new-%ld", path, (long)getpid());
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool good = file >= 0 && write_all(file, bytes, length);

    if (file >= 0) {
        good = close(file) == 0 && good;
        good = good && rename(temporary, path) == 0;
    }
    if (!good) {
        report_refuse(&model->report,
                      (struct refusal_text){
                          "$", "the output can be written",
                          pool_format(&model->pool, "%s: %s", path, strerror(errno)), NULL});
        if (file >= 0) {
            unlink(temporary);
        }
    }
    return good;
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

static bool graph(struct model *model, struct manifest *manifest, const char *path)
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
    if (text != NULL && ends_with(path, ".svg")) {
        char *svg = graph_svg(text, length, &length, &problem);

        free(text);
        text = svg;
    }
    if (text == NULL) {
        return report_refuse(&model->report, (struct refusal_text){"$", "the graph can be drawn",
                                                                   problem, "a file named *.dot"});
    }
    good = output_write(model, path, (const uint8_t *)text, length);
    free(text);
    return good;
}

/* Everything is checked before anything is written; the manifest is written last. */
static bool run(struct model *model, const struct options *options)
{
    struct manifest manifest;
    const uint8_t *bytes;
    size_t length;
    char *text;

    if (!input_read(model, options->input, &text, &length) ||
        !model_read_json(model, text, length) || !model_order(model) ||
        !model_load_binaries(model, options->binaries)) {
        return false;
    }
    model_encode(model, &bytes, &length);
    return model_judge(model, &manifest, bytes, length) &&
           (options->explain == NULL || explain(model, &manifest, options->explain)) &&
           (options->graph == NULL || graph(model, &manifest, options->graph)) &&
           (options->output == NULL || output_write(model, options->output, bytes, length));
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
