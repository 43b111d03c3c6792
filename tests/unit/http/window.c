/* tests/unit/http/window.c - of a near peer's body little waits in the kernel; other sockets stay as they
 * are. */
#include "test.h"

#include <netinet/in.h>
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
        CHECK_ROW(i, !bounded || buffer_of(ends[1]) <= (int)MIB);
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

RUN_TESTS(TEST(test_http_window__near_peer_has_a_bound_that_is_set_once),
          TEST(test_http_window__what_is_not_tcp_stays_as_it_is))
