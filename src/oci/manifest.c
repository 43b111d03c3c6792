/* oci/manifest.c - decides what a manifest is and lists what it refers to; see manifest.h.
 *
 * The order matters for hostile input: bound, parse, decide the kind from what the pusher declared, refuse
 * contradictions (a document that one client reads as an image and another as an index), then read. */
#include "oci/manifest.h"

#include "oci/descriptor.h"

#define DEFAULT_DEPTH       64
#define DEFAULT_DESCRIPTORS 100000

static int invalid(berth_error *err, const char *message)
{
    return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "%s", message);
}

static int unknown_type(berth_error *err, berth_str type)
{
    return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                               "the media type '" STR_FMT "' is not a known kind of manifest",
                               STR_ARG(str_head(type, 150)));
}

static bool present(const json_t *root, const char *key)
{
    const json_t *v = json_object_get(root, key);
    return v && !json_is_null(v);
}

static json_int_t schema_version(const json_t *root)
{
    json_int_t version;
    bool present;
    return oci_json_get_integer(root, "schemaVersion", &version, &present, NULL) == BERTH_OK ? version : 0;
}

/* Without any declared type. */
static berth_str type_by_shape(const json_t *root)
{
    if (schema_version(root) == 1)
        return present(root, "signatures") ? STR(MT_DOCKER_SCHEMA1_JWS) : STR(MT_DOCKER_SCHEMA1);
    if (present(root, "manifests"))
        return STR(MT_OCI_INDEX);
    if (present(root, "layers") || present(root, "config"))
        return STR(MT_OCI_MANIFEST);
    return STR("");
}

static int decide_type(const json_t *root, berth_str content_type, oci_manifest *m, berth_error *err)
{
    berth_str declared = mediatype_essence(content_type), body = STR("");
    if (str_eq_nocase(declared, STR("application/json")))
        declared = STR("");
    int r = oci_json_get_string(root, "mediaType", &body, err);
    if (r != BERTH_OK)
        return r;
    berth_str type = declared.n ? declared : body.n ? body : type_by_shape(root);
    if (type.n == 0)
        return invalid(err, "neither a media type nor its fields say what kind of manifest it is");
    m->kind = mediatype_kind(type);
    m->media_type = mediatype_canonical(type);
    if (m->kind == MANIFEST_OTHER)
        return unknown_type(err, type);
    if (body.n && !str_eq_nocase(body, type) &&
        !(m->kind == MANIFEST_SCHEMA1 && mediatype_kind(body) == MANIFEST_SCHEMA1))
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                   "the mediaType '" STR_FMT "' contradicts the Content-Type '" STR_FMT "'",
                                   STR_ARG(str_head(body, 80)), STR_ARG(m->media_type));
    return BERTH_OK;
}

static int check_shape(const json_t *root, const oci_manifest *m, berth_error *err)
{
    json_int_t version = schema_version(root);
    if (version != (m->kind == MANIFEST_SCHEMA1 ? 1 : 2))
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "schemaVersion must be %d",
                                   m->kind == MANIFEST_SCHEMA1 ? 1 : 2);
    if (m->kind == MANIFEST_IMAGE && present(root, "manifests"))
        return invalid(err, "an image manifest must not have 'manifests'");
    if (m->kind == MANIFEST_INDEX && (present(root, "layers") || present(root, "config")))
        return invalid(err, "an index must not have 'layers' or 'config'");
    return BERTH_OK;
}

static int read_array(const json_t *array, const char *key, berth_arena *arena, oci_descriptor *out,
                      berth_error *err)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (oci_descriptor_read(json_array_get(array, i), strcmp(key, "layers") == 0, arena, &out[i], err))
            return berth_error_prefix(err, "%s[%zu]", key, i);
    return BERTH_OK;
}

static int alloc_descriptors(berth_arena *arena, size_t n, size_t max, oci_descriptor **ret, berth_error *err)
{
    if (n > max)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                   "it has %zu descriptors, more than the %zu that are allowed", n, max);
    *ret = n ? berth_arena_alloc(arena, n * sizeof(**ret)) : NULL;
    return n && !*ret ? no_memory(err) : BERTH_OK;
}

/* The specification requires `layers`; artifacts without the field are met in the field and are read as
 * having none. */
static int read_image(const json_t *root, size_t max, berth_arena *arena, oci_manifest *m, berth_error *err)
{
    json_t *config = NULL, *layers = NULL;
    int r = oci_json_get(root, "config", JSON_OBJECT, &config, err);
    if (r == BERTH_OK)
        r = oci_json_get(root, "layers", JSON_ARRAY, &layers, err);
    if (r != BERTH_OK)
        return r;
    if (!config)
        return invalid(err, "an image manifest must have 'config'");
    size_t n = 1 + json_array_size(layers);
    r = alloc_descriptors(arena, n, max, &m->blobs, err);
    if (r != BERTH_OK)
        return r;
    r = oci_descriptor_read(config, false, arena, &m->blobs[0], err);
    if (r != BERTH_OK)
        return berth_error_prefix(err, "config");
    m->n_blobs = n;
    m->config_media_type = m->blobs[0].media_type;
    return read_array(layers, "layers", arena, m->blobs + 1, err);
}

static int read_index(const json_t *root, size_t max, berth_arena *arena, oci_manifest *m, berth_error *err)
{
    json_t *manifests = NULL;
    int r = oci_json_get(root, "manifests", JSON_ARRAY, &manifests, err);
    if (r != BERTH_OK)
        return r;
    if (!json_object_get(root, "manifests")) /* null is what some encoders print for an empty list */
        return invalid(err, "an index must have 'manifests'");
    m->n_children = json_array_size(manifests);
    r = alloc_descriptors(arena, m->n_children, max, &m->children, err);
    return r == BERTH_OK ? read_array(manifests, "manifests", arena, m->children, err) : r;
}

static int read_annotations(const json_t *root, berth_arena *arena, berth_str *ret, berth_error *err)
{
    json_t *annotations = NULL, *value;
    const char *key;
    int r = oci_json_get(root, "annotations", JSON_OBJECT, &annotations, err);
    if (r != BERTH_OK || !json_object_size(annotations))
        return r;
    json_object_foreach(annotations, key, value) if (!json_is_string(value)) return invalid(
        err, "'annotations' must hold strings");
    size_t n = json_dumpb(annotations, NULL, 0, JSON_COMPACT);
    char *text = n ? berth_arena_alloc(arena, n) : NULL;
    if (!text || json_dumpb(annotations, text, n, JSON_COMPACT) != n)
        return no_memory(err);
    *ret = (berth_str){text, n};
    return BERTH_OK;
}

/* Its layers hold their blobs as those of an image do; their sizes it does not say. */
static int read_schema1(const json_t *root, size_t max, berth_arena *arena, oci_manifest *m, berth_error *err)
{
    json_t *layers = NULL;
    int r = oci_json_get(root, "fsLayers", JSON_ARRAY, &layers, err);
    size_t n = json_array_size(layers);
    if (r == BERTH_OK)
        r = alloc_descriptors(arena, n, max, &m->blobs, err);
    for (size_t i = 0; r == BERTH_OK && i < n; i++) {
        berth_str text = STR("");
        const json_t *layer = json_array_get(layers, i);
        m->blobs[i].size = UINT64_MAX;
        r = json_is_object(layer) ? oci_json_get_string(layer, "blobSum", &text, err)
                                  : invalid(err, "'fsLayers' must hold objects");
        if (r == BERTH_OK && digest_parse(text, &m->blobs[i].digest, NULL) != BERTH_OK)
            r = invalid(err, "'blobSum' must be a digest");
    }
    m->n_blobs = r == BERTH_OK ? n : 0;
    return r;
}

/* Where an image and an index are alike. */
static int read_common(const json_t *root, berth_arena *arena, oci_manifest *m, berth_error *err)
{
    json_t *subject = NULL;
    int r = oci_json_get(root, "subject", JSON_OBJECT, &subject, err);
    if (r != BERTH_OK)
        return r;
    if (subject) {
        if (oci_descriptor_read(subject, false, arena, &m->subject, err) != BERTH_OK)
            return berth_error_prefix(err, "subject");
        m->has_subject = true;
    }
    r = oci_descriptor_read_type(root, "artifactType", arena, &m->artifact_type, err);
    if (r == BERTH_OK && m->artifact_type.n == 0)
        m->artifact_type = m->config_media_type; /* empty in an index */
    return r == BERTH_OK ? read_annotations(root, arena, &m->annotations, err) : r;
}

oci_json_limits oci_manifest_bounds(size_t max_depth, size_t max_descriptors)
{
    return (oci_json_limits){
        .max_depth = max_depth ? max_depth : DEFAULT_DEPTH,
        .max_containers = 2 * (max_descriptors ? max_descriptors : DEFAULT_DESCRIPTORS) + 1000,
        .max_values = 8 * (max_descriptors ? max_descriptors : DEFAULT_DESCRIPTORS) + 10000,
    };
}

int oci_manifest_load(const void *p, size_t n, json_t **ret, berth_error *err)
{
    const oci_json_limits bounds = oci_manifest_bounds(0, 0);
    return oci_json_load_object(p, n, &bounds, ret, err);
}

int oci_manifest_read(const json_t *root, berth_str content_type, size_t max_descriptors, berth_arena *arena,
                      oci_manifest *ret, berth_error *err)
{
    size_t max = max_descriptors ? max_descriptors : DEFAULT_DESCRIPTORS;
    oci_manifest m = {.kind = MANIFEST_OTHER};
    berth_error local = BERTH_ERROR_INIT;
    if (!err) /* prefixes are put before what is there */
        err = &local;
    int r = decide_type(root, content_type, &m, err);
    if (r == BERTH_OK)
        r = check_shape(root, &m, err);
    if (r == BERTH_OK && m.kind == MANIFEST_IMAGE)
        r = read_image(root, max, arena, &m, err);
    if (r == BERTH_OK && m.kind == MANIFEST_INDEX)
        r = read_index(root, max, arena, &m, err);
    if (r == BERTH_OK && m.kind == MANIFEST_SCHEMA1)
        r = read_schema1(root, max, arena, &m, err);
    if (r == BERTH_OK && m.kind != MANIFEST_SCHEMA1)
        r = read_common(root, arena, &m, err);
    if (r == BERTH_OK)
        *ret = m;
    return r;
}

int oci_manifest_parse(const void *p, size_t n, berth_str content_type, const oci_manifest_limits *limits,
                       berth_arena *arena, oci_manifest *ret, berth_error *err)
{
    const oci_manifest_limits asked = limits ? *limits : (oci_manifest_limits){0};
    const oci_json_limits bounds = oci_manifest_bounds(asked.max_depth, asked.max_descriptors);
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    int r = oci_json_load_object(p, n, &bounds, &root, err);
    return r == BERTH_OK ? oci_manifest_read(root, content_type, asked.max_descriptors, arena, ret, err) : r;
}
