/* client/client_curl_handle.c - one exchange on one of curl's handles: what curl is told of it, what it tells
 * us, and why it failed. */
#include "client/client_curl.h"
#include "util/clock.h"

#define LARGE_BUFFER (256 * KIB) /* curl's for large bodies: fewer calls into the kernel */

/* --- steps --- */

void curl_handle_watch(struct transport *t, const struct handle *h)
{
    uint32_t limit = t->limits_ms[h->x->step];
    if (limit && !h->paused && h->since_ms + limit < t->steps_ms)
        t->steps_ms = h->since_ms + limit;
}

void curl_handle_enter(struct handle *h, enum exchange_step step)
{
    struct exchange *x = h->x;
    h->since_ms = clock_mono_ms();
    x->step = step;
    curl_handle_watch(x->transport, h);
    if (x->events->moved)
        x->events->moved(x);
}

/* The connection is there: the request goes out. Perhaps for the second time: curl takes a fresh connection
 * by itself when a kept one turns out to be closed, and goes on behind the bytes that it has asked for, but
 * not sent, unless they are offered again. */
static int on_connected(void *arg, char *ip, char *own_ip, int port, int own_port)
{
    (void)ip, (void)own_ip, (void)port, (void)own_port;
    struct exchange *x = arg;
    curl_handle_enter(x->handle, x->has_body ? EXCHANGE_SENDS : EXCHANGE_WAITS);
    return !x->streams || x->events->rewind(x) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* Of a request with a body alone: so many bytes of it have left. */
static int on_transfer(void *arg, curl_off_t to_come, curl_off_t came, curl_off_t to_send, curl_off_t sent)
{
    (void)to_come, (void)came, (void)to_send;
    struct handle *h = arg;
    struct exchange *x = h->x;
    if (x->step != EXCHANGE_SENDS || (uint64_t)sent == x->sent)
        return 0;
    uint64_t whole = x->streams ? (uint64_t)x->body_length : x->bytes.n;
    x->sent = (uint64_t)sent;
    h->since_ms = clock_mono_ms();
    if (x->sent == whole)
        curl_handle_enter(h, EXCHANGE_WAITS);
    else if (x->events->moved)
        x->events->moved(x);
    return 0;
}

static bool is_interim(berth_str line)
{
    const char *space = memchr(line.p, ' ', line.n);
    return space && space + 1 < line.p + line.n && space[1] == '1';
}

/* --- what comes, what goes --- */

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    (void)size;
    struct exchange *x = arg;
    struct handle *h = x->handle;
    berth_str line = {p, n};
    if (x->header_complete)
        return n;
    h->since_ms = clock_mono_ms();
    if (str_starts(line, STR("HTTP/"))) { /* the first line, also of the answer behind a 100 */
        berth_buf_reset(&x->header);
        if (!is_interim(line))
            curl_handle_enter(h, EXCHANGE_RECEIVES);
    }
    berth_buf_add_str(&x->header, line);
    if (berth_buf_failed(&x->header))
        return 0;
    if (line.p[0] != '\r' && line.p[0] != '\n')
        return n;
    long status = 0;
    curl.easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return n;
    x->header_complete = true;
    x->status = (int)status;
    if (x->transport->trace.fn)
        trace_tell(&x->transport->trace, BERTH_TRACE_RECEIVED, x->number, berth_buf_str(&x->header));
    uint64_t length;
    berth_str said = exchange_field(x, STR("Content-Length"), 0);
    x->length = said.p && str_to_u64(said, &length) && length <= INT64_MAX ? (int64_t)length : -1;
    return x->events->head(x) < 0 ? 0 : n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    (void)size;
    struct exchange *x = arg;
    struct handle *h = x->handle;
    h->since_ms = clock_mono_ms();
    int r = x->events->body(x, p, n);
    h->paused |= r == BERTH_PAUSE;
    return r == BERTH_PAUSE ? CURL_WRITEFUNC_PAUSE : r < 0 ? CURL_WRITEFUNC_ERROR : n;
}

berth_str exchange_field(const struct exchange *x, berth_str name, size_t i)
{
    berth_str left = berth_buf_str(&x->header), line, have, value;
    while (left.n) {
        str_cut(left, '\n', &line, &left);
        if (!str_cut(line, ':', &have, &value) || !str_eq_nocase(have, name) || i--)
            continue;
        if (str_ends(value, STR("\r")))
            value.n--;
        return str_trim(value);
    }
    return STR_NULL;
}

static size_t on_send(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    struct handle *h = x->handle;
    size_t sent = 0;
    int r = x->events->send(x, p, size * n, &sent);
    h->paused |= r == BERTH_PAUSE;
    return r == BERTH_PAUSE ? CURL_READFUNC_PAUSE : r < 0 ? CURL_READFUNC_ABORT : sent;
}

/* Curl sends again by itself what a connection took that was closed before it answered. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct exchange *x = arg;
    bool done = offset == 0 && origin == SEEK_SET && x->events->rewind(x);
    return done ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}

/* What curl sends, with what it adds. */
static int on_debug(CURL *easy, curl_infotype what, char *p, size_t n, void *arg)
{
    (void)easy;
    const struct exchange *x = arg;
    if (what == CURLINFO_HEADER_OUT)
        trace_tell(&x->transport->trace, BERTH_TRACE_SENT, x->number, (berth_str){p, n});
    return 0;
}

/* --- what curl is told --- */

static bool add_field(struct handle *h, const char *line)
{
    struct curl_slist *longer = curl.slist_append(h->fields, line);
    if (longer)
        h->fields = longer;
    return longer;
}

bool curl_handle_set_up(const struct transport *t, struct handle *h)
{
    CURL *e = h->easy;
    bool ok = curl.easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl.easy_setopt(e, CURLOPT_USERAGENT, t->user_agent) == CURLE_OK;
    ok &= curl_route_set_up(e, &t->route, t->resolve);
    if (t->ca_file) {
        ok &= curl.easy_setopt(e, CURLOPT_CAINFO, t->ca_file) == CURLE_OK;
        ok &= curl.easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK; /* instead of the system's */
    }
    if (t->insecure) {
        curl.easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl.easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    /* Curl's own limit is 300 s; the steps have ours. */
    curl.easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     t->limits_ms[EXCHANGE_CONNECTS] ? 2l * t->limits_ms[EXCHANGE_CONNECTS]
                                                     : (long)INT32_MAX);
    if (t->trace.fn) {
        curl.easy_setopt(e, CURLOPT_DEBUGFUNCTION, on_debug);
        curl.easy_setopt(e, CURLOPT_VERBOSE, 1L);
    }
    curl.easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl.easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* digests are of the bytes that come */
    curl.easy_setopt(e, CURLOPT_ERRORBUFFER, h->why);
    curl.easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl.easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
    curl.easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_transfer);
    curl.easy_setopt(e, CURLOPT_XFERINFODATA, h);
    curl.easy_setopt(e, CURLOPT_PRIVATE, h);
    return ok;
}

/* The exchange's lines. What nobody asked for is not sent: curl has an Accept of its own, and more for
 * bodies. */
static bool add_fields(const struct exchange *x, struct handle *h)
{
    static const char *const curls[] = {"Accept:", "Content-Type:"};
    bool has[COUNT(curls)] = {false}, ok = true;
    berth_str left = x->fields, one;
    while (left.n) {
        str_cut(left, '\n', &one, &left);
        for (size_t i = 0; i < COUNT(curls); i++)
            has[i] |= str_eq_nocase(str_head(one, strlen(curls[i])), str_from(curls[i]));
        CLEANUP(freep) char *line = str_dup(one);
        ok = ok && line && add_field(h, line);
    }
    for (size_t i = 0; i < COUNT(curls); i++)
        ok = ok && (has[i] || add_field(h, curls[i]));
    return ok && (!x->has_body || add_field(h, x->expects ? "Expect: 100-continue" : "Expect:"));
}

static bool set_body(struct exchange *x, CURL *e)
{
    bool ok = true;
    curl.easy_setopt(e, CURLOPT_HTTPGET, 1L); /* nothing of the request before */
    curl.easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
    curl.easy_setopt(e, CURLOPT_NOPROGRESS, (long)!x->has_body);
    curl.easy_setopt(e, CURLOPT_SEEKFUNCTION, NULL);
    if (x->streams) {
        curl.easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl.easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->body_length);
        curl.easy_setopt(e, CURLOPT_READFUNCTION, on_send);
        curl.easy_setopt(e, CURLOPT_READDATA, x);
        curl.easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
        curl.easy_setopt(e, CURLOPT_SEEKDATA, x);
        curl.easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)LARGE_BUFFER);
    } else if (x->has_body) {
        curl.easy_setopt(e, CURLOPT_POST, 1L);
        curl.easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->bytes.n);
        ok = curl.easy_setopt(e, CURLOPT_POSTFIELDS, x->bytes.n ? x->bytes.p : "") == CURLE_OK;
    }
    if (strcmp(x->method, "HEAD") == 0)
        curl.easy_setopt(e, CURLOPT_NOBODY, 1L);
    else if (strcmp(x->method, "GET") != 0 || x->has_body)
        ok = ok && curl.easy_setopt(e, CURLOPT_CUSTOMREQUEST, x->method) == CURLE_OK;
    return ok;
}

bool curl_handle_request(const struct transport *t, struct exchange *x, struct handle *h)
{
    CURL *e = h->easy;
    bool ok = add_fields(x, h) && set_body(x, e) && curl_route_aim(e, &t->route, t->ca_file, x);
    ok &= curl.easy_setopt(e, CURLOPT_URL, x->url) == CURLE_OK;
    ok &= curl.easy_setopt(e, CURLOPT_HTTPHEADER, h->fields) == CURLE_OK;
    curl.easy_setopt(e, CURLOPT_BUFFERSIZE, (long)(x->large ? LARGE_BUFFER : CURL_MAX_WRITE_SIZE));
    curl.easy_setopt(e, CURLOPT_HTTP_VERSION, x->apart ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_NONE);
    curl.easy_setopt(e, CURLOPT_HEADERDATA, x);
    curl.easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl.easy_setopt(e, CURLOPT_DEBUGDATA, x);
    curl.easy_setopt(e, CURLOPT_PREREQDATA, x);
    return ok;
}

/* --- why it failed --- */

static enum exchange_failure kind_of(CURLcode result)
{
    switch ((int)result) {
    case CURLE_OK:
        return FAILURE_NONE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT: /* curl's own is that of connecting */
        return FAILURE_UNREACHED;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return FAILURE_BROKEN;
    default:
        return FAILURE_LASTING;
    }
}

int curl_handle_explain(const struct handle *h, CURLcode result, berth_error *err)
{
    h->x->failure = kind_of(result);
    const char *why = h->why[0] ? h->why : curl.easy_strerror(result);
    long proxy_said = 0;
    curl.easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_said);
    if (result != CURLE_OK && proxy_said == 407)
        return berth_error_set(err, BERTH_E_UNAUTH, "the proxy wants other credentials");
    switch ((int)result) {
    case CURLE_OK:
        return BERTH_OK;
    case CURLE_OUT_OF_MEMORY:
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    case CURLE_SSL_CACERT_BADFILE:
        return berth_error_set(err, BERTH_E_INVALID, "the file of trusted certificates can't be used: %s",
                               why);
    case CURLE_SSL_CERTPROBLEM:
        return berth_error_set(err, BERTH_E_INVALID, "the client's certificate or key can't be used: %s",
                               why);
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer that is not HTTP/1 */
        return berth_error_set(err, BERTH_E_NETWORK, "%s (does it speak HTTPS?)", why);
    case CURLE_PARTIAL_FILE:
        return berth_error_set(err, BERTH_E_NETWORK, "the body ended early: %s", why);
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_ABORTED_BY_CALLBACK: /* by on_connected(), or by a call that knows more about it */
        return berth_error_set(err, BERTH_E_NETWORK,
                               "the connection broke, and the content can be sent only once");
    case CURLE_OPERATION_TIMEDOUT:
        return berth_error_set(err, BERTH_E_NETWORK, "no progress in time: %s", why);
    case CURLE_SSL_CONNECT_ERROR:
        return berth_error_set(err, BERTH_E_NETWORK, "%s (does it speak plain HTTP?)", why);
    case CURLE_WRITE_ERROR: /* a callback's wish, which its call knows more about; else it is the header */
        return berth_buf_exceeded(&h->x->header)
                   ? berth_error_set(err, BERTH_E_TOO_BIG, "the header of the answer is too long")
                   : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    default:
        return berth_error_set(err, BERTH_E_NETWORK, "%s", why);
    }
}
