/* oci/manifest.h - what a manifest refers to. Pure: bytes in, descriptors out; the bytes themselves are kept
 * by whoever stores them. Foreign input: fuzzed by tests/fuzz/manifest.c. */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H

#include "oci/digest.h"
#include "oci/mediatype.h"
#include "util/arena.h"

typedef struct oci_platform {
    berth_str os, architecture, variant, os_version;
} oci_platform;

/* "linux/arm64/v8" or "linux/amd64"; false on anything else. Views on @s. */
bool oci_platform_parse(berth_str s, oci_platform *ret);
/* Every field that @want names is equal (an empty field of @want matches anything). */
bool oci_platform_matches(const oci_platform *have, const oci_platform *want);

typedef struct oci_descriptor {
    berth_digest digest;
    berth_str media_type, artifact_type; /* empty: absent */
    uint64_t size;
    bool foreign;    /* a layer that has urls, or a foreign layer's media type: need not be
                      * present. Never true for config, subject and children */
    berth_str *urls; /* where clients may fetch it; for allow and deny lists */
    size_t n_urls;
    bool has_platform;
    oci_platform platform;
} oci_descriptor;

typedef struct oci_manifest {
    enum manifest_kind kind;
    berth_str media_type;    /* what it is stored and served as */
    berth_str artifact_type; /* as the referrers API shows it: artifactType, else config.mediaType of an
                              * image manifest; empty: none */
    bool has_subject;
    oci_descriptor subject;
    oci_descriptor *blobs; /* config first, then layers; an index has none */
    size_t n_blobs;
    oci_descriptor *children; /* manifests of an index */
    size_t n_children;
    berth_str annotations; /* compact JSON object as text; empty: none */
    berth_str config_media_type;
} oci_manifest;

typedef struct oci_manifest_limits {
    size_t max_depth;       /* of JSON nesting; 0: 64 */
    size_t max_descriptors; /* blobs and children together; 0: 100,000 */
} oci_manifest_limits;

/* Parses @n bytes pushed with @content_type (parameters ignored; may be empty: then mediaType decides, and
 * without that the shape: "manifests" makes an index, "layers" or "config" an image).
 * Strings and arrays live in @arena. Fails with MANIFEST_INVALID: no JSON object, nesting beyond the limit,
 * duplicate keys, invalid UTF-8, wrong type of a field, a bad digest or negative size, mediaType that
 * contradicts
 * @content_type, an image with "manifests" or an index with "layers", an unknown media type.
 * Fields that the specification doesn't know are ignored. schemaVersion must be 2 (1 for schema 1).
 * Docker schema 1 is looked at only as far as being a JSON object with schemaVersion 1 (a signed one has its
 * digest over the payload; here it is taken over the bytes as pushed). */
int oci_manifest_parse(const void *p, size_t n, berth_str content_type, const oci_manifest_limits *limits,
                       berth_arena *arena, oci_manifest *ret, berth_error *err);

#endif
