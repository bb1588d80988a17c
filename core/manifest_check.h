/* SPDX-License-Identifier: MIT */
/*
 * Inside core/manifest_*.c only: refusing with a place, and the checks of single fields. Each check
 * returns false once it has noted a refusal in `m`; the path then names the field and stays.
 */
#ifndef CORE_MANIFEST_CHECK_H
#define CORE_MANIFEST_CHECK_H

#include "core/manifest.h"

/* Always false, so that a check can end in `return manifest_refuse(...)`. */
MUST_USE bool manifest_refuse(struct manifest *m, enum manifest_error error, uint64_t found,
                              uint64_t limit);
MUST_USE bool manifest_refuse_text(struct manifest *m, enum manifest_error error,
                                   struct capn_text text);

/* The same two, one field further in. */
struct manifest_numbers {
    uint64_t found;
    uint64_t limit;
};
MUST_USE bool manifest_refuse_field(struct manifest *m, const char *field,
                                    enum manifest_error error, struct manifest_numbers numbers);
MUST_USE bool manifest_refuse_name(struct manifest *m, const char *field, enum manifest_error error,
                                   struct capn_text text);

/* Goes to a field (`index` MANIFEST_NO_INDEX) or to one entry of it, and back. */
void manifest_enter(struct manifest *m, const char *field, uint32_t index);
void manifest_leave(struct manifest *m);

/* Gives the reader the budget of one whole message. */
void manifest_refill(struct manifest *m);

/* Whether the runtime has refused no pointer so far. */
MUST_USE bool manifest_pointers_good(struct manifest *m);

/* Whether the field is there; refuses with MISSING. */
MUST_USE bool manifest_present(struct manifest *m, const char *field, struct capn_pointer at);

struct manifest_range {
    uint64_t minimum;
    uint64_t maximum;
};
MUST_USE bool manifest_number_check(struct manifest *m, const char *field, uint64_t value,
                                    struct manifest_range range);

/* A text that must be there, read into *text; the path is already at it. */
MUST_USE bool manifest_text_check(struct manifest *m, struct capn_pointer at,
                                  struct capn_text *text);
/* A text that is a legal name. */
MUST_USE bool manifest_name_check(struct manifest *m, const char *field, struct capn_pointer at,
                                  struct capn_text *name);

/* A list of `range` entries, already read as `list` from `at`. */
MUST_USE bool manifest_list_check(struct manifest *m, const char *field, struct capn_pointer at,
                                  struct manifest_range range, const struct capn_list *list);

/* Step 5 and 6 of manifest.c for one service; step 7 for one; steps 8, 9 and 10. */
MUST_USE bool manifest_service_check(struct manifest *m, uint32_t index);
MUST_USE bool manifest_relations_check(struct manifest *m, uint32_t index);
MUST_USE bool manifest_urgencies_check(struct manifest *m);
MUST_USE bool manifest_quota_sums_check(struct manifest *m);
MUST_USE bool manifest_binaries_used_check(struct manifest *m);

#endif
