/* client/transport.c - the transport as calls see it.
 *
 * One epoll descriptor holds the sockets of both halves, a timer for all that is waited for, and an event
 * that other threads wake us by. Whoever drives the client calls transport_process(); nothing here blocks but
 * transport_wait(). */
#include "client/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "util/clock.h"

#define EVENTS 64

/* Sets the timer to what comes first. It may go off early, for what is not wanted any more: that costs less
 * than telling the kernel of every change. */
void transport_arm(struct transport *t)
{
    int64_t due = MIN(MIN(t->curls_ms, t->plains_ms), MIN(t->callers_ms, t->steps_ms));
    if (due >= t->armed_ms)
        return;
    int64_t ms = MAX(due - clock_mono_ms(), 0);
    struct itimerspec at = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms ? ms % 1000 * 1000000 : 1}};
    timerfd_settime(t->timer, 0, &at, NULL);
    t->armed_ms = due;
}

void transport_set_timer(struct transport *t, int64_t due_ms)
{
    t->callers_ms = due_ms;
    transport_arm(t);
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

int transport_new(const berth_client_options *opts, const char *authority, struct transport **ret,
                  berth_error *err)
{
    struct transport *t = mem_zalloc(1, sizeof(*t));
    if (!t)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->limits_ms[EXCHANGE_CONNECTS] = opts->connect_timeout_ms ? opts->connect_timeout_ms : opts->timeout_ms;
    t->limits_ms[EXCHANGE_SENDS] = t->limits_ms[EXCHANGE_RECEIVES] = opts->timeout_ms;
    t->limits_ms[EXCHANGE_WAITS] = opts->answer_timeout_ms ? opts->answer_timeout_ms : opts->timeout_ms;
    t->armed_ms = t->curls_ms = t->plains_ms = t->callers_ms = t->steps_ms = INT64_MAX;
    t->insecure = opts->insecure;
    t->trace = (struct trace){.fn = opts->trace, .arg = opts->trace_arg};
    int r = BERTH_OK;
    if (t->epoll < 0 || !watch(t, t->timer) || !watch(t, t->event))
        r = berth_error_set(err, BERTH_E_IO, "making descriptors: %s", strerror(errno));
    else if (!copy(&t->user_agent, opts->user_agent ? opts->user_agent : "berth/" BERTH_VERSION) ||
             !copy(&t->ca_file, opts->ca_file))
        r = berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (r == BERTH_OK)
        r = route_check_file(opts->ca_file, err);
    if (r == BERTH_OK)
        r = route_init(&t->route, opts->connection, authority, err);
    if (r == BERTH_OK)
        r = plains_new(t, err);
    if (r != BERTH_OK) {
        transport_free(t);
        return r;
    }
    *ret = t;
    return BERTH_OK;
}

void transport_close(struct transport *t)
{
    plains_close(t);
    if (t->curls)
        curls_close(t);
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    plains_free(t->plains);
    curls_free(t->curls);
    closep(&t->epoll);
    closep(&t->timer);
    closep(&t->event);
    route_done(&t->route);
    mem_free(t->user_agent);
    mem_free(t->ca_file);
    mem_free(t);
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

/* --- descriptors beside the halves' --- */

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

/* --- exchanges --- */

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

static void watch_step(struct transport *t, const struct carrier *c)
{
    uint32_t limit = t->limits_ms[c->x->step];
    if (limit && !c->paused && c->since_ms + limit < t->steps_ms)
        t->steps_ms = c->since_ms + limit;
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
    x->number = ++t->trace.exchanges;
    int r = BERTH_OK;
    bool plain = plains_can(t, x);
    if (!plain && !t->curls)
        r = curls_new(t, err);
    if (r == BERTH_OK)
        r = plain ? plains_start(t, x, err) : curls_start(t, x, err);
    if (r == BERTH_OK) {
        carrier_enter(x->handle, EXCHANGE_CONNECTS);
        transport_arm(t);
    }
    return r;
}

static void release(struct transport *t, struct carrier *c)
{
    if (c->plain)
        plains_release(t, c);
    else
        curls_release(t, c);
}

void transport_cancel(struct transport *t, struct exchange *x)
{
    if (x->handle)
        release(t, x->handle);
}

void transport_resume(struct transport *t, struct exchange *x)
{
    struct carrier *c = x->handle;
    if (!c || !c->paused)
        return;
    c->paused = false;
    c->since_ms = clock_mono_ms();
    watch_step(t, c);
    if (c->plain)
        plains_resume(t, c);
    else
        curls_resume(c);
    transport_arm(t);
}

void exchange_done(struct exchange *x)
{
    berth_buf_done(&x->header);
}

/* --- carriers --- */

void carrier_enter(struct carrier *c, enum exchange_step step)
{
    struct exchange *x = c->x;
    c->since_ms = clock_mono_ms();
    x->step = step;
    watch_step(x->transport, c);
    if (x->events->moved)
        x->events->moved(x);
}

void carrier_start(struct transport *t, struct carrier *c, struct exchange *x)
{
    c->x = x;
    c->unwatched = 0;
    c->paused = false;
    x->handle = c;
    c->prev = NULL;
    c->next = t->running;
    if (c->next)
        c->next->prev = c;
    t->running = c;
}

void carrier_stop(struct transport *t, struct carrier *c)
{
    *(c->prev ? &c->prev->next : &t->running) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->next = c->prev = NULL;
    c->x->handle = NULL;
    c->x = NULL;
}

void carrier_trace(const struct carrier *c, berth_trace what, berth_str block)
{
    const struct trace *trace = &c->x->transport->trace;
    if (trace->fn)
        trace_tell(trace, what, c->x->number, block);
}

bool carrier_head(struct carrier *c, int status)
{
    struct exchange *x = c->x;
    uint64_t length;
    x->header_complete = true;
    x->status = status;
    carrier_trace(c, BERTH_TRACE_RECEIVED, berth_buf_str(&x->header));
    berth_str said = exchange_field(x, STR("Content-Length"), 0);
    x->length = said.p && str_to_u64(said, &length) && length <= INT64_MAX ? (int64_t)length : -1;
    return x->events->head(x) >= 0;
}

void carrier_end(struct transport *t, struct carrier *c, int code, const berth_error *err)
{
    struct exchange *x = c->x;
    if (code != BERTH_OK)
        carrier_trace(c, BERTH_TRACE_FAILED, str_from(err->message));
    release(t, c);
    x->events->end(x, code, err);
}

static void end_unwatched(struct transport *t, struct carrier *c)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set(&err, BERTH_E_IO, "watching the connection: %s", strerror(c->unwatched));
    c->x->failure = FAILURE_LASTING;
    carrier_end(t, c, BERTH_E_IO, &err);
}

/* Ends what can't be watched, and what has been at one step for too long, and looks when the next may have
 * been. */
static bool end_late(struct transport *t)
{
    static const char *const what[] = {[EXCHANGE_CONNECTS] = "no connection",
                                       [EXCHANGE_SENDS] = "no progress in sending",
                                       [EXCHANGE_WAITS] = "no answer",
                                       [EXCHANGE_RECEIVES] = "no progress"};
    if (t->steps_ms == INT64_MAX)
        return false;
    int64_t now = clock_mono_ms();
    bool any = false;
    struct carrier *next;
    if (now < t->steps_ms)
        return false;
    t->steps_ms = INT64_MAX;
    for (struct carrier *c = t->running; c; c = next) {
        struct exchange *x = c->x;
        uint32_t limit = t->limits_ms[x->step];
        next = c->next;
        if (c->unwatched) {
            end_unwatched(t, c);
            any = true;
            next = t->running;
            continue;
        }
        if (!limit || c->paused || now - c->since_ms < limit) {
            watch_step(t, c);
            continue;
        }
        berth_error err = BERTH_ERROR_INIT;
        berth_error_set(&err, BERTH_E_NETWORK, "%s in %g seconds", what[x->step], limit / 1000.0);
        x->failure = x->step == EXCHANGE_RECEIVES ? FAILURE_BROKEN : FAILURE_UNREACHED;
        carrier_end(t, c, BERTH_E_NETWORK, &err);
        any = true;
        next = t->running; /* whatever the end has set off */
    }
    return any;
}

/* --- what is ready --- */

static void take_event(struct transport *t, const struct epoll_event *e)
{
    int fd = e->data.fd;
    uint64_t count;
    if (fd == t->event || fd == t->timer) {
        if (read(fd, &count, sizeof(count)) > 0 && fd == t->timer)
            t->armed_ms = INT64_MAX;
        return;
    }
    struct watch *w = find_watch(t, fd);
    if (w)
        w->ready(w);
    else if (!plains_ready(t, fd, e->events) && t->curls)
        curls_ready(t, fd, e->events);
}

bool transport_process(struct transport *t)
{
    struct epoll_event ready[EVENTS];
    int n;
    bool any = false;
    do {
        n = epoll_wait(t->epoll, ready, EVENTS, 0);
        for (int i = 0; i < n; i++)
            take_event(t, &ready[i]);
        any |= plains_run(t);
        if (t->curls)
            any |= curls_run(t);
        any |= end_late(t);
    } while (n == EVENTS);
    transport_arm(t);
    return any || plains_pending(t) || (t->curls && curls_woken(t));
}
