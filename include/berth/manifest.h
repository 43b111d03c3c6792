/* berth/manifest.h - the documents of an image: media types, platforms, descriptors, manifests and indexes
 * (image-spec; Docker's schema 1, 2 and list too).
 *
 * A berth_manifest never changes. Its bytes are kept as they came, and type, digest and fields are read from
 * them; to change one, put a builder on it and have that make another:
 *
 *     berth_manifest *index, *smaller;
 *     berth_builder *b;
 *     berth_error err = BERTH_ERROR_INIT;
 *     if (berth_manifest_parse(bytes, n, "application/vnd.oci.image.index.v1+json", &index, &err) == BERTH_OK
 *         && berth_builder_from(index, &b, &err) == BERTH_OK) {
 *         berth_builder_remove(b, index->manifests[0].digest, NULL);
 *         if (berth_builder_finish(b, &smaller, &err) == BERTH_OK)
 *             puts(smaller->digest);
 *     }
 *
 * So bytes, digest and type of a berth_manifest always agree, and any number of threads may read it. A
 * builder belongs to one thread at a time. Nothing here does input or output.
 *
 * Bytes may be a stranger's: nesting and the number of values are bounded before anything is made of them, at
 * most 100,000 descriptors and 64 levels. Failures are BERTH_E_INVALID, with MANIFEST_INVALID where the bytes
 * are at fault, and BERTH_E_NOMEM; @err, if not NULL, says why, and outputs are untouched. */
#ifndef BERTH_MANIFEST_H
#define BERTH_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <berth/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- media types (image-spec, media-types.md; Docker's "Image Manifest Version 2") --- */

#define BERTH_TYPE_OCI_MANIFEST       "application/vnd.oci.image.manifest.v1+json"
#define BERTH_TYPE_OCI_INDEX          "application/vnd.oci.image.index.v1+json"
#define BERTH_TYPE_OCI_CONFIG         "application/vnd.oci.image.config.v1+json"
#define BERTH_TYPE_OCI_LAYER          "application/vnd.oci.image.layer.v1.tar"
#define BERTH_TYPE_OCI_LAYER_GZIP     "application/vnd.oci.image.layer.v1.tar+gzip"
#define BERTH_TYPE_OCI_LAYER_ZSTD     "application/vnd.oci.image.layer.v1.tar+zstd"
#define BERTH_TYPE_OCI_EMPTY          "application/vnd.oci.empty.v1+json"
#define BERTH_TYPE_DOCKER_MANIFEST    "application/vnd.docker.distribution.manifest.v2+json"
#define BERTH_TYPE_DOCKER_LIST        "application/vnd.docker.distribution.manifest.list.v2+json"
#define BERTH_TYPE_DOCKER_CONFIG      "application/vnd.docker.container.image.v1+json"
#define BERTH_TYPE_DOCKER_LAYER       "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define BERTH_TYPE_DOCKER_SCHEMA1     "application/vnd.docker.distribution.manifest.v1+json"
#define BERTH_TYPE_DOCKER_SCHEMA1_JWS "application/vnd.docker.distribution.manifest.v1+prettyjws"

/* Numbers are never reused. */
typedef enum berth_manifest_kind {
    BERTH_KIND_NONE = 0,    /* no manifest's media type */
    BERTH_KIND_IMAGE = 1,   /* OCI image manifest, artifacts too; Docker's schema 2 */
    BERTH_KIND_INDEX = 2,   /* OCI index, Docker's list: has manifests, one for each platform */
    BERTH_KIND_SCHEMA1 = 3, /* Docker's schema 1, signed or not */
} berth_manifest_kind;

/** What a media type, with or without parameters, stands for. NULL is BERTH_KIND_NONE. With
 * berth_manifest_head() this tells whether a reference is for several platforms, and costs one small request.
 */
BERTH_API berth_manifest_kind berth_media_type_kind(const char *media_type);

/** Whether it is one of Docker's: an index may not hold both theirs and OCI's. */
BERTH_API bool berth_media_type_is_docker(const char *media_type);

/* --- platforms (image-spec, image-index.md "platform") --- */

/* NULL: absent. Made by a caller, start with BERTH_PLATFORM_INIT. */
typedef struct berth_platform {
    const char *os, *architecture, *variant, *os_version;
    const char *const *os_features; /* "win32k" */
    size_t n_os_features;
    const char *const *features; /* Docker's lists have it; "sse4" */
    size_t n_features;
    void *reserved[4]; /* for fields to come */
} berth_platform;
#define BERTH_PLATFORM_INIT BERTH_INIT(berth_platform, BERTH_SET(os, NULL))

/** Read "os/architecture[/variant][:os.version]", such as "linux/arm64/v8". *@ret_platform is the caller's:
 * berth_platform_free(). */
BERTH_API int berth_platform_parse(const char *text, berth_platform **ret_platform, berth_error *err);
BERTH_API void berth_platform_free(berth_platform *platform); /* NULL is fine */

/** The same text of @platform, as snprintf() would: at most @n bytes with the NUL, the whole length is
 * returned. What is absent is "unknown". */
BERTH_API size_t berth_platform_print(const berth_platform *platform, char *out, size_t n);

/** Whether @have is what @want asks for: what @want leaves out may be anything. Names that mean the same are
 * equal: "x86_64" and "amd64", "aarch64" and "arm64", "arm64" and "arm64/v8". */
BERTH_API bool berth_platform_matches(const berth_platform *have, const berth_platform *want);

/* --- descriptors (image-spec, descriptor.md) --- */

/* Both are text; neither is NULL. */
typedef struct berth_annotation {
    const char *key, *value;
} berth_annotation;

#define BERTH_SIZE_UNKNOWN UINT64_MAX /* of a layer of schema 1, which does not say */

/* NULL: absent. Made by a caller, start with BERTH_DESCRIPTOR_INIT. */
typedef struct berth_descriptor {
    const char *media_type, *digest;
    uint64_t size;
    const char *artifact_type;
    const berth_annotation *annotations; /* in the document's order */
    size_t n_annotations;
    const char *const *urls;
    size_t n_urls;
    const void *data; /* the content itself, where the descriptor holds it; not yet compared with the digest:
                       * berth_manifest_validate() does */
    size_t n_data;
    const berth_platform *platform;
    void *reserved[4]; /* for fields to come */
} berth_descriptor;
#define BERTH_DESCRIPTOR_INIT BERTH_INIT(berth_descriptor, BERTH_SET(digest, NULL))

/** The value of annotation @key, or NULL. Lent by @descriptor. */
BERTH_API const char *berth_descriptor_annotation(const berth_descriptor *descriptor, const char *key);

/* --- manifests (image-spec, manifest.md and image-index.md) --- */

/* What Docker's schema 1 has beside its layers. */
typedef struct berth_schema1 {
    const char *name, *tag, *architecture; /* NULL: absent */
    bool is_signed;
    const char *const *history; /* each "v1Compatibility": JSON as text; in the order of the layers */
    size_t n_history;
} berth_schema1;

/* Read the fields, do not write them. Made by this library alone, which may add fields at the end. */
typedef struct berth_manifest {
    berth_manifest_kind kind;
    const char *media_type; /* as the body says, else as it was announced, else as its shape tells */
    const char *digest;     /* sha256 of the bytes */
    const void *data;       /* the bytes as they came, NUL behind them */
    size_t size;
    const char *artifact_type;      /* as the body says; NULL: it does not */
    const berth_descriptor *config; /* of an image */
    const berth_descriptor *layers; /* of an image; of schema 1 in its own order, the newest first, without
                                     * a media type or size */
    size_t n_layers;
    const berth_descriptor *manifests; /* of an index */
    size_t n_manifests;
    const berth_descriptor *subject; /* NULL: none */
    const berth_annotation *annotations;
    size_t n_annotations;
    const berth_schema1 *schema1; /* NULL: it is not */
} berth_manifest;

/**
 * Read @n bytes. @media_type is what they were announced as (Content-Type; parameters are ignored), used only
 * where the body itself has no "mediaType"; NULL: nothing was announced. The bytes are copied.
 * On success *@ret_manifest belongs to the caller: berth_manifest_free().
 */
BERTH_API int berth_manifest_parse(const void *p, size_t n, const char *media_type,
                                   berth_manifest **ret_manifest, berth_error *err);
BERTH_API void berth_manifest_free(berth_manifest *manifest); /* NULL is fine */

/**
 * Whether @manifest is as strictly right as the schemas of the image-spec have it (manifest, index and
 * descriptor), which reading alone does not ask: syntax of media types, URLs and annotations, platforms with
 * os and architecture, embedded data of the right digest, at least one layer. Config types of others are
 * fine. BERTH_E_INVALID, naming the place; schema 1 has no schema.
 */
BERTH_API int berth_manifest_validate(const berth_manifest *manifest, berth_error *err);

/** Fill in what points at @manifest: media type, digest, size, and artifact type if it has one. The strings
 * are lent by @manifest. */
BERTH_API void berth_manifest_describe(const berth_manifest *manifest, berth_descriptor *ret_descriptor);

/** The value of annotation @key, or NULL. Lent by @manifest. */
BERTH_API const char *berth_manifest_annotation(const berth_manifest *manifest, const char *key);

/** The manifest for a platform among those of an index: the one that is just this, else the first that
 * matches. NULL: none, or no index. Lent by @index. */
BERTH_API const berth_descriptor *berth_manifest_for_platform(const berth_manifest *index,
                                                              const berth_platform *want);

/* --- building --- */

typedef struct berth_builder berth_builder; /* opaque */

/** An empty manifest of @media_type: an OCI or Docker image manifest or index. *@ret_builder is the caller's:
 * berth_builder_free(). */
BERTH_API int berth_builder_new(const char *media_type, berth_builder **ret_builder, berth_error *err);

/** A copy of @manifest to edit. Fields that nobody here knows stay; schema 1 can't be edited. */
BERTH_API int berth_builder_from(const berth_manifest *manifest, berth_builder **ret_builder,
                                 berth_error *err);
BERTH_API void berth_builder_free(berth_builder *builder); /* NULL is fine */

/* Descriptors are copied and checked: a media type, a digest, a size. Absent fields are not printed. */

/** Of an image. */
BERTH_API int berth_builder_set_config(berth_builder *builder, const berth_descriptor *config,
                                       berth_error *err);
BERTH_API int berth_builder_add_layer(berth_builder *builder, const berth_descriptor *layer,
                                      berth_error *err);

/** Of an index; what stands there for the same digest and platform is replaced. An OCI index takes no Docker
 * manifests, nor Docker's list OCI's. */
BERTH_API int berth_builder_add_manifest(berth_builder *builder, const berth_descriptor *manifest,
                                         berth_error *err);

struct berth_config; /* berth/config.h */

/** Add a whole image to an index: an image with the platform that @config names (NULL: no platform is said),
 * or each manifest of an index. So several images become one index. */
BERTH_API int berth_builder_add_image(berth_builder *builder, const berth_manifest *image,
                                      const struct berth_config *config, berth_error *err);

/** Remove manifests of an index, or layers of an image: those of @digest and of @platform, each of which may
 * be NULL for any. Returns how many. */
BERTH_API size_t berth_builder_remove(berth_builder *builder, const char *digest,
                                      const berth_platform *platform);

/** The manifest that this one refers to; NULL: none (any more). OCI alone. */
BERTH_API int berth_builder_set_subject(berth_builder *builder, const berth_descriptor *subject,
                                        berth_error *err);

/** NULL: none (any more). OCI alone. */
BERTH_API int berth_builder_set_artifact_type(berth_builder *builder, const char *artifact_type,
                                              berth_error *err);

/** NULL for @value removes it. OCI alone. */
BERTH_API int berth_builder_set_annotation(berth_builder *builder, const char *key, const char *value,
                                           berth_error *err);

/** Print what was built, as compact JSON, and read it back. The builder may go on after it.
 * *@ret_manifest is the caller's: berth_manifest_free(). */
BERTH_API int berth_builder_finish(const berth_builder *builder, berth_manifest **ret_manifest,
                                   berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
