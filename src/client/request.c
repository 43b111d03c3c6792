/* client/request.c - requests by template: setters, the URL and the header lines that they make, and the call
 * that sends them. Each attempt is made anew of the request, so that query and headers outlive a challenge,
 * and what a retry callback changes is sent. */
#include "client/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "client/template.h"
#include "http/block.h"
#include "http/url.h"
#include "oci/reference.h"

#define LIMIT (8 * MIB)

/* Keeps the first mistake. */
static void fail(berth_request *q, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void fail(berth_request *q, int code, const char *fmt, ...)
{
    char why[sizeof(q->err.message)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (q->err.code == BERTH_OK)
        berth_error_set(&q->err, code, "%s", why);
}

static void no_memory(berth_request *q)
{
    fail(q, BERTH_E_NOMEM, "out of memory");
}

/* --- pairs of names and values --- */

static void pairs_done(struct pairs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        mem_free(p->of[i].name);
        mem_free(p->of[i].value);
    }
    mem_free(p->of);
}

static void pairs_drop(struct pairs *p, const char *name, bool any_case)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (any_case ? strcasecmp(p->of[i].name, name) != 0 : strcmp(p->of[i].name, name) != 0) {
            p->of[kept++] = p->of[i];
            continue;
        }
        mem_free(p->of[i].name);
        mem_free(p->of[i].value);
    }
    p->n = kept;
}

static bool pairs_add(struct pairs *p, const char *name, const char *value)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 8;
        struct pair *more = mem_realloc(p->of, cap * sizeof(*more));
        if (!more)
            return false;
        p->of = more;
        p->cap = cap;
    }
    struct pair fresh = {str_dup(str_from(name)), str_dup(str_from(value))};
    if (!fresh.name || !fresh.value) {
        mem_free(fresh.name);
        mem_free(fresh.value);
        return false;
    }
    p->of[p->n++] = fresh;
    return true;
}

/* --- making one --- */

static bool is_method(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return n && !s[n] && strcmp(s, "CONNECT") != 0;
}

static void unref(berth_request *q)
{
    if (atomic_fetch_sub(&q->references, 1) != 1)
        return;
    pairs_done(&q->headers);
    pairs_done(&q->query);
    mem_free(q->method);
    mem_free(q->path);
    mem_free(q->name);
    mem_free(q->reference);
    mem_free(q->digest);
    mem_free(q->session_id);
    mem_free(q->body);
    mem_free(q);
}

int berth_request_new(berth_client *client, const char *method, const char *path, berth_request **ret_request,
                      berth_error *err)
{
    if (!client || !method || !is_method(method))
        return berth_error_set(err, BERTH_E_INVALID, "a request needs a client and a method in capitals");
    if (!path || !*path)
        return berth_error_set(err, BERTH_E_INVALID, "a request needs a path");
    berth_request *q = mem_zalloc(1, sizeof(*q));
    if (!q)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    atomic_init(&q->references, 1);
    q->client = client;
    q->limit = LIMIT;
    q->method = str_dup(str_from(method));
    q->path = str_dup(str_from(path));
    if (!q->method || !q->path) {
        unref(q);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *ret_request = q;
    return BERTH_OK;
}

void berth_request_free(berth_request *request)
{
    if (request)
        unref(request);
}

static void set_text(berth_request *q, char **to, const char *s)
{
    char *copy = s ? str_dup(str_from(s)) : NULL;
    if (s && !copy) {
        no_memory(q);
        return;
    }
    mem_free(*to);
    *to = copy;
}

void berth_request_set_name(berth_request *request, const char *name)
{
    set_text(request, &request->name, name);
}

void berth_request_set_reference(berth_request *request, const char *reference)
{
    set_text(request, &request->reference, reference);
}

void berth_request_set_digest(berth_request *request, const char *digest)
{
    set_text(request, &request->digest, digest);
}

void berth_request_set_session_id(berth_request *request, const char *session_id)
{
    set_text(request, &request->session_id, session_id);
}

/* What says where a message ends, or to whom it goes: the transport's alone to say. */
static bool is_framing(const char *name)
{
    static const char *const names[] = {"Connection", "Host",    "Transfer-Encoding",
                                        "TE",         "Trailer", "Upgrade"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

void berth_request_add_header(berth_request *request, const char *name, const char *value)
{
    if (!name || !http_is_token(str_from(name)) || is_framing(name))
        fail(request, BERTH_E_INVALID, "'%s' is not a header to be set", name ? name : "");
    else if (!value || !http_is_field_value(str_from(value)))
        fail(request, BERTH_E_INVALID, "the value of '%s' can't stand in a header", name);
    else if (!pairs_add(&request->headers, name, value))
        no_memory(request);
}

void berth_request_set_header(berth_request *request, const char *name, const char *value)
{
    if (name)
        pairs_drop(&request->headers, name, true);
    if (!name || value)
        berth_request_add_header(request, name, value);
}

void berth_request_add_query(berth_request *request, const char *name, const char *value)
{
    if (!name || !*name || !value)
        fail(request, BERTH_E_INVALID, "a parameter needs a name and a value");
    else if (!pairs_add(&request->query, name, value))
        no_memory(request);
}

void berth_request_set_query(berth_request *request, const char *name, const char *value)
{
    if (name)
        pairs_drop(&request->query, name, false);
    if (!name || value)
        berth_request_add_query(request, name, value);
}

void berth_request_set_body(berth_request *request, const void *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (!copy) {
        no_memory(request);
        return;
    }
    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    mem_free(request->body);
    request->body = copy;
    request->body_n = n;
    request->source.size = 0;
    request->bodies++;
}

void berth_request_set_source(berth_request *request, const berth_source *source)
{
    request->source = (berth_source){0};
    if (source)
        memcpy(&request->source, source, MIN(source->size, sizeof(request->source)));
    request->bodies++;
}

void berth_request_set_sink(berth_request *request, berth_sink_fn fn, void *arg)
{
    request->sink = fn;
    request->sink_arg = arg;
}

void berth_request_set_limit(berth_request *request, size_t bytes)
{
    request->limit = bytes;
}

void berth_request_set_redirects(berth_request *request, bool follow)
{
    request->keeps_redirects = !follow;
}

void berth_request_set_retry(berth_request *request, berth_request_retry_fn fn, void *arg)
{
    request->retry = fn;
    request->retry_arg = arg;
}

const char *berth_request_method(const berth_request *request)
{
    return request->method;
}

/* --- what it comes to --- */

static bool is_url(const char *path)
{
    return str_starts(str_from(path), STR("http://")) || str_starts(str_from(path), STR("https://"));
}

static int add_url(const berth_request *q, berth_buf *out, berth_error *err)
{
    CLEANUP(freep) char *by_default = q->name ? NULL : berth_client_default_name(q->client);
    const struct template_values v = {.name = q->name ? q->name : by_default,
                                      .reference = q->reference,
                                      .digest = q->digest,
                                      .session_id = q->session_id};
    http_uri u;
    if (q->err.code != BERTH_OK) {
        if (err)
            *err = q->err;
        return q->err.code;
    }
    if (!is_url(q->path))
        berth_buf_addf(out, "%s%s", q->client->base, q->path[0] == '/' ? "" : "/");
    int r = template_fill(str_from(q->path), &v, out, err);
    if (r != BERTH_OK)
        return r;
    bool asks = memchr(out->p, '?', out->n);
    for (size_t i = 0; i < q->query.n; i++) {
        berth_buf_putc(out, asks ? '&' : '?');
        http_url_encode(out, str_from(q->query.of[i].name), "");
        berth_buf_putc(out, '=');
        http_url_encode(out, str_from(q->query.of[i].value), ":/,");
        asks = true;
    }
    if (berth_buf_failed(out) || !http_uri_parse(berth_buf_str(out), &u))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' makes no URL", q->path);
    return BERTH_OK;
}

int berth_request_url(const berth_request *request, char **ret_url, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(HTTP_URI_MAX);
    int r = add_url(request, &url, err);
    if (r != BERTH_OK)
        return r;
    char *s = berth_buf_take(&url);
    if (!s)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    *ret_url = s;
    return BERTH_OK;
}

/* Of a request that was redirected to another host, what is meant for the first one alone. */
static bool is_secret(const char *name)
{
    return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0;
}

static int add_headers(berth_call *call, const berth_request *q)
{
    uint64_t length;
    int64_t body = call->payload.length;
    bool elsewhere = call->redirects && call->foreign;
    for (size_t i = 0; i < q->headers.n; i++) {
        const struct pair *h = &q->headers.of[i];
        if (strcasecmp(h->name, "Content-Length") == 0) {
            if (!str_to_u64(str_from(h->value), &length) || (body >= 0 && length != (uint64_t)body))
                return call_fail(call, BERTH_E_INVALID, "Content-Length says %s, the body has %lld bytes",
                                 h->value, (long long)body);
            call->payload.present = true;
            call->payload.length = body < 0 ? (int64_t)MIN(length, (uint64_t)INT64_MAX) : body;
            continue;
        }
        call->own_authorization |= strcasecmp(h->name, "Authorization") == 0;
        if (elsewhere && is_secret(h->name))
            continue;
        if (*h->value)
            call_field(call, "%s: %s", h->name, h->value);
        else
            call_field(call, "%s;", h->name); /* curl's way to write a header that is empty */
    }
    return BERTH_OK;
}

/* --- sending it --- */

/* Of one call. */
struct sending {
    berth_request *request;
    struct step step;
    bool sent;       /* once already */
    unsigned bodies; /* the request's, when the source was opened */
    struct source source;
    berth_response *response;
};

static struct sending *sending_of(const berth_call *call)
{
    return call->own;
}

static int set_body(berth_call *call, struct sending *s)
{
    const berth_request *q = s->request;
    berth_error err = BERTH_ERROR_INIT;
    struct payload *p = &call->payload;
    p->present = q->body || q->source.size || strcmp(q->method, BERTH_PUT) == 0 ||
                 strcmp(q->method, BERTH_POST) == 0 || strcmp(q->method, BERTH_PATCH) == 0;
    p->bytes = (berth_str){q->body, q->body_n};
    p->length = (int64_t)q->body_n;
    if (!q->source.size)
        return BERTH_OK;
    if (s->bodies != q->bodies && source_open(&s->source, &q->source, &err) != BERTH_OK)
        return call_fail_with(call, &err);
    s->bodies = q->bodies;
    p->source = &s->source;
    p->length = s->source.length;
    return BERTH_OK;
}

static int prepare(berth_call *call)
{
    struct sending *s = sending_of(call);
    berth_request *q = s->request;
    berth_error err = BERTH_ERROR_INIT;
    if (s->sent && q->retry) {
        int r = q->retry(q, q->retry_arg, &err);
        if (r != BERTH_OK)
            return call_fail(call, r < 0 ? r : BERTH_E_CANCELLED, "%s",
                             err.message[0] ? err.message : "its retry callback gives up");
    }
    s->sent = true;
    call_prepare(call);
    call->own_authorization = false;
    if (!call->redirects) {
        berth_buf_reset(&call->url);
        if (add_url(q, &call->url, &err) != BERTH_OK)
            return call_fail(call, err.code, "%s", err.message);
    }
    return set_body(call, s) == BERTH_OK ? add_headers(call, q) : call->code;
}

static bool redirects(const berth_call *call)
{
    const berth_request *q = sending_of(call)->request;
    bool reads = strcmp(q->method, BERTH_GET) == 0 || strcmp(q->method, BERTH_HEAD) == 0;
    return !q->keeps_redirects && exchange_field(&call->x, STR("Location"), 0).p &&
           (reads || call->x.status == 307 || call->x.status == 308);
}

static int piece(berth_call *call, const void *p, size_t n)
{
    const berth_request *q = sending_of(call)->request;
    int r = q->sink(q->sink_arg, p, n);
    return r == 0 || r == BERTH_PAUSE ? r : call_fail(call, BERTH_E_CANCELLED, "cancelled");
}

static int end(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    sending_of(call)->response = response_read(call);
    return sending_of(call)->response ? BERTH_OK : call_fail(call, BERTH_E_NOMEM, "out of memory");
}

static void done(berth_call *call)
{
    unref(sending_of(call)->request);
}

static const struct operation operation = {.done = done};

/* What it needs to be allowed, as scopes name it. */
static const char *rights(const berth_request *q)
{
    if (strcmp(q->method, BERTH_DELETE) == 0)
        return "delete";
    bool reads = strcmp(q->method, BERTH_GET) == 0 || strcmp(q->method, BERTH_HEAD) == 0 ||
                 strcmp(q->method, BERTH_OPTIONS) == 0;
    return reads ? "pull" : "pull,push";
}

/* Its scope, and what it is called in messages. */
static bool set_names(berth_call *call, const berth_request *q, const http_uri *u)
{
    berth_str path, query, name = template_repository(u->target);
    str_cut(u->target, '?', &path, &query);
    if (!name.n && q->name && oci_name_valid(str_from(q->name)))
        name = str_from(q->name);
    call->repository = berth_arena_dup(&call->arena, name);
    call->scope =
        name.n ? berth_arena_printf(&call->arena, "repository:" STR_FMT ":%s", STR_ARG(name), rights(q))
               : berth_arena_dup(&call->arena, name);
    call->subject = berth_arena_printf(&call->arena, "%s " STR_FMT STR_FMT, q->method, STR_ARG(u->authority),
                                       STR_ARG(path));
    return call->repository && call->scope && call->subject;
}

static int set_up(berth_call *call, berth_request *q, berth_error *err)
{
    http_uri u;
    struct sending *s = berth_arena_alloc(&call->arena, sizeof(*s));
    int r = add_url(q, &call->url, err);
    if (r != BERTH_OK)
        return r;
    if (!s || !http_uri_parse(berth_buf_str(&call->url), &u) || !set_names(call, q, &u))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    atomic_fetch_add(&q->references, 1);
    s->request = q;
    s->step = (struct step){.method = q->method,
                            .body_max = q->limit,
                            .any_answer = true,
                            .large = q->sink,
                            .prepare = prepare,
                            .redirects = redirects,
                            .piece = q->sink ? piece : NULL,
                            .end = end};
    call->own = s;
    call->step = &s->step;
    call->foreign = !http_uri_same_origin(&u, &q->client->origin);
    return BERTH_OK;
}

int berth_request_start(berth_request *request, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(request->client, &operation, NULL, NULL, &call, err);
    if (r == BERTH_OK && (r = set_up(call, request, err)) != BERTH_OK)
        call_destroy(call);
    if (r != BERTH_OK)
        return r;
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

const berth_response *berth_call_response(const berth_call *call)
{
    return call->op == &operation && berth_call_result(call, NULL) == BERTH_OK ? sending_of(call)->response
                                                                               : NULL;
}

int berth_request_send(berth_request *request, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_request_start(request, &call, err);
    return call_run(r, call, ret_call, err);
}
