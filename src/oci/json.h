/* oci/json.h - JSON from a peer, loaded only after its nesting and its number of values were bounded.
 *
 * For the files of this room alone: no other includes jansson. */
#ifndef OCI_JSON_H
#define OCI_JSON_H

#include <berth/manifest.h>
#include <jansson.h>

#include "util/arena.h"
#include "util/buf.h"

static inline int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

typedef struct oci_json_limits {
    size_t max_depth;      /* of nested objects and arrays */
    size_t max_containers; /* objects and arrays; each costs some 250 bytes of memory and 2 of text */
    size_t max_values;     /* members and elements */
} oci_json_limits;

/* An object of @n bytes of UTF-8 without duplicate keys and without NUL in strings; nothing may follow it.
 * The caller's: json_decref(). Fails with MANIFEST_INVALID. */
int oci_json_load_object(const void *p, size_t n, const oci_json_limits *limits, json_t **ret,
                         berth_error *err);

/* For CLEANUP. */
void oci_json_unrefp(json_t **j);

/* What a member that may be absent says; null counts as absent. The wrong type: MANIFEST_INVALID, naming
 * @key. */
int oci_json_get_string(const json_t *object, const char *key, berth_str *ret, berth_error *err); /* lent */
int oci_json_get(const json_t *object, const char *key, json_type type, json_t **ret, berth_error *err);

int oci_json_get_integer(const json_t *object, const char *key, json_int_t *ret, bool *ret_present,
                         berth_error *err);

/* The same, copied to @arena. */
int oci_json_copy_string(const json_t *object, const char *key, berth_arena *arena, berth_str *ret,
                         berth_error *err);

/* --- as C strings, for what callers of the library read; NULL and 0 where @key is absent --- */

int oci_json_copy_text(const json_t *object, const char *key, berth_arena *arena, const char **ret,
                       berth_error *err);

/* An array of strings. */
int oci_json_copy_texts(const json_t *object, const char *key, berth_arena *arena, const char *const **ret,
                        size_t *ret_n, berth_error *err);

/* The keys of an object, whatever its values are. */
int oci_json_copy_keys(const json_t *object, const char *key, berth_arena *arena, const char *const **ret,
                       size_t *ret_n, berth_error *err);

/* An object of strings, in its order. */
int oci_json_copy_pairs(const json_t *object, const char *key, berth_arena *arena,
                        const berth_annotation **ret, size_t *ret_n, berth_error *err);

/* The same of the object itself; @key is for the message. */
int oci_json_pairs(json_t *members, const char *key, berth_arena *arena, const berth_annotation **ret,
                   size_t *ret_n, berth_error *err);

/* Appends compact JSON; failure is left in the buffer. */
void oci_json_print(const json_t *j, berth_buf *out);

#endif
