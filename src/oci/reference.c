/* oci/reference.c - scanners for names, tags and references, each one pass over the bytes; see reference.h.
 */
#include "oci/reference.h"

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The separator at @i: its length, 0 where there is none. `.`, `_` and `__` stand once, `-` as often as it
 * likes. */
static size_t separator_length(berth_str s, size_t i)
{
    size_t n = 0;
    switch (s.p[i]) {
    case '.':
    case '/': /* joins components; what must follow it is the same */
        return 1;
    case '_':
        return i + 1 < s.n && s.p[i + 1] == '_' ? 2 : 1;
    case '-':
        while (i + n < s.n && s.p[i + n] == '-')
            n++;
        return n;
    default:
        return 0;
    }
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* joined by '/': runs of letters and digits with exactly one separator
 * between two of them. */
bool oci_name_valid(berth_str name)
{
    if (name.n == 0 || name.n > OCI_NAME_MAX)
        return false;
    for (size_t i = 0;;) {
        if (!is_lower_alnum(name.p[i]))
            return false;
        while (i < name.n && is_lower_alnum(name.p[i]))
            i++;
        if (i == name.n)
            return true;
        size_t n = separator_length(name, i);
        i += n;
        if (n == 0 || i == name.n)
            return false;
    }
}

static bool is_tag_byte(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
}

bool oci_tag_valid(berth_str tag)
{
    if (tag.n == 0 || tag.n > OCI_TAG_MAX || tag.p[0] == '.' || tag.p[0] == '-')
        return false;
    for (size_t i = 0; i < tag.n; i++)
        if (!is_tag_byte(tag.p[i]))
            return false;
    return true;
}

int oci_reference_parse(berth_str s, oci_reference *ret, berth_error *err)
{
    oci_reference r = {.is_digest = s.n && memchr(s.p, ':', s.n)};
    if (r.is_digest) {
        int e = digest_parse(s, &r.digest, err);
        if (e != BERTH_OK)
            return e;
    } else if (oci_tag_valid(s)) {
        r.tag = s;
    } else {
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                   "'" STR_FMT "' is not a valid tag", STR_ARG(str_head(s, OCI_TAG_MAX)));
    }
    *ret = r;
    return BERTH_OK;
}

void oci_referrers_tag(const berth_digest *digest, char out[OCI_TAG_MAX + 1])
{
    berth_str algorithm, encoded;
    str_cut(digest_str(digest), ':', &algorithm, &encoded);
    algorithm = str_head(algorithm, 32);
    encoded = str_head(encoded, 64);
    memcpy(out, algorithm.p, algorithm.n);
    out[algorithm.n] = '-';
    memcpy(out + algorithm.n + 1, encoded.p, encoded.n);
    out[algorithm.n + 1 + encoded.n] = '\0';
    /* "any characters not allowed by tags replaced with -"; none of the algorithms known today has one */
    for (char *c = out; *c; c++)
        if (!is_tag_byte(*c))
            *c = '-';
}
