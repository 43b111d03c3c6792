/* tests/unit/client/plain_receive.c - answers of a peer, which may say anything. */
#include "plain_fixture.h"

static void serve_bytes(void)
{
    int fd = take_and_hear();
    for (const char *at = peer.answer; *at; at++)
        (void)!send(fd, at, 1, MSG_NOSIGNAL);
    if (strstr(peer.answer, "KEEP"))
        hear(fd);
    close(fd);
}

static void test_client_plain_receive__reads_every_framing_and_believes_none_that_is_broken(void **state)
{
    (void)state;
    static const struct {
        const char *method, *answer, *body; /* body NULL: it fails */
        int status;
        enum exchange_failure failure;
        bool keeps;
    } rows[] = {
        {"GET", "HTTP/1.1 200 KEEP\r\nContent-Length: 3\r\n\r\nabc", "abc", 200, 0, true},
        {"GET", "HTTP/1.1 200 KEEP\r\nContent-Length: 0\r\n\r\n", "", 200, 0, true},
        {"HEAD", "HTTP/1.1 200 KEEP\r\nContent-Length: 3\r\n\r\n", "", 200, 0, true},
        {"GET", "HTTP/1.1 204 KEEP\r\n\r\n", "", 204, 0, true},
        {"GET", "HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", 200, 0, false},
        {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", 200, 0, false},
        {"GET",
         "HTTP/1.1 200 KEEP\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n",
         "abcd", 200, 0, true},
        {"GET", "HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 404 KEEP\r\nContent-Length: 1\r\n\r\nx", "x", 404,
         0, true},
        {"GET", "", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\r\nContent-", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", NULL, 0, FAILURE_BROKEN,
         false},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd", NULL, 0, FAILURE_BROKEN,
         false},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", NULL, 0, FAILURE_BROKEN, false},
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", NULL, 0, FAILURE_LASTING, false},
        {"GET", "HTTP/1.1 101 Other\r\n\r\n", NULL, 0, FAILURE_LASTING, false},
        {"GET", "\x15\x03\x01", NULL, 0, FAILURE_LASTING, false},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", NULL, 0,
         FAILURE_LASTING, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        peer_begin(serve_bytes, rows[i].answer);
        CLEANUP(asked_done) struct asked a = ask(rows[i].method);
        CHECK_ROW(i, (go(&a) == BERTH_OK) == (rows[i].body != NULL));
        CHECK_ROW(i, peer.transport->plains->n_idle == rows[i].keeps);
        CHECK_ROW(i, a.x.failure == rows[i].failure);
        if (rows[i].body) {
            CHECK_STR_ROW(i, berth_buf_str(&a.body), str_from(rows[i].body));
            CHECK_ROW(i, a.x.status == rows[i].status);
        }
        peer_end();
    }
}

static void serve_endless_header(void)
{
    int fd = take_and_hear();
    say(fd, "HTTP/1.1 200 OK\r\n");
    for (size_t n = 0; n < HEADER_MAX; n += 16)
        say(fd, "X-Header: value\r\n");
    close(fd);
}

static void serve_announcements(void)
{
    int fd = take_and_hear();
    for (int i = 0; i < 100; i++)
        say(fd, "HTTP/1.1 102 Processing\r\n\r\n");
    hear(fd);
    close(fd);
}

static void test_client_plain_receive__listens_to_nothing_endless(void **state)
{
    (void)state;
    static const struct {
        void (*serve)(void);
        int code;
    } rows[] = {{serve_endless_header, BERTH_E_TOO_BIG}, {serve_announcements, BERTH_E_INVALID}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        peer_begin(rows[i].serve, NULL);
        CLEANUP(asked_done) struct asked a = ask("GET");
        CHECK_ROW(i, go(&a) == rows[i].code);
        peer_end();
    }
}

RUN_TESTS(TEST(test_client_plain_receive__reads_every_framing_and_believes_none_that_is_broken),
          TEST(test_client_plain_receive__listens_to_nothing_endless))
