/* tests/unit/http/listen.c - from addresses to sockets: what is understood, who gets which, what is removed.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "http/internal.h"

static void test_http_listen__refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",      "localhost", "localhost:", "localhost:x", "127.0.0.1:65536", "[::1:5000",    "127.0.0.1:-1",
        "unix:", "fd:",       "fd:x",       "fd:99999",    "[::1]5000",       "127.0.0.1:80x"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_listener *list = NULL;
        char *bound = NULL;
        CHECK_ROW(i, http_listeners_open(rows[i], 1, 0, &list, &bound, &test_err) != BERTH_OK);
        CHECK_ROW(i, !list && !bound && test_err.message[0]);
    }
}

static void test_http_listen__gives_each_loop_a_socket_of_one_port(void **state)
{
    (void)state;
    struct http_listener *list = NULL;
    char *bound = NULL;
    unsigned port = 0;
    CHECK_OK(http_listeners_open("127.0.0.1:0", 3, 0, &list, &bound, &test_err));
    CHECK(sscanf(bound, "127.0.0.1:%u", &port) == 1 && port);
    CHECK(!list->next && list->n_fds == 3 && !list->is_unix);
    for (size_t i = 0; i < list->n_fds; i++) {
        CHECK_ROW(i, fcntl(list->fds[i], F_GETFL) & O_NONBLOCK);
        CHECK_ROW(i, fcntl(list->fds[i], F_GETFD) & FD_CLOEXEC);
    }
    /* one loop that leaves closes its own socket */
    int fd = list->fds[1];
    http_listener_leave(list, &list->fds[1]);
    CHECK(list->fds[1] == -1 && fcntl(fd, F_GETFD) < 0 && errno == EBADF);
    CHECK(fcntl(list->fds[0], F_GETFD) >= 0);
    mem_free(bound);
    http_listeners_free(list);
}

static void test_http_listen__shares_a_unix_socket_and_removes_it_last(void **state)
{
    (void)state;
    char dir[] = "/tmp/berth-listen-XXXXXX", address[64];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(address, sizeof(address), "unix:%s/s", dir);
    struct http_listener *list = NULL;
    char *bound = NULL;
    CHECK_OK(http_listeners_open(address, 2, 0, &list, &bound, &test_err));
    assert_string_equal(bound, address);
    CHECK(list->n_fds == 1 && list->is_unix && access(address + 5, F_OK) == 0);
    atomic_store(&list->users, 2);
    http_listener_leave(list, &list->fds[0]);
    CHECK(list->fds[0] >= 0 && access(address + 5, F_OK) == 0); /* the other loop still accepts */
    http_listener_leave(list, &list->fds[0]);
    CHECK(list->fds[0] == -1 && access(address + 5, F_OK) < 0);
    mem_free(bound);
    http_listeners_free(list);
    rmdir(dir);
}

static void test_http_listen__gives_a_unix_socket_the_mode_that_is_asked_for(void **state)
{
    (void)state;
    char dir[] = "/tmp/berth-listen-XXXXXX", address[64];
    static const unsigned rows[][2] = {{0, 0700}, {0660, 0660}, {0666, 0666}, {0600, 0600}}; /* asked, got */
    CHECK(mkdtemp(dir) != NULL);
    snprintf(address, sizeof(address), "unix:%s/s", dir);
    mode_t before = umask(077);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_listener *list = NULL;
        struct stat st;
        char *bound = NULL;
        CHECK_OK(http_listeners_open(address, 1, rows[i][0], &list, &bound, &test_err));
        CHECK_ROW(i, stat(address + 5, &st) == 0 && (st.st_mode & 0777) == rows[i][1]);
        mem_free(bound);
        http_listeners_free(list);
    }
    umask(before);
    rmdir(dir);
}

RUN_TESTS(TEST(test_http_listen__gives_a_unix_socket_the_mode_that_is_asked_for),
          TEST(test_http_listen__refuses_what_is_no_address),
          TEST(test_http_listen__gives_each_loop_a_socket_of_one_port),
          TEST(test_http_listen__shares_a_unix_socket_and_removes_it_last))
