/* oci/layout.c - see layout.h. */
#include "oci/layout.h"

#include <berth/layout.h>

#include "oci/descriptor.h"
#include "util/fault.h"

#define REF_NAME "org.opencontainers.image.ref.name"

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
        r = oci_json_copy_string(annotations, REF_NAME, arena, &ret->ref_name, err);
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
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        if (read_entry(json_array_get(manifests, i), arena, &entries[i], err) != BERTH_OK)
            return berth_error_prefix(err, "manifests[%zu]", i);
    *ret_entries = entries;
    *ret_n = count;
    return BERTH_OK;
}

/* --- an index that grows --- */

struct oci_layout_index {
    json_t *root, *manifests;
    json_t *named, *nameless; /* its entries by reference name, by digest */
    bool repeated;            /* some name is there more than once: allowed, for platforms */
};

static const char *name_of(const json_t *entry)
{
    return json_string_value(json_object_get(json_object_get(entry, "annotations"), REF_NAME));
}

/* Makes the entry found again by what it is known by. */
static int remember(oci_layout_index *x, json_t *entry, berth_error *err)
{
    const char *name = name_of(entry);
    const char *key = name ? name : json_string_value(json_object_get(entry, "digest"));
    json_t *map = name ? x->named : x->nameless;
    const json_t *before = json_object_get(map, key);
    x->repeated = x->repeated || (name && before && before != entry);
    return json_object_set(map, key, entry) == 0 ? BERTH_OK : no_memory(err);
}

static int load_index(oci_layout_index *x, const void *p, size_t n, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    oci_layout_entry *entries;
    size_t count;
    int r = oci_layout_index_parse(p, n, &a, &entries, &count, err);
    if (r == BERTH_OK)
        r = oci_json_load_object(p, n, &bounds, &x->root, err);
    if (r != BERTH_OK)
        return r;
    x->manifests = json_object_get(x->root, "manifests");
    if (json_is_null(x->manifests))
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "index.json has no 'manifests'");
    for (size_t i = 0; r == BERTH_OK && i < count; i++)
        r = remember(x, json_array_get(x->manifests, i), err);
    return r;
}

int oci_layout_index_open(const void *p, size_t n, oci_layout_index **ret, berth_error *err)
{
    oci_layout_index *x = fault_hit() ? NULL : mem_zalloc(1, sizeof(*x));
    if (!x)
        return no_memory(err);
    x->named = json_object();
    x->nameless = json_object();
    int r = x->named && x->nameless ? BERTH_OK : no_memory(err);
    if (r == BERTH_OK && n)
        r = load_index(x, p, n, err);
    else if (r == BERTH_OK) {
        x->root = json_pack("{s:i,s:s,s:[]}", "schemaVersion", 2, "mediaType", MT_OCI_INDEX, "manifests");
        x->manifests = json_object_get(x->root, "manifests");
        r = x->root ? BERTH_OK : no_memory(err);
    }
    if (r != BERTH_OK) {
        oci_layout_index_free(x);
        return r;
    }
    *ret = x;
    return BERTH_OK;
}

/* All but one of the entries called @name. */
static void remove_others(oci_layout_index *x, const char *name, const json_t *but)
{
    for (size_t i = json_array_size(x->manifests); i-- > 0;) {
        const json_t *entry = json_array_get(x->manifests, i);
        const char *have = name_of(entry);
        if (entry != but && have && strcmp(have, name) == 0)
            json_array_remove(x->manifests, i);
    }
}

int oci_layout_index_put(oci_layout_index *x, const berth_digest *d, berth_str media_type, uint64_t size,
                         berth_str ref_name, berth_error *err)
{
    CLEANUP(oci_json_unrefp)
    json_t *fresh = fault_hit() ? NULL
                                : json_pack("{s:s%,s:s,s:I}", "mediaType", media_type.p, media_type.n,
                                            "digest", d->text, "size", (json_int_t)size);
    if (fresh && ref_name.n &&
        json_object_set_new(fresh, "annotations", json_pack("{s:s%}", REF_NAME, ref_name.p, ref_name.n)) < 0)
        return no_memory(err);
    if (!fresh)
        return no_memory(err);
    const char *name = name_of(fresh);
    json_t *entry = name ? json_object_get(x->named, name) : NULL;
    if (entry && x->repeated)
        remove_others(x, name, entry);
    if (!entry) /* it may have been there before it had a name */
        entry = json_object_get(x->nameless, d->text);
    if (entry) {
        json_object_clear(entry);
        int r = json_object_update(entry, fresh) == 0 ? remember(x, entry, err) : no_memory(err);
        if (name && json_object_get(x->nameless, d->text) == entry)
            json_object_del(x->nameless, d->text);
        return r;
    }
    if (json_array_size(x->manifests) >= OCI_LAYOUT_INDEX_ENTRIES)
        return berth_error_set(err, BERTH_E_TOO_BIG, "an index.json has no room for more than %d entries",
                               OCI_LAYOUT_INDEX_ENTRIES);
    return json_array_append(x->manifests, fresh) == 0 ? remember(x, fresh, err) : no_memory(err);
}

static const char *digest_in(const json_t *entry)
{
    return json_string_value(json_object_get(entry, "digest"));
}

static bool has_another(const oci_layout_index *x, size_t at)
{
    const char *digest = digest_in(json_array_get(x->manifests, at));
    for (size_t i = 0; i < json_array_size(x->manifests); i++)
        if (i != at && strcmp(digest_in(json_array_get(x->manifests, i)), digest) == 0)
            return true;
    return false;
}

static void remove_name(oci_layout_index *x, size_t at)
{
    json_t *entry = json_array_get(x->manifests, at), *annotations = json_object_get(entry, "annotations");
    if (has_another(x, at)) {
        json_array_remove(x->manifests, at);
        return;
    }
    json_object_del(annotations, REF_NAME);
    if (json_object_size(annotations) == 0)
        json_object_del(entry, "annotations");
}

static void remove_digest(oci_layout_index *x, const char *digest)
{
    for (size_t i = json_array_size(x->manifests); i-- > 0;)
        if (strcmp(digest_in(json_array_get(x->manifests, i)), digest) == 0)
            json_array_remove(x->manifests, i);
}

/* Finds what changed by its keys. */
static int remember_all(oci_layout_index *x, berth_error *err)
{
    int r = BERTH_OK;
    json_object_clear(x->named);
    json_object_clear(x->nameless);
    x->repeated = false;
    for (size_t i = 0; r == BERTH_OK && i < json_array_size(x->manifests); i++)
        r = remember(x, json_array_get(x->manifests, i), err);
    return r;
}

int oci_layout_index_remove(oci_layout_index *x, berth_str ref_name, bool purge, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    bool found = false;
    for (size_t i = json_array_size(x->manifests); i-- > 0;) {
        const json_t *entry = json_array_get(x->manifests, i);
        const char *digest;
        if (!entry || !name_of(entry) || !str_eq(str_from(name_of(entry)), ref_name))
            continue;
        found = true;
        if (!purge) {
            remove_name(x, i);
            continue;
        }
        digest = berth_arena_dup(&a, str_from(digest_in(entry)));
        if (!digest)
            return no_memory(err);
        remove_digest(x, digest);
    }
    return found ? remember_all(x, err)
                 : berth_error_set_oci(err, BERTH_E_NOT_FOUND, "MANIFEST_UNKNOWN",
                                       "there is no '" STR_FMT "'", STR_ARG(str_head(ref_name, 150)));
}

void oci_layout_index_print(const oci_layout_index *x, berth_buf *out)
{
    oci_json_print(x->root, out);
}

void oci_layout_index_free(oci_layout_index *x)
{
    if (!x)
        return;
    json_decref(x->root);
    json_decref(x->named);
    json_decref(x->nameless);
    mem_free(x);
}

int berth_layout_file_check(const void *p, size_t n, berth_error *err)
{
    return oci_layout_header_parse(p, n, err);
}
