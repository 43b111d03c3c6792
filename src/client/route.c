/* client/route.c - see route.h. */
#include "client/route.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "util/io.h"

#define AUTHORITIES_MAX (16 * MIB)

static const char *keep(struct route *r, const char *s, bool *ok)
{
    const char *copy = s ? berth_arena_dup(&r->arena, str_from(s)) : NULL;
    *ok &= !s || copy;
    return copy;
}

static const char **keep_all(struct route *r, const char *const *list, bool *ok)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    const char **copy = berth_arena_alloc(&r->arena, (n + 1) * sizeof(*copy));
    *ok &= copy != NULL;
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = keep(r, list[i], ok);
    return copy;
}

/* [NAME[:PASSWORD]@]HOST[:PORT], and a path that nobody looks at. */
static bool proxy_readable(berth_str s)
{
    berth_str user, place = s, inside = STR_NULL, host, port;
    uint64_t n = 1;
    size_t end = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    while (end < s.n && !memchr("/?#", s.p[end], 3))
        end++;
    if (memchr(s.p, '@', s.n) && !str_cut(str_head(s, end), '@', &user, &place))
        return false;
    place = str_head(place, end - (size_t)(place.p - s.p));
    if (str_starts(place, STR("[")))
        str_cut(place, ']', &inside, &place);
    bool named = str_cut(place, ':', &host, &port);
    bool alone = !memchr(s.p + end, '@', s.n - end) && !memchr(place.p, '@', place.n);
    return alone && (host.n || inside.n) && (!named || (str_to_u64(port, &n) && n > 0 && n <= UINT16_MAX));
}

/* What libcurl knows; without a scheme it is an HTTP proxy. */
static int check_proxy(const char *proxy, berth_error *err)
{
    static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    berth_str scheme, rest;
    const char *end = strstr(proxy, "://");
    if (!proxy_readable(str_from(end ? end + 3 : proxy)))
        return berth_error_set(err, BERTH_E_INVALID,
                               "the proxy is no URL: in a name and a password '@' is written %%40, ':' %%3A, "
                               "'/' %%2F, and so on");
    if (!end)
        return BERTH_OK;
    str_cut(str_from(proxy), ':', &scheme, &rest);
    for (size_t i = 0; i < COUNT(schemes); i++)
        if (str_eq_nocase(scheme, str_from(schemes[i])))
            return BERTH_OK;
    return berth_error_set(
        err, BERTH_E_INVALID,
        "a proxy is reached by http, https, socks4, socks4a, socks5 or socks5h, not by '%.*s'",
        (int)MIN(scheme.n, (size_t)20), proxy);
}

/* [+]HOST:PORT:ADDRESS, or -HOST:PORT, as libcurl reads it and otherwise passes over. */
static int check_resolve(const char *entry, berth_error *err)
{
    berth_str s = str_from(entry), host, port, address, inside = STR_NULL;
    uint64_t n;
    bool removes = str_starts(s, STR("-"));
    if (removes || str_starts(s, STR("+")))
        s = str_from_offset(s, 1);
    if (str_starts(s, STR("["))) /* an IPv6 address */
        str_cut(s, ']', &inside, &s);
    bool named = str_cut(s, ':', &host, &s) && (host.n || inside.n);
    bool led = str_cut(s, ':', &port, &address);
    if (named && str_to_u64(port, &n) && n > 0 && n <= UINT16_MAX && (removes ? !led : led && address.n))
        return BERTH_OK;
    return berth_error_set(err, BERTH_E_INVALID, "'%.100s' is not HOST:PORT:ADDRESS", entry);
}

static int check(const berth_connection_options *o, berth_error *err)
{
    int r = o->proxy && *o->proxy ? check_proxy(o->proxy, err) : BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && o->resolve && o->resolve[i]; i++)
        r = check_resolve(o->resolve[i], err);
    if (r == BERTH_OK)
        r = route_check_file(o->client_certificate, err);
    return r == BERTH_OK ? route_check_file(o->client_key, err) : r;
}

int route_check_file(const char *path, berth_error *err)
{
    if (!path || access(path, R_OK) == 0)
        return BERTH_OK;
    return berth_error_set(err, errno == ENOENT || errno == ENOTDIR ? BERTH_E_NOT_FOUND : BERTH_E_IO,
                           "opening '%s': %s", path, strerror(errno));
}

int route_init(struct route *r, const berth_connection_options *given, const char *authority,
               berth_error *err)
{
    berth_connection_options o = BERTH_CONNECTION_OPTIONS_INIT;
    bool ok = true;
    if (given)
        memcpy(&o, given, MIN(given->size, sizeof(o)));
    r->certificate = keep(r, o.client_certificate, &ok);
    r->key = keep(r, o.client_key, &ok);
    r->proxy = keep(r, o.proxy, &ok);
    r->no_proxy = keep(r, o.no_proxy, &ok);
    r->unix_socket = keep(r, o.unix_socket, &ok);
    r->ns = keep(r, o.ns, &ok);
    r->folders = keep_all(r, o.certs_folders, &ok);
    r->resolve = keep_all(r, o.resolve, &ok);
    r->family = o.family;
    berth_buf_init(&r->own.authorities, AUTHORITIES_MAX);
    if (!ok)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (o.client_key && !o.client_certificate)
        return berth_error_set(err, BERTH_E_INVALID, "a client's key needs its certificate");
    if (o.family != BERTH_FAMILY_ANY && o.family != BERTH_FAMILY_IPV4 && o.family != BERTH_FAMILY_IPV6)
        return berth_error_set(err, BERTH_E_INVALID, "no such family of addresses");
    int code = check(&o, err);
    if (code != BERTH_OK)
        return code;
    return route_find_certs(r, str_from(authority), &r->arena, &r->own, err);
}

void route_done(struct route *r)
{
    berth_buf_done(&r->own.authorities);
    berth_arena_done(&r->arena);
}

/* --- folders of certificates --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Its files in the order of their names, NULL at the end; NULL: no such folder. */
static int list(const char *folder, berth_arena *arena, const char ***ret, berth_error *err)
{
    size_t n = 0, room = 16;
    *ret = NULL;
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT || errno == ENOTDIR
                   ? BERTH_OK
                   : berth_error_set(err, BERTH_E_IO, "opening '%s': %s", folder, strerror(errno));
    const char **names = berth_arena_alloc(arena, room * sizeof(*names));
    for (struct dirent *e; names && (e = readdir(d));) {
        if (n + 1 == room) {
            const char **more = berth_arena_alloc(arena, 2 * room * sizeof(*more));
            if (more)
                memcpy(more, names, n * sizeof(*names));
            names = more;
            room *= 2;
        }
        if (names && !(names[n++] = berth_arena_dup(arena, str_from(e->d_name))))
            names = NULL;
    }
    closedir(d);
    if (!names)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    names[n] = NULL;
    qsort(names, n, sizeof(*names), by_name);
    *ret = names;
    return BERTH_OK;
}

static int take(const char *folder, const char *name, berth_arena *arena, struct route_certs *ret,
                berth_error *err)
{
    berth_str s = str_from(name);
    const char *path = berth_arena_printf(arena, "%s/%s", folder, name);
    if (!path)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (str_ends(s, STR(".crt"))) {
        int r = io_read_file(path, &ret->authorities, err);
        berth_buf_putc(&ret->authorities, '\n');
        return r;
    }
    if (!str_ends(s, STR(".cert")) || ret->certificate)
        return BERTH_OK;
    ret->certificate = path;
    ret->key = berth_arena_printf(arena, "%s/" STR_FMT ".key", folder, STR_ARG(str_head(s, s.n - 5)));
    if (!ret->key)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return access(ret->key, R_OK) == 0
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_INVALID, "'%s' has no key that can be read: '%s'", path,
                                 ret->key);
}

int route_find_certs(const struct route *r, berth_str authority, berth_arena *arena, struct route_certs *ret,
                     berth_error *err)
{
    berth_buf_init(&ret->authorities, AUTHORITIES_MAX);
    if (!authority.n || authority.p[0] == '.' || memchr(authority.p, '/', authority.n))
        return BERTH_OK;
    for (size_t i = 0; r->folders[i]; i++) {
        const char **names = NULL;
        const char *folder = berth_arena_printf(arena, "%s/" STR_FMT, r->folders[i], STR_ARG(authority));
        int code =
            folder ? list(folder, arena, &names, err) : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        for (size_t k = 0; code == BERTH_OK && names && names[k]; k++)
            code = take(folder, names[k], arena, ret, err);
        if (code != BERTH_OK)
            return code;
    }
    return BERTH_OK;
}
