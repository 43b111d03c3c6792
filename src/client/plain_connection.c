/* client/plain_connection.c - connections of our own: making them, one address after the other, keeping them
 * for the next exchange, and who has something to do. */
#include "client/plain_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "util/fault.h"

#define IDLE_MAX 64 /* connections that are kept */

/* --- where to --- */

static void add_address(struct plain *c, int family, const char *text, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&c->addresses[c->n_addresses];
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&c->addresses[c->n_addresses];
    if (family == AF_INET) {
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        c->n_addresses += inet_pton(AF_INET, text, &v4->sin_addr) == 1;
    } else {
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        c->n_addresses += inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
    }
}

/* This machine has two whatever a name server says (RFC 6761 section 6.3). */
bool plain_find_addresses(struct plain *c, const struct route *r, const http_uri *u)
{
    char text[INET6_ADDRSTRLEN];
    berth_str host = u->host;
    bool v4 = r->family != BERTH_FAMILY_IPV6, v6 = r->family != BERTH_FAMILY_IPV4;
    c->n_addresses = c->tried = 0;
    if (str_eq_nocase(host, STR("localhost"))) {
        if (v6)
            add_address(c, AF_INET6, "::1", u->port);
        if (v4)
            add_address(c, AF_INET, "127.0.0.1", u->port);
        return c->n_addresses;
    }
    bool literal = str_starts(host, STR("["));
    if (literal)
        host = (berth_str){host.p + 1, host.n - 2};
    if (host.n >= sizeof(text))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (literal ? v6 : v4)
        add_address(c, literal ? AF_INET6 : AF_INET, text, u->port);
    return c->n_addresses;
}

/* --- sockets --- */

static bool add_fd(struct plains *s, struct plain *c, int fd)
{
    if ((size_t)fd >= s->n_fds) {
        size_t n = MAX((size_t)fd + 1, 2 * s->n_fds);
        struct plain **more = mem_realloc(s->by_fd, n * sizeof(struct plain *));
        if (!more)
            return false;
        memset(more + s->n_fds, 0, (n - s->n_fds) * sizeof(struct plain *));
        s->by_fd = more;
        s->n_fds = n;
    }
    s->by_fd[fd] = c;
    c->fd = fd;
    return true;
}

static void hang_up(struct plains *s, struct plain *c)
{
    if (c->fd < 0)
        return;
    s->by_fd[c->fd] = NULL;
    close(c->fd); /* epoll forgets it, too */
    c->fd = -1;
}

bool plain_watch(struct transport *t, struct plain *c, int op)
{
    struct epoll_event e = {.events = EPOLLIN | (c->wants_out ? EPOLLOUT : 0), .data.fd = c->fd};
    if (epoll_ctl(t->epoll, op, c->fd, &e) == 0)
        return true;
    c->base.unwatched = errno;
    t->steps_ms = 0; /* transport_process() finds it */
    return false;
}

void plain_want_out(struct transport *t, struct plain *c, bool wants)
{
    if (wants == c->wants_out)
        return;
    c->wants_out = wants;
    plain_watch(t, c, EPOLL_CTL_MOD);
}

/* A socket on its way to the next address. 0, or an errno; @ret_ours: it is this process that lacks
 * something. */
static int connect_one(struct transport *t, struct plain *c, bool *ret_there, bool *ret_ours)
{
    const struct sockaddr_storage *to = &c->addresses[c->tried++];
    socklen_t size = to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int on = 1;
    int fd = fault_hit() ? (errno = EMFILE, -1)
                         : socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *ret_ours = fd >= 0 || errno != EAFNOSUPPORT;
    if (fd < 0)
        return errno;
    if (!add_fd(t->plains, c, fd)) {
        close(fd);
        return ENOMEM;
    }
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.fd = fd};
    c->wants_out = true;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        return errno;
    *ret_ours = false;
    *ret_there = connect(fd, (const struct sockaddr *)to, size) == 0;
    return *ret_there || errno == EINPROGRESS ? 0 : errno;
}

bool plain_connect(struct transport *t, struct plain *c, int why)
{
    bool there = false, ours = false;
    do {
        hang_up(t->plains, c);
        if (ours) {
            plain_end(t, c, FAILURE_LASTING, why == ENOMEM ? BERTH_E_NOMEM : BERTH_E_IO,
                      "making a connection: %s", strerror(why));
            return false;
        }
        if (c->tried == c->n_addresses) {
            plain_end(t, c, FAILURE_UNREACHED, BERTH_E_NETWORK, "connecting to %s: %s", c->authority,
                      strerror(why));
            return false;
        }
        why = connect_one(t, c, &there, &ours);
    } while (why);
    c->state = PLAIN_CONNECTS;
    return there;
}

bool plain_connected(struct transport *t, struct plain *c)
{
    int why = 0;
    socklen_t size = sizeof(why);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &size) < 0)
        why = errno;
    return !why || plain_connect(t, c, why);
}

void plain_connect_anew(struct transport *t, struct plain *c)
{
    hang_up(t->plains, c);
    c->reused = false;
    c->tried = 0;
    c->state = PLAIN_FRESH;
    plain_enqueue(t->plains, c);
}

/* --- lists --- */

static void insert_after(struct plain_list *l, struct plain *before, struct plain *c)
{
    c->prev = before;
    c->next = before ? before->next : l->first;
    *(before ? &before->next : &l->first) = c;
    *(c->next ? &c->next->prev : &l->last) = c;
}

static void take_out(struct plain_list *l, struct plain *c)
{
    *(c->prev ? &c->prev->next : &l->first) = c->next;
    *(c->next ? &c->next->prev : &l->last) = c->prev;
    c->next = c->prev = NULL;
}

void plain_enqueue(struct plains *s, struct plain *c)
{
    if (c->queued)
        return;
    insert_after(&s->ready, s->ready.last, c);
    c->queued = true;
}

static void take_from_queue(struct plains *s, struct plain *c)
{
    take_out(&s->ready, c);
    c->queued = false;
}

struct plain *plain_dequeue(struct plains *s)
{
    struct plain *c = s->ready.first;
    if (c)
        take_from_queue(s, c);
    return c;
}

static void take_from_idle(struct plains *s, struct plain *c)
{
    take_out(&s->idle, c);
    s->n_idle--;
}

/* --- one for each exchange --- */

void plain_free(struct plains *s, struct plain *c)
{
    hang_up(s, c);
    berth_buf_done(&c->head);
    berth_buf_done(&c->piece);
    berth_buf_done(&c->held);
    mem_free(c->authority);
    mem_free(c);
}

void plain_drop(struct plains *s, struct plain *c)
{
    take_from_idle(s, c);
    plain_free(s, c);
}

void plain_drop_all(struct plains *s)
{
    while (s->idle.first)
        plain_drop(s, s->idle.first);
}

/* Nothing has come since, not even its end. */
static bool is_usable(const struct plain *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static struct plain *take_idle(struct plains *s, berth_str authority)
{
    struct plain *next;
    for (struct plain *c = s->idle.first; c; c = next) {
        next = c->next;
        if (!str_eq(str_from(c->authority), authority))
            continue;
        take_from_idle(s, c);
        if (is_usable(c))
            return c;
        plain_free(s, c);
    }
    return NULL;
}

static struct plain *plain_new(struct transport *t, const http_uri *u)
{
    struct plain *c = mem_zalloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->fd = -1;
    c->base.plain = true;
    berth_buf_init(&c->head, 2 * MIB);
    plain_find_addresses(c, &t->route, u);
    if ((c->authority = str_dup(u->authority)))
        return c;
    plain_free(t->plains, c);
    return NULL;
}

struct plain *plain_take(struct transport *t, const http_uri *u)
{
    struct plain *c = take_idle(t->plains, u->authority);
    bool reused = c;
    if (!c && !(c = plain_new(t, u)))
        return NULL;
    c->state = PLAIN_FRESH;
    c->reused = reused;
    return c;
}

void plain_let_go(struct transport *t, struct plain *c)
{
    struct plains *s = t->plains;
    if (c->queued)
        take_from_queue(s, c);
    if (!c->whole || !c->keep || s->n_idle == IDLE_MAX) {
        plain_free(s, c);
        return;
    }
    c->state = PLAIN_IDLE;
    berth_buf_done(&c->piece);
    plain_want_out(t, c, false);
    insert_after(&s->idle, NULL, c);
    s->n_idle++;
}

/* --- how it ends --- */

void plain_end(struct transport *t, struct plain *c, enum exchange_failure failure, int code, const char *fmt,
               ...)
{
    berth_error err = BERTH_ERROR_INIT;
    char why[sizeof(err.message)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    berth_error_set(&err, code, "%s", why);
    c->base.x->failure = failure;
    c->whole = code == BERTH_OK;
    t->plains->ended = true;
    carrier_end(t, &c->base, code, &err);
}

void plain_give_up(struct transport *t, struct plain *c)
{
    plain_end(t, c, FAILURE_LASTING, BERTH_E_NOMEM, "out of memory");
}
