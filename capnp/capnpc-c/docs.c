/* SPDX-License-Identifier: MIT */
/*
 * The comments that a file asks of itself. A schema is reviewed as part of the trusted base; a
 * method whose comment does not say, for instance, who can mint its capability, is not generated.
 */
#include "capnp/capnpc-c/model.h"
#include "capnp/capnpc-c/text.h"

#include <string.h>

/* True when some line of the comment begins with `line` and goes on with more than blanks. */
static bool doc_has_line(const char *doc, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = doc; at && *at;) {
        at += strspn(at, " ");
        if (strncmp(at, line, length) == 0) {
            const char *rest = at + length + strspn(at + length, " ");
            return *rest != 0 && *rest != '\n';
        }
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return false;
}

static void doc_check(struct model *model, struct capn_list lines, const char *doc,
                      const char *where)
{
    for (uint32_t i = 0; i < lines.count; i++) {
        struct capn_text text =
            capn_read_text(capn_list_get_pointer(lines, i), (struct capn_text){0});
        const char *line = text_copy(text.bytes, text.length);
        if (!doc_has_line(doc, line)) {
            model_error(model, where, "its comment has no line \"%s ...\", which its file asks for",
                        line);
        }
    }
}

/* The list of lines that an annotation of the file gives; empty when it is absent. */
static struct capn_list lines_of(const struct node *file, uint64_t annotation)
{
    struct capn_list annotations = node_annotations(file->raw);
    for (uint32_t i = 0; i < annotations.count; i++) {
        struct capn_struct raw = capn_list_get_struct(annotations, i);
        if (annotation_id(raw) == annotation) {
            return capn_read_list(value_pointer(annotation_value(raw)), CAPN_ELEMENT_POINTER, NULL);
        }
    }
    return (struct capn_list){0};
}

void docs_check(struct model *model)
{
    for (size_t i = 0; i < model->file_count; i++) {
        const struct node *file = model->files[i].node;
        struct capn_list method_lines = lines_of(file, ANNOTATION_METHOD_DOCS);
        struct capn_list interface_lines = lines_of(file, ANNOTATION_INTERFACE_DOCS);
        for (size_t k = 0; k < model->node_count; k++) {
            const struct node *node = &model->nodes[k];
            if (node->file != file || node->kind != NODE_INTERFACE) {
                continue;
            }
            doc_check(model, interface_lines, node->doc, node->display_name);
            for (size_t m = 0; m < node->method_count; m++) {
                doc_check(model, method_lines, node->methods[m].doc,
                          text_format("%s.%s", node->display_name, node->methods[m].name));
            }
        }
    }
}
