/* oci/fallback.c - see fallback.h. An index is edited as the JSON it is, so that others' fields survive. */
#include "oci/fallback.h"

#include "oci/descriptor.h"
#include "oci/document.h"
#include "oci/json.h"

#define TEXT_MAX (64 * MIB) /* the annotations of one entry, printed again */

static const oci_json_limits limits = {.max_depth = 32, .max_containers = 100000, .max_values = 1000000};

void oci_fallback_tag(berth_str digest, char out[FALLBACK_TAG_MAX])
{
    berth_str algorithm, digits;
    str_cut(digest, ':', &algorithm, &digits);
    algorithm = str_head(algorithm, 32);
    digits = str_head(digits, 64);
    size_t n = 0;
    memcpy(out, algorithm.p, algorithm.n);
    n += algorithm.n;
    out[n++] = '-';
    if (digits.n)
        memcpy(out + n, digits.p, digits.n);
    n += digits.n;
    out[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        char c = out[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    (i > 0 && (c == '.' || c == '-'));
        if (!fits)
            out[i] = i ? '-' : '_';
    }
}

static int no_index(berth_error *err)
{
    return berth_error_set(err, BERTH_E_INVALID, "what came is no index of referrers");
}

static int load(berth_str body, json_t **ret, json_t **ret_list, berth_error *err)
{
    int r = oci_json_load_object(body.p, body.n, &limits, ret, err);
    if (r == BERTH_OK)
        r = oci_json_get(*ret, "manifests", JSON_ARRAY, ret_list, err);
    if (r == BERTH_E_NOMEM)
        return r;
    return r == BERTH_OK && json_object_get(*ret, "manifests") ? BERTH_OK : no_index(err);
}

static int copy_annotations(const json_t *entry, berth_arena *arena, berth_str *ret, berth_error *err)
{
    const json_t *annotations = json_object_get(entry, "annotations");
    *ret = STR("");
    if (!json_is_object(annotations))
        return BERTH_OK;
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(TEXT_MAX);
    bool printed = json_dump_callback(annotations, berth_buf_write, &text, JSON_COMPACT) == 0;
    *ret = berth_arena_str(arena, berth_buf_str(&text));
    return printed && ret->p ? BERTH_OK : no_memory(err);
}

static int read_entry(const json_t *entry, berth_arena *arena, oci_referrer *ret, berth_error *err)
{
    oci_descriptor d = {0};
    int r = oci_descriptor_read(entry, false, arena, &d, err);
    if (r != BERTH_OK)
        return r == BERTH_E_NOMEM ? r : no_index(err);
    ret->media_type = d.media_type;
    ret->artifact_type = d.artifact_type;
    ret->digest = berth_arena_str(arena, digest_str(&d.digest));
    ret->size = d.size;
    if (!ret->digest.p)
        return no_memory(err);
    return copy_annotations(entry, arena, &ret->annotations_json, err);
}

int oci_read_referrers(berth_str body, berth_arena *arena, oci_referrer **ret, size_t *ret_n,
                       berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    json_t *list = NULL;
    int r = load(body, &j, &list, err);
    if (r != BERTH_OK)
        return r;
    size_t n = json_array_size(list);
    oci_referrer *items = berth_arena_alloc(arena, MAX(n, (size_t)1) * sizeof(*items));
    if (!items)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        r = read_entry(json_array_get(list, i), arena, &items[i], err);
        if (r != BERTH_OK)
            return r;
    }
    *ret = items;
    *ret_n = n;
    return BERTH_OK;
}

/* True if it was there. */
static bool drop(json_t *list, berth_str digest)
{
    bool found = false;
    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *have = json_string_value(json_object_get(json_array_get(list, i), "digest"));
        if (have && str_eq(str_from(have), digest)) {
            json_array_remove(list, i);
            found = true;
        }
    }
    return found;
}

static int dump(const json_t *j, berth_buf *out, berth_error *err)
{
    bool printed = json_dump_callback(j, berth_buf_write, out, JSON_COMPACT) == 0;
    if (berth_buf_exceeded(out))
        return berth_error_set(err, BERTH_E_TOO_BIG, "the index of referrers has no room");
    return printed ? BERTH_OK : no_memory(err);
}

int oci_fallback_add(berth_str body, const oci_referrer *add, berth_buf *out, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf one = BERTH_BUF_INIT(8 * MIB);
    CLEANUP(oci_json_unrefp) json_t *fresh = NULL;
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    json_t *entry = NULL, *list = NULL;
    oci_print_referrers(&one, add, 1);
    int r = berth_buf_failed(&one) ? no_memory(err) : load(berth_buf_str(&one), &fresh, &entry, err);
    if (r != BERTH_OK)
        return r;
    if (!body.n)
        return dump(fresh, out, err);
    r = load(body, &j, &list, err);
    if (r != BERTH_OK)
        return r;
    drop(list, add->digest);
    if (json_array_append(list, json_array_get(entry, 0)) < 0)
        return no_memory(err);
    return dump(j, out, err);
}

int oci_fallback_remove(berth_str body, berth_str digest, berth_buf *out, size_t *ret_left, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    json_t *list = NULL;
    int r = load(body, &j, &list, err);
    if (r != BERTH_OK)
        return r;
    if (!drop(list, digest))
        return berth_error_set(err, BERTH_E_NOT_FOUND, "the index of referrers doesn't list it");
    r = dump(j, out, err);
    if (r == BERTH_OK)
        *ret_left = json_array_size(list);
    return r;
}
