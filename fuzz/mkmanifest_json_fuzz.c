/* SPDX-License-Identifier: MIT */
/*
 * mkmanifest on hostile JSON. Every binary is the same small program. What is accepted is a
 * manifest with every property that the rules promise; what is refused has a report with a path.
 *
 * Input: the JSON text.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/host/manifest_properties.h"
#include "tools/mkmanifest/model.h"
#include "tools/mkmanifest/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

/* ELF header, one program header, `jmp .`; tests/host/manifest_fixture.c explains each byte. */
static const uint8_t program[] = {
    0x7f, 'E', 'L',  'F',  2,    1, 1, 0, 0,    0, 0,    0,    0, 0, 0, 0, 2,    0, 62, 0, 1, 0,
    0,    0,   0x78, 0,    0x40, 0, 0, 0, 0,    0, 64,   0,    0, 0, 0, 0, 0,    0, 0,  0, 0, 0,
    0,    0,   0,    0,    0,    0, 0, 0, 64,   0, 56,   0,    1, 0, 0, 0, 0,    0, 0,  0, 1, 0,
    0,    0,   5,    0,    0,    0, 0, 0, 0,    0, 0,    0,    0, 0, 0, 0, 0x40, 0, 0,  0, 0, 0,
    0,    0,   0x40, 0,    0,    0, 0, 0, 0x7a, 0, 0,    0,    0, 0, 0, 0, 0x7a, 0, 0,  0, 0, 0,
    0,    0,   0,    0x10, 0,    0, 0, 0, 0,    0, 0xeb, 0xfe,
};

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Both views of an accepted system, into nothing. */
static void view(struct model *model, struct manifest *manifest)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);

    demand(memory != NULL);
    for (uint32_t i = 0; i < manifest->service_count; i++) {
        explain_write(memory, &model->pool, manifest, i);
    }
    graph_write(memory, &model->pool, manifest);
    fclose(memory);
    free(text);
}

static bool accept(struct model *model, struct manifest *manifest, const char *text, size_t length)
{
    const uint8_t *bytes;
    size_t size;

    if (!model_read_json(model, text, length) || !model_order(model)) {
        return false;
    }
    for (size_t i = 0; i < model->binary_count; i++) {
        model->binaries[i].bytes = program;
        model->binaries[i].length = sizeof(program);
    }
    model_encode(model, &bytes, &size);
    return model_judge(model, manifest, bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static struct manifest manifest;
    struct model model;

    model_init(&model, "fuzz.json");
    if (accept(&model, &manifest, (const char *)input, length)) {
        demand(model.report.text == NULL);
        demand(manifest_properties(&manifest) == 0);
        view(&model, &manifest);
    } else {
        demand(model.report.text != NULL);
        demand(strstr(model.report.text, "\n  rule:  ") != NULL);
        demand(strstr(model.report.text, "\n  found: ") != NULL);
        demand(strstr(model.report.text, "\n  try:   ") != NULL);
    }
    model_free(&model);
    return 0;
}
