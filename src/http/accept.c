/* http/accept.c - Accept and entity tags; see accept.h. Parameters of a media range other than q are ignored:
 * clients add charsets that our types do not carry. */
#include "http/accept.h"

#include "http/block.h"

/* "0", "0.5", "1.000" in thousandths; false when malformed. */
static bool parse_quality(berth_str s, unsigned *ret)
{
    if (s.n < 1 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return false;
    unsigned q = (unsigned)(s.p[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        q += (unsigned)(s.p[i] - '0') * unit;
    }
    if (q > 1000)
        return false;
    *ret = q;
    return true;
}

/* Cuts at the first @sep outside of a quoted string. */
static void cut_unquoted(berth_str s, char sep, berth_str *head, berth_str *tail)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < s.n && (quoted || s.p[i] != sep); i++) {
        if (quoted && s.p[i] == '\\' && i + 1 < s.n)
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
    }
    *head = str_trim(str_head(s, i));
    *tail = str_from_offset(s, MIN(i + 1, s.n));
}

/* "type/subtype; q=0.5": the range and its quality; false when malformed. */
static bool parse_element(berth_str s, berth_str *ret_range, unsigned *ret_q)
{
    berth_str range, parameters, one, name, value, type, subtype;
    cut_unquoted(s, ';', &range, &parameters);
    if (!str_cut(range, '/', &type, &subtype) || !http_is_token(type) || !http_is_token(subtype))
        return false;
    *ret_q = 1000;
    while (parameters.n) {
        cut_unquoted(parameters, ';', &one, &parameters);
        if (!one.n)
            continue;
        str_cut(one, '=', &name, &value);
        if (str_eq_nocase(str_trim(name), STR("q")) && !parse_quality(str_trim(value), ret_q))
            return false;
    }
    *ret_range = range;
    return true;
}

/* 3: the type itself, 2: "type/" and any, 1: any; 0: no match. */
static unsigned specificity(berth_str range, berth_str media_type)
{
    berth_str bare, rest, type, subtype;
    str_cut(media_type, ';', &bare, &rest);
    bare = str_trim(bare);
    if (str_eq_nocase(range, bare))
        return 3;
    if (str_eq(range, STR("*/*")))
        return 1;
    str_cut(bare, '/', &type, &subtype);
    if (str_ends(range, STR("/*")) && str_eq_nocase(str_head(range, range.n - 2), type))
        return 2;
    return 0;
}

unsigned http_accept_quality(berth_str accept, berth_str media_type)
{
    berth_str list = str_trim(accept), one, range;
    if (!list.n)
        return 1000;
    unsigned best = 0, quality = 0, q;
    while (http_list_next(&list, &one)) {
        if (!parse_element(one, &range, &q))
            continue;
        unsigned s = specificity(range, media_type);
        if (s && (s > best || (s == best && q > quality))) {
            best = s;
            quality = q;
        }
    }
    return quality;
}

bool http_accept_names(berth_str accept, berth_str media_type)
{
    berth_str list = accept, one, range;
    unsigned q;
    while (http_list_next(&list, &one))
        if (parse_element(one, &range, &q) && q && specificity(range, media_type) == 3)
            return true;
    return false;
}

bool http_etag_matches(berth_str header, berth_str etag, enum http_etag_comparison how)
{
    berth_str list = str_trim(header), one;
    if (str_eq(list, STR("*")))
        return true;
    if (how == HTTP_ETAG_WEAK && str_starts(etag, STR("W/")))
        etag = str_from_offset(etag, 2);
    while (list.n) {
        /* An entity tag has no escapes: a backslash in it is a plain character (RFC 9110 section 8.8.3). */
        size_t i = 0;
        for (bool quoted = false; i < list.n && (quoted || list.p[i] != ','); i++)
            if (list.p[i] == '"')
                quoted = !quoted;
        one = str_trim(str_head(list, i));
        list = str_from_offset(list, MIN(i + 1, list.n));
        if (how == HTTP_ETAG_WEAK && str_starts(one, STR("W/")))
            one = str_from_offset(one, 2);
        if (one.n >= 2 && one.p[0] == '"' && one.p[one.n - 1] == '"' && str_eq(one, etag))
            return true;
    }
    return false;
}
