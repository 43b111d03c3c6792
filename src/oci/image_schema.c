/* oci/image_schema.c - the JSON schemas of the image-spec (schema/image-manifest-schema.json and its like) as
 * tables: a row says which member has which form. Members that no row names may be anything.
 *
 * Beside the schemas, two things that the text demands: embedded data is the content that the digest names
 * (descriptor.md, "data"), and an artifact with the empty config says its type (manifest.md, "artifactType").
 */
#include <stdio.h>

#include "oci/image.h"
#include "util/base64.h"

struct rule;

/* How one value must be. */
typedef bool (*form_fn)(const json_t *value);
struct rule {
    const char *key;
    form_fn form;
    const struct rule *table; /* of an object, or of each object in a list */
    enum { OPTIONAL, REQUIRED, NULLABLE } presence;
};

/* Which member of which is looked at: "manifests[3].platform". */
struct place {
    char text[160];
};

static void enter(const struct place *outer, const char *key, struct place *ret)
{
    snprintf(ret->text, sizeof(ret->text), "%s%s%s", outer->text, outer->text[0] ? "." : "", key);
}

static int wrong(const struct place *where, const char *what, berth_error *err)
{
    return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "%s %s",
                               where->text[0] ? where->text : "the document", what);
}

/* --- forms --- */

static bool is_text(const json_t *v)
{
    return json_is_string(v);
}

static bool is_flag(const json_t *v)
{
    return json_is_boolean(v);
}

static bool is_object(const json_t *v)
{
    return json_is_object(v);
}

static bool is_array(const json_t *v)
{
    return json_is_array(v);
}

static bool is_filled_array(const json_t *v)
{
    return json_array_size(v) > 0;
}

static bool is_two(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) == 2;
}

static bool is_size(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool is_media_type(const json_t *v)
{
    return json_is_string(v) && mediatype_valid((berth_str){json_string_value(v), json_string_length(v)});
}

static bool is_digest(const json_t *v)
{
    return json_is_string(v) && digest_well_formed((berth_str){json_string_value(v), json_string_length(v)});
}

static bool is_layers(const json_t *v)
{
    return json_is_string(v) && strcmp(json_string_value(v), "layers") == 0;
}

static bool is_texts(const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i)))
            return false;
    return json_is_array(v);
}

static bool is_diff_ids(const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!is_digest(json_array_get(v, i)))
            return false;
    return json_is_array(v);
}

/* RFC 3986: a scheme, a colon, and no blanks. */
static bool is_url(const char *s)
{
    size_t n = 0;
    while ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
           (n && ((s[n] >= '0' && s[n] <= '9') || strchr("+-.", s[n] ? s[n] : ' '))))
        n++;
    if (n == 0 || s[n] != ':')
        return false;
    for (; s[n]; n++)
        if ((unsigned char)s[n] <= 0x20 || (unsigned char)s[n] >= 0x7f)
            return false;
    return true;
}

static bool is_urls(const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i)) || !is_url(json_string_value(json_array_get(v, i))))
            return false;
    return json_is_array(v);
}

static bool map_of(const json_t *v, json_type type)
{
    json_t *value;
    const char *key;
    if (!json_is_object(v))
        return false;
    json_object_foreach((json_t *)(uintptr_t)v, key,
                        value) if (!*key || json_typeof(value) != type) return false;
    return true;
}

static bool is_string_map(const json_t *v)
{
    return map_of(v, JSON_STRING);
}

static bool is_object_map(const json_t *v)
{
    return map_of(v, JSON_OBJECT);
}

static bool digits(const char **s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((*s)[i] < '0' || (*s)[i] > '9')
            return false;
    *s += n;
    return true;
}

static bool sign(const char **s, const char *one_of)
{
    return **s && strchr(one_of, *(*s)++);
}

/* RFC 3339, "date-time": 2024-01-31T09:00:00.5Z. */
static bool is_time(const json_t *v)
{
    const char *s = json_string_value(v);
    if (!s || !digits(&s, 4) || !sign(&s, "-") || !digits(&s, 2) || !sign(&s, "-") || !digits(&s, 2) ||
        !sign(&s, "Tt ") || !digits(&s, 2) || !sign(&s, ":") || !digits(&s, 2) || !sign(&s, ":") ||
        !digits(&s, 2))
        return false;
    if (*s == '.') {
        s++;
        if (!digits(&s, 1))
            return false;
        while (digits(&s, 1))
            ;
    }
    if (*s == 'Z' || *s == 'z')
        return !s[1];
    return sign(&s, "+-") && digits(&s, 2) && sign(&s, ":") && digits(&s, 2) && !*s;
}

/* --- the schemas --- */

static const struct rule platform_rules[] = {
    {"architecture", is_text, NULL, REQUIRED}, {"os", is_text, NULL, REQUIRED},
    {"os.version", is_text, NULL, OPTIONAL},   {"os.features", is_texts, NULL, OPTIONAL},
    {"variant", is_text, NULL, OPTIONAL},      {NULL, NULL, NULL, OPTIONAL},
};

#define DESCRIPTOR                                                                                           \
    {"mediaType", is_media_type, NULL, REQUIRED}, {"size", is_size, NULL, REQUIRED},                         \
        {"digest", is_digest, NULL, REQUIRED}, {"urls", is_urls, NULL, OPTIONAL},                            \
        {"data", is_text, NULL, OPTIONAL}, {"artifactType", is_media_type, NULL, OPTIONAL},                  \
    {                                                                                                        \
        "annotations", is_string_map, NULL, OPTIONAL                                                         \
    }

static const struct rule descriptor_rules[] = {DESCRIPTOR, {NULL, NULL, NULL, OPTIONAL}};
static const struct rule child_rules[] = {
    DESCRIPTOR, {"platform", is_object, platform_rules, OPTIONAL}, {NULL, NULL, NULL, OPTIONAL}};

#define COMMON                                                                                               \
    {"schemaVersion", is_two, NULL, REQUIRED}, {"mediaType", is_media_type, NULL, OPTIONAL},                 \
        {"artifactType", is_media_type, NULL, OPTIONAL}, {"subject", is_object, descriptor_rules, OPTIONAL}, \
    {                                                                                                        \
        "annotations", is_string_map, NULL, OPTIONAL                                                         \
    }

static const struct rule manifest_rules[] = {
    COMMON,
    {"config", is_object, descriptor_rules, REQUIRED},
    {"layers", is_filled_array, descriptor_rules, REQUIRED},
    {NULL, NULL, NULL, OPTIONAL},
};

/* Of Docker's images, which may have none of them. */
static const struct rule docker_rules[] = {
    COMMON,
    {"config", is_object, descriptor_rules, REQUIRED},
    {"layers", is_array, descriptor_rules, REQUIRED},
    {NULL, NULL, NULL, OPTIONAL},
};

static const struct rule index_rules[] = {
    COMMON, {"manifests", is_array, child_rules, REQUIRED}, {NULL, NULL, NULL, OPTIONAL}};

static const struct rule run_rules[] = {
    {"User", is_text, NULL, OPTIONAL},
    {"ExposedPorts", is_object_map, NULL, OPTIONAL},
    {"Env", is_texts, NULL, OPTIONAL},
    {"Entrypoint", is_texts, NULL, NULLABLE},
    {"Cmd", is_texts, NULL, NULLABLE},
    {"Volumes", is_object_map, NULL, NULLABLE},
    {"WorkingDir", is_text, NULL, OPTIONAL},
    {"Labels", is_string_map, NULL, NULLABLE},
    {"StopSignal", is_text, NULL, OPTIONAL},
    {"ArgsEscaped", is_flag, NULL, OPTIONAL},
    {NULL, NULL, NULL, OPTIONAL},
};

static const struct rule rootfs_rules[] = {
    {"diff_ids", is_diff_ids, NULL, REQUIRED},
    {"type", is_layers, NULL, REQUIRED},
    {NULL, NULL, NULL, OPTIONAL},
};

static const struct rule history_rules[] = {
    {"created", is_time, NULL, OPTIONAL},     {"author", is_text, NULL, OPTIONAL},
    {"created_by", is_text, NULL, OPTIONAL},  {"comment", is_text, NULL, OPTIONAL},
    {"empty_layer", is_flag, NULL, OPTIONAL}, {NULL, NULL, NULL, OPTIONAL},
};

static const struct rule config_rules[] = {
    {"created", is_time, NULL, OPTIONAL},
    {"author", is_text, NULL, OPTIONAL},
    {"architecture", is_text, NULL, REQUIRED},
    {"variant", is_text, NULL, OPTIONAL},
    {"os", is_text, NULL, REQUIRED},
    {"os.version", is_text, NULL, OPTIONAL},
    {"os.features", is_texts, NULL, OPTIONAL},
    {"config", is_object, run_rules, OPTIONAL},
    {"rootfs", is_object, rootfs_rules, REQUIRED},
    {"history", is_array, history_rules, OPTIONAL},
    {NULL, NULL, NULL, OPTIONAL},
};

/* --- applying them --- */

/* Embedded content is what size and digest say. */
static int check_data(const json_t *d, const struct place *where, berth_error *err)
{
    const json_t *text = json_object_get(d, "data");
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(json_string_length(text) + 4);
    berth_digest want, have;
    if (!text)
        return BERTH_OK;
    if (!base64_decode((berth_str){json_string_value(text), json_string_length(text)}, &bytes))
        return wrong(where, "has data that is not base64", err);
    if (berth_buf_failed(&bytes))
        return no_memory(err);
    if ((uint64_t)json_integer_value(json_object_get(d, "size")) != bytes.n)
        return wrong(where, "has data of another size than it says", err);
    if (digest_parse(str_from(json_string_value(json_object_get(d, "digest"))), &want, NULL) != BERTH_OK)
        return BERTH_OK; /* of an algorithm that nobody here can check */
    digest_of((enum hash_algorithm)want.algorithm, bytes.p, bytes.n, &have);
    return digest_eq(&want, &have) ? BERTH_OK : wrong(where, "has data of another digest than it says", err);
}

/* The depth of the tables bounds that of the calls. */
static int check(const json_t *object, const struct rule *rules, const struct place *where, berth_error *err)
{
    int r = BERTH_OK;
    for (const struct rule *rule = rules; r == BERTH_OK && rule->key; rule++) {
        const json_t *v = json_object_get(object, rule->key);
        struct place here, item;
        enter(where, rule->key, &here);
        if (!v && rule->presence == REQUIRED)
            return wrong(&here, "is missing", err);
        if (!v || (rule->presence == NULLABLE && json_is_null(v)))
            continue;
        if (!rule->form(v))
            return wrong(&here, "is not as the schema has it", err);
        if (rule->table && json_is_object(v))
            r = check(v, rule->table, &here, err);
        for (size_t i = 0; r == BERTH_OK && rule->table && i < json_array_size(v); i++) {
            snprintf(item.text, sizeof(item.text), "%.130s[%zu]", here.text, i);
            const json_t *element = json_array_get(v, i);
            r = json_is_object(element) ? check(element, rule->table, &item, err)
                                        : wrong(&item, "is not an object", err);
        }
    }
    if (r == BERTH_OK && (rules == descriptor_rules || rules == child_rules))
        r = check_data(object, where, err);
    return r;
}

int oci_schema_check_manifest(const json_t *root, const berth_manifest *m, berth_error *err)
{
    const struct place top = {""};
    if (m->kind == BERTH_KIND_SCHEMA1)
        return berth_error_set(err, BERTH_E_INVALID, "there is no schema of Docker's schema 1");
    int r = check(root,
                  m->kind == BERTH_KIND_INDEX                 ? index_rules
                  : berth_media_type_is_docker(m->media_type) ? docker_rules
                                                              : manifest_rules,
                  &top, err);
    if (r == BERTH_OK && m->kind == BERTH_KIND_IMAGE && !m->artifact_type &&
        strcmp(m->config->media_type, BERTH_TYPE_OCI_EMPTY) == 0)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                   "artifactType is missing, and the empty config does not say what it is");
    return r;
}

int oci_schema_check_config(const json_t *root, berth_error *err)
{
    const struct place top = {""};
    return check(root, config_rules, &top, err);
}
