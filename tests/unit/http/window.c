/* tests/unit/http/window.c - of a near peer's body little waits in the kernel; other sockets stay as they
 * are. */
#include "fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/internal.h"

#define TRIES 50 /* a machine under load may answer late even to itself */

static int buffer_of(int fd)
{
    int n = 0;
    socklen_t size = sizeof(n);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, &size), 0);
    return n;
}

/* What Linux makes of 512 KiB: no more than the system allows, and as much again for its own needs. */
static int bound(void)
{
    int most = 0;
    FILE *f = fopen("/proc/sys/net/core/rmem_max", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &most), 1);
    fclose(f);
    return 2 * MIN(most, 512 * (int)KIB);
}

/* Both ends of a connection over the loopback. */
static void tcp_pair(int ends[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    CLEANUP(closep) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&a, n), 0);
    ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ends[1] >= 0);
}

static void close_pair(int ends[2])
{
    closep(&ends[0]);
    closep(&ends[1]);
}

static bool is_bounded(int fd)
{
    int before = buffer_of(fd);
    struct http_conn c = {.fd = fd};
    http_window_bound(&c);
    CHECK(c.measured);
    return buffer_of(fd) != before;
}

static void test_http_window__near_peer_has_a_bound_that_is_set_once(void **state)
{
    (void)state;
    bool bounded = false;
    for (int i = 0; i < TRIES && !bounded; i++) {
        int ends[2];
        tcp_pair(ends);
        bounded = is_bounded(ends[1]);
        CHECK_ROW(i, !bounded || buffer_of(ends[1]) == bound());
        close_pair(ends);
    }
    CHECK(bounded);

    int ends[2];
    tcp_pair(ends);
    int before = buffer_of(ends[1]);
    http_window_bound(&(struct http_conn){.fd = ends[1], .measured = true});
    CHECK(buffer_of(ends[1]) == before);
    close_pair(ends);
}

static void test_http_window__what_is_not_tcp_stays_as_it_is(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    int before = buffer_of(ends[1]);
    http_window_bound(&(struct http_conn){.fd = ends[1], .is_unix = true});
    http_window_bound(&(struct http_conn){.fd = ends[1]}); /* a listener that was handed over: nobody knows */
    CHECK(buffer_of(ends[1]) == before);
    close_pair(ends);
}

/* The server's end of the connection @fd, in this process. */
static int other_end(int fd)
{
    struct sockaddr_in mine = {0}, peer = {0};
    socklen_t n = sizeof(mine);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&mine, &n), 0);
    for (int i = 3; i < 1024; i++) {
        n = sizeof(peer);
        if (i != fd && getpeername(i, (struct sockaddr *)&peer, &n) == 0 && peer.sin_family == AF_INET &&
            peer.sin_port == mine.sin_port)
            return i;
    }
    fail_msg("the server has no end of this connection");
    return -1;
}

static void put(int fd, uint64_t n)
{
    char head[128];
    struct reply r;
    snprintf(head, sizeof(head), "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: %llu\r\n\r\n",
             (unsigned long long)n);
    client_say(fd, head);
    client_send_body(fd, 0, n);
    CHECK(client_read(fd, false, &r) && r.status == 201);
    reply_done(&r);
}

static void test_http_window__a_large_body_bounds_its_connection(void **state)
{
    (void)state;
    struct site *s = site_new(NULL, NULL, NULL);
    bool bounded = false;
    for (int i = 0; i < TRIES && !bounded; i++) {
        CLEANUP(closep) int fd = client_connect(s);
        put(fd, 1000);
        int end = other_end(fd), before = buffer_of(end);
        put(fd, 1000);
        CHECK_ROW(i, buffer_of(end) == before);
        put(fd, 8 * MIB);
        bounded = buffer_of(end) == bound();
    }
    CHECK(bounded);
    site_free(s);
}

RUN_TESTS(TEST(test_http_window__a_large_body_bounds_its_connection),
          TEST(test_http_window__near_peer_has_a_bound_that_is_set_once),
          TEST(test_http_window__what_is_not_tcp_stays_as_it_is))
