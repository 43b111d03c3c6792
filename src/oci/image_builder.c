/* oci/image_builder.c - makes and edits manifests; see berth/manifest.h.
 *
 * A builder is a JSON document with a few doors. What it gives back was printed and read again, so that
 * bytes, digest, type and fields agree by construction, and a builder can make nothing that a reader refuses.
 */
#include "oci/document.h"
#include "oci/image.h"
#include "util/fault.h"

struct berth_builder {
    json_t *root;
    enum manifest_kind kind;
    bool docker;
};

#define PRINTED_MAX (256 * MIB) /* far above what the bounds of a manifest let be read back */

static int builder_make(json_t *root, berth_str media_type, berth_builder **ret, berth_error *err)
{
    berth_builder *b = fault_hit() ? NULL : mem_zalloc(1, sizeof(*b));
    if (!b || !root) {
        json_decref(root);
        mem_free(b);
        return no_memory(err);
    }
    b->root = root;
    b->kind = mediatype_kind(media_type);
    b->docker = mediatype_is_docker(media_type);
    *ret = b;
    return BERTH_OK;
}

int berth_builder_new(const char *media_type, berth_builder **ret_builder, berth_error *err)
{
    berth_str type = mediatype_canonical(str_from(media_type));
    enum manifest_kind kind = mediatype_kind(type);
    if (kind != MANIFEST_IMAGE && kind != MANIFEST_INDEX)
        return berth_error_set(err, BERTH_E_INVALID,
                               "'%.100s' is no media type of an image manifest or an index",
                               media_type ? media_type : "");
    json_t *root = json_pack("{s:i,s:s,s:[]}", "schemaVersion", 2, "mediaType", type.p,
                             kind == MANIFEST_INDEX ? "manifests" : "layers");
    return builder_make(root, type, ret_builder, err);
}

int berth_builder_from(const berth_manifest *manifest, berth_builder **ret_builder, berth_error *err)
{
    json_t *root = NULL;
    if (manifest->kind == BERTH_KIND_SCHEMA1)
        return berth_error_set(err, BERTH_E_UNSUPPORTED, "Docker's schema 1 can't be edited");
    int r = oci_manifest_load(manifest->data, manifest->size, &root, err);
    if (r != BERTH_OK)
        return r;
    /* what it was announced as must not be lost with the header that said so */
    const char *list = manifest->kind == BERTH_KIND_INDEX ? "manifests" : "layers";
    if ((!json_is_string(json_object_get(root, "mediaType")) &&
         json_object_set_new(root, "mediaType", json_string(manifest->media_type)) < 0) ||
        (!json_is_array(json_object_get(root, list)) && json_object_set_new(root, list, json_array()) < 0)) {
        json_decref(root);
        return no_memory(err);
    }
    return builder_make(root, str_from(manifest->media_type), ret_builder, err);
}

void berth_builder_free(berth_builder *builder)
{
    if (!builder)
        return;
    json_decref(builder->root);
    mem_free(builder);
}

/* --- descriptors --- */

static bool texts_valid(const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!oci_utf8_valid(str_from(texts[i])))
            return false;
    return true;
}

/* Whether all of it can be told in JSON. */
static bool can_be_told(const berth_descriptor *d)
{
    const berth_platform none = BERTH_PLATFORM_INIT, *p = d->platform ? d->platform : &none;
    const char *const texts[] = {d->media_type,   d->digest,  d->artifact_type, p->os,
                                 p->architecture, p->variant, p->os_version};
    bool good = texts_valid(texts, COUNT(texts)) && texts_valid(d->urls, d->n_urls) &&
                texts_valid(p->os_features, p->n_os_features) && texts_valid(p->features, p->n_features);
    for (size_t i = 0; good && i < d->n_annotations; i++)
        good = d->annotations[i].key && d->annotations[i].value &&
               oci_utf8_valid(str_from(d->annotations[i].key)) &&
               oci_utf8_valid(str_from(d->annotations[i].value));
    return good;
}

/* *@ret: a new object that any reader takes. */
static int describe(const berth_descriptor *d, json_t **ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_descriptor read;
    if (!d->media_type || !d->digest || d->size > INT64_MAX)
        return berth_error_set(err, BERTH_E_INVALID, "a descriptor has a media type, a digest and a size");
    if (!can_be_told(d))
        return berth_error_set(err, BERTH_E_INVALID, "a descriptor has strings of UTF-8 alone");
    json_t *j = fault_hit() ? NULL : oci_image_descriptor_json(d);
    if (!j)
        return no_memory(err);
    int r = oci_descriptor_read(j, false, &arena, &read, err);
    if (r == BERTH_OK)
        *ret = j;
    else
        json_decref(j);
    return r;
}

static int check_kind(const berth_builder *b, enum manifest_kind kind, const char *what, berth_error *err)
{
    if (b->kind == kind)
        return BERTH_OK;
    return berth_error_set(err, BERTH_E_INVALID, "%s has no %s",
                           b->kind == MANIFEST_INDEX ? "an index" : "an image manifest", what);
}

static int set(berth_builder *b, const char *key, json_t *value, berth_error *err)
{
    return json_object_set_new(b->root, key, value) == 0 ? BERTH_OK : no_memory(err);
}

static int append(berth_builder *b, const char *key, json_t *value, berth_error *err)
{
    return json_array_append_new(json_object_get(b->root, key), value) == 0 ? BERTH_OK : no_memory(err);
}

int berth_builder_set_config(berth_builder *builder, const berth_descriptor *config, berth_error *err)
{
    json_t *j = NULL;
    int r = check_kind(builder, MANIFEST_IMAGE, "config", err);
    if (r == BERTH_OK)
        r = describe(config, &j, err);
    return r == BERTH_OK ? set(builder, "config", j, err) : r;
}

int berth_builder_add_layer(berth_builder *builder, const berth_descriptor *layer, berth_error *err)
{
    json_t *j = NULL;
    int r = check_kind(builder, MANIFEST_IMAGE, "layers", err);
    if (r == BERTH_OK)
        r = describe(layer, &j, err);
    return r == BERTH_OK ? append(builder, "layers", j, err) : r;
}

/* What readers choose by stands for the same twice. */
static bool same_place(const json_t *a, const json_t *b)
{
    const json_t *p = json_object_get(a, "platform"), *q = json_object_get(b, "platform");
    return json_equal(json_object_get(a, "digest"), json_object_get(b, "digest")) &&
           (p == q || json_equal(p, q));
}

int berth_builder_add_manifest(berth_builder *builder, const berth_descriptor *manifest, berth_error *err)
{
    json_t *j = NULL, *list = json_object_get(builder->root, "manifests");
    int r = check_kind(builder, MANIFEST_INDEX, "manifests", err);
    if (r == BERTH_OK)
        r = describe(manifest, &j, err);
    if (r != BERTH_OK)
        return r;
    if (mediatype_kind(str_from(manifest->media_type)) != MANIFEST_OTHER &&
        berth_media_type_is_docker(manifest->media_type) != builder->docker) {
        json_decref(j);
        return berth_error_set(err, BERTH_E_INVALID, "%s can't stand in %s: Docker and OCI are not mixed",
                               builder->docker ? "an OCI manifest" : "a Docker manifest",
                               builder->docker ? "Docker's list" : "an OCI index");
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        if (same_place(json_array_get(list, i), j))
            return json_array_set_new(list, i, j) == 0 ? BERTH_OK : no_memory(err);
    return append(builder, "manifests", j, err);
}

int berth_builder_add_image(berth_builder *builder, const berth_manifest *image, const berth_config *config,
                            berth_error *err)
{
    berth_descriptor d;
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < image->n_manifests; i++)
        r = berth_builder_add_manifest(builder, &image->manifests[i], err);
    if (r != BERTH_OK || image->kind == BERTH_KIND_INDEX)
        return r;
    berth_manifest_describe(image, &d);
    d.platform = config ? config->platform : NULL;
    return berth_builder_add_manifest(builder, &d, err);
}

static bool is_meant(const json_t *entry, const char *digest, const berth_platform *platform)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    const berth_platform *have = NULL;
    const char *text = json_string_value(json_object_get(entry, "digest"));
    if (digest && (!text || strcmp(text, digest) != 0))
        return false;
    if (!platform)
        return true;
    return oci_image_platform(json_object_get(entry, "platform"), &arena, &have, NULL) == BERTH_OK && have &&
           berth_platform_matches(have, platform);
}

size_t berth_builder_remove(berth_builder *builder, const char *digest, const berth_platform *platform)
{
    json_t *list = json_object_get(builder->root, builder->kind == MANIFEST_INDEX ? "manifests" : "layers");
    size_t removed = 0;
    for (size_t i = json_array_size(list); i-- > 0;)
        if (is_meant(json_array_get(list, i), digest, platform) && json_array_remove(list, i) == 0)
            removed++;
    return removed;
}

/* --- what images and indexes share --- */

static int check_oci(const berth_builder *b, const char *what, berth_error *err)
{
    return b->docker ? berth_error_set(err, BERTH_E_INVALID, "Docker's manifests have no %s", what)
                     : BERTH_OK;
}

int berth_builder_set_subject(berth_builder *builder, const berth_descriptor *subject, berth_error *err)
{
    json_t *j = NULL;
    int r = check_oci(builder, "subject", err);
    if (r != BERTH_OK)
        return r;
    if (!subject) {
        json_object_del(builder->root, "subject");
        return BERTH_OK;
    }
    r = describe(subject, &j, err);
    return r == BERTH_OK ? set(builder, "subject", j, err) : r;
}

int berth_builder_set_artifact_type(berth_builder *builder, const char *artifact_type, berth_error *err)
{
    int r = check_oci(builder, "artifact type", err);
    if (r != BERTH_OK)
        return r;
    if (!artifact_type) {
        json_object_del(builder->root, "artifactType");
        return BERTH_OK;
    }
    if (!mediatype_valid(str_from(artifact_type)))
        return berth_error_set(err, BERTH_E_INVALID, "'%.100s' is not a media type", artifact_type);
    return set(builder, "artifactType", json_string(artifact_type), err);
}

int berth_builder_set_annotation(berth_builder *builder, const char *key, const char *value, berth_error *err)
{
    json_t *annotations = json_object_get(builder->root, "annotations");
    int r = check_oci(builder, "annotations", err);
    if (r != BERTH_OK)
        return r;
    if (!key || !*key)
        return berth_error_set(err, BERTH_E_INVALID, "an annotation has a name");
    if (!oci_utf8_valid(str_from(key)) || !oci_utf8_valid(str_from(value)))
        return berth_error_set(err, BERTH_E_INVALID, "an annotation is of UTF-8 alone");
    if (!value) {
        json_object_del(annotations, key);
        if (json_object_size(annotations) == 0)
            json_object_del(builder->root, "annotations");
        return BERTH_OK;
    }
    if (!json_is_object(annotations)) {
        if ((r = set(builder, "annotations", json_object(), err)) != BERTH_OK)
            return r;
        annotations = json_object_get(builder->root, "annotations");
    }
    return json_object_set_new(annotations, key, json_string(value)) == 0 ? BERTH_OK : no_memory(err);
}

/* --- printing --- */

/* The members in the order of the specification, those of others behind them; all lent. */
static json_t *in_order(const json_t *root)
{
    static const char *const order[] = {"schemaVersion", "mediaType", "artifactType", "config",
                                        "layers",        "manifests", "subject",      "annotations"};
    json_t *out = json_object(), *value;
    bool good = out;
    for (size_t i = 0; good && i < COUNT(order); i++)
        if ((value = json_object_get(root, order[i])))
            good = json_object_set(out, order[i], value) == 0;
    if (good)
        good = json_object_update_missing(out, (json_t *)(uintptr_t)root) == 0;
    if (good)
        return out;
    json_decref(out);
    return NULL;
}

int berth_builder_finish(const berth_builder *builder, berth_manifest **ret_manifest, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(PRINTED_MAX);
    CLEANUP(oci_json_unrefp) json_t *ordered = fault_hit() ? NULL : in_order(builder->root);
    if (!ordered)
        return no_memory(err);
    oci_json_print(ordered, &text);
    if (berth_buf_failed(&text))
        return no_memory(err);
    return berth_manifest_parse(text.p, text.n, NULL, ret_manifest, err);
}
