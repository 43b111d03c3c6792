/* auth/place.c - see place.h. */
#include "auth/place.h"

/* Docker Hub has three names, and its entry in the file a fourth. */
static berth_str canonical_host(berth_str host)
{
    bool hub =
        str_eq_nocase(host, STR("index.docker.io")) || str_eq_nocase(host, STR("registry-1.docker.io"));
    return hub ? STR("docker.io") : host;
}

static void split(berth_str place, berth_str *ret_host, berth_str *ret_path)
{
    if (str_eq_nocase(str_head(place, 8), STR("https://")))
        place = str_from_offset(place, 8);
    else if (str_eq_nocase(str_head(place, 7), STR("http://")))
        place = str_from_offset(place, 7);
    str_cut(place, '/', ret_host, ret_path);
    while (str_ends(*ret_path, STR("/")))
        ret_path->n--;
    if (str_eq(*ret_path, STR("v1")) || str_eq(*ret_path, STR("v2")))
        *ret_path = STR("");
    *ret_host = canonical_host(*ret_host);
}

static bool leads_to(berth_str path, berth_str repository)
{
    return !path.n || (str_eq_nocase(str_head(repository, path.n), path) &&
                       (repository.n == path.n || repository.p[path.n] == '/'));
}

/* One star back at most: no pattern takes longer than its length times the host's. */
static bool fits_pattern(berth_str pattern, berth_str host)
{
    size_t p = 0, h = 0, star = SIZE_MAX, from = 0;
    while (h < host.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = h;
        } else if (p < pattern.n &&
                   str_eq_nocase((berth_str){pattern.p + p, 1}, (berth_str){host.p + h, 1})) {
            p++;
            h++;
        } else if (star != SIZE_MAX && host.p[from] != '.') {
            p = star + 1;
            h = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

enum exactness { NO_HOST, ANY_HOST, PATTERN, HOST };

static enum exactness compare(berth_str place, berth_str host)
{
    if (!place.n || str_eq(place, STR("*")))
        return ANY_HOST;
    if (memchr(place.p, '*', place.n))
        return fits_pattern(place, host) ? PATTERN : NO_HOST;
    return str_eq_nocase(place, canonical_host(host)) ? HOST : NO_HOST;
}

uint64_t auth_place_rank(berth_str place, enum auth_privilege may, const auth_target *target)
{
    berth_str host, path;
    split(place, &host, &path);
    enum exactness exact = compare(host, target->host);
    if (exact == NO_HOST || may < target->needs || !leads_to(path, target->repository))
        return 0;
    return (uint64_t)exact << 56 | (uint64_t)MIN(path.n, (size_t)UINT32_MAX) << 8 |
           (uint64_t)(AUTH_ALL - may);
}

bool auth_place_same(berth_str a, berth_str b)
{
    berth_str a_host, a_path, b_host, b_path;
    split(a, &a_host, &a_path);
    split(b, &b_host, &b_path);
    return str_eq_nocase(a_host, b_host) && str_eq_nocase(a_path, b_path);
}

berth_str auth_place_of(berth_str host)
{
    return str_eq_nocase(canonical_host(host), STR("docker.io")) ? STR("https://index.docker.io/v1/") : host;
}
