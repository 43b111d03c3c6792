/* oci/descriptor.h - reads one descriptor (image-spec, descriptor.md), and a manifest from parsed JSON. For
 * the files of this room alone. */
#ifndef OCI_DESCRIPTOR_H
#define OCI_DESCRIPTOR_H

#include "oci/json.h"
#include "oci/manifest.h"

/* @layer: media type and urls may make it foreign. Strings are copied to @arena. Fails with MANIFEST_INVALID.
 */
int oci_descriptor_read(const json_t *j, bool layer, berth_arena *arena, oci_descriptor *ret,
                        berth_error *err);

/* A media type, or empty where @key is absent. */
int oci_descriptor_read_type(const json_t *j, const char *key, berth_arena *arena, berth_str *ret,
                             berth_error *err);

/* What oci_manifest_parse() does with a document that is loaded already. 0: the defaults. */
int oci_manifest_read(const json_t *root, berth_str content_type, size_t max_descriptors, berth_arena *arena,
                      oci_manifest *ret, berth_error *err);

/* A parsed document may cost a hundred times its text. No manifest needs more than this: two objects or
 * arrays and eight members for each descriptor, and some room for what others add. 0: the defaults. */
oci_json_limits oci_manifest_bounds(size_t max_depth, size_t max_descriptors);

/* oci_json_load_object() within the default bounds. */
int oci_manifest_load(const void *p, size_t n, json_t **ret, berth_error *err);

#endif
