/* oci/json.c - the bounded loader; see json.h. */
#include "oci/json.h"

/* Up to here a double holds every integer. */
#define REAL_EXACT 9007199254740992.0

/* Counts brackets and commas outside strings. Whether they match is the parser's business: text that passes
 * here can only be as deep and as wide as counted. */
static const char *exceeded(const char *p, size_t n, const oci_json_limits *limits)
{
    size_t depth = 0, containers = 0, values = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_string = false;
            continue;
        }
        switch (p[i]) {
        case '"':
            in_string = true;
            break;
        case '{':
        case '[':
            if (++depth > limits->max_depth)
                return "the JSON is nested too deeply";
            if (++containers > limits->max_containers)
                return "the JSON has too many objects and arrays";
            break;
        case '}':
        case ']':
            if (depth)
                depth--;
            break;
        case ',':
            if (++values > limits->max_values)
                return "the JSON has too many values";
            break;
        default:
            break;
        }
    }
    return NULL;
}

/* After JSON_DECODE_INT_AS_REAL: what a double holds exactly is an integer again. The depth is bounded by
 * now. */
static bool restore_integers(json_t *j)
{
    json_t *fresh = NULL;
    for (void *at = json_object_iter(j); at; at = json_object_iter_next(j, at)) {
        json_t *v = json_object_iter_value(at);
        double real = json_real_value(v);
        if (!json_is_real(v) || real <= -REAL_EXACT || real >= REAL_EXACT ||
            (double)(json_int_t)real != real) {
            if (!restore_integers(v))
                return false;
            continue;
        }
        fresh = json_integer((json_int_t)real);
        if (!fresh || json_object_iter_set_new(j, at, fresh) < 0)
            return false;
    }
    for (size_t i = 0; i < json_array_size(j); i++)
        if (!restore_integers(json_array_get(j, i)))
            return false;
    return true;
}

int oci_json_load_object(const void *p, size_t n, const oci_json_limits *limits, json_t **ret,
                         berth_error *err)
{
    const char *why = exceeded(p, n, limits);
    if (why)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "%s", why);
    json_error_t e;
    /* jansson reads NULL as a mistake of ours, not as no bytes */
    CLEANUP(oci_json_unrefp) json_t *j = json_loadb(n ? p : "", n, JSON_REJECT_DUPLICATES, &e);
    /* A custom field may hold an integer beyond 64 bits; the bytes are kept as they are in any case. */
    if (!j && json_error_code(&e) == json_error_numeric_overflow) {
        j = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
        if (j && !restore_integers(j))
            return no_memory(err);
    }
    if (!j) {
        if (json_error_code(&e) == json_error_out_of_memory)
            return no_memory(err);
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "no valid JSON: %s, line %d",
                                   e.text, e.line);
    }
    if (!json_is_object(j))
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "not a JSON object");
    *ret = steal(&j);
    return BERTH_OK;
}

void oci_json_unrefp(json_t **j)
{
    json_decref(*j);
}

static const char *type_name(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return "of another type";
}

int oci_json_get(const json_t *object, const char *key, json_type type, json_t **ret, berth_error *err)
{
    json_t *v = json_object_get(object, key);
    if (v && !json_is_null(v) && json_typeof(v) != type)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "'%s' must be %s", key,
                                   type_name(type));
    *ret = json_is_null(v) ? NULL : v;
    return BERTH_OK;
}

int oci_json_get_integer(const json_t *object, const char *key, json_int_t *ret, bool *ret_present,
                         berth_error *err)
{
    json_t *v = NULL;
    int r = oci_json_get(object, key, JSON_INTEGER, &v, err);
    *ret_present = v;
    *ret = json_integer_value(v);
    return r;
}

int oci_json_get_string(const json_t *object, const char *key, berth_str *ret, berth_error *err)
{
    json_t *v = NULL;
    int r = oci_json_get(object, key, JSON_STRING, &v, err);
    if (r == BERTH_OK)
        *ret = v ? (berth_str){json_string_value(v), json_string_length(v)} : STR("");
    return r;
}

int oci_json_copy_string(const json_t *object, const char *key, berth_arena *arena, berth_str *ret,
                         berth_error *err)
{
    berth_str lent = STR("");
    int r = oci_json_get_string(object, key, &lent, err);
    if (r != BERTH_OK)
        return r;
    berth_str copy = lent.n ? berth_arena_str(arena, lent) : STR("");
    if (!copy.p)
        return no_memory(err);
    *ret = copy;
    return BERTH_OK;
}

/* --- as C strings --- */

static int wrong_member(berth_error *err, const char *key)
{
    return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "'%s' must hold strings", key);
}

static const char *copy(berth_arena *arena, const json_t *string)
{
    return berth_arena_dup(arena, (berth_str){json_string_value(string), json_string_length(string)});
}

int oci_json_copy_text(const json_t *object, const char *key, berth_arena *arena, const char **ret,
                       berth_error *err)
{
    json_t *v = NULL;
    int r = oci_json_get(object, key, JSON_STRING, &v, err);
    if (r != BERTH_OK || !v)
        return r;
    const char *text = copy(arena, v);
    if (!text)
        return no_memory(err);
    *ret = text;
    return BERTH_OK;
}

int oci_json_copy_texts(const json_t *object, const char *key, berth_arena *arena, const char *const **ret,
                        size_t *ret_n, berth_error *err)
{
    json_t *array = NULL;
    int r = oci_json_get(object, key, JSON_ARRAY, &array, err);
    size_t n = json_array_size(array);
    if (r != BERTH_OK || n == 0)
        return r;
    const char **texts = berth_arena_alloc(arena, n * sizeof(*texts));
    if (!texts)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(array, i);
        if (!json_is_string(v))
            return wrong_member(err, key);
        texts[i] = copy(arena, v);
        if (!texts[i])
            return no_memory(err);
    }
    *ret = texts;
    *ret_n = n;
    return BERTH_OK;
}

int oci_json_copy_keys(const json_t *object, const char *key, berth_arena *arena, const char *const **ret,
                       size_t *ret_n, berth_error *err)
{
    json_t *members = NULL, *value;
    const char *name;
    size_t i = 0;
    int r = oci_json_get(object, key, JSON_OBJECT, &members, err);
    if (r != BERTH_OK || !json_object_size(members))
        return r;
    const char **names = berth_arena_alloc(arena, json_object_size(members) * sizeof(*names));
    if (!names)
        return no_memory(err);
    json_object_foreach(members, name, value)
    {
        (void)value;
        names[i] = berth_arena_dup(arena, str_from(name));
        if (!names[i++])
            return no_memory(err);
    }
    *ret = names;
    *ret_n = i;
    return BERTH_OK;
}

int oci_json_pairs(json_t *members, const char *key, berth_arena *arena, const berth_annotation **ret,
                   size_t *ret_n, berth_error *err)
{
    json_t *value;
    const char *name;
    size_t i = 0;
    if (!json_object_size(members))
        return BERTH_OK;
    berth_annotation *pairs = berth_arena_alloc(arena, json_object_size(members) * sizeof(*pairs));
    if (!pairs)
        return no_memory(err);
    json_object_foreach(members, name, value)
    {
        if (!json_is_string(value))
            return wrong_member(err, key);
        pairs[i] =
            (berth_annotation){.key = berth_arena_dup(arena, str_from(name)), .value = copy(arena, value)};
        if (!pairs[i].key || !pairs[i].value)
            return no_memory(err);
        i++;
    }
    *ret = pairs;
    *ret_n = i;
    return BERTH_OK;
}

int oci_json_copy_pairs(const json_t *object, const char *key, berth_arena *arena,
                        const berth_annotation **ret, size_t *ret_n, berth_error *err)
{
    json_t *members = NULL;
    int r = oci_json_get(object, key, JSON_OBJECT, &members, err);
    return r == BERTH_OK ? oci_json_pairs(members, key, arena, ret, ret_n, err) : r;
}

static int add_text(const char *p, size_t n, void *arg)
{
    berth_buf_add(arg, p, n);
    return berth_buf_failed(arg) ? -1 : 0;
}

void oci_json_print(const json_t *j, berth_buf *out)
{
    if (json_dump_callback(j, add_text, out, JSON_COMPACT) < 0)
        out->failed = true;
}
