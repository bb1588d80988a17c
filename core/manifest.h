/* SPDX-License-Identifier: MIT */
/*
 * The boot manifest: reads and checks the Cap'n Proto message that carries the authority graph and
 * the binaries (schema/manifest.capnp). The kernel, init and mkmanifest run this same code, so what
 * one refuses all refuse, for the same first reason. The theory is in manifest.c.
 *
 * Use: manifest_open(), then the accessors, which cannot fail. Everything they hand out points into
 * the bytes that manifest_open was given, which must neither move nor change while it is used; nor
 * may the struct manifest move. It serves one thread at a time.
 */
#ifndef CORE_MANIFEST_H
#define CORE_MANIFEST_H

#include "abi/compiler.h"
#include "abi/limits.h"
#include "schema/generated/authority.capnp.h"
#include "schema/generated/manifest.capnp.h"

enum {
    MANIFEST_SERVICES_MAX = 64, /* init included */
    MANIFEST_BINARIES_MAX = 128,
    MANIFEST_ARGUMENTS_MAX = 64,
    MANIFEST_ARGUMENT_BYTES_MAX = 2048, /* all of one service: half a page, with their list */
    MANIFEST_PATH_STEPS = 4,
};

#define MANIFEST_FACET_ALL  UINT64_MAX
#define MANIFEST_NO_INDEX   UINT32_MAX
#define MANIFEST_INIT_INDEX 0u

enum manifest_error {
    MANIFEST_OK = 0,
#define MANIFEST_ERROR(name, text) MANIFEST_ERROR_##name,
#include "core/manifest_error.def"
#undef MANIFEST_ERROR
    MANIFEST_ERROR_COUNT
};

/* Kernel objects that a manifest may grant. */
enum manifest_source {
#define MANIFEST_SOURCE(name, text, interface) MANIFEST_SOURCE_##name,
#include "core/manifest_source.def"
#undef MANIFEST_SOURCE
    MANIFEST_SOURCE_COUNT
};

/* One step of the way from the root to a field: the field's schema name, and which entry of it. */
struct manifest_step {
    const char *field; /* static */
    uint32_t index;    /* MANIFEST_NO_INDEX: the field itself */
};

/* What was refused, where, and the numbers. */
struct manifest_refusal {
    enum manifest_error error;
    uint32_t step_count;
    struct manifest_step step[MANIFEST_PATH_STEPS];
    uint64_t found; /* number or length found, or what `detail` of another module counts */
    uint64_t limit; /* what is allowed; 0: no number describes it */
    const char
        *detail; /* static sentence from the module that refused (ELF, Cap'n Proto); or NULL */
    struct capn_text text; /* the name refused, into the message; bytes NULL: none */
};

struct manifest_kernel {
    uint8_t log_level;
    bool halt_on_init_exit;
    uint16_t cpus_max; /* 0: all */
    uint32_t timer_hertz;
    uint32_t log_bytes;
};

struct manifest_binary {
    struct capn_text name;
    struct capn_data data;
};

struct manifest_quotas {
    uint32_t slots;
    uint32_t frames;
    uint32_t ring_bytes;
    uint32_t endpoint_queue;
    uint32_t outstanding_calls;
    uint32_t scratch_bytes;
    uint32_t threads;
    uint32_t log_bytes;
    uint32_t grant_nodes;
    uint16_t cpu_permille;
};

struct manifest_restart {
    enum manifest_restart_mode mode;
    uint32_t restarts_max; /* within window_ns */
    uint64_t window_ns;
    uint64_t backoff_ns;
};

struct manifest_scheduling {
    uint8_t priority; /* 0 is the lowest, below LIMIT_PRIORITIES */
    uint64_t budget_ns;
    uint64_t period_ns;
    uint64_t cpu_mask;
};

struct manifest_service {
    struct capn_text name;
    struct capn_text binary_name;
    uint32_t index;
    uint32_t binary; /* index among the binaries */
    uint32_t argument_count;
    uint32_t grant_count;
    uint32_t export_count;
    struct manifest_quotas quotas;
    struct manifest_restart restart;
    struct manifest_scheduling scheduling;
    /* private to the accessors: */
    struct capn_list argument_list;
    struct manifest_grant_list grant_list;
    struct manifest_export_list export_list;
};

struct manifest_grant {
    struct capn_text name; /* in the service's CapSet */
    bool from_kernel;
    enum manifest_source source;  /* from_kernel: which object */
    uint32_t service;             /* otherwise: index of the exporter, */
    uint32_t service_export;      /* and of the export there */
    struct capn_text source_name; /* the kernel object's or the service's */
    struct capn_text export_name; /* the export's; bytes NULL for kernel objects */
    uint64_t interface_id;
    uint64_t facet; /* MANIFEST_FACET_ALL: every method, later ones included */
    uint64_t badge;
    enum authority_transfer_mode transfer;
};

struct manifest_export {
    struct capn_text name; /* the owner's edge has this name in the service's CapSet */
    uint64_t interface_id;
    uint64_t facet;
    uint32_t message_bytes;
    uint16_t capabilities;
    uint32_t queue_length;
};

struct manifest {
    uint32_t binary_count;
    uint32_t service_count; /* the first one is init; the others follow in the order of starting */
    struct manifest_refusal refusal;
    /* private: */
    uint64_t budget_words; /* traversal allowed to one accessor */
    struct capn_segment segment;
    struct capn_reader reader;
    struct manifest_reader root;
    struct manifest_binary_list binary_list;
    struct manifest_service_list service_list;
};

/* The sentence for an error; never NULL. */
MUST_USE const char *manifest_error_text(enum manifest_error error);

/*
 * Reads and checks all of the `length` bytes at `bytes`, of any alignment. On success every rule of
 * manifest.c holds. On error `manifest->refusal` says what and where, and no accessor may be used.
 */
MUST_USE enum manifest_error manifest_open(const uint8_t *bytes, uint64_t length,
                                           struct manifest *manifest);

/*
 * Writes the place of a refusal, like "services[2].grants[0].facet", NUL-terminated and cut at
 * `size` (at least 1); "manifest" for the whole. Returns the length without the NUL before cutting.
 */
size_t manifest_path_text(const struct manifest_refusal *refusal, char *buffer, size_t size);

/* Name of the system, for banners. */
MUST_USE struct capn_text manifest_system_name(struct manifest *manifest);
void manifest_kernel_get(struct manifest *manifest, struct manifest_kernel *kernel);

/* `index` below binary_count. */
void manifest_binary_get(struct manifest *manifest, uint32_t index, struct manifest_binary *binary);

/* `index` below service_count. */
void manifest_service_get(struct manifest *manifest, uint32_t index,
                          struct manifest_service *service);

/* Index of the service of this name; MANIFEST_NO_INDEX: there is none. */
MUST_USE uint32_t manifest_service_find(struct manifest *manifest, struct capn_text name);

/* `index` below the service's count of them. */
void manifest_grant_get(struct manifest *manifest, const struct manifest_service *service,
                        uint32_t index, struct manifest_grant *grant);
void manifest_export_get(struct manifest *manifest, const struct manifest_service *service,
                         uint32_t index, struct manifest_export *exported);
MUST_USE struct capn_text manifest_argument_get(struct manifest *manifest,
                                                const struct manifest_service *service,
                                                uint32_t index);

/* The grant of `service` that holds this kernel object with this interface, for instance the one of
 * init that another service's grant is derived from; MANIFEST_NO_INDEX: there is none. */
MUST_USE uint32_t manifest_grant_of_source(struct manifest *manifest,
                                           const struct manifest_service *service,
                                           enum manifest_source source);

/* ---- kernel objects -------------------------------------------------------------------------- */

/* Name, interface and methods (a mask of those that exist) of a kernel object. */
MUST_USE const char *manifest_source_name(enum manifest_source source);
MUST_USE uint64_t manifest_source_interface(enum manifest_source source);
MUST_USE uint64_t manifest_source_methods(enum manifest_source source);

/* MANIFEST_SOURCE_COUNT when there is no object of this name. */
MUST_USE enum manifest_source manifest_source_find(struct capn_text name);

/* ---- small rules that others need as well ---------------------------------------------------- */

/* Whether these bytes are a legal name. */
MUST_USE bool manifest_name_is_valid(struct capn_text name);

MUST_USE bool manifest_text_equal(struct capn_text a, struct capn_text b);

/* Whether the holder of an edge of mode `held` may hand out one of mode `given`. */
MUST_USE bool manifest_transfer_within(enum authority_transfer_mode given,
                                       enum authority_transfer_mode held);

#endif
