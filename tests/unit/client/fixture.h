/* tests/unit/client/fixture.h - a scripted registry on 127.0.0.1: it gives its answers in order, one
 * connection each, and keeps the requests with their bodies. */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "berth/connection.h"
#include "client/internal.h"

#define ANSWERS_MAX 16
#define REQUEST_MAX 8192

struct script {
    const char
        *answers[ANSWERS_MAX]; /* whole answers; a NULL ends them. "%p" in one is the server's own port */
    bool greedy;               /* takes a body before it refuses it */
    int listener, port;
    _Atomic int n_requests;
    char requests[ANSWERS_MAX][REQUEST_MAX];
    size_t received[ANSWERS_MAX]; /* bytes, also of those that had no room */
    pthread_t thread;
    char host[32];
    berth_client *client;
    bool retries; /* as the options say; else none, for each answer is given once */
    int holds;    /* it stops before the answer of this number until it is released; 0: before none */
    _Atomic bool released;
};

/* The end comes with the last bytes: else a client might send its next request before it sees the end. */
static UNUSED void answer(struct script *s, int fd, const char *text)
{
    char port[8];
    snprintf(port, sizeof(port), "%d", s->port);
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    for (const char *at = text; *at;) {
        const char *hole = strstr(at, "%p");
        berth_buf_add(&out, at, hole ? (size_t)(hole - at) : strlen(at));
        if (hole)
            berth_buf_addf(&out, "%s", port);
        at = hole ? hole + 2 : at + strlen(at);
    }
    CHECK(send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_MORE) >= 0 || errno == EPIPE || errno == ECONNRESET);
    shutdown(fd, SHUT_WR);
}

/* Whether the request is there as a whole. */
static UNUSED bool is_whole(const char *request, size_t received, const char *tail)
{
    const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "\r\nContent-Length:");
    if (!end)
        return false;
    if (length && length < end)
        return received >= (size_t)(end + 4 - request) + strtoul(length + 17, NULL, 10);
    return !strcasestr(request, "\r\nTransfer-Encoding: chunked") || strcmp(tail, "\r\n0\r\n\r\n") == 0;
}

/* One that waits to be told to go on is told so, unless it is going to be refused. */
static UNUSED void receive(struct script *s, int fd, int i)
{
    char rest[4096], *to = s->requests[i], tail[8] = "";
    size_t n = 0;
    bool refuses = !s->greedy && strlen(s->answers[i]) > 9 && s->answers[i][9] > '2', asked_on = false;
    while (!is_whole(to, s->received[i], tail)) {
        if (!asked_on && strcasestr(to, "\r\nExpect: 100-continue") && strstr(to, "\r\n\r\n")) {
            if (refuses)
                break;
            asked_on = send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) == 25;
        }
        bool room = n < REQUEST_MAX - 1;
        ssize_t got = recv(fd, room ? to + n : rest, room ? REQUEST_MAX - 1 - n : sizeof(rest), 0);
        if (got <= 0)
            break;
        s->received[i] += (size_t)got;
        const char *end = (room ? to + n : rest) + got;
        size_t fresh = MIN((size_t)got, sizeof(tail) - 1), kept = MIN(strlen(tail), sizeof(tail) - 1 - fresh);
        memmove(tail, tail + strlen(tail) - kept, kept);
        memcpy(tail + kept, end - fresh, fresh);
        tail[kept + fresh] = '\0';
        n += room ? (size_t)got : 0;
        to[n] = '\0';
    }
}

static UNUSED void *serve(void *arg)
{
    struct script *s = arg;
    for (int i = 0; i < ANSWERS_MAX && s->answers[i]; i++) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            break;
        receive(s, fd, i);
        while (s->holds == i && i && !atomic_load(&s->released))
            usleep(1000);
        atomic_store(&s->n_requests, i + 1);
        answer(s, fd, s->answers[i]);
        close(fd);
    }
    return NULL;
}

/* Starts the server and opens a client for it. */
static UNUSED void script_begin(struct script *s, const berth_client_options *opts)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(listen(s->listener, 64) == 0 && getsockname(s->listener, (struct sockaddr *)&a, &size) == 0);
    s->port = ntohs(a.sin_port);
    snprintf(s->host, sizeof(s->host), "127.0.0.1:%d", s->port);
    CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.first_wait_ms = 1;
    if (opts)
        o = *opts;
    if (!s->retries)
        o.retries = 0;
    static const char *const elsewhere[] = {"elsewhere.example:1:127.0.0.1", NULL};
    berth_connection_options way = BERTH_CONNECTION_OPTIONS_INIT;
    if (getenv("TEST_LIBCURL") && !o.connection) { /* names to be found elsewhere are its business */
        way.resolve = elsewhere;
        o.connection = &way;
    }
    CHECK_OK(berth_client_new(s->host, &o, &s->client, &test_err));
}

/* Every answer was given, or is when the server comes to it: a client that leaves need not have waited. */
static UNUSED void script_end(struct script *s)
{
    berth_client_free(s->client);
    int n = 0;
    while (n < ANSWERS_MAX && s->answers[n])
        n++;
    for (int i = 0; i < 10000 && atomic_load(&s->n_requests) < n; i++)
        usleep(1000);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    assert_int_equal(atomic_load(&s->n_requests), n);
}

/* The request's field line; NULL: there is none. */
static UNUSED const char *asked(const struct script *s, int i, const char *line)
{
    return strcasestr(s->requests[i], line);
}

/* The body of a request. */
static UNUSED const char *sent(const struct script *s, int i)
{
    const char *end = strstr(s->requests[i], "\r\n\r\n");
    return end ? end + 4 : "";
}

/* The request begins so, and has this body; NULL: any. */
static UNUSED bool was(const struct script *s, int i, const char *begins, const char *body)
{
    return strncmp(s->requests[i], begins, strlen(begins)) == 0 && (!body || strcmp(sent(s, i), body) == 0);
}

/* Where a blob's bytes go; one that is full ends the call. */
struct sink {
    berth_buf got;
    bool full;
};

static UNUSED int sink_take(void *arg, const void *p, size_t n)
{
    struct sink *s = arg;
    berth_buf_add(&s->got, p, n);
    return s->full;
}

#define EMPTY        "Content-Length: 0\r\n\r\n"
#define NOT_THERE    "HTTP/1.1 404 Not Found\r\n" EMPTY
#define ACCEPTED     "HTTP/1.1 202 Accepted\r\n"
#define CREATED      "HTTP/1.1 201 Created\r\n" EMPTY
#define BROKEN       "" /* the connection closes without an answer */
#define OK_EMPTY     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define BEARER       "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%p/token\",service=\"s\","
#define UNAUTHORIZED "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
#define JSON(n)      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " #n "\r\n\r\n"

#endif
