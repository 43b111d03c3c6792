/* client/call.c - one operation as a state machine: send the request of its present step, answer a challenge
 * with a token or a password, follow redirects, let the step say what comes next; call_step() goes on
 * whenever an answer is complete.
 *
 * Authorization is made anew for each request, for the registry's own origin alone: after a redirect to
 * another there is none, whatever that one asks for. A body is sent anew with each request, so a challenge or
 * a redirect (or a kept connection that turns out to be closed) needs one that can be read again, or of which
 * nothing has been read: hence "Expect". */
#include "client/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "client/route.h"
#include "http/url.h"
#include "oci/answer.h"
#include "oci/reference.h"
#include "util/clock.h"

#define REDIRECTS_MAX 10
#define URL_MAX       (16 * KIB)
#define ERROR_MAX     (64 * KIB)
#define FIELDS_MAX    (256 * KIB)
#define EXPECT_ABOVE  MIB /* a body that may be refused waits for the registry's word: a round trip */

static int on_head(struct exchange *x);
static int on_body(struct exchange *x, const void *p, size_t n);
static int on_send(struct exchange *x, void *p, size_t n, size_t *ret_n);
static bool on_rewind(struct exchange *x);
static void on_passed(struct exchange *x, size_t n);
static void on_end(struct exchange *x, int code, const berth_error *err);
static void on_moved(struct exchange *x);

static const struct exchange_events events = {on_head,   on_body, on_send, on_rewind,
                                              on_passed, on_end,  on_moved};

/* --- birth and death --- */

static int check_inputs(berth_call *call, const char *repository, const char *reference, berth_error *err)
{
    oci_reference ref;
    if (!oci_name_valid(str_from(repository)))
        return berth_error_set_oci(err, BERTH_E_INVALID, "NAME_INVALID",
                                   "'%s' is not a valid name of a repository", repository);
    if (!reference)
        return BERTH_OK;
    int r = oci_reference_parse(str_from(reference), &ref, err);
    if (r == BERTH_OK && ref.is_digest)
        call->digest = ref.digest;
    return r;
}

int call_new(berth_client *c, const struct operation *op, const char *repository, const char *reference,
             berth_call **ret, berth_error *err)
{
    berth_call *call = calloc(1, sizeof(*call));
    if (!call)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    call->client = c;
    call->op = op;
    call->step = op->first;
    call->x.events = &events;
    call->deadline_ms = INT64_MAX;
    call->progress.total = UINT64_MAX;
    berth_buf_init(&call->url, URL_MAX);
    berth_buf_init(&call->asked_url, URL_MAX);
    berth_buf_init(&call->authorization, FIELDS_MAX);
    berth_buf_init(&call->first_url, URL_MAX);
    call_prepare(call);
    int r = repository ? check_inputs(call, repository, reference, err) : BERTH_OK;
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    call->repository = berth_arena_dup(&call->arena, str_from(repository ? repository : ""));
    call->scope = op->actions && repository
                      ? berth_arena_printf(&call->arena, "repository:%s:%s", repository, op->actions)
                      : berth_arena_dup(&call->arena, STR(""));
    call->subject = berth_arena_printf(&call->arena, "%s%s%s%s%s", c->session.host, repository ? "/" : "",
                                       repository ? repository : "",
                                       !reference             ? ""
                                       : call->digest.text[0] ? "@"
                                                              : ":",
                                       reference ? reference : "");
    if (!call->repository || !call->scope || !call->subject) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *ret = call;
    return BERTH_OK;
}

int call_new_blob(berth_client *c, const struct operation *op, const char *repository, const char *digest,
                  berth_call **ret, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(c, op, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    if (digest && !call->digest.text[0]) {
        call_destroy(call);
        return berth_error_set_oci(err, BERTH_E_INVALID, "DIGEST_INVALID",
                                   "'%s' is no digest: a blob has no other name", digest);
    }
    *ret = call;
    return BERTH_OK;
}

void call_destroy(berth_call *call)
{
    if (call->op->done && call->own)
        call->op->done(call);
    exchange_done(&call->x);
    lookup_done(&call->lookup);
    token_request_done(&call->token);
    berth_buf_done(&call->url);
    berth_buf_done(&call->asked_url);
    berth_buf_done(&call->first_url);
    berth_buf_done(&call->fields);
    berth_buf_done(&call->authorization);
    berth_buf_done(&call->sent_fields);
    berth_buf_done(&call->body);
    berth_arena_done(&call->page);
    berth_arena_done(&call->arena);
    free(call);
}

/* --- failure --- */

int call_fail(berth_call *call, int code, const char *fmt, ...)
{
    char why[sizeof(call->err.message)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    call->code = berth_error_set(&call->err, code, "%s: %s", call->subject, why);
    return code;
}

int call_fail_with(berth_call *call, const berth_error *err)
{
    call_fail(call, err->code, "%s", err->message);
    memcpy(call->err.oci_code, err->oci_code, sizeof(err->oci_code));
    return call->code;
}

static int code_of(int status)
{
    static const struct {
        int status, code;
    } known[] = {{400, BERTH_E_INVALID},  {401, BERTH_E_UNAUTH},      {407, BERTH_E_UNAUTH},
                 {403, BERTH_E_DENIED},   {404, BERTH_E_NOT_FOUND},   {405, BERTH_E_UNSUPPORTED},
                 {409, BERTH_E_CONFLICT}, {413, BERTH_E_TOO_BIG},     {416, BERTH_E_RANGE},
                 {429, BERTH_E_BUSY},     {501, BERTH_E_UNSUPPORTED}, {503, BERTH_E_BUSY}};
    for (size_t i = 0; i < COUNT(known); i++)
        if (known[i].status == status)
            return known[i].code;
    return BERTH_E_IO;
}

/* Servers tell it in pages of their own when they are spoken to in plain HTTP and speak HTTPS. */
static bool mentions_https(berth_str page)
{
    return memmem(page.p, page.n, "HTTPS", 5);
}

/* What the answer says went wrong, in its own words where it has some. */
int call_fail_by_answer_of(berth_call *call, const char *who)
{
    int status = call->x.status;
    berth_str code, message;
    if (oci_read_error(berth_buf_str(&call->body), &call->arena, &code, &message)) {
        call_fail(call, code_of(status), STR_FMT "%s" STR_FMT "%s", STR_ARG(message), message.n ? " (" : "",
                  STR_ARG(code), message.n ? ")" : "");
        snprintf(call->err.oci_code, sizeof(call->err.oci_code), STR_FMT, STR_ARG(code));
    } else {
        bool confused =
            status == 400 && !call->client->origin.tls && mentions_https(berth_buf_str(&call->body));
        call_fail(call, code_of(status), "%s answered %d%s", status == 407 ? "the proxy" : who, status,
                  confused ? " (it speaks HTTPS)" : "");
    }
    call->err.http_status = status;
    return call->code;
}

static const char *who_answers(const berth_call *call)
{
    return call->foreign ? "the host that it redirects to" : "the registry";
}

int call_fail_by_answer(berth_call *call)
{
    return call_fail_by_answer_of(call, who_answers(call));
}

void call_finish(berth_call *call)
{
    if (call->op->ends)
        call->op->ends(call);
    sharing_leave(call);
    if (call->code == BERTH_OK || atomic_load(&call->cancelled))
        sharing_end(call);
    else
        sharing_fail(call);
    retry_leave(call);
    call->state = CALL_DONE;
    client_settle(call);
}

static int go_on(berth_call *call, int r, const struct step *next, bool *ret_done);

/* The answer didn't come, or not whole, and there is no other try; or it is one that may do after all. */
static int take_break(berth_call *call, bool *ret_done)
{
    const struct step *next = NULL;
    bool whole = call->state == CALL_ASKING && call->x.failure == FAILURE_NONE && call->err.http_status;
    if (whole && call->step->any_answer && !atomic_load(&call->cancelled)) {
        call->code = BERTH_OK;
        int r = call->step->end(call, &next);
        return go_on(call, r, next, ret_done);
    }
    bool broke = call->state == CALL_ASKING && call->x.failure != FAILURE_NONE;
    if (!broke || !call->step->broken || atomic_load(&call->cancelled))
        return call->code;
    int r = call->step->broken(call, &next);
    if (r == BERTH_OK)
        call->code = BERTH_OK;
    return go_on(call, r, next, ret_done);
}

/* It failed: for good, or it tries again later. */
static void finish_or_retry(berth_call *call)
{
    bool done = false, broken = false;
    if (retry_call(call, &broken))
        return;
    if (broken || take_break(call, &done) != BERTH_OK || done)
        call_finish(call);
}

void call_cancel(berth_call *call, int code, const char *why)
{
    transport_cancel(call->client->transport, &call->x);
    lookup_done(&call->lookup);
    sharing_end(call);
    call_fail(call, code, "%s", why);
    call_finish(call);
}

/* --- the next request --- */

void call_prepare(berth_call *call)
{
    berth_buf_done(&call->fields);
    berth_buf_init(&call->fields, FIELDS_MAX);
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
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(URL_MAX);
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

bool call_is_ok(const berth_call *call)
{
    return call->x.status >= 200 && call->x.status < 300;
}

static void begin_fields(berth_call *call, berth_str fields, berth_str authorization)
{
    berth_buf *f = &call->sent_fields;
    berth_buf_done(f);
    berth_buf_init(f, 2 * FIELDS_MAX);
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
    berth_buf_init(&call->body, MAX(body_max, ERROR_MAX));
    x->fields = berth_buf_str(&call->sent_fields);
    if (!x->url || berth_buf_failed(&call->sent_fields))
        return call_fail(call, BERTH_E_NOMEM, "out of memory, or the URL is too long");
    call->state = state;
    int r = transport_start(call->client->transport, x, &err);
    return r == BERTH_OK ? r : call_fail_with(call, &err);
}

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
    berth_buf plain = BERTH_BUF_INIT(URL_MAX);
    berth_buf_addf(&plain, "%s", c->plain_base);
    berth_buf_add_str(&plain, str_from_offset(url, base.n));
    berth_buf_done(&call->url);
    call->url = plain;
}

static int send_authorized(berth_call *call)
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

static int take_refusal(berth_call *call, bool *ret_done);

/* Authorized, if @ready: off it goes. A step that makes no request is the last. */
static int proceed(berth_call *call, int r, bool ready, bool *ret_done)
{
    if (r != BERTH_OK || !ready)
        return r;
    if (call->unmet)
        return take_refusal(call, ret_done);
    if (call->step->method)
        return send_authorized(call);
    const struct step *next = NULL;
    *ret_done = true;
    return call->step->end(call, &next);
}

/* Has a place, and it is time. */
static int send_request(berth_call *call, bool *ret_done)
{
    bool ready = false;
    int r = call->step->method ? call_authorize(call, &ready) : call_look_up(call, &ready);
    return proceed(call, r, ready, ret_done);
}

/* Now, or when its turn has come. */
static int ask_registry(berth_call *call, bool *ret_done)
{
    if (!call->step->method || call->foreign || retry_enter(call))
        return send_request(call, ret_done);
    call->state = CALL_WAITING;
    progress_tell(call, BERTH_STEP_WAITS);
    return BERTH_OK;
}

/* --- answers --- */

/* With its method and its body, but for 303: that would make a GET of what is no GET. */
static int follow_redirect(berth_call *call, bool *ret_done)
{
    const char *method = call->step->method;
    if (call->x.status == 303 && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return call_fail(call, BERTH_E_INVALID, "%s redirects what is no GET with 303", who_answers(call));
    if (++call->redirects > REDIRECTS_MAX)
        return call_fail(call, BERTH_E_INVALID, "it redirects more than %d times", REDIRECTS_MAX);
    if (!call->first_url.n)
        berth_buf_add_str(&call->first_url, berth_buf_str(&call->url));
    bool was_foreign = call->foreign;
    int r = call_follow(call, exchange_field(&call->x, STR("Location"), 0), "where it redirects to");
    call->foreign |= was_foreign;
    return r == BERTH_OK ? ask_registry(call, ret_done) : r;
}

void call_rest(berth_call *call, int (*goes_on)(berth_call *call, const struct step **ret_next))
{
    call->goes_on = goes_on;
}

static int go_on(berth_call *call, int r, const struct step *next, bool *ret_done)
{
    if (r == BERTH_OK && call->goes_on) {
        retry_leave(call);
        call->state = CALL_RESTING;
        *ret_done = false;
        return BERTH_OK;
    }
    *ret_done = !next;
    if (r != BERTH_OK || !next)
        return r;
    retry_leave(call);
    retry_step(call, next);
    call->redirects = call->challenges = 0;
    return ask_registry(call, ret_done);
}

/* An answer that the step has to make something of, or nobody. */
static int take_refusal(berth_call *call, bool *ret_done)
{
    const struct step *next = NULL;
    if (call->step->any_answer && !retry_is_worth(call)) {
        int r = call->step->end(call, &next);
        return go_on(call, r, next, ret_done);
    }
    if (!call->step->refused || retry_is_worth(call))
        return call_fail_by_answer(call);
    int r = call->step->refused(call, &next);
    return go_on(call, r, next, ret_done);
}

static int answer_challenge(berth_call *call, bool *ret_done)
{
    bool refused = false;
    int r = call_challenged(call, &refused);
    if (r != BERTH_OK)
        return r;
    return refused ? take_refusal(call, ret_done) : ask_registry(call, ret_done);
}

static int take_answer(berth_call *call, bool *ret_done)
{
    const struct step *next = NULL;
    switch (call->x.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        if (call->step->redirects && !call->step->redirects(call))
            break;
        return follow_redirect(call, ret_done);
    case 401:
        if (!call->foreign && !call->own_authorization)
            return answer_challenge(call, ret_done);
        break;
    default:
        break;
    }
    if (!call_is_ok(call))
        return take_refusal(call, ret_done);
    int r = call->step->end(call, &next);
    return go_on(call, r, next, ret_done);
}

static int wake_up(berth_call *call, bool *ret_done)
{
    const struct step *next = NULL;
    int (*goes_on)(berth_call *, const struct step **) = call->goes_on;
    call->goes_on = NULL;
    int r = goes_on(call, &next);
    return go_on(call, r, next, ret_done);
}

void call_step(berth_call *call)
{
    bool done = false, ready = false;
    int r = BERTH_OK;
    switch (call->state) {
    case CALL_NEW:
        r = ask_registry(call, &done);
        break;
    case CALL_CREDENTIALS:
        r = call_take_credentials(call, &ready);
        r = proceed(call, r, ready, &done);
        break;
    case CALL_WAITING:
        r = send_request(call, &done);
        break;
    case CALL_TOKEN:
        r = call_take_token(call, &ready);
        r = proceed(call, r, ready, &done);
        break;
    case CALL_ASKING:
        r = take_answer(call, &done);
        break;
    case CALL_RESTING:
        r = wake_up(call, &done);
        break;
    case CALL_SHARING:
    case CALL_DONE:
    case CALL_STATES_:
        return;
    }
    if (r != BERTH_OK)
        finish_or_retry(call);
    else if (done)
        call_finish(call);
}

/* --- what the transport tells --- */

static int on_head(struct exchange *x)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    if (atomic_load(&call->cancelled))
        return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    bool registrys = !call->foreign && call->state == CALL_ASKING;
    call->client->answered |= registrys;
    if (registrys && !notices_take(call))
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    return call->state == CALL_ASKING && call_is_ok(call) && call->step->head ? call->step->head(call)
                                                                              : BERTH_OK;
}

static int on_body(struct exchange *x, const void *p, size_t n)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    if (atomic_load(&call->cancelled))
        return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    bool content = call->state == CALL_ASKING && call_is_ok(call);
    if (content && call->step->piece)
        return call->step->piece(call, p, n);
    if (!content && call->state == CALL_ASKING && !call->step->any_answer && call->body.n + n > ERROR_MAX)
        return call_fail(call, BERTH_E_TOO_BIG, "%s answered %d, and at too great a length",
                         who_answers(call), x->status);
    berth_buf_add(&call->body, p, n);
    if (berth_buf_exceeded(&call->body))
        return call_fail(call, BERTH_E_TOO_BIG, "the answer is too large");
    return berth_buf_failed(&call->body) ? call_fail(call, BERTH_E_NOMEM, "out of memory") : BERTH_OK;
}

static int on_send(struct exchange *x, void *p, size_t n, size_t *ret_n)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    struct payload *pay = &call->payload;
    berth_error err = BERTH_ERROR_INIT;
    if (atomic_load(&call->cancelled))
        return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    if (pay->length >= 0)
        n = (size_t)MIN((uint64_t)n, (uint64_t)pay->length - pay->sent);
    int r = n ? source_read(pay->source, p, n, ret_n, &err) : BERTH_OK;
    if (r == BERTH_PAUSE)
        return BERTH_PAUSE;
    if (r != BERTH_OK)
        return call_fail_with(call, &err);
    pay->sent += *ret_n;
    return BERTH_OK;
}

static bool on_rewind(struct exchange *x)
{
    struct payload *p = &CONTAINER_OF(x, berth_call, x)->payload;
    if (!source_seek(p->source, p->offset))
        return false;
    p->sent = 0;
    return true;
}

static void on_passed(struct exchange *x, size_t n)
{
    struct payload *p = &CONTAINER_OF(x, berth_call, x)->payload;
    p->sent += n;
    p->source->at += n;
}

/* Nothing speaks HTTPS there: plain HTTP from here on, for a client that was told that it may. */
static bool fall_back(berth_call *call)
{
    berth_client *c = call->client;
    if (c->plain_base || !c->may_fall_back || c->answered || !call->x.home ||
        call->x.failure != FAILURE_UNREACHED)
        return c->plain_base && call->x.home && call->x.failure == FAILURE_UNREACHED &&
               str_starts(berth_buf_str(&call->url), STR("https:"));
    CLEANUP(berth_buf_done) berth_buf base = BERTH_BUF_INIT(URL_MAX);
    http_uri plain;
    berth_buf_addf(&base, "http://%s", c->session.host);
    c->plain_base = berth_buf_take(&base);
    if (!c->plain_base || !http_uri_parse(str_from(c->plain_base), &plain))
        return false;
    c->origin = plain;
    c->session.tls = false;
    return true;
}

static void on_end(struct exchange *x, int code, const berth_error *err)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    bool done = false;
    if (call->code == BERTH_OK && code == BERTH_E_NETWORK && call->state == CALL_ASKING && fall_back(call)) {
        if (ask_registry(call, &done) != BERTH_OK)
            call_finish(call);
        return;
    }
    if (call->code == BERTH_OK && code != BERTH_OK)
        call_fail(call, code, "%s%s", call->state == CALL_TOKEN ? "asking for a token: " : "", err->message);
    if (call->code == BERTH_OK)
        call_step(call);
    else
        finish_or_retry(call);
}

static void on_moved(struct exchange *x)
{
    static const berth_step steps[] = {[EXCHANGE_CONNECTS] = BERTH_STEP_CONNECTS,
                                       [EXCHANGE_SENDS] = BERTH_STEP_SENDS,
                                       [EXCHANGE_WAITS] = BERTH_STEP_ANSWER,
                                       [EXCHANGE_RECEIVES] = BERTH_STEP_RECEIVES};
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    if (call->state == CALL_ASKING && call->payload.present)
        call->progress.sending = x->streams && x->body_length < 0 ? call->payload.sent : x->sent;
    progress_tell(call, steps[x->step]);
}
