/* oci/layout.c - see layout.h. */
#include "oci/layout.h"

#include "oci/descriptor.h"

/* Of one import; an index.json is written by a tool, not by hand. */
static const oci_json_limits bounds = {.max_depth = 64, .max_containers = 500000, .max_values = 2000000};

int oci_layout_header_parse(const void *p, size_t n, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    berth_str version = STR("");
    int r = oci_json_load_object(p, n, &bounds, &root, err);
    if (r == BERTH_OK)
        r = oci_json_get_string(root, "imageLayoutVersion", &version, err);
    if (r != BERTH_OK)
        return r;
    if (version.n == 0)
        return berth_error_set(err, BERTH_E_INVALID, "it has no imageLayoutVersion");
    if (!str_starts(version, STR("1.")))
        return berth_error_set(err, BERTH_E_UNSUPPORTED,
                               "the image layout version '" STR_FMT "' is not known",
                               STR_ARG(str_head(version, 40)));
    return BERTH_OK;
}

static int read_entry(const json_t *j, berth_arena *arena, oci_layout_entry *ret, berth_error *err)
{
    json_t *annotations = NULL;
    int r = oci_descriptor_read(j, false, arena, &ret->descriptor, err);
    if (r == BERTH_OK)
        r = oci_json_get(j, "annotations", JSON_OBJECT, &annotations, err);
    if (r == BERTH_OK)
        r = oci_json_copy_string(annotations, "org.opencontainers.image.ref.name", arena, &ret->ref_name,
                                 err);
    return r;
}

int oci_layout_index_parse(const void *p, size_t n, berth_arena *arena, oci_layout_entry **ret_entries,
                           size_t *ret_n, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    json_t *manifests = NULL;
    berth_error local = BERTH_ERROR_INIT;
    if (!err) /* prefixes are put before what is there */
        err = &local;
    int r = oci_json_load_object(p, n, &bounds, &root, err);
    if (r == BERTH_OK)
        r = oci_json_get(root, "manifests", JSON_ARRAY, &manifests, err);
    if (r != BERTH_OK)
        return r;
    if (!json_object_get(root, "manifests"))
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "index.json has no 'manifests'");
    size_t count = json_array_size(manifests);
    oci_layout_entry *entries = count ? berth_arena_alloc(arena, count * sizeof(*entries)) : NULL;
    if (count && !entries)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (read_entry(json_array_get(manifests, i), arena, &entries[i], err) != BERTH_OK)
            return berth_error_prefix(err, "manifests[%zu]", i);
    *ret_entries = entries;
    *ret_n = count;
    return BERTH_OK;
}
