/* oci/answer.c - see answer.h. */
#include "oci/answer.h"

#include "oci/descriptor.h"
#include "oci/mediatype.h"
#include "oci/reference.h"

#define TEXT_MAX (64 * MIB) /* the detail of one error, printed again */

/* A page is bounded before it comes here; so many values cost some 100 bytes each. */
static const oci_json_limits limits = {.max_depth = 32, .max_containers = 100000, .max_values = 4000000};

/* Text of a peer that is going to be shown: nothing in it shall act on a terminal. */
static berth_str printable(berth_str s, berth_arena *arena)
{
    char *copy = berth_arena_dup(arena, s);
    for (size_t i = 0; copy && i < s.n; i++)
        if (copy[i] < 0x20 || copy[i] > 0x7e)
            copy[i] = '?';
    return (berth_str){copy, copy ? s.n : 0};
}

bool oci_read_error(berth_str body, berth_arena *arena, berth_str *ret_code, berth_str *ret_message)
{
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    json_t *errors = NULL;
    if (oci_json_load_object(body.p, body.n, &limits, &j, NULL) != BERTH_OK ||
        oci_json_get(j, "errors", JSON_ARRAY, &errors, NULL) != BERTH_OK)
        return false;
    json_t *first = json_array_get(errors, 0);
    berth_str code, message;
    if (!json_is_object(first) || oci_json_get_string(first, "code", &code, NULL) != BERTH_OK || !code.n)
        return false;
    if (oci_json_get_string(first, "message", &message, NULL) != BERTH_OK)
        message = STR("");
    code = printable(code, arena);
    message = printable(message, arena);
    if (!code.p || !message.p)
        return false;
    *ret_code = code;
    *ret_message = message;
    return true;
}

/* Empty: it isn't there; .p NULL: no memory. */
static berth_str detail_of(const json_t *entry, berth_arena *arena)
{
    const json_t *detail = json_object_get(entry, "detail");
    if (!detail || json_is_null(detail))
        return berth_arena_str(arena, STR(""));
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(TEXT_MAX);
    bool printed = json_dump_callback(detail, berth_buf_write, &text,
                                      JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY) == 0;
    return printed ? printable(berth_buf_str(&text), arena) : STR_NULL;
}

static int read_entry(const json_t *entry, berth_arena *arena, oci_error_entry *ret, berth_error *err)
{
    berth_str code, message;
    if (!json_is_object(entry) || oci_json_get_string(entry, "code", &code, NULL) != BERTH_OK ||
        oci_json_get_string(entry, "message", &message, NULL) != BERTH_OK || (!code.n && !message.n))
        return berth_error_set(err, BERTH_E_INVALID, "the list of errors has an entry that is none");
    *ret = (oci_error_entry){printable(code, arena), printable(message, arena), detail_of(entry, arena)};
    return ret->code.p && ret->message.p && ret->detail.p ? BERTH_OK : no_memory(err);
}

int oci_read_errors(berth_str body, berth_arena *arena, oci_error_entry **ret_entries, size_t *ret_n,
                    berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    json_t *list = NULL;
    int r = oci_json_load_object(body.p, body.n, &limits, &j, NULL);
    if (r != BERTH_OK)
        return berth_error_set(err, r,
                               r == BERTH_E_NOMEM ? "out of memory" : "the answer is no list of errors");
    if (oci_json_get(j, "errors", JSON_ARRAY, &list, NULL) != BERTH_OK || !json_array_size(list))
        return berth_error_set(err, BERTH_E_INVALID, "the answer is JSON, but lists no errors");
    size_t n = json_array_size(list);
    oci_error_entry *entries = berth_arena_alloc(arena, n * sizeof(*entries));
    if (!entries)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        if ((r = read_entry(json_array_get(list, i), arena, &entries[i], err)) != BERTH_OK)
            return r;
    *ret_entries = entries;
    *ret_n = n;
    return BERTH_OK;
}

/* The strings below @key, every one of which has to please @valid. */
static int read_strings(berth_str body, const char *key, const char *what, bool (*valid)(berth_str s),
                        berth_arena *arena, berth_str **ret, size_t *ret_n, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    json_t *list = NULL;
    int r = oci_json_load_object(body.p, body.n, &limits, &j, err);
    if (r == BERTH_OK)
        r = oci_json_get(j, key, JSON_ARRAY, &list, err);
    if (r == BERTH_E_NOMEM)
        return r;
    if (r != BERTH_OK || !json_object_get(j, key))
        return berth_error_set(err, BERTH_E_INVALID, "what came is no list of %ss", what);
    size_t n = json_array_size(list);
    berth_str *items = berth_arena_alloc(arena, MAX(n, (size_t)1) * sizeof(*items));
    for (size_t i = 0; items && i < n; i++) {
        const json_t *v = json_array_get(list, i);
        berth_str item = {json_string_value(v), json_string_length(v)};
        if (!item.p || !valid(item))
            return berth_error_set(err, BERTH_E_INVALID, "the list of %ss has an entry that is no %s", what,
                                   what);
        items[i] = berth_arena_str(arena, item);
        if (!items[i].p)
            items = NULL;
    }
    if (!items)
        return no_memory(err);
    *ret = items;
    *ret_n = n;
    return BERTH_OK;
}

int oci_read_tags(berth_str body, berth_arena *arena, berth_str **ret_tags, size_t *ret_n, berth_error *err)
{
    return read_strings(body, "tags", "tag", oci_tag_valid, arena, ret_tags, ret_n, err);
}

int oci_read_names(berth_str body, berth_arena *arena, berth_str **ret_names, size_t *ret_n, berth_error *err)
{
    return read_strings(body, "repositories", "name", oci_name_valid, arena, ret_names, ret_n, err);
}

berth_str oci_read_media_type(berth_str body, berth_arena *arena)
{
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    berth_str type;
    if (oci_json_load_object(body.p, body.n, &limits, &j, NULL) != BERTH_OK ||
        oci_json_get_string(j, "mediaType", &type, NULL) != BERTH_OK || !mediatype_valid(type))
        return STR("");
    return berth_arena_str(arena, type);
}

int oci_read_annotations(berth_str text, berth_arena *arena, const berth_annotation **ret, size_t *ret_n,
                         berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    if (text.n == 0)
        return BERTH_OK;
    int r = oci_manifest_load(text.p, text.n, &root, err);
    return r == BERTH_OK ? oci_json_pairs(root, "annotations", arena, ret, ret_n, err) : r;
}
