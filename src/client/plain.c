/* client/plain.c - exchanges over plain HTTP with an address: connections of our own, HTTP/1.1 on them. Such
 * a registry is one's own machine or its neighbour's, and libcurl with all that it brings along would be most
 * of the cost (docs/adr/0038): loading it takes longer than asking, and it copies what sendfile() does not.
 *
 * What is out of the ordinary (a proxy, a name to be looked up, a header that has to do with the framing) is
 * left to libcurl: plains_can() decides. */
#include "client/plain_private.h"

#include <sys/epoll.h>

#include "util/clock.h"

static struct plain *plain_of(struct carrier *c)
{
    return CONTAINER_OF(c, struct plain, base);
}

/* --- birth and death --- */

/* What libcurl would see as well: a proxy for plain HTTP. */
static bool has_proxy(const struct route *r)
{
    static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; !r->proxy && i < COUNT(names); i++) {
        const char *v = getenv(names[i]);
        if (v && *v)
            return true;
    }
    return r->proxy && *r->proxy;
}

int plains_new(struct transport *t, berth_error *err)
{
    struct plains *s = t->plains = mem_zalloc(1, sizeof(*s));
    if (!s)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    s->off = has_proxy(&t->route) || t->route.resolve[0];
    return BERTH_OK;
}

void plains_close(struct transport *t)
{
    plain_drop_all(t->plains);
}

void plains_free(struct plains *s)
{
    if (!s)
        return;
    plain_drop_all(s);
    mem_free(s->by_fd);
    mem_free(s->buffer);
    mem_free(s);
}

/* --- what can be carried --- */

static bool has_dots(berth_str target)
{
    berth_str path, query;
    str_cut(target, '?', &path, &query);
    return memmem(path.p, path.n, "/.", 2);
}

/* A line that has to do with the connection or the framing, which libcurl makes something of. */
static bool is_special(berth_str line)
{
    static const char *const names[] = {"Connection", "Content-Length",    "Expect",  "Host",
                                        "TE",         "Transfer-Encoding", "Upgrade", "User-Agent"};
    berth_str name, value;
    if (!str_cut(line, ':', &name, &value))
        str_cut(line, ';', &name, &value);
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_nocase(name, str_from(names[i])))
            return true;
    return false;
}

bool plains_can(const struct transport *t, const struct exchange *x)
{
    struct plain unused = {.fd = -1};
    berth_str left = x->fields, line;
    http_uri u;
    if (t->plains->off || (x->home && t->route.unix_socket) || !http_uri_parse(str_from(x->url), &u) ||
        u.tls || has_dots(u.target) || !plain_find_addresses(&unused, &t->route, &u))
        return false;
    while (left.n) {
        str_cut(left, '\n', &line, &left);
        if (is_special(line))
            return false;
    }
    for (size_t i = 0; i < u.target.n; i++)
        if ((unsigned char)u.target.p[i] > 0x7e)
            return false;
    return true;
}

/* --- exchanges --- */

int plains_start(struct transport *t, struct exchange *x, berth_error *err)
{
    struct plains *s = t->plains;
    http_uri u;
    http_uri_parse(str_from(x->url), &u);
    if (!s->buffer && !(s->buffer = mem_alloc(LARGE_BUFFER)))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    struct plain *c = plain_take(t, &u);
    if (!c || !plain_write_head(t, c, x)) {
        if (c)
            plain_free(s, c);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    carrier_start(t, &c->base, x);
    plain_enqueue(s, c);
    return BERTH_OK;
}

void plains_release(struct transport *t, struct carrier *carrier)
{
    carrier_stop(t, carrier);
    plain_let_go(t, plain_of(carrier));
}

void plains_resume(struct transport *t, struct carrier *carrier)
{
    plain_enqueue(t->plains, plain_of(carrier));
}

/* --- what is ready --- */

bool plains_ready(struct transport *t, int fd, uint32_t events)
{
    struct plains *s = t->plains;
    struct plain *c = (size_t)fd < s->n_fds ? s->by_fd[fd] : NULL;
    if (!c)
        return false;
    if (c->state == PLAIN_IDLE) { /* closed, or told what nobody asked for */
        plain_drop(s, c);
        return true;
    }
    if (c->queued || c->unheard)
        return true; /* its request comes first */
    if (c->state == PLAIN_CONNECTS) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && plain_connected(t, c))
            plain_begin(t, c);
        return true;
    }
    bool goes_on = c->state != PLAIN_SENDS || !(events & EPOLLOUT) || plain_send(t, c);
    if (goes_on && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        plain_receive(t, c);
    return true;
}

/* Bodies whose registry does not say that it wants them. */
static void enqueue_due(struct transport *t)
{
    int64_t now = clock_mono_ms();
    if (now < t->plains_ms)
        return;
    t->plains_ms = INT64_MAX;
    for (struct carrier *i = t->running; i; i = i->next) {
        struct plain *c = plain_of(i);
        if (!i->plain || c->state != PLAIN_MAY_SEND)
            continue;
        if (c->go_on_ms > now) {
            t->plains_ms = MIN(t->plains_ms, c->go_on_ms);
            continue;
        }
        c->state = PLAIN_SENDS;
        plain_enqueue(t->plains, c);
    }
}

bool plains_pending(const struct transport *t)
{
    return t->plains->ready.first;
}

/* Its turn has come. */
static void go_on(struct transport *t, struct plain *c)
{
    if (c->state == PLAIN_FRESH) {
        if (c->fd >= 0 || plain_connect(t, c, 0))
            plain_begin(t, c);
    } else if (c->unheard) {
        plain_hear_again(t, c);
    } else if (c->state == PLAIN_SENDS) {
        plain_send(t, c);
    }
}

bool plains_run(struct transport *t)
{
    struct plains *s = t->plains;
    if (t->plains_ms != INT64_MAX)
        enqueue_due(t);
    for (struct plain *c; (c = plain_dequeue(s));)
        go_on(t, c);
    bool ended = s->ended;
    s->ended = false;
    return ended;
}
