/* oci/image.h - documents, descriptors and platforms as callers of the library see them, from JSON and into
 * it. For the files of this room alone. */
#ifndef OCI_IMAGE_H
#define OCI_IMAGE_H

#include <berth/config.h>

#include "oci/descriptor.h"

/* A document's bytes and their digest, in @arena. */
int oci_image_keep(const void *p, size_t n, berth_arena *arena, const char **ret_digest,
                   const void **ret_data, berth_error *err);

/* @j: a descriptor that oci_descriptor_read() has found right. Everything is copied to @arena. */
int oci_image_descriptor(const json_t *j, berth_arena *arena, berth_descriptor *ret, berth_error *err);

/* The platform that the members of @j name; *@ret NULL: none of them is there. */
int oci_image_platform(const json_t *j, berth_arena *arena, const berth_platform **ret, berth_error *err);

/* A new object; NULL without memory, or where a string is no UTF-8. */
json_t *oci_image_descriptor_json(const berth_descriptor *d);
json_t *oci_image_platform_json(const berth_platform *p);

/* Whether the schemas of the image-spec find @root right: a manifest or index of @m, a config. */
int oci_schema_check_manifest(const json_t *root, const berth_manifest *m, berth_error *err);
int oci_schema_check_config(const json_t *root, berth_error *err);

#endif
