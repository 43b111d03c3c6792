/* client/client_curl.c - the transport: the only file that sees libcurl.
 *
 * One epoll descriptor holds curl's sockets, a timer for curl's time-outs and an event that other threads
 * wake us by. Whoever drives the client calls transport_process(); nothing here blocks but transport_wait().
 */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "client/internal.h"

#define HEADER_MAX   (256 * KIB) /* all lines of one answer */
#define LARGE_BUFFER (256 * KIB) /* curl's for large bodies: fewer calls into the kernel */
#define EVENTS       64

struct transport {
    CURLM *multi;
    int epoll, timer, event;
    char *user_agent, *ca_file;
    uint32_t timeout_ms;
    bool insecure;
};

/* What one exchange needs of curl. */
struct handle {
    CURL *easy;
    struct curl_slist *fields;
    char why[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global;

static void init_once(void)
{
    global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* --- curl's sockets and timer --- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    (void)easy;
    struct transport *t = arg;
    struct epoll_event e = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(t->epoll, EPOLL_CTL_DEL, fd, &e); /* a closed one has gone by itself */
        return 0;
    }
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    if (epoll_ctl(t->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0 &&
        epoll_ctl(t->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) < 0)
        return -1;
    curl_multi_assign(t->multi, fd, t);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct transport *t = arg;
    struct itimerspec at = {0}; /* -1: none */
    if (ms >= 0)
        at.it_value = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms ? ms % 1000 * 1000000 : 1};
    return timerfd_settime(t->timer, 0, &at, NULL);
}

static bool watch(struct transport *t, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static bool copy(char **to, const char *s)
{
    *to = s ? str_dup(str_from(s)) : NULL;
    return !s || *to;
}

int transport_new(const berth_client_options *opts, struct transport **ret, berth_error *err)
{
    pthread_once(&once, init_once);
    if (global != CURLE_OK)
        return berth_error_set(err, BERTH_E_IO, "libcurl does not start: %s", curl_easy_strerror(global));
    struct transport *t = calloc(1, sizeof(*t));
    if (!t)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->timeout_ms = opts->timeout_ms;
    t->insecure = opts->insecure;
    if (t->epoll < 0 || !watch(t, t->timer) || !watch(t, t->event)) {
        berth_error_set(err, BERTH_E_IO, "making descriptors: %s", strerror(errno));
        transport_free(t);
        return BERTH_E_IO;
    }
    t->multi = curl_multi_init();
    if (!t->multi || !copy(&t->user_agent, opts->user_agent ? opts->user_agent : "berth/" BERTH_VERSION) ||
        !copy(&t->ca_file, opts->ca_file)) {
        transport_free(t);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    *ret = t;
    return BERTH_OK;
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    if (t->multi)
        curl_multi_cleanup(t->multi);
    closep(&t->epoll);
    closep(&t->timer);
    closep(&t->event);
    free(t->user_agent);
    free(t->ca_file);
    free(t);
}

int transport_fd(const struct transport *t)
{
    return t->epoll;
}

void transport_wake(struct transport *t)
{
    uint64_t one = 1;
    while (write(t->event, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void transport_wait(struct transport *t)
{
    struct pollfd p = {.fd = t->epoll, .events = POLLIN};
    poll(&p, 1, -1); /* a signal that was caught: the caller looks again */
}

/* --- one exchange --- */

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    (void)size;
    struct exchange *x = arg;
    const struct handle *h = x->handle;
    berth_str line = {p, n};
    if (x->header_complete)
        return n;
    if (str_starts(line, STR("HTTP/"))) /* the first line, also of the answer behind a 100 */
        berth_buf_reset(&x->header);
    berth_buf_add_str(&x->header, line);
    if (berth_buf_failed(&x->header))
        return 0;
    if (line.p[0] != '\r' && line.p[0] != '\n')
        return n;
    long status = 0;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return n;
    x->header_complete = true;
    x->status = (int)status;
    uint64_t length;
    berth_str said = exchange_field(x, STR("Content-Length"), 0);
    x->length = said.p && str_to_u64(said, &length) && length <= INT64_MAX ? (int64_t)length : -1;
    return x->events->head(x) < 0 ? 0 : n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    (void)size;
    struct exchange *x = arg;
    return x->events->body(x, p, n) < 0 ? CURL_WRITEFUNC_ERROR : n;
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
    size_t sent = 0;
    return x->events->send(x, p, size * n, &sent) < 0 ? CURL_READFUNC_ABORT : sent;
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
    struct curl_slist *longer = curl_slist_append(h->fields, line);
    if (longer)
        h->fields = longer;
    return longer;
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
    if (x->streams) {
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->body_length);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(e, CURLOPT_READDATA, x);
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(e, CURLOPT_SEEKDATA, x);
        curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)LARGE_BUFFER);
    } else if (x->has_body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->bytes.n);
        ok = curl_easy_setopt(e, CURLOPT_POSTFIELDS, x->bytes.n ? x->bytes.p : "") == CURLE_OK;
    }
    if (strcmp(x->method, "HEAD") == 0)
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    else if (strcmp(x->method, "GET") != 0 || x->has_body)
        ok = ok && curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, x->method) == CURLE_OK;
    return ok;
}

static bool set_up(struct transport *t, struct exchange *x, struct handle *h)
{
    CURL *e = h->easy;
    bool ok = add_fields(x, h) && set_body(x, e);
    ok &= curl_easy_setopt(e, CURLOPT_URL, x->url) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->fields) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_USERAGENT, t->user_agent) == CURLE_OK;
    if (t->ca_file)
        ok &= curl_easy_setopt(e, CURLOPT_CAINFO, t->ca_file) == CURLE_OK;
    if (t->insecure) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (t->timeout_ms) {
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)t->timeout_ms);
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)MAX(t->timeout_ms / 1000, 1u));
    }
    if (x->large)
        curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)LARGE_BUFFER);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* digests are of the bytes that come */
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->why);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(e, CURLOPT_PRIVATE, x);
    return ok;
}

static void drop_handle(struct exchange *x)
{
    struct handle *h = x->handle;
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    curl_slist_free_all(h->fields);
    free(h);
    x->handle = NULL;
}

int transport_start(struct transport *t, struct exchange *x, berth_error *err)
{
    berth_buf_done(&x->header);
    berth_buf_init(&x->header, HEADER_MAX);
    x->header_complete = false;
    x->status = 0;
    x->length = -1;
    struct handle *h = calloc(1, sizeof(*h));
    if (!h)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    x->handle = h;
    h->easy = curl_easy_init();
    if (!h->easy || !set_up(t, x, h) || curl_multi_add_handle(t->multi, h->easy) != CURLM_OK) {
        drop_handle(x);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    return BERTH_OK;
}

void transport_cancel(struct transport *t, struct exchange *x)
{
    struct handle *h = x->handle;
    if (h)
        curl_multi_remove_handle(t->multi, h->easy);
    drop_handle(x);
}

void exchange_done(struct exchange *x)
{
    berth_buf_done(&x->header);
}

/* --- what has ended --- */

static int explain(const struct exchange *x, CURLcode result, berth_error *err)
{
    const struct handle *h = x->handle;
    const char *why = h->why[0] ? h->why : curl_easy_strerror(result);
    switch ((int)result) {
    case CURLE_OK:
        return BERTH_OK;
    case CURLE_OUT_OF_MEMORY:
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    case CURLE_SSL_CACERT_BADFILE:
        return berth_error_set(err, BERTH_E_INVALID, "the file of trusted certificates can't be used: %s",
                               why);
    case CURLE_PARTIAL_FILE:
        return berth_error_set(err, BERTH_E_NETWORK, "the body ended early: %s", why);
    case CURLE_SEND_FAIL_REWIND:
        return berth_error_set(err, BERTH_E_NETWORK,
                               "the connection broke, and the content can be sent only once");
    case CURLE_OPERATION_TIMEDOUT:
        return berth_error_set(err, BERTH_E_NETWORK, "no progress in time: %s", why);
    case CURLE_SSL_CONNECT_ERROR:
        return berth_error_set(err, BERTH_E_NETWORK, "%s (does it speak plain HTTP?)", why);
    case CURLE_WRITE_ERROR: /* a callback's wish, which its call knows more about; else the header was too
                               long */
        return berth_error_set(err, BERTH_E_TOO_BIG, "the header of the answer is too long");
    default:
        return berth_error_set(err, BERTH_E_NETWORK, "%s", why);
    }
}

static void take_ended(struct transport *t)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(t->multi, &left))) {
        struct exchange *x = NULL;
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK)
            continue;
        berth_error err = BERTH_ERROR_INIT;
        int code = explain(x, m->data.result, &err);
        curl_multi_remove_handle(t->multi, m->easy_handle); /* m is gone from here on */
        drop_handle(x);
        x->events->end(x, code, &err);
    }
}

void transport_process(struct transport *t)
{
    struct epoll_event ready[EVENTS];
    int n, running;
    uint64_t count;
    do {
        n = epoll_wait(t->epoll, ready, EVENTS, 0);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == t->event || fd == t->timer) {
                if (read(fd, &count, sizeof(count)) > 0 && fd == t->timer)
                    curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
                continue;
            }
            int what = (ready[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                       (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                       (ready[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(t->multi, fd, what, &running);
        }
        take_ended(t);
    } while (n == EVENTS);
}
