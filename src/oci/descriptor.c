/* oci/descriptor.c - see descriptor.h. What the specification does not name (data, annotations, fields of
 * others) passes unread. */
#include "oci/descriptor.h"

/* RFC 6838 allows 127 bytes on each side of the slash. */
#define MEDIA_TYPE_MAX 255

static int invalid(berth_error *err, const char *message)
{
    return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "%s", message);
}

/* Checked for length and visible ASCII only: types in the field do not all keep to RFC 6838. */
int oci_descriptor_read_type(const json_t *j, const char *key, berth_arena *arena, berth_str *ret,
                             berth_error *err)
{
    berth_str type = STR("");
    int r = oci_json_copy_string(j, key, arena, &type, err);
    if (r != BERTH_OK)
        return r;
    bool good = type.n <= MEDIA_TYPE_MAX;
    for (size_t i = 0; good && i < type.n; i++)
        good = type.p[i] >= 0x20 && type.p[i] < 0x7f;
    if (!good)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "'%s' is not a media type", key);
    *ret = type;
    return BERTH_OK;
}

static int read_digest(const json_t *j, berth_digest *ret, berth_error *err)
{
    berth_str text = STR("");
    int r = oci_json_get_string(j, "digest", &text, err);
    if (r != BERTH_OK)
        return r;
    if (text.n == 0)
        return invalid(err, "it has no digest");
    berth_error why;
    return digest_parse(text, ret, &why) == BERTH_OK ? BERTH_OK : invalid(err, why.message);
}

static int read_size(const json_t *j, uint64_t *ret, berth_error *err)
{
    json_int_t size;
    bool present;
    int r = oci_json_get_integer(j, "size", &size, &present, err);
    if (r != BERTH_OK)
        return r;
    if (!present)
        return invalid(err, "it has no size");
    if (size < 0)
        return invalid(err, "its size is negative");
    *ret = (uint64_t)size;
    return BERTH_OK;
}

static int read_urls(const json_t *j, berth_arena *arena, oci_descriptor *ret, berth_error *err)
{
    json_t *urls = NULL;
    int r = oci_json_get(j, "urls", JSON_ARRAY, &urls, err);
    if (r != BERTH_OK)
        return r;
    size_t n = json_array_size(urls);
    if (n == 0)
        return BERTH_OK;
    ret->urls = berth_arena_alloc(arena, n * sizeof(*ret->urls));
    if (!ret->urls)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *url = json_array_get(urls, i);
        if (!json_is_string(url))
            return invalid(err, "'urls' must hold strings");
        ret->urls[i] = berth_arena_str(arena, (berth_str){json_string_value(url), json_string_length(url)});
        if (!ret->urls[i].p)
            return no_memory(err);
    }
    ret->n_urls = n;
    return BERTH_OK;
}

static int read_platform(const json_t *j, berth_arena *arena, oci_descriptor *ret, berth_error *err)
{
    json_t *platform = NULL;
    int r = oci_json_get(j, "platform", JSON_OBJECT, &platform, err);
    if (r != BERTH_OK || !platform)
        return r;
    ret->has_platform = true;
    r = oci_json_copy_string(platform, "os", arena, &ret->platform.os, err);
    if (r == BERTH_OK)
        r = oci_json_copy_string(platform, "architecture", arena, &ret->platform.architecture, err);
    if (r == BERTH_OK)
        r = oci_json_copy_string(platform, "variant", arena, &ret->platform.variant, err);
    if (r == BERTH_OK)
        r = oci_json_copy_string(platform, "os.version", arena, &ret->platform.os_version, err);
    return r;
}

int oci_descriptor_read(const json_t *j, bool layer, berth_arena *arena, oci_descriptor *ret,
                        berth_error *err)
{
    oci_descriptor d = {.size = 0};
    if (!json_is_object(j))
        return invalid(err, "a descriptor must be an object");
    int r = oci_descriptor_read_type(j, "mediaType", arena, &d.media_type, err);
    if (r == BERTH_OK && d.media_type.n == 0)
        r = invalid(err, "it has no mediaType");
    if (r == BERTH_OK)
        r = read_digest(j, &d.digest, err);
    if (r == BERTH_OK)
        r = read_size(j, &d.size, err);
    if (r == BERTH_OK)
        r = oci_descriptor_read_type(j, "artifactType", arena, &d.artifact_type, err);
    if (r == BERTH_OK)
        r = read_urls(j, arena, &d, err);
    if (r == BERTH_OK)
        r = read_platform(j, arena, &d, err);
    if (r != BERTH_OK)
        return r;
    d.foreign = layer && (d.n_urls > 0 || mediatype_is_foreign(d.media_type));
    *ret = d;
    return BERTH_OK;
}
