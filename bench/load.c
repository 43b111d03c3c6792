/* bench/load.c - the loop of the driver; see load.h.
 *
 * A connection is registered once, edge-triggered, for reading and writing: a request costs one sendmsg(),
 * one recv() and its share of an epoll_wait(). A long body is dropped inside the kernel (MSG_TRUNC), so that
 * the client takes as little of the shared cores as it can. */
#include "load.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "http/chunk.h"
#include "util/clock.h"
#include "util/io.h"

#define SCRATCH MIB
#define EVENTS  256

enum reading { READ_HEAD, READ_LENGTH, READ_CHUNKS };
enum progress { WAITING, COMPLETE, BROKEN };

struct connection {
    struct load_client client;
    int fd;
    uint64_t sent, total; /* of the request */
    enum reading reading;
    char in[LOAD_IN_MAX];
    size_t in_n;
    uint64_t left; /* of the answer's body */
    struct http_chunk_check chunks;
    bool closing; /* the server will close after this answer */
    bool retried; /* this request was already repeated on a fresh connection */
    int64_t started;
};

struct thread {
    struct load *load;
    pthread_t id;
    pthread_barrier_t *barrier;
    struct addrinfo *address;
    struct connection *connections;
    unsigned n, active;
    int epoll_fd;
    char *scratch;
    struct histogram latency;
    uint64_t failed, reconnected, received;
    int64_t ended;
    char failure[256];
};

/* --- requests --- */

void load_add(struct load_client *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(c->out + c->out_n, sizeof(c->out) - c->out_n, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(c->out) - c->out_n) {
        fputs("driver: a request is longer than LOAD_OUT_MAX\n", stderr);
        exit(1);
    }
    c->out_n += (size_t)n;
}

void load_head(const struct load *l, struct load_client *c, const char *method, const char *path,
               const char *type, uint64_t length)
{
    load_add(c, "%s %s HTTP/1.1\r\nHost: %s:%s\r\n%s", method, path, l->o->host, l->o->port, l->o->headers);
    if (type)
        load_add(c, "Content-Type: %s\r\n", type);
    if (type || length || strcmp(method, "POST") == 0)
        load_add(c, "Content-Length: %llu\r\n", (unsigned long long)length);
    load_add(c, "\r\n");
}

/* --- one connection --- */

static void note_failure(struct thread *t, const char *what, const struct load_client *c)
{
    t->failed++;
    if (t->failure[0])
        return;
    const char *end = memchr(c->out, '\r', c->out_n);
    snprintf(t->failure, sizeof(t->failure), "%s: status %d after %.*s", what, c->status,
             end ? (int)(end - c->out) : 0, c->out);
}

static int dial(struct thread *t, struct connection *k)
{
    closep(&k->fd);
    k->fd = socket(t->address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (k->fd < 0 || connect(k->fd, t->address->ai_addr, t->address->ai_addrlen) < 0)
        return -1;
    int on = 1;
    setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = k};
    return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, k->fd, &e);
}

static enum progress send_some(struct thread *t, struct connection *k)
{
    struct load_client *c = &k->client;
    while (k->sent < k->total) {
        struct iovec v[2];
        int n = 0;
        uint64_t filled = k->sent > c->out_n ? k->sent - c->out_n : 0;
        if (k->sent < c->out_n)
            v[n++] = (struct iovec){c->out + k->sent, c->out_n - (size_t)k->sent};
        if (filled < c->fill) {
            size_t at = (size_t)((c->fill_from + filled) % LOAD_PATTERN);
            v[n++] = (struct iovec){t->load->pattern + at, (size_t)MIN(c->fill - filled, LOAD_PATTERN - at)};
        }
        struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
        ssize_t sent = sendmsg(k->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? WAITING : BROKEN;
        k->sent += (uint64_t)sent;
    }
    return COMPLETE;
}

static void take_location(struct load_client *c, berth_str value)
{
    berth_str head, tail;
    size_t skip = str_starts(value, STR("http://")) ? strlen("http://") : 0;
    if (skip && str_cut(str_from_offset(value, skip), '/', &head, &tail))
        value = (berth_str){tail.p - 1, tail.n + 1};
    if (value.n >= sizeof(c->location))
        return;
    memcpy(c->location, value.p, value.n);
    c->location[value.n] = '\0';
}

/* Reads the header block in[0..n); false: not HTTP. */
static bool read_head(struct connection *k, size_t n)
{
    struct load_client *c = &k->client;
    berth_str rest = {k->in, n}, line, name, value;
    if (!str_cut(rest, '\n', &line, &rest) || line.n < 12 || !str_starts(line, STR("HTTP/1.")))
        return false;
    uint64_t status;
    if (!str_to_u64(str_head(str_from_offset(line, 9), 3), &status))
        return false;
    c->status = (int)status;
    c->location[0] = '\0';
    k->left = 0;
    k->reading = READ_LENGTH;
    k->closing = line.p[7] == '0';
    while (str_cut(rest, '\n', &line, &rest)) {
        if (!str_cut(line, ':', &name, &value))
            continue;
        value = str_head(value, value.n - (value.n && value.p[value.n - 1] == '\r'));
        value = str_trim(value);
        if (str_eq_nocase(name, STR("content-length"))) {
            if (!str_to_u64(value, &k->left))
                return false;
        } else if (str_eq_nocase(name, STR("transfer-encoding"))) {
            k->reading = READ_CHUNKS;
            k->chunks = (struct http_chunk_check){0};
        } else if (str_eq_nocase(name, STR("location"))) {
            take_location(c, value);
        } else if (str_eq_nocase(name, STR("connection"))) {
            k->closing = k->closing || str_eq_nocase(value, STR("close"));
        }
    }
    if (c->head || status == 204 || status == 304) {
        k->reading = READ_LENGTH;
        k->left = 0;
    }
    return true;
}

/* Uses up what is in the buffer. */
static enum progress digest_input(struct thread *t, struct connection *k)
{
    while (k->reading == READ_HEAD) {
        const char *end = memmem(k->in, k->in_n, "\r\n\r\n", 4);
        if (!end)
            return k->in_n == sizeof(k->in) ? BROKEN : WAITING;
        size_t n = (size_t)(end - k->in) + 4;
        if (!read_head(k, n))
            return BROKEN;
        k->in_n -= n;
        memmove(k->in, k->in + n, k->in_n);
        if (k->client.status / 100 == 1)
            k->reading = READ_HEAD;
    }
    if (k->reading == READ_CHUNKS) {
        size_t n = http_chunk_check(&k->chunks, k->in, k->in_n);
        t->received += n;
        k->in_n -= n;
        memmove(k->in, k->in + n, k->in_n);
        return k->chunks.state == CHUNK_END ? COMPLETE : k->chunks.state == CHUNK_BAD ? BROKEN : WAITING;
    }
    size_t n = (size_t)MIN(k->left, k->in_n);
    k->in_n -= n;
    k->left -= n;
    t->received += n;
    return k->left ? WAITING : COMPLETE;
}

/* A short read means that the socket is empty; what comes later is a new edge. */
static enum progress receive_some(struct thread *t, struct connection *k)
{
    for (;;) {
        bool drop = k->reading == READ_LENGTH;
        size_t room = drop ? (size_t)MIN(k->left, SCRATCH) : sizeof(k->in) - k->in_n;
        ssize_t n = drop ? recv(k->fd, t->scratch, room, MSG_TRUNC | MSG_DONTWAIT)
                         : recv(k->fd, k->in + k->in_n, room, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? WAITING : BROKEN;
        if (n == 0)
            return BROKEN;
        enum progress p;
        if (drop) {
            k->left -= (uint64_t)n;
            t->received += (uint64_t)n;
            p = k->left ? WAITING : COMPLETE;
        } else {
            k->in_n += (size_t)n;
            p = digest_input(t, k);
        }
        if (p != WAITING || (size_t)n < room)
            return p;
    }
}

static enum progress send_again(struct thread *t, struct connection *k)
{
    k->sent = 0;
    k->in_n = 0;
    k->reading = READ_HEAD;
    k->closing = false;
    return dial(t, k) < 0 ? BROKEN : send_some(t, k);
}

/* Writes the next request and sends it; false: this client has nothing more to do. */
static bool begin_request(struct thread *t, struct connection *k)
{
    struct load *l = t->load;
    struct load_client *c = &k->client;
    if (c->step == 0) {
        c->operation = atomic_fetch_add(&l->taken, 1);
        if (l->o->operations && c->operation >= l->o->operations)
            return false;
        k->started = clock_mono_us();
    }
    c->out_n = 0;
    c->fill = c->fill_from = 0;
    c->head = false;
    c->status = 0;
    l->ops->request(l, c);
    k->sent = 0;
    k->total = c->out_n + c->fill;
    k->reading = READ_HEAD;
    k->retried = false;
    if (k->closing) {
        k->closing = false;
        t->reconnected++;
        if (dial(t, k) < 0)
            return false;
    }
    return true;
}

static void end_request(struct thread *t, struct connection *k)
{
    struct load *l = t->load;
    enum load_verdict v = l->ops->answer(l, &k->client);
    if (v == LOAD_MORE)
        return;
    k->client.step = 0;
    if (v == LOAD_FAILED) {
        note_failure(t, l->ops->name, &k->client);
        return;
    }
    int64_t now = clock_mono_us();
    t->ended = now;
    histogram_add(&t->latency, (uint64_t)(now - k->started));
    uint64_t done = atomic_fetch_add(&l->done, 1) + 1;
    if (l->o->window && done % l->o->window == 0 && done / l->o->window <= l->n_windows)
        l->windows[done / l->o->window - 1] = now - l->started;
}

/* What a connection can do now, until it has to wait. False: it is finished with. */
static bool go_on(struct thread *t, struct connection *k)
{
    for (;;) {
        enum progress sent = k->sent < k->total ? send_some(t, k) : COMPLETE;
        enum progress p = receive_some(t, k);
        if (p == COMPLETE && sent != COMPLETE)
            k->closing = true; /* answered before it was sent: the rest must not follow */
        if (p == WAITING && sent == BROKEN)
            p = BROKEN;
        /* A server may close a connection between two requests; the request was not seen then. */
        if (p == BROKEN && k->in_n == 0 && k->reading == READ_HEAD && !k->retried) {
            k->retried = true;
            t->reconnected++;
            p = send_again(t, k) == BROKEN ? BROKEN : WAITING;
        }
        if (p == WAITING)
            return true;
        if (p == BROKEN) {
            note_failure(t, "connection lost", &k->client);
            k->client.step = 0;
            k->closing = true;
        } else {
            end_request(t, k);
        }
        if (!begin_request(t, k))
            return false;
        if (send_some(t, k) == BROKEN)
            continue; /* seen again, and repeated, above */
        return true;
    }
}

/* --- threads --- */

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    const struct load_options *o = t->load->o;
    struct epoll_event events[EVENTS];
    pthread_barrier_wait(t->barrier);
    int64_t deadline = o->seconds > 0 ? clock_mono_us() + (int64_t)(o->seconds * 1e6) : INT64_MAX;
    t->active = 0;
    for (unsigned i = 0; i < t->n; i++)
        if (begin_request(t, &t->connections[i])) {
            t->active++;
            send_some(t, &t->connections[i]);
        }
    while (t->active) {
        int64_t now = clock_mono_us();
        if (now >= deadline)
            break;
        int n = epoll_wait(t->epoll_fd, events, EVENTS,
                           deadline == INT64_MAX ? -1 : (int)((deadline - now) / 1000 + 1));
        for (int i = 0; i < n; i++) {
            struct connection *k = events[i].data.ptr;
            if (k->fd >= 0 && !go_on(t, k)) {
                closep(&k->fd);
                k->fd = -1;
                t->active--;
            }
        }
    }
    if (deadline != INT64_MAX)
        t->ended = MAX(t->ended, MIN(clock_mono_us(), deadline));
    return NULL;
}

static void thread_done(struct thread *t)
{
    for (unsigned i = 0; t->connections && i < t->n; i++) {
        closep(&t->connections[i].fd);
        free(t->connections[i].client.state);
    }
    closep(&t->epoll_fd);
    free(t->connections);
    free(t->scratch);
}

static int thread_prepare(struct thread *t, berth_error *err)
{
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    t->scratch = malloc(SCRATCH);
    t->connections = calloc(t->n, sizeof(*t->connections));
    if (t->epoll_fd < 0 || !t->scratch || !t->connections)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for %u connections", t->n);
    for (unsigned i = 0; i < t->n; i++)
        t->connections[i].fd = -1;
    for (unsigned i = 0; i < t->n; i++) {
        struct connection *k = &t->connections[i];
        k->client.state = calloc(1, MAX(t->load->ops->state_size, (size_t)1));
        if (!k->client.state)
            return berth_error_set(err, BERTH_E_NOMEM, "no memory for a client");
        if (dial(t, k) < 0)
            return berth_error_set(err, BERTH_E_NETWORK, "connecting: %s", strerror(errno));
    }
    return BERTH_OK;
}

static void collect(struct load *l, const struct thread *t)
{
    histogram_merge(&l->latency, &t->latency);
    l->failed += t->failed;
    l->reconnected += t->reconnected;
    l->received += t->received;
    l->ended = MAX(l->ended, t->ended);
    if (t->failure[0] && !l->first_failure[0])
        memcpy(l->first_failure, t->failure, sizeof(l->first_failure));
}

static int run_threads(struct load *l, struct thread *threads, unsigned n, berth_error *err)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, n + 1);
    for (unsigned i = 0; i < n; i++) {
        threads[i].barrier = &barrier;
        /* Those already started wait at the barrier: nothing can be undone, and nothing was measured. */
        if (pthread_create(&threads[i].id, NULL, thread_main, &threads[i]) != 0) {
            fputs("driver: no more threads\n", stderr);
            exit(1);
        }
    }
    l->started = l->ended = clock_mono_us();
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < n; i++) {
        pthread_join(threads[i].id, NULL);
        collect(l, &threads[i]);
    }
    pthread_barrier_destroy(&barrier);
    return l->latency.n || l->received || !l->first_failure[0]
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_NETWORK, "nothing went well: %s", l->first_failure);
}

static void threads_done(struct thread *threads, unsigned n)
{
    for (unsigned i = 0; threads && i < n; i++)
        thread_done(&threads[i]);
    free(threads);
}

static int prepare(struct load *l, berth_error *err)
{
    io_random(&l->seed, sizeof(l->seed));
    l->n_windows = l->o->window ? (size_t)(l->o->operations / l->o->window) : 0;
    l->windows = calloc(l->n_windows + 1, sizeof(*l->windows));
    l->pattern = l->ops->needs_pattern ? malloc(LOAD_PATTERN) : NULL;
    if (!l->windows || (l->ops->needs_pattern && !l->pattern))
        return berth_error_set(err, BERTH_E_NOMEM, "no memory");
    if (l->pattern)
        io_random(l->pattern, LOAD_PATTERN);
    return l->ops->prepare ? l->ops->prepare(l, err) : BERTH_OK;
}

int load_run(struct load *l, berth_error *err)
{
    unsigned n = MAX(1u, MIN(l->o->threads, l->o->clients));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address = NULL;
    int r = prepare(l, err);
    if (r != BERTH_OK)
        return r;
    if ((r = getaddrinfo(l->o->host, l->o->port, &hints, &address)) != 0)
        return berth_error_set(err, BERTH_E_NETWORK, "%s: %s", l->o->host, gai_strerror(r));
    struct thread *threads = calloc(n, sizeof(*threads));
    r = threads ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "no memory");
    for (unsigned i = 0; r == BERTH_OK && i < n; i++)
        threads[i] = (struct thread){
            .load = l, .address = address, .epoll_fd = -1, .n = l->o->clients / n + (i < l->o->clients % n)};
    for (unsigned i = 0; r == BERTH_OK && i < n; i++)
        r = thread_prepare(&threads[i], err);
    if (r == BERTH_OK)
        r = run_threads(l, threads, n, err);
    threads_done(threads, n);
    freeaddrinfo(address);
    return r;
}

void load_done(struct load *l)
{
    free(l->pattern);
    free(l->prepared);
    free(l->windows);
    l->pattern = NULL;
    l->prepared = NULL;
    l->windows = NULL;
}
