/* oci/descriptor.h - reads one descriptor (image-spec, descriptor.md). For the files of this room alone. */
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

#endif
