/* oci/image_descriptor.c - descriptors and their platforms, read whole and printed; see image.h. */
#include "oci/image.h"
#include "util/base64.h"

int oci_image_keep(const void *p, size_t n, berth_arena *arena, const char **ret_digest,
                   const void **ret_data, berth_error *err)
{
    berth_digest d;
    digest_of(HASH_SHA256, p, n, &d);
    *ret_digest = berth_arena_dup(arena, digest_str(&d));
    *ret_data = berth_arena_dup(arena, (berth_str){p, n});
    return *ret_digest && *ret_data ? BERTH_OK : no_memory(err);
}

/* "" says no more than nothing. */
static int read_text(const json_t *j, const char *key, berth_arena *arena, const char **ret, berth_error *err)
{
    int r = oci_json_copy_text(j, key, arena, ret, err);
    if (r == BERTH_OK && *ret && !**ret)
        *ret = NULL;
    return r;
}

int oci_image_platform(const json_t *j, berth_arena *arena, const berth_platform **ret, berth_error *err)
{
    berth_platform p = BERTH_PLATFORM_INIT;
    const struct {
        const char *key, **field;
    } texts[] = {{"os", &p.os},
                 {"architecture", &p.architecture},
                 {"variant", &p.variant},
                 {"os.version", &p.os_version}};
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < COUNT(texts); i++)
        r = read_text(j, texts[i].key, arena, texts[i].field, err);
    if (r == BERTH_OK)
        r = oci_json_copy_texts(j, "os.features", arena, &p.os_features, &p.n_os_features, err);
    if (r == BERTH_OK)
        r = oci_json_copy_texts(j, "features", arena, &p.features, &p.n_features, err);
    if (r != BERTH_OK)
        return r;
    if (!p.os && !p.architecture && !p.variant && !p.os_version && !p.n_os_features && !p.n_features)
        return BERTH_OK;
    berth_platform *copy = berth_arena_alloc(arena, sizeof(*copy));
    if (!copy)
        return no_memory(err);
    *copy = p;
    *ret = copy;
    return BERTH_OK;
}

/* Content that stands in the descriptor (image-spec, descriptor.md "data"). */
static int read_data(const json_t *j, berth_arena *arena, berth_descriptor *d, berth_error *err)
{
    berth_str text = STR("");
    int r = oci_json_get_string(j, "data", &text, err);
    if (r != BERTH_OK || !json_object_get(j, "data"))
        return r;
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(text.n + 4);
    if (!base64_decode(text, &bytes))
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "'data' is not base64");
    char *copy = berth_buf_failed(&bytes) ? NULL : berth_arena_dup(arena, berth_buf_str(&bytes));
    if (!copy)
        return no_memory(err);
    d->data = copy;
    d->n_data = bytes.n;
    return BERTH_OK;
}

int oci_image_descriptor(const json_t *j, berth_arena *arena, berth_descriptor *ret, berth_error *err)
{
    berth_descriptor d = BERTH_DESCRIPTOR_INIT;
    json_t *platform = NULL;
    json_int_t size = 0;
    bool present;
    int r = oci_json_copy_text(j, "mediaType", arena, &d.media_type, err);
    if (r == BERTH_OK)
        r = oci_json_copy_text(j, "digest", arena, &d.digest, err);
    if (r == BERTH_OK)
        r = oci_json_get_integer(j, "size", &size, &present, err);
    if (r == BERTH_OK)
        r = read_text(j, "artifactType", arena, &d.artifact_type, err);
    if (r == BERTH_OK)
        r = oci_json_copy_pairs(j, "annotations", arena, &d.annotations, &d.n_annotations, err);
    if (r == BERTH_OK)
        r = oci_json_copy_texts(j, "urls", arena, &d.urls, &d.n_urls, err);
    if (r == BERTH_OK)
        r = read_data(j, arena, &d, err);
    if (r == BERTH_OK)
        r = oci_json_get(j, "platform", JSON_OBJECT, &platform, err);
    if (r == BERTH_OK && platform)
        r = oci_image_platform(platform, arena, &d.platform, err);
    if (r != BERTH_OK)
        return r;
    d.size = (uint64_t)size;
    *ret = d;
    return BERTH_OK;
}

const char *berth_descriptor_annotation(const berth_descriptor *descriptor, const char *key)
{
    for (size_t i = 0; i < descriptor->n_annotations; i++)
        if (strcmp(descriptor->annotations[i].key, key) == 0)
            return descriptor->annotations[i].value;
    return NULL;
}

/* --- into JSON --- */

/* False without memory, or for a string that is no UTF-8. NULL is left out. */
static bool set_text(json_t *j, const char *key, const char *text)
{
    return !text || json_object_set_new(j, key, json_string(text)) == 0;
}

static bool set_texts(json_t *j, const char *key, const char *const *texts, size_t n)
{
    if (n == 0)
        return true;
    json_t *array = json_array();
    bool good = array;
    for (size_t i = 0; good && i < n; i++)
        good = json_array_append_new(array, json_string(texts[i])) == 0;
    if (good)
        return json_object_set_new(j, key, array) == 0;
    json_decref(array);
    return false;
}

static bool set_pairs(json_t *j, const berth_annotation *pairs, size_t n)
{
    if (n == 0)
        return true;
    json_t *object = json_object();
    bool good = object;
    for (size_t i = 0; good && i < n; i++)
        good = pairs[i].key && pairs[i].value && set_text(object, pairs[i].key, pairs[i].value);
    if (good)
        return json_object_set_new(j, "annotations", object) == 0;
    json_decref(object);
    return false;
}

static bool set_data(json_t *j, const berth_descriptor *d)
{
    if (!d->data)
        return true;
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(d->n_data / 3 * 4 + 8);
    base64_encode(&text, d->data, d->n_data);
    return !berth_buf_failed(&text) &&
           json_object_set_new(j, "data", json_stringn(berth_buf_str(&text).p, text.n)) == 0;
}

json_t *oci_image_platform_json(const berth_platform *p)
{
    json_t *j = json_object();
    if (j && set_text(j, "architecture", p->architecture) && set_text(j, "os", p->os) &&
        set_text(j, "os.version", p->os_version) &&
        set_texts(j, "os.features", p->os_features, p->n_os_features) && set_text(j, "variant", p->variant) &&
        set_texts(j, "features", p->features, p->n_features))
        return j;
    json_decref(j);
    return NULL;
}

json_t *oci_image_descriptor_json(const berth_descriptor *d)
{
    json_t *j = json_object();
    if (j && set_text(j, "mediaType", d->media_type) && set_text(j, "digest", d->digest) &&
        json_object_set_new(j, "size", json_integer((json_int_t)d->size)) == 0 && set_data(j, d) &&
        set_texts(j, "urls", d->urls, d->n_urls) && set_pairs(j, d->annotations, d->n_annotations) &&
        (!d->platform || json_object_set_new(j, "platform", oci_image_platform_json(d->platform)) == 0) &&
        set_text(j, "artifactType", d->artifact_type))
        return j;
    json_decref(j);
    return NULL;
}
