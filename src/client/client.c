/* client/client.c - berth_client: who drives it, and how calls begin, end and are waited for. */
#include "client/internal.h"

#include <stdio.h>

#include "http/block.h"
#include "oci/reference.h"
#include "util/clock.h"
#include "util/mask.h"

#define ROUNDS   16   /* in one go: the loop that we are part of has others to serve */
#define ALONE_MS 3000 /* for a call that nobody waits for */

static bool is_loopback(berth_str host)
{
    return str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("127.0.0.1")) ||
           str_eq(host, STR("[::1]"));
}

/* Of options that an older header made, what it knew. */
static berth_client_options read_options(const berth_client_options *given)
{
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, MIN(given->size, sizeof(o)));
    return o;
}

static bool copy(char **to, const char *s)
{
    *to = s ? str_dup(str_from(s)) : NULL;
    return !s || *to;
}

static int refuse_host(const char *host, berth_error *err)
{
    const char *scheme = strstr(host, "://");
    berth_str rest = str_from(scheme ? scheme + 3 : host);
    int r = memchr(rest.p, '/', rest.n) && !mask_find(rest).n ? BERTH_OK : oci_host_check(rest, err);
    return r == BERTH_OK ? berth_error_set(err, BERTH_E_INVALID, "'%s' is no host", host) : r;
}

/* "host:port", or "http://host:port/": how it is spoken to is said by one of them, or follows from the host.
 */
static int set_origin(berth_client *c, const char *host, const berth_client_options *o, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(4 * KIB);
    http_uri u;
    bool whole = strstr(host, "://");
    berth_buf_addf(&url, "%s%s", whole ? "" : "https://", host);
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    if (berth_buf_failed(&url) || !http_uri_parse(berth_buf_str(&url), &u) || u.target.n)
        return refuse_host(host, err);
    if (whole && o->transport != BERTH_TRANSPORT_AUTO && u.tls != (o->transport == BERTH_TRANSPORT_HTTPS))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' says %s, the options say %s", host,
                               u.tls ? "HTTPS" : "HTTP", u.tls ? "HTTP" : "HTTPS");
    bool automatic = !whole && o->transport != BERTH_TRANSPORT_HTTPS && o->transport != BERTH_TRANSPORT_HTTP;
    bool tls = whole       ? u.tls
               : automatic ? o->insecure || !is_loopback(u.host)
                           : o->transport == BERTH_TRANSPORT_HTTPS;
    c->may_fall_back = automatic && o->insecure;
    CLEANUP(berth_buf_done) berth_buf base = BERTH_BUF_INIT(4 * KIB);
    berth_buf_addf(&base, "%s://" STR_FMT, tls ? "https" : "http", STR_ARG(u.authority));
    c->base = berth_buf_take(&base);
    if (!c->base || !http_uri_parse(str_from(c->base), &c->origin))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    c->session.host = str_dup(c->origin.authority);
    c->session.tls = tls;
    return c->session.host ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* The headers of every request, as lines. */
static int set_fields(berth_client *c, const berth_client_options *o, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf lines = BERTH_BUF_INIT(64 * KIB);
    berth_str name, value;
    for (size_t i = 0; i < o->n_headers; i++) {
        berth_str line = str_from(o->headers[i]);
        if (!str_cut(line, ':', &name, &value) || !http_is_token(name) || !http_is_field_value(line))
            return berth_error_set(err, BERTH_E_INVALID, "header %zu of every request is no header", i + 1);
        value = str_trim(value);
        berth_buf_addf(&lines, STR_FMT "%s" STR_FMT "\n", STR_ARG(name), value.n ? ": " : ";",
                       STR_ARG(value));
    }
    c->fields = berth_buf_take(&lines);
    return c->fields ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory for headers");
}

int berth_client_new(const char *host, const berth_client_options *opts, berth_client **ret_client,
                     berth_error *err)
{
    const berth_client_options o = read_options(opts);
    if (!host)
        return berth_error_set(err, BERTH_E_INVALID, "a client needs a host");
    if (o.user_agent && !http_is_field_value(str_from(o.user_agent)))
        return berth_error_set(err, BERTH_E_INVALID, "the user agent can't stand in a header");
    berth_client *c = mem_zalloc(1, sizeof(*c));
    if (!c)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    int r = set_origin(c, host, &o, err);
    if (r == BERTH_OK)
        r = set_fields(c, &o, err);
    if (r == BERTH_OK)
        r = berth_client_set_default_name(c, o.default_name, err);
    limits_init(&c->limits, o.reads_at_once, o.writes_at_once, o.requests_per_second);
    c->retry =
        (struct retry_policy){o.retries, o.first_wait_ms, o.longest_wait_ms, o.on_retry, o.on_retry_arg};
    c->call_timeout_ms = o.call_timeout_ms;
    c->rate_reserve = o.rate_reserve;
    c->rate_wait_ms = o.rate_wait_ms;
    c->names = (struct tag_names){o.tag_to_registry, o.tag_from_registry, o.tag_name_arg};
    c->notices.fn = o.on_warning;
    c->notices.arg = o.on_warning_arg;
    if (r == BERTH_OK)
        r = session_init(&c->session, &o, err);
    if (r == BERTH_OK)
        r = transport_new(&o, c->session.host, &c->transport, err);
    c->session.keyring.transport = c->transport;
    if (r != BERTH_OK) {
        berth_client_free(c);
        return r;
    }
    *ret_client = c;
    return BERTH_OK;
}

int berth_client_set_default_name(berth_client *client, const char *name, berth_error *err)
{
    char *fresh = NULL;
    if (name && !oci_name_valid(str_from(name)))
        return berth_error_set_oci(err, BERTH_E_INVALID, "NAME_INVALID",
                                   "'%s' is not a valid name of a repository", name);
    if (!copy(&fresh, name))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    pthread_mutex_lock(&client->lock);
    char *was = client->default_name;
    client->default_name = fresh;
    pthread_mutex_unlock(&client->lock);
    mem_free(was);
    return BERTH_OK;
}

char *berth_client_default_name(berth_client *client)
{
    char *name = NULL;
    pthread_mutex_lock(&client->lock);
    copy(&name, client->default_name);
    pthread_mutex_unlock(&client->lock);
    return name;
}

int berth_client_fd(const berth_client *client)
{
    return transport_fd(client->transport);
}

/* --- driving --- */

/* Has the driver look at the call. Under the lock. */
static void want_attention(berth_call *call)
{
    berth_client *c = call->client;
    if (!call->queued) {
        call->queued = true;
        call->next_pending = c->pending;
        c->pending = call;
    }
    transport_wake(c->transport);
}

static berth_call *take_pending(berth_client *c)
{
    pthread_mutex_lock(&c->lock);
    berth_call *call = c->pending;
    if (call) {
        c->pending = call->next_pending;
        call->queued = false;
    }
    pthread_mutex_unlock(&c->lock);
    return call;
}

/* A call is under way from its first step on, and may be until its deadline. */
static void begin(berth_call *call)
{
    berth_client *c = call->client;
    uint32_t time_ms = call->alone ? ALONE_MS : c->call_timeout_ms;
    if (time_ms)
        call->deadline_ms = clock_mono_ms() + time_ms;
    berth_call *before = c->last_running;
    while (before && before->deadline_ms > call->deadline_ms)
        before = before->prev_running;
    call->prev_running = before;
    call->next_running = before ? before->next_running : c->first_running;
    *(before ? &before->next_running : &c->first_running) = call;
    *(call->next_running ? &call->next_running->prev_running : &c->last_running) = call;
    call_step(call);
}

static void forget_running(berth_call *call)
{
    berth_client *c = call->client;
    if (!call->prev_running && c->first_running != call)
        return; /* it never began */
    *(call->prev_running ? &call->prev_running->next_running : &c->first_running) = call->next_running;
    *(call->next_running ? &call->next_running->prev_running : &c->last_running) = call->prev_running;
    call->next_running = call->prev_running = NULL;
}

/* It waits for its source, in the middle of a body or between two; or for a sink. */
static void resume(berth_call *call)
{
    if (call->state == CALL_RESTING)
        call_attend(call);
    else
        transport_resume(call->client->transport, &call->x);
}

static void run_pending(berth_client *c)
{
    for (berth_call *call; (call = take_pending(c));) {
        if (call->state == CALL_DONE)
            continue;
        if (atomic_load(&call->cancelled))
            call_cancel(call, BERTH_E_CANCELLED, "cancelled");
        else if (call->state == CALL_NEW)
            begin(call);
        else
            resume(call);
    }
}

/* Calls whose turn has come, and those whose time is over. */
static void run_due(berth_client *c)
{
    int64_t now = clock_mono_ms();
    while (c->first_running && c->first_running->deadline_ms <= now)
        call_cancel(c->first_running, BERTH_E_NETWORK, "the call took longer than it may");
    for (struct limits_ticket *t; (t = limits_next(&c->limits, now));)
        call_step(CONTAINER_OF(t, berth_call, ticket));
}

void call_attend(berth_call *call)
{
    berth_client *c = call->client;
    if (call->attended || (call->state != CALL_RESTING && !call->goes_on)) /* it rests, or is about to */
        return;
    call->attended = true;
    call->next_attended = c->attended;
    c->attended = call;
}

static void forget_attended(berth_call *call)
{
    for (berth_call **at = &call->client->attended; call->attended; at = &(*at)->next_attended)
        if (*at == call) {
            *at = call->next_attended;
            call->attended = false;
            return;
        }
}

/* Those that are attended to. One that wants to be again is so in the next round: what takes long is cut to
 * pieces. */
static void run_attended(berth_client *c)
{
    size_t n = 0;
    for (berth_call *call = c->attended; call; call = call->next_attended)
        n++;
    for (; n && c->attended; n--) {
        berth_call *call = c->attended, **last = &c->attended;
        while (call->next_attended) { /* the oldest first */
            last = &call->next_attended;
            call = call->next_attended;
        }
        *last = NULL;
        call->attended = false;
        call_step(call);
    }
}

static bool has_pending(berth_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool has = c->pending;
    pthread_mutex_unlock(&c->lock);
    return has;
}

static void take_close(berth_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool closes = c->closes;
    c->closes = false;
    pthread_mutex_unlock(&c->lock);
    if (!closes)
        return;
    session_forget(&c->session);
    transport_close(c->transport);
}

static void take_cancel(berth_client *c)
{
    pthread_mutex_lock(&c->lock);
    unsigned cancels = c->cancels;
    pthread_mutex_unlock(&c->lock);
    if (!cancels)
        return;
    for (berth_call *call = c->first_running; call;) {
        bool spared = call->alone;
        if (!spared)
            call_cancel(call, BERTH_E_CANCELLED, "cancelled");
        call = spared ? call->next_running : c->first_running; /* others may have ended with it */
    }
    pthread_mutex_lock(&c->lock);
    c->cancels -= cancels;
    pthread_mutex_unlock(&c->lock);
}

static void run_ready(berth_client *c)
{
    take_close(c);
    run_attended(c);
    do {
        run_pending(c);
        take_cancel(c);
        run_due(c);
    } while (has_pending(c));
    int64_t due = c->attended ? 0 : limits_due(&c->limits, clock_mono_ms());
    if (c->first_running)
        due = MIN(due, c->first_running->deadline_ms);
    transport_set_timer(c->transport, due);
}

/* Drives the client until it has nothing to do; first waits until it has, if @waits. Under the lock, which is
 * free meanwhile. */
static void drive(berth_client *c, bool waits)
{
    c->driving = true;
    c->driver = pthread_self();
    pthread_mutex_unlock(&c->lock);
    if (waits)
        transport_wait(c->transport);
    unsigned rounds = 0;
    do
        run_ready(c);
    while (transport_process(c->transport) && ++rounds < ROUNDS);
    if (rounds == ROUNDS)
        transport_wake(c->transport);
    pthread_mutex_lock(&c->lock);
    c->driving = false;
    pthread_cond_broadcast(&c->changed);
}

static bool is_driver(const berth_client *c)
{
    return c->driving && pthread_equal(c->driver, pthread_self());
}

void berth_client_close(berth_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->closes = true;
    if (client->driving)
        transport_wake(client->transport);
    else
        drive(client, false);
    pthread_mutex_unlock(&client->lock);
}

void berth_client_process(berth_client *client)
{
    pthread_mutex_lock(&client->lock);
    if (!client->driving)
        drive(client, false);
    pthread_mutex_unlock(&client->lock);
}

/* Until the call is settled. Under the lock; not by the driver. */
static void wait_settled(berth_call *call)
{
    berth_client *c = call->client;
    while (!call->settled) {
        if (c->driving)
            pthread_cond_wait(&c->changed, &c->lock);
        else
            drive(c, !c->pending);
    }
}

/* Until no call is under way that has nobody. Under the lock; not by the driver. */
static void wait_alone(berth_client *c)
{
    while (c->n_alone || c->cancels) {
        if (c->driving)
            pthread_cond_wait(&c->changed, &c->lock);
        else
            drive(c, !c->pending && !c->cancels);
    }
}

void berth_client_free(berth_client *client)
{
    if (!client)
        return;
    if (client->transport) {
        pthread_mutex_lock(&client->lock);
        if (!client->driving)
            drive(client, false); /* calls that were freed from a callback go now */
        wait_alone(client);
        pthread_mutex_unlock(&client->lock);
    }
    session_done(&client->session);
    transport_free(client->transport);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    mem_free(client->base);
    mem_free(client->plain_base);
    mem_free(client->fields);
    mem_free(client->default_name);
    mem_free(client);
}

void berth_client_cancel(berth_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->cancels++;
    transport_wake(client->transport);
    if (!is_driver(client))
        wait_alone(client);
    pthread_mutex_unlock(&client->lock);
}

/* --- calls --- */

void call_start(berth_call *call)
{
    berth_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    want_attention(call);
    pthread_mutex_unlock(&c->lock);
}

void call_start_alone(berth_call *call)
{
    berth_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    call->alone = call->orphan = true;
    c->n_alone++;
    want_attention(call);
    pthread_mutex_unlock(&c->lock);
}

/* A call that ends while it waits for attention needs none. Under the lock. */
static void forget_pending(berth_call *call)
{
    for (berth_call **at = &call->client->pending; *at; at = &(*at)->next_pending)
        if (*at == call) {
            *at = call->next_pending;
            break;
        }
    call->queued = false;
}

void client_settle(berth_call *call)
{
    berth_client *c = call->client;
    forget_running(call);
    forget_attended(call);
    pthread_mutex_lock(&c->lock);
    while (call->done && !call->told && !call->orphan) { /* before anyone who waits may free it */
        call->told = true;
        pthread_mutex_unlock(&c->lock);
        call->done(call, call->done_arg);
        pthread_mutex_lock(&c->lock);
    }
    if (call->queued)
        forget_pending(call);
    call->settled = true;
    c->n_alone -= call->alone;
    bool orphan = call->orphan;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (orphan)
        call_destroy(call);
}

void berth_call_on_done(berth_call *call, berth_done_fn fn, void *arg)
{
    pthread_mutex_lock(&call->client->lock);
    bool now = call->settled;
    if (!now) {
        call->done = fn;
        call->done_arg = arg;
    }
    pthread_mutex_unlock(&call->client->lock);
    if (now)
        fn(call, arg);
}

static int result(const berth_call *call, berth_error *err)
{
    if (err && call->code != BERTH_OK)
        *err = call->err;
    return call->code;
}

int berth_call_wait(berth_call *call, berth_error *err)
{
    berth_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    bool inside = !call->settled && is_driver(c);
    if (!inside)
        wait_settled(call);
    pthread_mutex_unlock(&c->lock);
    return inside ? berth_error_set(err, BERTH_E_INVALID, "a callback may not wait for a call")
                  : result(call, err);
}

/* Ended for the eyes of this thread: settled, or its own callback runs. */
static bool has_ended(const berth_call *call)
{
    berth_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    bool ended = call->settled || (is_driver(c) && call->state == CALL_DONE);
    pthread_mutex_unlock(&c->lock);
    return ended;
}

int berth_call_result(const berth_call *call, berth_error *err)
{
    return has_ended(call) ? result(call, err) : berth_error_set(err, BERTH_E_BUSY, "the call is under way");
}

const berth_content *berth_call_content(const berth_call *call)
{
    return has_ended(call) && call->code == BERTH_OK && call->has_content ? &call->content : NULL;
}

bool berth_call_rate(const berth_call *call, berth_rate *ret_rate)
{
    if (!has_ended(call) || !call->has_rate)
        return false;
    *ret_rate = call->rate;
    return true;
}

void berth_call_free(berth_call *call)
{
    if (!call)
        return;
    berth_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    atomic_store(&call->cancelled, true);
    bool inside = !call->settled && is_driver(c);
    if (inside)
        call->orphan = true;
    if (!call->settled)
        want_attention(call);
    if (!inside)
        wait_settled(call);
    pthread_mutex_unlock(&c->lock);
    if (!inside)
        call_destroy(call);
}

void berth_call_resume(berth_call *call)
{
    berth_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    if (!call->settled)
        want_attention(call);
    pthread_mutex_unlock(&c->lock);
}

int call_run(int r, berth_call *call, berth_call **ret_call, berth_error *err)
{
    if (r != BERTH_OK)
        return r;
    berth_client *c = call->client;
    r = berth_call_wait(call, err);
    if (r == BERTH_OK && ret_call)
        *ret_call = call;
    else
        berth_call_free(call);
    if (r != BERTH_OK) { /* it leaves nothing behind */
        pthread_mutex_lock(&c->lock);
        if (!is_driver(c))
            wait_alone(c);
        pthread_mutex_unlock(&c->lock);
    }
    return r;
}
