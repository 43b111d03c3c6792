/* bench/respond.c - see respond.h. Answers in a fixed way, without looking at more than it must:
 *
 *     GET /N…          200 and N bytes; N stands where a path ends in "/N"
 *     HEAD             200
 *     POST …/uploads/  202 and a session, without a body; else 201
 *     PATCH            202 and the session
 *     PUT              201
 *
 * Bodies of requests are dropped unread. Edge-triggered, one epoll for each thread, connections shared out by
 * the kernel (SO_REUSEPORT). */
#include "respond.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "util/str.h"

#define IN_MAX  (16 * KIB)
#define SCRATCH MIB
#define EVENTS  256
#define SESSION "/v2/session"
#define OUT_MAX 256

struct peer {
    int fd;
    char in[IN_MAX];
    size_t in_n;
    uint64_t to_drop; /* of the request's body */
    bool answering;
    char out[OUT_MAX];
    size_t out_n;
    uint64_t body, sent;
};

struct responder {
    unsigned port;
    char *body; /* SCRATCH bytes of nothing */
};

struct loop {
    struct responder *responder;
    int listen_fd, epoll_fd;
    char *scratch;
};

static void compose(struct peer *p, berth_str line)
{
    berth_str method, rest, path, version, last = STR_NULL;
    str_cut(line, ' ', &method, &rest);
    str_cut(rest, ' ', &path, &version);
    for (size_t i = path.n; i && !last.p; i--)
        if (path.p[i - 1] == '/')
            last = str_from_offset(path, i);
    p->body = 0;
    const char *status = "200 OK";
    if (str_eq(method, STR("GET")))
        str_to_u64(last, &p->body);
    else if (str_eq(method, STR("PUT")) || (str_eq(method, STR("POST")) && p->to_drop))
        status = "201 Created";
    else if (!str_eq(method, STR("HEAD")))
        status = "202 Accepted";
    int n = snprintf(p->out, sizeof(p->out),
                     "HTTP/1.1 %s\r\nLocation: " SESSION "\r\nContent-Length: %llu\r\n\r\n", status,
                     (unsigned long long)p->body);
    p->out_n = (size_t)n;
    p->sent = 0;
    p->answering = true;
}

static uint64_t length_of(berth_str head)
{
    berth_str line, rest = head, name, value;
    uint64_t n = 0;
    while (str_cut(rest, '\n', &line, &rest))
        if (str_cut(line, ':', &name, &value) && str_eq_nocase(name, STR("content-length")))
            str_to_u64(str_trim(str_head(value, value.n - 1)), &n);
    return n;
}

/* False: it would block, or has failed; an event tells which. */
static bool send_answer(struct loop *l, struct peer *p)
{
    uint64_t total = p->out_n + p->body;
    while (p->sent < total) {
        uint64_t filled = p->sent > p->out_n ? p->sent - p->out_n : 0;
        struct iovec v[2];
        int n = 0;
        if (p->sent < p->out_n)
            v[n++] = (struct iovec){p->out + p->sent, p->out_n - (size_t)p->sent};
        if (filled < p->body)
            v[n++] = (struct iovec){l->responder->body, (size_t)MIN(p->body - filled, SCRATCH)};
        struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
        ssize_t sent = sendmsg(p->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return false;
        p->sent += (uint64_t)sent;
    }
    p->answering = false;
    return true;
}

/* False: the peer is gone. */
static bool serve(struct loop *l, struct peer *p)
{
    for (;;) {
        if (p->answering && !p->to_drop && !send_answer(l, p))
            return true;
        bool drop = p->to_drop > 0;
        ssize_t n = drop ? recv(p->fd, l->scratch, (size_t)MIN(p->to_drop, SCRATCH), MSG_TRUNC | MSG_DONTWAIT)
                         : recv(p->fd, p->in + p->in_n, sizeof(p->in) - p->in_n, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        if (drop) {
            p->to_drop -= (uint64_t)n;
            continue;
        }
        p->in_n += (size_t)n;
        const char *end = memmem(p->in, p->in_n, "\r\n\r\n", 4);
        if (!end)
            continue;
        size_t head = (size_t)(end - p->in) + 4;
        p->to_drop = length_of((berth_str){p->in, head});
        compose(p, (berth_str){p->in, head});
        p->to_drop -= MIN(p->to_drop, p->in_n - head);
        p->in_n = 0;
    }
}

static void take_connection(struct loop *l)
{
    int fd;
    while ((fd = accept4(l->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct peer *p = calloc(1, sizeof(*p));
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = p};
        if (!p || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0) {
            free(p);
            close(fd);
            continue;
        }
        p->fd = fd;
    }
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(l->epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            if (!p) {
                take_connection(l);
            } else if (!serve(l, p)) {
                close(p->fd);
                free(p);
            }
        }
    }
    return NULL;
}

static int loop_start(struct loop *l, unsigned *port, berth_error *err)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int on = 1;
    struct epoll_event e = {.events = EPOLLIN};
    pthread_t id;
    l->scratch = malloc(SCRATCH);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(l->listen_fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (!l->scratch || bind(l->listen_fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        listen(l->listen_fd, 4096) < 0 || getsockname(l->listen_fd, (struct sockaddr *)&a, &size) < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->listen_fd, &e) < 0 ||
        pthread_create(&id, NULL, loop_main, l) != 0)
        return berth_error_set(err, BERTH_E_NETWORK, "the responder: %s", strerror(errno));
    pthread_detach(id);
    *port = ntohs(a.sin_port);
    return BERTH_OK;
}

int responder_start(unsigned threads, unsigned port, struct responder **ret, berth_error *err)
{
    struct responder *r = calloc(1, sizeof(*r));
    struct loop *loops = calloc(threads, sizeof(*loops));
    if (!r || !loops || !(r->body = calloc(1, SCRATCH))) {
        free(loops);
        free(r);
        return berth_error_set(err, BERTH_E_NOMEM, "no memory");
    }
    r->port = port;
    for (unsigned i = 0; i < threads; i++) {
        loops[i].responder = r;
        int e = loop_start(&loops[i], &r->port, err);
        if (e != BERTH_OK)
            return e; /* the process ends: threads may use what was made */
    }
    *ret = r;
    return BERTH_OK;
}

unsigned responder_port(const struct responder *r)
{
    return r->port;
}
