/* util/mask.c - see mask.h. */
#include "util/mask.h"

static bool begins_digest(berth_str s)
{
    return str_starts(s, STR("sha256:")) || str_starts(s, STR("sha512:"));
}

/* The last '@' that is not a digest's. */
static bool last_at(berth_str s, size_t *ret)
{
    for (size_t i = s.n; i-- > 0;)
        if (s.p[i] == '@' && !begins_digest(str_from_offset(s, i + 1))) {
            *ret = i;
            return true;
        }
    return false;
}

/* "host", "host:5000", "[::1]:5000": what a path may follow. */
static bool is_place(berth_str s)
{
    berth_str host, port;
    uint64_t n;
    return str_starts(s, STR("[")) || !str_cut(s, ':', &host, &port) || str_to_u64(port, &n);
}

berth_str mask_find(berth_str s)
{
    const char *scheme = s.n ? memmem(s.p, s.n, "://", 3) : NULL;
    berth_str rest = scheme ? str_from_offset(s, (size_t)(scheme - s.p) + 3) : s, authority = rest;
    bool is_url = scheme && !str_starts(s, STR("docker://"));
    size_t at = 0, n = 0;
    if (!last_at(rest, &at))
        return STR_NULL;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    authority.n = n;
    bool before = at < n || (n && memchr(rest.p, '@', n)); /* an '@' where names and passwords stand */
    if (!before && (n == rest.n || is_place(authority)))
        return STR_NULL;
    if (!is_url && !memchr(rest.p, ':', at)) /* name@host, app@v1 */
        return STR_NULL;
    return str_head(rest, at + 1);
}

void mask_add(berth_buf *out, berth_str s)
{
    berth_str hidden = mask_find(s);
    if (!hidden.n) {
        berth_buf_add_str(out, s);
        return;
    }
    size_t start = (size_t)(hidden.p - s.p);
    berth_buf_add(out, s.p, start);
    berth_buf_addf(out, MASK_TEXT "@");
    berth_buf_add_str(out, str_from_offset(s, start + hidden.n));
}
