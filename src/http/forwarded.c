/* http/forwarded.c - the Forwarded header of trusted proxies (RFC 7239): who the client is, and the scheme
 * and host that it used.
 *
 * Every proxy adds an element on the right. The last is that of the proxy we speak with; one further left
 * counts as long as the elements right of it name a trusted proxy as the one they were sent by. */
#include "http/internal.h"

enum { FOR = 1, BY = 2, HOST = 4, PROTO = 8 };

struct element {
    unsigned seen;
    struct http_forwarded says;
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool made_of(berth_str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(others, s.p[i])))
            return false;
    return s.n > 0;
}

/* An identifier that says nothing to us: "_hidden". */
static bool is_obfuscated(berth_str s)
{
    return s.n > 1 && s.p[0] == '_' && made_of(s, "._-");
}

static bool is_port(berth_str s)
{
    uint64_t n;
    return is_obfuscated(s) || (s.n <= 5 && str_to_u64(s, &n));
}

static bool is_scheme(berth_str s)
{
    return made_of(s, "+-.") && s.p[0] > '9';
}

/* An address, "unknown" or an obfuscated identifier, each perhaps with a port. */
static bool read_node(berth_str s, struct http_address *ret, bool *ret_known)
{
    berth_str name, rest;
    *ret_known = false;
    if (s.n && s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.n);
        if (!end)
            return false;
        name = str_head(s, (size_t)(end - s.p) + 1);
        rest = str_from_offset(s, name.n);
        if (rest.n && (rest.p[0] != ':' || !is_port(str_from_offset(rest, 1))))
            return false;
        return *ret_known = http_address_parse(name, ret);
    }
    if (str_cut(s, ':', &name, &rest) && !is_port(rest))
        return false;
    *ret_known = http_address_parse(name, ret);
    return *ret_known || is_obfuscated(name) || str_eq_nocase(name, STR("unknown"));
}

/* What stands between the quotes, with every "\x" as "x". */
static int unquote(berth_str s, berth_arena *arena, berth_str *ret)
{
    *ret = s;
    if (!s.n || !memchr(s.p, '\\', s.n))
        return BERTH_OK;
    char *p = berth_arena_alloc(arena, s.n);
    size_t n = 0;
    if (!p)
        return BERTH_E_NOMEM;
    for (size_t i = 0; i < s.n; i++) {
        i += s.p[i] == '\\'; /* never the last: the quote after it would not have ended the string */
        p[n++] = s.p[i];
    }
    *ret = (berth_str){p, n};
    return BERTH_OK;
}

/* Takes a token or a quoted string off *@rest. */
static int take_value(berth_str *rest, berth_arena *arena, berth_str *ret)
{
    size_t n = 0;
    if (!rest->n || rest->p[0] != '"') {
        while (n < rest->n && rest->p[n] != ';' && rest->p[n] != ' ' && rest->p[n] != '\t')
            n++;
        *ret = str_head(*rest, n);
        *rest = str_from_offset(*rest, n);
        return http_is_token(*ret) ? BERTH_OK : BERTH_E_INVALID;
    }
    for (n = 1; n < rest->n && rest->p[n] != '"'; n++)
        n += rest->p[n] == '\\';
    if (n >= rest->n)
        return BERTH_E_INVALID;
    berth_str quoted = str_head(str_from_offset(*rest, 1), n - 1);
    *rest = str_from_offset(*rest, n + 1);
    return http_is_field_value(quoted) ? unquote(quoted, arena, ret) : BERTH_E_INVALID;
}

static bool take_in(struct element *e, berth_str name, berth_str value)
{
    struct http_address unused;
    bool known;
    unsigned what = str_eq_nocase(name, STR("for"))     ? FOR
                    : str_eq_nocase(name, STR("by"))    ? BY
                    : str_eq_nocase(name, STR("host"))  ? HOST
                    : str_eq_nocase(name, STR("proto")) ? PROTO
                                                        : 0;
    if (e->seen & what)
        return false;
    e->seen |= what;
    switch (what) {
    case FOR:
        return read_node(value, &e->says.address, &e->says.has_address);
    case BY:
        return read_node(value, &unused, &known);
    case HOST:
        e->says.host = value;
        return http_is_authority(value);
    case PROTO:
        e->says.scheme = str_eq_nocase(value, STR("https"))  ? STR("https")
                         : str_eq_nocase(value, STR("http")) ? STR("http")
                                                             : STR_NULL;
        return is_scheme(value);
    default:
        return true; /* an extension */
    }
}

/* Pairs between semicolons. The blanks around those that we take are more than the grammar allows. */
static int read_element(berth_str rest, berth_arena *arena, struct element *ret)
{
    bool any = false;
    *ret = (struct element){0};
    for (rest = str_trim(rest); rest.n; rest = str_trim(rest)) {
        berth_str name, value;
        if (rest.p[0] == ';') {
            rest = str_from_offset(rest, 1);
            continue;
        }
        if (!str_cut(rest, '=', &name, &rest) || !http_is_token(name))
            return BERTH_E_INVALID;
        int r = take_value(&rest, arena, &value);
        if (r != BERTH_OK)
            return r;
        rest = str_trim(rest);
        if ((rest.n && rest.p[0] != ';') || !take_in(ret, name, value))
            return BERTH_E_INVALID;
        any = true;
    }
    return any ? BERTH_OK : BERTH_E_INVALID;
}

int http_forwarded_add(const struct http_proxies *p, berth_str field, berth_arena *arena,
                       struct http_forwarded *f)
{
    berth_str one;
    bool any = false;
    while (http_list_next(&field, &one)) {
        struct element e;
        int r = read_element(one, arena, &e);
        if (r != BERTH_OK)
            return r;
        struct http_forwarded before = *f;
        *f = e.says;
        any = true;
        if (!e.says.has_address || !http_proxies_trust(p, &e.says.address))
            continue; /* what stands left of it is the word of someone we do not trust */
        f->address = before.has_address ? before.address : f->address;
        f->scheme = before.scheme.n ? before.scheme : f->scheme;
        f->host = before.host.n ? before.host : f->host;
    }
    return any ? BERTH_OK : BERTH_E_INVALID;
}
