/* registry/errors.c - the one place where an error becomes a status, the specification's JSON and a log line.
 */
#include "registry/private.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/log.h"

/* What a berth_code means over HTTP when nothing said it better. */
static const struct mapping {
    int code, status;
    const char *oci_code;
} by_code[] = {
    {BERTH_E_INVALID, 400, "UNSUPPORTED"},
    {BERTH_E_NOT_FOUND, 404, "NAME_UNKNOWN"},
    {BERTH_E_EXISTS, 409, "DENIED"},
    {BERTH_E_DIGEST, 400, "DIGEST_INVALID"},
    {BERTH_E_UNAUTH, 401, "UNAUTHORIZED"},
    {BERTH_E_DENIED, 403, "DENIED"},
    {BERTH_E_CONFLICT, 409, "DENIED"},
    {BERTH_E_TOO_BIG, 413, "SIZE_INVALID"},
    {BERTH_E_RANGE, 416, "BLOB_UPLOAD_INVALID"},
    {BERTH_E_UNSUPPORTED, 405, "UNSUPPORTED"},
    {BERTH_E_BUSY, 429, "TOOMANYREQUESTS"},
    {BERTH_E_NO_SPACE, 507, "DENIED"},
    {BERTH_E_CANCELLED, 503, "TOOMANYREQUESTS"},
    {BERTH_E_CONDITION, 412, "UNSUPPORTED"},
};

static const struct mapping server_fault = {0, 500, "UNKNOWN"};

static const struct mapping *mapping_of(int code)
{
    for (size_t i = 0; i < COUNT(by_code); i++)
        if (by_code[i].code == code)
            return &by_code[i];
    return &server_fault;
}

/* What the request was about, as far as it is known: {"name":…,"tag":…}, else {"method":…,"path":…}, else the
 * client's address. */
static void print_detail(const http_request *req, const struct call *c, berth_buf *out)
{
    berth_str pairs[6];
    size_t n = 0;
    if (c && c->name.n) {
        pairs[2 * n] = STR("name");
        pairs[2 * n++ + 1] = c->name;
    }
    if (c && c->thing_kind) {
        pairs[2 * n] = str_from(c->thing_kind);
        pairs[2 * n++ + 1] = c->thing;
        if (c->has_digest && strcmp(c->thing_kind, "session") == 0) {
            pairs[2 * n] = STR("digest");
            pairs[2 * n++ + 1] = digest_str(&c->digest);
        }
    }
    if (!n && req->method_text.n) {
        pairs[2 * n] = STR("method");
        pairs[2 * n++ + 1] = req->method_text;
        pairs[2 * n] = STR("path");
        pairs[2 * n++ + 1] = req->path;
    }
    if (!n && req->peer.n) {
        pairs[2 * n] = STR("client");
        pairs[2 * n++ + 1] = req->peer;
    }
    if (n)
        oci_print_object(out, pairs, n);
}

static void print(http_request *req, int status, const char *oci_code, const char *message, berth_str detail)
{
    struct call *c = call_of(req);
    CLEANUP(berth_buf_done) berth_buf own = BERTH_BUF_INIT(64 * KIB);
    CLEANUP(berth_buf_done) berth_buf body = BERTH_BUF_INIT(4 * MIB);
    if (c) {
        snprintf(c->oci_code, sizeof(c->oci_code), "%s", oci_code);
        snprintf(c->message, sizeof(c->message), "%s", message);
    }
    if (!detail.n)
        print_detail(req, c, &own);
    if (own.n && !berth_buf_failed(&own))
        detail = berth_buf_str(&own);
    oci_error_entry entry = {.code = oci_code, .message = str_from(message), .detail_json = detail};
    oci_print_errors(&body, &entry, 1);
    answer_json(req, status, "application/json", &body);
    if (status == 429 || status == 503)
        http_set_header(req, "Retry-After", "1");
    if (status == 405)
        route_set_allow(req);
}

void registry_refuse(http_request *req, const berth_error *err, berth_str detail_json)
{
    const struct mapping *m = mapping_of(err->code);
    int status = err->http_status ? err->http_status : m->status;
    print(req, status, err->oci_code[0] ? err->oci_code : m->oci_code, err->message, detail_json);
    if (status >= 500)
        log_event(LOG_ERROR, "request failed", F_CSTR("id", req->id), F_STR("path", req->path),
                  F_INT("status", status), F_CSTR("reason", err->message));
}

void registry_refuse_with(http_request *req, int status, const char *oci_code, const char *fmt, ...)
{
    char message[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    print(req, status, oci_code, message, STR_NULL);
}

/* Where a header went wrong, and the limit that was gone over: {"line":2,"text":"Content-Length"},
 * {"limit":32768}. Empty when neither is known: then the request itself is described. */
static void print_place(const struct http_refusal *why, berth_buf *out)
{
    if (why->line) {
        berth_buf_addf(out, "{\"line\":%u,\"text\":", why->line);
        oci_print_string(out, why->text);
    }
    if (why->limit)
        berth_buf_addf(out, "%c\"limit\":%llu", why->line ? ',' : '{', (unsigned long long)why->limit);
    if (out->n)
        berth_buf_putc(out, '}');
}

void registry_refuse_http(http_request *req, int status, const struct http_refusal *why)
{
    if (!req->state && (req->state = berth_arena_alloc(&req->arena, sizeof(struct call)))) /* for the log */
        *call_of(req) = (struct call){.reg = http_app_data(req)};
    struct call *c = call_of(req);
    if (status == 413 && c && c->route) { /* only manifests are collected under a ceiling */
        registry_refuse_with(req, status, "MANIFEST_INVALID",
                             "the manifest is larger than %llu bytes (setting registry.max_manifest_size)",
                             (unsigned long long)registry_policy_now(c->reg)->max_manifest_size);
        return;
    }
    const char *code = status == 413                    ? "SIZE_INVALID"
                       : status == 429 || status == 503 ? "TOOMANYREQUESTS"
                       : status == 500                  ? "UNKNOWN"
                                                        : "UNSUPPORTED";
    CLEANUP(berth_buf_done) berth_buf place = BERTH_BUF_INIT(64 * KIB);
    char message[256];
    print_place(why, &place);
    snprintf(message, sizeof(message), why->limit ? "%s of %llu" : "%s", why->reason,
             (unsigned long long)why->limit);
    print(req, status, code, message, berth_buf_failed(&place) ? STR_NULL : berth_buf_str(&place));
}
