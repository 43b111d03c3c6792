/* http/url.c - percent-coding and query strings; see url.h. */
#include "http/url.h"

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

/* The byte that the escape at @s.p[@i] stands for, or -1. */
static int escape_at(berth_str s, size_t i)
{
    if (s.n - i < 3)
        return -1;
    int high = hex_value(s.p[i + 1]), low = hex_value(s.p[i + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool http_url_decode(berth_str s, bool plus, berth_arena *arena, berth_str *ret)
{
    bool encoded = s.n && (memchr(s.p, '%', s.n) || (plus && memchr(s.p, '+', s.n)));
    if (!encoded) {
        if (s.n && memchr(s.p, '\0', s.n))
            return false;
        *ret = s;
        return true;
    }
    char *out = berth_arena_alloc(arena, s.n + 1);
    if (!out)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int ch = (unsigned char)s.p[i];
        if (ch == '%') {
            ch = escape_at(s, i);
            i += 2;
        } else if (plus && ch == '+') {
            ch = ' ';
        }
        if (ch <= 0)
            return false;
        out[n++] = (char)ch;
    }
    *ret = (berth_str){out, n};
    return true;
}

static bool unreserved(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
           ch == '.' || ch == '_' || ch == '~';
}

void http_url_encode(berth_buf *out, berth_str s, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (unreserved(s.p[i]) || (ch && keep && strchr(keep, s.p[i]))) {
            berth_buf_putc(out, s.p[i]);
        } else {
            char code[3] = {'%', digits[ch >> 4], digits[ch & 15]};
            berth_buf_add(out, code, sizeof(code));
        }
    }
}

bool http_query_valid(berth_str query)
{
    for (size_t i = 0; i < query.n; i++) {
        if (query.p[i] == '\0')
            return false;
        if (query.p[i] == '%') {
            if (escape_at(query, i) <= 0)
                return false;
            i += 2;
        }
    }
    return true;
}

/* The next value of @key, taken off @query: 1, or 0 where there is none, or -1: a bad escape. */
static int next_value(berth_str *query, const char *key, berth_arena *arena, berth_str *ret)
{
    berth_str pair, name, value;
    while (query->n) {
        str_cut(*query, '&', &pair, query);
        str_cut(pair, '=', &name, &value);
        if (!pair.n)
            continue;
        if (!http_url_decode(name, false, arena, &name))
            return -1;
        if (!str_eq(name, str_from(key)))
            continue;
        *ret = STR("");
        return !value.n || http_url_decode(value, false, arena, ret) ? 1 : -1;
    }
    return 0;
}

bool http_query_get(berth_str query, const char *key, size_t i, berth_arena *arena, berth_str *ret)
{
    if (!http_query_valid(query))
        return false;
    int r;
    berth_str value;
    while ((r = next_value(&query, key, arena, &value)) > 0 && i-- > 0)
        ;
    if (r >= 0)
        *ret = r > 0 ? value : STR_NULL;
    return r >= 0;
}

bool http_query_one(berth_str query, const char *key, berth_arena *arena, berth_str *ret,
                    berth_str *ret_other)
{
    if (!http_query_valid(query))
        return false;
    berth_str first, more, other = STR_NULL;
    int r = next_value(&query, key, arena, &first);
    if (r <= 0)
        first = STR_NULL;
    while (r > 0 && !other.p && (r = next_value(&query, key, arena, &more)) > 0)
        if (!str_eq(first, more))
            other = more;
    if (r < 0)
        return false;
    *ret = first;
    *ret_other = other;
    return true;
}
