/* oci/mediatype.c - a table of the manifests a registry accepts, and the syntax of media types; see
 * mediatype.h. */
#include "oci/mediatype.h"

static const struct {
    const char *name;
    enum manifest_kind kind;
} manifest_types[] = {
    {MT_OCI_MANIFEST, MANIFEST_IMAGE},     {MT_OCI_INDEX, MANIFEST_INDEX},
    {MT_DOCKER_MANIFEST, MANIFEST_IMAGE},  {MT_DOCKER_LIST, MANIFEST_INDEX},
    {MT_DOCKER_SCHEMA1, MANIFEST_SCHEMA1}, {MT_DOCKER_SCHEMA1_JWS, MANIFEST_SCHEMA1},
};

berth_str mediatype_canonical(berth_str media_type)
{
    for (size_t i = 0; i < COUNT(manifest_types); i++)
        if (str_eq_nocase(media_type, str_from(manifest_types[i].name)))
            return str_from(manifest_types[i].name);
    return STR_NULL;
}

enum manifest_kind mediatype_kind(berth_str media_type)
{
    for (size_t i = 0; i < COUNT(manifest_types); i++)
        if (str_eq_nocase(media_type, str_from(manifest_types[i].name)))
            return manifest_types[i].kind;
    return MANIFEST_OTHER;
}

bool mediatype_is_docker(berth_str media_type)
{
    const berth_str prefix = STR("application/vnd.docker.");
    return str_eq_nocase(str_head(media_type, prefix.n), prefix);
}

berth_str mediatype_essence(berth_str content_type)
{
    berth_str essence, parameters;
    str_cut(content_type, ';', &essence, &parameters);
    return str_trim(essence);
}

/* RFC 6838, 4.2: restricted-name */
static bool restricted_name(berth_str s)
{
    if (s.n == 0 || s.n > 127)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || !memchr("!#$&-^_.+", c, 9)))
            return false;
    }
    return true;
}

bool mediatype_valid(berth_str media_type)
{
    berth_str type, subtype;
    return str_cut(media_type, '/', &type, &subtype) && restricted_name(type) && restricted_name(subtype);
}

static bool contains(berth_str s, berth_str part)
{
    return s.p && memmem(s.p, s.n, part.p, part.n);
}

bool mediatype_is_foreign(berth_str media_type)
{
    return contains(media_type, STR("nondistributable")) || contains(media_type, STR(".foreign."));
}
