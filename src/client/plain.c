/* client/plain.c - exchanges over plain HTTP with an address: connections of our own, HTTP/1.1 on them. Such
 * a registry is one's own machine or its neighbour's, and libcurl with all that it brings along would be most
 * of the cost (docs/adr/0038): loading it takes longer than asking, and it copies what sendfile() does not.
 *
 * What is out of the ordinary (a proxy, a name to be looked up, a header that has to do with the framing) is
 * left to libcurl: plains_can() decides. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "client/transport.h"
#include "http/block.h"
#include "http/chunk.h"
#include "http/reply.h"
#include "util/clock.h"
#include "util/fault.h"

#define IDLE_MAX     64          /* connections that are kept */
#define READ_HEAD    (16 * KIB)  /* at once, before it is known what follows */
#define SEND_PIECE   (128 * KIB) /* of a body that comes through memory */
#define SEND_FILE    (2 * MIB)   /* of one that comes from a file */
#define TURN         (4 * MIB)   /* sent, or received, before others have their turn */
#define INTERIMS_MAX 32
#define CONTINUE_MS  1000 /* the body goes out then, whether the registry says so or not */

enum plain_state { PLAIN_IDLE, PLAIN_FRESH, PLAIN_CONNECTS, PLAIN_SENDS, PLAIN_MAY_SEND, PLAIN_RECEIVES };
enum plain_framing { FRAMED_BY_LENGTH, FRAMED_BY_CHUNKS, FRAMED_BY_END };

struct plain {
    struct carrier base;
    struct plain *next; /* of those that are idle, or have something to do */
    enum plain_state state;
    int fd; /* -1: none yet */
    char *authority;
    struct sockaddr_storage addresses[2];
    unsigned n_addresses, tried;
    bool reused;      /* it may have been closed meanwhile */
    bool answered;    /* something of the answer has come */
    bool wants_out;   /* we wait for room */
    bool queued;      /* among those that have something to do */
    bool unheard;     /* nobody looks at what it sends */
    berth_buf held;   /* what came, and was not wanted yet */
    bool whole, keep; /* the exchange went well; another one may follow */
    berth_buf head;   /* of the request, and a small body */
    size_t head_sent;
    berth_buf piece; /* of a body that streams */
    size_t piece_sent;
    bool body_over; /* the body has no more behind the piece */
    int64_t go_on_ms;
    size_t scanned;    /* of the answer's header */
    unsigned interims; /* answers that only announce another */
    struct http_reply reply;
    enum plain_framing framing;
    uint64_t left;
    struct http_chunk_check chunk;
};

struct plains {
    struct plain **by_fd;
    size_t n_fds;
    struct plain *idle, *ready, **last_ready;
    size_t n_idle;
    char *buffer; /* for what is received, and passed on at once */
    bool off;     /* everything is libcurl's */
    bool ended;   /* an exchange has */
};

static struct plain *plain_of(struct carrier *c)
{
    return CONTAINER_OF(c, struct plain, base);
}

/* --- what can be carried --- */

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
    struct plains *s = t->plains = calloc(1, sizeof(*s));
    if (!s)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    s->last_ready = &s->ready;
    s->off = has_proxy(&t->route) || t->route.resolve[0];
    return BERTH_OK;
}

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

/* An address, or this machine, which has two whatever a name server says (RFC 6761 section 6.3). */
static bool find_addresses(const struct route *r, const http_uri *u, struct plain *c)
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
        u.tls || has_dots(u.target) || !find_addresses(&t->route, &u, &unused))
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

/* --- connections --- */

static bool add_fd(struct plains *s, struct plain *c, int fd)
{
    if ((size_t)fd >= s->n_fds) {
        size_t n = MAX((size_t)fd + 1, 2 * s->n_fds);
        struct plain **more = realloc(s->by_fd, n * sizeof(struct plain *));
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

static void plain_free(struct plains *s, struct plain *c)
{
    hang_up(s, c);
    berth_buf_done(&c->head);
    berth_buf_done(&c->piece);
    berth_buf_done(&c->held);
    free(c->authority);
    free(c);
}

static void drop_idle(struct plains *s)
{
    for (struct plain *c; (c = s->idle);) {
        s->idle = c->next;
        plain_free(s, c);
    }
    s->n_idle = 0;
}

void plains_close(struct transport *t)
{
    drop_idle(t->plains);
}

void plains_free(struct plains *s)
{
    if (!s)
        return;
    drop_idle(s);
    free(s->by_fd);
    free(s->buffer);
    free(s);
}

static void forget(struct plain **list, const struct plain *c)
{
    while (*list && *list != c)
        list = &(*list)->next;
    if (*list)
        *list = c->next;
}

/* One that the other end has not closed since; NULL: none. */
static struct plain *take_idle(struct plains *s, berth_str authority)
{
    char byte;
    for (struct plain **at = &s->idle; *at;) {
        struct plain *c = *at;
        if (!str_eq(str_from(c->authority), authority)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        s->n_idle--;
        if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return c;
        plain_free(s, c);
    }
    return NULL;
}

static void want_out(struct transport *t, struct plain *c, bool wants)
{
    struct epoll_event e = {.events = EPOLLIN | (wants ? EPOLLOUT : 0), .data.fd = c->fd};
    if (wants != c->wants_out && epoll_ctl(t->epoll, EPOLL_CTL_MOD, c->fd, &e) < 0) {
        c->base.unwatched = errno;
        t->steps_ms = 0; /* transport_process() finds it */
    }
    c->wants_out = wants;
}

static void enqueue(struct plains *s, struct plain *c)
{
    c->queued = true;
    c->next = NULL;
    *s->last_ready = c;
    s->last_ready = &c->next;
}

static void add_fresh(struct plains *s, struct plain *c)
{
    c->state = PLAIN_FRESH;
    enqueue(s, c);
}

/* --- how it ends --- */

static void end(struct transport *t, struct plain *c, enum exchange_failure failure, int code,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void end(struct transport *t, struct plain *c, enum exchange_failure failure, int code,
                const char *fmt, ...)
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

void plains_release(struct transport *t, struct carrier *carrier)
{
    struct plains *s = t->plains;
    struct plain *c = plain_of(carrier);
    carrier_stop(t, carrier);
    if (c->queued) {
        forget(&s->ready, c);
        for (s->last_ready = &s->ready; *s->last_ready;)
            s->last_ready = &(*s->last_ready)->next;
        c->queued = false;
    }
    if (!c->whole || !c->keep || s->n_idle == IDLE_MAX) {
        plain_free(s, c);
        return;
    }
    c->state = PLAIN_IDLE;
    berth_buf_done(&c->piece);
    want_out(t, c, false);
    c->next = s->idle;
    s->idle = c;
    s->n_idle++;
}

/* A callback's wish, which its call knows more about; or else what is said here. */
static void give_up(struct transport *t, struct plain *c)
{
    end(t, c, FAILURE_LASTING, BERTH_E_NOMEM, "out of memory");
}

/* --- the request --- */

static void add_fields(struct plain *c, const struct exchange *x)
{
    berth_str left = x->fields, line;
    while (left.n) {
        str_cut(left, '\n', &line, &left);
        if (str_ends(line, STR(";")) && !memchr(line.p, ':', line.n)) /* a field without a value */
            berth_buf_addf(&c->head, STR_FMT ":\r\n", STR_ARG(str_head(line, line.n - 1)));
        else
            berth_buf_addf(&c->head, STR_FMT "\r\n", STR_ARG(line));
    }
}

static int64_t length_of(const struct exchange *x)
{
    return x->streams ? x->body_length : (int64_t)x->bytes.n;
}

static bool write_head(const struct transport *t, struct plain *c, const struct exchange *x)
{
    http_uri u;
    http_uri_parse(str_from(x->url), &u);
    berth_buf_reset(&c->head);
    berth_buf_addf(&c->head, "%s %s" STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\nUser-Agent: %s\r\n",
                   x->method, str_starts(u.target, STR("/")) ? "" : "/", STR_ARG(u.target),
                   STR_ARG(u.port == 80 ? u.host : u.authority), t->user_agent);
    add_fields(c, x);
    if (x->has_body && x->expects)
        berth_buf_addf(&c->head, "Expect: 100-continue\r\n");
    if (x->has_body && length_of(x) >= 0)
        berth_buf_addf(&c->head, "Content-Length: %lld\r\n", (long long)length_of(x));
    else if (x->has_body)
        berth_buf_addf(&c->head, "Transfer-Encoding: chunked\r\n");
    berth_buf_addf(&c->head, "\r\n");
    return !berth_buf_failed(&c->head);
}

int plains_start(struct transport *t, struct exchange *x, berth_error *err)
{
    struct plains *s = t->plains;
    http_uri u;
    http_uri_parse(str_from(x->url), &u);
    if (!s->buffer && !(s->buffer = malloc(LARGE_BUFFER)))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    struct plain *c = take_idle(s, u.authority);
    bool reused = c;
    if (!c && (c = calloc(1, sizeof(*c)))) {
        c->fd = -1;
        c->base.plain = true;
        c->authority = str_dup(u.authority);
        berth_buf_init(&c->head, 2 * MIB);
        find_addresses(&t->route, &u, c);
    }
    if (!c || !c->authority || !write_head(t, c, x)) {
        if (c)
            plain_free(s, c);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    c->reused = reused;
    carrier_start(t, &c->base, x);
    add_fresh(s, c);
    return BERTH_OK;
}

/* From its beginning, over this connection or another. False: it can't be, and that has been said. */
static bool rewind_request(struct transport *t, struct plain *c)
{
    struct exchange *x = c->base.x;
    c->head_sent = c->piece_sent = c->scanned = 0;
    c->answered = c->whole = c->keep = false;
    c->base.paused = false;
    c->go_on_ms = 0;
    c->interims = 0;
    c->body_over = !x->has_body || length_of(x) == 0;
    berth_buf_done(&c->piece);
    berth_buf_init(&c->piece, 2 * SEND_PIECE);
    berth_buf_reset(&x->header);
    x->sent = 0;
    if (!x->streams || x->events->rewind(x))
        return true;
    end(t, c, FAILURE_LASTING, BERTH_E_NETWORK,
        "the connection broke, and the content can be sent only once");
    return false;
}

/* --- connecting --- */

static bool send_more(struct transport *t, struct plain *c);

static void begin_request(struct transport *t, struct plain *c)
{
    const struct exchange *x = c->base.x;
    if (!rewind_request(t, c))
        return;
    c->state = PLAIN_SENDS;
    carrier_enter(&c->base, x->has_body ? EXCHANGE_SENDS : EXCHANGE_WAITS);
    berth_str head = berth_buf_str(&c->head);
    carrier_trace(&c->base, BERTH_TRACE_SENT, head);
    send_more(t, c);
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

/* @why: what came of the last address; 0: there was none. */
static void connect_next(struct transport *t, struct plain *c, int why)
{
    bool there = false, ours = false;
    do {
        hang_up(t->plains, c);
        if (ours) {
            end(t, c, FAILURE_LASTING, why == ENOMEM ? BERTH_E_NOMEM : BERTH_E_IO, "making a connection: %s",
                strerror(why));
            return;
        }
        if (c->tried == c->n_addresses) {
            end(t, c, FAILURE_UNREACHED, BERTH_E_NETWORK, "connecting to %s: %s", c->authority,
                strerror(why));
            return;
        }
        why = connect_one(t, c, &there, &ours);
    } while (why);
    c->state = PLAIN_CONNECTS;
    if (there)
        begin_request(t, c);
}

static void take_connect(struct transport *t, struct plain *c)
{
    int why = 0;
    socklen_t size = sizeof(why);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &size) < 0)
        why = errno;
    if (why)
        connect_next(t, c, why);
    else
        begin_request(t, c);
}

/* --- sending --- */

/* sendfile() raises SIGPIPE, which a library keeps to itself. */
static ssize_t send_file(int fd, int file, off_t at, size_t n)
{
    static const struct timespec now = {0};
    sigset_t pipe, was, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &was);
    ssize_t sent = sendfile(fd, file, &at, n);
    int why = errno;
    if (sent < 0 && why == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    errno = why;
    return sent;
}

/* The next piece of a body, in its framing. BERTH_PAUSE: there is none yet; negative: its call has given up.
 */
static int fill(struct plain *c)
{
    struct exchange *x = c->base.x;
    char size[24];
    size_t n = 0;
    bool chunked = x->body_length < 0;
    berth_buf_reset(&c->piece);
    c->piece_sent = 0;
    char *p = berth_buf_reserve(&c->piece, SEND_PIECE + 32);
    int r = p ? x->events->send(x, p + 24, SEND_PIECE, &n) : BERTH_E_NOMEM;
    if (r != BERTH_OK)
        return r;
    if (!chunked) {
        c->body_over = x->sent + n == (uint64_t)x->body_length;
        memmove(p, p + 24, n);
        berth_buf_grow(&c->piece, n);
        return BERTH_OK;
    }
    c->body_over = !n;
    int digits = snprintf(size, sizeof(size), "%zx\r\n", n);
    memmove(p + digits, p + 24, n);
    memcpy(p, size, (size_t)digits);
    memcpy(p + digits + n, "\r\n", 2);
    berth_buf_grow(&c->piece, (size_t)digits + n + 2);
    return BERTH_OK;
}

/* What is sent next of the body: so many bytes went, or -1 with errno; ECANCELED: its call has given up,
 * EINPROGRESS: there is nothing to send yet. */
static ssize_t send_body(struct plain *c)
{
    struct exchange *x = c->base.x;
    ssize_t n;
    if (!x->streams) {
        n = send(c->fd, x->bytes.p + x->sent, x->bytes.n - x->sent, MSG_NOSIGNAL);
        x->sent += n > 0 ? (uint64_t)n : 0;
        c->body_over = x->sent == x->bytes.n;
        return n;
    }
    uint64_t left = (uint64_t)x->body_length - x->sent;
    if (x->file >= 0 && c->piece_sent == c->piece.n) {
        n = send_file(c->fd, x->file, (off_t)(x->file_at + x->sent), (size_t)MIN(left, (uint64_t)SEND_FILE));
        if (n > 0) {
            x->events->passed(x, (size_t)n);
            x->sent += (uint64_t)n;
            c->body_over = (uint64_t)n == left;
        }
        if (n > 0 || (n < 0 && errno != EINVAL && errno != ENOSYS))
            return n;
        x->file = -1; /* a file system that can't, or a file that became shorter */
    }
    int r = c->piece_sent == c->piece.n ? fill(c) : BERTH_OK;
    if (r != BERTH_OK) {
        errno = r == BERTH_PAUSE ? EINPROGRESS : ECANCELED;
        return -1;
    }
    n = send(c->fd, c->piece.p + c->piece_sent, c->piece.n - c->piece_sent, MSG_NOSIGNAL);
    c->piece_sent += n > 0 ? (size_t)n : 0;
    if (x->body_length >= 0)
        x->sent += n > 0 ? (uint64_t)n : 0;
    return n;
}

static void stop_sending(struct transport *t, struct plain *c)
{
    c->state = PLAIN_RECEIVES;
    want_out(t, c, false);
}

enum outcome { WENT, BLOCKED, OVER };

/* What the last send() means. */
static enum outcome take_sent(struct transport *t, struct plain *c, ssize_t n)
{
    if (n >= 0 || errno == EINTR)
        return WENT;
    if (errno == ECANCELED) {
        give_up(t, c);
        return OVER;
    }
    c->base.paused = errno == EINPROGRESS;
    if (c->base.paused || errno == EAGAIN || errno == EWOULDBLOCK)
        want_out(t, c, !c->base.paused);
    else
        stop_sending(t, c); /* the other end may have said why: what is to be read shows */
    return BLOCKED;
}

static bool all_sent(const struct plain *c)
{
    return c->head_sent == c->head.n && c->body_over && c->piece_sent == c->piece.n;
}

static enum outcome send_head(struct transport *t, struct plain *c, bool alone)
{
    enum outcome o = WENT;
    while (o == WENT && c->head_sent < c->head.n) {
        ssize_t n = send(c->fd, c->head.p + c->head_sent, c->head.n - c->head_sent,
                         MSG_NOSIGNAL | (alone ? 0 : MSG_MORE));
        o = take_sent(t, c, n);
        c->head_sent += n > 0 ? (size_t)n : 0;
    }
    return o;
}

static enum outcome send_some(struct transport *t, struct plain *c)
{
    struct exchange *x = c->base.x;
    enum outcome o = WENT;
    size_t turn = 0;
    while (o == WENT && !all_sent(c)) {
        if (turn >= TURN) {
            want_out(t, c, true);
            break;
        }
        ssize_t n = send_body(c);
        o = take_sent(t, c, n);
        turn += n > 0 ? (size_t)n : 0;
    }
    if (o == OVER || !turn)
        return o;
    c->base.since_ms = clock_mono_ms();
    if (x->events->moved)
        x->events->moved(x);
    return o;
}

/* As much as there is room for. False: the exchange is over. */
static bool send_more(struct transport *t, struct plain *c)
{
    const struct exchange *x = c->base.x;
    bool waits = x->has_body && x->expects && !c->body_over && !c->go_on_ms;
    enum outcome o = send_head(t, c, waits || c->body_over);
    if (o == WENT && waits) {
        c->state = PLAIN_MAY_SEND;
        c->go_on_ms = clock_mono_ms() + CONTINUE_MS;
        t->plains_ms = MIN(t->plains_ms, c->go_on_ms);
        want_out(t, c, false);
        return true;
    }
    if (o == WENT)
        o = send_some(t, c);
    if (o == OVER)
        return false;
    if (c->state == PLAIN_SENDS && all_sent(c)) {
        stop_sending(t, c);
        if (x->step == EXCHANGE_SENDS)
            carrier_enter(&c->base, EXCHANGE_WAITS);
    }
    return true;
}

static bool send_body_now(struct transport *t, struct plain *c)
{
    c->state = PLAIN_SENDS;
    return send_more(t, c);
}

/* --- receiving --- */

static bool has_no_body(const struct plain *c)
{
    int status = c->reply.status;
    return strcmp(c->base.x->method, "HEAD") == 0 || status == 204 || status == 304;
}

/* All has come. @more: and something behind it, which nobody asked for. */
static void finish(struct transport *t, struct plain *c, bool more)
{
    c->keep = c->reply.keep_alive && c->framing != FRAMED_BY_END && all_sent(c) && !more;
    end(t, c, FAILURE_NONE, BERTH_OK, "%s", "");
}

/* Another connection for the same request. */
static void begin_anew(struct transport *t, struct plain *c)
{
    hang_up(t->plains, c);
    c->reused = false;
    c->tried = 0;
    add_fresh(t->plains, c);
}

/* The other end has closed, or @why. */
static void lose(struct transport *t, struct plain *c, int why)
{
    bool in_head = !c->base.x->header_complete;
    if (c->reused && !c->answered) /* it was closed while nobody looked: that says nothing of this request */
        begin_anew(t, c);
    else if (in_head)
        end(t, c, FAILURE_BROKEN, BERTH_E_NETWORK, "the connection was closed before the answer%s%s",
            why ? ": " : "", why ? strerror(why) : "");
    else if (c->framing == FRAMED_BY_END && !why)
        finish(t, c, false);
    else
        end(t, c, FAILURE_BROKEN, BERTH_E_NETWORK, "the body ended early%s%s", why ? ": " : "",
            why ? strerror(why) : "");
}

/* The header of the answer is whole. False: that was the end of it, or it begins anew. */
static bool take_head(struct transport *t, struct plain *c)
{
    struct exchange *x = c->base.x;
    struct http_reply *r = &c->reply;
    if (!http_reply_parse(berth_buf_str(&x->header), r) || r->status == 101) {
        end(t, c, FAILURE_LASTING, BERTH_E_NETWORK, "the answer is not HTTP/1 (does it speak HTTPS?)");
        return false;
    }
    if (r->status < 200 && ++c->interims > INTERIMS_MAX) {
        end(t, c, FAILURE_LASTING, BERTH_E_INVALID, "the answer is announced again and again");
        return false;
    }
    if (r->status < 200) {
        berth_buf_reset(&x->header);
        c->scanned = 0;
        return r->status != 100 || c->state != PLAIN_MAY_SEND || send_body_now(t, c);
    }
    if (r->status == 417 && x->has_body && x->expects) {
        x->expects = false;
        if (write_head(t, c, x)) {
            begin_anew(t, c);
            return false;
        }
    }
    if (!all_sent(c))
        stop_sending(t, c);
    c->framing = r->chunked ? FRAMED_BY_CHUNKS : r->content_length >= 0 ? FRAMED_BY_LENGTH : FRAMED_BY_END;
    c->left = r->content_length >= 0 ? (uint64_t)r->content_length : 0;
    c->chunk = (struct http_chunk_check){0};
    if (has_no_body(c)) {
        c->framing = FRAMED_BY_LENGTH;
        c->left = 0;
    }
    carrier_enter(&c->base, EXCHANGE_RECEIVES);
    if (!carrier_head(&c->base, r->status)) {
        give_up(t, c);
        return false;
    }
    return true;
}

#define PAUSED SIZE_MAX /* instead of a number of bytes: they are not wanted yet */

/* Returns how many bytes belonged to the header; 0: the exchange is over. */
static size_t feed_head(struct transport *t, struct plain *c, const char *p, size_t n)
{
    berth_buf *header = &c->base.x->header;
    size_t had = header->n, end_at = 0;
    n = MIN(n, HEADER_MAX - had);
    berth_buf_add(header, p, n);
    int found = berth_buf_failed(header) ? 0 : http_block_scan(header->p, header->n, &c->scanned, &end_at);
    if (found < 0) {
        end(t, c, FAILURE_LASTING, BERTH_E_NETWORK, "the answer is not HTTP/1 (does it speak HTTPS?)");
        return 0;
    }
    if (!found && header->n == HEADER_MAX) {
        end(t, c, FAILURE_LASTING, BERTH_E_TOO_BIG, "the header of the answer is too long");
        return 0;
    }
    if (berth_buf_failed(header)) {
        give_up(t, c);
        return 0;
    }
    if (!found)
        return n;
    header->n = end_at;
    return take_head(t, c) ? end_at - had : 0;
}

/* Of a body: what its call says to the next bytes. */
static int take_body(struct transport *t, struct plain *c, const char *p, size_t n)
{
    struct exchange *x = c->base.x;
    int r = x->events->body(x, p, n);
    if (r == BERTH_PAUSE)
        c->base.paused = true;
    else if (r < 0)
        give_up(t, c);
    return r;
}

/* Of a chunked body: its next data, or what frames them. The same. */
static size_t feed_chunk(struct transport *t, struct plain *c, const char *p, size_t n)
{
    bool data = c->chunk.state == CHUNK_DATA;
    n = data ? (size_t)MIN((uint64_t)n, c->chunk.left) : 1;
    int r = data ? take_body(t, c, p, n) : BERTH_OK;
    if (r != BERTH_OK)
        return r == BERTH_PAUSE ? PAUSED : 0;
    http_chunk_check(&c->chunk, p, n);
    if (c->chunk.state != CHUNK_BAD)
        return n;
    end(t, c, FAILURE_BROKEN, BERTH_E_NETWORK, "the chunks of the body make no sense");
    return 0;
}

static size_t feed_body(struct transport *t, struct plain *c, const char *p, size_t n)
{
    if (c->framing == FRAMED_BY_CHUNKS)
        return feed_chunk(t, c, p, n);
    if (c->framing == FRAMED_BY_LENGTH)
        n = (size_t)MIN((uint64_t)n, c->left);
    int r = take_body(t, c, p, n);
    if (r != BERTH_OK)
        return r == BERTH_PAUSE ? PAUSED : 0;
    c->left -= c->framing == FRAMED_BY_LENGTH ? n : 0;
    return n;
}

static bool is_whole(const struct plain *c)
{
    return c->base.x->header_complete && (c->framing == FRAMED_BY_CHUNKS   ? c->chunk.state == CHUNK_END
                                          : c->framing == FRAMED_BY_LENGTH ? c->left == 0
                                                                           : false);
}

/* Not wanted yet: kept, and no more is listened to. False: there is no memory for it. */
static bool hold(struct transport *t, struct plain *c, const char *p, size_t n)
{
    struct epoll_event e = {0};
    berth_buf_init(&c->held, LARGE_BUFFER);
    berth_buf_add(&c->held, p, n);
    if (berth_buf_failed(&c->held)) {
        give_up(t, c);
        return false;
    }
    c->unheard = true; /* also of an error, which would be told again and again */
    epoll_ctl(t->epoll, EPOLL_CTL_DEL, c->fd, &e);
    return false;
}

/* False: the exchange is over, begins anew, or has paused. */
static bool feed(struct transport *t, struct plain *c, const char *p, size_t n)
{
    for (size_t used; n || is_whole(c); p += used, n -= used) {
        if (is_whole(c)) {
            finish(t, c, n > 0);
            return false;
        }
        used = c->base.x->header_complete ? feed_body(t, c, p, n) : feed_head(t, c, p, n);
        if (used == PAUSED)
            return hold(t, c, p, n);
        if (!used)
            return false;
    }
    return true;
}

static void receive(struct transport *t, struct plain *c)
{
    char *buffer = t->plains->buffer;
    for (size_t turn = 0; turn < TURN;) {
        size_t room = c->base.x->header_complete ? LARGE_BUFFER : READ_HEAD;
        ssize_t n = recv(c->fd, buffer, room, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            lose(t, c, n < 0 ? errno : 0);
            return;
        }
        c->answered = true;
        c->base.since_ms = clock_mono_ms();
        if (!feed(t, c, buffer, (size_t)n))
            return;
        if ((size_t)n < room && room == LARGE_BUFFER)
            return; /* that was all, as yet */
        turn += (size_t)n;
    }
}

/* After a pause. */
static void go_on(struct transport *t, struct plain *c)
{
    struct epoll_event e = {.events = EPOLLIN | (c->wants_out ? EPOLLOUT : 0), .data.fd = c->fd};
    if (c->unheard) {
        CLEANUP(berth_buf_done) berth_buf held = c->held;
        c->held = (berth_buf){0};
        c->unheard = false;
        if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0) {
            c->base.unwatched = errno;
            t->steps_ms = 0; /* transport_process() finds it */
            return;
        }
        if (feed(t, c, held.p, held.n))
            receive(t, c);
    } else if (c->state == PLAIN_SENDS) {
        send_more(t, c);
    }
}

/* --- what is ready --- */

bool plains_ready(struct transport *t, int fd, uint32_t events)
{
    struct plains *s = t->plains;
    struct plain *c = (size_t)fd < s->n_fds ? s->by_fd[fd] : NULL;
    if (!c)
        return false;
    if (c->state == PLAIN_IDLE) { /* closed, or told what nobody asked for */
        forget(&s->idle, c);
        s->n_idle--;
        plain_free(s, c);
        return true;
    }
    if (c->queued || c->unheard)
        return true; /* its request comes first */
    if (c->state == PLAIN_CONNECTS) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            take_connect(t, c);
        return true;
    }
    bool goes_on = c->state != PLAIN_SENDS || !(events & EPOLLOUT) || send_more(t, c);
    if (goes_on && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        receive(t, c);
    return true;
}

/* Bodies whose registry does not say that it wants them. */
static void run_due(struct transport *t)
{
    int64_t now = clock_mono_ms();
    struct carrier *next;
    if (now < t->plains_ms)
        return;
    t->plains_ms = INT64_MAX;
    for (struct carrier *i = t->running; i; i = next) {
        struct plain *c = plain_of(i);
        next = i->next;
        if (!i->plain || c->state != PLAIN_MAY_SEND)
            continue;
        if (c->go_on_ms > now) {
            t->plains_ms = MIN(t->plains_ms, c->go_on_ms);
            continue;
        }
        send_body_now(t, c);
        next = t->running; /* whatever that has set off */
    }
}

void plains_resume(struct transport *t, struct carrier *carrier)
{
    struct plain *c = plain_of(carrier);
    if (!c->queued)
        enqueue(t->plains, c);
}

bool plains_pending(const struct transport *t)
{
    return t->plains->ready;
}

bool plains_run(struct transport *t)
{
    struct plains *s = t->plains;
    for (struct plain *c; (c = s->ready);) {
        s->ready = c->next;
        if (!s->ready)
            s->last_ready = &s->ready;
        c->queued = false;
        if (c->state != PLAIN_FRESH)
            go_on(t, c);
        else if (c->fd >= 0)
            begin_request(t, c);
        else
            connect_next(t, c, 0);
    }
    if (t->plains_ms != INT64_MAX)
        run_due(t);
    bool ended = s->ended;
    s->ended = false;
    return ended;
}
