/* tests/unit/registry/fixture.c - see fixture.h. */
#include "fixture.h"

#include <stdarg.h>
#include <sys/mman.h>

#include "util/clock.h"
#include "util/log.h"

struct site site;
static struct exchange *last;
static berth_arena scratch;

int site_open(void **state)
{
    (void)state;
    site = (struct site){
        .rules = {.auto_create = true,
                  .deletes = true,
                  .mount_anywhere = true,
                  .inline_size = 64,
                  .session_ms = 600000},
        .api = {.max_manifest_size = 4 * MIB, .page_size = 100, .metrics = true, .access_log = true},
    };
    site.log = memfd_create("log", MFD_CLOEXEC);
    CHECK(site.log >= 0);
    log_setup(LOG_INFO, LOG_TEXT, site.log);
    CHECK_OK(meta_sqlite_open(":memory:", NULL, &site.m, &test_err));
    CHECK_OK(store_memory_new(&site.store, &test_err));
    CHECK_OK(repo_new(site.m, site.store, &site.rules, &site.r, &test_err));
    CHECK_OK(registry_new(site.r, &site.api, &site.reg, &test_err));
    return 0;
}

int site_close(void **state)
{
    (void)state;
    exchange_free(steal(&last));
    registry_free(site.reg);
    repo_free(site.r);
    store_free(site.store);
    site.m->ops->free(site.m);
    log_setup(LOG_ERROR, LOG_TEXT, STDERR_FILENO);
    close(site.log);
    berth_arena_done(&scratch);
    return 0;
}

void site_apply(void)
{
    CHECK_OK(repo_set_policy(site.r, &site.rules, &test_err));
    CHECK_OK(registry_set_policy(site.reg, &site.api, &test_err));
}

const char *site_log(void)
{
    static char text[16 * 1024];
    ssize_t n = pread(site.log, text, sizeof(text) - 1, 0);
    CHECK(n >= 0 && ftruncate(site.log, 0) == 0 && lseek(site.log, 0, SEEK_SET) == 0);
    text[n] = '\0';
    return text;
}

/* --- the stand-in --- */

static struct exchange *of(const http_request *req)
{
    return (struct exchange *)(uintptr_t)req; /* its first member */
}

void *http_app_data(const http_request *req)
{
    (void)req;
    return registry_app(site.reg)->data;
}

static berth_str nth_sent(const http_request *req, const char *name, size_t nth)
{
    const struct exchange *x = of(req);
    for (size_t i = 0; i < x->n_sent; i++)
        if (str_eq_nocase(str_from(x->sent[i].name), str_from(name)) && nth-- == 0)
            return str_from(x->sent[i].value);
    return STR_NULL;
}

berth_str http_header(const http_request *req, const char *name)
{
    return nth_sent(req, name, 0);
}

size_t http_header_count(const http_request *req, const char *name)
{
    size_t n = 0;
    while (nth_sent(req, name, n).p)
        n++;
    return n;
}

berth_str http_header_list(http_request *req, const char *name)
{
    char *all = NULL;
    for (size_t i = 0; i < http_header_count(req, name); i++)
        all = berth_arena_printf(&req->arena, "%s%s" STR_FMT, all ? all : "", all ? ", " : "",
                                 STR_ARG(nth_sent(req, name, i)));
    return str_from(all);
}

berth_str http_body(const http_request *req)
{
    return of(req)->body;
}

void http_respond(http_request *req, int status)
{
    struct exchange *x = of(req);
    x->status = status;
    x->n_answered = 0;
    x->length = 0;
    berth_buf_reset(&x->out);
}

int http_answer_status(const http_request *req)
{
    return of(req)->status;
}

bool http_responded(const http_request *req)
{
    return of(req)->status != 0;
}

__attribute__((format(printf, 3, 0))) static void put_header(http_request *req, const char *name,
                                                             const char *fmt, va_list ap)
{
    struct exchange *x = of(req);
    char *value = berth_arena_vprintf(&req->arena, fmt, ap);
    CHECK(x->n_answered < COUNT(x->answered) && value && !strpbrk(value, "\r\n"));
    x->answered[x->n_answered++] = (struct item){berth_arena_dup(&req->arena, str_from(name)), value};
}

void http_set_header(http_request *req, const char *name, const char *fmt, ...)
{
    struct exchange *x = of(req);
    size_t n = 0;
    for (size_t i = 0; i < x->n_answered; i++)
        if (!str_eq_nocase(str_from(x->answered[i].name), str_from(name)))
            x->answered[n++] = x->answered[i];
    x->n_answered = n;
    va_list ap;
    va_start(ap, fmt);
    put_header(req, name, fmt, ap);
    va_end(ap);
}

void http_add_header(http_request *req, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_header(req, name, fmt, ap);
    va_end(ap);
}

void http_body_lend(http_request *req, berth_str bytes)
{
    struct exchange *x = of(req);
    x->length += bytes.n;
    if (req->method != HTTP_HEAD)
        berth_buf_add_str(&x->out, bytes);
}

void http_body_copy(http_request *req, berth_str bytes)
{
    http_body_lend(req, bytes);
}

void http_body_give(http_request *req, char *p, size_t n)
{
    http_body_lend(req, (berth_str){p, n});
    mem_free(p);
}

int http_body_file(http_request *req, int fd, uint64_t offset, uint64_t length, berth_error *err)
{
    CLEANUP(freep) char *p = mem_alloc((size_t)length);
    if (!p || pread(fd, p, (size_t)length, (off_t)offset) != (ssize_t)length)
        return berth_error_set(err, BERTH_E_IO, "the file is too short");
    http_body_lend(req, (berth_str){p, (size_t)length});
    return BERTH_OK;
}

void http_body_length(http_request *req, uint64_t length)
{
    of(req)->length = length;
}

void http_close_after(http_request *req)
{
    (void)req;
}

void http_hand_over(http_request *req, http_handler *again)
{
    struct exchange *x = of(req);
    CHECK(x->plan.where == HTTP_INLINE && !x->status);
    x->again = again;
    x->handed_over = true;
}

void http_server_stats(http_server *s, struct http_stats *ret)
{
    (void)s;
    *ret = (struct http_stats){.connections = 7, .worker_queue = 3, .refused = 2};
}

/* --- requests --- */

static unsigned method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"};
    for (unsigned i = 0; i < COUNT(names); i++)
        if (strcmp(names[i], name) == 0)
            return 1u << i;
    return HTTP_OTHER;
}

struct exchange *exchange_new(const char *method, const char *target, const char *head, berth_str body)
{
    struct exchange *x = mem_zalloc(1, sizeof(*x));
    CHECK(x != NULL);
    x->body = body;
    x->piece = 16 * KIB;
    berth_buf_init(&x->out, 64 * MIB);
    http_request *req = &x->req;
    req->method = method_of(method);
    req->method_text = berth_arena_str(&req->arena, str_from(method));
    str_cut(berth_arena_str(&req->arena, str_from(target)), '?', &req->path, &req->query);
    req->host = STR("registry.example:5000");
    req->scheme = STR("https");
    req->prefix = STR("");
    req->peer = STR("192.0.2.1");
    snprintf(req->id, sizeof(req->id), "0123456789abcdef");
    req->content_length = body.n || req->method & (HTTP_PUT | HTTP_POST | HTTP_PATCH) ? (int64_t)body.n : -1;
    req->started_us = clock_mono_us();
    for (berth_str rest = str_from(head), line; rest.n;) {
        berth_str name, value;
        str_cut(rest, '\n', &line, &rest);
        CHECK(str_cut(line, ':', &name, &value) && x->n_sent < COUNT(x->sent));
        x->sent[x->n_sent++] =
            (struct item){berth_arena_dup(&req->arena, name), berth_arena_dup(&req->arena, str_trim(value))};
    }
    berth_str length = http_header(req, "Content-Length");
    uint64_t n;
    req->chunked = str_eq(http_header(req, "Transfer-Encoding"), STR("chunked"));
    if (req->chunked || str_eq(length, STR("-")))
        req->content_length = -1;
    else if (length.p && str_to_u64(length, &n))
        req->content_length = (int64_t)n;
    return x;
}

static void run_handlers(struct exchange *x)
{
    http_request *req = &x->req;
    const struct http_plan *plan = &x->plan;
    if (plan->body == HTTP_BODY_COLLECT && x->body.n > plan->max_body) {
        http_respond(req, 413);
        registry_app(site.reg)->refuse(req, 413, &(struct http_refusal){.reason = "the body is too large"});
        return;
    }
    if (plan->body == HTTP_BODY_COLLECT)
        req->body_received = x->body.n;
    if (plan->body == HTTP_BODY_STREAM) {
        if (plan->begin)
            plan->begin(req);
        for (berth_str rest = x->body; rest.n && !x->status; rest = str_from_offset(rest, x->piece)) {
            berth_str piece = str_head(rest, x->piece);
            req->body_received += piece.n;
            plan->piece(req, piece.p, piece.n);
        }
    }
    if (!x->status && !x->leaves)
        plan->end(req);
    if (x->again)
        x->again(req);
}

void exchange_run(struct exchange *x)
{
    const struct http_app *app = registry_app(site.reg);
    http_request *req = &x->req;
    app->route(req, &x->plan);
    if (x->plan.end && !x->status)
        run_handlers(x);
    if (x->plan.done)
        x->plan.done(req);
    req->status = x->leaves ? 0 : x->status;
    req->aborted = x->leaves;
    req->bytes_sent = x->out.n;
    app->finished(req);
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    berth_buf_done(&x->out);
    berth_arena_done(&x->req.arena);
    mem_free(x);
}

int ask(const char *method, const char *target, const char *head, berth_str body)
{
    exchange_free(steal(&last));
    last = exchange_new(method, target, head, body);
    exchange_run(last);
    return last->status;
}

int get(const char *target)
{
    return ask("GET", target, "", STR(""));
}

struct exchange *asked(void)
{
    return last;
}

berth_str header_of(const struct exchange *x, const char *name)
{
    for (size_t i = 0; i < x->n_answered; i++)
        if (str_eq_nocase(str_from(x->answered[i].name), str_from(name)))
            return str_from(x->answered[i].value);
    return STR_NULL;
}

berth_str answered(const char *name)
{
    return header_of(last, name);
}

berth_str answer_body(void)
{
    return berth_buf_str(&last->out);
}

const char *answer_text(void)
{
    const char *text = berth_buf_cstr(&last->out);
    return text ? text : "";
}

/* --- content --- */

char *path_of(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = berth_arena_vprintf(&scratch, fmt, ap);
    va_end(ap);
    return p;
}

berth_digest push_blob(const char *name, berth_str body)
{
    berth_digest d;
    digest_of(HASH_SHA256, body.p, body.n, &d);
    int status = ask("POST", path_of("/v2/%s/blobs/uploads/?digest=%s", name, d.text), "", body);
    assert_int_equal(status, 201);
    return d;
}

berth_digest push_manifest(const char *name, const char *reference, const char *type, berth_str body)
{
    berth_digest d;
    digest_of(HASH_SHA256, body.p, body.n, &d);
    const char *path = path_of("/v2/%s/manifests/%s", name, reference ? reference : d.text);
    int status = ask("PUT", path, path_of("Content-Type: %s\n", type), body);
    if (status != 201)
        fail_msg("%s: %d " STR_FMT, path, status, STR_ARG(answer_body()));
    return d;
}

berth_digest push_image(const char *name, const char *tag, const char *more)
{
    push_blob(name, STR(""));
    return push_manifest(
        name, tag, MT_OCI_MANIFEST,
        str_from(path_of("{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_MANIFEST
                         "\",\"config\":{\"mediaType\":"
                         "\"application/vnd.oci.image.config.v1+json\",\"size\":0,\"digest\":\"" EMPTY_DIGEST
                         "\"},\"layers\":[]%s}",
                         more)));
}
