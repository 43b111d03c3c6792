/* oci/answer.h - reads the JSON documents of the distribution API, as a registry answers with them. Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/answer.c. */
#ifndef OCI_ANSWER_H
#define OCI_ANSWER_H

#include <berth/manifest.h>

#include "util/arena.h"

/* The first entry of {"errors":[{"code":…,"message":…}]}, copied to @arena, unprintable bytes replaced; a
 * message that is absent is empty. False: no such document (distribution-spec, "Error Codes"). */
bool oci_read_error(berth_str body, berth_arena *arena, berth_str *ret_code, berth_str *ret_message);

/* One entry of it; what is absent is empty. All end in NUL. */
typedef struct oci_error_entry {
    berth_str code, message;
    berth_str detail; /* as JSON, ASCII alone */
} oci_error_entry;

/* All entries, at least one. BERTH_E_INVALID: no such document, or nothing in it. */
int oci_read_errors(berth_str body, berth_arena *arena, oci_error_entry **ret_entries, size_t *ret_n,
                    berth_error *err);

/* The "tags" of {"name":…,"tags":[…]}, copied to @arena; null is none. BERTH_E_INVALID: no such document, or
 * something in it that is no tag. */
int oci_read_tags(berth_str body, berth_arena *arena, berth_str **ret_tags, size_t *ret_n, berth_error *err);

/* The "repositories" of a catalogue, the same way; each is a valid name. */
int oci_read_names(berth_str body, berth_arena *arena, berth_str **ret_names, size_t *ret_n,
                   berth_error *err);

/* What a manifest says of itself in "mediaType", copied; empty: nothing, or no JSON. .p NULL: no memory. */
berth_str oci_read_media_type(berth_str body, berth_arena *arena);

/* Annotations as text, {"key":"value", …}, copied to @arena; empty text is none. BERTH_E_INVALID: they are
 * not. */
int oci_read_annotations(berth_str text, berth_arena *arena, const berth_annotation **ret, size_t *ret_n,
                         berth_error *err);

#endif
