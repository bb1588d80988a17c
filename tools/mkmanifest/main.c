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

enum { JSON_BYTES_MAX = 16 * 1024 * 1024 };

struct options {
    const char *input;
    const char *output;   /* NULL: check only */
    const char *binaries; /* folder */
};

static void usage(FILE *to)
{
    fputs("usage: mkmanifest [--output FILE] [--binaries FOLDER] SYSTEM.json\n"
          "  --output FILE      where the manifest goes; without it the system is only checked\n"
          "  --binaries FOLDER  where programs are looked for (default: the current folder)\n",
          to);
}

static bool options_read(int count, char **arguments, struct options *options)
{
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        {"binaries", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    *options = (struct options){.binaries = "."};
    while ((option = getopt_long(count, arguments, "o:b:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'o':
            options->output = optarg;
            break;
        case 'b':
            options->binaries = optarg;
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
    if (!model_judge(model, &manifest, bytes, length)) {
        return false;
    }
    return options->output == NULL || output_write(model, options->output, bytes, length);
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
