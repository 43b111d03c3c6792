/* oci/image_manifest.c - manifests and indexes as callers of the library see them: every field, and the
 * bytes; see berth/manifest.h. What a manifest is, and whether it may be one, is decided by the reader that
 * the server uses too (manifest.c). */
#include "oci/image.h"

#include <assert.h>

#include "util/fault.h"

/* What the caller holds is its first member. */
struct document {
    berth_manifest m;
    berth_arena arena; /* of all that @m points to */
};

static_assert((int)BERTH_KIND_IMAGE == (int)MANIFEST_IMAGE + 1 &&
                  (int)BERTH_KIND_INDEX == (int)MANIFEST_INDEX + 1 &&
                  (int)BERTH_KIND_SCHEMA1 == (int)MANIFEST_SCHEMA1 + 1,
              "the kinds are the same, none before them");

static berth_manifest_kind kind_of(enum manifest_kind kind)
{
    return kind == MANIFEST_OTHER ? BERTH_KIND_NONE : (berth_manifest_kind)((int)kind + 1);
}

berth_manifest_kind berth_media_type_kind(const char *media_type)
{
    return kind_of(mediatype_kind(mediatype_essence(str_from(media_type))));
}

bool berth_media_type_is_docker(const char *media_type)
{
    return mediatype_is_docker(mediatype_essence(str_from(media_type)));
}

/* --- reading --- */

static int read_one(const json_t *j, berth_arena *arena, const berth_descriptor **ret, berth_error *err)
{
    berth_descriptor *d = berth_arena_alloc(arena, sizeof(*d));
    int r = d ? oci_image_descriptor(j, arena, d, err) : no_memory(err);
    if (r == BERTH_OK)
        *ret = d;
    return r;
}

static int read_many(const json_t *array, const char *key, berth_arena *arena, const berth_descriptor **ret,
                     size_t *ret_n, berth_error *err)
{
    size_t n = json_array_size(array);
    if (n == 0)
        return BERTH_OK;
    berth_descriptor *d = berth_arena_alloc(arena, n * sizeof(*d));
    if (!d)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (oci_image_descriptor(json_array_get(array, i), arena, &d[i], err) != BERTH_OK)
            return berth_error_prefix(err, "%s[%zu]", key, i);
    *ret = d;
    *ret_n = n;
    return BERTH_OK;
}

static int read_history(const json_t *root, berth_arena *arena, berth_schema1 *s, berth_error *err)
{
    json_t *history = NULL;
    int r = oci_json_get(root, "history", JSON_ARRAY, &history, err);
    size_t n = json_array_size(history);
    if (r != BERTH_OK || n == 0)
        return r;
    const char **texts = berth_arena_alloc(arena, n * sizeof(*texts));
    if (!texts)
        return no_memory(err);
    for (size_t i = 0; r == BERTH_OK && i < n; i++) {
        texts[i] = "{}";
        r = oci_json_copy_text(json_array_get(history, i), "v1Compatibility", arena, &texts[i], err);
    }
    s->history = texts;
    s->n_history = n;
    return r;
}

static int read_schema1(const json_t *root, const oci_manifest *have, struct document *doc, berth_error *err)
{
    berth_schema1 *s = berth_arena_alloc(&doc->arena, sizeof(*s));
    berth_descriptor *layers =
        have->n_blobs ? berth_arena_alloc(&doc->arena, have->n_blobs * sizeof(*layers)) : NULL;
    if (!s || (have->n_blobs && !layers))
        return no_memory(err);
    int r = oci_json_copy_text(root, "name", &doc->arena, &s->name, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(root, "tag", &doc->arena, &s->tag, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(root, "architecture", &doc->arena, &s->architecture, err);
    if (r == BERTH_OK)
        r = read_history(root, &doc->arena, s, err);
    for (size_t i = 0; r == BERTH_OK && i < have->n_blobs; i++) {
        layers[i] = (berth_descriptor)BERTH_DESCRIPTOR_INIT;
        layers[i].size = BERTH_SIZE_UNKNOWN;
        layers[i].digest = berth_arena_dup(&doc->arena, digest_str(&have->blobs[i].digest));
        if (!layers[i].digest)
            r = no_memory(err);
    }
    s->is_signed = json_array_size(json_object_get(root, "signatures")) > 0;
    doc->m.schema1 = s;
    doc->m.layers = layers;
    doc->m.n_layers = have->n_blobs;
    return r;
}

/* @have has been read from the same @root: everything has the right type. */
static int read_fields(const json_t *root, const oci_manifest *have, struct document *doc, berth_error *err)
{
    berth_manifest *m = &doc->m;
    berth_arena *a = &doc->arena;
    int r = BERTH_OK;
    if (have->kind == MANIFEST_IMAGE) {
        r = read_one(json_object_get(root, "config"), a, &m->config, err);
        if (r == BERTH_OK)
            r = read_many(json_object_get(root, "layers"), "layers", a, &m->layers, &m->n_layers, err);
    } else if (have->kind == MANIFEST_INDEX)
        r = read_many(json_object_get(root, "manifests"), "manifests", a, &m->manifests, &m->n_manifests,
                      err);
    else
        return read_schema1(root, have, doc, err);
    if (r == BERTH_OK && have->has_subject)
        r = read_one(json_object_get(root, "subject"), a, &m->subject, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(root, "artifactType", a, &m->artifact_type, err);
    if (r == BERTH_OK)
        r = oci_json_copy_pairs(root, "annotations", a, &m->annotations, &m->n_annotations, err);
    if (r == BERTH_OK && m->artifact_type && !*m->artifact_type)
        m->artifact_type = NULL;
    return r;
}

/* The type that the body names decides; what it was announced as only where it names none. */
static int read_root(const json_t *root, const char *announced, struct document *doc, berth_error *err)
{
    oci_manifest have = {.kind = MANIFEST_OTHER};
    berth_str body = STR("");
    int r = oci_json_get_string(root, "mediaType", &body, err);
    if (r == BERTH_OK)
        r = oci_manifest_read(root, body.n ? body : str_from(announced), 0, &doc->arena, &have, err);
    if (r != BERTH_OK)
        return r;
    doc->m.kind = kind_of(have.kind);
    doc->m.media_type = have.media_type.p; /* static, and ends in NUL */
    return read_fields(root, &have, doc, err);
}

int berth_manifest_parse(const void *p, size_t n, const char *media_type, berth_manifest **ret_manifest,
                         berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    berth_error local = BERTH_ERROR_INIT;
    if (!err) /* prefixes are put before what is there */
        err = &local;
    int r = oci_manifest_load(p, n, &root, err);
    if (r != BERTH_OK)
        return r;
    struct document *doc = fault_hit() ? NULL : mem_zalloc(1, sizeof(*doc));
    if (!doc)
        return no_memory(err);
    r = oci_image_keep(p, n, &doc->arena, &doc->m.digest, &doc->m.data, err);
    doc->m.size = n;
    if (r == BERTH_OK)
        r = read_root(root, media_type, doc, err);
    if (r != BERTH_OK) {
        berth_manifest_free(&doc->m);
        return r;
    }
    *ret_manifest = &doc->m;
    return BERTH_OK;
}

void berth_manifest_free(berth_manifest *manifest)
{
    if (!manifest)
        return;
    struct document *doc = CONTAINER_OF(manifest, struct document, m);
    berth_arena_done(&doc->arena);
    mem_free(doc);
}

/* --- asking --- */

int berth_manifest_validate(const berth_manifest *manifest, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    berth_error local = BERTH_ERROR_INIT;
    if (!err)
        err = &local;
    int r = oci_manifest_load(manifest->data, manifest->size, &root, err);
    return r == BERTH_OK ? oci_schema_check_manifest(root, manifest, err) : r;
}

void berth_manifest_describe(const berth_manifest *manifest, berth_descriptor *ret_descriptor)
{
    *ret_descriptor = (berth_descriptor)BERTH_DESCRIPTOR_INIT;
    ret_descriptor->media_type = manifest->media_type;
    ret_descriptor->digest = manifest->digest;
    ret_descriptor->size = manifest->size;
    ret_descriptor->artifact_type = manifest->artifact_type;
}

const char *berth_manifest_annotation(const berth_manifest *manifest, const char *key)
{
    for (size_t i = 0; i < manifest->n_annotations; i++)
        if (strcmp(manifest->annotations[i].key, key) == 0)
            return manifest->annotations[i].value;
    return NULL;
}

const berth_descriptor *berth_manifest_for_platform(const berth_manifest *index, const berth_platform *want)
{
    const berth_descriptor *first = NULL;
    for (size_t i = 0; i < index->n_manifests; i++) {
        const berth_platform *have = index->manifests[i].platform;
        if (!have || !berth_platform_matches(have, want))
            continue;
        if (berth_platform_matches(want, have)) /* nothing more than was asked for */
            return &index->manifests[i];
        if (!first)
            first = &index->manifests[i];
    }
    return first;
}
