/* client/client_curl.c - the transport: this file and those named after it alone see libcurl. What one
 * exchange asks of it is in client_curl_handle.c.
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
#define EVENTS       64
#define IDLE_HANDLES 64 /* more are freed when they are done */

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

/* --- the handles --- */

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
    if (h && h->easy && curl_handle_set_up(t, h))
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
    if (!curl_handle_request(t, x, h) || curl.multi_add_handle(t->multi, h->easy) != CURLM_OK) {
        give_back(t, h);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    h->next = t->running;
    if (h->next)
        h->next->prev = h;
    t->running = h;
    curl_handle_enter(h, EXCHANGE_CONNECTS);
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
    curl_handle_watch(t, h);
    curl.easy_pause(h->easy, CURLPAUSE_CONT);
    arm(t);
}

void exchange_done(struct exchange *x)
{
    berth_buf_done(&x->header);
}

/* --- what has ended --- */

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
        int code = curl_handle_explain(h, m->data.result, &err);
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
            curl_handle_watch(t, h);
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
