/* SPDX-License-Identifier: MIT */
/* Interfaces: numbers, facets and paths among the types; client and server stubs after them. */
#include "capnp/capnpc-c/emit.h"

#include <string.h>

static const char *method_origin(const struct node *node, const struct method *method)
{
    return text_format("%s.%s", node->display_name, method->name);
}

/* Every interface above this one, nearest first, each once. */
static size_t ancestors_find(struct emitter *emitter, struct node *node, struct node **found)
{
    size_t count = 0;
    found[count++] = node;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < found[i]->superclass_count; k++) {
            struct node *super = found[i]->superclasses[k];
            bool known = false;
            for (size_t j = 0; j < count; j++) {
                known |= found[j] == super;
            }
            if (!known && count == ANCESTORS_MAX) {
                model_error(emitter->model, node->display_name, "it has more than %u parents",
                            ANCESTORS_MAX - 1);
                return count;
            }
            if (!known) {
                found[count++] = super;
            }
        }
    }
    return count;
}

/* One step of the walk to the capabilities in a result. */
struct path {
    uint16_t index[PATH_MAX_LENGTH];
    uint8_t length;
    const char *name;
};

static void emit_path(struct emitter *emitter, const char *prefix, const char *origin,
                      const struct path *path)
{
    output_print(emitter->header, "#define %s ((struct capn_path){.length = %u, .index = {",
                 emitter_claim(emitter, origin, "%s_PATH_%s", prefix, text_upper(path->name)),
                 (unsigned)path->length);
    for (unsigned i = 0; i < path->length; i++) {
        output_print(emitter->header, "%s%u", i ? ", " : "", (unsigned)path->index[i]);
    }
    output_print(emitter->header, "}})\n");
}

/* Structures nested deeper than a path can say, and those inside themselves, end the walk. */
static void emit_paths(struct emitter *emitter, const char *prefix, const struct node *node,
                       const struct path *path)
{
    for (size_t i = 0; i < node->field_count; i++) {
        const struct field *field = &node->fields[i];
        struct path next = *path;
        next.name = path->name ? text_format("%s_%s", path->name, field->c_name) : field->c_name;
        if (field->group) {
            emit_paths(emitter, prefix, field->group, &next);
            continue;
        }
        bool leads_on = field->type.kind == TYPE_INTERFACE || field->type.kind == TYPE_STRUCT;
        if (field->type.list_depth || !leads_on || path->length == PATH_MAX_LENGTH) {
            continue;
        }
        next.index[next.length++] = (uint16_t)field->offset;
        if (field->type.kind == TYPE_INTERFACE) {
            emit_path(emitter, prefix, text_format("%s.%s", node->display_name, field->name),
                      &next);
        } else {
            emit_paths(emitter, prefix, field->type.node, &next);
        }
    }
}

static void emit_methods(struct emitter *emitter, struct node *node)
{
    struct output *out = emitter->header;
    const char *upper = text_upper(node->c_name);
    output_print(out, "enum %s {\n",
                 emitter_claim(emitter, node->display_name, "%s_method", node->c_name));
    for (size_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        output_comment(out, "    ", method->doc);
        output_print(out, "    %s = %zu,\n",
                     emitter_claim(emitter, method_origin(node, method), "%s_METHOD_%s", upper,
                                   text_upper(method->c_name)),
                     i);
    }
    output_print(out, "};\n");
    for (size_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        output_print(out, "#define %s (UINT64_C(1) << %zu)\n",
                     emitter_claim(emitter, method_origin(node, method), "%s_FACET_%s", upper,
                                   text_upper(method->c_name)),
                     i);
    }
}

void emit_interface_types(struct emitter *emitter, struct node *node)
{
    struct output *out = emitter->header;
    const char *upper = text_upper(node->c_name);
    const char *origin = node->display_name;
    uint64_t all =
        node->method_count == METHODS_MAX ? UINT64_MAX : (UINT64_C(1) << node->method_count) - 1;
    output_print(out, "\n");
    output_comment(out, "", node->doc);
    output_print(out, "#define %s UINT64_C(0x%016llx)\n",
                 emitter_claim(emitter, origin, "%s_INTERFACE_ID", upper),
                 (unsigned long long)node->id);
    output_print(out, "#define %s %zu\n", emitter_claim(emitter, origin, "%s_METHOD_COUNT", upper),
                 node->method_count);
    if (node->method_count) {
        emit_methods(emitter, node);
    }
    output_print(out,
                 "/* Every method declared today; an edge with facet \"all\" gets later ones too."
                 " */\n#define %s UINT64_C(0x%llx)\n",
                 emitter_claim(emitter, origin, "%s_FACETS_DECLARED", upper),
                 (unsigned long long)all);
    for (size_t i = 0; i < node->method_count; i++) {
        const char *prefix = text_format("%s_%s", upper, text_upper(node->methods[i].c_name));
        emit_paths(emitter, prefix, node->methods[i].results, &(struct path){0});
    }
}

/* ---- Stubs ---- */

static void emit_is(struct emitter *emitter, struct node *node)
{
    struct output *out = emitter->header;
    struct node *ancestors[ANCESTORS_MAX];
    size_t count = ancestors_find(emitter, node, ancestors);
    output_print(out,
                 "\n/* True for the interface itself and for those above it, which an upcast edge"
                 " may have. */\n"
                 "static inline bool %s(uint64_t interface_id)\n{\n    return ",
                 emitter_claim(emitter, node->display_name, "%s_is", node->c_name));
    for (size_t i = 0; i < count; i++) {
        output_print(out, "%sinterface_id == UINT64_C(0x%016llx) /* %s */",
                     i ? " ||\n           " : "", (unsigned long long)ancestors[i]->id,
                     ancestors[i]->c_name);
    }
    output_print(out, ";\n}\n");
}

static void emit_client(struct emitter *emitter, const struct node *node,
                        const struct method *method)
{
    struct output *out = emitter->header;
    const char *origin = method_origin(node, method);
    const char *upper = text_upper(node->c_name);
    const char *params = method->params->c_name;
    const char *results = method->results->c_name;
    const char *stub = text_format("%s_%s", node->c_name, method->c_name);
    emitter_claim(emitter, origin, "%s_request", stub);
    emitter_claim(emitter, origin, "%s_response", stub);
    emitter_claim(emitter, origin, "%s_invoke", stub);
    output_print(out,
                 "\nstatic inline struct %s_builder %s_request(struct capn_call *call)\n{\n"
                 "    return %s_init(capn_call_begin(call, %s_INTERFACE_ID, %s_METHOD_%s));\n}\n",
                 params, stub, params, upper, upper, text_upper(method->c_name));
    output_print(out,
                 "static inline struct %s_reader %s_response(struct capn_call *call)\n{\n"
                 "    return %s_read(capn_reader_root(&call->response));\n}\n",
                 results, stub, results);
    output_print(out,
                 "static inline struct %s_reader %s_invoke(struct capn_call *call)\n{\n"
                 "    return %s_read(capn_call_invoke(call));\n}\n",
                 results, stub, results);
}

/* Members of the server's table share one struct: no keyword, no name twice. */
static void members_check(struct emitter *emitter, const struct node *node)
{
    for (size_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        if (name_is_keyword(method->c_name)) {
            model_error(emitter->model, method_origin(node, method),
                        "\"%s\" is a keyword of C; give it another name with $C.name(\"...\")",
                        method->c_name);
        }
        for (size_t k = 0; k < node->superclass_count; k++) {
            if (strcmp(method->c_name, node->superclasses[k]->c_name) == 0) {
                model_error(emitter->model, method_origin(node, method),
                            "\"%s\" is also the C name of a parent interface; give one of them"
                            " another with $C.name(\"...\")",
                            method->c_name);
            }
        }
    }
}

static void emit_server(struct emitter *emitter, const struct node *node)
{
    struct output *out = emitter->header;
    const char *n = node->c_name;
    output_print(out,
                 "\n/* Handlers of %s; NULL for those that this server does not have. */\n"
                 "struct %s {\n",
                 node->display_name, emitter_claim(emitter, node->display_name, "%s_server", n));
    for (size_t i = 0; i < node->superclass_count; i++) {
        const char *super = node->superclasses[i]->c_name;
        output_print(out, "    const struct %s_server *%s; /* calls through an upcast edge */\n",
                     super, super);
    }
    for (size_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        output_print(out,
                     "    enum capn_dispatch (*%s)(void *object, struct capn_request *request,\n"
                     "        struct %s_reader params, struct %s_builder results);\n",
                     method->c_name, method->params->c_name, method->results->c_name);
    }
    if (node->method_count == 0 && node->superclass_count == 0) {
        output_print(out, "    char nothing;\n");
    }
    output_print(out, "};\n");
    output_print(out,
                 "\n/* Calls the handler of request->method with request's messages; `object` is"
                 " handed through. */\n"
                 "enum capn_dispatch %s(const struct %s_server *server, void *object,\n"
                 "    struct capn_request *request);\n",
                 emitter_claim(emitter, node->display_name, "%s_dispatch", n), n);
}

static void emit_dispatch_case(struct output *out, const struct node *node,
                               const struct method *method)
{
    output_print(out,
                 "    case %s_METHOD_%s:\n"
                 "        if (!server->%s) {\n            break;\n        }\n"
                 "        return capn_request_finish(request,\n"
                 "            server->%s(object, request,\n"
                 "                %s_read(capn_reader_root(&request->parameters)),\n"
                 "                %s_init(capn_builder_root(&request->results))));\n",
                 text_upper(node->c_name), text_upper(method->c_name), method->c_name,
                 method->c_name, method->params->c_name, method->results->c_name);
}

static void emit_dispatch(struct emitter *emitter, const struct node *node)
{
    struct output *out = emitter_source(emitter);
    const char *n = node->c_name;
    bool uses_arguments = node->method_count != 0 || node->superclass_count != 0;
    output_print(out,
                 "\nenum capn_dispatch %s_dispatch(const struct %s_server *server, void *object,\n"
                 "    struct capn_request *request)\n{\n"
                 "    if (request->interface_id != %s_INTERFACE_ID) {\n",
                 n, n, text_upper(n));
    for (size_t i = 0; i < node->superclass_count; i++) {
        const char *super = node->superclasses[i]->c_name;
        output_print(out,
                     "        if (server->%s && %s_is(request->interface_id)) {\n"
                     "            return %s_dispatch(server->%s, object, request);\n        }\n",
                     super, super, super, super);
    }
    output_print(out, "        return CAPN_DISPATCH_UNKNOWN_INTERFACE;\n    }\n");
    if (!uses_arguments) {
        output_print(out, "    (void)server;\n    (void)object;\n");
    }
    if (node->method_count) {
        output_print(out, "    switch (request->method) {\n");
        for (size_t i = 0; i < node->method_count; i++) {
            emit_dispatch_case(out, node, &node->methods[i]);
        }
        output_print(out, "    default:\n        break;\n    }\n");
    }
    output_print(out, "    return CAPN_DISPATCH_UNKNOWN_METHOD;\n}\n");
}

void emit_interface_stubs(struct emitter *emitter, struct node *node)
{
    output_print(emitter->header, "\n/* ---- %s: calls ---- */\n", node->display_name);
    members_check(emitter, node);
    emit_is(emitter, node);
    for (size_t i = 0; i < node->method_count; i++) {
        emit_client(emitter, node, &node->methods[i]);
    }
    emit_server(emitter, node);
    emit_dispatch(emitter, node);
}
