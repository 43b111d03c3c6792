/* util/str.c - operations on views; see str.h. */
#include "util/str.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/fault.h"

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq(berth_str a, berth_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_nocase(berth_str a, berth_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(berth_str a, berth_str b)
{
    size_t n = MIN(a.n, b.n);
    int r = n ? memcmp(a.p, b.p, n) : 0;
    return r ? r : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(berth_str s, berth_str prefix)
{
    return s.n >= prefix.n && str_eq(str_head(s, prefix.n), prefix);
}

bool str_ends(berth_str s, berth_str suffix)
{
    return s.n >= suffix.n && str_eq(str_from_offset(s, s.n - suffix.n), suffix);
}

berth_str str_from_offset(berth_str s, size_t offset)
{
    return offset >= s.n ? STR("") : (berth_str){s.p + offset, s.n - offset};
}

berth_str str_head(berth_str s, size_t n)
{
    return (berth_str){s.p, MIN(s.n, n)};
}

berth_str str_trim(berth_str s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t'))
        s = str_from_offset(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool str_cut(berth_str s, char sep, berth_str *head, berth_str *tail)
{
    const char *at = s.n ? memchr(s.p, sep, s.n) : NULL;
    if (!at) {
        *head = s;
        *tail = STR("");
        return false;
    }
    size_t n = (size_t)(at - s.p);
    *head = str_head(s, n);
    *tail = str_from_offset(s, n + 1);
    return true;
}

bool str_to_u64(berth_str s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        uint64_t d = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *ret = v;
    return true;
}

char *str_dup(berth_str s)
{
    char *c = fault_hit() ? NULL : mem_alloc(s.n + 1);
    if (!c)
        return NULL;
    if (s.n)
        memcpy(c, s.p, s.n);
    c[s.n] = '\0';
    return c;
}

char *str_dupf(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *c = n < 0 || fault_hit() ? NULL : mem_alloc((size_t)n + 1);
    if (c)
        vsnprintf(c, (size_t)n + 1, fmt, again);
    va_end(again);
    return c;
}
