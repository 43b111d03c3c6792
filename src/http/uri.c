/* http/uri.c - see uri.h. */
#include "http/uri.h"

static bool is_clean(berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '\\' || s.p[i] == '#')
            return false;
    return s.n <= HTTP_URI_MAX;
}

static bool is_host(berth_str s)
{
    bool literal = s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';
    if (literal)
        s = (berth_str){s.p + 1, s.n - 2};
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool name = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!name && ch != '.' && (literal ? ch != ':' : ch != '-' && ch != '_'))
            return false;
    }
    return s.n > 0;
}

/* "host", "host:port", "[::1]:port" */
static bool split_authority(berth_str authority, http_uri *ret)
{
    size_t colon = authority.n;
    while (colon && authority.p[colon - 1] != ':' && authority.p[colon - 1] != ']')
        colon--;
    ret->host = authority;
    if (colon && authority.p[colon - 1] == ':') {
        uint64_t port;
        if (!str_to_u64(str_from_offset(authority, colon), &port) || !port || port > UINT16_MAX)
            return false;
        ret->port = (uint16_t)port;
        ret->host = str_head(authority, colon - 1);
    }
    return is_host(ret->host);
}

static bool scheme_of(berth_str s, bool *ret_tls, size_t *ret_n)
{
    *ret_tls = str_eq_nocase(str_head(s, 8), STR("https://"));
    *ret_n = *ret_tls ? 8 : 7;
    return *ret_tls || str_eq_nocase(str_head(s, 7), STR("http://"));
}

bool http_uri_parse(berth_str s, http_uri *ret)
{
    http_uri u = {0};
    size_t n;
    if (!is_clean(s) || !scheme_of(s, &u.tls, &n))
        return false;
    berth_str left = str_from_offset(s, n);
    for (n = 0; n < left.n && left.p[n] != '/' && left.p[n] != '?';)
        n++;
    u.authority = str_head(left, n);
    u.target = str_from_offset(left, n);
    u.port = u.tls ? 443 : 80;
    if (!split_authority(u.authority, &u))
        return false;
    *ret = u;
    return true;
}

/* "ftp:", "javascript:": no relative reference starts so (RFC 3986 section 4.2). */
static bool has_scheme(berth_str s)
{
    for (size_t i = 0; i < s.n && s.p[i] != '/' && s.p[i] != '?'; i++)
        if (s.p[i] == ':')
            return true;
    return false;
}

bool http_uri_resolve(berth_str base, berth_str reference, berth_buf *out)
{
    http_uri b;
    bool tls;
    size_t n, start = out->n;
    berth_str fragment;
    str_cut(reference, '#', &reference, &fragment);
    if (!http_uri_parse(base, &b))
        return false;
    berth_str path, query;
    str_cut(b.target, '?', &path, &query);
    if (!scheme_of(reference, &tls, &n)) {
        if (has_scheme(reference))
            return false;
        berth_buf_addf(out, "%s:", b.tls ? "https" : "http");
        if (!str_starts(reference, STR("//")))
            berth_buf_addf(out, "//" STR_FMT, STR_ARG(b.authority));
        if (!reference.n)
            berth_buf_add_str(out, b.target);
        else if (reference.p[0] == '?')
            berth_buf_add_str(out, path.n ? path : STR("/"));
        else if (reference.p[0] != '/') { /* beside the last part of the path */
            while (path.n && path.p[path.n - 1] != '/')
                path.n--;
            berth_buf_add_str(out, path.n ? path : STR("/"));
        }
    }
    berth_buf_add_str(out, reference);
    http_uri whole;
    return !berth_buf_failed(out) && http_uri_parse(str_from_offset(berth_buf_str(out), start), &whole);
}

bool http_uri_same_origin(const http_uri *a, const http_uri *b)
{
    return a->tls == b->tls && a->port == b->port && str_eq_nocase(a->host, b->host);
}
