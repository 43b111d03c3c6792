/* client/client_curl.c - the transport: this file and client_curl_route.c alone see libcurl.
 *
 * One epoll descriptor holds curl's sockets, a timer for all that is waited for, and an event that other
 * threads wake us by. Whoever drives the client calls transport_process(); nothing here blocks but
 * transport_wait(). Curl's handles are used again: what all requests share is told them once. */
#include "client/client_curl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "util/clock.h"

#define HEADER_MAX   (256 * KIB) /* all lines of one answer */
#define LARGE_BUFFER (256 * KIB) /* curl's for large bodies: fewer calls into the kernel */
#define EVENTS       64
#define IDLE_HANDLES 64 /* more are freed when they are done */

/* What one exchange needs of curl. */
struct handle {
    CURL *easy;
    struct curl_slist *fields;
    char why[CURL_ERROR_SIZE];
    struct exchange *x;         /* NULL: idle */
    struct handle *next, *prev; /* of the running, or of the idle (next alone) */
    int64_t since_ms;           /* the last sign of life, or the begin of the step */
    bool paused;                /* at our own wish: no time runs out */
    int unwatched;              /* why its connection can't be watched (errno); 0: it is */
};

struct transport {
    CURLM *multi;
    int epoll, timer, event;
    char *user_agent, *ca_file;
    struct trace trace;
    uint32_t limits_ms[EXCHANGE_STEPS_]; /* of each step; 0: none */
    bool insecure;
    struct handle *running, *idle;
    struct watch *watches;
    struct route route;
    struct curl_slist *resolve;
    size_t n_idle;
    int64_t armed_ms;             /* what the timer is set to; INT64_MAX: nothing */
    int64_t curls_ms, callers_ms; /* who wants to be called */
    int64_t steps_ms;             /* the first of the steps to take too long, at the earliest */
    bool woken;                   /* curl has something to do at once */
};

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
        h->unwatched = errno;
        t->steps_ms = 0; /* end_late() finds it */
        return 0;
    }
    curl.multi_assign(t->multi, fd, t);
    return 0;
}

/* Sets the timer to what comes first. It may go off early, for what is not wanted any more: that costs less
 * than telling the kernel of every change. */
static void arm(struct transport *t)
{
    int64_t due = MIN(MIN(t->curls_ms, t->callers_ms), t->steps_ms);
    if (due >= t->armed_ms)
        return;
    int64_t ms = MAX(due - clock_mono_ms(), 0);
    struct itimerspec at = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms ? ms % 1000 * 1000000 : 1}};
    timerfd_settime(t->timer, 0, &at, NULL);
    t->armed_ms = due;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct transport *t = arg;
    t->woken = ms == 0;
    t->curls_ms = ms > 0 ? clock_mono_ms() + ms + 1 : INT64_MAX; /* -1: none */
    arm(t);
    return 0;
}

void transport_set_timer(struct transport *t, int64_t due_ms)
{
    t->callers_ms = due_ms;
    arm(t);
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

int transport_new(const berth_client_options *opts, const char *authority, struct transport **ret,
                  berth_error *err)
{
    int loaded = curl_load(err);
    if (loaded != BERTH_OK)
        return loaded;
    struct transport *t = calloc(1, sizeof(*t));
    if (!t)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->limits_ms[EXCHANGE_CONNECTS] = opts->connect_timeout_ms ? opts->connect_timeout_ms : opts->timeout_ms;
    t->limits_ms[EXCHANGE_SENDS] = t->limits_ms[EXCHANGE_RECEIVES] = opts->timeout_ms;
    t->limits_ms[EXCHANGE_WAITS] = opts->answer_timeout_ms ? opts->answer_timeout_ms : opts->timeout_ms;
    t->armed_ms = t->curls_ms = t->callers_ms = t->steps_ms = INT64_MAX;
    t->insecure = opts->insecure;
    t->trace = (struct trace){.fn = opts->trace, .arg = opts->trace_arg};
    if (t->epoll < 0 || !watch(t, t->timer) || !watch(t, t->event)) {
        berth_error_set(err, BERTH_E_IO, "making descriptors: %s", strerror(errno));
        transport_free(t);
        return BERTH_E_IO;
    }
    t->multi = make_multi(t);
    if (!t->multi || !copy(&t->user_agent, opts->user_agent ? opts->user_agent : "berth/" BERTH_VERSION) ||
        !copy(&t->ca_file, opts->ca_file)) {
        transport_free(t);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    bool ok = true;
    int r = route_init(&t->route, opts->connection, authority, err);
    if (r == BERTH_OK)
        t->resolve = curl_route_resolve(&t->route, &ok);
    if (r == BERTH_OK && !ok)
        r = berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (r != BERTH_OK) {
        transport_free(t);
        return r;
    }
    *ret = t;
    return BERTH_OK;
}

void transport_close(struct transport *t)
{
    CURLM *fresh = t->running ? NULL : make_multi(t);
    if (!fresh)
        return;
    curl.multi_cleanup(t->multi);
    t->multi = fresh;
    t->curls_ms = INT64_MAX;
    t->woken = false;
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    for (struct handle *h; (h = t->idle);) {
        t->idle = h->next;
        curl.easy_cleanup(h->easy);
        free(h);
    }
    if (t->multi)
        curl.multi_cleanup(t->multi);
    closep(&t->epoll);
    closep(&t->timer);
    closep(&t->event);
    route_done(&t->route);
    curl.slist_free_all(t->resolve);
    free(t->user_agent);
    free(t->ca_file);
    free(t);
}

const struct route *transport_route(const struct transport *t)
{
    return &t->route;
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

/* --- descriptors beside curl's --- */

int transport_watch(struct transport *t, struct watch *w, berth_error *err)
{
    if (!watch(t, w->fd))
        return berth_error_set(err, BERTH_E_IO, "watching a descriptor: %s", strerror(errno));
    w->next = t->watches;
    t->watches = w;
    return BERTH_OK;
}

void transport_unwatch(struct transport *t, struct watch *w)
{
    struct epoll_event e = {0};
    epoll_ctl(t->epoll, EPOLL_CTL_DEL, w->fd, &e);
    for (struct watch **at = &t->watches; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
}

static struct watch *find_watch(const struct transport *t, int fd)
{
    struct watch *w = t->watches;
    while (w && w->fd != fd)
        w = w->next;
    return w;
}

/* --- steps --- */

static void watch_step(struct transport *t, const struct handle *h)
{
    uint32_t limit = t->limits_ms[h->x->step];
    if (limit && !h->paused && h->since_ms + limit < t->steps_ms)
        t->steps_ms = h->since_ms + limit;
}

static void enter_step(struct handle *h, enum exchange_step step)
{
    struct exchange *x = h->x;
    h->since_ms = clock_mono_ms();
    x->step = step;
    watch_step(x->transport, h);
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
    enter_step(x->handle, x->has_body ? EXCHANGE_SENDS : EXCHANGE_WAITS);
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
        enter_step(h, EXCHANGE_WAITS);
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
    struct handle *h = x->handle;
    berth_str line = {p, n};
    if (x->header_complete)
        return n;
    h->since_ms = clock_mono_ms();
    if (str_starts(line, STR("HTTP/"))) { /* the first line, also of the answer behind a 100 */
        berth_buf_reset(&x->header);
        if (!is_interim(line))
            enter_step(h, EXCHANGE_RECEIVES);
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

static bool set_request(struct transport *t, struct exchange *x, struct handle *h)
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

static struct handle *take_handle(struct transport *t)
{
    struct handle *h = t->idle;
    if (h) {
        t->idle = h->next;
        t->n_idle--;
        h->next = NULL;
        return h;
    }
    h = calloc(1, sizeof(*h));
    if (h)
        h->easy = curl.easy_init();
    if (h && h->easy && set_up(t, h))
        return h;
    if (h)
        curl.easy_cleanup(h->easy);
    free(h);
    return NULL;
}

/* Out of the running; idle for another, or freed. */
static void give_back(struct transport *t, struct handle *h)
{
    if (h->prev || t->running == h)
        *(h->prev ? &h->prev->next : &t->running) = h->next;
    if (h->next)
        h->next->prev = h->prev;
    h->next = h->prev = NULL;
    h->x->handle = NULL;
    h->x = NULL;
    curl.easy_setopt(h->easy, CURLOPT_HTTPHEADER, NULL);
    curl.slist_free_all(h->fields);
    h->fields = NULL;
    h->paused = false;
    h->why[0] = '\0';
    if (t->n_idle < IDLE_HANDLES) {
        h->next = t->idle;
        t->idle = h;
        t->n_idle++;
        return;
    }
    curl.easy_cleanup(h->easy);
    free(h);
}

int transport_start(struct transport *t, struct exchange *x, berth_error *err)
{
    berth_buf_done(&x->header);
    berth_buf_init(&x->header, HEADER_MAX);
    x->transport = t;
    x->header_complete = false;
    x->failure = FAILURE_NONE;
    x->sent = 0;
    x->status = 0;
    x->length = -1;
    struct handle *h = take_handle(t);
    if (!h)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    x->handle = h;
    x->number = ++t->trace.exchanges;
    h->x = x;
    h->unwatched = 0;
    if (!set_request(t, x, h) || curl.multi_add_handle(t->multi, h->easy) != CURLM_OK) {
        give_back(t, h);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    h->next = t->running;
    if (h->next)
        h->next->prev = h;
    t->running = h;
    enter_step(h, EXCHANGE_CONNECTS);
    arm(t);
    return BERTH_OK;
}

void transport_cancel(struct transport *t, struct exchange *x)
{
    struct handle *h = x->handle;
    if (!h)
        return;
    curl.multi_remove_handle(t->multi, h->easy);
    give_back(t, h);
}

void transport_resume(struct transport *t, struct exchange *x)
{
    struct handle *h = x->handle;
    if (!h || !h->paused)
        return;
    h->paused = false;
    h->since_ms = clock_mono_ms();
    watch_step(t, h);
    curl.easy_pause(h->easy, CURLPAUSE_CONT);
    arm(t);
}

void exchange_done(struct exchange *x)
{
    berth_buf_done(&x->header);
}

/* --- what has ended --- */

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

static int explain(const struct exchange *x, CURLcode result, berth_error *err)
{
    const struct handle *h = x->handle;
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
        return berth_buf_exceeded(&x->header)
                   ? berth_error_set(err, BERTH_E_TOO_BIG, "the header of the answer is too long")
                   : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    default:
        return berth_error_set(err, BERTH_E_NETWORK, "%s", why);
    }
}

static void end_exchange(struct transport *t, struct handle *h, int code, const berth_error *err)
{
    struct exchange *x = h->x;
    curl.multi_remove_handle(t->multi, h->easy);
    give_back(t, h);
    if (code != BERTH_OK && t->trace.fn)
        trace_tell(&t->trace, BERTH_TRACE_FAILED, x->number, str_from(err->message));
    x->events->end(x, code, err);
}

static bool take_ended(struct transport *t)
{
    CURLMsg *m;
    int left;
    bool any = false;
    while ((m = curl.multi_info_read(t->multi, &left))) {
        struct handle *h = NULL;
        if (m->msg != CURLMSG_DONE || curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &h) != CURLE_OK)
            continue;
        berth_error err = BERTH_ERROR_INIT;
        h->x->failure = kind_of(m->data.result);
        int code = explain(h->x, m->data.result, &err);
        end_exchange(t, h, code, &err); /* m is gone from here on */
        any = true;
    }
    return any;
}

static void end_unwatched(struct transport *t, struct handle *h)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set(&err, BERTH_E_IO, "watching the connection: %s", strerror(h->unwatched));
    h->x->failure = FAILURE_LASTING;
    end_exchange(t, h, BERTH_E_IO, &err);
}

/* Ends what can't be watched, and what has been at one step for too long, and looks when the next may have
 * been. */
static bool end_late(struct transport *t)
{
    static const char *const what[] = {[EXCHANGE_CONNECTS] = "no connection",
                                       [EXCHANGE_SENDS] = "no progress in sending",
                                       [EXCHANGE_WAITS] = "no answer",
                                       [EXCHANGE_RECEIVES] = "no progress"};
    int64_t now = clock_mono_ms();
    bool any = false;
    struct handle *next;
    if (now < t->steps_ms)
        return false;
    t->steps_ms = INT64_MAX;
    for (struct handle *h = t->running; h; h = next) {
        struct exchange *x = h->x;
        uint32_t limit = t->limits_ms[x->step];
        next = h->next;
        if (h->unwatched) {
            end_unwatched(t, h);
            any = true;
            next = t->running;
            continue;
        }
        if (!limit || h->paused || now - h->since_ms < limit) {
            watch_step(t, h);
            continue;
        }
        berth_error err = BERTH_ERROR_INIT;
        berth_error_set(&err, BERTH_E_NETWORK, "%s in %g seconds", what[x->step], limit / 1000.0);
        x->failure = x->step == EXCHANGE_RECEIVES ? FAILURE_BROKEN : FAILURE_UNREACHED;
        end_exchange(t, h, BERTH_E_NETWORK, &err);
        any = true;
        next = t->running; /* whatever the end has set off */
    }
    return any;
}

/* Curl's turn, where its time has come. */
static void run_curl(struct transport *t)
{
    int running;
    if (!t->woken && t->curls_ms > clock_mono_ms())
        return;
    t->woken = false;
    t->curls_ms = INT64_MAX;
    curl.multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

bool transport_process(struct transport *t)
{
    struct epoll_event ready[EVENTS];
    int n, running;
    uint64_t count;
    bool any = false;
    do {
        n = epoll_wait(t->epoll, ready, EVENTS, 0);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == t->event || fd == t->timer) {
                if (read(fd, &count, sizeof(count)) > 0 && fd == t->timer)
                    t->armed_ms = INT64_MAX;
                continue;
            }
            struct watch *w = find_watch(t, fd);
            if (w) {
                w->ready(w);
                continue;
            }
            int what = (ready[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                       (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                       (ready[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl.multi_socket_action(t->multi, fd, what, &running);
        }
        run_curl(t);
        any |= take_ended(t);
        any |= end_late(t);
    } while (n == EVENTS);
    arm(t);
    return any || t->woken;
}
