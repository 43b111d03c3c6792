/* client/template.c - see template.h. */
#include "client/template.h"

#include "http/url.h"
#include "oci/reference.h"

/* What may stand as it is in a path (RFC 3986 section 3.3; '/' is that of names), and in a parameter's value.
 */
#define IN_PATH  "/:@!$&'()*+,;="
#define IN_QUERY "/:@"

static int fill_one(berth_str hole, const struct template_values *v, const char *keep, berth_buf *out,
                    berth_error *err)
{
    const struct {
        berth_str hole;
        const char *value;
    } known[] = {{STR("<name>"), v->name},
                 {STR("<reference>"), v->reference},
                 {STR("<digest>"), v->digest},
                 {STR("<session_id>"), v->session_id}};
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!str_eq(hole, known[i].hole))
            continue;
        if (!known[i].value || !*known[i].value)
            return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' is not filled in", STR_ARG(hole));
        http_url_encode(out, str_from(known[i].value), keep);
        return BERTH_OK;
    }
    return berth_error_set(err, BERTH_E_INVALID, "nothing can fill '" STR_FMT "'", STR_ARG(hole));
}

/* The path of a filled template, without what stands before and behind it. */
static berth_str path_of(berth_str s)
{
    berth_str path, query;
    str_cut(s, '?', &path, &query);
    size_t skip = str_starts(path, STR("https://")) ? 8 : str_starts(path, STR("http://")) ? 7 : 0;
    if (!skip)
        return path;
    path = str_from_offset(path, skip);
    while (path.n && path.p[0] != '/')
        path = str_from_offset(path, 1);
    return path;
}

static int check_parts(berth_str path, berth_error *err)
{
    berth_str left = path, part;
    if (str_starts(left, STR("/")))
        left = str_from_offset(left, 1);
    while (left.n) {
        bool last = !str_cut(left, '/', &part, &left);
        if (!part.n && !last)
            return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' has an empty part ('//')",
                                   STR_ARG(path));
        if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
            return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' leads elsewhere by '" STR_FMT "'",
                                   STR_ARG(path), STR_ARG(part));
    }
    return BERTH_OK;
}

int template_fill(berth_str path, const struct template_values *values, berth_buf *out, berth_error *err)
{
    size_t start = out->n;
    bool in_query = false;
    while (path.n) {
        size_t n = 0;
        while (n < path.n && path.p[n] != '<')
            n++;
        berth_buf_add(out, path.p, n);
        in_query |= n && memchr(path.p, '?', n);
        path = str_from_offset(path, n);
        if (!path.n)
            break;
        for (n = 0; n < path.n && path.p[n] != '>';)
            n++;
        berth_str hole = str_head(path, n + 1);
        int r = fill_one(hole, values, in_query ? IN_QUERY : IN_PATH, out, err);
        if (r != BERTH_OK)
            return r;
        path = str_from_offset(path, hole.n);
    }
    if (berth_buf_exceeded(out))
        return berth_error_set(err, BERTH_E_INVALID, "the path is too long");
    if (berth_buf_failed(out))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return check_parts(path_of(str_from_offset(berth_buf_str(out), start)), err);
}

/* Takes the last part of the path off. */
static berth_str take_last(berth_str *path)
{
    size_t n = path->n;
    while (n && path->p[n - 1] != '/')
        n--;
    berth_str last = str_from_offset(*path, n);
    *path = str_head(*path, n ? n - 1 : 0);
    return last;
}

berth_str template_repository(berth_str path)
{
    static const berth_str kinds[] = {{"manifests", 9}, {"blobs", 5}, {"tags", 4}, {"referrers", 9}};
    path = path_of(path);
    if (!str_starts(path, STR("/v2/")))
        return STR("");
    path = str_from_offset(path, 4);
    take_last(&path);
    berth_str kind = take_last(&path);
    if (str_eq(kind, STR("uploads")))
        kind = take_last(&path);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_eq(kind, kinds[i]) && oci_name_valid(path))
            return path;
    return STR("");
}
