/* SPDX-License-Identifier: MIT */
/*
 * Brings tests/vintage/schema-1.txt, or the file that it is given, up to the schemas of today,
 * unless one of its lines would have to go.
 */
#include "tests/capnp/vintage.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct vintage old, today;
    if (argc != 2) {
        fprintf(stderr, "usage: vintage FILE\n");
        return 1;
    }
    vintage_of_index(&today, &capn_meta_index);
    const char *missing = vintage_of_file(&old, argv[1]) ? vintage_missing(&old, &today) : NULL;
    if (missing) {
        fprintf(stderr,
                "%s: today's schemas lack\n    %s\nwhich docs/schema-evolution.md forbids\n",
                argv[1], missing);
        return 1;
    }
    FILE *file = fopen(argv[1], "w");
    for (size_t i = 0; file && i < today.count; i++) {
        fprintf(file, "%s\n", today.lines[i]);
    }
    if (!file || fclose(file) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
