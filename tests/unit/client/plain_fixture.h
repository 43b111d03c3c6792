/* tests/unit/client/plain_fixture.h - a peer on 127.0.0.1 that does what its function says, and exchanges
 * with it on connections of our own, whose calls take note of all that they are told. */
#ifndef PLAIN_FIXTURE_H
#define PLAIN_FIXTURE_H

#include "test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "client/plain_private.h"

#define OK2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* --- the peer --- */

static struct {
    int listener, port;
    pthread_t thread;
    void (*serve)(void);
    const char *answer;
    struct transport *transport; /* to it */
    char got[8][4096];           /* requests, up to the end of their header */
    _Atomic int requests, connections;
    uint64_t received, sum; /* of a body */
} peer;

static UNUSED int take(void)
{
    int fd = accept(peer.listener, NULL, NULL);
    peer.connections++;
    return fd;
}

static UNUSED bool hear(int fd)
{
    char *to = peer.got[peer.requests];
    size_t n = 0;
    while (n < sizeof(peer.got[0]) - 1 && recv(fd, to + n, 1, 0) == 1) {
        to[++n] = '\0';
        if (n >= 4 && memcmp(to + n - 4, "\r\n\r\n", 4) == 0) {
            peer.requests++;
            return true;
        }
    }
    return false;
}

static UNUSED int take_and_hear(void)
{
    int fd = take();
    hear(fd);
    return fd;
}

static UNUSED void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static UNUSED void hear_body(int fd, uint64_t length)
{
    static unsigned char piece[64 * KIB];
    ssize_t n = 1;
    while (peer.received < length && n > 0) {
        n = recv(fd, piece, (size_t)MIN(length - peer.received, (uint64_t)sizeof(piece)), 0);
        for (ssize_t i = 0; i < n; i++)
            peer.sum = peer.sum * 31 + piece[i];
        peer.received += n > 0 ? (uint64_t)n : 0;
    }
}

/* Two answers on one connection, which is closed instead of the third; that one comes on another. */
static UNUSED void serve_and_close(void)
{
    int fd = take();
    for (int i = 0; i < 2 && hear(fd); i++)
        say(fd, OK2);
    hear(fd);
    close(fd);
    fd = take_and_hear();
    hear_body(fd, 3);
    say(fd, OK2);
    close(fd);
}

static UNUSED void *run_peer(void *arg)
{
    (void)arg;
    peer.serve();
    return NULL;
}

static UNUSED void peer_begin(void (*serve)(void), const char *answer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    memset(&peer, 0, sizeof(peer));
    peer.serve = serve;
    peer.answer = answer;
    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(peer.listener >= 0 && bind(peer.listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(listen(peer.listener, 8) == 0 && getsockname(peer.listener, (struct sockaddr *)&a, &size) == 0);
    peer.port = ntohs(a.sin_port);
    CHECK(pthread_create(&peer.thread, NULL, run_peer, NULL) == 0);
    o.timeout_ms = 10000;
    CHECK_OK(transport_new(&o, "127.0.0.1:1", &peer.transport, &test_err));
}

static UNUSED void peer_end(void)
{
    transport_free(peer.transport);
    shutdown(peer.listener, SHUT_RDWR);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
}

/* --- the exchange --- */

struct asked {
    struct exchange x;
    char url[128];
    berth_buf body;
    bool ended;
    int code;
    berth_error err;
    uint64_t given, passed, length; /* of a body: a's, by send() */
    unsigned rewinds;
    bool once, short_one;
    unsigned pauses, paused; /* so many are to be made, and were */
};

static UNUSED bool pauses(struct asked *a)
{
    if (a->paused == a->pauses)
        return false;
    a->paused++;
    return true;
}

static UNUSED int on_head(struct exchange *x)
{
    (void)x;
    return 0;
}

static UNUSED int on_body(struct exchange *x, const void *p, size_t n)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    if (pauses(a))
        return BERTH_PAUSE;
    berth_buf_add(&a->body, p, n);
    return 0;
}

static UNUSED int on_send(struct exchange *x, void *p, size_t n, size_t *ret_n)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    if (a->short_one)
        return -1;
    if (pauses(a))
        return BERTH_PAUSE;
    *ret_n = (size_t)MIN((uint64_t)n, a->length - a->given);
    memset(p, 'a', *ret_n);
    a->given += *ret_n;
    return 0;
}

static UNUSED bool on_rewind(struct exchange *x)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    a->rewinds++;
    bool can = !a->once || !a->given;
    a->given = 0;
    return can;
}

static UNUSED void on_passed(struct exchange *x, size_t n)
{
    CONTAINER_OF(x, struct asked, x)->passed += n;
}

static UNUSED void on_end(struct exchange *x, int code, const berth_error *err)
{
    struct asked *a = CONTAINER_OF(x, struct asked, x);
    a->ended = true;
    a->code = code;
    a->err = *err;
}

static UNUSED struct asked ask(const char *method)
{
    static const struct exchange_events events = {.head = on_head,
                                                  .body = on_body,
                                                  .send = on_send,
                                                  .rewind = on_rewind,
                                                  .passed = on_passed,
                                                  .end = on_end};
    struct asked a = {.body = BERTH_BUF_INIT(MIB)};
    snprintf(a.url, sizeof(a.url), "http://127.0.0.1:%d/v2/?n=1", peer.port);
    a.x = (struct exchange){.events = &events,
                            .method = method,
                            .fields = STR("Accept: x\nX-Empty;\n"),
                            .body_length = -1,
                            .file = -1};
    return a;
}

/* One that puts so many bytes; -1: it doesn't say how many. */
static UNUSED struct asked put(int64_t length)
{
    struct asked a = ask("PUT");
    a.x.has_body = a.x.streams = true;
    a.x.body_length = length;
    a.length = length < 0 ? 300 * KIB : (uint64_t)length;
    return a;
}

static UNUSED void start(struct asked *a)
{
    a->x.url = a->url;
    CHECK_OK(transport_start(peer.transport, &a->x, &test_err));
    assert_true(a->x.handle->plain);
}

/* To its end. */
static UNUSED void go_on(struct asked *a)
{
    transport_process(peer.transport);
    for (unsigned resumed = 0; !a->ended;) {
        if (resumed == a->paused)
            transport_wait(peer.transport);
        else if (++resumed) /* who waited now would wait for ever */
            transport_resume(peer.transport, &a->x);
        transport_process(peer.transport);
    }
    assert_null(a->x.handle);
}

/* Returns with what code it ended. */
static UNUSED int go(struct asked *a)
{
    start(a);
    go_on(a);
    return a->code;
}

static UNUSED void asked_done(struct asked *a)
{
    berth_buf_done(&a->body);
    exchange_done(&a->x);
}

#endif
