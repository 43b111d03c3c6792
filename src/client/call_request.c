/* client/call_request.c - one request: what an operation says of it, where it goes, and what is sent.
 *
 * A body is sent anew with each request, so a challenge or a redirect (or a kept connection that turns out to
 * be closed) needs one that can be read again, or of which nothing has been read: hence "Expect". */
#include "client/call_private.h"

#include <stdarg.h>

#include "client/route.h"
#include "http/url.h"

#define EXPECT_ABOVE MIB /* a body that may be refused waits for the registry's word: a round trip */

/* --- its description --- */

void call_prepare(berth_call *call)
{
    berth_buf_done(&call->fields);
    berth_buf_init(&call->fields, CALL_FIELDS_MAX);
    call->payload = (struct payload){0};
}

void call_field(berth_call *call, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *line = berth_arena_vprintf(&call->arena, fmt, ap);
    va_end(ap);
    if (line)
        berth_buf_addf(&call->fields, "%s\n", line);
    else
        call->fields.failed = true;
}

int call_follow(berth_call *call, berth_str reference, const char *what)
{
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(CALL_URL_MAX);
    http_uri from, to;
    if (!reference.p || !http_uri_resolve(berth_buf_str(&call->url), reference, &url) ||
        !http_uri_parse(berth_buf_str(&call->url), &from) || !http_uri_parse(berth_buf_str(&url), &to))
        return call_fail(call, BERTH_E_INVALID, "%s is no URL", what);
    if ((from.tls || call->client->session.tls) && !to.tls)
        return call_fail(call, BERTH_E_DENIED, "%s leads from HTTPS to plain HTTP, to '" STR_FMT "'", what,
                         STR_ARG(to.authority));
    call->foreign = !http_uri_same_origin(&to, &call->client->origin);
    berth_buf was = call->url;
    call->url = url;
    url = was;
    return BERTH_OK;
}

/* --- asking --- */

static void begin_fields(berth_call *call, berth_str fields, berth_str authorization)
{
    berth_buf *f = &call->sent_fields;
    berth_buf_done(f);
    berth_buf_init(f, 2 * CALL_FIELDS_MAX);
    berth_buf_add_str(f, fields);
    if (authorization.n)
        berth_buf_addf(f, STR_FMT "\n", STR_ARG(authorization));
    if (call->x.home)
        berth_buf_add_str(f, str_from(call->client->fields));
    f->failed |= berth_buf_failed(&call->fields);
}

int call_ask(berth_call *call, enum call_state state, berth_str fields, berth_str authorization,
             size_t body_max)
{
    berth_error err = BERTH_ERROR_INIT;
    struct exchange *x = &call->x;
    http_uri u;
    x->home =
        x->url && http_uri_parse(str_from(x->url), &u) && http_uri_same_origin(&u, &call->client->origin);
    begin_fields(call, fields, authorization);
    berth_buf_done(&call->body);
    berth_buf_init(&call->body, MAX(body_max, CALL_ERROR_MAX));
    x->fields = berth_buf_str(&call->sent_fields);
    if (!x->url || berth_buf_failed(&call->sent_fields))
        return call_fail(call, BERTH_E_NOMEM, "out of memory, or the URL is too long");
    call->state = state;
    int r = transport_start(call->client->transport, x, &err);
    return r == BERTH_OK ? r : call_fail_with(call, &err);
}

/* --- what a step asks --- */

/* Sets the body out from its beginning. */
static int begin_payload(berth_call *call)
{
    struct payload *p = &call->payload;
    struct exchange *x = &call->x;
    p->sent = 0;
    if (p->present)
        call->progress.sending = 0;
    if (p->source && !source_seek(p->source, p->offset))
        return call_fail(call, BERTH_E_UNSUPPORTED,
                         "the content has to be sent again, but can be read only once");
    bool once = p->source && !p->source->rewindable;
    bool long_one =
        p->source ? p->length < 0 || (uint64_t)p->length > EXPECT_ABOVE : p->bytes.n > EXPECT_ABOVE;
    x->has_body = p->present;
    x->streams = p->source;
    x->bytes = p->bytes;
    x->body_length = p->length;
    x->file = -1;
    if (p->source && p->source->of.fd >= 0 && p->source->rewindable && !p->source->hashing) {
        x->file = p->source->of.fd;
        x->file_at = (uint64_t)p->source->start + p->offset;
    }
    x->expects = p->present && (once || (long_one && !call->authorization.n && !call->foreign));
    return BERTH_OK;
}

static bool names_ns(berth_str url)
{
    berth_str path, query, one;
    str_cut(url, '?', &path, &query);
    while (query.n) {
        str_cut(query, '&', &one, &query);
        if (str_starts(one, STR("ns=")))
            return true;
    }
    return false;
}

/* A mirror is told whose content is wanted (distribution-spec, "Registry Proxying"); call->url stays. */
static const char *asked_url(berth_call *call)
{
    const char *ns = transport_route(call->client->transport)->ns, *method = call->step->method;
    berth_str url = berth_buf_str(&call->url);
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (!ns || !reads || call->foreign || call->redirects || names_ns(url))
        return berth_buf_cstr(&call->url);
    berth_buf *out = &call->asked_url;
    berth_buf_reset(out);
    berth_buf_addf(out, STR_FMT "%sns=", STR_ARG(url), memchr(url.p, '?', url.n) ? "&" : "?");
    http_url_encode(out, str_from(ns), ":/");
    return berth_buf_cstr(out);
}

/* Made for HTTPS, before it was known that the registry has none. */
static void use_plain_url(berth_call *call)
{
    const berth_client *c = call->client;
    berth_str url = berth_buf_str(&call->url), base = str_from(c->base);
    if (!c->plain_base || !str_starts(url, base))
        return;
    berth_buf plain = BERTH_BUF_INIT(CALL_URL_MAX);
    berth_buf_addf(&plain, "%s", c->plain_base);
    berth_buf_add_str(&plain, str_from_offset(url, base.n));
    berth_buf_done(&call->url);
    call->url = plain;
}

int call_send(berth_call *call)
{
    struct exchange *x = &call->x;
    int r = call->step->prepare ? call->step->prepare(call) : BERTH_OK;
    if (r != BERTH_OK)
        return r;
    sharing_end(call);
    use_plain_url(call);
    x->method = call->step->method;
    x->url = asked_url(call);
    x->large = call->step->large;
    x->apart = call->step->apart;
    r = begin_payload(call);
    return r == BERTH_OK ? call_ask(call, CALL_ASKING, berth_buf_str(&call->fields),
                                    berth_buf_str(&call->authorization), call->step->body_max)
                         : r;
}
