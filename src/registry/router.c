/* registry/router.c - the table of routes, read like the specification's, and the one place where names,
 * references, digests and sessions are parsed: no handler sees an unchecked one. */
#include "registry/private.h"

#include <stdio.h>

/* Where a request's work may be done. READ runs on the loop when the metadata is local. */
enum work { READ, WRITE };

/* Who may come here. Everything is open until users arrive; the column is what they will be checked against.
 */
enum access { ACCESS_NONE, ACCESS_LOGIN, ACCESS_PULL, ACCESS_PUSH, ACCESS_DELETE };

enum {
    GET = HTTP_GET | HTTP_HEAD,
    PUT = HTTP_PUT,
    POST = HTTP_POST,
    PATCH = HTTP_PATCH,
    DELETE = HTTP_DELETE
};

struct route {
    unsigned methods;
    const char *pattern;
    enum access access;
    enum work work;
    http_handler *end;
    enum http_body_mode body;
    http_handler *begin;
    const char *labels;
};

#define ROUTE(m, pattern, access, work, end, body, begin)                                                    \
    {                                                                                                        \
        m, pattern, access, work, end, body, begin, "method=\"" #m "\",route=\"" pattern "\""                \
    }
/* The first row whose pattern fits serves the path; rows of one pattern stand together and differ in method.
 * {name} is one or more components, everything else is one. */
static const struct route routes[] = {
    ROUTE(GET, "/v2", ACCESS_LOGIN, READ, ping, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/v2/_catalog", ACCESS_LOGIN, READ, catalog_list, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/v2/_oci/ext/discover", ACCESS_LOGIN, READ, extensions_discover, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/v2/{name}/_oci/ext/discover", ACCESS_PULL, READ, extensions_discover, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/v2/{name}/tags/list", ACCESS_PULL, READ, tags_list, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/v2/{name}/referrers/{digest}", ACCESS_PULL, READ, referrers_list, HTTP_BODY_NONE, NULL),
    ROUTE(POST, "/v2/{name}/blobs/uploads", ACCESS_PUSH, WRITE, upload_start, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/v2/{name}/blobs/uploads/{session}", ACCESS_PUSH, READ, upload_status, HTTP_BODY_NONE, NULL),
    ROUTE(PATCH, "/v2/{name}/blobs/uploads/{session}", ACCESS_PUSH, WRITE, upload_chunk_end, HTTP_BODY_STREAM,
          upload_chunk_begin),
    ROUTE(PUT, "/v2/{name}/blobs/uploads/{session}", ACCESS_PUSH, WRITE, upload_close_end, HTTP_BODY_STREAM,
          upload_close_begin),
    ROUTE(DELETE, "/v2/{name}/blobs/uploads/{session}", ACCESS_PUSH, WRITE, upload_cancel, HTTP_BODY_NONE,
          NULL),
    ROUTE(GET, "/v2/{name}/blobs/{digest}", ACCESS_PULL, READ, blob_get, HTTP_BODY_NONE, NULL),
    ROUTE(DELETE, "/v2/{name}/blobs/{digest}", ACCESS_DELETE, WRITE, blob_delete, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/v2/{name}/manifests/{reference}", ACCESS_PULL, READ, manifest_get, HTTP_BODY_NONE, NULL),
    ROUTE(PUT, "/v2/{name}/manifests/{reference}", ACCESS_PUSH, WRITE, manifest_put, HTTP_BODY_COLLECT, NULL),
    ROUTE(DELETE, "/v2/{name}/manifests/{reference}", ACCESS_DELETE, WRITE, manifest_delete, HTTP_BODY_NONE,
          NULL),
    ROUTE(DELETE, "/v2/{name}", ACCESS_DELETE, WRITE, repository_delete, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/healthz", ACCESS_NONE, READ, health_live, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/readyz", ACCESS_NONE, READ, health_ready, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/startupz", ACCESS_NONE, READ, health_started, HTTP_BODY_NONE, NULL),
    ROUTE(GET, "/metrics", ACCESS_NONE, WRITE, metrics_get, HTTP_BODY_NONE, NULL),
};

_Static_assert(COUNT(routes) < METRICS_ROUTES, "a row for each route, and one for none");

size_t route_count(void)
{
    return COUNT(routes);
}

const char *route_labels(size_t i)
{
    return i < COUNT(routes) ? routes[i].labels : "method=\"\",route=\"\"";
}

size_t route_index(const struct route *route)
{
    return route ? (size_t)(route - routes) : COUNT(routes);
}

unsigned route_methods_that_write(const struct route *route)
{
    return route && route->work == WRITE ? route->methods & ~(unsigned)GET : 0;
}

/* Takes the last component off @path: "/a/b" gives "b" and leaves "/a". */
static berth_str last_component(berth_str *path)
{
    const char *slash = path->n ? memrchr(path->p, '/', path->n) : NULL;
    size_t at = slash ? (size_t)(slash - path->p) + 1 : 0;
    berth_str last = str_from_offset(*path, at);
    path->n = at ? at - 1 : 0;
    return last;
}

static bool is_variable(berth_str component)
{
    return component.n && component.p[0] == '{';
}

/* Matches from the end, for {name} alone has no fixed number of components; what is left in the middle is the
 * name. */
static bool match(berth_str path, berth_str pattern, struct call *c)
{
    while (pattern.n) {
        berth_str rest = pattern, want = last_component(&rest);
        if (str_eq(want, STR("{name}"))) {
            if (!str_starts(path, rest) || path.n < rest.n + 2 || path.p[rest.n] != '/')
                return false;
            c->name = str_from_offset(path, rest.n + 1);
            return true;
        }
        berth_str have = last_component(&path);
        if (is_variable(want))
            c->thing = have;
        else if (!str_eq(have, want))
            return false;
        pattern = rest;
    }
    return path.n == 0;
}

static const char *variable_of(const char *pattern)
{
    return strstr(pattern, "{reference}") ? "reference"
           : strstr(pattern, "{digest}")  ? "digest"
           : strstr(pattern, "{session}") ? "session"
                                          : NULL;
}

/* "a path of /v2/<name>/…": what the pattern named, parsed. False after answering. */
static bool parse_variables(http_request *req, struct call *c)
{
    berth_error err = BERTH_ERROR_INIT;
    c->thing_kind = variable_of(c->route->pattern);
    if (c->name.p && !oci_name_valid(c->name)) {
        berth_error_set_oci(&err, BERTH_E_INVALID, "NAME_INVALID",
                            "'" STR_FMT "' is not a repository name: %s", STR_ARG(str_head(c->name, 80)),
                            c->name.n > OCI_NAME_MAX
                                ? "it is longer than 1024 bytes"
                                : "use lower-case letters, digits, single . _ - between them, and /");
        registry_refuse(req, &err, STR_NULL);
        return false;
    }
    int rc = BERTH_OK;
    if (!c->thing_kind)
        return true;
    if (strcmp(c->thing_kind, "reference") == 0) {
        rc = oci_reference_parse(c->thing, &c->reference, &err);
        c->thing_kind = c->thing.n && memchr(c->thing.p, ':', c->thing.n) ? "digest" : "tag";
        /* A tag that cannot exist is an unknown manifest to a reader, an invalid one to a writer. */
        if (rc != BERTH_OK && !c->reference.is_digest && req->method & (HTTP_GET | HTTP_HEAD | HTTP_DELETE))
            berth_error_set_oci(&err, BERTH_E_NOT_FOUND, "MANIFEST_UNKNOWN",
                                "no manifest can have this %s: it is not valid", c->thing_kind);
    } else if (strcmp(c->thing_kind, "digest") == 0) {
        rc = digest_parse(c->thing, &c->digest, &err);
        c->has_digest = rc == BERTH_OK;
    }
    if (rc != BERTH_OK)
        registry_refuse(req, &err, STR_NULL);
    return rc == BERTH_OK;
}

void route_set_allow(http_request *req)
{
    static const struct {
        unsigned method;
        const char *name;
    } names[] = {{HTTP_GET, "GET"},   {HTTP_HEAD, "HEAD"},   {HTTP_PUT, "PUT"},
                 {HTTP_POST, "POST"}, {HTTP_PATCH, "PATCH"}, {HTTP_DELETE, "DELETE"}};
    const struct call *c = call_of(req);
    unsigned methods = 0;
    for (size_t i = 0; c && c->pattern && i < COUNT(routes); i++)
        if (strcmp(routes[i].pattern, c->pattern) == 0)
            methods |= routes[i].methods;
    if (c && repo_is_read_only(c->reg->repo))
        methods &= (unsigned)GET;
    if (c && !repo_policy_now(c->reg->repo)->deletes)
        methods &= ~(unsigned)DELETE;
    methods &= ~req->method;
    char allow[64] = "";
    for (size_t i = 0, n = 0; i < COUNT(names); i++)
        if (methods & names[i].method)
            n += (size_t)snprintf(allow + n, sizeof(allow) - n, "%s%s", n ? ", " : "", names[i].name);
    http_set_header(req, "Allow", "%s", allow);
}

static void refuse_method(http_request *req)
{
    struct call *c = call_of(req);
    if (req->method != HTTP_OPTIONS) {
        if (c->name.n) { /* without one, the detail has method and path by itself */
            c->thing_kind = "method";
            c->thing = req->method_text;
        }
        registry_refuse_with(req, 405, "UNSUPPORTED", "this path does not take " STR_FMT ": see Allow",
                             STR_ARG(str_head(req->method_text, 40)));
        return;
    }
    http_respond(req, 204);
    route_set_allow(req);
}

/* POST …/uploads/ is three calls in one: a mount writes, one with a digest streams its body, and one that
 * only begins a session reads. */
static void plan_post(http_request *req, struct call *c, bool reads_inline, struct http_plan *plan)
{
    berth_str digest, mount;
    if (!query_of(req, "mount", &mount) || !query_of(req, "digest", &digest)) {
        plan->end = NULL;
        return;
    }
    if (!mount.p && !digest.p && reads_inline)
        plan->where = HTTP_INLINE;
    if (mount.p || !digest.p)
        return;
    berth_error err = BERTH_ERROR_INIT;
    c->thing = digest;
    c->thing_kind = "digest";
    if (digest_parse(digest, &c->digest, &err) != BERTH_OK) {
        plan->end = NULL;
        registry_refuse(req, &err, STR_NULL);
        return;
    }
    c->has_digest = true;
    plan->body = HTTP_BODY_STREAM;
    plan->begin = upload_single_begin;
    plan->piece = upload_piece;
    plan->end = upload_single_end;
    plan->done = upload_done;
}

void registry_route(http_request *req, struct http_plan *plan)
{
    registry *reg = http_app_data(req);
    struct call *c = berth_arena_alloc(&req->arena, sizeof(*c));
    berth_str path = req->path;
    if (!c)
        return; /* no plan, no answer: the server's 500 */
    *c = (struct call){.reg = reg};
    req->state = c;
    if (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--; /* with or without: never by a redirect, which some clients don't follow on POST */

    const char *pattern = NULL;
    for (size_t i = 0; i < COUNT(routes) && !c->route; i++) {
        if (pattern && strcmp(routes[i].pattern, pattern) != 0)
            break; /* the path has its pattern; no row of it had the method */
        struct call found = {.reg = reg};
        /* "/v2/{name}" fits almost any path: it counts for its own method alone, other paths are unknown. */
        if (!pattern && !(routes[i].methods & req->method) &&
            str_ends(str_from(routes[i].pattern), STR("{name}")))
            continue;
        if (!pattern && !match(path, str_from(routes[i].pattern), &found))
            continue;
        if (!pattern)
            *c = found;
        c->pattern = pattern = routes[i].pattern;
        if (routes[i].methods & req->method)
            c->route = &routes[i];
    }
    if (!pattern) {
        registry_refuse_with(req, 404, "UNSUPPORTED", "no such path: see docs/api.md for those there are");
        return;
    }
    if (!c->route) {
        refuse_method(req);
        return;
    }
    /* Decoded now, not before: an escaped slash makes no further component. */
    if (!http_url_decode(c->name, false, &req->arena, &c->name) ||
        !http_url_decode(c->thing, false, &req->arena, &c->thing) || !http_query_valid(req->query)) {
        registry_refuse_with(req, 400, "UNSUPPORTED", "the URL has a bad percent escape");
        return;
    }
    c->session = c->thing;
    if (!parse_variables(req, c))
        return;
    bool reads_inline = repo_reads_inline(reg->repo);
    *plan = (struct http_plan){
        .where = c->route->work == READ && reads_inline ? HTTP_INLINE : HTTP_WORKER,
        .body = c->route->body,
        .begin = c->route->begin,
        .end = c->route->end,
    };
    if (plan->body == HTTP_BODY_COLLECT)
        plan->max_body = registry_policy_now(reg)->max_manifest_size;
    if (plan->body == HTTP_BODY_STREAM) {
        plan->piece = upload_piece;
        plan->done = upload_done;
    }
    if (plan->end == upload_start)
        plan_post(req, c, reads_inline, plan);
}
