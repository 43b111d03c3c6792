/* client/client_curl.c - the half of the transport that is libcurl's: this file and client_curl_*.c alone see
 * it. It does what plain.c does not: TLS, names, proxies, sockets in the file system.
 *
 * Its sockets stand in the transport's descriptor. Its handles are used again: what all requests share is
 * told them once. */
#include "client/client_curl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "client/transport.h"
#include "util/clock.h"

#define IDLE_HANDLES 64 /* more are freed when they are done */

/* What one exchange needs of curl. */
struct handle {
    struct carrier base;
    CURL *easy;
    struct curl_slist *fields;
    char why[CURL_ERROR_SIZE];
    bool certificate_wanted, certificate_shown; /* of ours */
    struct handle *next;                        /* of the idle */
};

struct curls {
    CURLM *multi;
    struct handle *idle;
    struct curl_slist *resolve;
    size_t n_idle;
    bool woken; /* there is something to do at once */
};

static struct handle *handle_of(const struct exchange *x)
{
    return CONTAINER_OF(x->handle, struct handle, base);
}

/* --- curl's sockets and timer --- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct transport *t = arg;
    struct handle *h = NULL;
    struct epoll_event e = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(t->epoll, EPOLL_CTL_DEL, fd, &e); /* a closed one has gone by itself */
        return 0;
    }
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    if (epoll_ctl(t->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0 &&
        epoll_ctl(t->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) < 0) {
        if (curl.easy_getinfo(easy, CURLINFO_PRIVATE, &h) != CURLE_OK || !h)
            return -1; /* which ends all others as well */
        h->base.unwatched = errno;
        t->steps_ms = 0; /* transport_process() finds it */
        return 0;
    }
    curl.multi_assign(t->curls->multi, fd, t);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct transport *t = arg;
    t->curls->woken = ms == 0;
    t->curls_ms = ms > 0 ? clock_mono_ms() + ms + 1 : INT64_MAX; /* -1: none */
    transport_arm(t);
    return 0;
}

static CURLM *make_multi(struct transport *t)
{
    CURLM *multi = curl.multi_init();
    if (multi) {
        curl.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl.multi_setopt(multi, CURLMOPT_SOCKETDATA, t);
        curl.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
        curl.multi_setopt(multi, CURLMOPT_TIMERDATA, t);
    }
    return multi;
}

int curls_new(struct transport *t, berth_error *err)
{
    bool ok = true;
    int r = curl_load(err);
    if (r != BERTH_OK)
        return r;
    struct curls *s = t->curls = mem_zalloc(1, sizeof(*s));
    if (s)
        s->resolve = curl_route_resolve(&t->route, &ok);
    if (s && ok && (s->multi = make_multi(t)))
        return BERTH_OK;
    curls_free(s);
    t->curls = NULL;
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* Its connections, if nothing is under way. */
void curls_close(struct transport *t)
{
    CURLM *fresh = t->running ? NULL : make_multi(t);
    if (!fresh)
        return;
    curl.multi_cleanup(t->curls->multi);
    t->curls->multi = fresh;
    t->curls_ms = INT64_MAX;
    t->curls->woken = false;
}

void curls_free(struct curls *s)
{
    if (!s)
        return;
    for (struct handle *h; (h = s->idle);) {
        s->idle = h->next;
        curl.easy_cleanup(h->easy);
        mem_free(h);
    }
    if (s->multi)
        curl.multi_cleanup(s->multi);
    curl.slist_free_all(s->resolve);
    mem_free(s);
}

/* --- what curl tells beside its answers --- */

/* What curl sends, with what it adds; and that the other end of TLS asks for a certificate of ours, which
 * nothing else tells. */
static int on_debug(CURL *easy, curl_infotype what, char *p, size_t n, void *arg)
{
    (void)easy;
    const struct exchange *x = arg;
    if (what == CURLINFO_HEADER_OUT)
        carrier_trace(x->handle, BERTH_TRACE_SENT, (berth_str){p, n});
    else if (what == CURLINFO_TEXT && memmem(p, n, "(IN)", 4) && memmem(p, n, "Request CERT", 12))
        handle_of(x)->certificate_wanted = true;
    return 0;
}

static void hear(struct handle *h, bool on)
{
    curl.easy_setopt(h->easy, CURLOPT_VERBOSE, (long)on);
    curl.easy_setopt(h->easy, CURLOPT_DEBUGFUNCTION, on ? on_debug : NULL);
}

/* --- steps --- */

/* The connection is there: the request goes out. Perhaps for the second time: curl takes a fresh connection
 * by itself when a kept one turns out to be closed, and goes on behind the bytes that it has asked for, but
 * not sent, unless they are offered again. */
static int on_connected(void *arg, char *ip, char *own_ip, int port, int own_port)
{
    (void)ip, (void)own_ip, (void)port, (void)own_port;
    struct exchange *x = arg;
    if (!x->transport->trace.fn)
        hear(handle_of(x), false); /* the handshake is over */
    carrier_enter(x->handle, x->has_body ? EXCHANGE_SENDS : EXCHANGE_WAITS);
    return !x->streams || x->events->rewind(x) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* Of a request with a body alone: so many bytes of it have left. */
static int on_transfer(void *arg, curl_off_t to_come, curl_off_t came, curl_off_t to_send, curl_off_t sent)
{
    (void)to_come, (void)came, (void)to_send;
    struct handle *h = arg;
    struct exchange *x = h->base.x;
    if (x->step != EXCHANGE_SENDS || (uint64_t)sent == x->sent)
        return 0;
    uint64_t whole = x->streams ? (uint64_t)x->body_length : x->bytes.n;
    x->sent = (uint64_t)sent;
    h->base.since_ms = clock_mono_ms();
    if (x->sent == whole)
        carrier_enter(&h->base, EXCHANGE_WAITS);
    else if (x->events->moved)
        x->events->moved(x);
    return 0;
}

static bool is_interim(berth_str line)
{
    const char *space = memchr(line.p, ' ', line.n);
    return space && space + 1 < line.p + line.n && space[1] == '1';
}

/* --- one exchange --- */

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    (void)size;
    struct exchange *x = arg;
    struct handle *h = handle_of(x);
    berth_str line = {p, n};
    if (x->header_complete)
        return n;
    h->base.since_ms = clock_mono_ms();
    if (str_starts(line, STR("HTTP/"))) { /* the first line, also of the answer behind a 100 */
        berth_buf_reset(&x->header);
        if (!is_interim(line))
            carrier_enter(&h->base, EXCHANGE_RECEIVES);
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
    return carrier_head(&h->base, (int)status) ? n : 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    (void)size;
    struct exchange *x = arg;
    x->handle->since_ms = clock_mono_ms();
    int r = x->events->body(x, p, n);
    x->handle->paused |= r == BERTH_PAUSE;
    return r == BERTH_PAUSE ? CURL_WRITEFUNC_PAUSE : r < 0 ? CURL_WRITEFUNC_ERROR : n;
}

static size_t on_send(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t sent = 0;
    int r = x->events->send(x, p, size * n, &sent);
    x->handle->paused |= r == BERTH_PAUSE;
    return r == BERTH_PAUSE ? CURL_READFUNC_PAUSE : r < 0 ? CURL_READFUNC_ABORT : sent;
}

/* Curl sends again by itself what a connection took that was closed before it answered. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct exchange *x = arg;
    bool done = offset == 0 && origin == SEEK_SET && x->events->rewind(x);
    return done ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}

static bool add_field(struct handle *h, const char *line)
{
    struct curl_slist *longer = curl.slist_append(h->fields, line);
    if (longer)
        h->fields = longer;
    return longer;
}

/* What all requests of this client have in common. */
static bool set_up(struct transport *t, struct handle *h)
{
    CURL *e = h->easy;
    bool ok = curl.easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl.easy_setopt(e, CURLOPT_USERAGENT, t->user_agent) == CURLE_OK;
    ok &= curl_route_set_up(e, &t->route, t->curls->resolve);
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

static bool set_request(struct transport *t, struct exchange *x, struct handle *h)
{
    CURL *e = h->easy;
    bool ok = add_fields(x, h) && set_body(x, e) &&
              curl_route_aim(e, &t->route, t->ca_file, x, &h->certificate_shown);
    h->certificate_wanted = false;
    hear(h, t->trace.fn || str_starts(str_from(x->url), STR("https:")));
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

static struct handle *take_handle(struct transport *t)
{
    struct curls *s = t->curls;
    struct handle *h = s->idle;
    if (h) {
        s->idle = h->next;
        s->n_idle--;
        h->next = NULL;
        return h;
    }
    h = mem_zalloc(1, sizeof(*h));
    if (h)
        h->easy = curl.easy_init();
    if (h && h->easy && set_up(t, h))
        return h;
    if (h)
        curl.easy_cleanup(h->easy);
    mem_free(h);
    return NULL;
}

/* Idle for another, or freed. */
static void give_back(struct curls *s, struct handle *h)
{
    curl.easy_setopt(h->easy, CURLOPT_HTTPHEADER, NULL);
    curl.slist_free_all(h->fields);
    h->fields = NULL;
    h->why[0] = '\0';
    if (s->n_idle < IDLE_HANDLES) {
        h->next = s->idle;
        s->idle = h;
        s->n_idle++;
        return;
    }
    curl.easy_cleanup(h->easy);
    mem_free(h);
}

int curls_start(struct transport *t, struct exchange *x, berth_error *err)
{
    struct handle *h = take_handle(t);
    if (!h)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    carrier_start(t, &h->base, x);
    if (!set_request(t, x, h) || curl.multi_add_handle(t->curls->multi, h->easy) != CURLM_OK) {
        carrier_stop(t, &h->base);
        give_back(t->curls, h);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    return BERTH_OK;
}

void curls_resume(struct carrier *c)
{
    curl.easy_pause(CONTAINER_OF(c, struct handle, base)->easy, CURLPAUSE_CONT);
}

void curls_release(struct transport *t, struct carrier *c)
{
    struct handle *h = CONTAINER_OF(c, struct handle, base);
    curl.multi_remove_handle(t->curls->multi, h->easy);
    carrier_stop(t, c);
    give_back(t->curls, h);
}

/* --- what has ended --- */

static int explain(struct transport *t, CURLcode result, struct handle *h, berth_error *err)
{
    struct exchange *x = h->base.x;
    struct curl_failure f = {.x = x,
                             .route = &t->route,
                             .why = h->why[0] ? h->why : curl.easy_strerror(result),
                             .certificate_wanted = h->certificate_wanted,
                             .certificate_shown = h->certificate_shown};
    curl.easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &f.proxy_status);
    curl.easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &f.os_errno);
    return curl_explain(result, &f, &x->failure, err);
}

static bool take_ended(struct transport *t)
{
    CURLMsg *m;
    int left;
    bool any = false;
    while ((m = curl.multi_info_read(t->curls->multi, &left))) {
        struct handle *h = NULL;
        if (m->msg != CURLMSG_DONE || curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &h) != CURLE_OK)
            continue;
        berth_error err = BERTH_ERROR_INIT;
        int code = explain(t, m->data.result, h, &err);
        carrier_end(t, &h->base, code, &err); /* m is gone from here on */
        any = true;
    }
    return any;
}

/* Where its time has come. */
bool curls_run(struct transport *t)
{
    int running;
    if (t->curls->woken || t->curls_ms <= clock_mono_ms()) {
        t->curls->woken = false;
        t->curls_ms = INT64_MAX;
        curl.multi_socket_action(t->curls->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return take_ended(t);
}

bool curls_woken(const struct transport *t)
{
    return t->curls->woken;
}

void curls_ready(struct transport *t, int fd, uint32_t events)
{
    int running, what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                        (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                        (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    curl.multi_socket_action(t->curls->multi, fd, what, &running);
}
