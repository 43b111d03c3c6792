/* http/request.c - the request that handlers see: made from the checked header block, read by accessors, run,
 * and released. */
#include "http/internal.h"

#include <stdio.h>

#include "util/clock.h"
#include "util/fault.h"

#define FREE_MAX 128 /* requests a loop keeps for the next ones */

/* xorshift128+: identifiers need to be distinct, not secret. */
static uint64_t next_random(struct http_loop *l)
{
    uint64_t a = l->random[0], b = l->random[1];
    l->random[0] = b;
    a ^= a << 23;
    l->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return l->random[1] + b;
}

struct http_req *http_req_new(struct http_conn *c)
{
    struct http_loop *l = c->loop;
    struct http_req *req = l->free_reqs;
    berth_arena arena = BERTH_ARENA_INIT;
    if (req) {
        l->free_reqs = req->next;
        l->n_free_reqs--;
        arena = req->pub.arena;
    } else {
        req = fault_hit() ? NULL : mem_alloc(sizeof(*req));
        if (!req)
            return NULL;
    }
    memset(req, 0, sizeof(*req));
    req->server = l->server;
    req->conn = c;
    req->pub.arena = arena;
    req->pub.content_length = -1;
    req->pub.peer = str_from(c->peer);
    req->pub.scheme = c->is_tls ? STR("https") : STR("http");
    req->pub.prefix = str_from(l->server->prefix);
    req->pub.started_us = c->started_us ? c->started_us : clock_mono_us();
    uint64_t id[2] = {next_random(l), next_random(l)};
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 32; i++)
        req->pub.id[i] = digits[id[i / 16] >> (i % 16 * 4) & 15];
    return req;
}

static const struct {
    berth_str text;
    unsigned method;
} methods[] = {
    {{"GET", 3}, HTTP_GET},         {{"HEAD", 4}, HTTP_HEAD},   {{"PUT", 3}, HTTP_PUT},
    {{"POST", 4}, HTTP_POST},       {{"PATCH", 5}, HTTP_PATCH}, {{"DELETE", 6}, HTTP_DELETE},
    {{"OPTIONS", 7}, HTTP_OPTIONS},
};

static unsigned method_of(berth_str text)
{
    for (size_t i = 0; i < COUNT(methods); i++)
        if (str_eq(text, methods[i].text))
            return methods[i].method;
    return HTTP_OTHER;
}

/* Origin form, absolute form (whose authority replaces Host, RFC 9112 section 3.2.2), or "*" for OPTIONS. */
static bool split_target(http_request *pub, berth_str target)
{
    if (target.p[0] != '/' && !str_eq(target, STR("*"))) {
        size_t scheme = str_eq_nocase(str_head(target, 7), STR("http://"))    ? 7
                        : str_eq_nocase(str_head(target, 8), STR("https://")) ? 8
                                                                              : 0;
        size_t end = scheme;
        while (end < target.n && target.p[end] != '/' && target.p[end] != '?')
            end++;
        pub->host = (berth_str){target.p + scheme, end - scheme};
        if (!scheme || !pub->host.n || !http_is_authority(pub->host))
            return false;
        target = (berth_str){target.p + end, target.n - end};
    } else if (target.p[0] == '*' && pub->method != HTTP_OPTIONS) {
        return false;
    }
    str_cut(target, '?', &pub->path, &pub->query);
    if (!pub->path.n)
        pub->path = STR("/");
    return true;
}

static berth_str last_of(berth_str list)
{
    berth_str one, last = STR_NULL;
    while (http_list_next(&list, &one))
        last = one;
    return last;
}

/* BERTH_E_INVALID: there is no Forwarded, or none that is well-formed; BERTH_E_NOMEM. */
static int read_forwarded(struct http_req *req, struct http_forwarded *ret)
{
    struct http_forwarded f = {0};
    berth_str field = http_field_get(&req->block, STR("Forwarded"), 0);
    int r = BERTH_E_INVALID;
    for (size_t i = 1; field.p; field = http_field_get(&req->block, STR("Forwarded"), i++)) {
        /* Each on its own: a quote that a client left open does not reach into what the proxy wrote. */
        r = http_forwarded_add(req->server->proxies, field, &req->pub.arena, &f);
        if (r != BERTH_OK)
            return r;
    }
    *ret = f;
    return r;
}

static void read_x_forwarded(struct http_req *req, struct http_forwarded *ret)
{
    http_request *pub = &req->pub;
    berth_str proto = last_of(http_header_list(pub, "X-Forwarded-Proto"));
    berth_str host = last_of(http_header_list(pub, "X-Forwarded-Host"));
    *ret = (struct http_forwarded){0};
    if (str_eq_nocase(proto, STR("https")))
        ret->scheme = STR("https");
    else if (str_eq_nocase(proto, STR("http")))
        ret->scheme = STR("http");
    if (host.n && http_is_authority(host))
        ret->host = host;
    ret->has_address =
        http_forwarded_for(req->server->proxies, http_header_list(pub, "X-Forwarded-For"), &ret->address);
}

/* What a trusted proxy says about its client. Most proxies write X-Forwarded-* and pass on a Forwarded that
 * their client made up: so it counts only where there is none of the others. False: no memory. */
static bool believe_proxy(struct http_req *req)
{
    http_request *pub = &req->pub;
    struct http_forwarded f = {0};
    if (http_header(pub, "X-Forwarded-For").p || http_header(pub, "X-Forwarded-Proto").p ||
        http_header(pub, "X-Forwarded-Host").p)
        read_x_forwarded(req, &f);
    else if (read_forwarded(req, &f) == BERTH_E_NOMEM)
        return false;
    if (f.scheme.n)
        pub->scheme = f.scheme;
    if (f.host.n)
        pub->host = f.host;
    if (f.has_address) {
        char *text = berth_arena_alloc(&pub->arena, HTTP_ADDRESS_TEXT);
        if (!text)
            return false;
        http_address_print(&f.address, text);
        pub->peer = str_from(text);
        req->address = f.address;
        req->has_address = true;
    }
    return true;
}

int http_req_describe(struct http_req *req, struct http_refusal *ret_why)
{
    http_request *pub = &req->pub;
    pub->method = method_of(req->block.method);
    pub->method_text = req->block.method;
    pub->host = req->block.host;
    req->address = req->conn->address;
    req->has_address = !req->conn->is_unix && !req->conn->trusted;
    pub->content_length = req->block.content_length;
    pub->chunked = req->block.chunked;
    if (!split_target(pub, req->block.target)) {
        ret_why->reason = "the request target must be a path that begins with /, or an http URL";
        http_block_locate(req->block.method.p, req->block.method.n + 1 + req->block.target.n, 0, ret_why);
        return 400;
    }
    if (req->conn->trusted && !believe_proxy(req)) {
        ret_why->reason = "the server is short of memory; try again";
        return 503;
    }
    if (pub->prefix.n && pub->path.p[0] == '/') {
        berth_str below = str_from_offset(pub->path, pub->prefix.n);
        if (!str_starts(pub->path, pub->prefix) || (below.n && below.p[0] != '/')) {
            ret_why->reason = "nothing is served outside of the server's prefix";
            return 404;
        }
        pub->path = below.n ? below : STR("/");
    }
    return 0;
}

void http_req_run(struct http_req *req)
{
    http_request *pub = &req->pub;
    const struct http_plan *plan = &req->plan;
    if (req->run_begin) {
        req->begun = true;
        if (plan->begin)
            plan->begin(pub);
    }
    if (req->running && !req->answer.set)
        plan->piece(pub, req->running->bytes, req->running->n);
    if (req->run_end && !req->answer.set) {
        req->ended = true;
        plan->end(pub);
    }
}

static void req_free(struct http_req *req)
{
    berth_buf_done(&req->collected);
    berth_arena_done(&req->pub.arena);
    mem_free(req);
}

static void run_done(struct http_job *job)
{
    struct http_req *req = CONTAINER_OF(job, struct http_req, job);
    req->plan.done(&req->pub);
    req_free(req);
}

void http_req_release(struct http_req *req)
{
    struct http_loop *l = req->conn->loop;
    http_answer_reset(&req->answer);
    http_buffer_discharge(l, req->charged);
    req->conn = NULL;
    if (req->plan.done && req->plan.where == HTTP_WORKER) {
        req->job.run = run_done;
        http_pool_push(req->server->pool, &req->job);
        return;
    }
    if (req->plan.done)
        req->plan.done(&req->pub);
    if (l->n_free_reqs == FREE_MAX) {
        req_free(req);
        return;
    }
    berth_buf_done(&req->collected);
    berth_arena_reset(&req->pub.arena);
    req->next = l->free_reqs;
    l->free_reqs = req;
    l->n_free_reqs++;
}

/* --- what handlers read --- */

void *http_app_data(const http_request *pub)
{
    return http_req_of_const(pub)->server->app.data;
}

berth_str http_header(const http_request *pub, const char *name)
{
    return http_field_get(&http_req_of_const(pub)->block, str_from(name), 0);
}

size_t http_header_count(const http_request *pub, const char *name)
{
    const struct http_block *b = &http_req_of_const(pub)->block;
    size_t n = 0;
    while (http_field_get(b, str_from(name), n).p)
        n++;
    return n;
}

berth_str http_header_list(http_request *pub, const char *name)
{
    const struct http_block *b = &http_req_of(pub)->block;
    size_t count = http_header_count(pub, name), n = 0;
    if (count < 2)
        return http_header(pub, name);
    for (size_t i = 0; i < count; i++)
        n += http_field_get(b, str_from(name), i).n + 2;
    char *p = berth_arena_alloc(&pub->arena, n);
    if (!p)
        return STR_NULL;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        berth_str v = http_field_get(b, str_from(name), i);
        if (i) {
            memcpy(p + at, ", ", 2);
            at += 2;
        }
        if (v.n)
            memcpy(p + at, v.p, v.n);
        at += v.n;
    }
    return (berth_str){p, at};
}

berth_str http_body(const http_request *pub)
{
    return berth_buf_str(&http_req_of_const(pub)->collected);
}

void http_hand_over(http_request *pub, http_handler *again)
{
    struct http_req *req = http_req_of(pub);
    req->handed_over = true;
    req->plan.end = again;
}
